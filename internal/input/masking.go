package input

import (
	"strings"
	"unicode/utf8"

	"set-org-secret/internal/secret"
)

// minRun is the least length, in characters, of a text that is masked: a mask for "type" would hide much of a log.
const minRun = 8

// maskRejected masks the parts of a rejected document that may be secret: values, but not names.
func (r *reader) maskRejected(text string) {
	for _, run := range runs(text) {
		for line := range strings.FieldsFuncSeq(run, isLineEnd) {
			line = strings.TrimSpace(line)
			if utf8.RuneCountInString(line) >= minRun && !findStandIn(line, true).isNothing() {
				r.result.Masks.Add(line)
			}
		}
	}
}

// maskContent masks a text in the wrong input, such as in place of a path: one plaintext, or a batch.
func (r *reader) maskContent(text string) {
	if !looksLikeJSON(text) {
		r.result.Masks.Add(text)
	}
	r.maskRejected(text)
}

func isLineEnd(c rune) bool { return c == '\n' || c == '\r' }

func looksLikeJSON(text string) bool {
	text = strings.TrimSpace(text)
	return text != "" && strings.Contains("{[\"", text[:1])
}

// runs returns the texts that may be values, without names, punctuation of the format, and bytes that are not UTF-8.
func runs(text string) (list []string) {
	text = strings.ToValidUTF8(text, "\n")
	if looksLikeJSON(text) {
		return jsonRuns(text)
	}
	for line := range strings.FieldsFuncSeq(text, isLineEnd) {
		list = append(list, lineRuns(line)...)
	}
	return list
}

// jsonRun matches a string with its quotes, or a text between punctuation, and the colon after it, if any.
var jsonRun = re(`(?s)("(?:[^"\\]|\\.?)*"?|[^{}\[\],"\s]+)\s*(:?)`)

// jsonRuns returns the values of a text that looks like JSON but may be invalid. A text before a colon is a name.
func jsonRuns(text string) (list []string) {
	for _, m := range jsonRun().FindAllStringSubmatch(text, -1) {
		run, isName := m[1], m[2] != ""
		if isName || run[0] != '"' && strings.HasSuffix(run, ":") {
			continue
		}
		value, isString := unquoteJSON([]byte(run))
		if !isString {
			value = strings.Trim(run, `"`)
		}
		list = append(list, value)
	}
	return list
}

var yamlLine = re(`^\s*(?:- )?[A-Za-z_][\w.-]*:(?:\s+(.*))?$`)

// lineRuns returns the value of a line NAME=value or NAME: value, as written and as readers of .env files read it. It
// adds a line without a legal name, and a line NAME=, as a whole: such a line may be a part of a key.
func lineRuns(line string) []string {
	if m := yamlLine().FindStringSubmatch(line); m != nil {
		return []string{m[1], strings.Trim(takeApart("="+m[1]).text, quotes)}
	}
	p := takeApart(line)
	list := []string{p.value, strings.Trim(p.text, quotes)}
	name := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(p.name), "export "))
	if _, err := secret.ParseName(name); err != nil || strings.Trim(p.value, "= ") == "" {
		list = append(list, line)
	}
	return list
}
