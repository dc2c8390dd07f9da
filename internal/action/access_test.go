package action

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/memnet"
)

// TestConcurrentAdds checks that two runs at once, which add other repositories to
// the same list, do not undo each other.
func TestConcurrentAdds(t *testing.T) {
	server := newGitHub(t, worldWith(t, "team", "secret actions/TOKEN repositories=web", "fault delay=40ms times=-1"))
	dirs := []string{t.TempDir(), t.TempDir()}
	synctest.Test(t, func(t *testing.T) {
		network := memnet.Serve(server)
		defer network.Close()
		var wg sync.WaitGroup
		for i, name := range []string{"api", "site"} {
			wg.Go(func() {
				with := map[string]string{
					"mode": "access", "change": "add", "secret_name": "TOKEN", "selected_repositories": name,
				}
				stepRun{with: with, dir: dirs[i], dial: network.Dial}.run(t.Context(), t).wantCode(t, 0)
			})
		}
		wg.Wait()
	})
	s, _ := server.Secret("acme", "actions", "TOKEN")
	wantEqual(t, "repositories", strings.Join(s.Repositories, " "), "api site web")
}

// TestReviewThousand reviews 1,000 secrets, 100 of which have a list: no more
// requests than pages of secrets, which are read twice, lists, and the key.
func TestReviewThousand(t *testing.T) {
	org := fakegithub.Org{
		Login: "acme", SecretCount: 900, Repositories: []fakegithub.Repository{{ID: 1, Name: "web"}},
	}
	for i := range 100 {
		org.Secrets = append(org.Secrets, fakegithub.Secret{
			Store: "actions", Name: fmt.Sprintf("LISTED_%03d", i+1), Visibility: "selected", Repositories: []string{"web"},
		})
	}
	server := newGitHub(t, fakegithub.World{Orgs: []fakegithub.Org{org}})
	with := map[string]string{"mode": "check", "secret_name": "*", "list_repositories": "true"}
	r := stepRun{with: with}.simulate(t, server)
	r.wantCode(t, 0)
	r.wantWithinLimits(t)
	wantEqual(t, "requests", len(server.Requests()), 2*10+100+1)
	wantContains(t, "the summary", r.summary, "may read 900 secrets", "<tr><td><code>acme/web</code></td><td>100</td>")
}
