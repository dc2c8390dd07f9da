package report

import (
	"errors"
	"strings"
	"testing"
	"time"

	"set-org-secret/internal/secret"
)

// titleTest is a run of acme and its title.
type titleTest struct {
	run     Run
	results []secret.Result
	want    string
}

func testTitles(t *testing.T, tests []titleTest) {
	t.Helper()
	for _, test := range tests {
		test.run.Org, test.run.Results = "acme", test.results
		d := decide(test.run, roomy)
		if got := d.sign + " " + d.title; got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
		if line := lastLine(d); !strings.HasPrefix(line, d.title) {
			t.Errorf("the log ends with %q, want the title %q", line, d.title)
		}
	}
}

// TestWriteTitles checks the titles of runs that store, seal or change access: whose secrets, what happened, and each
// number.
func TestWriteTitles(t *testing.T) {
	// results makes a result of each operation, of secret A, B, … in actions.
	results := func(ops ...secret.Operation) (list []secret.Result) {
		for i, op := range ops {
			list = append(list, secret.Result{Store: secret.Actions, Name: secret.Name('A' + rune(i)), Operation: op})
		}
		return list
	}
	// inStores is one secret in several stores.
	inStores := func(ops ...secret.Operation) []secret.Result {
		list := results(ops...)
		for i := range list {
			list[i].Name, list[i].Store = "A", []secret.Store{secret.Actions, secret.Dependabot, secret.Codespaces}[i]
		}
		return list
	}
	const created, updated, failed, unknown, unchanged = secret.Created, secret.Updated, secret.Failed, secret.Unknown, secret.Unchanged
	set, seal, access := Run{Mode: secret.ModeSet}, Run{Mode: secret.ModeSeal}, Run{Mode: secret.ModeAccess}
	dry, dryAccess := Run{Mode: secret.ModeSet, DryRun: true}, Run{Mode: secret.ModeAccess, DryRun: true}
	overwritten, partly, added := results(updated), results(failed), results(updated)
	overwritten[0].Err = errors.New("x")
	partly[0].Added, partly[0].Err = []int64{1}, errors.New("x")
	added[0].Added = []int64{1}
	noName := []secret.Result{{Operation: secret.SealedOnly}}
	testTitles(t, []titleTest{
		{set, results(created), "✅ A created in acme"},
		{set, results(updated), "✅ A updated in acme"},
		{set, results(failed), "❌ A not stored in acme"},
		{set, results(unknown), "❓ A may or may not be stored in acme"},
		{set, overwritten, "⚠️ A updated with an error in acme"},
		{dry, results(secret.WouldCreate), "✅ A would be created in acme (dry run, nothing was written)"},
		{seal, results(secret.SealedOnly), "✅ A sealed in acme"},
		{seal, results(failed), "❌ A not sealed in acme"},
		{seal, noName, "✅ acme: 1 value sealed"},
		{set, results(created, updated), "✅ acme: 2 secrets stored"},
		{set, results(created, failed, unknown), "❌ acme: 1 of 3 secrets stored, 1 failed, 1 unknown"},
		{set, results(created, unknown), "❓ acme: 1 of 2 secrets stored, 1 unknown"},
		{set, results(failed, failed), "❌ acme: 0 of 2 secrets stored, 2 failed"},
		{set, append(results(created), overwritten...), "⚠️ acme: 2 secrets stored, 1 with an error"},
		{set, inStores(created, created, updated), "✅ acme: 3 secrets stored"},
		{dry, results(secret.WouldCreate, failed), "❌ acme: 1 of 2 secrets would be stored, 1 failed (dry run, nothing was written)"},
		{seal, results(secret.SealedOnly, failed), "❌ acme: 1 of 2 values sealed, 1 failed"},
		{access, results(updated), "✅ access to A changed in acme"},
		{access, results(unchanged), "✅ access to A unchanged in acme"},
		{access, results(failed), "❌ access to A not changed in acme"},
		{access, added, "✅ access to A changed in acme"},
		{dryAccess, partly, "❌ access to A not changed in acme (dry run, nothing was written)"},
		{access, partly, "❌ access to A changed in part in acme"},
		{access, results(updated, updated), "✅ acme: access to 2 secrets changed"},
		{access, results(unchanged, unchanged), "✅ acme: access to 2 secrets unchanged"},
		{access, results(updated, unchanged, failed), "❌ acme: access to 1 of 3 secrets changed, 1 unchanged, 1 failed"},
		{dryAccess, results(secret.WouldUpdate, unchanged), "✅ acme: access to 1 of 2 secrets would be changed, 1 unchanged (dry run, nothing was written)"},
		{Run{Mode: secret.ModeSet, Problems: []string{"org: missing"}, Where: "in the inputs"}, nil, "❌ 1 problem in the inputs; nothing was sent to GitHub"},
	})
}

// TestCheckTitles checks the titles of checks and reviews.
func TestCheckTitles(t *testing.T) {
	const day, failed = 24 * time.Hour, secret.Failed
	check := func(name secret.Name, age time.Duration) secret.Result {
		c := &secret.Check{Exists: age > 0, Age: age, Due: age == 0 || age > 90*day}
		return secret.Result{Store: secret.Actions, Name: name, Operation: secret.Checked, Check: c}
	}
	open, openOld, dependabot := check("A", day), check("A", 91*day), check("A", 100*day)
	open.Access.Visibility, openOld.Access.Visibility, dependabot.Store = secret.All, secret.All, secret.Dependabot
	noList := secret.Result{Store: secret.Dependabot, Operation: failed, Err: errors.New("x")}
	check90, review := Run{Mode: secret.ModeCheck, MaxAge: 90 * day}, Run{Mode: secret.ModeCheck, ListRepositories: true}
	testTitles(t, []titleTest{
		{check90, []secret.Result{check("A", 100*day), check("B", 0), check("C", day), check("D", 91*day)}, "🔴 acme: 2 of 4 secrets older than 90 days, 1 missing"},
		{check90, []secret.Result{check("A", 100*day), dependabot}, "🔴 acme: 2 secrets older than 90 days"},
		{check90, []secret.Result{check("A", 0), check("B", day), failing("C", failed, errors.New("x"))}, "❌ acme: 1 of 3 secrets missing, 1 failed"},
		{check90, []secret.Result{check("A", day)}, "✅ A is within 90 days in acme"},
		{check90, []secret.Result{check("A", 100*day)}, "🔴 A is older than 90 days in acme"},
		{check90, []secret.Result{check("A", 0)}, "🔴 A is missing in acme"},
		{check90, []secret.Result{check("A", day), check("B", day)}, "✅ acme: 2 secrets within 90 days"},
		{Run{Mode: secret.ModeCheck}, []secret.Result{check("A", day)}, "✅ A checked in acme"},
		{Run{Mode: secret.ModeCheck}, []secret.Result{check("A", day), failing("C", failed, errors.New("x"))}, "❌ acme: 1 of 2 secrets checked, 1 failed"},
		{Run{Mode: secret.ModeCheck}, []secret.Result{failing("C", failed, errors.New("x"))}, "❌ C not checked in acme"},
		{review, []secret.Result{open, check("B", day)}, "⚠️ acme: 1 of 2 secrets open to every repository"},
		{review, []secret.Result{open}, "⚠️ A is open to every repository in acme"},
		{Run{Mode: secret.ModeCheck, MaxAge: 90 * day, ListRepositories: true}, []secret.Result{open, check("B", 91*day)}, "🔴 acme: 1 of 2 secrets older than 90 days, 1 open to every repository"},
		{Run{Mode: secret.ModeCheck, MaxAge: 90 * day, ListRepositories: true}, []secret.Result{openOld}, "🔴 A is older than 90 days in acme"},
		{Run{Mode: secret.ModeCheck}, []secret.Result{check("A", day), noList}, "❌ acme: 1 secret checked, 1 list of secrets not read"},
		{Run{Mode: secret.ModeCheck}, nil, "✅ acme: 0 secrets checked"},
	})
}
