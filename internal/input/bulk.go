package input

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"set-org-secret/internal/secret"
)

// bulk reads many secrets at once: a JSON object of strings, or GitHub's
// environment-file format. A fault tells the place, never the text: parsers
// quote what they choke on, and here that may be a secret.
func (r *reader) bulk(input string, text []byte) []value {
	faults := len(r.result.Faults)
	var values []value
	switch trimmed := bytes.TrimSpace(text); {
	case !utf8.Valid(text):
		r.fault(input, "not UTF-8, from %s on; hand over binary values one by one with secret_file, or as base64", place(text, invalidUTF8(text)))
	case len(trimmed) == 0:
		r.fault(input, "holds no secrets")
	case trimmed[0] == '{':
		values = r.bulkJSON(input, text)
	case trimmed[0] == '[' || trimmed[0] == '"':
		r.fault(input, "JSON, but not an object of strings")
	default:
		values = r.bulkLines(input, text)
	}
	if len(r.result.Faults) > faults {
		// Whatever was not understood may be a secret all the same.
		r.result.Masks.Add(text)
	} else if len(values) == 0 {
		r.fault(input, "holds no secrets")
	}
	return values
}

// bulkJSON walks the tokens, since Unmarshal takes the last of two equal names
// and turns half a surrogate pair into U+FFFD, both without a word.
func (r *reader) bulkJSON(input string, text []byte) []value {
	var values []value
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	broken := func() []value {
		r.fault(input, "broken JSON at %s", place(text, int(dec.InputOffset())))
		return values
	}
	if _, err := dec.Token(); err != nil { // the brace
		return broken()
	}
	seen := map[string]bool{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return broken()
		}
		name := key.(string) // the decoder takes nothing else as a key
		at := place(text, int(dec.InputOffset()))
		start := dec.InputOffset()
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			var syntax *json.SyntaxError
			offset := dec.InputOffset()
			if errors.As(err, &syntax) {
				offset = start + syntax.Offset
			}
			r.fault(input, "broken JSON at %s", place(text, int(min(offset, int64(len(text))))))
			return values
		}
		var s string
		if json.Unmarshal(raw, &s) != nil || raw[0] != '"' {
			r.maskScalars(raw)
			r.fault(input, "the value at %s is not a string; only an object of strings can be stored", at)
			continue
		}
		if loneSurrogate(raw, s) {
			r.fault(input, "the value at %s has half a surrogate pair, which is no text", at)
		}
		if _, err := secret.ParseName(name); err != nil {
			r.fault(input, "%v", err)
		}
		if seen[name] {
			r.fault(input, "%s stands twice", quote(name))
		}
		seen[name] = true
		values = append(values, value{input: input, label: name + " in " + input, name: name, bytes: []byte(s)})
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return broken()
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		r.fault(input, "something follows the JSON object at %s", place(text, int(dec.InputOffset())))
	}
	return values
}

// maskScalars masks whatever stands where a string was expected.
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

// loneSurrogate reports whether decoding put a U+FFFD where the text has none.
func loneSurrogate(raw []byte, decoded string) bool {
	const replacement = "\uFFFD"
	n := strings.Count(decoded, replacement)
	if n == 0 {
		return false
	}
	written := bytes.Count(raw, []byte(replacement))
	unescaped := strings.ReplaceAll(strings.ToLower(string(raw)), `\\`, "")
	return n > written+strings.Count(unescaped, `\ufffd`)
}

// bulkLines reads the format of GitHub's environment files by the runner's
// rules: no quoting, no expansion, a CR is part of the value.
//
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#multiline-strings
func (r *reader) bulkLines(input string, text []byte) []value {
	var values []value
	seen := map[string]int{}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		line, number := lines[i], i+1
		if strings.TrimSuffix(line, "\r") == "" {
			continue
		}
		equals, heredoc := strings.Index(line, "="), strings.Index(line, "<<")
		var name, val string
		switch {
		case heredoc >= 0 && (equals < 0 || heredoc < equals):
			var delimiter string
			name, delimiter = line[:heredoc], line[heredoc+2:]
			if delimiter == "" || delimiter == "\r" {
				r.fault(input, "line %d: no delimiter after <<", number)
				return values
			}
			end := i + 1
			for end < len(lines) && lines[end] != delimiter {
				end++
			}
			val = strings.Join(lines[i+1:end], "\n")
			if end == len(lines) {
				r.result.Masks.Add([]byte(val))
				r.fault(input, "line %d: the delimiter of this value never comes on a line of its own", number)
				return values
			}
			i = end
		case equals >= 0:
			name, val = line[:equals], line[equals+1:]
			if n := len(val); n >= 2 && (val[0] == '"' || val[0] == '\'') && val[n-1] == val[0] {
				r.warn("%s line %d: the value stands in quotes, which are stored with it", input, number)
			}
			if strings.HasSuffix(val, "\r") {
				r.warn("%s line %d: the value ends in a CR, which is stored with it; was the file written on Windows?", input, number)
			}
		default:
			// The runner trims what it masks, and so does the mask of the whole.
			r.fault(input, "line %d has no =; a value of several lines is written NAME<<DELIMITER", number)
			continue
		}
		if _, err := secret.ParseName(name); err != nil {
			// The name is not quoted: in a key pasted without its heredoc, what
			// stands before an = is a piece of it.
			r.result.Masks.Add([]byte(val))
			r.fault(input, "line %d: what stands before the = or << is not a legal name (letters, digits and _, no leading digit, no GITHUB_)", number)
			continue
		}
		// The name of an empty value is not quoted either: base64 by itself has
		// such an end.
		if strings.TrimSuffix(val, "\r") == "" {
			r.fault(input, "line %d: the value is %s", number, emptyValue)
			continue
		}
		if heredoc < 0 && strings.Trim(val, "=\r") == "" {
			r.fault(input, "line %d has nothing but = behind the name, as base64 ends; a value without a name belongs in secret_value or secret_file", number)
			continue
		}
		if first, ok := seen[name]; ok {
			r.fault(input, "%s stands twice, in lines %d and %d", name, first, number)
		}
		seen[name] = number
		values = append(values, value{input: input, label: name + " in " + input, name: name, bytes: []byte(val)})
	}
	return values
}

// place names an offset as people count.
func place(text []byte, offset int) string {
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
