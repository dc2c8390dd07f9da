package fakegithub

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestAppliedFault checks that the response is replaced after the request took
// effect, and that Request has the status before.
func TestAppliedFault(t *testing.T) {
	f := newFaultTest(t, Fault{Status: 502, Applied: true}, Fault{Status: 502}, Fault{Drop: "after"}, Fault{Drop: "before"})
	f.wantPut(502)
	f.wantValue("new")
	f.wantPut(502)
	f.wantDropped()
	f.wantDropped()
	f.wantPut(204)
	want := []int{204, 0, 204, 0, 204}
	for i, r := range f.server.Requests() {
		if r.Served != want[i] {
			t.Errorf("request %d: got served %d, want %d", i+1, r.Served, want[i])
		}
	}
}

// TestHang checks that a request that hangs gets no response, and takes effect
// only after the moment of the fault.
func TestHang(t *testing.T) {
	for moment, want := range map[string]string{"before": "old", "after": "new"} {
		synctest.Test(t, func(t *testing.T) {
			world := acme()
			world.Faults = []Fault{{Hang: moment}}
			s := newServer(t, world)
			value, id := sealed(t, s, "actions", "new")
			body := `{"encrypted_value":"` + value + `","key_id":"` + id + `","visibility":"all"}`
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://api.test"+faultPath, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("User-Agent", "test")
			req.Header.Set("Authorization", "Bearer owner")
			start := time.Now()
			func() {
				defer func() {
					if err, _ := recover().(error); !errors.Is(err, http.ErrAbortHandler) {
						t.Errorf("hang %s: got a response, want none", moment)
					}
				}()
				s.ServeHTTP(httptest.NewRecorder(), req)
			}()
			if got := time.Since(start); got != time.Hour {
				t.Errorf("hang %s: the request ended after %v, want that of its context, 1h", moment, got)
			}
			if got, _ := s.Secret("acme", "actions", "OPEN"); got.Value != want {
				t.Errorf("hang %s: stored value: got %q, want %q", moment, got.Value, want)
			}
		})
	}
}

// TestNoLastLink checks that the links to the other pages stay.
func TestNoLastLink(t *testing.T) {
	s := newServer(t, World{
		Orgs:   []Org{{Login: "acme", RepositoryCount: 300}},
		Faults: []Fault{{NoLast: true, Times: -1}},
	})
	for page, want := range map[string]string{"1": "next", "2": "prev next first", "3": "prev first"} {
		got := call(s, "GET", "/orgs/acme/repos?per_page=100&page="+page, "").Header.Get("Link")
		var rels []string
		for part := range strings.SplitSeq(got, ", ") {
			_, rel, _ := strings.Cut(part, `; rel="`)
			rels = append(rels, strings.TrimSuffix(rel, `"`))
		}
		if strings.Join(rels, " ") != want {
			t.Errorf("page %s: got the links %q, want %q", page, got, want)
		}
	}
}

// TestTimes checks when a secret without times was created, and that of a World before
// the server started: a run has to tell its own writes from it.
func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		old, older := now.AddDate(0, -1, 0), now.AddDate(-1, 0, 0)
		time.Sleep(time.Millisecond) // the times of a World are whole seconds
		s := newServer(t, World{Orgs: []Org{{Login: "acme", SecretCount: 1, Secrets: []Secret{
			{Store: "actions", Name: "NO_TIMES"}, {Store: "actions", Name: "CREATED", CreatedAt: old},
			{Store: "actions", Name: "UPDATED", UpdatedAt: old},
			{Store: "actions", Name: "BOTH", CreatedAt: older, UpdatedAt: old},
		}}}})
		time.Sleep(time.Hour)
		s.PutSecret("acme", Secret{Store: "actions", Name: "BY_HAND"})
		for name, want := range map[string][2]time.Time{
			"NO_TIMES": {now.AddDate(0, 0, -1), now.AddDate(0, 0, -1)},
			"S0001":    {now.AddDate(0, 0, -1), now.AddDate(0, 0, -1)},
			"CREATED":  {old, old}, "UPDATED": {old, old}, "BOTH": {older, old},
			"BY_HAND": {time.Now(), time.Now()},
		} {
			got, _ := s.Secret("acme", "actions", name)
			if !got.CreatedAt.Equal(want[0]) || !got.UpdatedAt.Equal(want[1]) {
				t.Errorf("%s: got the times %v and %v, want %v", name, got.CreatedAt, got.UpdatedAt, want)
			}
		}
	})
}

// TestChangeByHand checks that secrets can be stored and deleted without a request.
func TestChangeByHand(t *testing.T) {
	s := newServer(t, acme())
	s.PutSecret("acme", Secret{Store: "actions", Name: "open", Value: "by hand", Visibility: "private"})
	if got, _ := s.Secret("acme", "actions", "OPEN"); got.Value != "by hand" || got.Visibility != "private" {
		t.Errorf("got %+v, want the one stored by hand", got)
	}
	s.DeleteSecret("acme", "actions", "open")
	if got, ok := s.Secret("acme", "actions", "OPEN"); ok {
		t.Errorf("got %+v, want none", got)
	}
	if got := len(s.Requests()); got != 0 {
		t.Errorf("got %d requests, want none", got)
	}
}
