package input

import (
	"slices"
	"strings"

	"set-org-secret/internal/secret"
)

// words are those that suggest that an unknown input is a known one, misspelled.
var words = []string{
	"repo", "repository", "secret", "value", "visibility", "access", "org", "store", "token", "key", "mode",
}

// checkEnvironment finds inputs that this action does not have, of which the runner only warns, and inputs that are set
// to nothing: only the whole environment shows both.
func (r *reader) checkEnvironment() {
	if r.Environ == nil || r.Getenv("GITHUB_ACTIONS") == "" {
		return
	}
	var assignments, unknown []string
	for _, assignment := range r.Environ() {
		if rest, ok := strings.CutPrefix(assignment, "INPUT_"); ok {
			assignments = append(assignments, rest)
		}
	}
	slices.Sort(assignments)
	for _, assignment := range assignments {
		name, value, _ := strings.Cut(assignment, "=")
		if name == "ARGS" || name == "ENTRYPOINT" { // the runner's own
			continue
		}
		if i := inputIndex(strings.ToLower(name)); i >= 0 && name == strings.ToUpper(name) {
			r.checkEmpty(Inputs[i], value)
			continue
		}
		shown := strings.ToLower(name)
		if strings.ContainsFunc(name, func(c rune) bool { return !isWordRune(c) }) {
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

// checkEmpty reports an input that is set to nothing although its default would write somewhere else. The runner fills
// in the default only if the workflow does not have the input at all.
func (r *reader) checkEmpty(in Input, value string) {
	if in.ifEmpty != "" && strings.TrimSpace(value) == "" {
		r.shapes[in.Name] = "empty: an expression without a value. Leave the line out for the default, or write " +
			"${{ … || " + in.ifEmpty + " }}"
	}
}

// resembled returns the known input that an unknown one may be meant to be, or "" if it resembles none.
func resembled(unknown string) string {
	name := strings.ToLower(unknown)
	stem := stemOf(name)
	closest, least := "", len(name)+100
	consider := func(known string, distance int) {
		if distance < least {
			closest, least = known, distance
		}
	}
	for _, in := range Inputs {
		if d := min(distance(stem, stemOf(in.Name)), distance(name, in.Name)); d <= 2 {
			consider(in.Name, d)
		}
	}
	if closest != "" {
		return closest
	}
	for _, word := range words {
		if !strings.Contains(name, word) {
			continue
		}
		if word == "access" {
			consider("visibility", distance(name, "visibility"))
		}
		for _, in := range Inputs {
			isSwitch := in.Default == "false" // whose name such a word alone does not suggest
			if strings.Contains(in.Name, word) && !isSwitch {
				consider(in.Name, distance(name, in.Name))
			}
		}
	}
	return closest
}

// stemOf returns a name in lower case, without separators and plural s.
func stemOf(name string) string {
	name = strings.NewReplacer("-", "", "_", "", " ", "", "ies", "y").Replace(strings.ToLower(name))
	return strings.TrimSuffix(name, "s")
}

// distance is how many characters must be inserted, removed or replaced to turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// checkShapes reports unevaluated expressions, and quotes around a whole input, which YAML removes and the runner does
// not.
func (r *reader) checkShapes() {
	for _, in := range Inputs {
		if in.Name == "secret_value" || in.Name == "secrets" || r.shapes[in.Name] != "" {
			continue
		}
		s := r.GetInput(in.Name)
		switch {
		case strings.HasPrefix(s, "${{"), strings.Contains(s, "${{") && in.Name != "sealed": // errors in rows are text
			r.shapes[in.Name] = unevaluated
		case len(s) > 1 && s[0] == s[len(s)-1] && strings.ContainsRune("\"'`", rune(s[0])):
			r.shapes[in.Name] = "is in quotes; write it without them"
		}
	}
}

// unevaluated explains an expression that was left as text.
const unevaluated = "is an unevaluated expression: ${{ }} is evaluated only in workflow files"

// replaceProblems replaces the problems of each input whose shape is wrong by that one.
func (r *reader) replaceProblems() {
	r.result.Problems = slices.DeleteFunc(r.result.Problems, func(p Problem) bool { return r.shapes[p.Input] != "" })
	for _, in := range Inputs {
		if text := r.shapes[in.Name]; text != "" {
			r.problemf(in.Name, "%s", text)
		}
	}
}
