package action

import (
	"fmt"
	"regexp"
	"testing"

	"set-org-secret/internal/fakegithub"
)

var codes = regexp.MustCompile("`([^`]+)`")

// TestWhichToken runs every mode on every store with every kind of token, and
// checks what is granted and refused against the README's table. The fake decides
// by GitHub's published permissions.
func TestWhichToken(t *testing.T) {
	_, rows := table(t, string(readFile(t, root+"/README.md")), "## Which token")
	if len(rows) != 8 {
		t.Fatalf("the README's table has %d rows, want 8", len(rows))
	}
	level := regexp.MustCompile(`^(.+ secrets|Secrets): (read|write) \(`)
	seen := map[string]bool{}
	for _, row := range rows {
		store, scope := codes.FindStringSubmatch(row[1])[1], codes.FindStringSubmatch(row[2])[1]
		permission, grant := codes.FindStringSubmatch(row[3])[1], level.FindStringSubmatch(row[3])
		if grant == nil {
			t.Fatalf("no level in %q", row[3])
		}
		tokens := tokenCases(permission, scope, grant[1], grant[2])
		for _, mode := range codes.FindAllStringSubmatch(row[0], -1) {
			seen[mode[1]+" "+store] = true
			for _, token := range tokens {
				t.Run(fmt.Sprintf("%s %s %s", mode[1], store, token.name), func(t *testing.T) {
					testToken(t, mode[1], store, token)
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

// tokenCase is a token and whether it is sufficient.
type tokenCase struct {
	name    string
	token   fakegithub.Token
	granted bool
	want    string // in the refusal
}

// tokenCases returns tokens with and without what a row of the README's table
// requires: a permission, called name in GitHub's forms, at a level, or for a
// classic token a scope.
func tokenCases(permission, scope, name, level string) []tokenCase {
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
	wantGrant := "Give it the organization permission " + name + ": " + level
	wantApp := "Use an App token with the organization permission " + name + ": " + level
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
