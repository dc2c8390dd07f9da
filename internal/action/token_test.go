package action

import (
	"fmt"
	"regexp"
	"testing"

	"set-org-secret/internal/fakegithub"
)

// TestWhichToken runs every mode on every store with every kind of token, and
// checks against the reference which tokens are refused. The fake decides by
// GitHub's published permissions.
func TestWhichToken(t *testing.T) {
	page := documents(t)[".github/docs/reference.md"]
	_, levels := table(t, page, "## Permissions")
	stores := regexp.MustCompile("(?m)^- `(\\w+)`: \\*(.+)\\* \\(`(\\w+)`\\)$").FindAllStringSubmatch(page, -1)
	if len(levels) != 2 || len(stores) != 4 {
		t.Fatalf("the reference has the levels %q and the stores %q, want 2 and 4", levels, stores)
	}
	modes := 0
	for _, level := range levels {
		for _, mode := range inlineCode.FindAllStringSubmatch(level[0], -1) {
			modes++
			for _, store := range stores {
				for _, token := range tokenCases(store[3], store[2], level[1]) {
					t.Run(fmt.Sprintf("%s %s %s", mode[1], store[1], token.name), func(t *testing.T) {
						testToken(t, mode[1], store[1], token)
					})
				}
			}
		}
	}
	wantEqual(t, "modes of the reference", modes, 4)
}

// tokenCase is a token and whether it is sufficient.
type tokenCase struct {
	name    string
	token   fakegithub.Token
	granted bool
	want    string // in the refusal
}

// tokenCases returns tokens with and without the requirement of the reference: a
// permission, called name in GitHub's forms, at a level, or for a classic token a scope.
func tokenCases(permission, name, level string) []tokenCase {
	const scope = "admin:org"
	classic := func(scopes ...string) fakegithub.Token {
		return fakegithub.Token{Value: "ghp_x", Kind: "classic", Scopes: scopes}
	}
	fineGrained := func(permission, level string) fakegithub.Token {
		permissions := map[string]string{permission: level}
		return fakegithub.Token{Value: "github_pat_x", Kind: "fine-grained", Permissions: permissions}
	}
	app := func(kind, permission, level string) fakegithub.Token {
		return fakegithub.Token{Value: "ghs_x", Kind: kind, Permissions: map[string]string{permission: level}}
	}
	wantGrant := "Give the token the organization permission " + name + ": " + level
	wantApp := "that is installed in acme with the organization permission " + name + ": " + level
	return []tokenCase{
		{"classic", classic(scope), true, ""},
		{"classic without the scope", classic("repo", "workflow", "read:org"), false, "Give the token the scope " + scope},
		{"fine-grained", fineGrained(permission, level), true, ""},
		{"fine-grained, read only", fineGrained(permission, "read"), level == "read", wantGrant},
		{"fine-grained for another store", fineGrained("other_"+permission, "write"), false, wantGrant},
		{"app", app("app", permission, level), true, ""},
		{"app, read only", app("app", permission, "read"), level == "read", "Give it " + name + ": Read and write"},
		{"app for another store", app("app", "other_"+permission, "write"), false, wantApp},
		{"GITHUB_TOKEN", app("workflow", permission, "write"), false, wantApp},
	}
}

func testToken(t *testing.T, mode, store string, token tokenCase) {
	with := map[string]string{"mode": mode, "stores": store, "secret_name": "CHOSEN", "token": token.token.Value}
	switch mode {
	case "set", "seal":
		with["secret_value"] = "Correct-Horse"
	case "access":
		with["selected_repository_ids"] = "1"
	}
	world := worldWith(t, "empty", "secret "+store+"/CHOSEN visibility=selected")
	world.Tokens = []fakegithub.Token{token.token}
	r := stepRun{with: with}.simulate(t, newGitHub(t, world))
	if token.granted {
		r.wantCode(t, 0)
		return
	}
	r.wantCode(t, 1)
	wantContains(t, "the log", r.logText(), token.want)
}
