package github

import (
	"bytes"
	"compress/gzip"
	"context"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
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
			isReleased := block[0] == m[1]+"defer "+unlock
			for _, line := range block {
				if line == m[1]+unlock {
					isReleased = true
				}
				isEnd := !strings.HasPrefix(line, m[1])
				if isReleased || isEnd || strings.Contains(line, "return") {
					break
				}
			}
			if !isReleased {
				t.Errorf("%s:%d: want %q or %q in this block, before it ends or returns", path, i+1, "defer "+unlock, unlock)
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
	const limit, onTheWay = 16 << 20, 128 << 10 // and in buffers
	for _, test := range []struct {
		name    string
		status  int
		isWrite bool
		limit   int
		err     string
	}{
		{"a read", 200, false, limit, "reading the public key: the response is larger than 16 MiB"},
		{"a write that is refused", 403, true, limit, "writing the secret: 403 Forbidden, but not from GitHub's API"},
		{"a write", 201, true, 4 << 10, "writing the secret: 201 Created, but not from GitHub's API"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var sent atomic.Int64
			h := func(rw http.ResponseWriter, _ *http.Request) {
				rw.WriteHeader(test.status)
				for part := make([]byte, 1<<15); sent.Load() < limit+1<<20; {
					n, err := rw.Write(part)
					if sent.Add(int64(n)); err != nil {
						return
					}
				}
			}
			withClient(t, time.Minute, "ghp_x", h, func(t *testing.T, c *testClient) {
				request := c.getKey
				if test.isWrite {
					request = func(ctx context.Context) error { _, err := c.put(ctx, "A"); return err }
				}
				wantError(t, request(t.Context()), test.err)
				if most := int64(test.limit + onTheWay); sent.Load() > most {
					t.Errorf("the server sent %d bytes, want at most %d", sent.Load(), most)
				}
			})
		})
	}
	t.Run("compressed", func(t *testing.T) {
		var body bytes.Buffer
		compressed := gzip.NewWriter(&body)
		_, _ = compressed.Write(make([]byte, limit+1))
		_ = compressed.Close()
		h := func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Encoding", "gzip")
			_, _ = rw.Write(body.Bytes())
		}
		withClient(t, time.Minute, "ghp_x", h, func(t *testing.T, c *testClient) {
			wantError(t, c.getKey(t.Context()), "reading the public key: the response is larger than 16 MiB")
		})
	})
}

// TestLimiterPlaces checks that each write gives its place in the limiter back. After 80
// that do not, the next one waits without an end, which no test of many writes survives.
func TestLimiterPlaces(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"stored": respond(204, ""), "refused": respond(403, "no"), "retried": respondInTurn(dropConnection, respond(204, "")),
		"paused too long": respond(429, "slow", "Retry-After: 3600"),
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
				t.Errorf("%s: %d places are taken after all writes, want 0", name, got)
			}
		})
	}
}
