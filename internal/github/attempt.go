package github

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"net/http"
	"time"

	"set-org-secret/internal/secret"
)

// Attempt is the present attempt at a request, with the state of the retries. It is yielded after all waiting: a read
// that the loop body then makes is still current when the attempt is sent.
type Attempt struct {
	client     *Client
	op         string
	isWrite    bool
	budget     *Budget
	hasPlace   bool     // in the write limiter
	failed     *failure // nil if nothing was sent, and after a success
	attempts   int      // sent so far
	firstError time.Time
	last       *secret.Error // of the last attempt that was sent
	unprovenAt time.Time     // see [Attempt.UnprovenAt]
}

// Attempts ranges over the attempts at a write, which op names in errors. It ends after a success, after an error that
// no retry can change, and if the loop body sends nothing. If no attempt is left, it yields the final error. It does
// not end after [secret.ErrUnprocessable]: break unless the value was sealed again.
func (c *Client) Attempts(ctx context.Context, b *Budget, op string) iter.Seq2[*Attempt, error] {
	return c.attempts(ctx, &Attempt{client: c, op: op, isWrite: true, budget: b})
}

// Send sends a write and reports whether it created the secret.
func (a *Attempt) Send(ctx context.Context, r *Request) (created bool, err error) {
	resp, err := a.send(ctx, r)
	return err == nil && resp.StatusCode == http.StatusCreated, err
}

// UnprovenAt returns when the last unproven attempt was sent; zero if there is none.
func (a *Attempt) UnprovenAt() time.Time { return a.unprovenAt }

// do sends a read and retries transient errors. parse reads the response; do adds op and request id to parse's error.
func (c *Client) do(ctx context.Context, b *Budget, r *Request, parse func(response) error) (response, error) {
	b = cmp.Or(b, &Budget{clock: &clock{}})
	var resp response
	var err error
	for a, final := range c.attempts(ctx, &Attempt{client: c, op: r.op, budget: b}) {
		if err = final; final == nil {
			resp, err = a.send(ctx, r)
		}
	}
	if err != nil {
		return resp, err
	}
	if err := parse(resp); err != nil {
		e, ok := errors.AsType[*secret.Error](err)
		if !ok {
			e = unreadable(resp, err)
		}
		e.Op, e.RequestID = r.op, resp.requestID()
		return resp, e
	}
	return resp, nil
}

// attempts ranges over the attempts at a request until one succeeds or none is left. It waits before each: for the
// backoff, for a rate limit and, before a write, for the write limiter.
func (c *Client) attempts(ctx context.Context, a *Attempt) iter.Seq2[*Attempt, error] {
	return func(yield func(*Attempt, error) bool) {
		for {
			err := a.waitForTurn(ctx)
			if err == nil {
				a.failed = nil
				more := yield(a, nil)
				a.release(false)
				switch {
				case !more, a.failed == nil:
					return
				case a.failed.retryFor > 0:
					err = c.retry.wait(ctx, a)
				case !a.isWrite || !errors.Is(a.failed.err, secret.ErrUnprocessable):
					return
				}
			}
			if err != nil {
				a.release(false)
				yield(nil, a.describe(err))
				return
			}
		}
	}
}

// release gives back the place in the write limiter, once: when the attempt ends, or if it is not made.
func (a *Attempt) release(sent bool) {
	if a.hasPlace {
		a.client.limiter.release(sent)
	}
	a.hasPlace = false
}

// waitForTurn blocks until an attempt may be made. A write then has a place in the limiter.
func (a *Attempt) waitForTurn(ctx context.Context) *secret.Error {
	retry, limiter := a.client.retry, a.client.limiter
	if a.isWrite {
		for wait := limiter.reserve(); wait > 0; wait = limiter.reserve() {
			if err := retry.sleep(ctx, a, wait); err != nil {
				return err
			}
			retry.mu.Lock()
			a.budget.exempt += wait
			retry.mu.Unlock()
		}
		a.hasPlace = true
	}
	return retry.waitForRateLimit(ctx, a)
}

// send sends the request once, and completes the error if it fails.
func (a *Attempt) send(ctx context.Context, r *Request) (response, error) {
	c := a.client
	limit := c.retry.attemptTime(a)
	if limit <= 0 {
		a.failed = &failure{err: a.describe(c.retry.expire(a))}
		return response{}, a.failed.err
	}
	a.attempts++
	resp, failed := c.send(ctx, r, limit)
	a.release(resp.StatusCode != 0 || failed.unproven)
	switch {
	case failed == nil:
		c.retry.recordResponse(a, true)
		return resp, nil
	case failed.retryFor > 0:
		c.retry.recordError(a)
	case resp.StatusCode != 0:
		c.retry.recordResponse(a, false)
	}
	failed.err.RequestID = resp.requestID()
	if failed.unproven {
		a.unprovenAt = resp.ReadAt
	}
	a.last = a.describe(failed.err)
	a.failed = failed
	return resp, failed.err
}
