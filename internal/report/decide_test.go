package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"set-org-secret/internal/fakerunner"
	"set-org-secret/internal/mask"
	"set-org-secret/internal/secret"
)

// TestNextStep checks the one next step of a failure, and where its value is said to
// be, for each place and operation.
func TestNextStep(t *testing.T) {
	const (
		both    = "Saved, sealed, in this step's outputs and the job summary."
		outputs = "Saved, sealed, in this step's outputs."
		summary = "Saved, sealed, in the job summary."
		lost    = "The value is not saved."

		runScript = "Run the script in the job summary (or pass the output `results` to `sealed`)"
		passRows  = "Pass the rows in the job summary (or the output `results`) to `sealed`"
		keepOld   = "Keep the old credential active: this run did not store the new one. "
		keepBoth  = "Keep the old and the new credential active: "
	)
	set := Run{Mode: secret.ModeSet}
	plain := &secret.Error{Problem: "x"}
	hinted := &secret.Error{Problem: "x", Hint: "Do A."}
	cannotOpen := &secret.Error{Problem: "x", Hint: "Do A.", Is: []error{secret.ErrCannotOpen}}
	badInputs := &secret.Error{Problem: "x", Hint: "Do A.", Is: []error{secret.ErrInputs}}
	overwritten := failing("A", secret.Updated, hinted)
	unsealed := failing("A", secret.Failed, hinted)
	partly := failing("A", secret.Failed, hinted)
	partly.Added = []int64{1}
	noSummary, noOutputs := limits{outputs: maxOutputUnits}, limits{summary: maxSummaryBytes}
	stored := secret.Result{Store: secret.Dependabot, Name: "A", Operation: secret.Created}
	other := unstored("B", secret.Failed, private, plain)
	elsewhere, unknownElsewhere := unstored("A", secret.Failed, private, plain), unstored("A", secret.Unknown, private, plain)
	elsewhere.Store, unknownElsewhere.Store = secret.Dependabot, secret.Dependabot
	storedOther := secret.Result{Store: secret.Actions, Name: "B", Operation: secret.Created}
	for _, test := range []struct {
		name       string
		run        Run
		room       limits
		results    []secret.Result // the first is the one that the step is for
		step, text string
	}{
		{"saved", set, roomy, list(unstored("A", secret.Failed, private, plain)), runScript + ". Do not rotate again.", both},
		{
			"saved, something to mend first", set, roomy, list(unstored("A", secret.Failed, private, hinted)),
			"Do A. Then run" + runScript[3:] + ". Do not rotate again.", both,
		},
		{
			"saved, unknown", set, roomy, list(unstored("A", secret.Unknown, private, plain)),
			runScript + "; storing it again is safe. Do not rotate again.", both,
		},
		{
			"no access is known", set, roomy, list(unstored("A", secret.Failed, secret.Access{}, plain)),
			passRows + ". Do not rotate again.", both,
		},
		{
			"the request has to change", set, roomy, list(unstored("A", secret.Failed, private, badInputs)),
			"Do A. Then pass" + passRows[4:] + ". Do not rotate again.", both,
		},
		{
			"no summary", set, noSummary, list(unstored("A", secret.Failed, private, hinted)),
			"Do A. Then pass the output `results` to `sealed` in a later job of this run. Do not rotate again.", outputs,
		},
		{
			"no outputs", set, noOutputs, list(unstored("A", secret.Unknown, private, plain)),
			"Run the script in the job summary; storing it again is safe. Do not rotate again.", summary,
		},
		{
			"no outputs, no access is known", set, noOutputs, list(unstored("A", secret.Failed, secret.Access{}, plain)),
			"Pass the rows in the job summary to `sealed`. Do not rotate again.", summary,
		},
		{"neither", set, limits{}, list(unstored("A", secret.Failed, private, plain)), keepOld + "Run this again.", lost},
		{
			"neither, unknown", set,
			limits{},
			list(unstored("A", secret.Unknown, private, hinted)),
			keepBoth + "GitHub may have either. Do A. Then run this again.", lost,
		},
		{"not sealed", set, roomy, list(unsealed), keepOld + "Do A. Then run this again.", lost},
		{
			"not sealed, another is saved", set, roomy, list(unsealed, other),
			keepOld + "Do A. Then run this again for this secret alone.", lost,
		},
		{
			"not sealed, stored in another store", set, roomy, list(unsealed, stored),
			keepBoth + "another store has the new one, or may get it. Do A. Then run this again for this store alone.", lost,
		},
		{
			"not sealed, saved for another store", set, roomy, list(unsealed, elsewhere),
			keepBoth + "another store has the new one, or may get it. Do A. Then run this again for this store alone.", lost,
		},
		{
			"not sealed, unknown in another store", set,
			limits{},
			list(unsealed, unknownElsewhere),
			keepBoth + "another store has the new one, or may get it. Do A. Then run this again for this store alone.", lost,
		},
		{"not sealed, another secret is stored", set, roomy, list(unsealed, storedOther), keepOld + "Do A. Then run this again.", lost},
		{"not sealed in mode seal", Run{Mode: secret.ModeSeal}, roomy, list(unsealed), keepOld + "Do A. Then run this again.", lost},
		{
			"sealed to another key", set, roomy, list(unstored("A", secret.Failed, private, cannotOpen)),
			keepOld + "Do A. Then run this again.", lost,
		},
		{
			"sealed to another key, unknown", set, roomy, list(unstored("A", secret.Unknown, private, cannotOpen)),
			keepBoth + "GitHub may have either. Do A. Then run this again.", lost,
		},
		{"stored, with an error", set, roomy, list(overwritten), "Do A.", ""},
		{"stored, without a hint", set, roomy, list(failing("A", secret.Updated, plain)), "Nothing is left to do.", ""},
		{
			"a dry run",
			Run{Mode: secret.ModeSet, DryRun: true},
			roomy, list(unstored("A", secret.Failed, private, hinted)),
			"Do A. Then run this again.", "",
		},
		{"a check", Run{Mode: secret.ModeCheck}, roomy, list(failing("A", secret.Failed, plain)), "Run this again.", ""},
		{
			"access",
			Run{Mode: secret.ModeAccess},
			roomy, list(partly),
			"Do A. Then run this again; completed changes are skipped.", "",
		},
	} {
		test.run.Org, test.run.Results = "acme", test.results
		d := decide(test.run, test.room)
		if len(d.failures) == 0 {
			t.Fatalf("%s: got no failures", test.name)
		}
		if got := d.failures[0].step; got != test.step {
			t.Errorf("%s: got the step %q, want %q", test.name, got, test.step)
		}
		if got := d.failures[0].saved; got != test.text {
			t.Errorf("%s: got %q, want %q", test.name, got, test.text)
		}
	}
}

func list(results ...secret.Result) []secret.Result { return results }

// TestRefusedStep checks the next step of a run that was refused before any request.
func TestRefusedStep(t *testing.T) {
	const keep = "Keep the old credential active: this run did not store the new one. "
	for mode, want := range map[secret.Mode]string{
		secret.ModeSet: keep, secret.ModeSeal: keep, "": keep, secret.ModeCheck: "", secret.ModeAccess: "",
	} {
		d := decide(Run{Mode: mode, Refused: []string{"x"}, RefusedFor: "in the inputs"}, roomy)
		if got, want := d.refusedStep, want+"Correct these problems. Then run this again."; got != want {
			t.Errorf("mode %q: got %q, want %q", mode, got, want)
		}
	}
}

// TestSealedRows checks that the values that the script cannot store are in the summary
// as rows that the input sealed takes, and that each value that is said to be there is.
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
	placed := 0
	for _, e := range d.entries {
		if e.place&inRows == 0 {
			continue
		}
		want := map[string]string{
			"store": "actions", "secret_name": string(e.Name), "operation": "failed", "visibility": "", "key_id": "568",
			"encrypted_value": e.EncryptedValue,
		}
		if placed < len(got) && !maps.Equal(got[placed], want) {
			t.Fatalf("row %d is %v, want %v", placed, got[placed], want)
		}
		placed++
	}
	if placed != len(got) || placed < 400 || placed == len(run.Results) {
		t.Errorf("got %d rows for %d values with a place there, want 400 or more of both", len(got), placed)
	}
}

// TestNotInScript checks which sealed values are in no script: those of a dry run, which
// may be anything, those of a success, and those of names that could add a command.
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
		{"a command in the host", Run{Mode: secret.ModeSet, Org: "acme", APIURL: "https://a;id/"}, result},
	} {
		test.run.Results = []secret.Result{test.result}
		if text := script(decide(test.run, roomy)); text != "" {
			t.Errorf("%s: got the script %q, want none", test.name, text)
		}
	}
}

// TestPlaceInOutputs checks that sealed values are included in input order as long as
// they fit, counted as GitHub counts.
func TestPlaceInOutputs(t *testing.T) {
	run := Run{Mode: secret.ModeSet, Org: "acme"}
	for i := range 10 {
		result := unstored(secret.Name(fmt.Sprintf("S%d", i)), secret.Failed, secret.Access{}, &secret.Error{Problem: "ü世🔑"})
		result.EncryptedValue = strings.Repeat("A", 100)
		run.Results = append(run.Results, result)
	}
	units := func(d document) (n int) {
		for _, o := range outputs(d) {
			n += mask.UTF16Len(o.Name) + mask.UTF16Len(o.Value)
		}
		return n - len("results")
	}
	const value = 100 + len(`,"encrypted_value":""`)
	all := units(decide(run, roomy)) + len(",") // a row is counted with a comma
	bare := all - 10*value
	for _, test := range []struct{ room, fits int }{
		{all, 10},
		{all - 1, 9},
		{bare + 2*value, 2},
		{bare + 2*value - 1, 1},
		{bare, 0},
	} {
		d := decide(run, limits{outputs: test.room})
		if got := units(d); got > test.room {
			t.Errorf("room for %d: got %d code units", test.room, got)
		}
		for i, e := range d.entries {
			want, value := hasValue|inOutputs, e.EncryptedValue
			if i >= test.fits {
				want, value = hasValue, ""
			}
			if e.place != want || e.row.EncryptedValue != value {
				t.Errorf("room for %d: S%d has the place %d and the value %q, want %d and %q",
					test.room, i, e.place, e.row.EncryptedValue, want, value)
			}
		}
	}
}

// TestLeaveOutRows checks which rows are left out first if not even the rows without
// their sealed values fit, and that the others keep their values.
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
	order := strings.Fields("C N A E D F W I T S")
	whole := decide(Run{Mode: secret.ModeSet, Results: results}, roomy)
	for n := 2; n <= len(order); n++ {
		room := len("[]")
		for _, o := range sharedOutputs(whole) {
			room += len(o.Name) + len(o.Value)
		}
		for i := range whole.entries {
			if e := &whole.entries[i]; slices.Contains(order[n:], string(e.Name)) {
				room += e.row.size()
			}
		}
		for i, e := range decide(Run{Mode: secret.ModeSet, Results: results}, limits{outputs: room}).entries {
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

// TestSealWithoutRoom checks that a value that was sealed, and that the outputs have no
// room for, is a failure in all that is reported.
func TestSealWithoutRoom(t *testing.T) {
	run := Run{Mode: secret.ModeSeal, Org: "acme", Results: []secret.Result{{Name: "A", Operation: secret.SealedOnly, EncryptedValue: "c2VhbGVk"}}}
	d := decide(run, limits{outputs: 100})
	if got, want := d.sign+" "+d.title, "❌ A not sealed in acme"; got != want {
		t.Errorf("got the title %q, want %q", got, want)
	}
	if len(d.failures) != 1 || d.failures[0].step == "" {
		t.Fatalf("got the failures %v, want one with a next step", d.failures)
	}
	if got := d.entries[0].row; got.Operation != "failed" || got.Error == "" {
		t.Errorf("the row has the operation %q and the error %q, want failed and a reason", got.Operation, got.Error)
	}
	if run.Results[0].Operation != secret.SealedOnly || run.Results[0].Err != nil {
		t.Errorf("the results that were passed have changed: %v", run.Results[0])
	}
}

// TestLeftOutNotes checks the one warning about rows and values that have no room.
func TestLeftOutNotes(t *testing.T) {
	result := unstored("A", secret.Failed, private, &secret.Error{Problem: "x"})
	run := Run{Mode: secret.ModeSet, Org: "acme", Results: []secret.Result{result, {Name: "B", Operation: secret.Created}}}
	for _, test := range []struct {
		room int
		want string
	}{
		{maxOutputUnits, ""},
		{220, "the outputs are limited to 1 MB and leave out 1 sealed value; the log has every name. "},
		{60, "the outputs are limited to 1 MB and leave out 2 rows with 1 sealed value; the log has every name. "},
	} {
		notes := leftOutNotes(decide(run, limits{outputs: test.room, summary: maxSummaryBytes}))
		if test.want == "" && len(notes) == 0 {
			continue
		}
		if len(notes) != 1 || !strings.HasPrefix(notes[0][0], test.want) {
			t.Errorf("room for %d: got %v, want %q", test.room, notes, test.want)
		}
	}
}

// TestGroupedFailures checks which failures are reported together, and what is
// said of them, in the annotations and in the summary.
func TestGroupedFailures(t *testing.T) {
	refused := func(id string, attempts int) error {
		return &secret.Error{
			Op: "writing the secret", Problem: "403 no", Cause: "Cause.", Hint: "Hint.",
			RequestID: id, Attempts: attempts, Elapsed: 10 * time.Second,
		}
	}
	const (
		step = "|What to do: Hint. Then pass the rows in the job summary (or the output `results`) to `sealed`. " +
			"Do not rotate again.|Saved, sealed, in this step's outputs and the job summary."
		noHint = "|What to do: Pass the rows in the job summary (or the output `results`) to `sealed`. " +
			"Do not rotate again.|Saved, sealed, in this step's outputs and the job summary."
		lost  = "|What to do: Keep the old credential active: this run did not store the new one. Run this again.|The value is not saved."
		alone = "|What to do: Keep the old credential active: this run did not store the new one. " +
			"Run this again for this secret alone.|The value is not saved."
	)
	for _, test := range []struct {
		name    string
		mode    secret.Mode
		results []secret.Result
		want    []string // annotations
	}{
		{
			"one failure has its attempts and its request id", secret.ModeSet,
			[]secret.Result{sealed(failing("A", secret.Failed, refused("1", 5)))},
			[]string{"A: writing the secret: 403 no, 5 attempts in 10 s|Cause." + step + " Request id: 1"},
		},
		{
			"request ids and attempts that differ are left out", secret.ModeSet,
			[]secret.Result{
				sealed(failing("A", secret.Failed, refused("1", 5))), sealed(failing("B", secret.Failed, refused("2", 4))),
			},
			[]string{"A, B: writing the secret: 403 no|Cause." + step + " Request id: see the output results"},
		},
		{
			"another operation is another group", secret.ModeSet,
			[]secret.Result{
				sealed(failing("A", secret.Failed, refused("1", 1))), sealed(failing("B", secret.Unknown, refused("1", 1))),
			},
			[]string{
				"A: writing the secret: 403 no|Cause." + step + " Request id: 1",
				"B: writing the secret: 403 no|Cause." +
					strings.Replace(step, "`sealed`. ", "`sealed`; storing it again is safe. ", 1) + " Request id: 1",
			},
		},
		{
			"nothing sealed is another group", secret.ModeSet,
			[]secret.Result{failing("A", secret.Failed, errors.New("x")), sealed(failing("B", secret.Failed, errors.New("x")))},
			[]string{"A: x" + alone, "B: x" + noHint},
		},
		{
			"another operation is another group in mode access, too", secret.ModeAccess,
			[]secret.Result{failing("A", secret.Failed, errors.New("x")), failing("B", secret.Unknown, errors.New("x"))},
			[]string{
				"A: x|What to do: Run this again; completed changes are skipped.",
				"B: x|What to do: Run this again; completed changes are skipped.",
			},
		},
		{
			"another cause is another group", secret.ModeCheck,
			[]secret.Result{
				failing("A", secret.Failed, &secret.Error{Problem: "x", Cause: "C."}),
				failing("B", secret.Failed, &secret.Error{Problem: "x", Cause: "D."}),
			},
			[]string{"A: x|C.|What to do: Run this again.", "B: x|D.|What to do: Run this again."},
		},
		{
			"another hint is another group", secret.ModeCheck,
			[]secret.Result{
				failing("A", secret.Failed, &secret.Error{Problem: "x", Hint: "Do A."}),
				failing("B", secret.Failed, &secret.Error{Problem: "x", Hint: "Do B."}),
			},
			[]string{"A: x|What to do: Do A. Then run this again.", "B: x|What to do: Do B. Then run this again."},
		},
		{
			"joined errors keep their text and explain the first", secret.ModeCheck,
			[]secret.Result{failing("A", secret.Failed, errors.Join(errors.New("x"), refused("1", 1), refused("2", 1)))},
			[]string{"A: x; writing the secret: 403 no; writing the secret: 403 no|Cause.|" +
				"What to do: Hint. Then run this again.|Request id: 1"},
		},
		{
			"a sealed value that GitHub cannot open is not saved", secret.ModeSet,
			[]secret.Result{sealed(failing("A", secret.Failed, fmt.Errorf("wrapped: %w", secret.ErrCannotOpen)))},
			[]string{"A: wrapped: GitHub cannot open the value" + lost},
		},
	} {
		r, stdout, env := newReporter(t)
		if err := r.Finish(Run{Mode: test.mode, Org: "acme", Results: test.results}); err != nil && !strings.Contains(err.Error(), "not saved") {
			t.Errorf("%s: got error %v, want none", test.name, err)
		}
		summary, err := os.ReadFile(env["GITHUB_STEP_SUMMARY"])
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, annotation := range fakerunner.New().Process(stdout.String()).Annotations {
			got = append(got, strings.ReplaceAll(annotation.Message, "\n  ", "|"))
			_, details, _ := strings.Cut(annotation.Message, ": ")
			for line := range strings.SplitSeq(details, "\n  ") {
				if text := plainText(string(summary)); !strings.Contains(text, strings.ReplaceAll(line, "`", "")) {
					t.Errorf("%s: no %q in the summary:\n%s", test.name, line, text)
				}
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s:\ngot  %q\nwant %q", test.name, got, test.want)
		}
	}
}

// TestFailuresAfterErrors checks that failures use only the annotations that other
// errors leave.
func TestFailuresAfterErrors(t *testing.T) {
	r, stdout, _ := newReporter(t)
	r.annotate("error", note{"first"})
	run := Run{Mode: secret.ModeCheck}
	for i := range 10 {
		run.Results = append(run.Results, failing("A", secret.Failed, &secret.Error{Problem: fmt.Sprintf("x%d", i)}))
	}
	r.annotateAll("error", errorNotes(decide(run, roomy)), "failure")
	annotations := fakerunner.New().Process(stdout.String()).Annotations
	if len(annotations) != 10 {
		t.Fatalf("got %d annotations, want 10", len(annotations))
	}
	if got, want := annotations[9].Message, "2 more failures; see the log and the job summary"; got != want {
		t.Errorf("the last annotation is %q, want %q", got, want)
	}
}

// TestEachFailureIsLogged checks that the log has the step of each failure, also of those
// beyond the annotations that GitHub keeps.
func TestEachFailureIsLogged(t *testing.T) {
	r, stdout, _ := newReporter(t)
	run := Run{Mode: secret.ModeSet, Org: "acme"}
	for i := range 25 {
		err := &secret.Error{Problem: "x", Hint: fmt.Sprintf("Do %02d.", i)}
		run.Results = append(run.Results, failing(secret.Name(fmt.Sprintf("S%02d", i)), secret.Failed, err))
	}
	if err := r.Finish(run); err == nil {
		t.Error("got no error, want one for the values that are lost")
	}
	log := fakerunner.New().Process(stdout.String())
	if len(log.Annotations) != maxAnnotations {
		t.Errorf("got %d annotations, want %d", len(log.Annotations), maxAnnotations)
	}
	text := strings.Join(log.Lines, "\n")
	for i := range 25 {
		if want := fmt.Sprintf("Do %02d. Then run this again.", i); strings.Count(text, want) != 1 {
			t.Errorf("the log has %q %d times, want once", want, strings.Count(text, want))
		}
	}
}

// TestOutputsNotWritten checks that a run whose outputs are lost does not look fine.
func TestOutputsNotWritten(t *testing.T) {
	run := Run{Mode: secret.ModeSet, Org: "acme", Results: []secret.Result{{Name: "A", Operation: secret.Created}}}
	d := decide(run, limits{summary: maxSummaryBytes})
	if got, want := d.sign+" "+d.title, "⚠️ A created in acme, but the outputs could not be written"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if notes := leftOutNotes(d); len(notes) > 0 {
		t.Errorf("got %v, want nothing about the limit of the outputs", notes)
	}
}

// TestRenderersOnlyRead renders a document with something of each kind in all orders:
// each renderer gives the same bytes, whichever ran before it.
func TestRenderersOnlyRead(t *testing.T) {
	r, _, _ := newReporter(t)
	x := &secret.Error{Problem: "x", Hint: "Hint."}
	selected := secret.Access{Visibility: secret.Selected, Repositories: []secret.Repository{{ID: 7, FullName: "acme/web"}}}
	changed := secret.Result{
		Store: secret.Actions, Name: "C", Operation: secret.Updated, Access: selected,
		Change: secret.Change{From: secret.Private, To: secret.Selected, Added: selected.Repositories},
	}
	run := Run{Mode: secret.ModeSet, Org: "acme", APIURL: "https://api.github.com", Results: []secret.Result{
		changed, unstored("A", secret.Failed, private, x), unstored("B", secret.Unknown, selected, x),
		unstored("D", secret.Failed, secret.Access{}, x), failing("E", secret.Failed, x),
	}}
	// Only some of the values fit in the outputs.
	d := decide(run, limits{outputs: 900, summary: maxSummaryBytes})
	renderers := []func() string{
		func() string { return fmt.Sprint(outputs(d)) },
		func() string { return fmt.Sprint(errorNotes(d), leftOutNotes(d), dueNotes(d)) },
		func() string { return r.summary(d) },
		func() string { return script(d) },
		func() string { return lastLine(d) },
	}
	var want []string
	for _, render := range renderers {
		want = append(want, render())
	}
	order := []int{0, 1, 2, 3, 4}
	permute(order, 0, func() {
		for _, i := range order {
			if got := renderers[i](); got != want[i] {
				t.Fatalf("in the order %v, renderer %d gives\n%s\nwant\n%s", order, i, got, want[i])
			}
		}
	})
	for _, text := range want[:4] {
		if !strings.Contains(text, "A") {
			t.Errorf("got %q, want something of A in it", text)
		}
	}
}

// permute calls f with each order of what a list has from an index on.
func permute(list []int, from int, f func()) {
	if from == len(list) {
		f()
		return
	}
	for i := from; i < len(list); i++ {
		list[from], list[i] = list[i], list[from]
		permute(list, from+1, f)
		list[from], list[i] = list[i], list[from]
	}
}

// TestSharedOutputs checks that a single value is an output only if all rows
// agree on it.
func TestSharedOutputs(t *testing.T) {
	result := func(name secret.Name, op secret.Operation) secret.Result {
		return secret.Result{
			Store: secret.Actions, Name: name, Operation: op, KeyID: "1", PublicKey: "k",
			Access: secret.Access{Visibility: secret.All},
		}
	}
	otherKey := result("B", secret.Created)
	otherKey.KeyID, otherKey.PublicKey = "2", "l"
	for _, test := range []struct {
		name string
		run  Run
		want string // but for results, unless it is empty
	}{
		{
			"one result",
			Run{Mode: secret.ModeSet, Results: []secret.Result{result("A", secret.Created)}},
			"operation=created secret_name=A visibility=all key_id=1 public_key=k",
		},
		{
			"another name",
			Run{Mode: secret.ModeSet, Results: []secret.Result{result("A", secret.Created), result("B", secret.Created)}},
			"operation=created visibility=all key_id=1 public_key=k",
		},
		{
			"another operation",
			Run{Mode: secret.ModeSet, Results: []secret.Result{result("A", secret.Created), result("B", secret.Updated)}},
			"visibility=all key_id=1 public_key=k",
		},
		{
			"one unknown",
			Run{Mode: secret.ModeSet, Results: []secret.Result{result("A", secret.Created), result("B", secret.Unknown)}},
			"operation=unknown key_id=1 public_key=k",
		},
		{
			"unknown and failed",
			Run{Mode: secret.ModeSet, Results: []secret.Result{result("A", secret.Unknown), result("B", secret.Failed)}},
			"operation=failed key_id=1 public_key=k",
		},
		{
			"another key",
			Run{Mode: secret.ModeSet, Results: []secret.Result{result("A", secret.Created), otherKey}},
			"operation=created visibility=all",
		},
		{
			"one failed",
			Run{Mode: secret.ModeSet, Results: []secret.Result{result("A", secret.Created), result("B", secret.Failed)}},
			"operation=failed key_id=1 public_key=k",
		},
		{"refused", Run{Mode: secret.ModeSet, Refused: []string{"org: missing"}}, "operation=failed results=[]"},
		{"refused check", Run{Mode: secret.ModeCheck, Refused: []string{"org: missing"}}, "operation=failed results=[]"},
		{"nothing to check", Run{Mode: secret.ModeCheck}, "due=false results=[]"},
	} {
		d := decide(test.run, roomy)
		var got []string
		hasResults := false
		for _, o := range outputs(d) {
			hasResults = hasResults || o.Name == "results"
			if o.Name != "results" || o.Value == "[]" {
				got = append(got, o.Name+"="+o.Value)
			}
		}
		if text := strings.Join(got, " "); text != test.want {
			t.Errorf("%s: got %q, want %q", test.name, text, test.want)
		}
		if !hasResults {
			t.Errorf("%s: there is no output results", test.name)
		}
	}
}
