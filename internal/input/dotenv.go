package input

import (
	"strings"
	"unicode"

	"github.com/hashicorp/go-envparse"

	"set-org-secret/internal/secret"
)

// dotenvAdvice is the advice for refused lines of a .env file.
const dotenvAdvice = `Common readers disagree on these. Write the value in single quotes, or in double quotes with ` +
	`\", \\ and \n, or as JSON`

// batchDotenv reads a .env file, a value a line. Quotes and escapes are go-envparse's. It gets one value at a time, so
// that order, line numbers and equal names are known, and without comments, since it cuts the last character before
// one if that is not ASCII. Ambiguous lines are refused before: go-envparse joins quoted pieces,
// and takes any # for a comment.
func (r *reader) batchDotenv(input string, text []byte, listed map[secret.Name]bool) []value {
	l := r.newLineReader(input, text, listed)
	for i, line := range l.lines {
		number := i + 1
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, val, isPair := strings.Cut(line, "=")
		if !isPair {
			l.maskLine(line)
			l.noEquals = append(l.noEquals, number)
			continue
		}
		if after, ok := strings.CutPrefix(name, "export"); ok && strings.TrimLeftFunc(after, unicode.IsSpace) != after {
			name = after
		}
		name = strings.TrimSpace(name)
		val, reason := dotenvText(strings.TrimSpace(val))
		leftOut := l.isLeftOut(name)
		switch {
		case reason == openQuote, reason != "" && !leftOut:
			l.refuse(number, reason)
		case !leftOut:
			isUnquoted := val == "" || !isQuote(val[0])
			if val, reason = unquoteDotenv(val); reason != "" {
				l.refuse(number, reason)
				continue
			}
			l.add(number, name, val, isUnquoted)
		}
	}
	l.reportRefused("NAME=value", dotenvAdvice)
	return l.values
}

const openQuote = "a quote that does not close on the line"

// dotenvText returns a value, with its quotes and without its comment, or why common readers disagree on it.
func dotenvText(val string) (text, reason string) {
	if val == "" {
		return "", ""
	}
	text, after := val, ""
	if isQuote(val[0]) {
		end := closingQuote(val)
		if end < 0 {
			return "", openQuote
		}
		text, after = val[:end+1], val[end+1:]
		if rest := strings.TrimLeftFunc(after, unicode.IsSpace); rest != "" && (rest == after || rest[0] != '#') {
			return "", "text after the closing quote"
		}
	} else if val[0] == '#' {
		text = ""
	} else if i := commentIndex(val); i >= 0 {
		text = strings.TrimSpace(val[:i])
	}
	isUnquoted := text == "" || !isQuote(text[0])
	switch {
	case text != "" && text[0] == '`':
		return "", "a backquote around the value"
	case isUnquoted && strings.Contains(text, "#"):
		return "", "a # without a blank before it"
	case isUnquoted && strings.ContainsAny(text, "\"'`"):
		return "", "a quote within the value"
	case (isUnquoted || text[0] == '"') && strings.Contains(text, "${"):
		return "", "a ${, which some readers expand"
	}
	return text, ""
}

// unquoteDotenv returns the value that a text in quotes, or without, stands for.
func unquoteDotenv(text string) (val, reason string) {
	values, err := envparse.Parse(strings.NewReader("V=" + text + "\n"))
	if err != nil { // it may quote the text
		return "", "an escape that JSON does not have, a control character, or more than 64 KiB"
	}
	if val = values["V"]; unpairedSurrogate([]byte(text), val) {
		return "", "an invalid Unicode escape (unpaired surrogate)"
	}
	return val, ""
}
