package input

import (
	"strings"
	"unicode/utf8"

	"set-org-secret/internal/secret"
)

// Masks for rejected documents: values, never structure, such as the names of a JSON object or short words. A mask for
// "type" would blank the rest of the job's log.

// minRefused is the length, in characters, from which a word of a refused document is masked.
const minRefused = 8

// maskLong masks each line of text that is not too short.
func (r *reader) maskLong(text string) { r.maskLines(strings.FieldsFunc(text, isLineEnd)) }

func isLineEnd(c rune) bool { return c == '\n' || c == '\r' }

func (r *reader) maskLines(lines []string) {
	for _, line := range lines {
		if line = strings.TrimSpace(line); utf8.RuneCountInString(line) >= minRefused {
			r.result.Masks.Add([]byte(line))
		}
	}
}

// maskLine masks the value of a line NAME=value as it is, and as a reader of .env files would read it. Without a legal
// name the whole line may be a part of a key.
func (r *reader) maskLine(line string) {
	name, val, isPair := strings.Cut(line, "=")
	name = strings.TrimPrefix(strings.TrimSpace(name), "export ")
	if _, err := secret.ParseName(strings.TrimSpace(name)); err != nil || !isPair {
		r.maskLong(line)
	}
	r.maskLong(val)
	val = strings.TrimSpace(val)
	if i := commentIndex(val); i > 0 {
		r.maskLong(val[:i])
	}
	if val != "" && isQuote(val[0]) {
		end := closingQuote(val)
		if end < 0 {
			end = len(val)
		}
		r.maskLong(val[1:end])
	}
}

// maskContent masks content that was given in place of a path: one plaintext, or a batch.
func (r *reader) maskContent(text string) {
	if trimmed := strings.TrimSpace(text); strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[") {
		r.maskWords(text)
		return
	}
	r.result.Masks.Add([]byte(text))
	for line := range strings.FieldsFuncSeq(text, isLineEnd) {
		r.maskLine(line)
	}
}

// maskWords masks the words of text that is meant to be JSON and may not be: those in quotes and those between
// punctuation, but for names, which a colon follows.
func (r *reader) maskWords(text string) {
	for text != "" {
		end := strings.IndexAny(text, "{}[],\" \t\r\n")
		isQuoted := end == 0 && text[0] == '"'
		switch {
		case isQuoted:
			if end = closingQuote(text); end < 0 {
				r.maskLong(text[1:])
				return
			}
		case end < 0:
			end = len(text)
		case end == 0:
			text = text[1:]
			continue
		}
		word, rest := text[:end], text[end:]
		if isQuoted {
			word, rest = word[1:], rest[1:]
		}
		isName := strings.HasPrefix(strings.TrimLeft(rest, " \t\r\n"), ":") || !isQuoted && strings.HasSuffix(word, ":")
		if !isName {
			r.maskLong(unescapeJSON(word, isQuoted))
		}
		text = strings.TrimPrefix(rest, ":")
	}
}
