package fakerunner

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// masker replaces registered values and their encoded forms. It has no smallest
// length: a mask of one letter masks that letter everywhere.
// Sdk/DTLogging/Logging/SecretMasker.cs.
type masker struct {
	originals []string // as registered, in order
	forms     []string // originals and what the encoders make of them
}

// add registers a value, and reports whether it was new and not empty.
func (m *masker) add(value string) bool {
	if value == "" || slices.Contains(m.originals, value) {
		return false
	}
	m.originals = append(m.originals, value)
	m.forms = append(m.forms, value)
	for _, encode := range encoders {
		if form := encode(value); form != "" && !slices.Contains(m.forms, form) {
			m.forms = append(m.forms, form)
		}
	}
	return true
}

// mask puts *** in the place of every match. Matches that overlap or touch
// become one ***.
func (m *masker) mask(s string) string {
	type span struct{ start, end int }
	var spans []span
	for _, form := range m.forms {
		for at := 0; ; at++ {
			i := strings.Index(s[at:], form)
			if i < 0 {
				break
			}
			at += i
			spans = append(spans, span{at, at + len(form)})
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return a.start - b.start })
	var b strings.Builder
	done := 0 // s up to here is written
	for i := 0; i < len(spans); {
		start, end := spans[i].start, spans[i].end
		for i++; i < len(spans) && spans[i].start <= end; i++ {
			end = max(end, spans[i].end)
		}
		b.WriteString(s[done:start] + "***")
		done = end
	}
	b.WriteString(s[done:])
	return b.String()
}

// maskLines are the lines that are masked beside a whole value: cut at CR and
// LF, trimmed, none of them empty, however short.
// Runner.Worker/ActionCommandManager.cs, AddMaskCommandExtension; Runner.Worker/Worker.cs.
func maskLines(value string) []string {
	var lines []string
	for _, line := range splitLines(value) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// encoders are those of Runner.Common/HostContext.cs, stated in
// Sdk/DTLogging/Logging/ValueEncoders.cs. Hex and base64url are not among them.
var encoders = []func(string) string{
	func(v string) string { return base64Shift(v, 0) },
	func(v string) string { return base64Shift(v, 1) },
	func(v string) string { return base64Shift(v, 2) },
	strings.NewReplacer(`"`, `\"`).Replace, // docker's command line
	strings.NewReplacer(`'`, `''`).Replace, // expression strings
	jsonEscape,
	uriEscape,
	strings.NewReplacer("<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;", "&", "&amp;").Replace,
	trimDoubleQuotes,
	func(v string) string { head, _ := splitAmpersand(v); return atLeastSix(head) },
	func(v string) string { _, tail := splitAmpersand(v); return atLeastSix(tail) },
}

// base64Shift encodes the value without its first bytes, for a secret that stands
// inside a longer encoded text. The padding stays, so the end of a value whose
// rest is no multiple of three bytes is found only at the end of that text. A
// value no longer than the shift is encoded whole.
func base64Shift(v string, shift int) string {
	if len(v) > shift {
		v = v[shift:]
	}
	return base64.StdEncoding.EncodeToString([]byte(v))
}

// jsonEscape is Newtonsoft's JsonConvert.ToString without the quotes around it:
// the short escapes, \u00xx in lower case for other controls below a space and
// for U+0085, U+2028, U+2029. Neither / nor < nor DEL is escaped.
func jsonEscape(v string) string {
	short := map[rune]string{'\t': `\t`, '\n': `\n`, '\r': `\r`, '\f': `\f`, '\b': `\b`, '\\': `\\`, '"': `\"`}
	var b strings.Builder
	for _, c := range v {
		switch esc, ok := short[c]; {
		case ok:
			b.WriteString(esc)
		case c < ' ' || c == 0x85 || c == 0x2028 || c == 0x2029:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// uriEscape is .NET's Uri.EscapeDataString: all but RFC 3986's unreserved
// characters, each byte in upper case.
func uriEscape(v string) string {
	const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	var b strings.Builder
	for i := range len(v) {
		if strings.IndexByte(unreserved, v[i]) >= 0 {
			b.WriteByte(v[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", v[i])
		}
	}
	return b.String()
}

// trimDoubleQuotes takes the quotes from a quoted value of nine characters or more.
func trimDoubleQuotes(v string) string {
	if units16(v) > 8 && strings.HasPrefix(v, `"`) && strings.HasSuffix(v, `"`) {
		return v[1 : len(v)-1]
	}
	return ""
}

// splitAmpersand parts a value as PowerShell does when it prints one in pieces:
// behind the first "&+", and then less the character that it colours, or else
// behind the last "&". A coloured character outside the BMP counts as one here.
func splitAmpersand(v string) (head, tail string) {
	if i := strings.Index(v, "&+"); i >= 0 {
		head, tail = v[:i+2], v[i+2:]
		if rest := []rune(tail); len(rest) > 0 {
			tail = string(rest[1:])
		}
		return head, tail
	}
	if i := strings.LastIndex(v, "&"); i >= 0 {
		return v[:i+1], v[i+1:]
	}
	return "", ""
}

func atLeastSix(v string) string {
	if units16(v) >= 6 {
		return v
	}
	return ""
}
