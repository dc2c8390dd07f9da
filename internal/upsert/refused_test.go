package upsert

import (
	"testing"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/secret"
)

// TestAccessOfRefused retries a write until its list has a repository that the token
// cannot see. What was planned before that would take it away, so the result must not
// have it: a script for storing the value manually would.
func TestAccessOfRefused(t *testing.T) {
	for _, test := range []struct {
		name      string
		selection *secret.Selection
	}{
		{"list that is kept", nil},
		{"glob", &secret.Selection{Patterns: patterns("w*")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			withGitHub(t, oneList(), func(t *testing.T, g *testGitHub) {
				g.AddFault(fakegithub.Fault{
					Method: "PUT", Path: "/S1", Status: 429, Headers: map[string]string{"Retry-After": "90"},
				})
				g.AddFault(fakegithub.Fault{
					Method: "GET", Path: "/S1/repositories", After: 1, Times: -1, Status: 200,
					Body: `{"total_count": 2, "repositories": [{"id": 1, "full_name": "acme/web"}]}`,
				})
				j := g.job(1, "")
				j.Selection = test.selection
				r := j.Run(t.Context())[0]
				wantError(t, "result", r.Err, "the token can see only 1 of 2 selected repositories")
				wantEqual(t, "visibility, so no script", r.Access.Visibility, "")
			})
		})
	}
}
