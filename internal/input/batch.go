package input

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"set-org-secret/internal/secret"
)

// batch reads several secrets: a JSON object of strings, or GitHub's environment-file format. A problem names the
// position, never the text: parsers quote what they choke on, and here that may be a secret.
func (r *reader) batch(input string, text []byte) []value {
	problems := len(r.result.Problems)
	var values []value
	switch trimmed := bytes.TrimSpace(text); {
	case len(text) > maxBatchBytes:
		r.problemf(input, "the file is larger than 64 MiB")
		return nil
	case !utf8.Valid(text):
		r.problemf(input, "not UTF-8 at %s; pass binary values one at a time in secret_file, or as base64",
			position(text, invalidUTF8(text)))
	case len(trimmed) == 0:
		r.problemf(input, "contains no secrets")
	case trimmed[0] == '{':
		values = r.batchJSON(input, text)
	case trimmed[0] == '[' || trimmed[0] == '"':
		r.problemf(input, "must be a JSON object of strings")
	default:
		values = r.batchLines(input, text)
	}
	if len(r.result.Problems) > problems {
		r.result.Masks.Add(text) // what was not understood may be secret all the same
	} else if len(values) == 0 {
		r.problemf(input, "contains no secrets")
	}
	return values
}

// batchJSON walks the tokens: Unmarshal would silently take the last of two equal names and turn an unpaired
// surrogate into U+FFFD.
func (r *reader) batchJSON(input string, text []byte) (values []value) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	broken := func(offset int64) []value {
		r.problemf(input, "invalid JSON at %s", position(text, int(min(offset, int64(len(text))))))
		return values
	}
	if _, err := dec.Token(); err != nil { // the brace
		return broken(dec.InputOffset())
	}
	seen := map[string]bool{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return broken(dec.InputOffset())
		}
		name, start := key.(string), dec.InputOffset() // the decoder takes nothing else as a key
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
				return broken(start + syntax.Offset)
			}
			return broken(dec.InputOffset())
		}
		// The position is only computed for a problem: it counts the lines of all the text before it.
		s, ok := r.jsonString(input, raw, func() string { return position(text, int(start)) })
		if !ok {
			continue
		}
		if _, err := secret.ParseName(name); err != nil {
			r.problemf(input, "%v", err)
		}
		if seen[name] {
			r.problemf(input, "%s is listed twice", quote(name))
		}
		seen[name] = true
		values = append(values, value{input: input, name: name, bytes: []byte(s)})
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return broken(dec.InputOffset())
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		r.problemf(input, "unexpected data after the JSON object at %s", position(text, int(dec.InputOffset())))
	}
	return values
}

// jsonString returns the string of a JSON value. ok is false if it is none.
func (r *reader) jsonString(input string, raw json.RawMessage, at func() string) (s string, ok bool) {
	if json.Unmarshal(raw, &s) != nil || raw[0] != '"' {
		r.maskScalars(raw)
		r.problemf(input, "the value at %s is not a string; only an object of strings can be stored", at())
		return "", false
	}
	if unpairedSurrogate(raw, s) {
		r.problemf(input, "the value at %s contains an invalid Unicode escape (unpaired surrogate)", at())
	}
	return s, true
}

// maskScalars masks what was given in place of a string.
func (r *reader) maskScalars(raw json.RawMessage) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	for {
		token, err := dec.Token()
		if err != nil {
			return
		}
		switch t := token.(type) {
		case string:
			r.result.Masks.Add([]byte(t))
		case json.Number:
			r.result.Masks.Add([]byte(t))
		}
	}
}

// unpairedSurrogate reports whether decoding added a U+FFFD that the text has not.
func unpairedSurrogate(raw []byte, decoded string) bool {
	const replacement = "\uFFFD"
	n := strings.Count(decoded, replacement)
	if n == 0 {
		return false
	}
	written := bytes.Count(raw, []byte(replacement))
	unescaped := strings.ReplaceAll(strings.ToLower(string(raw)), `\\`, "")
	return n > written+strings.Count(unescaped, `\ufffd`)
}

// batchLines reads the format of GitHub's environment files by the runner's rules: no quoting, no expansion, a CR is
// part of the value.
//
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#multiline-strings
func (r *reader) batchLines(input string, text []byte) (values []value) {
	seen := map[string]int{}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		line, number := lines[i], i+1
		if strings.TrimSuffix(line, "\r") == "" {
			continue
		}
		name, val, isPair := strings.Cut(line, "=")
		before, delimiter, isHeredoc := strings.Cut(line, "<<")
		if isHeredoc && (!isPair || len(before) < len(name)) {
			var ok bool
			if val, i, ok = r.heredoc(input, lines, i, delimiter); !ok {
				return values
			}
			name, isPair = before, false
		} else if !isPair {
			// The runner trims what it masks, and so does the mask of the whole.
			r.problemf(input, "line %d has no =; write a value of several lines as NAME<<DELIMITER", number)
			continue
		}
		if !r.checkLine(input, number, name, val, isPair) {
			continue
		}
		if first, ok := seen[name]; ok {
			r.problemf(input, "%s is listed twice, in lines %d and %d", name, first, number)
		}
		seen[name] = number
		values = append(values, value{input: input, name: name, bytes: []byte(val)})
	}
	return values
}

// heredoc returns the value that begins below lines[start] and the index of the line that closes it. ok is false if
// nothing after it can be read.
func (r *reader) heredoc(input string, lines []string, start int, delimiter string) (val string, end int, ok bool) {
	if delimiter == "" || delimiter == "\r" {
		r.problemf(input, "line %d: no delimiter after <<", start+1)
		return "", start, false
	}
	length := slices.Index(lines[start+1:], delimiter)
	if length < 0 {
		r.result.Masks.Add([]byte(strings.Join(lines[start+1:], "\n")))
		r.problemf(input, "line %d: the closing delimiter is missing", start+1)
		return "", start, false
	}
	end = start + 1 + length
	return strings.Join(lines[start+1:end], "\n"), end, true
}

// checkLine reports whether a name and a value can be stored. It does not quote either: in a key that was pasted
// without its heredoc, the text before an = is a part of the key, and base64 alone ends in one.
func (r *reader) checkLine(input string, number int, name, val string, isPair bool) bool {
	_, err := secret.ParseName(name)
	switch {
	case err != nil:
		r.result.Masks.Add([]byte(val))
		r.problemf(input, "line %d: invalid secret name before = or << (letters, digits and _; no leading digit; "+
			"no GITHUB_ prefix)", number)
	case strings.TrimSuffix(val, "\r") == "":
		r.problemf(input, "line %d: the value is %s", number, emptyValue)
	case isPair && strings.Trim(val, "=\r") == "":
		r.problemf(input, "line %d looks like the end of a base64 value; pass an unnamed value in secret_value or "+
			"secret_file", number)
	default:
		if n := len(val); isPair && n >= 2 && (val[0] == '"' || val[0] == '\'') && val[n-1] == val[0] {
			r.warnf("%s line %d: the value is in quotes, which are stored with it", input, number)
		}
		if isPair && strings.HasSuffix(val, "\r") {
			r.warnf("%s line %d: the value ends in a CR, which is stored with it; was the file written on Windows?",
				input, number)
		}
		return true
	}
	return false
}

// position names an offset as people count.
func position(text []byte, offset int) string {
	before := text[:min(max(offset, 0), len(text))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Sprintf("line %d, column %d", line, column)
}

func invalidUTF8(text []byte) int {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(text)
}
