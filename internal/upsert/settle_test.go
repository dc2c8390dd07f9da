package upsert

import (
	"context"
	"strings"
	"testing"
	"time"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/secret"
)

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

// TestNoWaitAfterSignal checks that the log does not promise a read that a signal has
// already prevented.
func TestNoWaitAfterSignal(t *testing.T) {
	withGitHub(t, fakegithub.Org{}, func(t *testing.T, g *testGitHub) {
		ctx, cancel := context.WithCancel(t.Context())
		g.AddFault(fakegithub.Fault{Method: "PUT", Path: "*", Status: 503, Hook: cancel})
		g.job(1, "").Run(ctx)
		wantEqual(t, "log about a wait", strings.Contains(strings.Join(g.logged, "\n"), "waiting"), false)
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
