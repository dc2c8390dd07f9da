package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"set-org-secret/internal/memnet"
	"set-org-secret/internal/secret"
)

// testClient is a client and its server in one bubble of simulated time.
type testClient struct {
	*Client
	start       time.Time
	refuseDials atomic.Bool // new connections are refused

	mu       sync.Mutex
	logged   []string
	received []string // "GET /path" of each request
	attempts sync.Map // of *Attempt, the last one at each write, by name
}

// newTestClient returns a client for a server at an address, with the token of a test and its own log.
func newTestClient(t *testing.T, address, token string, timeout time.Duration, n Network) *testClient {
	t.Helper()
	base, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	c := &testClient{start: time.Now()}
	c.Client = New(Options{
		Org: "acme", BaseURL: base, Token: token, UserAgent: "test", Timeout: timeout, Network: n,
		Jitter: func() float64 { return 0 },
		Log: func(line string) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.logged = append(c.logged, line)
		},
	})
	t.Cleanup(c.Close)
	return c
}

// withClient runs f in a bubble of simulated time, with a client whose requests h
// serves.
func withClient(
	t *testing.T, timeout time.Duration, token string, h http.HandlerFunc, f func(t *testing.T, c *testClient),
) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var c *testClient
		network := memnet.Serve(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
			c.mu.Lock()
			c.received = append(c.received, req.Method+" "+req.URL.Path)
			isEndless := len(c.received) > 1000
			c.mu.Unlock()
			if isEndless {
				panic(http.ErrAbortHandler)
			}
			if got, want := req.Header.Get("Authorization"), "Bearer "+token; got != want {
				t.Errorf("got the header Authorization %q, want %q", got, want)
			}
			_, _ = io.Copy(io.Discard, req.Body)
			h(rw, req)
		}))
		t.Cleanup(network.Close)
		dial := func(ctx context.Context, kind, addr string) (net.Conn, error) {
			if c.refuseDials.Load() {
				return nil, syscall.ECONNREFUSED
			}
			return network.Dial(ctx, kind, addr)
		}
		c = newTestClient(t, "http://127.0.0.1/api/v3/", token, timeout, Network{Dial: dial})
		f(t, c)
	})
}

func (c *testClient) elapsed() time.Duration { return time.Since(c.start) }

func (c *testClient) wantElapsed(t *testing.T, want time.Duration) {
	t.Helper()
	if got := c.elapsed(); got != want {
		t.Errorf("%v have passed, want %v", got, want)
	}
}

// requests returns "GET /path" of each request that the server received.
func (c *testClient) requests() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.received)
}

func (c *testClient) wantRequests(t *testing.T, want int) {
	t.Helper()
	if got := c.requests(); len(got) != want {
		t.Errorf("the server received %d requests %q, want %d", len(got), got, want)
	}
}

func (c *testClient) wantLog(t *testing.T, want ...string) {
	t.Helper()
	if got := c.log(); !slices.Equal(got, want) {
		t.Errorf("got the log %q, want %q", got, want)
	}
}

func (c *testClient) log() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.logged)
}

// put makes attempts at a write as package upsert does, without sealing again.
func (c *testClient) put(ctx context.Context, name secret.Name) (created bool, err error) {
	return c.putWithin(ctx, NewBudget(), name)
}

func (c *testClient) putWithin(ctx context.Context, b *Budget, name secret.Name) (created bool, err error) {
	for attempt, final := range c.Attempts(ctx, b, "writing the secret") {
		if err = final; err == nil {
			c.attempts.Store(name, attempt)
			created, err = c.send(ctx, attempt, name)
		}
		if errors.Is(err, secret.ErrUnprocessable) {
			break
		}
	}
	return created, err
}

// isUnproven reports whether GitHub may have applied an attempt at writing A.
func (c *testClient) isUnproven() bool {
	attempt, ok := c.attempts.Load(secret.Name("A"))
	return ok && !attempt.(*Attempt).UnprovenAt().IsZero()
}

// send makes one attempt at a write.
func (c *testClient) send(ctx context.Context, attempt *Attempt, name secret.Name) (created bool, err error) {
	sealed := secret.Sealed{KeyID: "1", EncryptedValue: "c2VhbGVk"}
	return attempt.Send(ctx, c.PutSecret(secret.Actions, name, sealed, secret.Access{Visibility: secret.All}))
}

// getKey reads a public key and discards it.
func (c *testClient) getKey(ctx context.Context) error { return c.getKeyWithin(ctx, nil) }

func (c *testClient) getKeyWithin(ctx context.Context, b *Budget) error {
	_, err := c.PublicKey(ctx, b, secret.Actions)
	return err
}

// errorText returns "" for nil.
func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func wantFailure(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Error("got no error, want one")
	}
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if got := errorText(err); got != want {
		t.Errorf("got the error %q, want %q", got, want)
	}
}

// wantIs checks whether err wraps a sentinel error.
func wantIs(t *testing.T, err, sentinel error, want bool) {
	t.Helper()
	if got := errors.Is(err, sentinel); got != want {
		t.Errorf("errors.Is(%v, %q) is %v, want %v", err, sentinel, got, want)
	}
}

// asError returns err as a *secret.Error, and ends the test if it is none.
func asError(t *testing.T, err error) *secret.Error {
	t.Helper()
	e, ok := errors.AsType[*secret.Error](err)
	if !ok {
		t.Fatalf("got the error %v, want a *secret.Error", err)
	}
	return e
}

// respondInTurn serves each request with the next handler, and all further ones
// with the last.
func respondInTurn(handlers ...http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	n := 0
	return func(rw http.ResponseWriter, req *http.Request) {
		mu.Lock()
		h := handlers[min(n, len(handlers)-1)]
		n++
		mu.Unlock()
		h(rw, req)
	}
}

// respond serves a status, a message and headers ("Name: value").
func respond(status int, message string, headers ...string) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set(requestIDHeader, "8C1E:2F9B")
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ":")
			rw.Header().Set(name, strings.TrimSpace(value))
		}
		rw.WriteHeader(status)
		if status != http.StatusNoContent {
			_ = json.NewEncoder(rw).Encode(map[string]string{"message": message})
		}
	}
}

// respondBody serves a body.
func respondBody(status int, body string) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) {
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, body)
	}
}

// secretJSON returns a secret as GitHub's API shows it.
func secretJSON(name, visibility string) string {
	const dates = `"created_at": "2000-01-01T00:00:00Z", "updated_at": "2000-01-01T00:00:00Z"`
	return fmt.Sprintf(`{"name": %q, "visibility": %q, %s}`, name, visibility, dates)
}

const keyJSON = `{"key_id":"568250167242549743","key":"L+V9o0fNYkMVKNqsX7spBzD/9oSvxM/C7ZCZX1jLO3Q="}`

// dropConnection closes the connection without a response.
func dropConnection(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// neverRespond holds the connection until the client closes it.
func neverRespond(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() }

// TestOutage checks that all budgets of an outage end with it, and later requests fail at once.
func TestOutage(t *testing.T) {
	slow := func(rw http.ResponseWriter, req *http.Request) { // so that nothing happens at the same time
		time.Sleep(10 * time.Millisecond)
		respond(502, "")(rw, req)
	}
	withClient(t, 10*time.Second, "ghp_x", slow, func(t *testing.T, c *testClient) {
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = c.put(t.Context(), "A") })
		time.Sleep(8 * time.Second)
		_, err := c.put(t.Context(), "B") // its first error at 8.01 s, the one before the timeout at 9.02 s
		wantError(t, err, "writing the secret: 502 Bad Gateway, 3 attempts in 2 s")
		c.wantElapsed(t, 10*time.Second+20*time.Millisecond)
		wg.Wait()
		const down = "not sent: no request has succeeded for 10 s; last error: 502 Bad Gateway"
		wantError(t, c.getKey(t.Context()), "reading the public key: "+down)
	})
}

// TestRefusedWrites checks that a refusal ends the outage of all requests, and not that of writes.
func TestRefusedWrites(t *testing.T) {
	h := func(rw http.ResponseWriter, req *http.Request) {
		status := http.StatusBadGateway
		if strings.HasSuffix(req.URL.Path, "/REFUSED") {
			status = http.StatusForbidden
		}
		respond(status, "")(rw, req)
	}
	withClient(t, 10*time.Second, "ghp_x", h, func(t *testing.T, c *testClient) {
		var wg sync.WaitGroup
		for _, name := range []secret.Name{"A", "B"} {
			wg.Go(func() { _, _ = c.put(t.Context(), name) })
		}
		time.Sleep(5 * time.Second)
		_, err := c.put(t.Context(), "REFUSED")
		wantError(t, err, "writing the secret: 403 Forbidden")
		wg.Wait()
		_, err = c.put(t.Context(), "REFUSED")
		const down = "not sent: no write has succeeded for 10 s; last error: 502 Bad Gateway"
		wantError(t, err, "writing the secret: "+down)
	})
}

// TestRateLimitLogged checks that a rate limit is logged once if several requests meet it, and again if it ends later.
func TestRateLimitLogged(t *testing.T) {
	// Six writes are in flight when the limit begins, and get its response a second apart.
	var n atomic.Int32
	h := func(rw http.ResponseWriter, req *http.Request) {
		i := int(n.Add(1))
		if i > 6 {
			respond(204, "")(rw, req)
			return
		}
		time.Sleep(time.Duration(i) * time.Second)
		respond(403, "secondary rate limit", "Retry-After: 40")(rw, req)
	}
	withClient(t, 5*time.Minute, "ghp_x", h, func(t *testing.T, c *testClient) {
		Concurrently(6, 6, func(int) {
			_, err := c.put(t.Context(), "A")
			wantError(t, err, "")
		})
		c.wantElapsed(t, 46*time.Second)
		const line = "403 from GitHub (secondary rate limit); retrying in 40 s (%s left)"
		c.wantLog(t, fmt.Sprintf(line, "5 min"), fmt.Sprintf(line, "4 min 55 s"))
	})
}

// TestRetryLogged checks that requests that fail together, with different jitter, are logged once for each round.
func TestRetryLogged(t *testing.T) {
	withClient(t, 2*time.Minute, "ghp_x", respond(503, ""), func(t *testing.T, c *testClient) {
		var n atomic.Int32
		c.retry.Jitter = func() float64 { return float64(n.Add(1)%4) / 4 }
		Concurrently(4, 4, func(int) { _, _ = c.put(t.Context(), "A") })
		// Each of the four retries after about 1, 2, 4, 8, 16, 30 and 30 s, and once at the end.
		if got, most := c.log(), 9; len(got) < 7 || len(got) > most {
			t.Errorf("got the log %q, want 7 to %d lines", got, most)
		}
	})
}

// TestJitter checks that jitter makes a wait up to a quarter longer.
func TestJitter(t *testing.T) {
	h := respondInTurn(respond(503, ""), respond(204, ""))
	withClient(t, time.Minute, "ghp_x", h, func(t *testing.T, c *testClient) {
		c.retry.Jitter = func() float64 { return 0.5 }
		_, err := c.put(t.Context(), "A")
		wantError(t, err, "")
		c.wantElapsed(t, 1125*time.Millisecond)
	})
}

// TestSlowResponses checks that an attempt after a slow response gets only the remaining time.
func TestSlowResponses(t *testing.T) {
	// The first request fails at 0 s. Each further one takes 25 s, and the last would end after the timeout and
	// one attempt.
	slow := func(rw http.ResponseWriter, req *http.Request) {
		select {
		case <-time.After(25 * time.Second):
			respondBody(200, keyJSON)(rw, req)
		case <-req.Context().Done():
		}
	}
	withClient(t, 30*time.Second, "ghp_x", respondInTurn(respond(503, ""), slow), func(t *testing.T, c *testClient) {
		b := NewBudget()
		for range 2 {
			wantError(t, c.getKeyWithin(t.Context(), b), "") // ends after 26 and 51 s
		}
		wantError(t, c.getKeyWithin(t.Context(), b), "reading the public key: no response within 9 s")
		c.wantElapsed(t, 60*time.Second)
		wantError(t, c.getKeyWithin(t.Context(), b), "reading the public key: not sent: the timeout is used up")
	})
}

// TestTrippedBreaker checks that a request that sleeps fails at once when its circuit breaker trips, and that one
// that is sent once does not.
func TestTrippedBreaker(t *testing.T) {
	withClient(t, time.Minute, "ghp_x", respond(204, ""), func(t *testing.T, c *testClient) {
		time.AfterFunc(time.Second, func() { c.retry.writes.trip(&secret.Error{Problem: "not sent: down"}) })
		write := &Attempt{op: "writing", isWrite: true, budget: NewBudget()}
		wantError(t, c.retry.sleep(t.Context(), write, time.Hour), "not sent: down")
		c.wantElapsed(t, time.Second)
		c.limiter.ended = slices.Repeat([]time.Time{time.Now()}, WritesPerMinute)
		_, err := c.put(t.Context(), "A")
		wantError(t, err, "writing the secret: not sent: down")
		c.wantElapsed(t, time.Second) // it does not wait for the limiter
		write.last = &secret.Error{Is: []error{secret.ErrUnprocessable}}
		wantIs(t, c.retry.stopped(t.Context(), write), secret.ErrUnprocessable, false) // it was sealed again
		once := &Attempt{op: "reading", budget: c.sendOnce(t)}
		if err := c.retry.stopped(t.Context(), once); err != nil {
			t.Errorf("got the error %v of a request that is sent once, want none", err)
		}
	})
}

// TestAttemptsWithoutSending checks that a loop over attempts whose body sends
// nothing ends, and that its place in the write limiter is free again.
func TestAttemptsWithoutSending(t *testing.T) {
	for _, breaks := range []bool{true, false} {
		withClient(t, time.Minute, "ghp_x", respond(204, ""), func(t *testing.T, c *testClient) {
			attempts := 0
			for _, final := range c.Attempts(t.Context(), NewBudget(), "writing the secret") {
				wantError(t, final, "")
				if attempts++; breaks || attempts > 1 {
					break
				}
			}
			if taken := c.limiter.inFlight + len(c.limiter.ended); attempts != 1 || taken != 0 {
				t.Errorf("breaks %v: got %d attempts and %d places taken, want 1 and 0", breaks, attempts, taken)
			}
			c.wantRequests(t, 0)
		})
	}
}

// TestWriteLimiter checks that at most 80 writes arrive in any 60 seconds, retries
// included, and that waiting for the limiter is not counted against the timeout.
func TestWriteLimiter(t *testing.T) {
	const writes = 300
	var mu sync.Mutex
	var arrived []time.Time
	h := func(rw http.ResponseWriter, req *http.Request) {
		mu.Lock()
		arrived = append(arrived, time.Now())
		n := len(arrived)
		mu.Unlock()
		time.Sleep(time.Duration(n%7) * 300 * time.Millisecond)
		switch n % 30 {
		case 0:
			dropConnection(rw, req)
		case 10:
			respond(502, "")(rw, req)
		case 20:
			respond(429, "", "Retry-After: 1")(rw, req)
		default:
			respond(201, "")(rw, req)
		}
	}
	withClient(t, 20*time.Second, "ghp_x", h, func(t *testing.T, c *testClient) {
		Concurrently(4, writes, func(i int) {
			created, err := c.put(t.Context(), secret.Name(fmt.Sprint("S", i)))
			if err != nil || !created {
				t.Errorf("S%d: got created %v and the error %v, want true (201) and none", i, created, err)
			}
		})
		for i := range arrived {
			if i < 80 {
				continue
			}
			if took := arrived[i].Sub(arrived[i-80]); took <= time.Minute {
				t.Fatalf("writes %d to %d arrived within %v, want more than a minute", i-80, i, took)
			}
		}
		if len(arrived) <= writes {
			t.Errorf("got %d attempts, want more than %d", len(arrived), writes)
		}
		if got, most := c.elapsed(), 5*time.Minute; got > most {
			t.Errorf("%v have passed, want at most %v", got, most)
		}
	})
}

// TestLimiterIsNotRetryTime checks that the wait for the write limiter does not
// count against the retry budget: a write fails, waits for a minute until the
// limiter lets it go on, fails again, and is still retried within 20 s.
func TestLimiterIsNotRetryTime(t *testing.T) {
	var n atomic.Int32
	h := func(rw http.ResponseWriter, req *http.Request) {
		if i := n.Add(1); i == WritesPerMinute || i == WritesPerMinute+1 {
			respond(502, "")(rw, req)
			return
		}
		respond(204, "")(rw, req)
	}
	withClient(t, 20*time.Second, "ghp_x", h, func(t *testing.T, c *testClient) {
		for i := range WritesPerMinute {
			if _, err := c.put(t.Context(), secret.Name(fmt.Sprint("S", i))); err != nil {
				t.Errorf("S%d: got the error %v, want none", i, err)
			}
		}
		if got, want := int(n.Load()), WritesPerMinute+2; got != want {
			t.Errorf("got %d attempts, want %d", got, want)
		}
		if got, least := c.elapsed(), time.Minute; got < least {
			t.Errorf("%v have passed, want more than %v", got, least)
		}
	})
}

// TestConnectionsRefused checks that an attempt stays unproven if further ones reach nobody. Those take no place in the
// write limiter.
func TestConnectionsRefused(t *testing.T) {
	var c *testClient
	h := func(rw http.ResponseWriter, req *http.Request) {
		c.refuseDials.Store(true)
		dropConnection(rw, req)
	}
	withClient(t, 10*time.Second, "ghp_x", h, func(t *testing.T, client *testClient) {
		c = client
		_, err := c.put(t.Context(), "A")
		wantFailure(t, err)
		if !c.isUnproven() {
			t.Error("got an attempt that is proven, want unproven")
		}
		c.wantRequests(t, 1)
		if counted := len(c.limiter.ended); counted != 1 {
			t.Errorf("the write limiter counts %d attempts, want the one that was sent", counted)
		}
	})
}

// TestUnprovenWhilePaused checks that a signal during the pause for another write's rate limit leaves an attempt
// unproven.
func TestUnprovenWhilePaused(t *testing.T) {
	h := func(rw http.ResponseWriter, req *http.Request) {
		if strings.HasSuffix(req.URL.Path, "/B") {
			respond(429, "slow", "Retry-After: 40")(rw, req)
			return
		}
		dropConnection(rw, req)
	}
	withClient(t, time.Minute, "ghp_x", h, func(t *testing.T, c *testClient) {
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := c.put(ctx, "A")
			wantIs(t, err, secret.ErrInterrupted, true)
			if !c.isUnproven() {
				t.Error("got an attempt that is proven, want unproven")
			}
		})
		time.Sleep(time.Millisecond) // so that A is sent before the pause
		wg.Go(func() { _, _ = c.put(ctx, "B") })
		time.Sleep(20 * time.Second)
		cancel()
		wg.Wait()
	})
}

// numbers returns 1 to n.
func numbers(n int) (list []int) {
	for i := range n {
		list = append(list, i+1)
	}
	return list
}

// pageOf returns the entries of the page that a request asks for, 100 a page.
func pageOf(req *http.Request, list []int) []int {
	number, _ := strconv.Atoi(req.URL.Query().Get("page"))
	from := min(max(number-1, 0)*100, len(list))
	return list[from:min(from+100, len(list))]
}

func isFirstPage(req *http.Request) bool { return req.URL.Query().Get("page") == "" }

// deleting serves 150 secrets, and deletes one after each of the first reads of page 1.
func deleting(deletions int) http.HandlerFunc {
	existing := numbers(150)
	return func(rw http.ResponseWriter, req *http.Request) {
		var page []string
		for _, n := range pageOf(req, existing) {
			page = append(page, secretJSON(fmt.Sprint("S", n), "all"))
		}
		_, _ = fmt.Fprintf(rw, `{"total_count": %d, "secrets": [%s]}`, len(existing), strings.Join(page, ","))
		if deletions > 0 && isFirstPage(req) {
			deletions--
			existing = existing[1:]
		}
	}
}

// TestSecretsDeletedWhileListed checks that a list of several pages is read until two
// readings agree, and fails if they never do.
func TestSecretsDeletedWhileListed(t *testing.T) {
	const changed = "listing the secrets: the list changed each time it was read (3 times)"
	for _, test := range []struct {
		deletions, requests, listed int
		complete                    bool // an entry that is not on the list is missing
		err                         string
	}{
		{0, 4, 150, true, ""},
		{1, 6, 149, true, ""},
		{2, 6, 148, false, changed},
		{9, 6, 147, false, changed},
	} {
		t.Run(fmt.Sprintf("%d deletions", test.deletions), func(t *testing.T) {
			withClient(t, time.Minute, "ghp_x", deleting(test.deletions), func(t *testing.T, c *testClient) {
				list, complete, err := c.Secrets(t.Context(), nil, secret.Actions)
				wantError(t, err, test.err)
				if len(list) != test.listed || complete != test.complete {
					t.Errorf("got %d secrets and complete %v, want %d and %v", len(list), complete, test.listed, test.complete)
				}
				c.wantRequests(t, test.requests)
			})
		})
	}
}

// TestLookupWhileListed checks that two readings have to agree on the names alone that
// are looked up, that a secret found counts in any case, and that no name is missing from
// a list whose total does not match.
func TestLookupWhileListed(t *testing.T) {
	for _, test := range []struct {
		names    []secret.Name
		found    string
		requests int
	}{
		{[]secret.Name{"S100", "S150", "S777"}, "[S100 S150]", 4},
		{[]secret.Name{"S1", "S120"}, "[S120]", 6},
		{[]secret.Name{"S1", "S2", "S120"}, "[S120]", 6}, // the second reading lacks one more, and the third, too
	} {
		withClient(t, time.Minute, "ghp_x", deleting(9), func(t *testing.T, c *testClient) {
			found, err := c.Lookup(t.Context(), nil, secret.Actions, test.names...)
			wantError(t, err, "")
			var got []secret.Name
			for _, name := range test.names {
				if existing, ok := found[name]; ok {
					got = append(got, existing.Name)
				}
			}
			if fmt.Sprint(got) != test.found {
				t.Errorf("%v: got %v, want %s", test.names, got, test.found)
			}
			c.wantRequests(t, test.requests)
		})
	}
}

// firstRepositories are those that exist before a list is read.
func firstRepositories(r secret.Repository) bool { return r.ID <= 300 }

// TestRepositoriesCreatedWhileListed checks that no repository is missing from a
// list if others are created while its pages are read.
func TestRepositoriesCreatedWhileListed(t *testing.T) {
	existing := numbers(300)
	h := func(rw http.ResponseWriter, req *http.Request) {
		list := slices.Clone(existing)
		if req.URL.Query().Get("direction") != "asc" { // GitHub's own order
			slices.Reverse(list)
		}
		rw.Header().Set("Link", `<http://127.0.0.1/organizations/1/repos?page=3>; rel="last"`)
		_, _ = fmt.Fprintf(rw, "[%s]", repositoriesJSON(pageOf(req, list)))
		if isFirstPage(req) {
			existing = append(existing, 301, 302)
		}
	}
	withClient(t, time.Minute, "ghp_x", h, func(t *testing.T, c *testClient) {
		list, err := c.Repositories(t.Context(), nil, firstRepositories)
		wantError(t, err, "")
		listed := map[int64]bool{}
		for _, r := range list {
			listed[r.ID] = true
		}
		for id := range int64(300) {
			if !listed[id+1] {
				t.Errorf("got a list of %d without repository %d, want 1 to 300", len(list), id+1)
			}
		}
	})
}

// sendOnce returns a budget for requests that are sent once, now or after a rate limit.
func (c *testClient) sendOnce(t *testing.T) *Budget {
	t.Helper()
	return c.SendOnce(t.Context(), "read", time.Now())
}

// TestSendOnce checks that such a request is sent once, even if the circuit breaker has
// tripped, no sooner than it may be, and not during a long rate limit.
func TestSendOnce(t *testing.T) {
	t.Run("once", func(t *testing.T) {
		withClient(t, 10*time.Second, "ghp_x", respond(502, ""), func(t *testing.T, c *testClient) {
			_, err := c.put(t.Context(), "A")
			wantFailure(t, err)
			before := len(c.requests())
			wantError(t, c.getKeyWithin(t.Context(), c.sendOnce(t)), "reading the public key: 502 Bad Gateway")
			c.wantRequests(t, before+1)
		})
	})
	t.Run("for the time of one attempt", func(t *testing.T) {
		withClient(t, time.Minute, "ghp_x", neverRespond, func(t *testing.T, c *testClient) {
			b := c.sendOnce(t)
			for range 2 {
				wantFailure(t, c.getKeyWithin(t.Context(), b))
			}
			c.wantElapsed(t, maxAttemptTime)
		})
	})
	t.Run("no sooner than it may be", func(t *testing.T) {
		withClient(t, time.Minute, "ghp_x", respondBody(200, keyJSON), func(t *testing.T, c *testClient) {
			b := c.SendOnce(t.Context(), "read", time.Now().Add(15*time.Second))
			wantError(t, c.getKeyWithin(t.Context(), b), "")
			c.wantElapsed(t, 15*time.Second)
			c.wantLog(t, "waiting 15 s to read")
		})
	})
	t.Run("after a rate limit", func(t *testing.T) {
		limited := respondInTurn(respond(429, "slow", "Retry-After: 60"), respondBody(200, keyJSON))
		withClient(t, 10*time.Second, "ghp_x", limited, func(t *testing.T, c *testClient) {
			wantFailure(t, c.getKey(t.Context()))
			wantError(t, c.getKeyWithin(t.Context(), c.sendOnce(t)), "")
			c.wantElapsed(t, time.Minute)
		})
	})
	t.Run("not during a long rate limit", func(t *testing.T) {
		withClient(t, time.Minute, "ghp_x", respond(429, "slow", "Retry-After: 61"), func(t *testing.T, c *testClient) {
			wantFailure(t, c.getKey(t.Context()))
			wantError(t, c.getKeyWithin(t.Context(), c.sendOnce(t)), "reading the public key: not sent: an earlier request got 429 slow")
			c.wantRequests(t, 1)
		})
	})
	t.Run("not after a signal", func(t *testing.T) {
		withClient(t, time.Minute, "ghp_x", neverRespond, func(t *testing.T, c *testClient) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			b := c.SendOnce(ctx, "read", time.Now().Add(15*time.Second))
			wantIs(t, c.getKeyWithin(ctx, b), secret.ErrInterrupted, true)
			c.wantElapsed(t, time.Second)
			c.wantRequests(t, 0)
		})
	})
}

// TestOptionalReads checks that a write has the time of one attempt left after reads that
// it can do without have failed, and that they trip no circuit breaker.
func TestOptionalReads(t *testing.T) {
	for _, test := range []struct {
		name    string
		read    http.HandlerFunc
		timeout time.Duration
		ends    time.Duration
	}{
		{"refused", respond(503, ""), 2 * time.Minute, 90 * time.Second},
		{"hanging", neverRespond, 2 * time.Minute, 127 * time.Second},
		{"with a short timeout", neverRespond, 10 * time.Second, 10 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := func(rw http.ResponseWriter, req *http.Request) {
				if req.Method == http.MethodGet {
					test.read(rw, req)
					return
				}
				time.Sleep(min(test.timeout, maxAttemptTime) - time.Second)
				respond(201, "")(rw, req)
			}
			withClient(t, test.timeout, "ghp_x", h, func(t *testing.T, c *testClient) {
				b := NewBudget()
				wantFailure(t, c.getKeyWithin(t.Context(), b.Optional()))
				c.wantElapsed(t, test.ends)
				_, err := c.putWithin(t.Context(), b, "A")
				wantError(t, err, "")
			})
		})
	}
}

// TestOptionalReadsAreNoOutage checks that they do not count as an outage of writes, which no later read would end.
func TestOptionalReadsAreNoOutage(t *testing.T) {
	h := respondInTurn(respond(502, ""), respondBody(200, keyJSON), respond(502, ""), respond(204, ""))
	withClient(t, time.Minute, "ghp_x", h, func(t *testing.T, c *testClient) {
		wantError(t, c.getKeyWithin(t.Context(), NewBudget().Optional()), "")
		time.Sleep(time.Minute)
		_, err := c.put(t.Context(), "A")
		wantError(t, err, "")
	})
}

// TestClock checks that the client's time is GitHub's, ahead of ours or behind.
func TestClock(t *testing.T) {
	for _, skew := range []time.Duration{0, time.Hour, -time.Hour} {
		h := func(rw http.ResponseWriter, req *http.Request) {
			rw.Header().Set("Date", time.Now().Add(skew).UTC().Format(http.TimeFormat))
			respondBody(200, keyJSON)(rw, req)
		}
		withClient(t, time.Minute, "ghp_x", h, func(t *testing.T, c *testClient) {
			wantError(t, c.getKey(t.Context()), "")
			if got := time.Until(c.Now()); got != skew {
				t.Errorf("got a clock that differs by %v, want %v", got, skew)
			}
		})
	}
}

// TestBudget checks the time that a budget counts: from its first error, or from the outage while that lasts, without the waits
// for the write limiter in that time.
func TestBudget(t *testing.T) {
	for _, test := range []struct {
		name   string
		outage time.Duration // before the first error
		wait   time.Duration // for the limiter, before the first error
		lasts  bool
		want   time.Duration // 5 s after the first error, of which 1 s was a wait
	}{
		{"no outage before", 0, 30 * time.Second, true, 4 * time.Second},
		{"an outage", time.Minute, 0, true, 64 * time.Second},
		{"an outage and a wait", time.Minute, 30 * time.Second, true, 34 * time.Second},
		{"a wait that began before the outage", 10 * time.Second, 30 * time.Second, true, 4 * time.Second},
		{"an outage that has ended", time.Minute, 30 * time.Second, false, 4 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, now := NewBudget(), time.Now()
				outage := now.Add(-test.outage)
				b.exempt += test.wait
				b.begin(now, outage)
				b.exempt += time.Second
				time.Sleep(5 * time.Second)
				b.begin(time.Now(), time.Now()) // only the first error starts it
				if !test.lasts {
					outage = time.Time{}
				}
				if used, _ := b.used(outage); used != test.want {
					t.Errorf("got %v used, want %v", used, test.want)
				}
			})
		})
	}
}

// TestPausesAddUp checks that a write that joins a rate limit late does not wait for another one beyond the timeout.
func TestPausesAddUp(t *testing.T) {
	withClient(t, 5*time.Minute, "ghp_x", respond(429, "slow", "Retry-After: 290"), func(t *testing.T, c *testClient) {
		_, err := c.put(t.Context(), "A")
		wantFailure(t, err)
		_, err = c.put(t.Context(), "B")
		wantFailure(t, err)
		c.wantElapsed(t, 290*time.Second)
	})
}

// TestAfterOutage checks that a budget that started in an outage counts from its own first error once the outage ends.
func TestAfterOutage(t *testing.T) {
	var c *testClient
	h := func(rw http.ResponseWriter, req *http.Request) {
		failing := c.elapsed() < 30*time.Second || strings.HasSuffix(req.URL.Path, "/LATE") && c.elapsed() < 70*time.Second
		if failing {
			respond(503, "")(rw, req)
			return
		}
		respond(204, "")(rw, req)
	}
	withClient(t, time.Minute, "ghp_x", h, func(t *testing.T, client *testClient) {
		c = client
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := c.put(t.Context(), "EARLY")
			wantError(t, err, "")
		})
		time.Sleep(20 * time.Second)
		_, err := c.put(t.Context(), "LATE")
		wantError(t, err, "")
		wg.Wait()
	})
}
