package upsert

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/secret"
)

// TestSignalInOptionalRead checks that a write is not sent after a signal that ends the
// read before it.
func TestSignalInOptionalRead(t *testing.T) {
	withGitHub(t, fakegithub.Org{}, func(t *testing.T, g *testGitHub) {
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
		defer cancel()
		g.AddFault(fakegithub.Fault{Method: "GET", Path: "/S2", Hang: "before", Times: -1})
		g.AddFault(fakegithub.Fault{Method: "GET", Path: "/secrets", Status: 200, Times: -1, Body: `{
			"total_count": 2, "secrets": [
			{"name": "S1", "visibility": "all", "created_at": "2000-01-01T00:00:00Z", "updated_at": "2000-01-01T00:00:00Z"}]}`})
		r := g.job(2, secret.All).Run(ctx)[1]
		wantEqual(t, "interrupted", errors.Is(r.Err, secret.ErrInterrupted), true)
		wantEqual(t, "saved", r.EncryptedValue != "", true)
		wantEqual(t, "attempts at the write", g.count("PUT S2"), 0)
	})
}

// TestOptionalReadSharesTime has a read and then a write that fail for good: together
// they take the timeout, and the last attempt.
func TestOptionalReadSharesTime(t *testing.T) {
	withGitHub(t, fakegithub.Org{}, func(t *testing.T, g *testGitHub) {
		g.AddFault(fakegithub.Fault{Method: "GET", Path: "/S1", Status: 503, Times: -1})
		g.AddFault(fakegithub.Fault{Method: "PUT", Path: "*", Status: 503, Times: -1})
		start := time.Now()
		r := g.job(1, secret.All).Run(t.Context())[0]
		wantEqual(t, "operation", r.Operation, secret.Unknown)
		wantEqual(t, "time, with that until the read that settles", time.Since(start), 5*time.Minute+settleDelay)
	})
}

// TestNoNoticeOfFailed checks that a write that failed is in no warning about what it
// took away.
func TestNoNoticeOfFailed(t *testing.T) {
	withGitHub(t, fakegithub.Org{}, func(t *testing.T, g *testGitHub) {
		g.AddFault(fakegithub.Fault{Method: "GET", Path: "/S1", Status: 403})
		g.AddFault(fakegithub.Fault{Method: "PUT", Path: "*", Status: 403})
		wantEqual(t, "operation", g.job(1, secret.All).Run(t.Context())[0].Operation, secret.Failed)
		wantEqual(t, "warnings", len(g.logged), 0)
	})
}

// TestPartialFirstPage has a list of repositories whose first page alone is marked as
// partial: a glob is rejected.
func TestPartialFirstPage(t *testing.T) {
	withGitHub(t, fakegithub.Org{RepositoryCount: 101}, func(t *testing.T, g *testGitHub) {
		for _, after := range []int{0, 1} { // the first pages of two readings
			g.AddFault(fakegithub.Fault{
				Path: "/acme/repos", After: after,
				Headers: map[string]string{"X-GitHub-SSO": "partial-results; organizations=1"},
			})
		}
		j := g.job(1, "")
		j.Selection = &secret.Selection{Patterns: patterns("repo-*")}
		wantError(t, "result", j.Run(t.Context())[0].Err, "GitHub returned only a part of the list")
		wantEqual(t, "attempts at a write", g.count("PUT"), 0)
	})
}

// TestOtherRepositoriesChange has a list of repositories that changes each time, but for
// those that a glob matches.
func TestOtherRepositoriesChange(t *testing.T) {
	org := fakegithub.Org{RepositoryCount: 100, Repositories: []fakegithub.Repository{{ID: 1, Name: "web"}}}
	withGitHub(t, org, func(t *testing.T, g *testGitHub) {
		for i := range 3 { // the second page of each reading
			g.AddFault(fakegithub.Fault{
				Path: "/acme/repos", After: i + 1, Status: 200,
				Body: fmt.Sprintf(`[{"id": 2, "full_name": "acme/other-%d"}]`, i),
			})
		}
		j := g.job(1, "")
		j.Selection = &secret.Selection{Patterns: patterns("web*")}
		r := j.Run(t.Context())[0]
		wantEqual(t, "error", r.Err, nil)
		wantEqual(t, "repositories", r.Access.IDs(), []int64{1})
		wantEqual(t, "pages", g.count("GET repos"), 2*2)
	})
}

// TestOthersChangeWhileSettling has a list of secrets that changes each time it is read
// after two lost writes, but for their secrets.
func TestOthersChangeWhileSettling(t *testing.T) {
	withGitHub(t, fakegithub.Org{SecretCount: 100}, func(t *testing.T, g *testGitHub) {
		for range 2 {
			g.AddFault(fakegithub.Fault{Method: "PUT", Path: "*", Drop: "before"})
		}
		g.AddFault(fakegithub.Fault{Method: "PUT", Path: "*", Status: 403, Times: -1})
		for i := range 5 { // in a reading after the writes
			g.AddFault(fakegithub.Fault{
				Method: "GET", Path: "/secrets", After: i + 1, Change: &fakegithub.Secret{
					Store: "actions", Name: "S0001", Visibility: "private", UpdatedAt: time.Unix(int64(i), 0),
				},
			})
		}
		j := g.job(2, "")
		j.Items[0].Name, j.Items[1].Name = "S0002", "S0003"
		g.PutSecret("acme", fakegithub.Secret{Store: "actions", Name: "T", Visibility: "private"})
		for _, r := range j.Run(t.Context()) {
			wantEqual(t, string(r.Name), r.Operation, secret.Failed)
		}
	})
}
