package upsert

import (
	"errors"
	"testing"
	"time"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/seal"
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

// TestRefusedGiven has two values that were given sealed. GitHub cannot decrypt the first, and does not let the second
// be written. A value that GitHub cannot open is not repeated, nor is one whose key came from the same place.
func TestRefusedGiven(t *testing.T) {
	for _, test := range []struct {
		name    string
		hasKey  bool
		message string
		kept    [2]bool
		want    string
	}{
		{"GitHub's own key", true, "improperly encrypted", [2]bool{false, true}, "improperly encrypted"},
		{"no key", false, "improperly encrypted", [2]bool{false, false}, "not GitHub's, although it has the id"},
		{"refused for another reason", false, "no", [2]bool{true, true}, "422 no"},
	} {
		t.Run(test.name, func(t *testing.T) {
			withGitHub(t, fakegithub.Org{}, func(t *testing.T, g *testGitHub) {
				g.AddFault(fakegithub.Fault{
					Method: "PUT", Path: "/S1", Status: 422, Times: -1, Body: `{"message": "` + test.message + `"}`,
				})
				g.AddFault(fakegithub.Fault{Method: "PUT", Path: "/S2", Status: 403, Times: -1})
				j := g.job(2, secret.All)
				for i := range j.Items {
					sealed := seal.Sealed{EncryptedValue: "AAAA"}
					sealed.KeyID, sealed.PublicKey = g.Key("acme", "actions")
					if !test.hasKey {
						sealed.PublicKey = ""
					}
					j.Items[i] = Item{Store: secret.Actions, Name: j.Items[i].Name, Sealed: sealed}
				}
				results := j.Run(t.Context())
				wantError(t, "error", results[0].Err, test.want)
				wantEqual(t, "kept", [2]bool{results[0].EncryptedValue != "", results[1].EncryptedValue != ""}, test.kept)
			})
		})
	}
}

// TestGivenWithoutKey checks that a given value is kept if GitHub's key cannot be read: it may be GitHub's own.
func TestGivenWithoutKey(t *testing.T) {
	withGitHub(t, fakegithub.Org{}, func(t *testing.T, g *testGitHub) {
		g.AddFault(fakegithub.Fault{Path: "public-key", Status: 403, Times: -1})
		j := g.job(1, secret.All)
		j.Items[0] = Item{Store: secret.Actions, Name: "S1", Sealed: seal.Sealed{KeyID: "1", EncryptedValue: "AAAA"}}
		r := j.Run(t.Context())[0]
		wantError(t, "error", r.Err, "403")
		wantEqual(t, "value", r.EncryptedValue, "AAAA")
	})
}
