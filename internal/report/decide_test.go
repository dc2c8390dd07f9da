package report

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"set-org-secret/internal/fakerunner"
	"set-org-secret/internal/mask"
	"set-org-secret/internal/secret"
)

// TestNextStep checks the one next step of a failure, and where its value is said to be, for each place and operation.
func TestNextStep(t *testing.T) {
	const (
		both    = "Saved, sealed, in this step's outputs and the job summary."
		outputs = "Saved, sealed, in this step's outputs."
		summary = "Saved, sealed, in the job summary."
		lost    = "The value is not saved."

		script    = "un the script in the job summary (or pass the output `results` to `sealed`)"
		rows      = "ass the rows in the job summary (or the output `results`) to `sealed`"
		noRotate  = ". Do not rotate again."
		again     = "storing it again is safe. Do not rotate again."
		keepOld   = "Keep the old credential active: this run did not store the new one. "
		keepBoth  = "Keep the old and the new credential active: "
		elsewhere = keepBoth + "another store has the new one, or may get it. Do A. Then run this again for this store alone."
	)
	set, seal, dry := Run{Mode: secret.ModeSet}, Run{Mode: secret.ModeSeal}, Run{Mode: secret.ModeSet, DryRun: true}
	check, access := Run{Mode: secret.ModeCheck}, Run{Mode: secret.ModeAccess}
	plain, hinted := &secret.Error{Problem: "x"}, &secret.Error{Problem: "x", Hint: "Do A."}
	cannotOpen := &secret.Error{Problem: "x", Hint: "Do A.", Is: []error{secret.ErrCannotOpen}}
	foreign := &secret.Error{Problem: "x", Hint: "Do A.", Is: []error{secret.ErrCannotOpen, secret.ErrForeignKey}}
	badInputs := &secret.Error{Problem: "x", Hint: "Do A.", Is: []error{secret.ErrInputs}}
	noSummary, noOutputs := limits{outputs: maxOutputUnits}, limits{summary: maxSummaryBytes}
	value := func(op secret.Operation, access secret.Access, err error) []secret.Result {
		return []secret.Result{unstored("A", op, access, err)}
	}
	unsealed := failing("A", secret.Failed, hinted)
	with := func(name secret.Name, store secret.Store, other secret.Result) []secret.Result {
		other.Name, other.Store = name, store
		return []secret.Result{unsealed, other}
	}
	saved, mayBe := value(secret.Failed, private, plain)[0], value(secret.Unknown, private, plain)[0]
	stored := secret.Result{Operation: secret.Created}
	storedElsewhere := secret.Result{Name: "A", Store: secret.Dependabot, Operation: secret.Created}
	partly := unsealed
	partly.Added = []int64{1}
	for _, test := range []struct {
		name       string
		run        Run
		room       limits
		results    []secret.Result // the first is the one that the step is for
		step, text string
	}{
		{"saved", set, roomy, value(secret.Failed, private, plain), "R" + script + noRotate, both},
		{"saved, something to mend first", set, roomy, value(secret.Failed, private, hinted), "Do A. Then r" + script + noRotate, both},
		{"saved, unknown", set, roomy, value(secret.Unknown, private, plain), "R" + script + "; " + again, both},
		{"no access is known", set, roomy, value(secret.Failed, secret.Access{}, plain), "P" + rows + noRotate, both},
		{"the request has to change", set, roomy, value(secret.Failed, private, badInputs), "Do A. Then p" + rows + noRotate, both},
		{"no summary", set, noSummary, value(secret.Failed, private, hinted), "Do A. Then pass the output `results` to `sealed` in a later job of this run" + noRotate, outputs},
		{"no room in the summary", set, limits{maxOutputUnits, 100}, value(secret.Failed, private, plain), "Pass the output `results` to `sealed` in a later job of this run" + noRotate, outputs},
		{"no outputs", set, noOutputs, value(secret.Unknown, private, plain), "Run the script in the job summary; " + again, summary},
		{"no outputs, no access is known", set, noOutputs, value(secret.Failed, secret.Access{}, plain), "Pass the rows in the job summary to `sealed`" + noRotate, summary},
		{"neither", set, limits{}, value(secret.Failed, private, plain), keepOld + "Run this again.", lost},
		{"neither, unknown", set, limits{}, value(secret.Unknown, private, hinted), keepBoth + "GitHub may have either. Do A. Then run this again.", lost},
		{"not sealed", set, roomy, []secret.Result{unsealed}, keepOld + "Do A. Then run this again.", lost},
		{"not sealed, another is saved", set, roomy, with("B", secret.Actions, saved), keepOld + "Do A. Then run this again for this secret alone.", lost},
		{"not sealed, stored in another store", set, roomy, []secret.Result{unsealed, storedElsewhere}, elsewhere, lost},
		{"not sealed, saved for another store", set, roomy, with("A", secret.Dependabot, saved), elsewhere, lost},
		{"not sealed, unknown in another store", set, limits{}, with("A", secret.Dependabot, mayBe), elsewhere, lost},
		{"not sealed, another secret is stored", set, roomy, with("B", secret.Actions, stored), keepOld + "Do A. Then run this again.", lost},
		{"not sealed in mode seal", seal, roomy, []secret.Result{unsealed}, keepOld + "Do A. Then run this again.", lost},
		{"not sealed in mode seal, another is", seal, roomy, with("B", secret.Actions, secret.Result{Operation: secret.SealedOnly, Sealed: secret.Sealed{EncryptedValue: "eA=="}}), keepOld + "Do A. Then run this again.", lost},
		{"sealed, no outputs", seal, noOutputs, []secret.Result{sealed(failing("A", secret.SealedOnly, nil))}, keepOld + "Seal fewer secrets in one run, and see that the outputs can be written. Then run this again.", lost},
		{"sealed to another key", set, roomy, value(secret.Failed, private, cannotOpen), keepOld + "Do A. Then run this again.", lost},
		{"sealed to another key, unknown", set, roomy, value(secret.Unknown, private, cannotOpen), keepBoth + "GitHub may have either. Do A. Then run this again.", lost},
		{"sealed to a foreign key, stored in another store", set, roomy, []secret.Result{failing("A", secret.Failed, foreign), storedElsewhere}, "Do A. Then run this again.", lost},
		{"stored, with an error", set, roomy, []secret.Result{failing("A", secret.Updated, hinted)}, "Do A.", ""},
		{"stored, without a hint", set, roomy, []secret.Result{failing("A", secret.Updated, plain)}, "Nothing is left to do.", ""},
		{"a dry run", dry, roomy, value(secret.Failed, private, hinted), "Do A. Then run this again.", ""},
		{"a check", check, roomy, []secret.Result{failing("A", secret.Failed, plain)}, "Run this again.", ""},
		{"access, a dry run", Run{Mode: secret.ModeAccess, DryRun: true}, roomy, []secret.Result{unsealed}, "Do A. Then run this again.", ""},
		{"access", access, roomy, []secret.Result{partly}, "Do A. Then run this again; completed changes are skipped.", ""},
	} {
		test.run.Org, test.run.Results = "acme", test.results
		d := decide(test.run, test.room)
		if len(d.failures) == 0 {
			t.Fatalf("%s: got no failures", test.name)
		}
		if got := d.failures[0]; got.step != test.step || got.saved != test.text {
			t.Errorf("%s:\ngot  %q, %q\nwant %q, %q", test.name, got.step, got.saved, test.step, test.text)
		}
	}
}

// TestProblemsStep checks the next step of a run that was rejected before any request.
func TestProblemsStep(t *testing.T) {
	const keep = "Keep the old credential active: this run did not store the new one. "
	for mode, want := range map[secret.Mode]string{
		secret.ModeSet: keep, secret.ModeSeal: keep, "": keep, secret.ModeCheck: "", secret.ModeAccess: "",
	} {
		d := decide(Run{Mode: mode, Problems: []string{"x"}, Where: "in the inputs"}, roomy)
		if got, want := d.problemsStep, want+"Correct these problems. Then run this again."; got != want {
			t.Errorf("mode %q: got %q, want %q", mode, got, want)
		}
	}
}

// TestSealedRows checks that the values that the script cannot store are in the summary as rows that the input sealed
// takes, and that each value that is said to be there is.
func TestSealedRows(t *testing.T) {
	r, _, _ := newReporter(t)
	run := Run{Mode: secret.ModeSet, Org: "acme"}
	for i := range 700 {
		result := unstored(secret.Name(fmt.Sprintf("S%03d", i)), secret.Failed, secret.Access{}, &secret.Error{Problem: `"x"`})
		result.EncryptedValue = strings.Repeat("/", 1200)
		result.Err = &secret.Error{Problem: fmt.Sprint(i, strings.Repeat("x", 1000))} // the failures need their share
		run.Results = append(run.Results, result)
	}
	d := decide(run, limits{outputs: 100_000, summary: maxSummaryBytes})
	text := r.summary(d)
	_, rows, _ := strings.Cut(text, `<pre lang="json"><code>`)
	rows, _, _ = strings.Cut(rows, "</code></pre>")
	var got []map[string]string
	if err := json.Unmarshal([]byte(html.UnescapeString(rows)), &got); err != nil {
		t.Fatalf("got error %v, want JSON: %.200q", err, rows)
	}
	var want []map[string]string
	for _, e := range filter(d.entries, func(e *entry) bool { return e.place.has(inRows) }) {
		want = append(want, map[string]string{
			"store": "actions", "secret_name": string(e.Name), "operation": "failed", "visibility": "", "key_id": "568",
			"encrypted_value": e.EncryptedValue,
		})
	}
	if !reflect.DeepEqual(got, want) || len(got) < 400 || len(got) == len(run.Results) {
		t.Errorf("got %d rows for %d values with a place there, want 400 or more of both, and the same", len(got), len(want))
	}
}

// TestNotInScript checks which sealed values are in no script: those of a dry run, which may be anything, those of a
// success, and those of names that could add a command.
func TestNotInScript(t *testing.T) {
	result := unstored("A", secret.Failed, private, &secret.Error{Problem: "x"})
	other := result
	other.Name = "A;id"
	success, badInputs := result, result
	success.Err, badInputs.Err = nil, &secret.Error{Problem: "x", Is: []error{secret.ErrInputs}}
	for _, test := range []struct {
		name   string
		run    Run
		result secret.Result
	}{
		{"a dry run", Run{Mode: secret.ModeSet, Org: "acme", DryRun: true}, result},
		{"mode seal", Run{Mode: secret.ModeSeal, Org: "acme"}, success},
		{"a request that has to change", Run{Mode: secret.ModeSet, Org: "acme"}, badInputs},
		{"a command in a name", Run{Mode: secret.ModeSet, Org: "acme"}, other},
		{"a command in the organization", Run{Mode: secret.ModeSet, Org: "$(id)"}, result},
		{"a command in the host", Run{Mode: secret.ModeSet, Org: "acme", APIURL: url.URL{Host: "a;id"}}, result},
	} {
		test.run.Results = []secret.Result{test.result}
		if text := script(decide(test.run, roomy)); text != "" {
			t.Errorf("%s: got the script %q, want none", test.name, text)
		}
	}
}

// TestPlaceInOutputs checks that sealed values are included in input order as long as they fit, counted as GitHub
// counts.
func TestPlaceInOutputs(t *testing.T) {
	units := func(d document) (n int) {
		for _, o := range outputs(d) {
			n += mask.UTF16Len(o.name) + mask.UTF16Len(o.value)
		}
		return n
	}
	for _, mode := range []struct {
		mode    secret.Mode
		result  secret.Result
		without string // that a row without its value has instead
	}{
		{secret.ModeSet, failing("", secret.Failed, &secret.Error{Problem: "ü世🔑"}), ""},
		{secret.ModeSeal, failing("", secret.SealedOnly, nil), `,"error":"the sealed value is not in the outputs"`},
	} {
		run := Run{Mode: mode.mode, Org: "acme"}
		for i := range 10 {
			mode.result.Name, mode.result.EncryptedValue = secret.Name(fmt.Sprintf("S%d", i)), strings.Repeat("A", 100)
			run.Results = append(run.Results, mode.result)
		}
		value := len(`,"encrypted_value":""`) + 100 - len(mode.without)
		all := units(decide(run, roomy)) + len(",") // a row is counted with a comma
		bare := all - 10*value
		nine := run
		nine.Results = run.Results[:9]
		row := all - len(",") - units(decide(nine, roomy))
		for _, test := range []struct {
			room, fits int
			warning    string
		}{
			{all, 10, ""},
			{all - 1, 9, "1 sealed value"},
			{bare + 2*value, 2, "8 sealed values"},
			{bare + 2*value - 1, 1, "9 sealed values"},
			{bare, 0, "10 sealed values"},
			{all - 7*row, 3, "7 rows with 7 sealed values"}, // which is less than bare
			{all - 7*row - 1, 2, "8 rows with 8 sealed values"},
		} {
			d := decide(run, limits{outputs: test.room})
			if got := units(d); got > test.room {
				t.Errorf("%s, room for %d: got %d code units", mode.mode, test.room, got)
			}
			for i, e := range d.entries {
				want, op, value := hasValue|inOutputs, mode.result.Operation, e.EncryptedValue
				if i >= test.fits {
					want, op, value = hasValue, secret.Failed, ""
				}
				if e.place != want || e.row.Operation != string(op) || e.row.EncryptedValue != value {
					t.Errorf("%s, room for %d: S%d has the place %d and the row %+v, want the place %d, %s and %q",
						mode.mode, test.room, i, e.place, e.row, want, op, value)
				}
			}
			wantLeftOut(t, d, test.warning)
		}
	}
}

// wantLeftOut checks the warning about what the outputs have no room for.
func wantLeftOut(t *testing.T, d document, want string) {
	t.Helper()
	if want != "" {
		want = "[the outputs are limited to 1 MB and leave out " + want + "; the log has every name. " +
			"Name fewer secrets or stores in one run. The input sealed takes only rows that have an encrypted_value.]"
	}
	if got := fmt.Sprint(leftOutNote(d)); got != cmp.Or(want, "[]") {
		t.Errorf("got the warning %s, want %s", got, want)
	}
}

// TestLeaveOutRows checks which rows are left out first if not even the rows without their sealed values fit, that the
// others keep their values, and that a warning counts the rows and values.
func TestLeaveOutRows(t *testing.T) {
	checked := func(name secret.Name, due bool) secret.Result {
		return secret.Result{Name: name, Operation: secret.Checked, Check: &secret.Check{Exists: true, Due: due}}
	}
	stored := func(name secret.Name) secret.Result { return secret.Result{Name: name, Operation: secret.Created} }
	x := &secret.Error{Problem: "x"}
	cannotOpen := &secret.Error{Problem: "x", Is: []error{secret.ErrCannotOpen}}
	withWarning := stored("W")
	withWarning.Err = x
	results := []secret.Result{
		stored("A"), sealed(failing("S", secret.Failed, x)), checked("D", true), failing("I", secret.Failed, x),
		checked("N", false), checked("E", true), withWarning,
		sealed(failing("F", secret.Failed, cannotOpen)), // the value is of no use
		sealed(failing("T", secret.Unknown, x)), stored("C"),
	}
	order := strings.Fields("C N A W E D F I T S")
	whole := decide(Run{Mode: secret.ModeSet, Results: results}, roomy)
	for n := 2; n <= len(order); n++ {
		room := len("results[]")
		for _, o := range sharedOutputs(whole) {
			room += len(o.name) + len(o.value)
		}
		for i := range whole.entries {
			if e := whole.entries[i]; slices.Contains(order[n:], string(e.Name)) {
				room += e.row.size()
			}
		}
		d := decide(Run{Mode: secret.ModeSet, Results: results}, limits{outputs: room})
		wantLeftOut(t, d, secret.Count(n, "row")+" with "+secret.Count(max(n-8, 0), "sealed value"))
		for i, e := range d.entries {
			isKept := slices.Contains(order[n:], string(e.Name))
			if e.hasRow != isKept {
				t.Errorf("%d rows left out: row %d, %s, is there: %v, want %v", n, i, e.Name, e.hasRow, isKept)
			}
			if isKept && e.row.EncryptedValue != e.EncryptedValue {
				t.Errorf("%d rows left out: %s has no value", n, e.Name)
			}
			if want := isKept && (e.Name == "S" || e.Name == "T"); (e.place&inOutputs != 0) != want {
				t.Errorf("%d rows left out: the place of %s is %d", n, e.Name, e.place)
			}
		}
	}
}

// TestGroupedFailures checks which failures are reported together, and the same texts in the annotations and in the
// summary.
func TestGroupedFailures(t *testing.T) {
	refused := func(id string, attempts int) error {
		return &secret.Error{
			Op: "writing the secret", Problem: "403 no", Cause: "Cause.", Hint: "Hint.",
			RequestID: id, Attempts: attempts, Elapsed: 10 * time.Second,
		}
	}
	const (
		todo  = "|What to do: "
		rows  = "ass the rows in the job summary (or the output `results`) to `sealed`"
		saved = " Do not rotate again.|Saved, sealed, in this step's outputs and the job summary."
		step  = todo + "Hint. Then p" + rows + "." + saved
		keep  = todo + "Keep the old credential active: this run did not store the new one. Run this again"
		lost  = ".|The value is not saved."
		done  = todo + "Run this again; completed changes are skipped."
	)
	const set, access, check, failed, unknown = secret.ModeSet, secret.ModeAccess, secret.ModeCheck, secret.Failed, secret.Unknown
	x := errors.New("x")
	a := func(err error) secret.Result { return failing("A", failed, err) }
	b := func(op secret.Operation, err error) secret.Result { return failing("B", op, err) }
	for _, test := range []struct {
		name    string
		mode    secret.Mode
		results []secret.Result
		want    []string // annotations
	}{
		{"one failure has its attempts and its request id", set, []secret.Result{sealed(a(refused("1", 5)))}, []string{"A: writing the secret: 403 no, 5 attempts in 10 s|Cause." + step + " Request id: 1"}},
		{
			"request ids and attempts that differ are left out", set,
			[]secret.Result{sealed(a(refused("1", 5))), sealed(b(failed, refused("2", 4)))},
			[]string{"A, B: writing the secret: 403 no|Cause." + step + " Request id: see the output results"},
		},
		{
			"another operation is another group", set,
			[]secret.Result{sealed(a(refused("1", 1))), sealed(b(unknown, refused("1", 1)))},
			[]string{
				"A: writing the secret: 403 no|Cause." + step + " Request id: 1",
				"B: writing the secret: 403 no|Cause." + todo + "Hint. Then p" + rows + "; storing it again is safe." + saved + " Request id: 1",
			},
		},
		{
			"groups are in order of their first secrets", check,
			[]secret.Result{a(x), b(failed, errors.New("y")), failing("C", failed, x)},
			[]string{"A, C: x" + todo + "Run this again.", "B: y" + todo + "Run this again."},
		},
		{"nothing sealed is another group", set, []secret.Result{a(x), sealed(b(failed, x))}, []string{"A: x" + keep + " for this secret alone" + lost, "B: x" + todo + "P" + rows + "." + saved}},
		{"another operation is another group in mode access, too", access, []secret.Result{a(x), b(unknown, x)}, []string{"A: x" + done, "B: x" + done}},
		{
			"another cause is another group", check,
			[]secret.Result{a(&secret.Error{Problem: "x", Cause: "C."}), b(failed, &secret.Error{Problem: "x", Cause: "D."})},
			[]string{"A: x|C." + todo + "Run this again.", "B: x|D." + todo + "Run this again."},
		},
		{
			"another hint is another group", check,
			[]secret.Result{a(&secret.Error{Problem: "x", Hint: "Do A."}), b(failed, &secret.Error{Problem: "x", Hint: "Do B."})},
			[]string{"A: x" + todo + "Do A. Then run this again.", "B: x" + todo + "Do B. Then run this again."},
		},
		{
			"joined errors keep their text and explain the first", check,
			[]secret.Result{a(errors.Join(x, refused("1", 1), refused("2", 1)))},
			[]string{"A: x; writing the secret: 403 no; writing the secret: 403 no|Cause." + todo + "Hint. Then run this again.|Request id: 1"},
		},
	} {
		r, stdout, env := newReporter(t)
		if err := r.Finish(Run{Mode: test.mode, Org: "acme", Results: test.results}); err != nil && !strings.Contains(err.Error(), "not saved") {
			t.Errorf("%s: got error %v, want none", test.name, err)
		}
		summary := plainText(readFile(t, env["GITHUB_STEP_SUMMARY"]))
		got := annotationsIn(t, test.name, stdout.String(), summary)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s:\ngot  %q\nwant %q", test.name, got, test.want)
		}
		isUnknown := func(result secret.Result) bool { return result.Operation == unknown }
		if got, want := strings.Contains(summary, "\n❓ B: "), slices.ContainsFunc(test.results, isUnknown); got != want {
			t.Errorf("%s: the sign of an unknown result: %v, want %v", test.name, got, want)
		}
	}
}

// annotationsIn returns the annotations of a step, and checks that the summary has the lines of each, in order.
func annotationsIn(t *testing.T, name, stdout, summary string) (list []string) {
	t.Helper()
	for _, annotation := range fakerunner.New().Process(stdout).Annotations {
		list = append(list, strings.ReplaceAll(annotation.Message, "\n  ", "|"))
		for line := range strings.SplitSeq(annotation.Message, "\n  ") {
			_, rest, ok := strings.Cut(summary, strings.ReplaceAll(line, "`", "")+"\n")
			if !ok {
				t.Errorf("%s: no %q in the rest of the summary:\n%s", name, line, summary)
			}
			summary = rest
		}
	}
	return list
}

// TestOutputsNotWritten checks that a run whose outputs are lost does not look fine, and that a value of mode seal, which
// has no other place, is a failure then.
func TestOutputsNotWritten(t *testing.T) {
	stored, value := failing("A", secret.Created, nil), sealed(failing("A", secret.SealedOnly, nil))
	for _, test := range []struct {
		mode   secret.Mode
		result secret.Result
		want   string
	}{
		{secret.ModeSet, stored, "⚠️ A created in acme, but the outputs could not be written"},
		{secret.ModeSet, unstored("A", secret.Failed, private, &secret.Error{Problem: "x"}), "❌ A not stored in acme"},
		{secret.ModeSeal, value, "❌ A not sealed in acme"},
	} {
		run := Run{Mode: test.mode, Org: "acme", Results: []secret.Result{test.result}}
		d := decide(run, limits{summary: maxSummaryBytes})
		if got := d.sign + " " + d.title; got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
		wantLeftOut(t, d, "")
		r, _, _ := newReporter(t)
		if got := r.summary(d); strings.Contains(got, "Sealed to key") {
			t.Errorf("got %q, want no key: nothing is sealed", got)
		}
		if !reflect.DeepEqual(run.Results[0], test.result) {
			t.Errorf("got the result %v changed to %v", test.result, run.Results[0])
		}
	}
}

// TestRenderersOnlyRead renders a document with something of each kind: no renderer changes it for the others.
func TestRenderersOnlyRead(t *testing.T) {
	r, _, _ := newReporter(t)
	x := &secret.Error{Problem: "x", Hint: "Hint."}
	selected := secret.Access{Visibility: secret.Selected, Repositories: []secret.Repository{{ID: 7, FullName: "acme/web"}}}
	changed := secret.Result{
		Store: secret.Actions, Name: "C", Operation: secret.Updated, Access: selected,
		Change: secret.Change{From: secret.Private, To: secret.Selected, Added: selected.Repositories},
	}
	run := Run{Mode: secret.ModeSet, Org: "acme", APIURL: url.URL{Host: "api.github.com"}, Results: []secret.Result{
		changed, unstored("A", secret.Failed, private, x), unstored("B", secret.Unknown, selected, x),
		unstored("D", secret.Failed, secret.Access{}, x), failing("E", secret.Failed, x),
	}}
	room := limits{outputs: 900, summary: maxSummaryBytes} // only some of the values fit in the outputs
	d, want := decide(run, room), decide(run, room)
	for _, text := range []string{
		fmt.Sprint(outputs(d)), fmt.Sprint(errorNotes(d), leftOutNote(d), dueNote(d)), r.summary(d), script(d), lastLine(d),
	} {
		if text == "" {
			t.Error("a renderer gives nothing, want something of each")
		}
	}
	if !reflect.DeepEqual(d, want) {
		t.Errorf("a renderer changed the document to\n%+v\nwant\n%+v", d, want)
	}
}

// TestSharedOutputs checks that a single value is an output only if all rows agree on it.
func TestSharedOutputs(t *testing.T) {
	result := func(name secret.Name, op secret.Operation) secret.Result {
		return secret.Result{
			Store: secret.Actions, Name: name, Operation: op, Sealed: secret.Sealed{KeyID: "1", PublicKey: "k"},
			Access: secret.Access{Visibility: secret.All},
		}
	}
	created, otherKey := result("A", secret.Created), result("B", secret.Created)
	otherKey.KeyID, otherKey.PublicKey = "2", "l"
	with := func(other secret.Result) Run {
		return Run{Mode: secret.ModeSet, Results: []secret.Result{created, other}}
	}
	overdue, upToDate := result("A", secret.Checked), result("A", secret.Checked)
	overdue.Check, upToDate.Check = &secret.Check{Due: true}, &secret.Check{Exists: true}
	checks := func(results ...secret.Result) Run { return Run{Mode: secret.ModeCheck, Results: results} }
	failedAndUnknown := with(result("B", secret.Failed))
	failedAndUnknown.Results[0].Operation = secret.Unknown
	for _, test := range []struct {
		name string
		run  Run
		want string // but for results, unless it is empty
	}{
		{"one result", Run{Mode: secret.ModeSet, Results: []secret.Result{created}}, "operation=created secret_name=A visibility=all key_id=1 public_key=k"},
		{"another name", with(result("B", secret.Created)), "operation=created visibility=all key_id=1 public_key=k"},
		{"another operation", with(result("B", secret.Updated)), "visibility=all key_id=1 public_key=k"},
		{"one unknown", with(result("B", secret.Unknown)), "operation=unknown key_id=1 public_key=k"},
		{"unknown and failed", failedAndUnknown, "operation=failed key_id=1 public_key=k"},
		{"another key", with(otherKey), "operation=created visibility=all"},
		{"one failed", with(result("B", secret.Failed)), "operation=failed key_id=1 public_key=k"},
		{"rejected", Run{Mode: secret.ModeSet, Problems: []string{"org: missing"}}, "operation=failed results=[]"},
		{"rejected check", Run{Mode: secret.ModeCheck, Problems: []string{"org: missing"}}, "operation=failed results=[]"},
		{"a check, one due and one failed", checks(overdue, result("B", secret.Failed)), "operation=failed key_id=1 public_key=k due=true"},
		{"a check, one failed", checks(upToDate, result("B", secret.Failed)), "operation=failed key_id=1 public_key=k"},
		{"nothing to check", Run{Mode: secret.ModeCheck}, "due=false results=[]"},
	} {
		var got []string
		hasResults := false
		for _, o := range outputs(decide(test.run, roomy)) {
			hasResults = hasResults || o.name == "results"
			if o.name != "results" || o.value == "[]" {
				got = append(got, o.name+"="+o.value)
			}
		}
		if text := strings.Join(got, " "); text != test.want || !hasResults {
			t.Errorf("%s: got %q, want %q, and results: %v, want true", test.name, text, test.want, hasResults)
		}
	}
}
