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
	"set-org-secret/internal/seal"
	"set-org-secret/internal/secret"
)

// world is a client and a server in one bubble of simulated time.
type world struct {
	*Client
	mu    sync.Mutex
	log   []string
	seen  []string // "GET /path" of each request
	start time.Time
	gone  atomic.Bool // nothing answers a dial any more
}

// with runs f in a bubble, with h as GitHub.
func with(t *testing.T, timeout time.Duration, token string, h http.HandlerFunc, f func(ctx context.Context, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{start: time.Now()}
		network := memnet.Serve(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
			w.mu.Lock()
			w.seen = append(w.seen, req.Method+" "+req.URL.Path)
			w.mu.Unlock()
			if got := req.Header.Get("Authorization"); got != "Bearer "+token {
				t.Errorf("Authorization: %q", got)
			}
			_, _ = io.Copy(io.Discard, req.Body)
			h(rw, req)
		}))
		defer network.Close()
		base, _ := url.Parse("http://127.0.0.1/api/v3/")
		var err error
		w.Client, err = New(Options{
			Org: "acme", BaseURL: base, Token: token, UserAgent: "test", Timeout: timeout,
			Log: func(s string) { w.mu.Lock(); w.log = append(w.log, s); w.mu.Unlock() },
			Network: Network{Dial: func(ctx context.Context, kind, addr string) (net.Conn, error) {
				if w.gone.Load() {
					return nil, syscall.ECONNREFUSED
				}
				return network.Dial(ctx, kind, addr)
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		f(t.Context(), w)
	})
}

func (w *world) passed() time.Duration { return time.Since(w.start) }

// put makes attempts at a write as package upsert does, without sealing again.
func (w *world) put(ctx context.Context, name secret.Name) (created bool, err error) {
	return w.write(w.Client.Put(ctx, secret.Actions, name))
}

func (w *world) write(attempts Attempts) (created bool, err error) {
	for put, final := range attempts {
		if err = final; err == nil {
			created, err = put(seal.Sealed{KeyID: "1", EncryptedValue: "c2VhbGVk"}, secret.Access{Visibility: secret.All})
		}
		if errors.Is(err, secret.ErrUnprocessable) {
			break
		}
	}
	return created, err
}

// answers gives each answer in turn, and the last one for ever.
func answers(list ...http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	n := 0
	return func(rw http.ResponseWriter, req *http.Request) {
		mu.Lock()
		h := list[min(n, len(list)-1)]
		n++
		mu.Unlock()
		h(rw, req)
	}
}

// status answers with a code, a message and headers ("Name: value").
func status(code int, message string, headers ...string) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) {
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			rw.Header().Set(name, value)
		}
		rw.WriteHeader(code)
		if code != http.StatusNoContent {
			_ = json.NewEncoder(rw).Encode(map[string]string{"message": message})
		}
	}
}

func drop(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// TestPassingFaults holds which answers are outlived, and how long each waits.
func TestPassingFaults(t *testing.T) {
	const limit = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
	tests := []struct {
		name   string
		answer http.HandlerFunc
		waits  time.Duration // before the second try
		final  bool
	}{
		{"500", status(500, ""), time.Second, false},
		{"502", status(502, ""), time.Second, false},
		{"503 with Retry-After", status(503, "", "Retry-After: 7"), 7 * time.Second, false},
		{"504", status(504, ""), time.Second, false},
		{"dropped", drop, time.Second, false},
		{"429", status(429, "slow down"), time.Minute, false},
		{"429 with Retry-After", status(429, "", "Retry-After: 3"), 3 * time.Second, false},
		{"Retry-After of nothing is no spin", status(429, "", "Retry-After: 0"), time.Second, false},
		{"Retry-After as a date", status(503, "", "Retry-After: Sat, 01 Jan 2000 00:00:09 GMT"), 9 * time.Second, false},
		{"secondary limit", status(403, limit), time.Minute, false},
		{"secondary limit with Retry-After", status(403, limit, "Retry-After: 11"), 11 * time.Second, false},
		{"secondary limit, a reset that is another limit's", status(403, limit, "X-RateLimit-Remaining: 4000", "X-RateLimit-Reset: 946688400"), time.Minute, false},
		{"primary limit", status(403, "API rate limit exceeded for user", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 946684845"), 46 * time.Second, false},
		{"primary limit, clock off", status(403, "API rate limit exceeded", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1700000030", "Date: Tue, 14 Nov 2023 22:13:20 GMT"), 31 * time.Second, false},
		{"permission", status(403, "Resource not accessible by integration"), 0, true},
		{"permission on the last call of the hour", status(403, "Resource not accessible by integration", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 946684845"), 0, true},
		{"401", status(401, "Bad credentials"), 0, true},
		{"404", status(404, "Not Found"), 0, true},
		{"409", status(409, "Conflict"), 0, true},
		{"422", status(422, "Invalid request."), 0, true},
		{"400", status(400, "Problems parsing JSON"), 0, true},
		{"301", status(301, "Moved Permanently", "Location: /elsewhere"), 0, true},
		{"307", status(307, "Temporary Redirect", "Location: /elsewhere"), 0, true},
		{"200 is no answer to a write", status(200, ""), 0, true},
		{"202 is no answer to a write", status(202, ""), 0, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			with(t, 5*time.Minute, "ghp_x", answers(test.answer, status(204, "")), func(ctx context.Context, w *world) {
				created, err := w.put(ctx, "A")
				if test.final {
					if err == nil || len(w.seen) != 1 || w.passed() != 0 || len(w.log) != 0 {
						t.Errorf("want one try and an error, got %v after %v: %q", err, w.passed(), w.seen)
					}
					return
				}
				if err != nil || created || len(w.seen) != 2 || w.passed() != test.waits {
					t.Errorf("got %v after %v and %d tries, want success after %v", err, w.passed(), len(w.seen), test.waits)
				}
				if len(w.log) != 1 || !strings.Contains(w.log[0], "retrying in") {
					t.Errorf("log: %q", w.log)
				}
			})
		})
	}
}

// TestPatience holds when a request is given up.
func TestPatience(t *testing.T) {
	t.Run("back-off is cut to what is left, for one last try", func(t *testing.T) {
		with(t, 10*time.Second, "ghp_x", status(502, ""), func(ctx context.Context, w *world) {
			_, err := w.put(ctx, "A")
			// 0, 1, 3, 7 s, and a last one at 10 s.
			if err == nil || len(w.seen) != 5 || w.passed() != 10*time.Second {
				t.Errorf("%v: %d tries in %v", err, len(w.seen), w.passed())
			}
			if want := "put secret: 502 Bad Gateway, 5 attempts in 10s"; err != nil && err.Error() != want {
				t.Errorf("got %q, want %q", err, want)
			}
		})
	})
	t.Run("a wait that would pass it fails at once", func(t *testing.T) {
		with(t, time.Minute, "ghp_x", status(429, "slow down", "Retry-After: 3600"), func(ctx context.Context, w *world) {
			_, err := w.put(ctx, "A")
			var e *secret.Error
			if !errors.As(err, &e) || w.passed() != 0 || len(w.seen) != 1 || e.Cause != "GitHub requires a wait until 2000-01-01 01:00:00 UTC, which is longer than timeout allows." {
				t.Errorf("%v after %v", err, w.passed())
			}
			// Whoever comes next does not knock before that time.
			if _, err = w.put(ctx, "B"); err == nil || len(w.seen) != 1 {
				t.Errorf("%v after %d requests", err, len(w.seen))
			}
		})
	})
	t.Run("a dead server is given up once", func(t *testing.T) {
		with(t, 10*time.Second, "ghp_x", drop, func(ctx context.Context, w *world) {
			_, err := w.put(ctx, "A")
			if !errors.Is(err, secret.ErrOutcomeUnknown) {
				t.Errorf("%v", err)
			}
			at, tries := w.passed(), len(w.seen)
			for i := range 50 {
				_, err := w.put(ctx, secret.Name(fmt.Sprint("B", i)))
				if err == nil || !strings.HasPrefix(err.Error(), "put secret: not sent: no request has succeeded for 10s; last error: no response (connection closed unexpectedly)") || errors.Is(err, secret.ErrOutcomeUnknown) {
					t.Fatal(err)
				}
			}
			if w.passed() != at || len(w.seen) != tries {
				t.Errorf("%d more requests in %v", len(w.seen)-tries, w.passed()-at)
			}
		})
	})
	t.Run("what waits for another try ends with it", func(t *testing.T) {
		with(t, 10*time.Second, "ghp_x", status(502, ""), func(ctx context.Context, w *world) {
			var wg sync.WaitGroup
			wg.Go(func() { _, _ = w.put(ctx, "A") })
			time.Sleep(500 * time.Millisecond)
			// After 0, 1, 3 and 7 s; the next try would be at 10.
			_, err := w.put(ctx, "B")
			if want := "put secret: 502 Bad Gateway, 4 attempts in 9.5s"; err == nil || err.Error() != want || w.passed() != 10*time.Second {
				t.Errorf("got %v after %v, want %q", err, w.passed(), want)
			}
			wg.Wait()
		})
	})
	t.Run("one bad path does not end the others", func(t *testing.T) {
		h := func(rw http.ResponseWriter, req *http.Request) {
			if strings.HasSuffix(req.URL.Path, "/A") {
				status(502, "")(rw, req)
				return
			}
			status(204, "")(rw, req)
		}
		with(t, 10*time.Second, "ghp_x", h, func(ctx context.Context, w *world) {
			var wg sync.WaitGroup
			wg.Go(func() {
				if _, err := w.put(ctx, "A"); err == nil {
					t.Error("A was stored")
				}
			})
			for i := range 20 {
				time.Sleep(time.Second)
				if _, err := w.put(ctx, "B"); err != nil {
					t.Errorf("B at %d s: %v", i, err)
				}
			}
			wg.Wait()
		})
	})
	t.Run("a rate limit holds all", func(t *testing.T) {
		with(t, 5*time.Minute, "ghp_x", answers(status(403, "secondary rate limit", "Retry-After: 40"), status(204, "")), func(ctx context.Context, w *world) {
			var wg sync.WaitGroup
			for i := range 4 {
				wg.Go(func() {
					time.Sleep(time.Duration(i) * time.Second)
					if _, err := w.put(ctx, "A"); err != nil {
						t.Error(err)
					}
					if w.passed() != 40*time.Second {
						t.Errorf("stored after %v", w.passed())
					}
				})
			}
			wg.Wait()
			if len(w.seen) != 5 {
				t.Errorf("%d requests", len(w.seen))
			}
		})
	})
	t.Run("a server that never answers is cut", func(t *testing.T) {
		hang := func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() }
		with(t, time.Minute, "ghp_x", answers(hang, status(204, "")), func(ctx context.Context, w *world) {
			_, err := w.put(ctx, "A")
			if err != nil || w.passed() != 31*time.Second {
				t.Errorf("%v after %v", err, w.passed())
			}
		})
	})
	t.Run("an answer that never ends is cut", func(t *testing.T) {
		endless := func(rw http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := rw.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}
		with(t, time.Minute, "ghp_x", endless, func(ctx context.Context, w *world) {
			_, err := w.PublicKey(ctx, secret.Actions)
			if err == nil || !strings.Contains(err.Error(), "larger than 16 MiB") || len(w.seen) != 1 {
				t.Errorf("%v after %d requests", err, len(w.seen))
			}
		})
	})
	t.Run("a cut answer is asked for again", func(t *testing.T) {
		cut := func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Length", "100")
			_, _ = rw.Write([]byte(`{"key_id":"1",`))
		}
		with(t, time.Minute, "ghp_x", answers(cut, status(404, "")), func(ctx context.Context, w *world) {
			if _, err := w.PublicKey(ctx, secret.Actions); !errors.Is(err, secret.ErrNotFound) || len(w.seen) != 2 {
				t.Errorf("%v after %d requests", err, len(w.seen))
			}
		})
	})
	t.Run("a page of another site is not", func(t *testing.T) {
		site := func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("<html>Sign in</html>")) }
		with(t, time.Minute, "ghp_x", site, func(ctx context.Context, w *world) {
			_, err := w.PublicKey(ctx, secret.Actions)
			var e *secret.Error
			if !errors.As(err, &e) || !strings.Contains(e.Hint, "Check api_url") || len(w.seen) != 1 {
				t.Errorf("%v after %d requests", err, len(w.seen))
			}
		})
	})
}

// TestNewInstallationToken holds that only a new App token's 401 is outlived.
func TestNewInstallationToken(t *testing.T) {
	h := answers(status(401, "Bad credentials"), status(401, "Bad credentials"), status(204, ""))
	with(t, time.Minute, "ghs_x", h, func(ctx context.Context, w *world) {
		if _, err := w.put(ctx, "A"); err != nil || w.passed() != 3*time.Second {
			t.Errorf("%v after %v", err, w.passed())
		}
	})
	with(t, time.Minute, "ghs_x", status(401, "Bad credentials"), func(ctx context.Context, w *world) {
		_, err := w.put(ctx, "A")
		if err == nil || w.passed() > 10*time.Second {
			t.Errorf("%v after %v", err, w.passed())
		}
	})
}

// TestExpiredMidway holds that a token that worked is told apart from a wrong one.
func TestExpiredMidway(t *testing.T) {
	with(t, time.Minute, "ghp_x", answers(status(204, ""), status(401, "Bad credentials")), func(ctx context.Context, w *world) {
		_, _ = w.put(ctx, "A")
		_, err := w.put(ctx, "B")
		var e *secret.Error
		if !errors.As(err, &e) || !strings.Contains(e.Cause, "worked earlier in this run") {
			t.Errorf("%v", err)
		}
	})
}

// TestPace holds that no rolling minute sees more than 80 writes, tries counted,
// and that waiting for it is not counted against the patience.
func TestPace(t *testing.T) {
	const writes = 300
	var mu sync.Mutex
	var arrived []time.Time
	h := func(rw http.ResponseWriter, req *http.Request) {
		mu.Lock()
		arrived = append(arrived, time.Now())
		n := len(arrived)
		mu.Unlock()
		time.Sleep(time.Duration(n%7) * 300 * time.Millisecond)
		if n%10 == 0 {
			status(502, "")(rw, req)
			return
		}
		status(201, "")(rw, req)
	}
	with(t, 20*time.Second, "ghp_x", h, func(ctx context.Context, w *world) {
		var wg sync.WaitGroup
		queue := make(chan int)
		for range 4 {
			wg.Go(func() {
				for i := range queue {
					if created, err := w.put(ctx, secret.Name(fmt.Sprint("S", i))); err != nil || !created {
						t.Errorf("S%d: %v", i, err)
					}
				}
			})
		}
		for i := range writes {
			queue <- i
		}
		close(queue)
		wg.Wait()
		for i := range arrived {
			if i >= 80 && arrived[i].Sub(arrived[i-80]) <= time.Minute {
				t.Fatalf("writes %d to %d arrived within %v", i-80, i, arrived[i].Sub(arrived[i-80]))
			}
		}
		if len(arrived) <= writes || w.passed() > 5*time.Minute {
			t.Errorf("%d writes in %v", len(arrived), w.passed())
		}
	})
}

// TestSignal holds that a signal ends a read at once, a write after its grace,
// and a wait at once.
func TestSignal(t *testing.T) {
	hang := func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() }
	slow := func(rw http.ResponseWriter, req *http.Request) {
		time.Sleep(2 * time.Second)
		status(201, "")(rw, req)
	}
	key := func(ctx context.Context, w *world) error { _, err := w.PublicKey(ctx, secret.Actions); return err }
	put := func(ctx context.Context, w *world) error { _, err := w.put(ctx, "A"); return err }
	tests := []struct {
		name    string
		h       http.HandlerFunc
		do      func(context.Context, *world) error
		within  time.Duration
		ok      bool
		unknown bool
	}{
		{"key fetch", hang, key, 0, false, false},
		{"write without an answer", hang, put, 3 * time.Second, false, true},
		{"write that is answered in time", slow, put, 1500 * time.Millisecond, true, false},
		{"back-off", status(502, "", "Retry-After: 50"), put, 0, false, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			with(t, 5*time.Minute, "ghp_x", test.h, func(ctx context.Context, w *world) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(500*time.Millisecond, cancel)
				err := test.do(ctx, w)
				if took := w.passed() - 500*time.Millisecond; took != test.within {
					t.Errorf("took %v after the signal, want %v", took, test.within)
				}
				if test.ok != (err == nil) || !test.ok && !errors.Is(err, secret.ErrInterrupted) || test.unknown != errors.Is(err, secret.ErrOutcomeUnknown) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// TestOutcomeUnknown checks that a write whose last attempt was sent and got no
// response stays unknown, however it ends.
func TestOutcomeUnknown(t *testing.T) {
	for _, test := range []struct {
		name string
		h    http.HandlerFunc
		want string
	}{
		{"the next attempt is refused", answers(drop, status(403, "no")), "put secret: 403 no, 2 attempts in 1s"},
		{
			"the next meets a limit that is too long", answers(drop, status(429, "slow", "Retry-After: 3600")),
			"put secret: 429 slow, 2 attempts in 1s",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			with(t, time.Minute, "ghp_x", test.h, func(ctx context.Context, w *world) {
				_, err := w.put(ctx, "A")
				if err == nil || err.Error() != test.want {
					t.Errorf("got %v, want %s", err, test.want)
				}
				if errors.Is(err, secret.ErrOutcomeUnknown) {
					t.Errorf("%v is unknown, though GitHub responded", err)
				}
			})
		})
	}
	t.Run("the server is gone", func(t *testing.T) {
		var w *world
		with(t, 10*time.Second, "ghp_x", func(http.ResponseWriter, *http.Request) {
			w.gone.Store(true)
			panic(http.ErrAbortHandler)
		}, func(ctx context.Context, made *world) {
			w = made
			if _, err := w.put(ctx, "A"); !errors.Is(err, secret.ErrOutcomeUnknown) || len(w.seen) != 1 {
				t.Errorf("%v after %d tries", err, len(w.seen))
			}
		})
	})
	t.Run("a signal while another write's limit holds it", func(t *testing.T) {
		h := func(rw http.ResponseWriter, req *http.Request) {
			if strings.HasSuffix(req.URL.Path, "/B") {
				status(429, "slow", "Retry-After: 40")(rw, req)
				return
			}
			panic(http.ErrAbortHandler)
		}
		with(t, time.Minute, "ghp_x", h, func(ctx context.Context, w *world) {
			ctx, cancel := context.WithCancel(ctx)
			var wg sync.WaitGroup
			wg.Go(func() {
				if _, err := w.put(ctx, "A"); !errors.Is(err, secret.ErrOutcomeUnknown) || !errors.Is(err, secret.ErrInterrupted) {
					t.Errorf("%v", err)
				}
			})
			wg.Go(func() { _, _ = w.put(ctx, "B") })
			time.Sleep(20 * time.Second)
			cancel()
			wg.Wait()
		})
	})
}

// TestShiftingLists holds that what is made or deleted while a list is read by
// pages hides nothing that stands all the while.
func TestShiftingLists(t *testing.T) {
	page := func(req *http.Request, list []int) []int {
		number, _ := strconv.Atoi(req.URL.Query().Get("page"))
		from := min(max(number-1, 0)*100, len(list))
		return list[from:min(from+100, len(list))]
	}
	upTo := func(n int) (list []int) {
		for i := range n {
			list = append(list, i+1)
		}
		return list
	}
	secrets := func(deletions int) http.HandlerFunc {
		standing := upTo(150)
		return func(rw http.ResponseWriter, req *http.Request) {
			var found []string
			for _, n := range page(req, standing) {
				found = append(found, fmt.Sprintf(`{"name": "S%d", "visibility": "all"}`, n))
			}
			_, _ = fmt.Fprintf(rw, `{"total_count": %d, "secrets": [%s]}`, len(standing), strings.Join(found, ","))
			if deletions > 0 && req.URL.Query().Get("page") == "" {
				deletions--
				standing = standing[1:]
			}
		}
	}
	for _, test := range []struct {
		deletions, requests, listed int
		complete                    bool
	}{{0, 2, 150, true}, {1, 4, 149, true}, {9, 6, 147, false}} {
		with(t, time.Minute, "ghp_x", secrets(test.deletions), func(ctx context.Context, w *world) {
			list, complete, err := w.Secrets(ctx, secret.Actions, 10)
			if err != nil || len(list) != test.listed || complete != test.complete || len(w.seen) != test.requests {
				t.Errorf("%d deletions: %d secrets, complete %v, %d requests, %v", test.deletions, len(list), complete, len(w.seen), err)
			}
		})
	}

	made := upTo(300)
	repositories := func(rw http.ResponseWriter, req *http.Request) {
		list := slices.Clone(made)
		if req.URL.Query().Get("direction") != "asc" { // GitHub's own order
			slices.Reverse(list)
		}
		var found []string
		for _, n := range page(req, list) {
			found = append(found, fmt.Sprintf(`{"id": %d, "full_name": "acme/r%d"}`, n, n))
		}
		rw.Header().Set("Link", `<http://127.0.0.1/organizations/1/repos?page=3>; rel="last"`)
		_, _ = fmt.Fprintf(rw, "[%s]", strings.Join(found, ","))
		if req.URL.Query().Get("page") == "" {
			made = append(made, 301, 302)
		}
	}
	with(t, time.Minute, "ghp_x", repositories, func(ctx context.Context, w *world) {
		list, err := w.Repositories(ctx)
		seen := map[int64]bool{}
		for _, r := range list {
			seen[r.ID] = true
		}
		for id := range int64(300) {
			if !seen[id+1] {
				t.Errorf("repository %d is missing: %v", id+1, err)
			}
		}
	})
}

// TestRedirects holds that a read follows on the same origin alone.
func TestRedirects(t *testing.T) {
	to := func(location string) http.HandlerFunc {
		return answers(status(301, "Moved Permanently", "Location: "+location), func(rw http.ResponseWriter, _ *http.Request) {
			_, _ = rw.Write([]byte(`{"id": 7, "full_name": "acme/new"}`))
		})
	}
	with(t, time.Minute, "ghp_x", to("/api/v3/repositories/7"), func(ctx context.Context, w *world) {
		if r, err := w.Repository(ctx, "old"); err != nil || r.ID != 7 || r.FullName != "acme/new" {
			t.Errorf("%v, %v", r, err)
		}
	})
	for _, elsewhere := range []string{"http://evil.example/api/v3/repositories/7", "https://127.0.0.1/repositories/7", "http://127.0.0.1:8080/repositories/7"} {
		with(t, time.Minute, "ghp_x", to(elsewhere), func(ctx context.Context, w *world) {
			if _, err := w.Repository(ctx, "old"); err == nil || len(w.seen) != 1 || w.passed() != 0 || !strings.Contains(err.Error(), "another host") {
				t.Errorf("%v after %q", err, w.seen)
			}
		})
	}
	with(t, time.Minute, "ghp_x", status(301, "", "Location: /loop"), func(ctx context.Context, w *world) {
		if _, err := w.Repository(ctx, "old"); err == nil || len(w.seen) > 10 {
			t.Errorf("%v after %d", err, len(w.seen))
		}
	})
}

// TestKeyID holds that every digit of a key's id is kept, sent as a number too.
func TestKeyID(t *testing.T) {
	for _, id := range []string{`"568250167242549743"`, `568250167242549743`} {
		h := func(rw http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(rw, `{"key_id":%s,"key":"L+V9o0fNYkMVKNqsX7spBzD/9oSvxM/C7ZCZX1jLO3Q="}`, id)
		}
		with(t, time.Minute, "ghp_x", h, func(ctx context.Context, w *world) {
			if key, err := w.PublicKey(ctx, secret.Actions); err != nil || key.ID() != "568250167242549743" {
				t.Errorf("%s: %v, %v", id, key.ID(), err)
			}
		})
	}
	for _, body := range []string{`{}`, `{"key_id":"1"}`, `{"key_id":null,"key":""}`, `[]`, ``, `{"key_id":"1","key":"MlNnOGlZamFmc2hmc2hrZmhza2Zoc2tmc2hrZmg="}`} {
		with(t, time.Minute, "ghp_x", func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte(body)) }, func(ctx context.Context, w *world) {
			if key, err := w.PublicKey(ctx, secret.Actions); err == nil || !key.IsZero() {
				t.Errorf("%s was taken as a key", body)
			}
		})
	}
}

// TestMessages holds that GitHub's words survive whatever shape they have, and
// that what was sent is not echoed.
func TestMessages(t *testing.T) {
	for body, want := range map[string]string{
		`{"message":"Conflict","errors":"Visibility is not selected"}`:                   "Conflict: Visibility is not selected",
		`{"message":"Validation Failed","errors":[{"field":"key_id","code":"missing"}]}`: "Validation Failed: key_id missing",
		`{"message":"Validation Failed","errors":["a","b"]}`:                             "Validation Failed: a: b",
		`{"message":"Invalid request.\n\nc2VhbGVk does not match /^[A-Z]$/"}`:            "Invalid request. <encrypted_value> does not match /^[A-Z]$/",
		`{"message":"` + strings.Repeat("x", 295) + `c2VhbGVk"}`:                         strings.Repeat("x", 295) + "<encr…",
		`<html>Unicorn!</html>`:                           "Unprocessable Entity",
		`{"message":"` + strings.Repeat("x", 5000) + `"}`: strings.Repeat("x", 300) + "…",
	} {
		h := func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("X-GitHub-Request-Id", "8C1E:2F9B")
			rw.WriteHeader(422)
			_, _ = rw.Write([]byte(body))
		}
		with(t, time.Minute, "ghp_x", h, func(ctx context.Context, w *world) {
			_, err := w.put(ctx, "A")
			e, ok := errors.AsType[*secret.Error](err)
			if full := "put secret: 422 " + want; !ok || e.Error() != full {
				t.Fatalf("got %q, want %q", err, full)
			}
			if e.RequestID != "8C1E:2F9B" {
				t.Errorf("got the request id %q, want 8C1E:2F9B", e.RequestID)
			}
		})
	}
}
