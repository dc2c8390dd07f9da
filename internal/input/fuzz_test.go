package input

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"set-org-secret/internal/fakerunner"
	"set-org-secret/internal/secret"
)

// readOnlyEnv reads inputs from env alone: there are no files.
func readOnlyEnv(env map[string]string) Result {
	s := source(env)
	s.Open = func(string) (fs.File, error) { return nil, os.ErrNotExist }
	return Read(s)
}

// FuzzBatch checks that for each batch, either every value is the one that the
// documented format has, or there is a problem and nothing is sent; that no problem
// shows five characters in a row of a value; and that values that can be masked are.
func FuzzBatch(f *testing.F) {
	for _, seed := range []string{
		`{"A": "1\n", "b": "x"}`, "A=1\nB<<EOF\nx\ny\nEOF\n", `{"A": 5}`, "A<<\n", "x", "{", `{"A": "\ud83d"}`,
		"A='x'\r\n", "x=", "x==", "x=1\nx=2", "x<<E\nE", "A=\u8300\u2192", `{"A": {"value": "x"}}`, "\uFEFFA=x",
		"export A=x", "A=\"x\nB=y\"", "A=x # y", "A=x#y", `A="x\"\u00e9" # c`, "A='${x}'", "A=$x", `A="x\b"`, "A=x\rB=y", `[{"key": "x", "value": "x"}]`,
	} {
		f.Add(seed, uint64(1<<60), false, false)
		f.Add(seed, uint64(1<<61), true, false)
		f.Add(seed, uint64(1<<62), false, true)
		f.Add(seed, uint64(1<<63), true, true)
	}
	f.Fuzz(func(t *testing.T, text string, seed uint64, dotenv, listed bool) {
		// Sixteen characters of which no message has five in a row.
		plain := strings.NewReplacer(
			"0", "Q", "1", "Z", "2", "X", "3", "J", "4", "V", "5", "K", "6", "W", "7", "q",
		).Replace(fmt.Sprintf("%016x", seed|1<<60))
		text = strings.ReplaceAll(text, "x", plain)
		env := map[string]string{"INPUT_SECRETS": text, "INPUT_TOKEN": "t0ken", "GITHUB_REPOSITORY_OWNER": "acme"}
		if dotenv {
			env["INPUT_SECRETS_FORMAT"] = "dotenv"
		}
		if listed {
			env["INPUT_SECRET_NAME"] = "A"
		}
		r := readOnlyEnv(env)
		checkShowsNothing(t, r, text, plain, dotenv)
		if len(r.Problems) > 0 {
			return
		}
		want, err := readDocumented(text, dotenv, listed)
		if err != nil {
			t.Fatalf("%q: got the entries %q, want a problem: %v", text, entriesOf(r.Config), err)
		}
		for _, e := range r.Config.Entries {
			if got, ok := string(e.Value.Reveal()), want[string(e.Name)]; got != ok {
				t.Errorf("%q: got %s=%q, want %q", text, e.Name, got, ok)
			}
			checkMasked(t, r, e)
		}
		if n := len(r.Config.Entries); !listed && n != len(want) {
			t.Errorf("%q: got %d entries, want %d", text, n, len(want))
		}
	})
}

// checkShowsNothing checks that no problem has five characters in a row of plain,
// but for names, which are not secret.
func checkShowsNothing(t *testing.T, r Result, text, plain string, dotenv bool) {
	t.Helper()
	isJSON := !dotenv && strings.HasPrefix(strings.TrimSpace(strings.TrimPrefix(text, "\uFEFF")), "{")
	if !isJSON && isInName(text, plain) {
		return
	}
	var pairs []string
	if isJSON {
		longestFirst := func(a, b string) int { return len(b) - len(a) }
		for _, name := range slices.SortedFunc(slices.Values(jsonNames(text)), longestFirst) {
			pairs = append(pairs, secret.Quote(name), "", name, "")
		}
	}
	withoutNames := strings.NewReplacer(pairs...)
	for _, p := range r.Problems {
		shown := withoutNames.Replace(p.Text)
		for i := range len(plain) - 4 {
			if part := plain[i : i+5]; strings.Contains(shown, part) {
				t.Errorf("%q: got the problem %q, want it without %q of the value %q", text, p, part, plain)
			}
		}
	}
}

// jsonNames returns the names of the members of a JSON object, as far as it is valid.
func jsonNames(text string) (list []string) {
	dec := json.NewDecoder(strings.NewReader(strings.TrimPrefix(text, "\uFEFF")))
	_, _ = dec.Token()
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return list
		}
		list = append(list, fmt.Sprint(key))
		var raw json.RawMessage
		if dec.Decode(&raw) != nil {
			return list
		}
	}
	return list
}

// readDocumented reads a batch as the documentation says, by other code: strictly
// enough that a text that it cannot read must be a problem. If only A is listed, other
// lines do not matter.
func readDocumented(text string, dotenv, listed bool) (map[string]string, error) {
	text = strings.TrimPrefix(text, "\uFEFF")
	values := map[string]string{}
	switch isJSON := strings.HasPrefix(strings.TrimSpace(text), "{"); {
	case dotenv:
		text = strings.ReplaceAll(text, "\r\n", "\n")
		if strings.Contains(text, "\r") {
			return nil, errors.New("a CR without an LF")
		}
		for line := range strings.SplitSeq(text, "\n") {
			name, value, err := readDotenvLine(line)
			if err != nil && isLeftOut(line, listed) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if name != "" {
				values[strings.ToUpper(name)] = value
			}
		}
	case isJSON:
		var members map[string]any
		if err := json.Unmarshal([]byte(text), &members); err != nil {
			return nil, err
		}
		for name, member := range members {
			value, _ := member.(string)
			values[strings.ToUpper(name)] = value
		}
	default:
		outputs, _, err := fakerunner.ParseOutputs(text) // the runner's own reading
		if err != nil {
			return nil, err
		}
		for name, value := range outputs {
			values[strings.ToUpper(name)] = value
		}
		return values, checkLoose(text, listed)
	}
	return values, nil
}

const space = `[\t\n\v\f\r \x{85}\p{Z}]`

var dotenvLine = regexp.MustCompile(`^` + space + `*(?:export` + space + `+)?([^=]*?)` + space + `*=` + space + `*` +
	`(?:"((?:[^"\\]|\\[nr"\\])*)"|'([^']*)'|([^"'` + "`" + `#]*?))(?:` + space + `+#.*)?` + space + `*$`)

var dotenvEscape = regexp.MustCompile(`\\.`)

// isLeftOut reports whether a line is the entry of another name than A.
func isLeftOut(line string, listed bool) bool {
	name, _, ok := strings.Cut(line, "=")
	name = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(name), "export"))
	return listed && ok && name != "" && !strings.EqualFold(name, "A")
}

// readDotenvLine reads a line of a .env file.
func readDotenvLine(line string) (name, value string, err error) {
	trimmed := strings.TrimSpace(line)
	if trimmed == "" || trimmed[0] == '#' {
		return "", "", nil
	}
	m := dotenvLine.FindStringSubmatch(line)
	if m == nil {
		return "", "", fmt.Errorf("%q is no line of a .env file", line)
	}
	if m[2] != "" {
		value = dotenvEscape.ReplaceAllStringFunc(m[2], func(escape string) string {
			return map[string]string{`\n`: "\n", `\r`: "\r", `\"`: `"`, `\\`: `\`}[escape]
		})
		return m[1], value, nil
	}
	return m[1], m[3] + m[4], nil
}

// checkLoose returns an error if a loose reader of .env files reads one of the lines
// of the environment-file format otherwise.
func checkLoose(text string, listed bool) error {
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		name, value, _ := strings.Cut(lines[i], "=")
		if before, delimiter, ok := strings.Cut(lines[i], "<<"); ok && len(before) < len(name) {
			i += 1 + slices.Index(lines[i+1:], delimiter)
			continue
		}
		loose := strings.TrimSpace(value)
		if j := strings.Index(" "+loose, " #"); j >= 0 {
			loose = loose[:max(j-1, 0)]
		}
		if lines[i] != "" && !isLeftOut(lines[i], listed) && (strings.HasPrefix(name, "#") || strings.HasPrefix(name, "export ") ||
			strings.TrimSpace(name) != name || strings.Trim(loose, "\"'`") != value && strings.ContainsAny(value[:1], "\"'`") ||
			loose != value) {
			return fmt.Errorf("a loose reader reads %q from %q", loose, lines[i])
		}
	}
	return nil
}

// checkMasked checks that a value is masked if it has one line that is long enough.
func checkMasked(t *testing.T, r Result, e Entry) {
	t.Helper()
	value := string(e.Value.Reveal())
	trimmed := strings.TrimSpace(value)
	if strings.ContainsAny(value, "\r\n") || utf8.RuneCountInString(trimmed) < 4 {
		return
	}
	if !slices.Contains(r.Masks.Lines(), trimmed) {
		t.Errorf("%s: got the masks %q, want one for %q", e.Name, r.Masks.Lines(), trimmed)
	}
}

// isInName reports whether part may be in the name of a secret, which messages quote: in a line, before a value.
func isInName(text, part string) bool {
	for line := range strings.SplitSeq(text, "\n") {
		name, value, ok := strings.Cut(line, "=")
		if ok && strings.Contains(name, part) && strings.Trim(value, "=\r") != "" {
			return true
		}
		name, _, ok = strings.Cut(line, "<<")
		if ok && strings.Contains(name, part) && strings.Count(text, "\n") > 1 {
			return true
		}
	}
	return false
}

// FuzzPathSegments checks that an accepted name, repository or organization is one safe segment of a path, and that
// each problem is one line.
func FuzzPathSegments(f *testing.F) {
	for _, seed := range []string{
		"DB", "a,b", "../x", "..", "GITHUB_X", "a/b", "%2e%2e", "svc-*", "!x", "none", "{a,b}", "a\x00b", "ACME/..",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := readOnlyEnv(map[string]string{
			"INPUT_ORG": text, "INPUT_SECRET_NAME": text, "INPUT_SELECTED_REPOSITORIES": text,
			"INPUT_SECRET_VALUE": "value", "INPUT_TOKEN": "t0ken",
		})
		for _, p := range r.Problems {
			if strings.ContainsAny(p.Text, "\r\n") {
				t.Errorf("got the problem %q, want one line", p.Text)
			}
		}
		if !slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Input == "org" }) {
			checkSegment(t, "org", r.Config.Org)
		}
		for _, e := range r.Config.Entries {
			if e.Name == "" {
				continue
			}
			checkSegment(t, "name", string(e.Name))
			if _, err := secret.ParseName(string(e.Name)); err != nil {
				t.Errorf("name %q: got the error %v, want none", e.Name, err)
			}
		}
		if s := r.Config.Selection; s != nil {
			for _, name := range s.Names {
				checkSegment(t, "repository", name)
			}
		}
	})
}

func checkSegment(t *testing.T, what, s string) {
	t.Helper()
	if slices.Contains([]string{"", ".", ".."}, s) {
		t.Errorf("got the %s %q, want it rejected", what, s)
	}
	if strings.ContainsAny(s, "/\\%?#\r\n\x00 ") {
		t.Errorf("got the %s %q, want it rejected for its characters", what, s)
	}
}
