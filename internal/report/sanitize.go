package report

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// sanitizeLine makes any text safe to print as one line of the log: masked texts are removed, control characters
// escaped, and no workflow command is left in it.
func (r *Reporter) sanitizeLine(text string) string {
	text = escapeControl(r.masks.Redact(text))
	if trimmed := strings.TrimLeft(text, " "); strings.HasPrefix(trimmed, "::") {
		text = text[:len(text)-len(trimmed)] + ": " + trimmed[1:]
	}
	return text
}

// cut shortens text to at most that many bytes and an ellipsis, between words: neither our masks nor the runner's find
// a part of a masked text. Sanitize it first.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return text[:strings.LastIndexAny(text[:most], " \n")+1] + "…"
}

// escapeControl replaces what is not printable, line breaks included, with an escape. It also breaks up ##[, the
// older form of a workflow command, which the runner finds anywhere in a line.
func escapeControl(s string) string {
	var b strings.Builder
	for i, n := 0, 0; i < len(s); i += n {
		var c rune
		c, n = utf8.DecodeRuneInString(s[i:])
		switch {
		case c == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case c == ' ' || strconv.IsPrint(c):
			b.WriteString(s[i : i+n])
		default:
			q := strconv.QuoteRuneToASCII(c)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	return strings.ReplaceAll(b.String(), "##[", "# #[")
}

// escapeMarkdown makes any text safe to show in Markdown, but for table cells. It changes no character of it: the
// runner hides a text that it masks in the summary too, but not with backslashes in it. So what has a meaning in
// Markdown is put into code spans: text in quotes or backticks whole, and otherwise word by word.
func (r *Reporter) escapeMarkdown(text string) string {
	var b strings.Builder
	for rest := r.sanitizeLine(text); rest != ""; {
		n := quotedLen(rest)
		if n > 0 {
			b.WriteString(codeSpan(strings.Trim(rest[:n], "`")))
		} else if n = strings.IndexByte(rest, ' ') + 1; n > 0 {
			b.WriteString(markdownWord(rest[:n-1]) + " ")
		} else {
			n = len(rest)
			b.WriteString(markdownWord(rest))
		}
		rest = rest[n:]
	}
	return b.String()
}

// quotedLen returns the length of the text in quotes or backticks that s starts with and a word ends with, or 0.
func quotedLen(s string) int {
	if s[0] != '"' && s[0] != '`' {
		return 0
	}
	for i := 1; i < len(s); i++ {
		switch {
		case s[0] == '"' && s[i] == '\\':
			i++
		case s[i] == s[0] && (i+1 == len(s) || strings.IndexByte(" .,:;)", s[i+1]) >= 0):
			return i + 1
		}
	}
	return 0
}

// markdownWord returns a word, in a code span if it has a meaning in Markdown.
func markdownWord(word string) string {
	const punctuation = ".,:;()?"
	special := "\\`*_[]|#~@<>&"
	if strings.HasPrefix(word, "https://") {
		special = "\\`*[]|~<>&" // links itself
	}
	if !strings.ContainsAny(word, special) {
		return word
	}
	start := len(word) - len(strings.TrimLeft(word, punctuation))
	end := max(len(strings.TrimRight(word, punctuation)), start)
	return word[:start] + codeSpan(word[start:end]) + word[end:]
}

// codeSpan returns text as code, in which nothing but a backtick has a meaning.
func codeSpan(text string) string {
	if text == "" {
		return ""
	}
	fence := "`"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	if text[0] == '`' || text[len(text)-1] == '`' {
		text = " " + text + " "
	}
	return fence + text + fence
}

// cell makes any text safe to show in a cell of a table.
func (r *Reporter) cell(text string) string { return escapePipes(r.escapeMarkdown(text)) }

// escapePipes is for tables alone: elsewhere a code span would show the backslash.
func escapePipes(markdown string) string { return strings.ReplaceAll(markdown, "|", `\|`) }

const (
	// maxUnbroken is how many characters of a name stay on one line if there is no room: a third of a phone's width.
	maxUnbroken = 12
	// maxLine is how many characters of a name are on one line in any case. A longer line would take the room of the
	// other columns, and break their dates.
	maxLine = 64
)

// nameCell shows the name of a secret or a repository as code in a cell of a table. A long one may be broken into lines
// (<wbr>): without that, a name of 60 characters is wider than a phone, and the other columns are out of sight. A copy
// of it has no breaks. Other text gets none, because the runner would not find in it what it masks.
func (r *Reporter) nameCell(name string) string {
	other := func(c rune) bool { return !isAlphanumeric(c) && !strings.ContainsRune("_-./:", c) }
	if name = r.sanitizeLine(name); len(name) <= maxUnbroken || strings.ContainsFunc(name, other) {
		return escapePipes(codeSpan(name))
	}
	return breakable(name)
}

// breakable returns a text of letters, digits and punctuation as code that may be broken after punctuation, and within
// a word that is too long.
func breakable(text string) string {
	var b strings.Builder
	b.WriteString("<code>")
	piece, line := 0, 0 // characters since the last break, and on the last line
	for i, c := range text {
		separator := !isAlphanumeric(c)
		if c == '_' && (i == 0 || !isAlphanumeric(rune(text[i-1]))) {
			b.WriteString("&#95;") // it could begin an emphasis
		} else {
			b.WriteRune(c)
		}
		piece++
		line++
		if next := i + 1; next < len(text) && (separator || piece == maxUnbroken) && isAlphanumeric(rune(text[next])) {
			if piece = 0; len(text) > maxLine && line > maxLine-maxUnbroken {
				b.WriteString("</code><br><code>")
				line = 0
				continue
			}
			b.WriteString("<wbr>")
		}
	}
	b.WriteString("</code>")
	return b.String()
}

func isAlphanumeric(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// adviceCell shows a sentence of ours in a cell of a table, with short links and with the names of inputs
// and permissions breakable.
func (r *Reporter) adviceCell(text string) string {
	const punctuation = ".,:;()"
	words := strings.Split(r.cell(text), " ")
	inCode := false // of several words
	for i, word := range words {
		if wasInCode := inCode; strings.Count(word, "`")%2 == 1 {
			inCode = !inCode
			continue
		} else if wasInCode {
			continue
		}
		core := strings.Trim(word, punctuation)
		name := strings.Trim(core, "`")
		shown := core
		notInput := func(c rune) bool { return c != '_' && c != '=' && (c < 'a' || c > 'z') }
		u, err := url.Parse(core)
		if strings.HasPrefix(core, "https://") && err == nil && !strings.ContainsAny(core, "()`\"") {
			shown = fmt.Sprintf("[%s](%s)", u.Host, core)
		} else if core == "`"+name+"`" && len(name) > maxUnbroken && !strings.ContainsFunc(name, notInput) {
			shown = breakable(name)
		}
		words[i] = strings.Replace(word, core, shown, 1)
	}
	return strings.Join(words, " ")
}
