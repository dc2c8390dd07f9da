package input

import (
	"slices"
	"strings"
	"unicode"
)

// parseLines reads the format of GitHub's environment files by the runner's rules: no quoting, no expansion.
//
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#multiline-strings
func parseLines(text string) (entries []entry) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		line, p := lines[i], takeApart(lines[i])
		e := entry{name: p.name, value: p.value, at: position{line: i + 1}, rejection: environmentFile.check(p)}
		if name, delimiter, ok := strings.Cut(line, "<<"); ok && line[0] != '#' && len(name) < len(p.name) {
			e.name, e.value, e.rejection = name, delimiter, environmentFile.check(takeApart(name+"="))
			i += readHeredoc(&e, lines[i+1:])
		}
		if line != "" {
			entries = append(entries, e)
		}
	}
	return entries
}

// readHeredoc replaces the delimiter in e by the value in the next lines. It returns the number of lines it has read.
func readHeredoc(e *entry, lines []string) (length int) {
	delimiter := strings.Trim(e.value, "\r")
	closing := slices.IndexFunc(lines, func(line string) bool { return strings.Trim(line, "\r") == delimiter })
	switch {
	case delimiter == "":
		e.rejection = environmentFile.rejection("no delimiter after <<", true)
		return len(lines)
	case closing < 0:
		e.rejection = environmentFile.rejection("the closing delimiter is missing", true)
		return len(lines)
	case strings.Contains(e.value, "\r"):
		e.rejection = environmentFile.rejection(aCR, true)
	case lines[closing] != delimiter:
		e.rejection = environmentFile.rejection(aCR, true)
		e.at.line += closing + 1
	}
	e.value = strings.Join(lines[:closing], "\n")
	return closing + 1
}

// format is a format with one entry per line. Its rules reject lines that readers of .env files read differently.
// For some readers, a quote that does not close even makes the next lines a part of the value.
type format struct {
	rules  []rule // the first that applies counts
	advice string
}

// rule is one way in which readers disagree on a line.
type rule struct {
	text    string
	always  bool // see rejection
	applies func(parts) bool
}

var environmentFile = format{
	[]rule{
		{"a comment", true, func(p parts) bool { return strings.HasPrefix(p.name, "#") }},
		{aCR, true, func(p parts) bool { return strings.Contains(p.name, "\r") }},
		{"a space at the start", true, func(p parts) bool { return startsWithSpace(p.name) }},
		{"export before the name", true, func(p parts) bool { return strings.HasPrefix(p.name, "export ") }},
		openQuote,
		{"a quote before the value", false, func(p parts) bool { return p.quote != "" }},
		{aCR, false, hasCR},
		{"a space before the =", false, func(p parts) bool { return p.value != "" && endsWithSpace(p.name) }},
		{"a space after the =", false, func(p parts) bool { return startsWithSpace(p.value) }},
		{"a space at the end of the line", false, func(p parts) bool { return endsWithSpace(p.value) }},
		{"a # that starts a comment elsewhere", false, func(p parts) bool { return strings.HasPrefix(p.rest, "#") }},
		base64End, noEquals,
	},
	". Other tools parse these lines differently or not at all. Write NAME<<DELIMITER, the value and DELIMITER on " +
		"lines of their own that end in LF: this form takes any value; for a .env file set secrets_format: dotenv",
}

var dotenv = format{
	[]rule{
		{"a CR that no LF follows, which some readers take for a line end", true, hasCR},
		openQuote,
		{"text after the closing quote", false, func(p parts) bool {
			comment := strings.TrimLeft(p.rest, blanks)
			return p.quote != "" && p.rest != "" && (comment == p.rest || !strings.HasPrefix(comment, "#"))
		}},
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
		{"a space other than U+0020 or a tab beside the value", false, func(p parts) bool {
			return strings.TrimSpace(p.text) != p.text
		}},
		{"a control character", false, func(p parts) bool { return strings.ContainsFunc(p.text, isControl) }},
		base64End, noEquals,
	},
	". Common readers disagree on these. Write NAME='value' in single quotes; or in double quotes, with the escapes " +
		`\n, \r, \" and \\ only and without ${ and $(; or all secrets as a JSON object, without secrets_format`,
}

var (
	openQuote = rule{"a quote that does not close on the line", true, func(p parts) bool { return p.isOpen }}
	base64End = rule{
		"the end of a base64 value, which without a name belongs in secret_value or secret_file", false,
		func(p parts) bool { return p.text != "" && strings.Trim(p.text, "=") == "" },
	}
	noEquals = rule{"no = after a name", true, func(p parts) bool { return !p.isPair }}
)

const aCR = "a CR, as in the line ends of Windows"

func hasCR(p parts) bool { return strings.Contains(p.name+p.value, "\r") }

func isControl(c rune) bool { return c < ' ' && c != '\t' }

func (f format) check(p parts) *rejection {
	for _, rule := range f.rules {
		if rule.applies(p) {
			return f.rejection(rule.text, rule.always)
		}
	}
	return nil
}

func (f format) rejection(text string, always bool) *rejection {
	return &rejection{text, f.advice, always}
}

// parts are the parts of a line NAME=value, as readers of .env files split it.
type parts struct {
	name, value string // as written; without =, the name is the whole line
	isPair      bool
	quote       string // the quote at the start of the value, or ""
	text        string // the value with its quotes, without the spaces around it and without rest
	rest        string // the text after the closing quote, or the comment
	isOpen      bool   // the quote is not closed
}

const (
	quotes = "\"'`"
	blanks = " \t"
)

// quoted matches a text in quotes. In double quotes a backslash escapes the next character.
var quoted = re(`(?s)^(?:"(?:[^"\\]|\\.)*"|'[^']*'|\x60[^\x60]*\x60)`)

func takeApart(line string) (p parts) {
	p.name, p.value, p.isPair = strings.Cut(line, "=")
	p.text = strings.Trim(p.value, blanks)
	end := commentIndex(p.text)
	if p.text != "" && strings.Contains(quotes, p.text[:1]) {
		p.quote = p.text[:1]
		end = len(quoted().FindString(p.text))
		p.isOpen = end == 0
	}
	if end >= 0 && !p.isOpen {
		p.text, p.rest = p.text[:end], p.text[end:]
	}
	p.text = strings.Trim(p.text, blanks)
	return p
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
