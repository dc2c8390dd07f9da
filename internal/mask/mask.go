// Package mask holds the texts that the runner masks, and finds them as they are, in base64 and in JSON.
package mask

import (
	"encoding/base64"
	"encoding/json"
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
	// byStart has the lines by the first bytes of their forms.
	byStart map[string][]candidate
}

// candidate is a line, and the start of one of its forms. The forms are made again whenever the start matches, since
// all forms of a large batch would take a lot of memory.
type candidate struct{ start, line string }

// Add adds the lines of a plaintext, each trimmed, as the runner would. It leaves out lines that are too short and
// lines that are not UTF-8, which no command can name. It reports whether any line was long enough to hide.
func (s *Set) Add(value string) bool {
	lines := strings.FieldsFunc(strings.TrimSpace(value), func(r rune) bool { return r == '\n' || r == '\r' })
	isCounted := func(r rune) bool { return len(lines) == 1 || unicode.IsLetter(r) || unicode.IsDigit(r) }
	hidden := false
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if utf8.ValidString(line) && countRunes(line, isCounted) >= minRunes {
			s.add(line)
			hidden = true
		}
	}
	return hidden
}

func countRunes(s string, isCounted func(rune) bool) (n int) {
	for _, r := range s {
		if isCounted(r) {
			n++
		}
	}
	return n
}

func (s *Set) add(line string) {
	if s.seen[line] {
		return
	}
	if s.seen == nil {
		s.seen, s.byStart = map[string]bool{}, map[string][]candidate{}
	}
	s.seen[line] = true
	s.lines = append(s.lines, line)
	const startBytes = 48                                              // so that lines that begin alike are told apart
	head := strings.ToValidUTF8(line[:min(len(line), startBytes)], "") // a character may be cut
	for i, form := range forms(head) {
		if shift := i - firstBase64; shift >= 0 {
			form = form[:max(wholeBase64(head, shift), minRunes)]
		}
		key := strings.Clone(form[:minRunes])
		s.byStart[key] = append(s.byStart[key], candidate{strings.Clone(form), line})
	}
}

// Lines returns the texts to hide, in the order in which they were added.
func (s *Set) Lines() []string { return s.lines }

// MatchesAny reports whether text contains a mask as it is, in base64 or in JSON: the runner drops such a job output.
// The runner knows more forms, which outputs seldom have.
//
// https://github.com/actions/runner/blob/main/src/Sdk/DTLogging/Logging/ValueEncoders.cs
func (s *Set) MatchesAny(text string) bool {
	for i := range len(text) {
		if s.match(text[i:], forms) > 0 {
			return true
		}
	}
	return false
}

// Redact replaces every mask in text from outside, such as an error message that echoes a request, by ***.
func (s *Set) Redact(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		if n := s.match(text, redactedForms); n > 0 {
			b.WriteString("***")
			text = text[n:]
		} else {
			b.WriteByte(text[0])
			text = text[1:]
		}
	}
	return b.String()
}

// match returns the length of the longest form that text starts with, or 0. A batch has thousands of masks and its
// outputs a megabyte, so only the lines whose forms begin like text are looked at.
func (s *Set) match(text string, forms func(string) []string) (longest int) {
	for _, c := range s.byStart[text[:min(len(text), minRunes)]] {
		if !strings.HasPrefix(text, c.start) {
			continue
		}
		for _, form := range forms(c.line) {
			if strings.HasPrefix(text, form) {
				longest = max(longest, len(form))
			}
		}
	}
	return longest
}

// forms returns a line as it is, in base64 that begins with it or one or two bytes before it, and as the runner
// escapes JSON: unlike encoding/json U+0085, but not <, > and &.
func forms(line string) []string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(line) // a string always encodes
	quoted := strings.TrimSuffix(b.String(), "\n")
	escaped := strings.ReplaceAll(quoted[1:len(quoted)-1], "\u0085", `\u0085`)
	encode := base64.StdEncoding.EncodeToString
	return []string{line, escaped, encode([]byte(line)), encode([]byte(line[1:])), encode([]byte(line[2:]))}
}

// firstBase64 is the index of the first of the three forms in base64.
const firstBase64 = 2

// wholeBase64 returns how many characters of a line's base64, without its first bytes, do not depend on the text after
// the line.
func wholeBase64(line string, shift int) int { return 8 * (len(line) - shift) / 6 }

// redactedForms returns the forms of a line, and the parts of its base64 that do not depend on the text after the
// line. The runner looks for the padding, which only the end of a text has.
func redactedForms(line string) []string {
	list := forms(line)
	for shift, form := range list[firstBase64:] {
		if whole := wholeBase64(line, shift); whole >= minRunes {
			list = append(list, form[:whole])
		}
	}
	return list
}

// UTF16Len returns how many UTF-16 code units s has, the unit of the runner's and of GitHub's limits.
func UTF16Len(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}
