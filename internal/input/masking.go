package input

import (
	"strings"
	"unicode/utf8"

	"set-org-secret/internal/secret"
)

// minRun is the length from which a run of a rejected document is masked: a mask for "type" would hide much of the log.
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

// maskContent masks content that was given in place of a path: one plaintext, or a batch.
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

// runs returns the runs of text between the structure of its format and bytes that are not UTF-8, without names.
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

// jsonRun is a string, with its quotes, or a text between punctuation; and the colon behind it, if any.
var jsonRun = re(`(?s)("(?:[^"\\]|\\.?)*"?|[^{}\[\],"\s]+)\s*(:?)`)

// jsonRuns returns the values of text that is meant to be JSON and may not be. A colon follows a name.
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

// lineRuns returns the value of a line NAME=value or NAME: value as it is, and as readers of .env files take it.
// Without a legal name or a value the whole line may be a part of a key.
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
