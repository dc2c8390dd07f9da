// Package mask holds the texts that the runner masks, and finds them in every form in which the runner does.
package mask

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode"
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
	// variants are the lines and what the runner's masker also looks for, by their first bytes, longest first.
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
// runner looks for each mask as it is, and as base64 (at the three offsets at which it can start within a longer
// text), JSON, URI and XML would write it.
//
// https://github.com/actions/runner/blob/main/src/Sdk/DTLogging/Logging/ValueEncoders.cs
func (s *Set) MatchesAny(text string) bool {
	for i := range len(text) {
		if s.matchLen(text[i:]) > 0 {
			return true
		}
	}
	return false
}

// Redact replaces every mask in text from outside, such as an error message that echoes what was sent, by ***.
func (s *Set) Redact(text string) string {
	if !s.MatchesAny(text) {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		if n := s.matchLen(text); n > 0 {
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
func (s *Set) matchLen(text string) int {
	if s.variants == nil {
		s.index()
	}
	if len(text) < minRunes {
		return 0
	}
	for _, v := range s.variants[text[:minRunes]] {
		if len(text) >= v.length && strings.HasPrefix(text, v.encode(v.line)) {
			return v.length
		}
	}
	return 0
}

var xmlEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;")

// variant is one way to write a line. It is encoded again whenever its first bytes match, since a thousand lines in
// every variant would take a lot of memory.
type variant struct {
	line   string
	encode func(string) string
	length int
}

var encodings = []func(string) string{
	func(line string) string { return line },
	url.QueryEscape,
	url.PathEscape,
	xmlEscapes.Replace,
	func(line string) string {
		quoted, _ := json.Marshal(line) // a string always encodes
		return string(quoted[1 : len(quoted)-1])
	},
	base64From(0), base64From(1), base64From(2),
}

// base64From encodes what follows the first bytes.
func base64From(shift int) func(string) string {
	return func(line string) string {
		if len(line) <= shift {
			return ""
		}
		b64 := base64.RawStdEncoding.EncodeToString([]byte(line[shift:]))
		// The last character depends on what follows, where bits are left.
		if (len(line)-shift)%3 != 0 {
			b64 = b64[:len(b64)-1]
		}
		return b64
	}
}

// index builds variants. A batch has thousands of them and its outputs a megabyte, so the text is walked once,
// however many masks there are.
func (s *Set) index() {
	s.variants = map[string][]variant{}
	for _, line := range s.lines {
		for i, encode := range encodings {
			text := encode(line)
			if len(text) < minRunes || i > 0 && text == line {
				continue
			}
			start := strings.Clone(text[:minRunes])
			s.variants[start] = append(s.variants[start], variant{line, encode, len(text)})
		}
	}
	for _, list := range s.variants {
		slices.SortFunc(list, func(a, b variant) int { return b.length - a.length })
	}
}
