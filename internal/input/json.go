package input

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"set-org-secret/internal/secret"
)

// jsonReader reads a batch that is a JSON object.
type jsonReader struct {
	*reader
	input  string
	text   []byte
	values []value
	seen   map[string]bool
	// notString is the first value that is not a string, and others is how many more there are.
	notString string
	others    int
}

// batchJSON walks the tokens: Unmarshal would silently take the last of two equal names and turn an unpaired
// surrogate into U+FFFD.
func (r *reader) batchJSON(input string, text []byte, listed map[secret.Name]bool) []value {
	j := &jsonReader{reader: r, input: input, text: text, seen: map[string]bool{}}
	dec := json.NewDecoder(bytes.NewReader(text))
	start := int64(0)
	broken := func(offset int64) []value {
		// Names that follow are taken for names, whatever broke the syntax.
		r.maskWords(string(text[min(start, int64(len(text))):]))
		r.problemf(input, "invalid JSON at %s", position(text, int(min(offset, int64(len(text))))))
		return j.values
	}
	if _, err := dec.Token(); err != nil { // the brace
		return broken(dec.InputOffset())
	}
	for dec.More() {
		start = dec.InputOffset()
		key, err := dec.Token()
		if err != nil {
			return broken(dec.InputOffset())
		}
		valueStart := dec.InputOffset()
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
				return broken(valueStart + syntax.Offset)
			}
			return broken(dec.InputOffset())
		}
		j.entry(key.(string), raw, int(valueStart), listed) // the decoder takes nothing else as a key
	}
	start = dec.InputOffset()
	if _, err := dec.Token(); err != nil { // the closing brace
		return broken(dec.InputOffset())
	}
	start = dec.InputOffset()
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		r.maskWords(string(text[start:]))
		r.problemf(input, "unexpected data after the JSON object at %s", position(text, int(dec.InputOffset())))
	}
	if len(j.values) == 0 {
		r.nested = flattenHint(text) // for names in secret_name that are missing
	}
	if j.notString != "" {
		more := ""
		if j.others > 0 {
			more = fmt.Sprintf(" (and %s more)", secret.FormatCount(j.others))
		}
		r.problemf(input, "the value at %s%s is not a string, and only an object of strings can be stored%s",
			j.notString, more, flattenHint(text))
	}
	return j.values
}

// entry reads one member of the object. start is the offset behind its name.
func (j *jsonReader) entry(name string, raw json.RawMessage, start int, listed map[secret.Name]bool) {
	parsed, err := parseName(name)
	if listed != nil && !listed[parsed] {
		j.leftOut++
		return
	}
	s, isString := "", raw[0] == '"'
	if !isString || json.Unmarshal(raw, &s) != nil {
		j.maskScalars(raw)
		if j.notString == "" {
			// The position is only computed for a problem: it counts the lines of all the text before it.
			j.notString = position(j.text, start)
		} else {
			j.others++
		}
		return
	}
	switch {
	case strings.EqualFold(name, "github_token"):
		j.problemf(j.input, "%q is in toJSON(secrets) and cannot be stored; list the secrets to store in secret_name",
			name)
	case err != nil:
		j.problemf(j.input, "the name %v", err)
	case j.seen[name]:
		j.problemf(j.input, "%s is listed twice", secret.Quote(name))
	}
	if unpairedSurrogate(raw, s) {
		j.problemf(j.input, "the value at %s contains an invalid Unicode escape (unpaired surrogate)",
			position(j.text, start))
	}
	j.seen[name] = true
	j.values = append(j.values, value{input: j.input, name: name, bytes: []byte(s)})
}

// maskScalars masks the strings and numbers in a value that is no string.
func (r *reader) maskScalars(raw json.RawMessage) {
	var members map[string]json.RawMessage
	var elements []json.RawMessage
	var s string
	switch {
	case json.Unmarshal(raw, &members) == nil:
		for _, member := range members {
			r.maskScalars(member)
		}
	case json.Unmarshal(raw, &elements) == nil:
		for _, element := range elements {
			r.maskScalars(element)
		}
	case json.Unmarshal(raw, &s) == nil:
		r.maskLong(s)
	default:
		r.maskLong(string(raw)) // a number, or a word that is too short
	}
}

// unescapeJSON returns the text of a JSON string, or the word itself if it is none.
func unescapeJSON(word string, isQuoted bool) string {
	var s string
	if isQuoted && json.Unmarshal([]byte(`"`+word+`"`), &s) == nil {
		return s
	}
	return word
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

// shapes are documents of other tools that are nested. The first that has all its paths is taken.
var shapes = []struct {
	tool  string
	paths []string // "a.b" is a member of a member, * every member
}{
	{"aws iam create-access-key", []string{"AccessKey.SecretAccessKey", "AccessKey.AccessKeyId"}},
	{"aws sts", []string{"Credentials.SecretAccessKey", "Credentials.SessionToken"}},
	{"aws secretsmanager get-secret-value", []string{"SecretString", "ARN"}},
	{"kubectl get secret -o json", []string{"kind=Secret", "data"}},
	{"vault kv get -format=json", []string{"request_id", "data.data", "data.metadata"}},
	{"vault -format=json", []string{"request_id", "data"}},
	{"terraform output -json", []string{"*.value"}},
	{"doppler secrets --json", []string{"*.computed"}},
}

// flattenHint names the tool that writes a document of this shape, and the page with the command that makes an object
// of strings of it. It quotes nothing of the document. An object of strings needs none.
func flattenHint(text []byte) string {
	var list []map[string]any
	if json.Unmarshal(text, &list) == nil && len(list) > 0 && has(list[0], "value") &&
		(has(list[0], "key") || has(list[0], "name")) {
		return pageFor("a list of names and values")
	}
	var doc map[string]any
	if json.Unmarshal(text, &doc) != nil {
		return ""
	}
	var isNested, isOther bool
	for _, member := range doc {
		switch member.(type) {
		case map[string]any, []any:
			isNested = true
		case string:
		default:
			isOther = true
		}
	}
	for _, shape := range shapes {
		if !slices.ContainsFunc(shape.paths, func(path string) bool { return !has(doc, path) }) {
			return pageFor("nested, as " + shape.tool + " writes it")
		}
	}
	switch {
	case isNested:
		return pageFor("nested")
	case isOther:
		return pageFor("flat, with numbers or booleans")
	}
	return ". It has " + secret.Count(len(doc), "entry") + "; if the whole file is the value, pass it in secret_file"
}

// pageFor names the shape of a document, and the page with the command that makes an object of strings of it.
func pageFor(shape string) string {
	return ". It is " + shape + ": the page nested-json.md in this action's documents has the command that flattens it"
}

// has reports whether a document has a member at a path, or with = the text that follows it.
func has(doc map[string]any, path string) bool {
	first, rest, isDeep := strings.Cut(path, ".")
	if first == "*" {
		for _, member := range doc {
			inner, _ := member.(map[string]any)
			if !has(inner, rest) {
				return false
			}
		}
		return len(doc) > 0
	}
	if name, want, ok := strings.Cut(first, "="); ok {
		return doc[name] == want
	}
	member, ok := doc[first]
	if !ok || !isDeep {
		return ok
	}
	inner, _ := member.(map[string]any)
	return has(inner, rest)
}
