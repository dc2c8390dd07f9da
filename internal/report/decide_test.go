package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"html"
	"reflect"
	"slices"
	"strings"
	"testing"

	"set-org-secret/internal/mask"
	"set-org-secret/internal/secret"
)

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
	for _, e := range d.entries {
		if e.place == hasValue|inOutputs|inRows {
			t.Errorf("%s is saved twice, and others are not saved", e.Name)
		}
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
		mode.result.PublicKey = "public"
		for i := range 10 {
			mode.result.Name, mode.result.EncryptedValue = secret.Name(fmt.Sprintf("S%d", i)), strings.Repeat("A", 100)
			run.Results = append(run.Results, mode.result)
		}
		value := len(`,"encrypted_value":"","public_key":"public"`) + 100 - len(mode.without)
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
			{all - 1, 9, "0 rows and 1 sealed value"},
			{bare + 2*value, 2, "0 rows and 8 sealed values"},
			{bare + 2*value - 1, 1, "0 rows and 9 sealed values"},
			{bare, 0, "0 rows and 10 sealed values"},
			{all - 7*row, 3, "7 rows and 7 sealed values"}, // which is less than bare
			{all - 7*row - 1, 2, "8 rows and 8 sealed values"},
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

// wantLeftOut checks the warning about rows and values that the outputs have no room for.
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

// TestLongResults checks that a warning says if the output results has a value and is too long for an input.
func TestLongResults(t *testing.T) {
	for _, test := range []struct {
		op    secret.Operation
		value string
		size  int
		want  bool
	}{
		{secret.SealedOnly, "c2VhbGVk", 131_058, false}, // 128 KiB with INPUT_SEALED= and a zero byte
		{secret.SealedOnly, "c2VhbGVk", 131_059, true},
		{secret.Updated, "", 131_059, false},
	} {
		result := failing("A", test.op, nil)
		result.EncryptedValue = test.value
		result.KeyID = strings.Repeat("5", test.size-len(encode([]row{newRow(result)})))
		d := decide(Run{Mode: secret.ModeSeal, Results: []secret.Result{result}}, limits{outputs: maxOutputUnits})
		if got := longNote(d) != nil; got != test.want {
			t.Errorf("%s, %d bytes: got a warning %v, want %v", test.op, test.size, got, test.want)
		}
	}
}

// TestLeaveOutRows checks which rows are left out first if not even the rows without their sealed values fit, that the
// others keep their values, and that a warning counts the rows and values.
func TestLeaveOutRows(t *testing.T) {
	run, _ := parseRun(t, "set: A created; S failed value; D checked missing; I failed; N checked days=1; E checked missing; "+
		"W created error=x; F failed value cannot-open; T unknown value; C created") // the value of F is of no use
	order := strings.Fields("C N A W E D F I T S")
	whole := decide(run, roomy)
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
		d := decide(run, limits{outputs: room})
		wantLeftOut(t, d, secret.Count(n, "row")+" and "+secret.Count(max(n-8, 0), "sealed value"))
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

// TestOutputsNotWritten checks that nothing else is said of a value of mode seal that is lost with the outputs.
func TestOutputsNotWritten(t *testing.T) {
	result := sealed(failing("A", secret.SealedOnly, nil))
	run := Run{Mode: secret.ModeSeal, Org: "acme", Results: []secret.Result{result}}
	d := decide(run, limits{summary: maxSummaryBytes})
	wantLeftOut(t, d, "")
	r, _, _ := newReporter(t)
	if got := r.summary(d); strings.Contains(got, "Sealed to key") {
		t.Errorf("got %q, want no key: nothing is sealed", got)
	}
	if !reflect.DeepEqual(run.Results[0], result) {
		t.Errorf("got the result %v changed to %v", result, run.Results[0])
	}
}

// TestRenderersOnlyRead renders a document with something of each kind: no renderer changes it for the others.
func TestRenderersOnlyRead(t *testing.T) {
	r, _, _ := newReporter(t)
	run, _ := parseRun(t, "set, host=api.github.com: C updated selected +web; A failed value private hint=Hint.; "+
		"B unknown value selected; D failed value; E failed")
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
