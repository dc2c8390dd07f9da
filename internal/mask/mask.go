// Package mask holds the texts that the runner masks, and finds them in every form in which the runner does.
package mask

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// minRunes is how many letters or digits one line of a longer value must have to be masked, and how many characters a
// value of one line: a mask for a single brace would blank whole logs and drop job outputs.
const minRunes = 4

// Set is a set of texts to hide, each one line. The zero Set is empty. It is not safe for concurrent use while texts
// are added.
type Set struct {
	lines []string
	seen  map[string]bool
	// variants are the forms of the lines that are looked for, by their first bytes, longest first.
	variants map[string][]variant
}

// Add adds the lines of a plaintext, each trimmed, as the runner would. It leaves out lines that are too short and
// lines that are not UTF-8, which no command can name. It reports whether any line was long enough to hide.
func (s *Set) Add(value []byte) bool {
	var lines []string
	for _, line := range strings.FieldsFunc(string(value), func(r rune) bool { return r == '\n' || r == '\r' }) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	hidden := false
	for _, line := range lines {
		if !utf8.ValidString(line) || !longEnough(line, len(lines) == 1) {
			continue
		}
		hidden = true
		if s.seen == nil {
			s.seen = map[string]bool{}
		}
		if !s.seen[line] {
			s.seen[line] = true
			s.lines = append(s.lines, line)
		}
	}
	return hidden
}

// longEnough counts every character of a value of one line, and only letters and digits in a line of a longer one.
func longEnough(line string, only bool) bool {
	if only {
		return utf8.RuneCountInString(line) >= minRunes
	}
	n := 0
	for _, r := range line {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			n++
		}
	}
	return n >= minRunes
}

// Lines returns the texts to hide, in the order in which they were added.
func (s *Set) Lines() []string { return s.lines }

// MatchesAny reports whether the runner would find a mask in text, and so drop a job output that contains it. The
// runner looks for each mask as it is and in its own encodings; the tests hold these to the runner's source.
//
// https://github.com/actions/runner/blob/main/src/Sdk/DTLogging/Logging/ValueEncoders.cs
func (s *Set) MatchesAny(text string) bool { return s.matchesAny(text, true) }

func (s *Set) matchesAny(text string, runnersOnly bool) bool {
	for i := range len(text) {
		if s.matchLen(text[i:], runnersOnly) > 0 {
			return true
		}
	}
	return false
}

// Redact replaces every mask in text from outside, such as an error message that echoes a request, by ***. It finds
// more forms than the runner.
func (s *Set) Redact(text string) string {
	if !s.matchesAny(text, false) {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		if n := s.matchLen(text, false); n > 0 {
			b.WriteString("***")
			text = text[n:]
			continue
		}
		b.WriteByte(text[0])
		text = text[1:]
	}
	return b.String()
}

// matchLen returns the length of the longest variant that text starts with, or 0.
func (s *Set) matchLen(text string, runnersOnly bool) int {
	if s.variants == nil {
		s.index()
	}
	if len(text) < minRunes {
		return 0
	}
	for _, v := range s.variants[text[:minRunes]] {
		if len(text) < int(v.length) || runnersOnly && v.encoding >= runnersEncodings {
			continue
		}
		form := encodings[v.encoding](v.line)
		if strings.HasPrefix(text, form) {
			return len(form)
		}
		if part := withoutPadding(form, v.encoding); !runnersOnly && strings.HasPrefix(text, part) {
			return len(part)
		}
	}
	return 0
}

// variant is one way to write a line. It is encoded again whenever its first bytes match, since a thousand lines in
// every variant would take a lot of memory.
type variant struct {
	line             string
	encoding, length int32 // the index of encodings, and the length of the shortest match
}

// runnersEncodings is the number of the encodings that are the runner's; those that follow are only redacted.
const runnersEncodings = 12

var encodings = [...]func(string) string{
	func(line string) string { return line },
	base64From(0), base64From(1), base64From(2), // see withoutPadding
	strings.NewReplacer(`"`, `\"`).Replace, // docker's command line
	strings.NewReplacer(`'`, `''`).Replace, // expression strings
	escapeJSON,
	escapeURI,
	strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;").Replace,
	trimQuotes,
	func(line string) string { head, _ := splitAmpersand(line); return head },
	func(line string) string { _, tail := splitAmpersand(line); return tail },

	url.QueryEscape,
	url.PathEscape,
	func(line string) string {
		quoted, _ := json.Marshal(line) // a string always encodes
		return string(quoted[1 : len(quoted)-1])
	},
}

// escapeJSON escapes as Newtonsoft's JsonConvert does: unlike encoding/json not <, > and &, but U+0085.
func escapeJSON(line string) string {
	isEscaped := func(c rune) bool {
		return c < ' ' || c == '"' || c == '\\' || c == 0x85 || c == 0x2028 || c == 0x2029
	}
	if !strings.ContainsFunc(line, isEscaped) {
		return line
	}
	var b strings.Builder
	for _, c := range line {
		switch i := strings.IndexRune("\b\t\n\f\r\"\\", c); {
		case i >= 0:
			b.WriteString(`\` + `btnfr"\`[i:i+1])
		case isEscaped(c):
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// escapeURI escapes as .NET's Uri.EscapeDataString does: all but the unreserved characters of RFC 3986.
func escapeURI(line string) string {
	return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(line), "+", "%20"), "%7E", "~")
}

// trimQuotes returns the text in double quotes, if that is long enough for the runner.
func trimQuotes(line string) string {
	if UTF16Len(line) > 8 && strings.HasPrefix(line, `"`) && strings.HasSuffix(line, `"`) {
		return line[1 : len(line)-1]
	}
	return ""
}

// splitAmpersand returns the two parts in which PowerShell shows a line: split after the first "&+", without the
// character that follows, or else after the last "&". Parts of fewer than six characters are "".
func splitAmpersand(line string) (head, tail string) {
	if i := strings.Index(line, "&+"); i >= 0 {
		head, tail = line[:i+2], line[i+2:]
		_, size := utf8.DecodeRuneInString(tail)
		tail = tail[size:]
	} else if i := strings.LastIndexByte(line, '&'); i >= 0 {
		head, tail = line[:i+1], line[i+1:]
	}
	if UTF16Len(head) < 6 {
		head = ""
	}
	if UTF16Len(tail) < 6 {
		tail = ""
	}
	return head, tail
}

// UTF16Len returns how many UTF-16 code units s has, the unit of the runner's and of GitHub's limits.
func UTF16Len(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// base64From encodes a line without its first bytes, for one that starts within a longer text.
func base64From(shift int) func(string) string {
	return func(line string) string {
		if len(line) > shift {
			line = line[shift:]
		}
		return base64.StdEncoding.EncodeToString([]byte(line))
	}
}

// withoutPadding returns the part of a form in base64 that does not depend on the text after the line.
// The runner looks for the padding, which only the end of a text has.
func withoutPadding(form string, encoding int32) string {
	part := strings.TrimRight(form, "=")
	if encoding < 1 || encoding > 3 || part == form || len(part) <= minRunes {
		return form
	}
	return part[:len(part)-1]
}

// index builds variants. A batch has thousands of them and its outputs a megabyte, so the text is walked once,
// however many masks there are.
func (s *Set) index() {
	s.variants = map[string][]variant{}
	for _, line := range s.lines {
		for i, encode := range encodings {
			text := withoutPadding(encode(line), int32(i))
			if len(text) < minRunes || i > 0 && text == line {
				continue
			}
			start := strings.Clone(text[:minRunes])
			s.variants[start] = append(s.variants[start], variant{line, int32(i), int32(len(text))})
		}
	}
	for _, list := range s.variants {
		slices.SortStableFunc(list, func(a, b variant) int { return cmp.Compare(b.length, a.length) }) // longest first
	}
}
