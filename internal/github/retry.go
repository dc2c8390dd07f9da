package github

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"set-org-secret/internal/secret"
)

const (
	firstBackoff = time.Second
	maxBackoff   = 30 * time.Second
	// maxPauseBefore is the longest rate limit that [Client.SendOnce] waits for: as long as one that names no end.
	maxPauseBefore = time.Minute
	// replicationDelay is how long a new installation token may be unknown to some of GitHub's servers.
	// https://github.com/octokit/auth-app.js/#authhook-options
	replicationDelay = 5 * time.Second
)

// Budget is the retry budget of a write and of the reads that it needs. It ends [Options].Timeout after their first
// error; waits for the write limiter do not count. During an outage, in which nothing succeeds, all budgets count from
// the first error of the outage, and so end together.
type Budget struct {
	write    bool      // for a write and the requests that it needs
	optional bool      // for reads that the write can do without
	deadline time.Time // when requests that are sent once must end; zero if requests are retried
	*clock
}

// clock counts the used part of a budget. The lock of the retrier guards it.
type clock struct {
	start        time.Time     // the first error; zero before that
	exempt       time.Duration // waits for the write limiter since the start
	exemptBefore time.Duration // such waits before the start, during the outage
}

// NewBudget returns the budget of a write and of the reads that it needs. For other reads pass nil: each then has a
// budget of its own.
func NewBudget() *Budget { return &Budget{write: true, clock: &clock{}} }

// Optional returns the budget for reads that the write can do without. They share the time of b, but leave the write
// enough for one attempt, and trip no circuit breaker.
func (b *Budget) Optional() *Budget { return &Budget{write: b.write, optional: true, clock: b.clock} }

// SendOnce waits until at, or until the end of a rate limit if that is later but at most maxPauseBefore away. A signal
// ends the wait. It returns a budget for requests that share the time of one attempt. Each is sent once, even if a
// circuit breaker has tripped. op is their purpose in the log.
func (c *Client) SendOnce(ctx context.Context, op string, at time.Time) *Budget {
	r := c.retry
	r.mu.Lock()
	if r.pausedUntil.After(at) && time.Until(r.pausedUntil) <= maxPauseBefore {
		at = r.pausedUntil
	}
	r.mu.Unlock()
	if wait := time.Until(at); wait > 0 && ctx.Err() == nil {
		r.Log("waiting " + secret.FormatDuration(wait) + " to " + op)
		Sleep(ctx, wait)
	}
	return &Budget{deadline: time.Now().Add(r.fullAttempt()), clock: &clock{}}
}

// Sleep waits for d, or until a signal cancels ctx. Unless d is positive it makes no timer: in tests, goroutines that
// receive from expired timers at the same time can crash Go's race detector.
func Sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (b *Budget) isRetried() bool { return b.deadline.IsZero() }

// begin starts the budget unless it has started. outage is the start of the present outage, now or earlier.
func (b *Budget) begin(now, outage time.Time) {
	if b.start.IsZero() {
		b.start, b.exempt, b.exemptBefore = now, 0, min(b.exempt, now.Sub(outage))
	}
}

// used returns how much of the budget is used, and when it started: with its first error, or with the outage if that
// began earlier and lasts. Both are zero before the first error.
func (b *Budget) used(outage time.Time) (d time.Duration, start time.Time) {
	switch {
	case b.start.IsZero():
		return 0, b.start
	case !outage.IsZero() && outage.Before(b.start):
		return time.Since(outage) - b.exempt - b.exemptBefore, outage
	}
	return time.Since(b.start) - b.exempt, b.start
}

// retrier decides whether and when a failed request is retried.
type retrier struct {
	*Options

	mu            sync.Mutex
	reads, writes *breaker             // one of all requests, and one of writes alone
	pausedUntil   time.Time            // a rate limit pauses every request until then
	pauseLogged   time.Time            // the end of the pause that was logged last
	limit         *secret.Error        // the error that set pausedUntil
	retryLogged   map[string]time.Time // by reason: when the next retry may be logged
}

// breaker is a circuit breaker. It trips if a budget ends in an outage that covers all of the budget, unless no
// other budget had an error in the outage: one secret or the key of one store may fail while all others work.
type breaker struct {
	outage  time.Time     // when the outage began; zero if there is none. The package comment says when it ends
	first   *clock        // the budget whose error began the outage
	shared  bool          // another budget had an error in the outage
	tripped chan struct{} // closed once err is set
	err     *secret.Error
}

// trip stops all requests of the breaker, including those that are waiting.
func (b *breaker) trip(err *secret.Error) {
	if b.err == nil {
		b.err = err
		close(b.tripped)
	}
}

// describe adds the operation, the attempts and their time to the error of an attempt, or to the final one.
func (a *Attempt) describe(err *secret.Error) *secret.Error {
	err.Op, err.Attempts = a.op, a.attempts
	if !a.firstError.IsZero() {
		err.Elapsed = time.Since(a.firstError)
	}
	return err
}

// lastOr returns the last attempt's error without sentinel errors, or before the first attempt an error with problem.
func (a *Attempt) lastOr(problem string) *secret.Error {
	if a.last == nil {
		return &secret.Error{Problem: problem}
	}
	e := *a.last
	e.Is = nil
	return &e
}

// waitTooLong is the error for a wait that would end after the budget. limit is the error that requires the wait.
func (a *Attempt) waitTooLong(limit *secret.Error, until time.Time) *secret.Error {
	e := a.lastOr("not sent: an earlier request got " + limit.Problem)
	if a.last != nil && limit != a.last {
		e = e.With("not sent again: another request got " + limit.Problem)
	}
	e.Cause = "GitHub requires a wait that is longer than timeout."
	e.Hint = "Wait until " + secret.FormatTime(until) + "."
	return e
}

// breakers returns the circuit breakers that count a request's errors.
func (r *retrier) breakers(a *Attempt) []*breaker {
	if a.budget.write && !a.budget.optional {
		return []*breaker{r.reads, r.writes}
	}
	return []*breaker{r.reads}
}

// outage returns when the outage of a request's breakers began; zero if there is none. The caller holds the lock.
func (r *retrier) outage(a *Attempt) (began time.Time) {
	for _, b := range r.breakers(a) {
		if began.IsZero() || !b.outage.IsZero() && b.outage.Before(began) {
			began = b.outage
		}
	}
	return began
}

// recordError starts the request's budget and an outage, unless they have started.
func (r *retrier) recordError(a *Attempt) {
	now := time.Now()
	if a.firstError.IsZero() {
		a.firstError = now
	}
	if !a.budget.isRetried() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.breakers(a) {
		if b.outage.IsZero() {
			b.outage, b.first, b.shared = now, a.budget.clock, false
		}
		b.shared = b.shared || b.first != a.budget.clock
	}
	a.budget.begin(now, r.outage(a))
}

// recordResponse ends the outage of all requests, even if GitHub refused. A successful write also ends that of writes.
func (r *retrier) recordResponse(a *Attempt, success bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reads.outage = time.Time{}
	if success && a.isWrite {
		r.writes.outage = time.Time{}
	}
}

// left returns how much of the timeout is left to a request.
func (r *retrier) left(a *Attempt) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	used, _ := a.budget.used(r.outage(a))
	if a.budget.optional {
		used += r.fullAttempt()
	}
	return r.Timeout - used
}

// fullAttempt returns how long an attempt may take while the timeout lasts.
func (r *retrier) fullAttempt() time.Duration { return min(maxAttemptTime, r.Timeout) }

// attemptTime returns how long an attempt may take: at most fullAttempt. No attempt ends later than fullAttempt after
// the timeout.
func (r *retrier) attemptTime(a *Attempt) time.Duration {
	if !a.budget.isRetried() {
		return time.Until(a.budget.deadline)
	}
	return min(r.fullAttempt(), r.left(a)+r.fullAttempt())
}

// expire returns the error for a budget that has ended. A breaker trips if its outage covers all of the budget.
func (r *retrier) expire(a *Attempt) *secret.Error {
	e := a.lastOr("not sent: the timeout is used up")
	e.Hint = cmp.Or(e.Hint, waitForGitHub)
	if !a.budget.isRetried() || a.budget.optional {
		return e
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	elapsed, start := a.budget.used(r.outage(a))
	stop := func(what string) *secret.Error {
		return &secret.Error{Hint: e.Hint, Problem: fmt.Sprintf("not sent: no %s has succeeded for %s; last error: %s",
			what, secret.FormatDuration(elapsed), e.Problem)}
	}
	switch isOut := func(b *breaker) bool { return b.shared && !b.outage.IsZero() && !b.outage.After(start) }; {
	case isOut(r.reads):
		r.reads.trip(stop("request"))
		r.writes.trip(stop("request"))
	case a.budget.write && isOut(r.writes):
		r.writes.trip(stop("write"))
	}
	return e
}

// breaker returns the circuit breaker that stops a request. That of a request that is sent once never trips.
func (r *retrier) breaker(a *Attempt) *breaker {
	switch {
	case !a.budget.isRetried():
		return &breaker{}
	case a.budget.write:
		return r.writes
	}
	return r.reads
}

// sleep waits for d. It fails if the run is interrupted or the request's circuit breaker trips before that.
func (r *retrier) sleep(ctx context.Context, a *Attempt, d time.Duration) *secret.Error {
	select {
	case <-r.breaker(a).tripped:
	case <-ctx.Done():
	case <-time.After(d):
	}
	return r.stopped(ctx, a)
}

// stopped returns the error of a request that must not go on: its circuit breaker has tripped, or a signal came.
func (r *retrier) stopped(ctx context.Context, a *Attempt) *secret.Error {
	b := r.breaker(a)
	select {
	case <-b.tripped:
		e := a.lastOr(b.err.Problem)
		e.Hint = b.err.Hint
		return e
	default:
	}
	if ctx.Err() == nil {
		return nil
	}
	e := a.lastOr(interruptedUnsent)
	if a.last != nil {
		e = e.With("not sent again: the run was interrupted")
	}
	e.Is = []error{secret.ErrInterrupted}
	return e
}

// waitForRateLimit blocks while a rate limit is in force. It fails if the limit ends after the request's timeout.
func (r *retrier) waitForRateLimit(ctx context.Context, a *Attempt) *secret.Error {
	for {
		r.mu.Lock()
		wait, limit := time.Until(r.pausedUntil), r.limit
		r.mu.Unlock()
		if wait <= 0 {
			return r.stopped(ctx, a)
		}
		r.recordError(a) // a rate limit is an error of every request that it stops
		if !a.budget.isRetried() || wait > r.left(a) {
			return a.waitTooLong(limit, time.Now().Add(wait))
		}
		if err := r.sleep(ctx, a, wait); err != nil {
			return err
		}
	}
}

// wait sleeps until the next attempt. It returns the final error if no attempt is left.
func (r *retrier) wait(ctx context.Context, a *Attempt) *secret.Error {
	failed := a.failed
	if !a.budget.isRetried() {
		return failed.err
	}
	left := min(r.left(a), failed.retryFor)
	if left <= 0 {
		return r.expire(a)
	}
	delay := max(failed.retryAfter, min(r.backoff(a.attempts), left)) // the backoff is shortened for a last attempt
	until := time.Now().Add(delay)
	if failed.global {
		r.mu.Lock()
		if until.After(r.pausedUntil) {
			r.pausedUntil, r.limit = until, failed.err
		}
		r.mu.Unlock()
	}
	if failed.retryAfter > left {
		return a.waitTooLong(failed.err, until)
	}
	r.logRetry(failed, delay, left)
	return r.sleep(ctx, a, delay)
}

// backoff returns the wait after that many attempts: 1 s, doubled each time up to 30 s, plus 0 to 25 % at random.
func (r *retrier) backoff(attempts int) time.Duration {
	d := min(maxBackoff, firstBackoff<<min(attempts-1, 5))
	return d + time.Duration(r.Jitter()*float64(d)/4)
}

// logRetry logs a retry. Concurrent requests often fail together: a reason is logged again only when the logged retry
// is due, or after maxBackoff. A pause of all requests is logged again only if its end moves by minLoggedWait.
func (r *retrier) logRetry(failed *failure, delay, left time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	switch until := now.Add(delay); {
	case failed.global && now.Before(r.pauseLogged) && until.Sub(r.pauseLogged) < minLoggedWait:
		return
	case failed.global:
		r.pauseLogged = until
	case now.Before(r.retryLogged[failed.reason]):
		return
	default:
		r.retryLogged[failed.reason] = now.Add(min(delay, maxBackoff))
	}
	r.Log(fmt.Sprintf("%s; retrying in %s (%s left)",
		failed.reason, secret.FormatDuration(delay), secret.FormatDuration(left)))
}
