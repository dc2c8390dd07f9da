package input

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// minMaskRunes is how many letters or digits one line of a longer value must
// have to be masked, and how many characters a value of one line: a mask for a
// lone brace would blank whole logs and drop job outputs.
const minMaskRunes = 4

// Masks are the texts that the runner is told to hide, each one line.
type Masks struct {
	lines []string
	seen  map[string]bool
	// forms are the lines and what the runner's masker also looks for, by
	// their first bytes, longest first.
	forms map[string][]form
}

// add takes a plaintext apart as the runner would, less what must not be
// masked: lines that are trimmed too short, and what is not UTF-8, which the
// runner can't be told. It reports whether anything of the value is hidden.
func (m *Masks) add(value []byte) bool {
	var lines []string
	for _, line := range strings.FieldsFunc(string(value), func(r rune) bool { return r == '\n' || r == '\r' }) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	hidden := false
	for _, line := range lines {
		if !utf8.ValidString(line) {
			continue
		}
		n := utf8.RuneCountInString(line)
		if len(lines) > 1 {
			n = 0
			for _, r := range line {
				if unicode.IsLetter(r) || unicode.IsDigit(r) {
					n++
				}
			}
		}
		if n < minMaskRunes {
			continue
		}
		hidden = true
		if !m.seen[line] {
			if m.seen == nil {
				m.seen = map[string]bool{}
			}
			m.seen[line] = true
			m.lines = append(m.lines, line)
		}
	}
	return hidden
}

// Lines are the texts to mask, in the order in which they came.
func (m *Masks) Lines() []string { return m.lines }

// Drops reports whether the runner would find a mask in s, and so drop a job
// output that holds it. The runner looks for each mask as it is, and as base64
// (at the three places where it can start within a longer text), JSON, URI and
// XML would write it.
//
// https://github.com/actions/runner/blob/main/src/Sdk/DTLogging/Logging/ValueEncoders.cs
func (m *Masks) Drops(s string) bool {
	for i := range len(s) {
		if m.at(s[i:]) > 0 {
			return true
		}
	}
	return false
}

// Redact hides every mask in text from outside, such as an error message that
// echoes what was sent.
func (m *Masks) Redact(s string) string {
	if !m.Drops(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		if n := m.at(s); n > 0 {
			b.WriteString("***")
			s = s[n:]
			continue
		}
		b.WriteByte(s[0])
		s = s[1:]
	}
	return b.String()
}

// at returns the length of the longest form that s starts with, or 0.
func (m *Masks) at(s string) int {
	if m.forms == nil {
		m.index()
	}
	if len(s) < minMaskRunes {
		return 0
	}
	for _, f := range m.forms[s[:minMaskRunes]] {
		if len(s) >= f.length && strings.HasPrefix(s, f.encode(f.line)) {
			return f.length
		}
	}
	return 0
}

var xmlEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;")

// form is one way to write a line. It is written anew where its first bytes are
// met, since a thousand lines in every form would take a lot of memory.
type form struct {
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

// index builds forms. A batch has thousands of them and its outputs a
// megabyte, so the text is walked once, whatever the number of masks.
func (m *Masks) index() {
	m.forms = map[string][]form{}
	for _, line := range m.lines {
		for i, encode := range encodings {
			text := encode(line)
			if len(text) < minMaskRunes || i > 0 && text == line {
				continue
			}
			start := strings.Clone(text[:minMaskRunes])
			m.forms[start] = append(m.forms[start], form{line, encode, len(text)})
		}
	}
	for _, forms := range m.forms {
		slices.SortFunc(forms, func(a, b form) int { return b.length - a.length })
	}
}
