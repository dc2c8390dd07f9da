package input

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"set-org-secret/internal/secret"
)

var byteOrderMark = []byte("\uFEFF")

// isUTF16 reports whether text is UTF-16: it has a byte order mark, or its first character is ASCII in two bytes.
func isUTF16(text []byte) bool {
	if len(text) < 2 || len(text)%2 != 0 {
		return false
	}
	mark := text[0] == 0xFF && text[1] == 0xFE || text[0] == 0xFE && text[1] == 0xFF
	return mark || (text[0] == 0) != (text[1] == 0) && utf8.Valid(text) && bytes.Count(text, []byte{0}) == len(text)/2
}

// isDotenv reports whether a batch is read as a .env file.
func (r *reader) isDotenv() bool { return strings.EqualFold(r.get("secrets_format"), "dotenv") }

// batch reads several secrets: a JSON object of strings, GitHub's environment-file format, or a .env file. A problem
// names the position, never the text: parsers quote the text that they reject, which may be a secret. If listed is
// not nil, only the secrets in it are taken, and no other entry is looked at.
func (r *reader) batch(input string, text []byte, listed map[secret.Name]bool) (values []value) {
	text = bytes.TrimPrefix(text, byteOrderMark)
	trimmed := bytes.TrimSpace(text)
	problems := len(r.result.Problems)
	switch {
	case len(text) > maxBatchBytes:
		r.problemf(input, "the file is larger than 64 MiB")
	case isUTF16(text):
		r.problemf(input, "UTF-16; write it as UTF-8, in PowerShell with -Encoding utf8")
	case !utf8.Valid(text):
		r.maskWords(string(text))
		r.problemf(input, "not UTF-8 at %s; pass binary values one at a time in secret_file, or as base64",
			position(text, invalidUTF8(text)))
	case len(trimmed) == 0 || string(trimmed) == "{}":
		r.problemf(input, "contains no secrets")
	case string(trimmed) == "null":
		r.problemf(input, "null: toJSON of something that does not exist; check the id of the step")
	case string(trimmed) == "***":
		r.problemf(input, `is "***": the values were masked before they reached this action`)
	case isExpression(trimmed):
		r.problemf(input, "%s", unevaluated)
	case r.isDotenv() && trimmed[0] == '{' && json.Valid(trimmed):
		r.maskWords(string(text))
		r.problemf(input, "a JSON object, not a .env file; remove secrets_format: dotenv")
	case r.isDotenv():
		values = r.batchDotenv(input, text, listed)
	case trimmed[0] == '{':
		values = r.batchJSON(input, text, listed)
	case trimmed[0] == '[' || trimmed[0] == '"':
		r.maskWords(string(text))
		r.problemf(input, "must be a JSON object of strings%s", flattenHint(trimmed))
	default:
		values = r.batchLines(input, text, listed)
	}
	refused := len(r.result.Problems) > problems
	if !refused && len(values) == 0 && listed == nil {
		r.problemf(input, "contains no secrets")
	}
	for i := range values {
		values[i].refused = refused
	}
	return values
}

// lineReader reads a batch that has an entry a line.
type lineReader struct {
	*reader
	input  string
	listed map[secret.Name]bool
	lines  []string
	values []value
	seen   map[string]int // the line of each name
	// refused has the line numbers of ambiguous lines, by reason.
	refused map[string][]int
	reasons []string // the keys of refused, in order of appearance
	// noEquals has the numbers of the lines that are no entry at all.
	noEquals []int
}

func (r *reader) newLineReader(input string, text []byte, listed map[secret.Name]bool) *lineReader {
	return &lineReader{
		reader: r, input: input, listed: listed, seen: map[string]int{}, refused: map[string][]int{},
		lines: strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"),
	}
}

// refuse notes a line that is refused, and masks it: it may hold a secret.
func (l *lineReader) refuse(number int, reason string) {
	if l.refused[reason] == nil {
		l.reasons = append(l.reasons, reason)
	}
	l.refused[reason] = append(l.refused[reason], number)
	l.maskLine(l.lines[number-1])
}

// reportRefused reports all lines that have no = as one problem, and all that are refused as another. form and advice
// name the right way to write them.
func (l *lineReader) reportRefused(form, advice string) {
	if len(l.noEquals) > 0 {
		l.problemf(l.input, "%s: no =; write %s", lineNumbers(l.noEquals), form)
	}
	if len(l.reasons) == 0 {
		return
	}
	var list []string
	for _, reason := range l.reasons {
		list = append(list, lineNumbers(l.refused[reason])+": "+reason)
	}
	l.problemf(l.input, "%s. %s", strings.Join(list, "; "), advice)
}

// lineNumbers names at most five lines: "line 3", "lines 1, 2 and 7", "lines 1, 2, 3, 4, 5 and 9 more".
func lineNumbers(numbers []int) string {
	first, more := secret.FirstOf(numbers, 5)
	var list []string
	for _, n := range first {
		list = append(list, fmt.Sprint(n))
	}
	if more > 0 {
		list = append(list, secret.FormatCount(more)+" more")
	}
	last := len(list) - 1
	if last == 0 {
		return "line " + list[0]
	}
	return "lines " + strings.Join(list[:last], ", ") + " and " + list[last]
}

// isLeftOut reports whether an entry is not taken, and counts it. Without a name it is no entry.
func (l *lineReader) isLeftOut(name string) bool {
	name = strings.TrimSpace(name)
	if l.listed == nil || name == "" {
		return false
	}
	parsed, err := secret.ParseName(name)
	leftOut := err != nil || !l.listed[parsed]
	if leftOut {
		l.leftOut++
	}
	return leftOut
}

// add adds an entry, if its name is legal and its value is not empty. It quotes neither: in a key that was pasted
// without its heredoc, the text before an = is a part of the key, and base64 alone ends in one. isBare says that the
// value is the text after the =, without quotes.
func (l *lineReader) add(number int, name, val string, isBare bool) {
	_, err := parseName(name)
	switch {
	case isBare && strings.Trim(val, "=") == "" && val != "":
		l.maskLine(l.lines[number-1])
		l.problemf(l.input, "line %d looks like the end of a base64 value; pass an unnamed value in secret_value or "+
			"secret_file", number)
	case err != nil:
		l.maskLine(l.lines[number-1])
		l.maskLong(val)
		l.problemf(l.input, "line %d: must have a secret name before = or <<: letters, digits and _; "+
			"no leading digit; no GITHUB_ prefix", number)
	case val == "":
		l.problemf(l.input, "line %d: the value is %s", number, emptyValue)
	case l.seen[name] > 0:
		l.maskLong(val)
		l.problemf(l.input, "%s is listed twice, in lines %d and %d", name, l.seen[name], number)
	default:
		l.seen[name] = number
		l.values = append(l.values, value{input: l.input, name: name, bytes: []byte(val)})
	}
}

// linesAdvice is the advice for refused lines.
const linesAdvice = "Other readers read these lines differently. Write NAME<<DELIMITER, the value and DELIMITER on " +
	"lines of their own, which takes any value; for a .env file set secrets_format: dotenv"

// batchLines reads the format of GitHub's environment files by the runner's rules: no quoting, no expansion. Lines that
// a reader of .env files would read differently are refused: the same text would be another value there, and a quote
// that opens and does not close would even take other lines for values.
//
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#multiline-strings
func (r *reader) batchLines(input string, text []byte, listed map[secret.Name]bool) []value {
	l := r.newLineReader(input, text, listed)
	for i := 0; i < len(l.lines); i++ {
		line, number := l.lines[i], i+1
		if line == "" {
			continue
		}
		start := startsOtherwise(line)
		if start != "" {
			l.refuse(number, start)
		}
		name, val, isPair := strings.Cut(line, "=")
		before, delimiter, isHeredoc := strings.Cut(line, "<<")
		if isHeredoc && line[0] != '#' && (!isPair || len(before) < len(name)) {
			var ok bool
			if i, ok = l.heredoc(i, before, delimiter, start != ""); !ok {
				break
			}
			continue
		}
		if start != "" {
			continue
		}
		if !isPair {
			l.maskLine(line)
			l.noEquals = append(l.noEquals, number)
			continue
		}
		reason, opensQuote := readOtherwise(name, val)
		switch leftOut := l.isLeftOut(name); {
		case reason != "" && (!leftOut || opensQuote):
			l.refuse(number, reason)
		case !leftOut:
			l.add(number, name, val, true)
		}
	}
	l.reportRefused("NAME=value, or a value of several lines as NAME<<DELIMITER", linesAdvice)
	return l.values
}

// startsOtherwise returns how a line begins if a reader of .env files skips or changes such a line, or "".
func startsOtherwise(line string) string {
	first, _ := utf8.DecodeRuneInString(line)
	switch {
	case first == '#':
		return "a comment"
	case line == "\r":
		return "a CR at the end of the line"
	case unicode.IsSpace(first):
		return "a blank at the start"
	case strings.HasPrefix(line, "export "):
		return "export before the name"
	}
	return ""
}

// readOtherwise returns why a reader of .env files reads a name and a value differently, or "". opensQuote says that it
// would take the lines that follow for a part of the value.
func readOtherwise(name, val string) (reason string, opensQuote bool) {
	first, _ := utf8.DecodeRuneInString(val)
	last, _ := utf8.DecodeLastRuneInString(val)
	beforeEquals, _ := utf8.DecodeLastRuneInString(name)
	text := strings.TrimLeftFunc(val, unicode.IsSpace)
	switch {
	case val == "":
		return "", false
	case text != "" && isQuote(text[0]):
		if closingQuote(text) < 0 {
			return openQuote, true
		}
		return "a quote before the value", false
	case unicode.IsSpace(beforeEquals):
		return "a blank before the =", false
	case last == '\r':
		return "a CR at the end of the line", false
	case unicode.IsSpace(first):
		return "a blank after the =", false
	case unicode.IsSpace(last):
		return "a blank at the end of the line", false
	case first == '#' || commentIndex(val) >= 0:
		return "a # that starts a comment elsewhere", false
	}
	return "", false
}

func isQuote(c byte) bool { return c == '"' || c == '\'' || c == '`' }

// closingQuote returns the index of the quote that closes the one that text starts with, or -1. In double quotes a
// backslash escapes the character after it.
func closingQuote(text string) int {
	for i := 1; i < len(text); i++ {
		switch {
		case text[0] == '"' && text[i] == '\\':
			i++
		case text[i] == text[0]:
			return i
		}
	}
	return -1
}

// commentIndex returns the index of the first # after a blank, or -1.
func commentIndex(val string) int {
	for i, c := range val {
		before, _ := utf8.DecodeLastRuneInString(val[:i])
		if c == '#' && i > 0 && unicode.IsSpace(before) {
			return i
		}
	}
	return -1
}

// heredoc reads the value that begins below lines[start], unless that line is refused, and returns the index of the
// line that closes it. ok is false if nothing after it can be read.
func (l *lineReader) heredoc(start int, name, delimiter string, refused bool) (end int, ok bool) {
	rest := l.lines[start+1:]
	length := slices.IndexFunc(rest, func(line string) bool {
		return strings.TrimSuffix(line, "\r") == strings.TrimSuffix(delimiter, "\r")
	})
	switch {
	case strings.TrimSuffix(delimiter, "\r") == "":
		l.maskLines(rest)
		l.problemf(l.input, "line %d: no delimiter after <<", start+1)
		return start, false
	case length < 0:
		l.maskLines(rest)
		l.problemf(l.input, "line %d: the closing delimiter is missing", start+1)
		return start, false
	}
	end = start + 1 + length
	for _, i := range []int{start, end} {
		if strings.HasSuffix(l.lines[i], "\r") {
			l.maskLines(rest[:length])
			l.refuse(i+1, "a CR at the end of the line")
			return end, true
		}
	}
	if refused {
		l.maskLines(rest[:length])
	} else if !l.isLeftOut(name) {
		l.add(start+1, name, strings.Join(rest[:length], "\n"), false)
	}
	return end, true
}

// position names an offset as people count.
func position(text []byte, offset int) string {
	before := text[:min(max(offset, 0), len(text))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Sprintf("line %d, column %d", line, column)
}

func invalidUTF8(text []byte) int {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(text)
}
