package report

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"set-org-secret/internal/secret"
)

// saved is where the sealed value of a result can be found after the run.
type saved int

const (
	notNeeded saved = iota // nothing is left to store, or it cannot be stored
	inOutputs
	inSummary // and not in the outputs
	nowhere
)

// entry is a result as it is reported. Its other fields are set by fitting the outputs, and then the summary, to their
// size limits.
type entry struct {
	secret.Result
	saved     saved
	leftOut   bool // there is no row in the output results
	noCommand bool // the command that stores the sealed value is not in the summary
	named     bool // the summary names it among the failures
}

func entriesOf(results []secret.Result) []*entry {
	entries := make([]*entry, len(results))
	for i, result := range results {
		entries[i] = &entry{Result: result}
	}
	return entries
}

// storableLater reports whether there is a sealed value that is not known to be stored and that GitHub can still
// open.
func (e *entry) storableLater() bool {
	return e.EncryptedValue != "" && !errors.Is(e.Err, secret.ErrCannotOpen)
}

// use is how useful a row of the output results is. If rows have to be left out, those of the lowest use go first.
type use int

const (
	done use = iota
	doneAndDue
	notDone
	finishable // with its sealed value
)

func (e *entry) use() use {
	switch {
	case e.storableLater():
		return finishable
	case e.Failed():
		return notDone
	case e.Check != nil && e.Check.Due:
		return doneAndDue
	}
	return done
}

// asError returns the parts of err. If its text is more than that of the first [secret.Error] in it, because it adds
// to it or joins several, the problem is the whole text.
func asError(err error) secret.Error {
	first, ok := errors.AsType[*secret.Error](err)
	if ok && err.Error() == first.Error() {
		return *first
	}
	all := secret.Error{Problem: strings.ReplaceAll(err.Error(), "\n", "; ")} // errors.Join has a line for each
	if ok {
		all.Cause, all.Hint, all.RequestID = first.Cause, first.Hint, first.RequestID
	}
	return all
}

// group is one or more failures that differ at most in their request ids and attempts. All fields but title and
// problem may be empty.
type group struct {
	title      string // "A, B and 2 more in actions"
	problem    string
	cause      string
	hint       string
	saved      string // where the sealed values are
	result     string // what is unknown about the result
	requestIDs string
	entries    []*entry
}

// groupFailures groups the failures among the entries, in order of the first of each group.
func groupFailures(run Run, entries []*entry) []*group {
	type key struct {
		operation                secret.Operation
		fact, cause, hint, saved string
	}
	var groups []*group
	index := map[key]*group{}
	for _, e := range entries {
		if e.Err == nil {
			continue
		}
		err := asError(e.Err)
		k := key{e.Operation, err.Fact(), err.Cause, err.Hint, savedText(run, e, 1)}
		g := index[k]
		if g == nil {
			g = &group{problem: err.Error(), cause: err.Cause, hint: err.Hint, requestIDs: requestLine(err.RequestID)}
			index[k], groups = g, append(groups, g)
		}
		if err.Error() != g.problem {
			g.problem = err.Fact()
		}
		if requestLine(err.RequestID) != g.requestIDs {
			g.requestIDs = "Request ids: see the output results"
		}
		g.entries = append(g.entries, e)
	}
	for _, g := range groups {
		n := len(g.entries)
		g.title, g.saved = groupTitle(g.entries), savedText(run, g.entries[0], n)
		if g.entries[0].Operation == secret.Unknown {
			g.result = unknownText(run, n)
		}
	}
	return groups
}

// unknownText says what an unknown result of n secrets means.
func unknownText(run Run, n int) string {
	switch {
	case run.Mode != secret.ModeSet:
		return "The change may or may not have been made. Making it again is safe."
	case n > 1:
		return "The values may or may not have been stored. Storing them again is safe."
	}
	return "The value may or may not have been stored. Storing it again is safe."
}

// whatToDo returns what a reader of the summary can do about a failure, which is never nothing. Where the sealed values
// are is said once for all of them.
func (g *group) whatToDo(run Run) string {
	first := g.entries[0]
	parts := []string{g.hint}
	if first.saved == notNeeded || first.saved == nowhere {
		parts = append(parts, g.saved)
	}
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	switch {
	case len(parts) > 0:
	case run.Mode == secret.ModeSet && !run.DryRun && first.storableLater():
		return "Run it again, or store the sealed value as described below."
	default:
		return "Run it again."
	}
	return strings.Join(parts, " ")
}

const requestID = "Request id: "

func requestLine(id string) string {
	if id == "" {
		return ""
	}
	return requestID + id
}

// details returns the lines that follow the problem.
func (g *group) details() []string {
	return slices.DeleteFunc([]string{g.cause, g.hint, g.saved, g.result, g.requestIDs},
		func(line string) bool { return line == "" })
}

// savedText says where the sealed values of n failures like e are, or "" if there is nothing to say.
func savedText(run Run, e *entry, n int) string {
	values, are := "value", "is"
	if n > 1 {
		values, are = "values", "are"
	}
	switch {
	case run.Mode == secret.ModeSet && !run.DryRun && e.EncryptedValue == "" && e.Operation == secret.Failed:
		return fmt.Sprintf("The %s could not be sealed and %s not saved. "+
			"Keep the old credential active until a later run has stored the new one.", values, are)
	case e.saved == inOutputs && e.noCommand:
		return fmt.Sprintf("The sealed %s %s saved in this step's outputs; "+
			"you do not need to rotate again.", values, are)
	case e.saved == inOutputs:
		return fmt.Sprintf("The sealed %s %s saved in this step's outputs and the job summary; "+
			"you do not need to rotate again.", values, are)
	case e.saved == inSummary:
		return fmt.Sprintf("The sealed %s %s saved only in the job summary; "+
			"you do not need to rotate again.", values, are)
	}
	return ""
}

// title names what a result is about.
func title(result secret.Result) string {
	if result.Name == "" {
		return string(result.Store) + " secrets"
	}
	return fmt.Sprintf("%s in %s", result.Name, result.Store)
}

// groupTitle names the first three entries and counts the others.
func groupTitle(entries []*entry) string {
	const named = 3
	store := entries[0].Store
	oneStore := !slices.ContainsFunc(entries, func(e *entry) bool { return e.Store != store || e.Name == "" })
	var names []string
	for _, e := range entries[:min(len(entries), named)] {
		name := title(e.Result)
		if oneStore {
			name = string(e.Name)
		}
		names = append(names, name)
	}
	text := strings.Join(names, ", ")
	if more := len(entries) - named; more > 0 {
		text += fmt.Sprintf(" and %s more", secret.FormatCount(more))
	}
	if oneStore {
		text += " in " + string(store)
	}
	return text
}
