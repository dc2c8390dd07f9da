package github

import (
	"fmt"
	"sync"
	"time"

	"set-org-secret/internal/secret"
)

// WritesPerMinute is the strictest limit that GitHub publishes for requests that create content. Attempts at writes
// to all stores count together.
//
// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
const WritesPerMinute = 80

const (
	// limiterWindow is a minute and a little more, because clocks differ.
	limiterWindow = time.Minute + 100*time.Millisecond
	// minLoggedWait is the length from which a wait in the limiter is logged: a run silent for longer looks stuck.
	minLoggedWait = 5 * time.Second
)

// writeLimiter limits writes to WritesPerMinute in any 60 seconds; a token bucket would allow its burst plus its rate.
// An attempt counts until a minute after its end, since the network may delay a request.
type writeLimiter struct {
	log func(string)

	mu          sync.Mutex
	inFlight    int
	ended       []time.Time
	loggedUntil time.Time // the end of the wait that was logged last
}

// reserve takes a place and returns 0, or returns how long to wait for one. A long wait is logged once, however many
// writes wait.
func (l *writeLimiter) reserve() (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for len(l.ended) > 0 && now.Sub(l.ended[0]) >= limiterWindow {
		l.ended = l.ended[1:]
	}
	if l.inFlight+len(l.ended) < WritesPerMinute {
		l.inFlight++
		return 0
	}
	wait = time.Second
	if len(l.ended) > 0 {
		wait = l.ended[0].Add(limiterWindow).Sub(now)
	}
	if wait >= minLoggedWait && !now.Before(l.loggedUntil) {
		l.loggedUntil = now.Add(wait)
		l.log(fmt.Sprintf("write limit reached: %d in the last minute; next write in %s",
			WritesPerMinute, secret.FormatDuration(wait)))
	}
	return wait
}

// release gives a place back; sent says whether the attempt may have reached GitHub.
func (l *writeLimiter) release(sent bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	if sent {
		l.ended = append(l.ended, time.Now())
	}
}
