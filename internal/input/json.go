package input

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"set-org-secret/internal/secret"
)

const invalidJSON = "invalid JSON; write it with jq or toJSON, which escape quotes and line breaks"

// parseJSON reads a JSON object. It walks the tokens: Unmarshal would silently take the last of two equal names and
// turn an unpaired surrogate into U+FFFD.
func parseJSON(text string) (entries []entry) {
	err := json.Unmarshal([]byte(text), new(json.RawMessage))
	if syntax, isBroken := errors.AsType[*json.SyntaxError](err); isBroken {
		return rejectAt(text, int(syntax.Offset)-1, invalidJSON)
	}
	notString := &rejection{text: "the value is not a string, and only an object of strings can be stored"}
	at, read := position{1, 1}, int64(0)
	dec := json.NewDecoder(strings.NewReader(text))
	_, _ = dec.Token() // the brace; the text is valid
	for dec.More() {
		name, _ := dec.Token()
		start := dec.InputOffset()
		at, read = at.after(text[read:start]), start
		var raw json.RawMessage
		_ = dec.Decode(&raw)
		e := entry{name: name.(string), at: at}
		var isString bool
		if e.value, isString = unquoteJSON(raw); !isString {
			e.rejection = notString
		} else if unpairedSurrogate(string(raw), e.value) {
			e.rejection = &rejection{text: "the value contains an invalid Unicode escape (unpaired surrogate)"}
		}
		entries = append(entries, e)
	}
	if slices.ContainsFunc(entries, func(e entry) bool { return e.rejection == notString }) {
		notString.advice = adviceToFlatten(text)
	}
	return entries
}

// isCredential reports whether a JSON object as a whole is one secret: a Google credential or a JSON Web Key.
func isCredential(entries []entry) bool {
	types := []string{"service_account", "authorized_user", "external_account"}
	return slices.ContainsFunc(entries, func(e entry) bool {
		return e.isJSON() && (e.name == "type" && slices.Contains(types, e.value) || e.name == "kty")
	})
}

var levels = map[json.Token]int{json.Delim('{'): 1, json.Delim('['): 1, json.Delim('}'): -1, json.Delim(']'): -1}

// isTooDeep reports whether JSON is nested deeper than 100 levels. No tool writes such JSON.
func isTooDeep(text string) bool {
	dec := json.NewDecoder(strings.NewReader(text))
	for depth := 0; depth <= 100; {
		token, err := dec.Token()
		if err != nil {
			return false
		}
		depth += levels[token]
	}
	return true
}

func unquoteJSON(raw []byte) (s string, isString bool) {
	isString = raw[0] == '"' && json.Unmarshal(raw, &s) == nil
	return s, isString
}

// unpairedSurrogate reports whether decoding replaced an unpaired surrogate: it added a U+FFFD to those in the text.
func unpairedSurrogate(text, decoded string) bool {
	const replacement = "\uFFFD"
	unescaped := strings.ReplaceAll(strings.ToLower(text), `\\`, "")
	written := strings.Count(text, replacement) + strings.Count(unescaped, `\ufffd`)
	return strings.Count(decoded, replacement) > written
}

// toolDocuments describes the nested JSON of other tools. The first row applies whose paths are all in the document.
var toolDocuments = []struct {
	tool  string
	paths []string // "a.b" is the member b of the member a; * is every member; "a=b" is a with the text b
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

// adviceToFlatten returns advice about JSON, such as the page with commands that flatten it, or "". It quotes nothing.
func adviceToFlatten(text string) string {
	var parsed any
	_ = json.Unmarshal([]byte(text), &parsed)
	list, _ := parsed.([]any)
	if len(list) > 0 && has(list[0], "value") && (has(list[0], "key") || has(list[0], "name")) {
		return pageFor("a list of names and values")
	}
	doc, isObject := parsed.(map[string]any)
	if !isObject {
		return ""
	}
	for _, known := range toolDocuments {
		if !slices.ContainsFunc(known.paths, func(path string) bool { return !has(doc, path) }) {
			return pageFor("nested, as " + known.tool + " writes it")
		}
	}
	for _, member := range doc {
		if _, isString := member.(string); !isString {
			return pageFor("nested, or has numbers or booleans")
		}
	}
	return ". It has " + secret.Count(len(doc), "entry") + "; if the whole file is the value, pass it in secret_file"
}

func pageFor(kind string) string {
	return ". It is " + kind + ": the page nested-json.md in this action's documents has the command that flattens it"
}

// has reports whether a document has a member at a path. If the path ends in =TEXT, the member must be that text.
func has(doc any, path string) bool {
	members, _ := doc.(map[string]any)
	name, rest, isDeep := strings.Cut(path, ".")
	if name == "*" {
		for _, member := range members {
			if !has(member, rest) {
				return false
			}
		}
		return len(members) > 0
	}
	name, want, isEqual := strings.Cut(name, "=")
	member, ok := members[name]
	return ok && (!isEqual || member == want) && (!isDeep || has(member, rest))
}
