package upsert

import (
	"fmt"
	"testing"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/secret"
)

// twoLists are two secrets with the same list; that of S1 cannot be read.
func twoLists() (fakegithub.Org, fakegithub.Fault) {
	org := fakegithub.Org{Repositories: []fakegithub.Repository{{ID: 1, Name: "web"}, {ID: 2, Name: "api"}}}
	for _, name := range []string{"S1", "S2"} {
		org.Secrets = append(org.Secrets, fakegithub.Secret{
			Store: "actions", Name: name, Visibility: "selected", Repositories: []string{"web"},
		})
	}
	return org, fakegithub.Fault{Method: "GET", Path: "/S1/repositories", Times: -1, Status: 403}
}

// TestReplaceListsAlone replaces two lists, one of which cannot be read: the other is
// written all the same.
func TestReplaceListsAlone(t *testing.T) {
	org, fault := twoLists()
	withGitHub(t, org, func(t *testing.T, g *testGitHub) {
		g.AddFault(fault)
		j := g.job(2, "")
		j.Change, j.Selection = secret.ListReplace, &secret.Selection{IDs: []int64{2}}
		results := j.Run(t.Context())
		wantEqual(t, "the list that cannot be read", results[0].Operation, secret.Failed)
		wantEqual(t, "the other", results[1].Operation, secret.Updated)
		wantEqual(t, "error of the other", results[1].Err, nil)
	})
}

// TestGivenAccessAlone gives the access of two secrets, the list of one of which cannot
// be read: the change of the other is known, in a dry run, too.
func TestGivenAccessAlone(t *testing.T) {
	for _, dryRun := range []bool{false, true} {
		t.Run(fmt.Sprintf("dry run %v", dryRun), func(t *testing.T) {
			org, fault := twoLists()
			withGitHub(t, org, func(t *testing.T, g *testGitHub) {
				g.AddFault(fault)
				j := g.job(2, secret.Private)
				j.DryRun = dryRun
				r := j.Run(t.Context())[1]
				wantEqual(t, "error of the one that can be read", r.Err, nil)
				wantEqual(t, "visibility before", r.Change.From, secret.Selected)
				wantEqual(t, "removed", len(r.Change.Removed), 1)
			})
		})
	}
}
