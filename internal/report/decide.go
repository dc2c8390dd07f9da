package report

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"set-org-secret/internal/mask"
	"set-org-secret/internal/secret"
)

// limits are the room that a report has. A place that does not exist or cannot be written has none.
type limits struct {
	outputs int // UTF-16 code units
	summary int // bytes
}

const (
	// maxOutputUnits leaves half of the 1 MB of UTF-16 that GitHub allows the outputs of a job to its other steps.
	//
	// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idoutputs
	maxOutputUnits = 500_000
	// maxSummaryBytes is below the 1 MiB to which GitHub limits the summary of a step.
	//
	// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#adding-a-job-summary
	maxSummaryBytes = 1_000_000
	// sealedShare and failureShare are the most that sealed values and the failures have of the summary. The tables,
	// which the log has too, have the rest.
	sealedShare, failureShare = 0.85, 0.1
)

// document is a decided report. The log, annotations, outputs, summary and script only render it.
type document struct {
	Run
	room     limits
	sign     string // of the worst entry
	title    string // "acme: 24 of 30 secrets stored, 5 failed, 1 unknown"
	entries  []entry
	failures []failure // in order of their first entries
	inStores bool      // names need their store
	saved    bool      // a sealed value is saved that is not stored
}

// entry is a result and where it is reported.
type entry struct {
	*secret.Result
	row    row  // of the output results
	hasRow bool // false if results has no room for the row
	place  place
	manual string // the command or the row in the summary, if the place is there
}

// place is where the sealed value of an entry is after the run, as a set of bits.
type place uint8

const (
	hasValue  place = 1 << iota // there is a value to save, or there should be
	inOutputs                   // of the step
	inScript                    // of the summary
	inRows                      // of the summary, for the input sealed
)

// failure is one or more entries that failed alike.
type failure struct {
	entries   []entry
	fact      string
	reason    string // why this may be; may be empty
	step      string // the one next step
	place     place
	requestID string // may be empty
}

// decide makes the report of a run: where each sealed value is saved within the limits, which failures are one,
// the next step of each, and the title. The errors of the results are single printable lines; see [Reporter.clean].
func decide(run Run, room limits) document {
	d := document{Run: run, room: room, entries: make([]entry, len(run.Results))}
	d.Results = slices.Clone(run.Results)
	for i, result := range run.Results {
		d.entries[i] = entry{Result: &d.Results[i], row: newRow(result), hasRow: true, place: placeBefore(run, result)}
		d.inStores = d.inStores || result.Store != run.Results[0].Store
	}
	d.placeInOutputs()
	d.placeInSummary()
	d.failUnsaved()
	d.groupFailures()
	d.sign, d.title = outcome(d.Run)
	if room.outputs == 0 && d.sign == signs[fine] {
		d.sign, d.title = signs[warned], d.title+", but the outputs could not be written"
	}
	return d
}

// placeBefore returns the place of a value before any file is written. A dry run may have been given any value.
func placeBefore(run Run, e secret.Result) place {
	hasNone := run.Mode == secret.ModeCheck || run.Mode == secret.ModeAccess
	if !hasNone && !run.DryRun && (e.EncryptedValue != "" || e.Operation == secret.Failed) {
		return hasValue
	}
	return 0
}

// canFinish reports whether there is a sealed value that GitHub can still open.
func (e *entry) canFinish() bool {
	return e.EncryptedValue != "" && !errors.Is(e.Err, secret.ErrCannotOpen)
}

// outsideOutputs reports whether there is such a value, and the outputs do not have it.
func (e *entry) outsideOutputs() bool {
	return e.place&hasValue != 0 && e.place&inOutputs == 0 && e.canFinish()
}

// valueSize is how much longer its sealed value makes a row.
func (e *entry) valueSize() int {
	if e.EncryptedValue == "" {
		return 0
	}
	return len(`,"encrypted_value":""`) + len(e.EncryptedValue)
}

// placeInOutputs gives sealed values a place in the outputs, in input order as long as they fit. If not even the rows
// without values fit, rows are left out.
func (d *document) placeInOutputs() {
	left := d.room.outputs - len("[]")
	if left < 0 {
		return
	}
	for _, o := range sharedOutputs(*d) {
		left -= mask.UTF16Len(o.Name) + mask.UTF16Len(o.Value)
	}
	rows, values := 0, 0
	for i := range d.entries {
		rows += d.entries[i].row.size()
		values += d.entries[i].valueSize()
	}
	if rows > left {
		d.leaveOutRows(rows + values - left)
		left = rows + values // those that stay have room for their values
	}
	left -= rows
	for i := range d.entries {
		e := &d.entries[i]
		if left -= e.valueSize(); left < 0 {
			break
		}
		if e.hasRow {
			e.row.EncryptedValue = e.EncryptedValue
		}
		if e.hasRow && e.place == hasValue && e.canFinish() {
			e.place |= inOutputs
		}
	}
}

// leaveOutRows leaves rows out of the output results until it is so much shorter: those of the least worth first, from
// the end.
func (d *document) leaveOutRows(excess int) {
	for worth := range 4 {
		for i := len(d.entries) - 1; i >= 0 && excess > 0; i-- {
			if e := &d.entries[i]; e.hasRow && e.worth() == worth {
				excess -= e.row.size() + e.valueSize()
				e.hasRow = false
			}
		}
	}
}

// worth is how much the row of an entry is worth to a later job.
func (e *entry) worth() int {
	switch {
	case e.canFinish():
		return 3
	case e.Failed():
		return 2
	case e.Check != nil && e.Check.Due:
		return 1
	}
	return 0
}

// placeInSummary gives sealed values a place in the script of the summary, those that are not in the outputs first. If
// the access is not known, or the request itself has to change, a script cannot store them: they are there as rows.
func (d *document) placeInSummary() {
	left := int(float64(d.room.summary) * sealedShare)
	for _, place := range []place{hasValue, hasValue | inOutputs} {
		for i := range d.entries {
			e := &d.entries[i]
			if e.place != place || e.Err == nil || !e.canFinish() {
				continue
			}
			part, text := inScript, command(d.Run, *e.Result)
			if !isRepeatable(d.Run, *e.Result) {
				part, text = inRows, sealedRow(*e)
			}
			if left -= len(escaper.Replace(text)) + len(","); left >= 0 {
				e.place |= part
				e.manual = text
			}
			d.saved = d.saved || e.place != hasValue
		}
	}
}

// manual returns the texts of a part of the summary that store sealed values.
func (d *document) manual(part place) (texts []string) {
	for _, e := range d.entries {
		if e.place&part != 0 {
			texts = append(texts, e.manual)
		}
	}
	return texts
}

// groupFailures groups the entries that failed alike, in order of the first of each group.
func (d *document) groupFailures() {
	index := map[string]int{}
	for i := range d.entries {
		e := &d.entries[i]
		err, ok := errors.AsType[*secret.Error](e.Err)
		if !ok {
			continue
		}
		step := d.nextStep(e, err)
		key := strings.Join([]string{string(e.Operation), err.Fact(), err.Cause, step, places[e.place].text}, "\n")
		n, ok := index[key]
		if !ok {
			n = len(d.failures)
			index[key] = n
			d.failures = append(d.failures, failure{nil, err.Error(), err.Cause, step, e.place, err.RequestID})
		}
		f := &d.failures[n]
		if err.Error() != f.fact {
			f.fact = err.Fact()
		}
		if err.RequestID != f.requestID {
			f.requestID = "see the output results"
		}
		f.entries = append(f.entries, *e)
	}
}

// failUnsaved makes a value that was sealed, and has no place, a failure.
func (d *document) failUnsaved() {
	for i := range d.entries {
		if e := &d.entries[i]; e.place == hasValue && e.Err == nil {
			err := &secret.Error{
				Problem: "the sealed value is not in the outputs",
				Hint:    "Seal fewer secrets in one run, and see that the outputs can be written.",
			}
			e.Operation, e.Err = secret.Failed, err
			e.row.Operation, e.row.Error = string(secret.Failed), err.Problem
		}
	}
}

// saved says where the value of a failure is, and GitHub's id of the request.
func (f *failure) saved() string {
	if f.requestID == "" {
		return places[f.place].text
	}
	return join(places[f.place].text, "Request id: "+f.requestID)
}

// nextStep returns the one thing to do about a failure. The hint comes first. The rest follows from two
// facts: where the sealed value is, and whether the result is known.
func (d *document) nextStep(e *entry, err *secret.Error) string {
	finish := places[e.place].finish
	before, step := "", "Run this again."
	if e.place == hasValue && d.saved {
		step = "Run this again for this secret alone."
	}
	isElsewhere := func(other entry) bool {
		hasNew := other.Stored() || other.Operation == secret.Unknown || other.place > hasValue
		return other.Name == e.Name && other.Store != e.Store && hasNew
	}
	switch {
	case e.Stored():
		return cmp.Or(err.Hint, "Nothing is left to do.")
	case finish != "" && e.Operation == secret.Unknown:
		step = finish + "; storing it again is safe. Do not rotate again."
	case finish != "":
		step = finish + ". Do not rotate again."
	case e.place == hasValue && e.Operation == secret.Unknown:
		before = "Keep the old and the new credential active: GitHub may have either."
	case e.place == hasValue && slices.ContainsFunc(d.entries, isElsewhere):
		before = "Keep the old and the new credential active: another store has the new one, or may get it."
		step = "Run this again for this store alone."
	case e.place == hasValue:
		before = "Keep the old credential active: this run did not store the new one."
	case d.Mode == secret.ModeAccess && !d.DryRun && len(d.Refused) == 0:
		step = "Run this again; completed changes are skipped."
	}
	if err.Hint != "" {
		step = "Then " + strings.ToLower(step[:1]) + step[1:]
	}
	return join(before, err.Hint, step)
}

// places say where a sealed value is, and how to store it from there.
var places = map[place]struct{ text, finish string }{
	hasValue: {"The value is not saved.", ""},
	hasValue | inOutputs: {
		"Saved, sealed, in this step's outputs.", "Pass the output `results` to `sealed` in a later job of this run",
	},
	hasValue | inScript: {"Saved, sealed, in the job summary.", "Run the script in the job summary"},
	hasValue | inRows:   {"Saved, sealed, in the job summary.", "Pass the rows in the job summary to `sealed`"},
	hasValue | inOutputs | inScript: {
		"Saved, sealed, in this step's outputs and the job summary.",
		"Run the script in the job summary (or pass the output `results` to `sealed`)",
	},
	hasValue | inOutputs | inRows: {
		"Saved, sealed, in this step's outputs and the job summary.",
		"Pass the rows in the job summary (or the output `results`) to `sealed`",
	},
}

func join(sentences ...string) string {
	return strings.Join(slices.DeleteFunc(sentences, func(s string) bool { return s == "" }), " ")
}

// todo introduces a next step.
const todo = "What to do: "

// refusedStep is the next step after a run that was refused before any request.
func refusedStep(d document) string {
	result := secret.Result{Operation: secret.Failed}
	e := entry{Result: &result, place: placeBefore(d.Run, result)}
	return d.nextStep(&e, &secret.Error{Hint: "Correct these problems."})
}
