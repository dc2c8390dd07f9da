package github

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"set-org-secret/internal/secret"
)

const (
	firstBackoff = time.Second
	maxBackoff   = 30 * time.Second
	// replicationDelay is how long a new installation token may be unknown to some of GitHub's servers; octokit's
	// auth-app waits as long.
	// https://github.com/octokit/auth-app.js/#authhook-options
	replicationDelay = 5 * time.Second
)

// retrier decides whether and when a failed request is retried. A request fails when its retry budget is used up:
// timeout after the first error. Two circuit breakers fail all others at once, so that a server that is down costs the
// timeout once, not once a secret.
type retrier struct {
	timeout time.Duration
	jitter  func() float64
	log     func(string)

	mu sync.Mutex
	// requests trips if no request has succeeded, writes if no write has. Reads may succeed while writes fail.
	requests, writes breaker
	pausedUntil      time.Time            // a rate limit pauses every request until then
	pauseLogged      time.Time            // the end of the pause that was logged last
	limit            *secret.Error        // the response that set pausedUntil
	retryLogged      map[string]time.Time // by reason: until when no other retry is logged
}

// breaker is a circuit breaker. It trips timeout after the first error, unless something succeeds. No request waits
// longer than until then.
type breaker struct {
	what       string        // "request" or "write"
	firstError time.Time     // since the last success; zero if there was none
	exemptTo   time.Time     // the end of the last wait for the write limiter
	tripped    *secret.Error // the error that tripped the breaker
}

// budget is a retry budget. It starts with the first error of any request that shares it.
type budget struct {
	write  bool // its requests are a write and those that it needs
	single bool // its requests are not retried

	mu         sync.Mutex
	firstError time.Time
}

type budgetKey struct{}

// WithRetryBudget returns a context whose requests share one retry budget, such as a write, the reads before its
// attempts and the fetch of a new key. It ends [Options].Timeout after their first error, not counting waits for the
// write limiter, or as long after the first error of all such requests if no write has succeeded since. Without a
// shared budget, each request has its own.
func (c *Client) WithRetryBudget(ctx context.Context) context.Context {
	return context.WithValue(ctx, budgetKey{}, &budget{write: true})
}

// WithoutRetry returns a context whose requests are each sent once, even if a circuit breaker has tripped. They end
// together within the time of one attempt, and of the last one that writes have.
func (c *Client) WithoutRetry(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := c.retry.attemptTime(&retryState{call: &call{}, budget: &budget{write: true}}, time.Now())
	ctx, cancel := context.WithTimeout(ctx, limit)
	return context.WithValue(ctx, budgetKey{}, &budget{single: true}), cancel
}

func budgetOf(ctx context.Context) *budget {
	if b, ok := ctx.Value(budgetKey{}).(*budget); ok {
		return b
	}
	return &budget{}
}

// start starts the budget if it has not started.
func (b *budget) start(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.firstError.IsZero() {
		b.firstError = now
	}
}

// exempt leaves a time out of the budget.
func (b *budget) exempt(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.firstError.IsZero() {
		b.firstError = b.firstError.Add(d)
	}
}

// started returns when the first error was; zero if there was none.
func (b *budget) started() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.firstError
}

// retryState is the retry state of one request.
type retryState struct {
	call       *call
	budget     *budget
	attempts   int
	firstError time.Time
	last       *secret.Error // of the last attempt
	// unconfirmed says that GitHub may have applied an attempt at a write, and cutOff that it still may.
	unconfirmed, cutOff bool
}

// servesWrite reports whether the request is a write or one that a write needs.
func (s *retryState) servesWrite() bool { return s.budget.write || s.call.isWrite() }

// finish completes the error of an attempt, or the one that ends the retries.
func (s *retryState) finish(err *secret.Error) *secret.Error {
	err.Attempts = s.attempts
	if !s.firstError.IsZero() {
		err.Elapsed = time.Since(s.firstError)
	}
	if s.unconfirmed && !slices.Contains(err.Is, secret.ErrOutcomeUnknown) {
		err.Is = append(err.Is, secret.ErrOutcomeUnknown)
	}
	if s.cutOff && !slices.Contains(err.Is, secret.ErrCutOff) {
		err.Is = append(err.Is, secret.ErrCutOff)
	}
	return err
}

// sendFunc makes one attempt. The error wraps secret.ErrOutcomeUnknown if GitHub may have applied this or an earlier
// attempt at a write.
type sendFunc func(payload) (response, error)

// attempts ranges over the attempts at a request. Each is yielded after all waiting: for the backoff, for a rate
// limit and, if it is a write, for the write limiter. If none is left, the error that ends the retries is yielded
// instead.
//
// The range ends after a success, and after an error that no retry can change. It continues after a write that was
// unprocessable (secret.ErrUnprocessable), for a caller that has sealed the value again.
func (c *Client) attempts(ctx context.Context, call *call) iter.Seq2[sendFunc, error] {
	return func(yield func(sendFunc, error) bool) {
		state := &retryState{call: call, budget: budgetOf(ctx)}
		for {
			release, err := c.waitForTurn(ctx, state)
			if err != nil {
				yield(nil, state.finish(err))
				return
			}
			var failed *failure
			more := yield(func(load payload) (response, error) {
				resp, f, sent := c.attempt(ctx, state, load)
				release(sent)
				if failed = f; f != nil {
					return resp, f.err
				}
				return resp, nil
			}, nil)
			release(false)
			switch {
			case !more, failed == nil:
				return
			case failed.retryable:
				if err := c.retry.wait(ctx, state, failed); err != nil {
					yield(nil, state.finish(err))
					return
				}
			case !call.resealable(failed):
				return
			}
		}
	}
}

// waitForTurn blocks until an attempt may be made. release gives back the place in the write limiter.
func (c *Client) waitForTurn(ctx context.Context, state *retryState) (func(bool), *secret.Error) {
	release := func(bool) {}
	if state.call.isWrite() {
		start := time.Now()
		done, err := c.limiter.Wait(ctx)
		if err != nil {
			return nil, interrupted(state)
		}
		c.retry.exempt(state, start, time.Now())
		release = done
	}
	if err := c.retry.waitForRateLimit(ctx, state); err != nil {
		release(false)
		return nil, err
	}
	return release, nil
}

// breakersOf returns the circuit breakers that stop a request. The caller holds the lock.
func (r *retrier) breakersOf(state *retryState) []*breaker {
	switch {
	case state.budget.single:
		return nil
	case state.servesWrite():
		return []*breaker{&r.requests, &r.writes}
	}
	return []*breaker{&r.requests}
}

// recordError starts the request's budget and its circuit breakers.
func (r *retrier) recordError(state *retryState, now time.Time) {
	if state.firstError.IsZero() {
		state.firstError = now
	}
	state.budget.start(now)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.breakersOf(state) {
		if b.firstError.IsZero() {
			b.firstError = now
		}
	}
}

// recordAnswer records a refusal, which shows that GitHub works, but not that it accepts writes.
func (r *retrier) recordAnswer(state *retryState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !state.budget.single {
		r.requests.firstError = time.Time{}
	}
}

// recordSuccess records a success.
func (r *retrier) recordSuccess(state *retryState) {
	r.recordAnswer(state)
	r.mu.Lock()
	defer r.mu.Unlock()
	if state.call.isWrite() {
		r.writes.firstError = time.Time{}
	}
}

// exempt leaves a wait for the write limiter out of the request's budget and the circuit breakers. Concurrent waits
// count once.
func (r *retrier) exempt(state *retryState, from, to time.Time) {
	state.budget.exempt(to.Sub(from))
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.breakersOf(state) {
		since := from
		for _, t := range []time.Time{b.exemptTo, b.firstError} {
			if t.After(since) {
				since = t
			}
		}
		if !b.firstError.IsZero() && to.After(since) {
			b.firstError = b.firstError.Add(to.Sub(since))
		}
		b.exemptTo = to
	}
}

// left returns how much of the timeout is left to a request: of its own budget, or of a circuit breaker's.
func (r *retrier) left(state *retryState, now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	left := r.timeout
	starts := []time.Time{state.budget.started()}
	for _, b := range r.breakersOf(state) {
		starts = append(starts, b.firstError)
	}
	for _, start := range starts {
		if !start.IsZero() {
			left = min(left, start.Add(r.timeout).Sub(now))
		}
	}
	return left
}

// attemptTime returns how long an attempt may take. One that begins at the end of the timeout may take as long as any
// other; an attempt after the timeout gets only the time that its predecessor left.
func (r *retrier) attemptTime(state *retryState, now time.Time) time.Duration {
	most := min(maxAttemptTime, r.timeout)
	return min(most, r.left(state, now)+most)
}

// expire returns the error of a request whose timeout is used up, and trips the circuit breakers whose is.
func (r *retrier) expire(state *retryState, now time.Time) *secret.Error {
	e := &secret.Error{Op: state.call.op, Problem: "not sent: the timeout is used up"}
	if state.last != nil {
		e = again(state.last)
	}
	e.Hint = cmp.Or(e.Hint, waitForGitHub)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.breakersOf(state) {
		if b.tripped == nil && !b.firstError.IsZero() && now.Sub(b.firstError) >= r.timeout {
			b.tripped = again(e)
			b.tripped.Elapsed = now.Sub(b.firstError)
		}
	}
	return e
}

// waitForRateLimit blocks while a rate limit is in force. It fails if the limit ends after the request's timeout, or
// if a breaker has tripped.
func (r *retrier) waitForRateLimit(ctx context.Context, state *retryState) *secret.Error {
	for {
		r.mu.Lock()
		until, limit := r.pausedUntil, r.limit
		for _, b := range r.breakersOf(state) {
			if b.tripped != nil {
				defer r.mu.Unlock()
				return notSent(state, b.tripped, b.what)
			}
		}
		r.mu.Unlock()
		now := time.Now()
		switch {
		case ctx.Err() != nil:
			return interrupted(state)
		case !until.After(now):
			return nil
		case state.budget.single || until.Sub(now) > r.left(state, now):
			return waitTooLong(state, limit, until)
		}
		if err := r.sleep(ctx, state, until.Sub(now)); err != nil {
			return err
		}
	}
}

// wait sleeps until the next attempt. It returns the final error if there is none left.
func (r *retrier) wait(ctx context.Context, state *retryState, failed *failure) *secret.Error {
	if state.budget.single {
		return failed.err
	}
	now := time.Now()
	left := r.left(state, now)
	if left <= 0 {
		return r.expire(state, now)
	}
	if failed.retryableFor > 0 {
		left = min(left, failed.retryableFor)
	}
	delay := max(failed.retryAfter, min(r.backoff(state.attempts), left)) // our own backoff leaves one last attempt
	if failed.global {
		r.pause(now.Add(delay), failed.err)
	}
	if failed.retryAfter > left {
		return waitTooLong(state, failed.err, now.Add(delay))
	}
	r.logRetry(failed, delay, left)
	return r.sleep(ctx, state, delay)
}

// backoff returns the wait after so many attempts: 1 s, doubled up to 30 s, and up to a quarter more at random.
func (r *retrier) backoff(attempts int) time.Duration {
	d := maxBackoff
	if attempts < 6 {
		d = min(maxBackoff, firstBackoff<<(attempts-1))
	}
	return d + time.Duration(r.jitter()*float64(d)/4)
}

// logRetry logs a retry. Concurrent requests tend to fail together, and jitter spreads their retries: a reason is not
// logged again before the retry that was logged last, at most for maxBackoff, and a pause of all requests only if it
// becomes longer by minLoggedWait.
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
	r.log(fmt.Sprintf("%s; retrying in %s (%s left)",
		failed.reason, secret.FormatDuration(delay), secret.FormatDuration(left)))
}

// pause makes every request wait.
func (r *retrier) pause(until time.Time, limit *secret.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if until.After(r.pausedUntil) {
		r.pausedUntil, r.limit = until, limit
	}
}

// sleep waits for d. It fails if ctx ends before that.
func (r *retrier) sleep(ctx context.Context, state *retryState, d time.Duration) *secret.Error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return interrupted(state)
	}
}
