package github

import (
	"net/url"
	"testing"

	"set-org-secret/internal/secret"
)

// TestAuthorize checks that only an https URL without user info is shown.
func TestAuthorize(t *testing.T) {
	const link = "https://github.com/orgs/acme/sso?a=b"
	for header, shown := range map[string]bool{
		"required; url=" + link:             true,
		"required":                          false,
		"required; url=http://evil.test":    false,
		"required; url=javascript:alert(1)": false,
		"required; url=https://u:p@evil":    false,
		"partial-results; organizations=1":  false,
	} {
		want := "Authorize the token for the organization in the settings of its owner (Configure SSO)."
		if shown {
			want = "Open " + link + " to authorize the token for the organization."
		}
		if got := authorize(header); got != want {
			t.Errorf("%q: got the hint %q, want %q", header, got, want)
		}
	}
}

// TestLacksStore checks which base URLs are a GitHub Enterprise Server, which
// lacks some stores.
func TestLacksStore(t *testing.T) {
	for address, want := range map[string]bool{
		"https://api.github.com/": false, "https://api.octo.ghe.com/": false, "http://127.0.0.1:8080/": false,
		"https://ghe.example/api/v3/": true, "http://127.0.0.1/api/v3/": true, "https://github.api.corp/api/v3/": true,
	} {
		base, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		for store, lacks := range map[secret.Store]bool{
			secret.Actions: false, secret.Dependabot: false, secret.Codespaces: want, secret.Agents: want, "": false,
		} {
			if got := lacksStore(&rejection{Options: &Options{BaseURL: base}, call: &call{store: store}}); got != lacks {
				t.Errorf("%s, %q: got %v, want %v", address, store, got, lacks)
			}
		}
	}
}

func TestTokenKind(t *testing.T) {
	for token, want := range map[string]*tokenKind{
		"ghp_a": classic, "github_pat_a": fineGrained, "ghs_a": installation, "gho_a": otherToken, "0123abcd": otherToken,
	} {
		if got := kindOf(token); got != want {
			t.Errorf("%s: got the kind %q, want %q", token, got.name, want.name)
		}
	}
}
