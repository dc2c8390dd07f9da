package input

import (
	"cmp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"set-org-secret/internal/secret"
)

// words relate an unknown input to a known one: if both names contain the same word, the known input may be meant.
var words = []string{"repo", "secret", "value", "visibility", "org", "store", "token", "key", "mode", "name"}

// checkEnvironment reports unknown inputs, about which the runner only warns, and an empty text where the default could
// write elsewhere. It has to read the whole environment: GetInput shows neither.
func (r *reader) checkEnvironment() {
	if r.Environ == nil || r.Getenv("GITHUB_ACTIONS") == "" {
		return
	}
	var unknown []string
	for _, assignment := range slices.Sorted(slices.Values(r.Environ())) {
		variable, value, _ := strings.Cut(assignment, "=")
		name, isInput := strings.CutPrefix(variable, "INPUT_")
		if !isInput || name == "ARGS" || name == "ENTRYPOINT" { // the last two are the runner's own
			continue
		}
		if i := inputIndex(strings.ToLower(name)); i >= 0 && name == strings.ToUpper(name) {
			// The runner fills in the default only if the workflow does not have the input at all.
			if in := Inputs[i]; in.rejectsEmpty && strings.TrimSpace(value) == "" {
				r.explain(in.Name, "empty: an expression without a value. Leave the line out for the default, or "+
					"write ${{ … || "+cmp.Or(in.context(), "'"+in.Default+"'")+" }}")
			}
			continue
		}
		shown := strings.ToLower(name)
		if !secret.HasOnly(name, "-") {
			shown = secret.Quote(name)
		}
		closest := resembled(name)
		if closest == "" {
			unknown = append(unknown, shown)
			continue
		}
		if slices.Contains([]string{"secret_value", "secrets", "token"}, closest) {
			r.maskContent(value)
		}
		r.problemf(shown, "not an input of this action; did you mean %s?", closest)
	}
	if len(unknown) > 0 {
		r.warnf("not an input of this action: %s. Either an input is misspelled, or the workflow's own env: sets a "+
			"variable whose name starts with INPUT_", strings.Join(unknown, ", "))
	}
}

// resembled returns the input that an unknown one was probably meant to be, or "". It prefers an input that is written
// almost the same, and otherwise takes the closest input that shares one of words.
func resembled(unknown string) string {
	name := strings.ToLower(unknown)
	byName := func(in Input) int { return levenshtein.ComputeDistance(name, in.Name) }
	byStem := func(in Input) int { return min(levenshtein.ComputeDistance(stemOf(name), stemOf(in.Name)), byName(in)) }
	if in := closest(Inputs, byStem); byStem(in) <= 2 {
		return in.Name
	}
	withSynonym := strings.ReplaceAll(name, "access", "visibility")
	var related []Input
	for _, in := range Inputs {
		isCommon := func(word string) bool {
			return strings.Contains(withSynonym, word) && strings.Contains(in.Name, word)
		}
		isSwitch := in.Default == "false" // a shared word is not enough to suggest a switch
		if !isSwitch && slices.ContainsFunc(words, isCommon) {
			related = append(related, in)
		}
	}
	if len(related) == 0 {
		return ""
	}
	return closest(related, byName).Name
}

func closest(inputs []Input, distance func(Input) int) Input {
	return slices.MinFunc(inputs, func(a, b Input) int { return cmp.Compare(distance(a), distance(b)) })
}

// stemOf returns a name in lower case, without separators and plural s.
func stemOf(name string) string { return strings.TrimSuffix(stems.Replace(strings.ToLower(name)), "s") }

var stems = strings.NewReplacer("-", "", "_", "", " ", "", "ies", "y")

// checkNotation reports unevaluated expressions, and quotes around a whole input.
func (r *reader) checkNotation() {
	for _, in := range Inputs {
		if in.isValue || r.explained[in.Name] {
			continue
		}
		s := r.GetInput(in.Name)
		switch {
		case strings.HasPrefix(s, "${{"), strings.Contains(s, "${{") && in.Name != "sealed": // errors in rows may do so
			r.explain(in.Name, "is "+expression+"; "+expressionAdvice)
		case len(s) > 1 && s[0] == s[len(s)-1] && strings.Contains(quotes, s[:1]):
			r.explain(in.Name, "is in quotes; write it without them")
		}
	}
}
