package input

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
)

// parseLines reads the format of GitHub's environment files by the runner's rules: no quoting, no expansion.
//
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#multiline-strings
func parseLines(text string) document {
	var d document
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		line, e := lines[i], entry{at: position{line: i + 1}}
		if line == "" {
			continue
		}
		var isPair, isHeredoc bool
		e.name, e.value, isPair = strings.Cut(line, "=")
		if before, delimiter, ok := strings.Cut(line, "<<"); ok && line[0] != '#' && len(before) < len(e.name) {
			isHeredoc, e.name, e.value = true, before, delimiter
		}
		switch {
		case isHeredoc:
			start := entry{at: e.at, fault: ambiguous(takeApart(e.name, ""), environmentFile)}
			var length int
			e, length = parseHeredoc(e, lines[i+1:])
			i += length
			if start.fault != nil {
				d.entries = append(d.entries, start)
			}
			if start.fault != nil && e.fault == nil {
				continue
			}
		case isPair:
			e.fault = cmp.Or(ambiguous(takeApart(e.name, e.value), environmentFile), base64End(e.value, e.at))
		default:
			e.fault = cmp.Or(ambiguous(takeApart(line, ""), environmentFile), &fault{
				text:   place + ": no =; write NAME=value, or a value of several lines as NAME<<DELIMITER",
				always: true,
			})
		}
		d.entries = append(d.entries, e)
	}
	return d
}

// parseHeredoc reads a value of several lines, whose delimiter is the value of e. lines are those that follow. It
// returns the number of lines that belong to the value: all if the closing one is missing.
func parseHeredoc(e entry, lines []string) (entry, int) {
	delimiter := strings.Trim(e.value, "\r")
	length := slices.IndexFunc(lines, func(line string) bool { return strings.Trim(line, "\r") == delimiter })
	switch {
	case delimiter == "":
		e.fault = &fault{text: place + ": no delimiter after <<", always: true}
		return e, len(lines)
	case length < 0:
		e.fault = &fault{text: place + ": the closing delimiter is missing", always: true}
		return e, len(lines)
	}
	switch {
	case strings.Contains(e.value, "\r"):
		e.fault = &fault{place + ": " + aCR, environmentFile.advice, true}
	case lines[length] != delimiter:
		e.fault = &fault{place + ": " + aCR, environmentFile.advice, true}
		e.at.line += length + 1
	}
	e.value = strings.Join(lines[:length], "\n")
	return e, length + 1
}

// format is one of the formats that have an entry a line, with the lines on which readers of .env files disagree: the
// same text would be another value there, and a quote that opens and does not close would even take other lines for
// values.
type format struct {
	rules  []rule // the first that applies counts
	advice string
}

// rule is one way in which readers disagree on a line.
type rule struct {
	text    string
	always  bool // see fault
	applies func(parts) bool
}

var environmentFile = format{
	[]rule{
		{"a comment", true, func(p parts) bool { return strings.HasPrefix(p.name, "#") }},
		{aCR, true, func(p parts) bool { return p.name == "\r" }},
		{"a space at the start", true, func(p parts) bool { return startsWithSpace(p.name) }},
		{"export before the name", true, func(p parts) bool { return strings.HasPrefix(p.name, "export ") }},
		openQuote,
		{"a quote before the value", false, func(p parts) bool { return p.quote != "" }},
		{aCR, false, hasCR},
		{"a space before the =", false, func(p parts) bool { return p.value != "" && endsWithSpace(p.name) }},
		{"a space after the =", false, func(p parts) bool { return startsWithSpace(p.value) }},
		{"a space at the end of the line", false, func(p parts) bool { return endsWithSpace(p.value) }},
		{"a # that starts a comment elsewhere", false, func(p parts) bool { return strings.HasPrefix(p.rest, "#") }},
	},
	". Other tools parse these lines differently. Write NAME<<DELIMITER, the value and DELIMITER on " +
		"lines of their own that end in LF: this form takes any value; for a .env file set secrets_format: dotenv",
}

var dotenv = format{
	[]rule{
		{"a CR that no LF follows, which some readers take for a line end", true, hasCR},
		openQuote,
		{"text after the closing quote", false, func(p parts) bool { return p.quote != "" && !isComment(p.rest) }},
		{"a backquote around the value", false, func(p parts) bool { return p.quote == "`" }},
		{"a # without a space before it", false, func(p parts) bool {
			return p.quote == "" && strings.Contains(p.text, "#")
		}},
		{"a quote within the value", false, func(p parts) bool {
			return p.quote == "" && strings.ContainsAny(p.text, quotes)
		}},
		{`a ${, $( or \$, which some readers expand`, false, func(p parts) bool {
			return p.quote != "'" && (strings.Contains(p.text, "${") || strings.Contains(p.text, "$(")) ||
				p.quote == "" && strings.Contains(p.text, `\$`)
		}},
		{`a backslash that does not begin \n, \r, \" or \\`, false, func(p parts) bool {
			return p.quote == `"` && !onlyEscapes().MatchString(p.text)
		}},
		{"a control character", false, func(p parts) bool { return strings.ContainsFunc(p.text, isControl) }},
	},
	". Common readers disagree on these. Write the value in single quotes; or in double quotes, with the escapes " +
		`\n, \r, \" and \\ only and without ${ and $(; or all secrets as a JSON object, without secrets_format`,
}

var openQuote = rule{"a quote that does not close on the line", true, func(p parts) bool { return p.isOpen }}

const aCR = "a CR, as in the line ends of Windows"

func hasCR(p parts) bool { return strings.Contains(p.name+p.value, "\r") }

func isControl(c rune) bool { return c < ' ' && c != '\t' }

// ambiguous returns the fault of a line that readers of .env files read differently than the format does.
func ambiguous(p parts, f format) *fault {
	for _, rule := range f.rules {
		if rule.applies(p) {
			return &fault{place + ": " + rule.text, f.advice, rule.always}
		}
	}
	return nil
}

// base64End returns the fault of a line that is the end of a base64 value.
func base64End(value string, at position) *fault {
	if text := takeApart("", value).text; text == "" || strings.Trim(text, "=") != "" {
		return nil
	}
	return &fault{text: places([]position{at}) + " looks like the end of a base64 value; pass an unnamed value in " +
		"secret_value or secret_file"}
}

// parts are those of a line NAME=value as readers of .env files see them.
type parts struct {
	name, value string // as written
	quote       string // the one that the value begins with, if any
	text        string // the value without the spaces around it; with its quotes
	rest        string // the text after the closing quote, or the comment
	isOpen      bool   // the quote is not closed
}

const quotes = "\"'`"

func takeApart(name, value string) parts {
	p := parts{name: name, value: value, text: strings.TrimSpace(value)}
	end := commentIndex(p.text)
	if p.text != "" && strings.Contains(quotes, p.text[:1]) {
		p.quote = p.text[:1]
		end = closingQuote(p.text) + 1
		p.isOpen = end == 0
	}
	if end >= 0 && !p.isOpen {
		p.text, p.rest = p.text[:end], p.text[end:]
	}
	p.text = strings.TrimSpace(p.text)
	return p
}

// isComment reports whether a text behind a value is a comment, or nothing.
func isComment(rest string) bool {
	text := strings.TrimLeftFunc(rest, unicode.IsSpace)
	return text == "" || text != rest && text[0] == '#'
}

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

// commentIndex returns the index of the first # at the start or after a space, or -1.
func commentIndex(text string) int {
	before := ' '
	for i, c := range text {
		if c == '#' && unicode.IsSpace(before) {
			return i
		}
		before = c
	}
	return -1
}

func startsWithSpace(s string) bool { return strings.TrimLeftFunc(s, unicode.IsSpace) != s }

func endsWithSpace(s string) bool { return strings.TrimRightFunc(s, unicode.IsSpace) != s }
