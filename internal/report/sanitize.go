package report

import (
	"fmt"
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

// cut shortens text to about most bytes. Sanitize it first: a part of a masked text would not be redacted.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
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

var markdownEscapes = func() *strings.Replacer {
	pairs := []string{"<", "&lt;", ">", "&gt;", "&", "&amp;"}
	for _, c := range "\\`*_[]|#!~@" {
		pairs = append(pairs, string(c), `\`+string(c))
	}
	return strings.NewReplacer(pairs...)
}()

// escapeMarkdown makes any text safe to show in Markdown, table cells included.
func (r *Reporter) escapeMarkdown(text string) string {
	return markdownEscapes.Replace(r.sanitizeLine(text))
}
