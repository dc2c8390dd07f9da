package github

import (
	"context"
	"fmt"
	"sync"
	"time"

	"set-org-secret/internal/secret"
)

const (
	firstBackoff = time.Second
	maxBackoff   = 30 * time.Second
	// replication is how long a new installation token may be unknown to some
	// of GitHub's servers; octokit's auth-app waits as long.
	// https://github.com/octokit/auth-app.js/#authhook-options
	replication = 5 * time.Second
)

// patience outlives passing faults. A request is given up timeout after its
// first fault, and all the rest at once when nothing has succeeded for that
// long: a dead server is given up once, not once a secret.
type patience struct {
	timeout time.Duration
	jitter  func() float64
	log     func(string)

	mu       sync.Mutex
	lastGood time.Time
	blocked  time.Time // a rate limit holds every request until then
	limit    *Error    // the answer that told so
	dead     *Error    // set once all is given up
	gaveUp   chan struct{}
	kinds    map[string]*kind
}

func newPatience(timeout time.Duration, jitter func() float64, log func(string)) *patience {
	if jitter == nil {
		jitter = func() float64 { return 0 }
	}
	if log == nil {
		log = func(string) {}
	}
	return &patience{timeout: timeout, jitter: jitter, log: log, gaveUp: make(chan struct{}), kinds: map[string]*kind{}}
}

// fault is a passing one.
type fault struct {
	err  *Error
	kind string // as the log counts them: "502", "no answer"
	// wait is what GitHub asks for; 0 leaves it to our own back-off.
	wait time.Duration
	// shared faults, rate limits, hold all requests.
	shared bool
}

// strain is what one request has met so far.
type strain struct {
	first time.Time // of its faults; later by each wait for our own pace
	tries int
}

// kind counts the faults of one kind over the whole run.
type kind struct {
	count int
	told  time.Time
}

func (s *strain) paced(d time.Duration) {
	if !s.first.IsZero() {
		s.first = s.first.Add(d)
	}
}

// good notes an answer that shows GitHub at work.
func (p *patience) good() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastGood = time.Now()
}

// gate waits while a rate limit holds all requests, and fails once all is given
// up or where the limit outlasts the patience.
func (p *patience) gate(ctx context.Context, call *call, s *strain) error {
	for {
		p.mu.Lock()
		blocked, limit, dead := p.blocked, p.limit, p.dead
		p.mu.Unlock()
		now := time.Now()
		switch {
		case dead != nil:
			return givenUp(call, s, dead)
		case ctx.Err() != nil:
			return interrupted(call, nil)
		case !blocked.After(now):
			return nil
		}
		left := p.timeout
		if !s.first.IsZero() {
			left = s.first.Add(p.timeout).Sub(now)
		}
		if blocked.Sub(now) > left {
			return tooLong(call, limit, blocked)
		}
		if err := p.sleep(ctx, call, s, blocked.Sub(now), nil); err != nil {
			return err
		}
	}
}

// again waits before another try, or says why there is none.
func (p *patience) again(ctx context.Context, call *call, s *strain, f fault) error {
	now := time.Now()
	if s.first.IsZero() {
		s.first = now
	}
	f.err.tries, f.err.spent = s.tries, now.Sub(s.first)
	left := s.first.Add(p.timeout).Sub(now)
	if left <= 0 {
		f.err.advice = runAgain
		p.giveUp(s.first, f.err)
		return f.err
	}
	delay := p.backoff(s.tries)
	if f.wait > 0 {
		// Never faster than our own first step, whatever a server says.
		if delay = max(f.wait, firstBackoff); delay > left {
			if f.shared {
				p.block(now.Add(delay), f.err)
			}
			return tooLong(call, f.err, now.Add(delay))
		}
	}
	delay = min(delay, left)
	if f.shared {
		p.block(now.Add(delay), f.err)
	}
	p.tell(f, delay, left)
	return p.sleep(ctx, call, s, delay, f.err)
}

// tell writes a quiet line. Requests side by side meet the same fault at the same
// time: they are counted, and told once a second.
func (p *patience) tell(f fault, delay, left time.Duration) {
	p.mu.Lock()
	k := p.kinds[f.kind]
	if k == nil {
		k = &kind{}
		p.kinds[f.kind] = k
	}
	k.count++
	count, quiet := k.count, time.Since(k.told) < time.Second
	if !quiet {
		k.told = time.Now()
	}
	p.mu.Unlock()
	if !quiet {
		p.log(fmt.Sprintf("%s; trying again in %s (%d of this kind, %s left)", f.err.short(), roundDuration(delay), count, roundDuration(left)))
	}
}

func (p *patience) backoff(tries int) time.Duration {
	d := maxBackoff
	if tries < 6 {
		d = min(maxBackoff, firstBackoff<<(tries-1))
	}
	return d + time.Duration(p.jitter()*float64(d)/4)
}

func (p *patience) block(until time.Time, why *Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until.After(p.blocked) {
		p.blocked, p.limit = until, why
	}
}

// giveUp ends all the rest where nothing has succeeded since the first fault of
// the request that is given up.
func (p *patience) giveUp(since time.Time, why *Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.lastGood.After(since) && p.dead == nil {
		p.dead = why
		close(p.gaveUp)
	}
}

// sleep waits; last is the answer that a request had last.
func (p *patience) sleep(ctx context.Context, call *call, s *strain, d time.Duration, last *Error) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-p.gaveUp:
		if last != nil {
			e := *last // which others may hold as a limit's reason
			e.spent = time.Since(s.first)
			e.advice = runAgain
			return &e
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		return givenUp(call, s, p.dead)
	case <-ctx.Done():
		return interrupted(call, last)
	}
}

const (
	writesPerWindow = 80
	// window is GitHub's minute and a little more, for clocks that differ.
	window = time.Minute + 100*time.Millisecond
	// longWait is one that would look like a run that hangs.
	longWait = 5 * time.Second
)

// pace keeps writes to 80 in any 60 seconds, the strictest limit that GitHub
// publishes, tries of all stores counted together. A token bucket would let its
// burst and its rate through in one minute. A try counts until a minute after it
// ended, so that whatever the network did to its time of arrival, no 60 seconds
// of GitHub's see more.
//
// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
type pace struct {
	log func(string)

	mu       sync.Mutex
	inFlight int
	ended    []time.Time
	told     time.Time // until when a wait has been told
}

// take waits for a place and returns how long that took. done gives it back;
// sent tells whether anything can have arrived.
func (p *pace) take(ctx context.Context) (waited time.Duration, done func(sent bool), err error) {
	start := time.Now()
	for {
		wait := p.try()
		if wait == 0 {
			return time.Since(start), p.done, nil
		}
		p.tell(wait)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return 0, nil, secret.ErrInterrupted
		}
	}
}

// tell writes one line about a long wait, however many writes wait.
func (p *pace) tell(wait time.Duration) {
	p.mu.Lock()
	now := time.Now()
	news := wait >= longWait && !now.Before(p.told)
	if news {
		p.told = now.Add(wait)
	}
	p.mu.Unlock()
	if news {
		p.log(fmt.Sprintf("%d writes went out within a minute, which is the pace; the next goes in %s", writesPerWindow, roundDuration(wait)))
	}
}

func (p *pace) try() (wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for len(p.ended) > 0 && now.Sub(p.ended[0]) >= window {
		p.ended = p.ended[1:]
	}
	if p.inFlight+len(p.ended) < writesPerWindow {
		p.inFlight++
		return 0
	}
	if len(p.ended) == 0 {
		return time.Second
	}
	return p.ended[0].Add(window).Sub(now)
}

func (p *pace) done(sent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight--
	if sent {
		p.ended = append(p.ended, time.Now())
	}
}
