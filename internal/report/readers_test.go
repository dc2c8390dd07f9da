package report

import (
	"fmt"
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

// TestTooManyNotes checks when a review warns, and about whom; review-over-100.txtar has
// the whole text.
func TestTooManyNotes(t *testing.T) {
	many := func(n int, access string, others ...string) (texts []string) {
		for i := range n {
			texts = append(texts, fmt.Sprintf("S%04d %s", n-i, access)) // not in order of names
		}
		return append(texts, others...)
	}
	const every, everyPrivate = "every repository", "every private and internal repository"
	const listed = "selected web xkeys api"
	for _, test := range []struct {
		name    string
		store   secret.Store
		secrets []string
		who     string // may read
		number  string // so many; empty without a warning
		from    string // the first name that a workflow does not get
	}{
		{"100 for all", secret.Actions, many(100, "all"), "", "", ""},
		{"101 for all", secret.Actions, many(101, "all"), every, "101", "S0101"},
		{"1,000 for all", secret.Actions, many(1000, "all"), every, "1,000", "S0101"},
		{"another store", secret.Dependabot, many(101, "all"), "", "", ""},
		{"and more for some", secret.Actions, many(101, "all", "A private", "B "+listed), every, "101", "S0101"},
		{"private and all", secret.Actions, many(100, "private", "A all"), everyPrivate, "101", "S0100"},
		{"100 selected", secret.Actions, many(100, "selected web"), "", "", ""},
		{"selected and private", secret.Actions, many(100, listed, "A private"), "acme/xkeys", "101", "S0100"},
	} {
		run := Run{Mode: secret.ModeCheck, Org: "acme", ListRepositories: true, Results: reviewed(test.store, test.secrets...)}
		got := strings.Join(slices.Concat(tooManyNotes(decide(run, roomy))...), "\n")
		start, middle := test.who+" may read "+test.number+" actions secrets of acme, ", " from "+test.from+" on, are empty there\n"
		switch {
		case test.number == "" && got != "":
			t.Errorf("%s: got %q, want no warning", test.name, got)
		case test.number != "" && (!strings.HasPrefix(got, start) || !strings.Contains(got, middle)):
			t.Errorf("%s: got %q, want %q first and %q in it", test.name, got, start, middle)
		}
		run.ListRepositories = false
		if got := tooManyNotes(decide(run, roomy)); len(got) > 0 {
			t.Errorf("%s: got %q without a review", test.name, got)
		}
	}
}

// TestReviewInStores checks that a review of several stores warns about one, and counts
// the secrets of all in its table.
func TestReviewInStores(t *testing.T) {
	texts := slices.Repeat([]string{"A all", "B selected web"}, 51)
	run := Run{Mode: secret.ModeCheck, Org: "acme", ListRepositories: true, Results: slices.Concat(
		reviewed(secret.Dependabot, texts...), reviewed(secret.Actions, texts...),
	)}
	r, stdout, env := newReporter(t)
	if err := r.Finish(run); err != nil {
		t.Fatal(err)
	}
	const warning = "::warning::acme/web may read 102 actions secrets of acme, "
	if got := stdout.String(); strings.Count(got, "::warning::") != 1 || !strings.Contains(got, warning) {
		t.Errorf("got %q, want one warning, %q", got, warning)
	}
	const row = "<tr><td><code>acme/web</code></td><td>204</td>"
	if got := readFile(t, env["GITHUB_STEP_SUMMARY"]); !strings.Contains(got, row) {
		t.Errorf("the summary lacks %q:\n%s", row, got)
	}
}
