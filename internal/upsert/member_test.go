package upsert

import (
	"testing"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/secret"
)

// TestHiddenMembers changes a list of which the token sees one of two repositories.
func TestHiddenMembers(t *testing.T) {
	dropped := fakegithub.Fault{Drop: "before"}
	forbidden := fakegithub.Fault{Status: 403}
	for _, test := range []struct {
		name    string
		change  secret.ListChange
		id      int64
		faults  []fakegithub.Fault // of the attempts at a write
		want    secret.Operation
		changed []int64
	}{
		{"added", secret.ListAdd, 2, nil, secret.Updated, []int64{2}},
		{"add of one on the list", secret.ListAdd, 1, nil, secret.Unchanged, []int64{}},
		{
			"add that was lost, and may be among the hidden", secret.ListAdd, 2,
			[]fakegithub.Fault{dropped, forbidden},
			secret.Unknown,
			[]int64{},
		},
		{"removal of one on the list", secret.ListRemove, 1, nil, secret.Updated, []int64{1}},
		{
			"removal of one that is not on the list", secret.ListRemove, 2,
			[]fakegithub.Fault{{Status: 404}},
			secret.Unchanged,
			[]int64{},
		},
		{
			"removal of one that is not on the list after an unproven attempt", secret.ListRemove, 2,
			[]fakegithub.Fault{dropped, {Status: 404}},
			secret.Updated,
			[]int64{2},
		},
		{
			"removal that was lost, of one on the list", secret.ListRemove, 1,
			[]fakegithub.Fault{dropped, forbidden},
			secret.Failed,
			[]int64{},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			org := fakegithub.Org{
				Repositories: []fakegithub.Repository{{ID: 1, Name: "web"}, {ID: 2, Name: "api"}, {ID: 3, Name: "keys"}},
				Secrets: []fakegithub.Secret{
					{Store: "actions", Name: "S1", Visibility: "selected", Repositories: []string{"web", "keys"}},
				},
			}
			withGitHub(t, org, func(t *testing.T, g *testGitHub) {
				g.AddFault(fakegithub.Fault{
					Method: "GET", Path: "/S1/repositories", Times: -1, Status: 200,
					Body: `{"total_count": 2, "repositories": [{"id": 1, "full_name": "acme/web"}]}`,
				})
				for _, fault := range test.faults {
					fault.Path = "/S1/repositories/*"
					g.AddFault(fault)
				}
				j := g.job(1, "")
				j.Change, j.Selection = test.change, &secret.Selection{IDs: []int64{test.id}}
				r := j.Run(t.Context())[0]
				wantEqual(t, "operation", r.Operation, test.want)
				wantEqual(t, "changed", append(r.Added, r.Removed...), test.changed)
				wantEqual(t, "in the output of the change", (r.Added != nil) == (test.change == secret.ListAdd), true)
			})
		})
	}
}

// TestMembersNotSelected has a secret without a list: nothing is written, and the row has an empty list of changes.
func TestMembersNotSelected(t *testing.T) {
	org := fakegithub.Org{Secrets: []fakegithub.Secret{{Store: "actions", Name: "S1", Visibility: "all"}}}
	withGitHub(t, org, func(t *testing.T, g *testGitHub) {
		j := g.job(1, "")
		j.Change, j.Selection = secret.ListRemove, &secret.Selection{IDs: []int64{1}}
		r := j.Run(t.Context())[0]
		wantError(t, "result", r.Err, "the secret's visibility is all")
		wantEqual(t, "removed is an empty list", r.Removed != nil && len(r.Removed) == 0, true)
	})
}

// TestSettleLists has lists whose writes got no response. One of the secrets is gone afterwards; the other is read.
func TestSettleLists(t *testing.T) {
	withGitHub(t, lists("S1", "S2"), func(t *testing.T, g *testGitHub) {
		for range 2 {
			g.AddFault(fakegithub.Fault{Method: "PUT", Path: "/repositories", Drop: "before"})
		}
		g.AddFault(fakegithub.Fault{Method: "PUT", Path: "/repositories", Times: -1, Status: 403})
		g.AddFault(fakegithub.Fault{Method: "GET", Path: "/S1/repositories", After: 1, Status: 404})
		j := g.job(2, "")
		j.Change, j.Selection = secret.ListReplace, &secret.Selection{IDs: []int64{2}}
		results := j.Run(t.Context())
		wantEqual(t, "the secret that is gone", results[0].Operation, secret.Unknown)
		wantEqual(t, "the other", results[1].Operation, secret.Failed)
	})
}

// TestRemoveWithExclusion removes repositories by id but for those that a pattern excludes; one of the ids is on no
// list.
func TestRemoveWithExclusion(t *testing.T) {
	org := fakegithub.Org{
		Repositories: []fakegithub.Repository{{ID: 1, Name: "web"}, {ID: 2, Name: "api"}, {ID: 3, Name: "svc-one"}},
		Secrets: []fakegithub.Secret{
			{Store: "actions", Name: "S1", Visibility: "selected", Repositories: []string{"api", "svc-one"}},
		},
	}
	withGitHub(t, org, func(t *testing.T, g *testGitHub) {
		j := g.job(1, "")
		j.Change, j.Selection = secret.ListRemove, &secret.Selection{IDs: []int64{1, 2, 3}, Excluded: patterns("!svc-*")}
		r := j.Run(t.Context())[0]
		wantEqual(t, "error", r.Err, nil)
		wantEqual(t, "removed", r.Removed, []int64{2})
		wantEqual(t, "logged", g.logged[0], "S1 in actions: acme/web is not on the list")
	})
}

// TestListNotFound has a list that gets 404 beside a secret that can be read: the error is that of the list.
func TestListNotFound(t *testing.T) {
	org := fakegithub.Org{Secrets: []fakegithub.Secret{{Store: "actions", Name: "S1", Visibility: "selected"}}}
	withGitHub(t, org, func(t *testing.T, g *testGitHub) {
		g.AddFault(fakegithub.Fault{Method: "GET", Path: "/S1/repositories", Times: -1, Status: 404})
		j := g.job(1, "")
		j.Change, j.Selection = secret.ListAdd, &secret.Selection{IDs: []int64{1}}
		wantError(t, "result", j.Run(t.Context())[0].Err, "listing the selected repositories: 404 Not Found")
	})
}
