package upsert

import (
	"testing"
	"time"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/secret"
)

// TestWrongTotal has a list of two pages that lacks a secret each time, as its total
// shows: the secret exists, and keeps its access.
func TestWrongTotal(t *testing.T) {
	org := fakegithub.Org{SecretCount: 100, Repositories: []fakegithub.Repository{{ID: 1, Name: "web"}}}
	for _, name := range []string{"T1", "T2"} {
		org.Secrets = append(org.Secrets, fakegithub.Secret{
			Store: "actions", Name: name, Visibility: "selected", Repositories: []string{"web"},
		})
	}
	withGitHub(t, org, func(t *testing.T, g *testGitHub) {
		second := fakegithub.Fault{
			Method: "GET", Path: "/secrets", After: 1, Status: 200,
			Body: `{"total_count": 102, "secrets": [{"name": "T1", "visibility": "selected",
				"created_at": "2000-01-01T00:00:00Z", "updated_at": "2000-01-01T00:00:00Z"}]}`,
		}
		g.AddFault(second) // of the first reading
		second.After++
		g.AddFault(second) // of the second
		j := g.job(4, "")
		j.Items[3].Name = "T2"
		r := j.Run(t.Context())[3]
		wantEqual(t, "error", r.Err, nil)
		stored, _ := g.Secret("acme", "actions", "T2")
		wantEqual(t, "visibility", stored.Visibility, "selected")
	})
}

// TestPartialListOfSecret has a secret whose list GitHub marks as partial. To add a
// repository, or to remove one, needs no other one on the list.
func TestPartialListOfSecret(t *testing.T) {
	for _, change := range []secret.ListChange{secret.ListAdd, secret.ListRemove} {
		t.Run(string(change), func(t *testing.T) {
			withGitHub(t, oneList(), func(t *testing.T, g *testGitHub) {
				g.AddFault(fakegithub.Fault{
					Method: "GET", Path: "/S1/repositories", Times: -1,
					Headers: map[string]string{"X-GitHub-SSO": "partial-results; organizations=1"},
				})
				j := g.job(1, "")
				j.Change, j.Selection = change, &secret.Selection{IDs: []int64{2}}
				if change == secret.ListRemove {
					j.Selection.IDs[0] = 1
				}
				r := j.Run(t.Context())[0]
				wantEqual(t, "error", r.Err, nil)
				wantEqual(t, "operation", r.Operation, secret.Updated)
			})
		})
	}
}

// TestListNeverAgrees has a list whose readings differ each time, since one of the
// secrets changes: the list is not read again for each secret of the batch.
func TestListNeverAgrees(t *testing.T) {
	withGitHub(t, fakegithub.Org{SecretCount: 101}, func(t *testing.T, g *testGitHub) {
		for i := range 200 { // each at the second page of a reading
			g.AddFault(fakegithub.Fault{
				Method: "GET", Path: "/secrets", After: i + 1, Change: &fakegithub.Secret{
					Store: "actions", Name: "S0001", Visibility: "private", UpdatedAt: time.Unix(int64(i), 0),
				},
			})
		}
		j := g.job(20, "")
		j.Items[19].Name = "S0001"
		j.Run(t.Context())
		wantEqual(t, "pages of the list", g.count("GET secrets"), 3*2)
	})
}
