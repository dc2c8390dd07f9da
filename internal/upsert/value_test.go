package upsert

import (
	"strings"
	"testing"
	"time"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/secret"
)

// TestSameUpdate checks when an update that is the one from before does not prove that
// no attempt took effect: it was made just before it was read, by GitHub's clock, and
// the first attempt was sent at once, by ours.
func TestSameUpdate(t *testing.T) {
	updated := time.Date(2000, 1, 1, 12, 0, 0, 0, time.UTC)
	received := updated.Add(-time.Hour) // our clock may be off
	for _, test := range []struct {
		name    string
		date    time.Duration // of the response, since the update
		sent    time.Duration // the first attempt, since the response
		applied bool
	}{
		{"updated just before, and sent at once", maxDateSkew, 999 * time.Millisecond, true},
		{"the clock of a proxy is behind", -maxDateSkew, 0, true},
		{"updated earlier", maxDateSkew + time.Second, 0, false},
		{"a clock that is far behind", -maxDateSkew - time.Second, 0, false},
		{"sent later", 0, time.Second, false},
	} {
		w := &write{firstAttempt: received.Add(test.sent), before: secret.Existing{
			Exists: true, UpdatedAt: updated,
			Reading: secret.Reading{
				Date: updated.Add(test.date), ReadAt: received.Add(-time.Minute), ReceivedAt: received,
			},
		}}
		_, applied := (&value{}).compare(w, secret.Existing{Exists: true, UpdatedAt: updated})
		wantEqual(t, test.name, applied, test.applied)
	}
	w := &write{before: secret.Existing{Exists: true, UpdatedAt: updated}}
	_, applied := (&value{}).compare(w, secret.Existing{Exists: true, UpdatedAt: updated.Add(-time.Hour)})
	wantEqual(t, "an earlier update, from a copy that lags", applied, true)
}

// TestOverwrittenLate has a secret that somebody else creates after this run looked for
// it and 20 s before this run's first attempt, which fails; the second overwrites it.
// Another write of the batch fails for minutes, so the read that settles is late.
func TestOverwrittenLate(t *testing.T) {
	withGitHub(t, fakegithub.Org{}, func(t *testing.T, g *testGitHub) {
		g.AddFault(fakegithub.Fault{Path: "/public-key", Delay: fakegithub.Duration(20 * time.Second)})
		g.AddFault(fakegithub.Fault{Method: "GET", Path: "/secrets", Hook: func() {
			g.PutSecret("acme", fakegithub.Secret{Store: "actions", Name: "S1", Visibility: "selected"})
		}})
		g.AddFault(fakegithub.Fault{Method: "PUT", Path: "/S1", Status: 502})
		g.AddFault(fakegithub.Fault{Method: "PUT", Path: "/S2", Status: 502, Times: -1})
		r := g.job(2, "").Run(t.Context())[0]
		wantEqual(t, "operation", r.Operation, secret.Updated)
		wantError(t, "result", r.Err, "an existing secret was overwritten")
	})
}

// TestLateAttemptWithOtherAccess has an attempt that GitHub applies 4 s later. Before the
// next one somebody else has changed the access, which is to be kept: the late attempt
// must not come after it.
func TestLateAttemptWithOtherAccess(t *testing.T) {
	existing := fakegithub.Secret{Store: "actions", Name: "S1", Visibility: "all"}
	org := fakegithub.Org{
		Repositories: []fakegithub.Repository{{ID: 1, Name: "web"}}, Secrets: []fakegithub.Secret{existing},
	}
	withGitHub(t, org, func(t *testing.T, g *testGitHub) {
		g.AddFault(fakegithub.Fault{Method: "PUT", Path: "*", Status: 429, Headers: map[string]string{"Retry-After": "60"}})
		g.AddFault(fakegithub.Fault{Method: "PUT", Path: "*", Status: 504, StoreAfter: fakegithub.Duration(4 * time.Second)})
		existing.Visibility, existing.Repositories = "selected", []string{"web"}
		time.AfterFunc(30*time.Second, func() { g.PutSecret("acme", existing) })
		r := g.job(1, "").Run(t.Context())[0]
		wantEqual(t, "operation", r.Operation, secret.Updated)
		time.Sleep(time.Minute)
		s, _ := g.Secret("acme", "actions", "S1")
		wantEqual(t, "visibility", s.Visibility, "selected")
	})
}

// TestWritesToSend has a batch that takes longer than a minute, and one like it that is
// not sent because a key cannot be read: the log then announces no writes.
func TestWritesToSend(t *testing.T) {
	for _, unread := range []int{0, 20, 100} {
		withGitHub(t, fakegithub.Org{}, func(t *testing.T, g *testGitHub) {
			g.AddFault(fakegithub.Fault{Method: "GET", Path: "/codespaces/secrets/public-key", Times: -1, Status: 403})
			j := g.job(100, "private")
			for i := range unread {
				j.Items[i].Store = secret.Codespaces
			}
			j.Run(t.Context())
			announced := strings.Count(strings.Join(g.logged, "\n"), "writes to send: 100,")
			wantEqual(t, "lines about writes", announced, map[bool]int{true: 1}[unread == 0])
			wantEqual(t, "writes", g.count("PUT"), 100-unread)
		})
	}
}

// TestRefusedHoldsNoPlace has a batch of two full minutes of writes, the first of which
// is refused for 12 s: its place in the write limiter is free a minute after each attempt.
func TestRefusedHoldsNoPlace(t *testing.T) {
	withGitHub(t, fakegithub.Org{}, func(t *testing.T, g *testGitHub) {
		g.AddFault(fakegithub.Fault{
			Method: "PUT", Path: "/S1", Times: -1, Status: 422,
			Body: `{"message":"Could not decrypt the encrypted value"}`,
		})
		start := time.Now()
		g.job(160, "private").Run(t.Context())
		wantEqual(t, "took", time.Since(start).Round(time.Second), time.Minute)
	})
}
