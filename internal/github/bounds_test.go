package github

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"set-org-secret/internal/secret"
)

var (
	lockCall = regexp.MustCompile(`^(\t+)(if err := )?(\S+)\.(Lock|RLock|acquire)\(`)
	unlocks  = map[string]string{"Lock": "Unlock()", "RLock": "RUnlock()", "acquire": "release()"}
)

// TestLocks checks in all sources that each lock is released: with defer, or in the same
// block without a return before it. It is the first test here, because a test that waits
// for a mutex in simulated time does not fail: it ends with the timeout of all tests.
func TestLocks(t *testing.T) {
	locks := 0
	err := fs.WalkDir(os.DirFS("../.."), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile("../../" + path)
		lines := strings.Split(string(text), "\n")
		for i, line := range lines {
			m := lockCall.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			locks++
			block := lines[i+1:]
			if m[2] != "" { // after the lines that return the error
				block = block[slices.Index(block, m[1]+"}")+1:]
			}
			unlock := m[3] + "." + unlocks[m[4]]
			end := slices.IndexFunc(block, func(line string) bool {
				return strings.Contains(line, unlock) || strings.Contains(line, "return") || !strings.HasPrefix(line, m[1])
			})
			if got := strings.TrimPrefix(block[end], m[1]); got != unlock && got != "defer "+unlock {
				t.Errorf("%s:%d: got %q, want %s before the block ends or returns", path, i+1, got, unlock)
			}
		}
		return err
	})
	if err != nil || locks < 30 {
		t.Errorf("found %d locks, error %v; want 30 or more", locks, err)
	}
}

// TestEndlessBody checks that no more of a body is read than the limit. The server ends
// it soon after that, so that a client without a limit fails here alone.
func TestEndlessBody(t *testing.T) {
	const limit, inBuffers = 16 << 20, 128 << 10
	const tooLarge = "reading the public key: the response is larger than 16 MiB"
	getKey := func(ctx context.Context, c *testClient) error { return c.getKey(ctx) }
	put := func(ctx context.Context, c *testClient) error { _, err := c.put(ctx, "A"); return err }
	for _, test := range []struct {
		status  int
		request func(context.Context, *testClient) error
		limit   int
		err     string
	}{
		{200, getKey, limit, tooLarge},
		{403, put, limit, "writing the secret: 403 Forbidden, but not from GitHub's API"},
		{201, put, 4 << 10, "writing the secret: 201 Created, but not from GitHub's API"},
	} {
		var sent atomic.Int64
		h := func(rw http.ResponseWriter, _ *http.Request) {
			rw.WriteHeader(test.status)
			for err := error(nil); err == nil && sent.Load() < limit+1<<20; sent.Add(1 << 15) {
				_, err = rw.Write(make([]byte, 1<<15))
			}
		}
		withClient(t, time.Minute, "ghp_x", h, func(t *testing.T, c *testClient) {
			wantError(t, test.request(t.Context(), c), test.err)
			if most := int64(test.limit + inBuffers); sent.Load() > most {
				t.Errorf("%d: the server sent %d bytes, want at most %d", test.status, sent.Load(), most)
			}
		})
	}
	compressed := func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Encoding", "gzip")
		w := gzip.NewWriter(rw)
		_, _ = w.Write(make([]byte, limit+1))
		_ = w.Close()
	}
	withClient(t, time.Minute, "ghp_x", compressed, func(t *testing.T, c *testClient) { wantError(t, c.getKey(t.Context()), tooLarge) })
}

// TestLimiterPlaces checks that each write gives its place in the limiter back. After 80
// that do not, the next one waits without an end, which no test of many writes survives.
func TestLimiterPlaces(t *testing.T) {
	for _, h := range []http.HandlerFunc{
		respond(204, ""), respond(403, "no"), respondInTurn(dropConnection, respond(204, "")), respond(429, "slow", "Retry-After: 3600"),
	} {
		withClient(t, time.Minute, "ghp_x", h, func(t *testing.T, c *testClient) {
			for range 2 {
				_, _ = c.put(t.Context(), "A")
			}
			for _, err := range c.Attempts(t.Context(), NewBudget(), "sending nothing") {
				_ = err // it is not sent during a pause
				break
			}
			if got := c.limiter.inFlight; got != 0 {
				t.Errorf("got %d places taken after %q, want 0", got, c.log())
			}
		})
	}
}

// TestListOfTwoPages checks two facts that the second page alone shows: that the token does not see
// all repositories of a secret, and that the list is as old as its first page.
func TestListOfTwoPages(t *testing.T) {
	for _, test := range []struct{ page, total, hidden int }{{1, 0, 1}, {2, 0, 1}, {2, 1, 1}, {0, 0, 0}} {
		existing := numbers(150)
		h := func(rw http.ResponseWriter, req *http.Request) {
			page, total := pageOf(req, existing), len(existing)
			if isFirstPage(req) == (test.page == 1) && test.page > 0 {
				if total += test.total; test.total == 0 {
					rw.Header().Set(ssoHeader, "partial-results; organizations=1")
				}
			}
			_, _ = fmt.Fprintf(rw, `{"total_count": %d, "repositories": [%s]}`, total, repositoriesJSON(page))
		}
		withClient(t, time.Minute, "ghp_x", h, func(t *testing.T, c *testClient) {
			_, hidden, err := c.selectedRepositories(t.Context(), nil, secret.Actions, "A")
			wantError(t, err, "")
			if hidden != test.hidden {
				t.Errorf("%+v: got %d hidden repositories, want %d", test, hidden, test.hidden)
			}
		})
	}
	slow := func(rw http.ResponseWriter, req *http.Request) {
		time.Sleep(10 * time.Second)
		deleting(0)(rw, req)
	}
	withClient(t, time.Minute, "ghp_x", slow, func(t *testing.T, c *testClient) {
		found, err := c.Lookup(t.Context(), nil, secret.Actions, "S1", "S150")
		wantError(t, err, "")
		if age := time.Since(found["S150"].ReadAt); age != 20*time.Second {
			t.Errorf("the list that was read last is %v old, want 20s: that of its first page", age)
		}
		if age := time.Since(found["S150"].ReceivedAt); age != 0 {
			t.Errorf("the list was received %v ago, want 0s: with its last page", age)
		}
	})
}

// TestEmptyListIsSent checks that a write names the empty list, as the user did, and no list if none can be given.
func TestEmptyListIsSent(t *testing.T) {
	for visibility, want := range map[secret.Visibility]string{
		secret.Selected: `"selected","selected_repository_ids":[]}`, secret.Private: `"private"}`,
	} {
		write := new(Client).PutSecret(secret.Actions, "A", secret.Sealed{}, secret.Access{Visibility: visibility})
		if body, _ := json.Marshal(write.body); !strings.HasSuffix(string(body), want) {
			t.Errorf("got the body %s, want it to end in %s", body, want)
		}
	}
}

// TestOversizedPage checks that a page has no more entries than were asked for.
func TestOversizedPage(t *testing.T) {
	h := respondBody(200, "["+repositoriesJSON(numbers(perPage+1))+"]")
	withClient(t, time.Minute, "ghp_x", h, func(t *testing.T, c *testClient) {
		_, err := c.Repositories(t.Context(), nil, nil)
		wantError(t, err, "listing the repositories of acme: unexpected response: a page of more than 100 entries")
	})
}
