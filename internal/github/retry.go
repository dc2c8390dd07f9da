package github

import (
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
// timeout after the first error. If nothing has succeeded for that long, the circuit breaker trips and all other
// requests fail too, so that a server that is down costs the timeout once, not once a secret.
type retrier struct {
	timeout time.Duration
	jitter  func() float64
	log     func(string)
	tripc   chan struct{} // closed once the breaker has tripped

	mu          sync.Mutex
	lastSuccess time.Time
	pausedUntil time.Time     // a rate limit pauses every request until then
	limit       *secret.Error // the response that set pausedUntil
	tripped     *secret.Error // the error that tripped the breaker
	loggedAt    map[string]time.Time
}

// budget is a retry budget. It starts with the first error of any request that shares it.
type budget struct {
	mu         sync.Mutex
	firstError time.Time
}

type budgetKey struct{}

// WithRetryBudget returns a context whose requests share one retry budget, such as a write, the reads before its
// attempts and the fetch of a new key. It ends [Options].Timeout after their first error, not counting waits for the
// write limiter. Without a shared budget, each request has its own.
func (c *Client) WithRetryBudget(ctx context.Context) context.Context {
	return context.WithValue(ctx, budgetKey{}, &budget{})
}

func budgetOf(ctx context.Context) *budget {
	if b, ok := ctx.Value(budgetKey{}).(*budget); ok {
		return b
	}
	return &budget{}
}

// start returns when the first error was, which is now if there was none.
func (b *budget) start(now time.Time) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.firstError.IsZero() {
		b.firstError = now
	}
	return b.firstError
}

// spent returns how long ago the first error was. exempt, the time that was spent in the write limiter since the last
// call, does not count.
func (b *budget) spent(now time.Time, exempt time.Duration) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.firstError.IsZero() {
		return 0
	}
	b.firstError = b.firstError.Add(exempt)
	return now.Sub(b.firstError)
}

// retryState is the retry state of one request.
type retryState struct {
	call       *call
	budget     *budget
	attempts   int
	firstError time.Time
	unknown    bool // the last attempt at a write was sent and got no response
}

// finish completes the error of an attempt, or the one that ends the retries.
func (s *retryState) finish(err *secret.Error) *secret.Error {
	err.Attempts = s.attempts
	if !s.firstError.IsZero() {
		err.Elapsed = time.Since(s.firstError)
	}
	if s.unknown && !slices.Contains(err.Is, secret.ErrOutcomeUnknown) {
		err.Is = append(err.Is, secret.ErrOutcomeUnknown)
	}
	return err
}

// sendFunc makes one attempt. The body is nil for a read; echoed is text in it that an error message of GitHub may
// repeat. The error wraps secret.ErrOutcomeUnknown if GitHub may have applied a write.
type sendFunc func(body any, echoed string) (response, error)

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
			more := yield(func(body any, echoed string) (response, error) {
				resp, f, sent := c.attempt(ctx, state, body, echoed)
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
		waited, done, err := c.limiter.Wait(ctx)
		if err != nil {
			return nil, interrupted(state, nil)
		}
		state.budget.spent(time.Now(), waited)
		release = done
	}
	if err := c.retry.waitForRateLimit(ctx, state); err != nil {
		release(false)
		return nil, err
	}
	return release, nil
}

// recordSuccess records a response that shows that GitHub works.
func (r *retrier) recordSuccess() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lastSuccess = time.Now()
}

// waitForRateLimit blocks while a rate limit is in force. It fails if the limit ends after the request's budget, or
// if the breaker has tripped.
func (r *retrier) waitForRateLimit(ctx context.Context, state *retryState) *secret.Error {
	for {
		r.mu.Lock()
		until, limit, tripped := r.pausedUntil, r.limit, r.tripped
		r.mu.Unlock()
		now := time.Now()
		switch {
		case tripped != nil:
			return notSent(state, tripped)
		case ctx.Err() != nil:
			return interrupted(state, nil)
		case !until.After(now):
			return nil
		case until.Sub(now) > r.timeout-state.budget.spent(now, 0):
			return waitTooLong(state, limit, until)
		}
		if err := r.sleep(ctx, state, until.Sub(now), nil); err != nil {
			return err
		}
	}
}

// wait sleeps until the next attempt. It returns the final error if there is none left.
func (r *retrier) wait(ctx context.Context, state *retryState, failed *failure) *secret.Error {
	now := time.Now()
	firstError := state.budget.start(now)
	left := firstError.Add(r.timeout).Sub(now)
	if left <= 0 {
		failed.err.Hint = runAgain
		r.trip(firstError, failed.err)
		return failed.err
	}
	delay := r.backoff(state.attempts)
	if failed.retryAfter > 0 {
		delay = max(failed.retryAfter, firstBackoff) // at least the first backoff
	}
	if failed.global {
		r.pause(now.Add(delay), failed.err)
	}
	if failed.retryAfter > 0 && delay > left {
		return waitTooLong(state, failed.err, now.Add(delay))
	}
	delay = min(delay, left) // for one last attempt
	r.logRetry(failed, delay, left)
	return r.sleep(ctx, state, delay, failed.err)
}

// backoff returns the wait after so many attempts: 1 s, doubled up to 30 s, and up to a quarter more at random.
func (r *retrier) backoff(attempts int) time.Duration {
	d := maxBackoff
	if attempts < 6 {
		d = min(maxBackoff, firstBackoff<<(attempts-1))
	}
	return d + time.Duration(r.jitter()*float64(d)/4)
}

// logRetry logs a retry, at most once a second for each reason, because concurrent requests tend to fail together.
func (r *retrier) logRetry(failed *failure, delay, left time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.loggedAt[failed.reason]) >= time.Second {
		r.loggedAt[failed.reason] = time.Now()
		r.log(fmt.Sprintf("%s; retrying in %s (%s left before timeout)",
			failed.reason, secret.FormatDuration(delay), secret.FormatDuration(left)))
	}
}

// pause makes every request wait.
func (r *retrier) pause(until time.Time, limit *secret.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if until.After(r.pausedUntil) {
		r.pausedUntil, r.limit = until, limit
	}
}

// trip fails all other requests if none has succeeded since the first error of the one that failed.
func (r *retrier) trip(firstError time.Time, err *secret.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.lastSuccess.After(firstError) && r.tripped == nil {
		copied := *err
		copied.Elapsed = time.Since(firstError)
		r.tripped = &copied
		close(r.tripc)
	}
}

// sleep waits for d. It fails if ctx ends or the breaker trips before that. last is the error of the request's last
// attempt, or nil.
func (r *retrier) sleep(
	ctx context.Context, state *retryState, d time.Duration, last *secret.Error,
) *secret.Error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-r.tripc:
		if last != nil {
			e := *last // a copy: last may also be r.limit
			e.Is, e.Hint = nil, runAgain
			return &e
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		return notSent(state, r.tripped)
	case <-ctx.Done():
		return interrupted(state, last)
	}
}
