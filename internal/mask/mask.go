// Package mask holds the texts that the runner masks, and finds them as they are, in base64 and in JSON.
package mask

import (
	"encoding/base64"
	"encoding/json"
	"hash/maphash"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// minRunes is the least number of characters in a mask. In a text of several lines, only letters and digits count: a
// mask for a single brace would hide much of each log.
const minRunes = 4

// structure has the characters of lines without content, as in JSON, YAML, XML, base64 and comments.
const structure = "{}[]<>()\"',:;=+-*/# \t"

// Set is a set of texts to hide, each one line. Adding is not safe for concurrent use.
type Set struct {
	lines   []string
	seen    map[string]bool
	lengths map[string][]int // the lengths of all forms in bytes, ascending, by the first minRunes bytes of the form
	hashes  map[uint64]bool  // of all forms; they take less memory than the forms
}

var seed = maphash.MakeSeed()

// Add adds each line of a plaintext, trimmed, unless the line is too short or not UTF-8. It reports whether any line is
// masked, and returns the numbers, from 1, of lines that are too short to mask but may be secret.
func (s *Set) Add(value string) (hidden bool, exposed []int) {
	isOne := !strings.ContainsAny(strings.TrimSpace(value), "\r\n")
	isCounted := func(r rune) bool { return isOne || unicode.IsLetter(r) || unicode.IsDigit(r) }
	isText := func(r rune) bool { return !strings.ContainsRune(structure, r) }
	for i, line := range strings.Split(strings.ReplaceAll(strings.ReplaceAll(value, "\r\n", "\n"), "\r", "\n"), "\n") {
		line = strings.TrimSpace(line)
		switch {
		case !utf8.ValidString(line):
		case countRunes(line, isCounted) >= minRunes:
			s.add(line)
			hidden = true
		case countRunes(line, isText) >= minRunes:
			exposed = append(exposed, i+1)
		}
	}
	return hidden, exposed
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
		s.seen, s.lengths, s.hashes = map[string]bool{}, map[string][]int{}, map[uint64]bool{}
	}
	s.seen[line] = true
	s.lines = append(s.lines, line)
	for _, form := range Forms(line) {
		s.hashes[maphash.String(seed, form)] = true
		start := form[:minRunes]
		if i, isKnown := slices.BinarySearch(s.lengths[start], len(form)); !isKnown {
			s.lengths[strings.Clone(start)] = slices.Insert(s.lengths[start], i, len(form))
		}
	}
}

// Lines returns the texts to hide, in the order in which they were added.
func (s *Set) Lines() []string { return s.lines }

// MatchesAny reports whether text contains a mask as it is, in base64 or in JSON. The runner drops such a job output,
// unless the base64 goes on after the mask. The runner knows more forms, but outputs seldom have them.
//
// https://github.com/actions/runner/blob/main/src/Sdk/DTLogging/Logging/ValueEncoders.cs
func (s *Set) MatchesAny(text string) bool { return s.Redact(text) != text }

// Redact replaces every mask in text by ***, in each of its forms.
func (s *Set) Redact(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		if n := s.match(text); n > 0 {
			b.WriteString("***")
			text = text[n:]
		} else {
			b.WriteByte(text[0])
			text = text[1:]
		}
	}
	return b.String()
}

// match returns the length of the longest form that text starts with, or 0.
func (s *Set) match(text string) (longest int) {
	var h maphash.Hash
	h.SetSeed(seed)
	end := 0
	for _, n := range s.lengths[text[:min(len(text), minRunes)]] {
		if n > len(text) {
			break
		}
		h.WriteString(text[end:n])
		end = n
		if s.hashes[h.Sum64()] {
			longest = n
		}
	}
	return longest
}

// Forms returns a line as it is, in JSON, and in base64 from its first, second and third byte on. Unlike encoding/json,
// the runner escapes U+0085, and not <, > and &. The base64 ends before characters that later text can change.
func Forms(line string) []string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(line) // a string always encodes
	quoted := strings.TrimSuffix(b.String(), "\n")
	all := slices.Compact([]string{line, strings.ReplaceAll(quoted[1:len(quoted)-1], "\u0085", `\u0085`)})
	for shift := range 3 {
		form := base64.StdEncoding.EncodeToString([]byte(line[shift:]))
		all = append(all, form[:max(8*(len(line)-shift)/6, minRunes)])
	}
	return all
}

// UTF16Len returns how many UTF-16 code units s has, the unit of the runner's and of GitHub's limits.
func UTF16Len(s string) int { return len(utf16.Encode([]rune(s))) }
