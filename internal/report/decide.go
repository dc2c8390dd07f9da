package report

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"set-org-secret/internal/mask"
	"set-org-secret/internal/secret"
)

// limits are the maximum sizes of a report. Outputs or a summary that cannot be written have the limit 0.
type limits struct {
	outputs int // in UTF-16 code units
	summary int // in bytes
}

const (
	// maxOutputUnits is 1 MB of UTF-16, to which GitHub limits the outputs of a job:
	// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idoutputs
	maxOutputUnits = 500_000
	// maxSummaryBytes is below the 1 MiB to which GitHub limits the summary of a step:
	// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#adding-a-job-summary
	maxSummaryBytes = 1_000_000
	// sealedShare and failureShare are shares of the summary. The rest is for the tables, which the log has too.
	sealedShare, failureShare = 0.85, 0.1
	// maxProblems limits the listed problems. Each line of a batch can have one, and a signal does not end a report.
	maxProblems = 1000
)

// document is a decided report. The log, annotations, outputs, summary and script only render it.
type document struct {
	Run
	room          limits
	sign          string // before the title, of the worst entry
	title         string // "acme: 24 of 30 secrets stored, 5 failed, 1 unknown"
	problemsStep  string // the next step of a rejected run
	entries       []*entry
	failures      []failure            // in order of their first entries
	severalStores bool                 // the run has several stores
	anySaved      bool                 // the sealed value of some failure is saved
	renewed       map[secret.Name]bool // some store has the new value, or may get it
	manual        map[place][]string   // in the summary, to store sealed values: commands of the script, and rows
}

// entry is a result and the decisions about it.
type entry struct {
	secret.Result
	outcome
	row    row  // of the output results
	hasRow bool // false if the output results has no room for the row
	place  place
	label  string // the name in messages, with the store if the run has several
}

// place is a set of bits: the places where the sealed value of an entry is after the run.
type place uint8

const (
	hasValue  place = 1 << iota // the run has, or should have, a value to save
	inOutputs                   // in the outputs of the step
	inScript                    // in the script of the summary
	inRows                      // in the summary, as a row for the input sealed
)

// failure is one or more entries that failed alike.
type failure struct {
	entries []*entry
	fact    string
	cause   string // may be empty
	step    string // the one next step
	saved   string // where the sealed value is, and the request id; may be empty
}

// decide decides a report within the limits. The texts of errors have to be printable lines; see [Reporter.clean].
func decide(run Run, room limits) document {
	d := document{Run: run, room: room, manual: map[place][]string{}, renewed: map[secret.Name]bool{}}
	isOther := func(result secret.Result) bool { return result.Store != run.Results[0].Store }
	d.severalStores = slices.ContainsFunc(run.Results, isOther)
	d.entries = convert(run.Results, d.newEntry)
	d.placeInOutputs()
	d.placeInSummary()
	d.groupFailures()
	d.problemsStep = d.nextStep(d.newEntry(secret.Result{Operation: secret.Failed}), "Correct these problems.")
	d.sign, d.title = newTitle(d)
	if first, more := secret.FirstOf(run.Problems, maxProblems); more > 0 {
		d.Problems = append(first, "and "+secret.Count(more, "more problem"))
	}
	return d
}

func (d *document) newEntry(result secret.Result) *entry {
	e := &entry{
		Result: result, outcome: newOutcome(d.Run, result), label: string(result.Name),
		row: newRow(result), hasRow: true,
	}
	canLose := d.Mode != secret.ModeCheck && d.Mode != secret.ModeAccess && !d.DryRun
	if canLose && (e.EncryptedValue != "" || e.Operation == secret.Failed) {
		e.place = hasValue
	}
	switch {
	case e.Name == "":
		e.label = string(e.Store) + " secrets"
	case d.severalStores:
		e.label = fmt.Sprintf("%s in %s", e.Name, e.Store)
	}
	return e
}

func (p place) has(other place) bool { return p&other != 0 }

// isUsable reports whether the entry has a value to save that GitHub can still open.
func (e *entry) isUsable() bool {
	return e.place.has(hasValue) && e.EncryptedValue != "" && !errors.Is(e.Err, secret.ErrCannotOpen)
}

func (e *entry) outsideOutputs() bool { return e.isUsable() && !e.place.has(inOutputs) }

// placeInOutputs leaves out sealed values, the last ones first, until the outputs fit. If the outputs without values
// do not fit either, it leaves out whole rows, those of the lowest worth first.
func (d *document) placeInOutputs() {
	excess := -d.room.outputs
	for _, o := range append(sharedOutputs(*d), output{"results", "[]"}) {
		excess += mask.UTF16Len(o.name) + mask.UTF16Len(o.value)
	}
	withoutValues := excess
	for _, e := range d.entries {
		excess += e.row.size()
		withoutValues += d.withoutValue(e).row.size()
	}
	order := d.entries
	if withoutValues > 0 {
		order = slices.SortedStableFunc(slices.Values(order), func(a, b *entry) int { return b.worth() - a.worth() })
	}
	for _, e := range slices.Backward(order) {
		switch {
		case excess > 0:
			excess -= e.row.size()
			*e = d.withoutValue(e)
			if e.hasRow = withoutValues <= 0; e.hasRow {
				excess += e.row.size()
			}
		case e.isUsable():
			e.place |= inOutputs
		}
	}
}

// worth ranks rows for the outputs: those with a value that a later job can use highest, the others by severity.
func (e *entry) worth() int {
	if e.isUsable() {
		return int(failed) + 1
	}
	return int(e.severity)
}

// withoutValue returns the entry for outputs without its value. In mode seal it fails: the value has no other place.
func (d *document) withoutValue(e *entry) entry {
	without := *e
	if e.place.has(hasValue) && e.Err == nil {
		without.Operation = secret.Failed
		without.Err = &secret.Error{
			Problem: "the sealed value is not in the outputs",
			Hint:    "Seal fewer secrets in one run, and see that the outputs can be written.",
		}
		without = *d.newEntry(without.Result)
	}
	without.row.EncryptedValue, without.row.PublicKey = "", ""
	return without
}

// placeInSummary puts sealed values into the summary, the last ones first: the outputs leave out the same ones first.
func (d *document) placeInSummary() {
	left := int(float64(d.room.summary) * sealedShare)
	for _, e := range slices.Backward(d.entries) {
		if !e.isUsable() || d.Mode == secret.ModeSeal {
			continue
		}
		part, text := inScript, command(d.Run, e.Result)
		if text == "" {
			result := e.Result
			result.Err = nil // the summary shows it with the failure
			part, text = inRows, strings.Trim(encode([]row{newRow(result)}), "[]")
		}
		if left -= len(escaper.Replace(text)) + len(","); left >= 0 {
			e.place |= part
			d.manual[part] = slices.Insert(d.manual[part], 0, text)
		}
	}
}

// groupFailures decides the next step of each failure, and groups the entries that failed alike.
func (d *document) groupFailures() {
	for _, e := range d.entries {
		isSaved := e.place > hasValue
		d.anySaved = d.anySaved || e.Err != nil && isSaved
		d.renewed[e.Name] = d.renewed[e.Name] || e.Stored() || e.Operation == secret.Skipped ||
			e.Operation == secret.Unknown || isSaved
	}
	erroneous := filter(d.entries, func(e *entry) bool { return e.Err != nil })
	alike := func(e *entry) string {
		err := secret.AsError(e.Err)
		parts := []string{string(e.Operation), err.Fact(), err.Cause, d.nextStep(e, err.Hint), places[e.place].saved}
		return strings.Join(parts, "\n")
	}
	for _, group := range grouped(erroneous, alike) {
		first, err := group[0], secret.AsError(group[0].Err)
		f := failure{entries: group, cause: err.Cause, step: d.nextStep(first, err.Hint)}
		f.fact = shared(group, func(e *entry) string { return secret.AsError(e.Err).Error() }, err.Fact())
		id := shared(group, func(e *entry) string { return secret.AsError(e.Err).RequestID }, "see the output results")
		if id != "" {
			id = "Request id: " + id
		}
		f.saved = join(" ", places[first.place].saved, id)
		d.failures = append(d.failures, f)
	}
}

// nextStep returns the one thing to do about a failure: the hint, and then the step for its sealed value.
func (d *document) nextStep(e *entry, hint string) string {
	const keepBoth = "Keep the old and the new credential active: "
	keep, step := "", "Run this again."
	if d.anySaved {
		step = "Run this again for this secret alone."
	}
	store, isUnknown := places[e.place].step, e.Operation == secret.Unknown
	switch {
	case e.Stored():
		return cmp.Or(hint, "Nothing is left to do.")
	case store != "" && isUnknown:
		step = store + "; storing it again is safe. Do not rotate again."
	case store != "":
		step = store + ". Do not rotate again."
	case d.Mode == secret.ModeAccess && !d.DryRun && len(d.Problems) == 0:
		step = "Run this again; completed changes are not repeated."
	case e.place == 0, errors.Is(e.Err, secret.ErrForeignKey): // no value to lose, or one that others can read
	case isUnknown:
		keep = keepBoth + "GitHub may have either."
	case d.renewed[e.Name]:
		keep = keepBoth + "another store has the new one, or may get it."
		step = "Run this again for this store alone."
	default:
		keep = "Keep the old credential active: this run did not store the new one."
	}
	if hint != "" {
		step = "Then " + strings.ToLower(step[:1]) + step[1:]
	}
	return join(" ", keep, hint, step)
}

const inBoth = "Saved, sealed, in this step's outputs and the job summary."

// places has the words for each place: where a sealed value is saved, and the step that stores it.
var places = map[place]struct{ saved, step string }{
	hasValue: {"The value is not saved.", ""},
	hasValue | inOutputs: {
		"Saved, sealed, in this step's outputs.", "Pass the output `results` to `sealed` in a later job of this run",
	},
	hasValue | inScript: {"Saved, sealed, in the job summary.", "Run the script in the job summary"},
	hasValue | inRows:   {"Saved, sealed, in the job summary.", "Pass the rows in the job summary to `sealed`"},
	hasValue | inOutputs | inScript: {
		inBoth, "Run the script in the job summary (or pass the output `results` to `sealed`)",
	},
	hasValue | inOutputs | inRows: {inBoth, "Pass the rows in the job summary (or the output `results`) to `sealed`"},
}

const todo = "What to do: "

// join joins the texts that are not empty.
func join(separator string, texts ...string) string {
	return strings.Join(filter(texts, func(text string) bool { return text != "" }), separator)
}

func filter[T any](items []T, matches func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(items), func(item T) bool { return !matches(item) })
}

func convert[T, U any](items []T, to func(T) U) []U {
	converted := make([]U, len(items))
	for i, item := range items {
		converted[i] = to(item)
	}
	return converted
}

// grouped groups entries by a key, in order of the first entry of each group.
func grouped(entries []*entry, key func(*entry) string) [][]*entry {
	var keys []string
	byKey := map[string][]*entry{}
	for _, e := range entries {
		k := key(e)
		if byKey[k] == nil {
			keys = append(keys, k)
		}
		byKey[k] = append(byKey[k], e)
	}
	return convert(keys, func(k string) []*entry { return byKey[k] })
}

// shared returns the text that all entries share. If the texts differ or there is no entry, it returns otherwise.
func shared(entries []*entry, text func(*entry) string, otherwise string) string {
	texts := slices.Compact(convert(entries, text))
	if len(texts) != 1 {
		return otherwise
	}
	return texts[0]
}
