package upsert

import (
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
