package report

import (
	"slices"
	"strings"
	"testing"

	"set-org-secret/internal/secret"
)

// reviewed returns the results of a review: a secret for each text "NAME visibility
// [repository ...]", in which the name of a private repository begins with an x.
func reviewed(store secret.Store, texts ...string) (results []secret.Result) {
	for _, text := range texts {
		words := strings.Fields(text)
		access := secret.Access{Visibility: secret.Visibility(words[1])}
		for _, name := range words[2:] {
			repo := secret.Repository{ID: int64(name[0]), FullName: "acme/" + name, Private: name[0] == 'x'}
			access.Repositories = append(access.Repositories, repo)
		}
		check := &secret.Check{Exists: true, Listed: access.Visibility == secret.Selected}
		results = append(results, secret.Result{
			Store: store, Name: secret.Name(words[0]), Operation: secret.Checked, Access: access, Check: check,
		})
	}
	return results
}

// TestReadersOf checks who may read the secrets of a review.
func TestReadersOf(t *testing.T) {
	const every, everyPrivate = "every repository", "every private and internal repository"
	for _, test := range []struct {
		secrets []string
		want    []string // of each reader, the secrets open to it + those that select it
	}{
		{nil, []string{every + ": +", everyPrivate + ": +"}},
		{[]string{"A all", "B private", "C selected"}, []string{every + ": A+", everyPrivate + ": AB+"}},
		{
			[]string{"A all", "B private", "C selected web xkeys", "D selected web"},
			[]string{every + ": A+", everyPrivate + ": AB+", "acme/web: A+CD", "acme/xkeys: AB+C"},
		},
		{
			[]string{"A private", "B private", "C selected web api xkeys"}, // the most secrets first, then by name
			[]string{every + ": +", everyPrivate + ": AB+", "acme/xkeys: AB+C", "acme/api: +C", "acme/web: +C"},
		},
	} {
		d := decide(Run{Mode: secret.ModeCheck, Results: reviewed(secret.Actions, test.secrets...)}, roomy)
		kinds, repositories := readersOf(d.entries)
		got := convert(append(kinds, repositories...), func(r reader) string {
			return r.FullName + ": " + strings.Join(labels(r.open), "") + "+" + strings.Join(labels(r.selectedBy), "")
		})
		if !slices.Equal(got, test.want) {
			t.Errorf("%q: got %q, want %q", test.secrets, got, test.want)
		}
	}
}

// TestReviewInStores checks that a review of several stores warns about one, once, and
// counts the secrets of all in its table; review-over-100.txtar has the other warnings.
func TestReviewInStores(t *testing.T) {
	texts := append(slices.Repeat([]string{"A all"}, 1001), "B selected web")
	run := Run{Mode: secret.ModeCheck, Org: "acme", ListRepositories: true, Results: slices.Concat(
		reviewed(secret.Dependabot, texts...), reviewed(secret.Actions, texts...),
	)}
	r, stdout, env := newReporter(t)
	if err := r.Finish(run); err != nil {
		t.Fatal(err)
	}
	const warning = "::warning::every repository may read 1,001 actions secrets of acme, "
	if got := stdout.String(); strings.Count(got, "::warning::") != 1 || !strings.Contains(got, warning) {
		t.Errorf("got %q, want one warning, %q", got, warning)
	}
	const row = "<tr><td><code>acme/web</code></td><td>2,004</td>"
	if got := readFile(t, env["GITHUB_STEP_SUMMARY"]); !strings.Contains(got, row) {
		t.Errorf("the summary lacks %q:\n%s", row, got)
	}
}
