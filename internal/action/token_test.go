package action

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"set-org-secret/internal/fakegithub"
)

var codes = regexp.MustCompile("`([^`]+)`")

// TestWhichToken runs every mode on every store with every kind of token, and
// holds what is granted and what is refused to the README's table. The fake
// judges by GitHub's published permissions.
func TestWhichToken(t *testing.T) {
	_, rows := table(t, string(readFile(t, root+"/README.md")), "## Which token")
	if len(rows) != 8 {
		t.Fatalf("the README's table has %d rows", len(rows))
	}
	level := regexp.MustCompile(`^(.+ secrets|Secrets): (read|write) \(`)
	seen := map[string]bool{}
	for _, row := range rows {
		store, scope := codes.FindStringSubmatch(row[1])[1], codes.FindStringSubmatch(row[2])[1]
		permission, needs := codes.FindStringSubmatch(row[3])[1], level.FindStringSubmatch(row[3])
		if needs == nil {
			t.Fatalf("no level in %q", row[3])
		}
		for _, mode := range codes.FindAllStringSubmatch(row[0], -1) {
			seen[mode[1]+" "+store] = true
			grant := func(name, level string) map[string]string { return map[string]string{name: level} }
			for _, token := range []struct {
				name    string
				token   fakegithub.Token
				granted bool
				want    string // in the refusal
			}{
				{"classic", fakegithub.Token{Value: "ghp_x", Kind: "classic", Scopes: []string{scope}}, true, ""},
				{"classic without the scope", fakegithub.Token{Value: "ghp_x", Kind: "classic", Scopes: []string{"repo", "workflow", "read:org"}}, false, "needs the scope " + scope},
				{"fine-grained", fakegithub.Token{Value: "github_pat_x", Kind: "fine-grained", Permissions: grant(permission, needs[2])}, true, ""},
				{"fine-grained that reads", fakegithub.Token{Value: "github_pat_x", Kind: "fine-grained", Permissions: grant(permission, "read")}, needs[2] == "read", "Give it the organization permission " + needs[1] + ": " + needs[2]},
				{"fine-grained for another store", fakegithub.Token{Value: "github_pat_x", Kind: "fine-grained", Permissions: grant("other_"+permission, "write")}, false, "Give it the organization permission " + needs[1] + ": " + needs[2]},
				{"app", fakegithub.Token{Value: "ghs_x", Kind: "app", Permissions: grant(permission, needs[2])}, true, ""},
				{"app that reads", fakegithub.Token{Value: "ghs_x", Kind: "app", Permissions: grant(permission, "read")}, needs[2] == "read", "Use an App token with the organization permission " + needs[1] + ": " + needs[2]},
				{"app for another store", fakegithub.Token{Value: "ghs_x", Kind: "app", Permissions: grant("other_"+permission, "write")}, false, "Use an App token with the organization permission " + needs[1] + ": " + needs[2]},
				{"GITHUB_TOKEN", fakegithub.Token{Value: "ghs_x", Kind: "workflow", Permissions: grant(permission, "write")}, false, "Use an App token with the organization permission " + needs[1] + ": " + needs[2]},
			} {
				t.Run(fmt.Sprintf("%s %s %s", mode[1], store, token.name), func(t *testing.T) {
					with := map[string]string{"mode": mode[1], "stores": store, "secret_name": "CHOSEN", "token": token.token.Value}
					switch mode[1] {
					case "set", "seal":
						with["secret_value"] = "Correct-Horse"
					case "access":
						with["selected_repository_ids"] = "1"
					}
					server := newGitHub(t, fakegithub.World{
						Tokens: []fakegithub.Token{token.token},
						Orgs: []fakegithub.Org{{
							Login: "acme", Repositories: []fakegithub.Repository{{ID: 1, Name: "web"}},
							Secrets: []fakegithub.Secret{{Store: store, Name: "CHOSEN", Value: "old", Visibility: "selected"}},
						}},
					})
					r := stepRun{with: with}.simulate(t, server)
					if (r.code == 0) != token.granted {
						t.Fatalf("exit code %d:\n%s", r.code, r.stdout)
					}
					if log := strings.Join(r.log().Lines, "\n"); !token.granted && !strings.Contains(log, token.want) {
						t.Errorf("no %q in:\n%s", token.want, log)
					}
				})
			}
		}
	}
	for _, mode := range []string{"set", "access", "check", "seal"} {
		for _, store := range []string{"actions", "dependabot", "codespaces", "agents"} {
			if !seen[mode+" "+store] {
				t.Errorf("the README's table lacks mode %s on store %s", mode, store)
			}
		}
	}
}
