package fakegithub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// faultPath is the path of the secret that the tests of faults read and write. Its value is "old".
const faultPath = "/orgs/acme/actions/secrets/OPEN"

// TestStoreAfter checks for each response that it is sent at once, and that the write is
// checked and stored later.
func TestStoreAfter(t *testing.T) {
	later := Duration(9 * time.Second)
	for _, test := range []struct {
		name           string
		fault          Fault
		status         int           // 0 if the connection was closed
		took           time.Duration // until the client got it
		rotate         bool          // the key, before the write is stored
		served, stored string
	}{
		{"status", Fault{Status: 504}, 504, 0, false, "204", "new"},
		{"no status", Fault{}, 502, 0, false, "204", "new"},
		{"after a delay", Fault{Status: 504, Delay: Duration(time.Second)}, 504, time.Second, false, "204", "new"},
		{"dropped", Fault{Drop: "before"}, 0, 0, false, "204", "new"},
		{"dropped after", Fault{Drop: "after"}, 0, 0, false, "204", "new"},
		{"hang", Fault{Hang: "before"}, 0, time.Hour, false, "204", "new"},
		{"hang after", Fault{Hang: "after"}, 0, time.Hour, false, "204", "new"},
		{"key rotated", Fault{Status: 502}, 502, 0, true, "422", "old"},
	} {
		synctest.Test(t, func(t *testing.T) {
			world := acme()
			test.fault.StoreAfter = later
			world.Faults = []Fault{test.fault}
			s := newServer(t, world)
			start, status, took := time.Now(), -1, time.Duration(0)
			go func() {
				status = call(s, "PUT", faultPath, body(t, s, "actions", "new", `"all"`)).status
				took = time.Since(start)
			}()
			state := func() string {
				secret, _ := s.Secret("acme", "actions", "OPEN")
				return fmt.Sprint(s.Requests()[0].Served, " ", secret.Value)
			}
			time.Sleep(time.Duration(later) - 1)
			wantEqual(t, test.name+": before it is stored", state(), "0 old")
			if test.rotate {
				s.RotateKey("acme", "actions")
			}
			time.Sleep(2 * time.Nanosecond)
			wantEqual(t, test.name+": after it is stored", state(), test.served+" "+test.stored)
			wantEqual(t, test.name+": stored at", s.Requests()[0].ServedAt, start.Add(time.Duration(later)))
			time.Sleep(2 * time.Hour)
			synctest.Wait()
			wantEqual(t, test.name+": status", status, test.status)
			wantEqual(t, test.name+": took", took, test.took)
			wantEqual(t, test.name+": recorded status", s.Requests()[0].Status, test.status)
		})
	}
}

// TestHeaderFaults checks over a real connection that headers are set and removed in the
// server's own response and in one that replaces it.
func TestHeaderFaults(t *testing.T) {
	const list, id, sso, none = "/orgs/acme/actions/secrets", "X-GitHub-Request-Id", "X-GitHub-SSO", faultPath + "X"
	for _, test := range []struct {
		path         string
		fault        Fault
		status       int
		header, want string // empty if there is none
	}{
		{list, Fault{Headers: map[string]string{sso: "partial-results; organizations=1"}}, 200, sso, "partial-results; organizations=1"},
		{list, Fault{Headers: map[string]string{sso: "x"}}, 200, "X-RateLimit-Limit", "5000"},
		{none, Fault{Headers: map[string]string{id: ""}}, 404, id, ""},
		{list, Fault{Headers: map[string]string{id: ""}, Status: 502}, 502, id, ""},
		{list, Fault{Headers: map[string]string{id: "own"}, Status: 502}, 502, id, "own"},
		{list, Fault{Headers: map[string]string{"date": ""}}, 200, "Date", ""},
		{list, Fault{Headers: map[string]string{"date": "soon"}}, 200, "Date", "soon"},
	} {
		got, err := get(t, test.path, test.fault)
		name := fmt.Sprint(test.path, " ", test.fault.Headers)
		wantEqual(t, name+": error", err, nil)
		wantEqual(t, name+": status", got.status, test.status)
		wantEqual(t, name+": "+test.header, strings.Join(got.header.Values(test.header), ", "), test.want)
		_, found := got.header[http.CanonicalHeaderKey(test.header)]
		wantEqual(t, name+": the header is there", found, test.want != "")
	}
}

// limit is how much of a body get reads.
const limit = 8 << 20

// get reads a path over a real connection as an owner of the organization, with a fault. The error is that of the body.
func get(t *testing.T, path string, fault Fault) (got reply, errBody error) {
	t.Helper()
	world := acme()
	world.Faults = []Fault{fault}
	server := httptest.NewServer(newServer(t, world))
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer owner")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, errBody := io.ReadAll(io.LimitReader(resp.Body, limit))
	return reply{resp.StatusCode, resp.Header, string(text)}, errBody
}

// TestBodies checks over a real connection that a body is cut or does not end.
func TestBodies(t *testing.T) {
	cut, err := get(t, faultPath, Fault{Cut: true})
	wantEqual(t, "cut: status", cut.status, http.StatusOK)
	wantEqual(t, "cut: there is a body", cut.text != "", true)
	wantEqual(t, "cut: the body is whole", json.Valid([]byte(cut.text)), false)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut: got error %v, want %v", err, io.ErrUnexpectedEOF)
	}
	endless, err := get(t, faultPath, Fault{Endless: true})
	wantEqual(t, "endless: status", endless.status, http.StatusOK)
	wantEqual(t, "endless: bytes", len(endless.text), limit)
	wantEqual(t, "endless: error", err, nil)
}

// TestUnknownChange checks that a fault fails that names a repository which does not exist.
func TestUnknownChange(t *testing.T) {
	world := acme()
	world.Faults = []Fault{{Change: &Secret{Store: "actions", Name: "OPEN", Repositories: []string{"none"}}}}
	defer func() { wantEqual(t, "panic", fmt.Sprint(recover()), `secret OPEN: unknown repository "none"`) }()
	call(newServer(t, world), "GET", faultPath, "")
}

// TestWriteRateLimit checks that only 80 writes are accepted in any 60 seconds, and any number of reads.
func TestWriteRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := acme()
		world.MaxWritesPerMinute = 80
		s := newServer(t, world)
		want := func(moment, method string, status int, retryAfter string) {
			t.Helper()
			resp := call(s, method, faultPath, "{}")
			wantEqual(t, moment+": status", resp.status, status)
			wantEqual(t, moment+": Retry-After", resp.header.Get("Retry-After"), retryAfter)
			limited := strings.Contains(resp.text, "secondary rate limit")
			wantEqual(t, moment+": the body names the secondary rate limit", limited, status == 403)
		}
		for i := range 80 {
			if i == 40 {
				time.Sleep(30 * time.Second)
			}
			want(fmt.Sprintf("write %d", i+1), "PUT", 422, "")
		}
		time.Sleep(30*time.Second - 1)
		want("write 81", "PUT", 403, "60")
		want("read", "GET", 200, "")
		time.Sleep(time.Nanosecond)
		want("when the first 40 writes are a minute old", "PUT", 422, "")
		s.world.HideRetryAfter, s.world.MaxWritesPerMinute = true, 1
		want("HideRetryAfter", "PUT", 403, "")
	})
}
