package upsert

import (
	"testing"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/secret"
)

// TestOptionalReadsStopNoWrite has a store whose secrets cannot be read, which takes
// most of the timeout, and whose writes then fail for a while: they have the rest of it.
func TestOptionalReadsStopNoWrite(t *testing.T) {
	withGitHub(t, fakegithub.Org{}, func(t *testing.T, g *testGitHub) {
		g.AddFault(fakegithub.Fault{Method: "GET", Path: "/secrets", Status: 502, Times: -1})
		g.AddFault(fakegithub.Fault{Method: "PUT", Path: "/S1", Status: 502, Times: -1})
		for _, name := range []string{"/S2", "/S3"} {
			g.AddFault(fakegithub.Fault{Method: "PUT", Path: name, Status: 502, Times: 4})
		}
		for _, r := range g.job(3, secret.All).Run(t.Context())[1:] {
			wantEqual(t, string(r.Name), r.Operation, secret.Created)
			wantEqual(t, string(r.Name)+": error", r.Err, nil)
		}
	})
}
