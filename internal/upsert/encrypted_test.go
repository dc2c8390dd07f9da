package upsert

import (
	"errors"
	"testing"
	"time"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/secret"
)

// TestRefusedEncryptedBatch has a GitHub that cannot decrypt any value, and names the
// secret in its message: the key is fetched again for all of them at once.
func TestRefusedEncryptedBatch(t *testing.T) {
	withGitHub(t, fakegithub.Org{}, func(t *testing.T, g *testGitHub) {
		for _, item := range g.job(20, secret.All).Items {
			g.AddFault(fakegithub.Fault{
				Method: "PUT", Path: "/" + string(item.Name), Status: 422, Times: -1,
				Body: `{"message": "` + string(item.Name) + ` is improperly encrypted"}`,
			})
		}
		start := time.Now()
		for _, r := range g.job(20, secret.All).Run(t.Context()) {
			wantEqual(t, "nobody can open it", errors.Is(r.Err, secret.ErrCannotOpen), true)
		}
		wantEqual(t, "fetches of the key", g.count("GET public-key"), 4)
		wantEqual(t, "time", time.Since(start), 12*time.Second)
	})
}
