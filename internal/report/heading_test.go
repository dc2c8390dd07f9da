package report

import (
	"errors"
	"testing"
	"time"

	"set-org-secret/internal/secret"
)

// TestHeading checks the first line of the summary: whose secrets, and each number.
func TestHeading(t *testing.T) {
	const day = 24 * time.Hour
	// results makes a result of each operation, of secret A, B, … in actions.
	results := func(ops ...secret.Operation) (list []secret.Result) {
		for i, op := range ops {
			list = append(list, secret.Result{Store: secret.Actions, Name: secret.Name('A' + rune(i)), Operation: op})
		}
		return list
	}
	// stored is one secret in several stores.
	inStores := func(ops ...secret.Operation) []secret.Result {
		list := results(ops...)
		for i := range list {
			list[i].Name, list[i].Store = "A", []secret.Store{secret.Actions, secret.Dependabot, secret.Codespaces}[i]
		}
		return list
	}
	check := func(name secret.Name, age time.Duration) secret.Result {
		c := &secret.Check{Exists: age > 0, Age: age, Due: age == 0 || age > 90*day}
		return secret.Result{Store: secret.Actions, Name: name, Operation: secret.Checked, Check: c}
	}
	open := check("A", day)
	open.Access.Visibility = secret.All
	dependabot := check("A", 100*day)
	dependabot.Store = secret.Dependabot
	noList := secret.Result{Store: secret.Dependabot, Operation: secret.Failed, Err: errors.New("x")}
	overwritten := results(secret.Updated)
	overwritten[0].Err = errors.New("x")
	const created, updated, failed, unknown, unchanged = secret.Created, secret.Updated, secret.Failed, secret.Unknown, secret.Unchanged
	for _, test := range []struct {
		run  Run
		want string
	}{
		{Run{Mode: secret.ModeSet, Results: results(created)}, "✅ acme: 1 secret stored"},
		{Run{Mode: secret.ModeSeal, Results: []secret.Result{{Operation: secret.SealedOnly}}}, "✅ acme: 1 value sealed"},
		{Run{Mode: secret.ModeSeal, Results: []secret.Result{{Operation: failed}}}, "❌ acme: 0 of 1 value sealed, 1 failed"},
		{Run{Mode: secret.ModeSet, Results: results(created, updated)}, "✅ acme: 2 secrets stored"},
		{Run{Mode: secret.ModeSet, Results: results(created, failed, unknown)}, "⚠️ acme: 1 of 3 secrets stored, 1 failed, 1 unknown"},
		{Run{Mode: secret.ModeSet, Results: results(failed, failed)}, "❌ acme: 0 of 2 secrets stored, 2 failed"},
		{Run{Mode: secret.ModeSet, Results: results(unknown)}, "⚠️ acme: 0 of 1 secret stored, 1 unknown"},
		{Run{Mode: secret.ModeSet, Results: overwritten}, "⚠️ acme: 1 secret stored, 1 with an error"},
		{Run{Mode: secret.ModeSet, Results: inStores(created, created, updated)}, "✅ acme: 1 secret stored in 3 stores"},
		{Run{Mode: secret.ModeSet, Results: inStores(created, failed, created)}, "⚠️ acme: 2 of 3 stored (1 secret in 3 stores), 1 failed"},
		{
			Run{Mode: secret.ModeSet, Results: append(results(created, created), inStores(created, created)[1])},
			"✅ acme: 3 stored (2 secrets in 2 stores)",
		},
		{
			Run{Mode: secret.ModeSet, DryRun: true, Results: results(secret.WouldCreate, failed)},
			"⚠️ acme: 1 of 2 secrets would be stored, 1 failed (dry run, nothing was written)",
		},
		{Run{Mode: secret.ModeSeal, Results: results(secret.SealedOnly, secret.SealedOnly)}, "✅ acme: 2 values sealed"},
		{Run{Mode: secret.ModeSeal, Results: inStores(secret.SealedOnly, secret.SealedOnly)}, "✅ acme: 1 value sealed for 2 stores"},
		{Run{Mode: secret.ModeSeal, Results: inStores(secret.SealedOnly, failed)}, "⚠️ acme: 1 of 2 sealed (1 value for 2 stores), 1 failed"},
		{Run{Mode: secret.ModeAccess, Results: results(updated, updated)}, "✅ acme: access to 2 secrets changed"},
		{Run{Mode: secret.ModeAccess, Results: results(unchanged, unchanged)}, "✅ acme: access to 2 secrets unchanged"},
		{
			Run{Mode: secret.ModeAccess, Results: results(updated, unchanged, failed)},
			"⚠️ acme: access to 1 of 3 secrets changed, 1 unchanged, 1 failed",
		},
		{
			Run{Mode: secret.ModeAccess, DryRun: true, Results: results(secret.WouldUpdate, unchanged)},
			"✅ acme: access to 1 of 2 secrets would be changed, 1 unchanged (dry run, nothing was written)",
		},
		{
			Run{Mode: secret.ModeCheck, MaxAge: 90 * day, Results: []secret.Result{check("A", 100*day), check("B", 0), check("C", day), check("D", 91*day)}},
			"🔴 acme: 2 of 4 secrets are older than 90 days, 1 is missing",
		},
		{
			Run{Mode: secret.ModeCheck, MaxAge: 12 * time.Hour, Results: []secret.Result{check("A", 100*day), dependabot}},
			"🔴 acme: 2 of 2 secrets in 2 stores are older than 12 hours",
		},
		{
			Run{Mode: secret.ModeCheck, MaxAge: 90 * day, Results: []secret.Result{check("A", 0), check("B", day), failure("C", failed, errors.New("x"))}},
			"🔴 acme: 1 of 3 secrets is missing, 1 failed",
		},
		{Run{Mode: secret.ModeCheck, MaxAge: 90 * day, Results: []secret.Result{check("A", day)}}, "🟢 acme: 1 secret is within 90 days"},
		{
			Run{Mode: secret.ModeCheck, Results: []secret.Result{check("A", day), failure("C", failed, errors.New("x"))}},
			"⚠️ acme: 1 of 2 secrets checked, 1 failed",
		},
		{Run{Mode: secret.ModeCheck, Results: []secret.Result{failure("C", failed, errors.New("x"))}}, "❌ acme: 0 of 1 secret checked, 1 failed"},
		{
			Run{Mode: secret.ModeCheck, ListRepositories: true, Results: []secret.Result{open, check("B", day)}},
			"🟢 acme: 2 secrets checked, 1 open to every repository",
		},
		{
			Run{Mode: secret.ModeCheck, Results: []secret.Result{check("A", day), noList}},
			"⚠️ acme: 1 secret in 2 stores checked, the secrets of dependabot could not be read",
		},
		{Run{Mode: secret.ModeCheck, Results: []secret.Result{noList}}, "❌ acme: the secrets of dependabot could not be read"},
		{Run{Mode: secret.ModeCheck}, "🟢 acme: there are no secrets"},
		{Run{Mode: secret.ModeSet, Refused: []string{"org: missing"}}, "❌ Nothing was sent to GitHub"},
	} {
		test.run.Org = "acme"
		if got := heading(test.run); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}
