package github

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"time"

	"set-org-secret/internal/secret"
)

// Attempt is one attempt at a request, yielded after all waiting, so that a read before it is current when it is sent.
type Attempt struct {
	client   *Client
	state    *retryState
	hasPlace bool // in the write limiter
	failed   *failure
}

// Attempts ranges over the attempts at a write; op names it in errors. If none is left, it yields the error that ends
// the retries. It ends after a success, after an error that no retry can change, and if the body sends nothing. It
// continues after [secret.ErrUnprocessable]: break unless the value was sealed again.
func (c *Client) Attempts(ctx context.Context, b *Budget, op string) iter.Seq2[*Attempt, error] {
	return c.attempts(ctx, &retryState{op: op, isWrite: true, budget: b})
}

// Send sends a write and reports whether it created the secret.
func (a *Attempt) Send(ctx context.Context, r *Request) (created bool, err error) {
	resp, err := a.send(ctx, r)
	return err == nil && resp.StatusCode == http.StatusCreated, err
}

// UnprovenAt returns when the last attempt was sent that no response shows to have been applied or refused; zero if
// there is none.
func (a *Attempt) UnprovenAt() time.Time { return a.state.unprovenAt }

// do sends a read and retries transient errors. parse reads the response; do completes its error.
func (c *Client) do(ctx context.Context, b *Budget, r *Request, parse func(response) error) (response, error) {
	if b == nil {
		b = &Budget{clock: &clock{}}
	}
	var resp response
	var err error
	for a, final := range c.attempts(ctx, &retryState{op: r.op, budget: b}) {
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
// backoff, for a rate limit and, if it is a write, for the write limiter.
func (c *Client) attempts(ctx context.Context, s *retryState) iter.Seq2[*Attempt, error] {
	return func(yield func(*Attempt, error) bool) {
		for {
			err := c.waitForTurn(ctx, s)
			if err == nil {
				a := &Attempt{client: c, state: s, hasPlace: s.isWrite}
				more := yield(a, nil)
				a.release(false)
				switch {
				case !more, a.failed == nil:
					return
				case a.failed.retryFor > 0:
					err = c.retry.wait(ctx, s, a.failed)
				case !s.isWrite || !errors.Is(a.failed.err, secret.ErrUnprocessable):
					return
				}
			}
			if err != nil {
				yield(nil, s.finish(err))
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
func (c *Client) waitForTurn(ctx context.Context, s *retryState) *secret.Error {
	if !s.isWrite {
		return c.retry.waitForRateLimit(ctx, s)
	}
	for wait := c.limiter.reserve(); wait > 0; wait = c.limiter.reserve() {
		if err := c.retry.sleep(ctx, s, wait); err != nil {
			return err
		}
		c.retry.mu.Lock()
		s.budget.exempt += wait
		c.retry.mu.Unlock()
	}
	err := c.retry.waitForRateLimit(ctx, s)
	if err != nil {
		c.limiter.release(false)
	}
	return err
}

// send sends the request once, and completes the error if it fails.
func (a *Attempt) send(ctx context.Context, r *Request) (response, error) {
	c, s := a.client, a.state
	limit := c.retry.attemptTime(s)
	if limit <= 0 {
		a.failed = &failure{err: s.finish(c.retry.expire(s))}
		return response{}, a.failed.err
	}
	s.attempts++
	resp, failed := c.send(ctx, r, limit)
	a.release(resp.StatusCode != 0 || failed.unproven)
	if failed == nil {
		c.retry.recordResponse(s, true)
		return resp, nil
	}
	switch {
	case failed.retryFor > 0:
		c.retry.recordError(s)
	case resp.StatusCode != 0:
		c.retry.recordResponse(s, false)
	}
	failed.err.RequestID = resp.requestID()
	if s.isWrite && failed.unproven {
		s.unprovenAt = resp.ReadAt
	}
	s.last = s.finish(failed.err)
	a.failed = failed
	return resp, failed.err
}
