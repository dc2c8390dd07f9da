package input

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// names returns NAME=value of each entry.
func names(r Result) (list []string) {
	for _, e := range r.Config.Entries {
		list = append(list, string(e.Name)+"="+string(e.Value.Reveal()))
	}
	return list
}

// wantProblem checks that there is one problem, with a text.
func wantProblem(t *testing.T, what string, r Result, want string) {
	t.Helper()
	if len(r.Problems) != 1 {
		t.Errorf("%s: got %d problems, want 1:\n%s", what, len(r.Problems), texts(r))
	}
	if !strings.Contains(texts(r), want) {
		t.Errorf("%s: got %q, want %q", what, texts(r), want)
	}
}

// wantError checks that an error has a text, and not the password "pw".
func wantError(t *testing.T, what string, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "pw") {
		t.Errorf("%s: got the error %v, want %q without the password", what, err, want)
	}
}

// wantEntries checks that there is no problem, and the entries.
func wantEntries(t *testing.T, what string, r Result, want ...string) {
	t.Helper()
	if len(r.Problems) > 0 {
		t.Errorf("%s: got problems, want none:\n%s", what, texts(r))
	}
	if got := names(r); !slices.Equal(got, want) {
		t.Errorf("%s: got the entries %q, want %q", what, got, want)
	}
}

// wantWarning checks that there is one warning that is not about masks, with a text;
// or none, if the text is empty.
func wantWarning(t *testing.T, what string, r Result, want string) {
	t.Helper()
	var got []string
	for _, warning := range r.Warnings {
		if !strings.Contains(warning, "for the runner to mask") {
			got = append(got, warning)
		}
	}
	isOne := len(got) == 1 && strings.Contains(got[0], want)
	if isOne != (want != "") || want == "" && len(got) > 0 {
		t.Errorf("%s: got the warnings %q, want %q", what, got, want)
	}
}

// TestListed checks that secret_name says what is taken of a batch, and that what is
// left out is neither looked at nor masked.
func TestListed(t *testing.T) {
	for _, test := range []struct{ name, text, format, listed, want, note string }{
		{"JSON", `{"a": "one-value", "B": "", "c-d": {"e": ["left-out-value"]}, "E": 12345678}`, "auto", "A", "A=one-value", "3 other entries are"},
		{"JSON array of names", `{"A": "one-value", "B": "two-value"}`, "auto", `["b"]`, "B=two-value", "1 other entry is"},
		{"lines", "A=one-value\nb.c='x'\nD=\nE<<F\nleft-out-value\nF", "auto", "a", "A=one-value", "3 other entries are"},
		{"dotenv", "A='one-value'\nb.c=x#y\nD=\n", "dotenv", "a", "A=one-value", "2 other entries are"},
		{"all", `{"A": "one-value"}`, "auto", "A", "A=one-value", ""},
	} {
		r := read(t, map[string]string{"secrets": test.text, "secrets_format": test.format, "secret_name": test.listed})
		wantEntries(t, test.name, r, test.want)
		if got := strings.Join(r.Notes, "\n"); !strings.Contains(got, test.note) || (test.note == "") != (got == "") {
			t.Errorf("%s: got the notes %q, want %q", test.name, got, test.note)
		}
		_, value, _ := strings.Cut(test.want, "=")
		if got, want := r.Masks.Lines(), []string{value, "ghp_test"}; !slices.Equal(got, want) {
			t.Errorf("%s: got the masks %q, want %q", test.name, got, want)
		}
	}
	for _, test := range []struct{ text, format, listed, want string }{
		{`{"A": "x"}`, "auto", "A, B", "secret_name: B is not in secrets"},
		{`{"A": "x"}`, "auto", "a b", `secret_name: must have only letters, digits and _, not "a b"`},
		{"A=x\nB=\"y\nC=z\"", "auto", "A", "secrets: line 2: a quote that does not close on the line"},
		{"A=x\nB=\"y\nC=z\"", "dotenv", "A", "secrets: line 2: a quote that does not close on the line"},
		{"A=x\n# B", "auto", "A", "secrets: line 2: a comment"},
		{"A=x\nB= 'y\nC=z'", "auto", "A", "secrets: line 2: a quote that does not close on the line"},
		{"A=x\n=y", "auto", "A", "secrets: line 2: must have a secret name"},
		{`{"C": "x"}`, "auto", "A", "secret_name: A is not in secrets. It has 1 entry; if the whole file is the value"},
		{`{"C": "x"}`, "auto", "A, B", "secret_name: A, B are not in secrets. It has 1 entry; if the whole file is the value"},
		{`{"request_id": "1", "data": {"A": "x"}}`, "auto", "A", "secret_name: A is not in secrets. It is nested, as vault"},
	} {
		r := read(t, map[string]string{"secrets": test.text, "secrets_format": test.format, "secret_name": test.listed})
		wantProblem(t, test.text, r, test.want)
	}
}

// TestStructureIsNotMasked checks what is masked of a document that is rejected.
func TestStructureIsNotMasked(t *testing.T) {
	for _, test := range []struct {
		text string
		want []string
	}{
		{`{"A":{"value":"x","type":"string"}}`, nil},
		{`{"A_long_name":{"another_name":"Correct-Horse","short":"string"},"B":"1234567"}`, []string{"Correct-Horse"}},
		{`{"A":[{"data":["Correct-Horse", 1234567890, true, null]}]}`, []string{"Correct-Horse", "1234567890"}},
		{`{"A_long_name": "Correct-Horse", "B_long_name": "Battery-Staple", `, []string{"Correct-Horse", "Battery-Staple"}},
		{`{"A_long_name": "Correct\u002dHorse", B_long_name: Battery-Staple}`, []string{"Correct-Horse", "Battery-Staple"}},
		{`{"A_long_name": "Correct-Horse` + "\nBattery-Staple", []string{"Correct-Horse", "Battery-Staple"}},
		{`[{"another_name": "Correct-Horse"}]`, []string{"Correct-Horse"}},
		{`{A_long_name:Battery-Staple, B_long_name : "Correct-Horse:`, []string{"A_long_name:Battery-Staple", "Correct-Horse:"}},
		{`{"A": Battery-Staple"Correct-Horse"}`, []string{"Battery-Staple", "Correct-Horse"}},
		{`{"A": "Correct\"Horse\\", B_long_name: x}`, []string{`Correct"Horse\`}},
		{`{"A": "x"} Battery-Staple`, []string{"Battery-Staple"}},
		{"A_long_name='Correct-Horse'\nB_long_name=value", []string{"'Correct-Horse'", "Correct-Horse"}},
		{"A_long_name=Correct-Horse # a comment\nB=string", []string{"Correct-Horse # a comment", "Correct-Horse"}},
		{"Correct-Horse\nshort", []string{"Correct-Horse"}},
		{"A_long_name=pass, word # a comment", []string{"pass, word # a comment", "pass, word"}},
		{"A_long_name=Correct-Horse\xff\xfeBattery-Staple", []string{"Correct-Horse", "Battery-Staple"}},
		{"c2VjcmV0IHRleHQ==", []string{"c2VjcmV0IHRleHQ=="}},
		{"A_long_name=\"Correct-Horse\\\n# a comment", []string{`"Correct-Horse\`, `Correct-Horse\`, "# a comment"}},
		{"A<<E\nCorrect-Horse\nshort", []string{"Correct-Horse"}},
		{"A_long_name: Correct-Horse\n- b.c: 'Battery-Staple' # d\nC_long_name:\n  short: 1234567", []string{
			"Correct-Horse", "'Battery-Staple' # d", "Battery-Staple",
		}},
		{"https://long-name: x", []string{"https://long-name: x"}},
		{`{"Correct-Horse": "x", "a-b": "y"}`, []string{"Correct-Horse"}},
	} {
		r := read(t, map[string]string{"secrets": test.text})
		if len(r.Problems) == 0 {
			t.Errorf("%s: got no problem, want one", test.text)
		}
		got := slices.DeleteFunc(slices.Clone(r.Masks.Lines()), func(mask string) bool { return mask == "ghp_test" })
		if !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(test.want))) {
			t.Errorf("%s: got the masks %q, want %q", test.text, got, test.want)
		}
	}
}

// TestContentIsMasked checks that a plaintext in place of a path, and a token in quotes, are masked like a value, and a
// token in lower case too, as some servers repeat it.
func TestContentIsMasked(t *testing.T) {
	r := read(t, map[string]string{"secret_file": "pin\n1234", "token": "'ghp_X'"})
	if got, want := r.Masks.Lines(), []string{"1234", "'ghp_X'", "ghp_X", "ghp_x"}; !slices.Equal(got, want) {
		t.Errorf("got the masks %q, want %q", got, want)
	}
}

// TestFlattenHint checks that the hint for a nested document names the tool that writes it, and the page. That the
// command there flattens it is tested with jq.
func TestFlattenHint(t *testing.T) {
	for text, want := range map[string]string{
		`{"A": {"sensitive": true, "type": "string", "value": "x"}}`:           "It is nested, as terraform output -json writes it: the page nested-json.md",
		`{"request_id": "1", "data": {"data": {"A": "x"}, "metadata": {}}}`:    "It is nested, as vault kv get -format=json writes it",
		`{"request_id": "1", "data": {"A": "x"}}`:                              "It is nested, as vault -format=json writes it",
		`{"AccessKey": {"AccessKeyId": "x", "SecretAccessKey": "y"}}`:          "It is nested, as aws iam create-access-key writes it",
		`{"Credentials": {"SecretAccessKey": "x", "SessionToken": "y"}}`:       "It is nested, as aws sts writes it",
		`{"ARN": "x", "SecretString": "{}", "VersionStages": ["y"]}`:           "It is nested, as aws secretsmanager get-secret-value",
		`{"kind": "Secret", "metadata": {"name": "x"}, "data": {"A": "eA=="}}`: "It is nested, as kubectl get secret -o json writes it",
		`{"kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"A": "x"}}`: "It is nested: the page nested-json.md",
		`{"A": {"computed": "x", "note": ""}}`:                                 "It is nested, as doppler secrets --json writes it",
		`{"A": {"value": "x"}, "B": {"c": "y"}}`:                               "It is nested: the page nested-json.md",
		`{"A": "x", "B": 1}`:                                                   "It is flat, with numbers or booleans: the page nested-json.md",
		`[{"name": "A", "value": "x"}]`:                                        "It is a list of names and values: the page nested-json.md",
		`{"A": "x", "B": "y"}`:                                                 "It has 2 entries; if the whole file is the value, pass it in secret_file",
		`["A"]`:                                                                "",
	} {
		if got := flattenHint(text); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

// TestEncodedPlaintext checks that a plaintext is rejected as a sealed value, and
// masked.
func TestEncodedPlaintext(t *testing.T) {
	long := strings.Repeat("Correct-Horse ", 5)
	for _, test := range []struct{ value, mask, want string }{
		{encode(long), strings.TrimSpace(long), "encrypted_value: holds readable text"},
		{encode(plain), plain, "encrypted_value: holds readable text"},
		{encode(long)[:40] + "\n" + encode(long)[40:], strings.TrimSpace(long), "encrypted_value: holds readable text"},
		{strings.TrimRight(encode(plain), "="), plain, "encrypted_value: holds readable text"},
		{encode("-----BEGIN KEY-----\nabcdefgh\n"), "abcdefgh", "encrypted_value: holds readable text"},
		{plain, plain, "encrypted_value: must be base64"},
	} {
		r := read(t, map[string]string{"encrypted_value": test.value, "key_id": "568"})
		wantProblem(t, test.value, r, test.want)
		for _, mask := range []string{test.mask, strings.SplitN(test.value, "\n", 2)[0]} {
			if !slices.Contains(r.Masks.Lines(), mask) {
				t.Errorf("%s: got the masks %q, want %q among them", test.value, r.Masks.Lines(), mask)
			}
		}
	}
	wrapped := box(100)[:76] + "\r\n" + box(100)[76:] + "\n"
	r := read(t, map[string]string{"encrypted_value": wrapped, "key_id": "568"})
	if len(r.Problems) > 0 {
		t.Fatalf("line breaks: got problems, want none:\n%s", texts(r))
	}
	if got := r.Config.Sealed[0].Sealed.EncryptedValue; got != box(100) {
		t.Errorf("line breaks: got %q, want %q", got, box(100))
	}
}

// TestWarnings has what is stored as it is and seldom meant.
func TestWarnings(t *testing.T) {
	pem := "-----BEGIN X-----\nabcd\n-----END X-----\n"
	for value, want := range map[string]string{
		"Correct-Horse":                       "",
		"Correct-Horse\n":                     "ends in a newline",
		"Correct-Horse\r\n":                   "ends in a newline",
		"Correct-Horse\r":                     "ends in a CR",
		pem:                                   "",
		strings.ReplaceAll(pem, "\n", "\r\n"): "lines end in CR LF",
		"Correct\r\nHorse":                    "lines end in CR LF",
		"Correct\r\nHorse\r":                  "lines end in CR LF",
		"\uFEFFCorrect-Horse":                 "is text after a byte order mark",
		"\xff\xfea\x00b\x00":                  "is UTF-16, which is stored as it is; write it as UTF-8, in PowerShell with -Encoding utf8",
		"bin\uFFFDary":                        "contains U+FFFD, which decoders write in place of bytes that are not text; store base64",
		"a\r\n\xff\r":                         "is not UTF-8, and the runner cannot mask it: a job gets secrets as text, so these bytes do not come back; store base64",
	} {
		r := read(t, map[string]string{"secret_value": value})
		wantEntries(t, value, r, "DB_PASSWORD="+value)
		wantWarning(t, value, r, want)
		if all := strings.Join(r.Warnings, "\n"); strings.Contains(all, "too short") {
			t.Errorf("%q: got the warnings %q, want none of a value that is too short", value, all)
		}
	}
}

// TestResembled has unknown inputs, and the input that each may be meant to be.
func TestResembled(t *testing.T) {
	for unknown, want := range map[string]string{
		"REPOSITORIES": "selected_repositories", "REPOSITORY_IDS": "selected_repository_ids",
		"SELECTED-REPOSITORIES": "selected_repositories", "SELECTED_REPOSITORY": "selected_repositories",
		"REPO": "selected_repositories", "SECRETNAME": "secret_name", "SECRET-VALUE": "secret_value",
		"SECRETS_FILES": "secrets_file", "VALUE": "secret_value", "VISIBILTY": "visibility", "ACCESS": "visibility",
		"ORGANIZATION": "org", "STORE": "stores", "GITHUB-TOKEN": "token", "ACCESS_TOKEN": "token", "DRYRUN": "dry_run",
		"TIMEOUTS": "timeout", "API-URL": "api_url", "KEY": "key_id", "MODES": "mode", "NAME": "secret_name", "NAMES": "secret_name", "USERNAME": "secret_name",
		"LIST_REPOSITORY": "list_repositories", "CHANGES": "change",
		"TMEOT": "timeout", "TMET": "", "COLOUR": "", "FETCH-DEPTH": "", "VERBOSE": "", "NODE-VERSION": "", "WORKING-DIRECTORY": "",
	} {
		if got := resembled(unknown); got != want {
			t.Errorf("%s: got %q, want %q", unknown, got, want)
		}
	}
}

// TestLists has each way to write a list.
func TestLists(t *testing.T) {
	for text, want := range map[string]string{
		"a,b": "a b", "a\nb": "a b", " a , \r\n b ,": "a b", `["a", "b"]`: "a b", "[ \"a\" ,\n\"b\" ]": "a b",
		"[1, 20000000000000000001]": "1 20000000000000000001", "[]": "", `["", " a "]`: "a",
		"{a,b}-*, c": "{a,b}-* c", "[ab]*, [cd]": "[ab]* [cd]", "null": "null", "[ab]": "[ab]", "[a-c]*": "[a-c]*", `["a,b"]`: "a,b",
	} {
		got, err := splitList(text)
		if err != nil {
			t.Errorf("%s: got the error %v, want none", text, err)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"- a\n- b": `write a YAML list without its "- "`, "-\n": "YAML list", `["a", ["b"]]`: "a JSON array of strings or numbers",
		`["a", true]`: "a JSON array", `["a"`: "a JSON array", "[a, b]": "a JSON array", "['a']": "a JSON array", "[null]": "a JSON array",
	} {
		_, err := splitList(text)
		wantError(t, text, err, want)
	}
}

// TestRepositoryForms has each way to name a repository.
func TestRepositoryForms(t *testing.T) {
	for text, want := range map[string]string{
		"web": "web", "acme/web": "web", "https://github.com/acme/web": "web", "HTTPS://ghe.example/Acme/Web.git": "Web",
		"acme/web.git": "web", "web.GIT": "web.GIT", "https://github.com/acme/web/": "web", ".github": ".github",
		"svc-*": "svc-*", "*.git": "*.git", "https://github.com/acme/*.git": "*.git", "!https://github.com/acme/web": "!web",
		"{a,b}-*": "{a,b}-*",
	} {
		p, exclude, err := parseRepository(text, "acme")
		if err != nil {
			t.Errorf("%s: got the error %v, want none", text, err)
			continue
		}
		got := p.Glob
		if exclude {
			got = "!" + got
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"other/web":                             `"other/web" is not a repository of "acme"`,
		"https://github.com/other/web":          "is not a repository of",
		"app[0-Z]x":                             `must be a glob of *, ?, [a-z0-9] and {a,b}, not "app[0-Z]x"`,
		"!x[Z-a]y":                              `must be a glob of *, ?, [a-z0-9] and {a,b}, not "!x[Z-a]y"`,
		"svc-[a":                                `must be a glob of *, ?, [a-z0-9] and {a,b}, not "svc-[a"`,
		"https://github.com/acme":               "must have the form https://HOST/org/repo",
		"https://github.com/acme/web/tree/main": "must have the form https://HOST/org/repo",
		"https://user:" + "pw@github.com/acme/web": "a URL must not contain credentials",
		"git@github.com:acme/web.git":              "must be repo, org/repo or https://HOST/org/repo",
		"http://github.com/acme/web":               "must be repo, org/repo or https://HOST/org/repo",
		".git":                                     "must be repo",
	} {
		_, _, err := parseRepository(text, "acme")
		wantError(t, text, err, want)
	}
}

// TestGlobs has globs that are accepted and rejected. Names are matched in lower case, in which a range across the
// letters of one case would have other characters.
func TestGlobs(t *testing.T) {
	for glob, isValid := range map[string]bool{
		"svc-*": true, "**": true, "{a,b": false, "svc-[a": false, "acme/*": true, "acme/*/*": false,
		"[a-z]": true, "[0-9A-Z_.]": true, "[!a-c]x[^-_]": true, "[a-]": true, "[-a0-9]": true, "{[a-b],c}": true,
		"[0-Z]": false, "[Z-a]": false, "[A-z]": false, "[0-9a-Z]": false, "[!9-A]": false, "[_-z]": false, "[]": false,
		"[a-c][A-z]": false, `[a-\z]`: false, "[[a]": false, "[/]": false, `\[a]`: false, `a\*`: false,
	} {
		for _, text := range []string{glob, "!" + glob} {
			if _, _, err := parseRepository(text, "acme"); (err == nil) != isValid {
				t.Errorf("%s: got the error %v, want it valid: %v", text, err, isValid)
			}
		}
	}
}

// TestRanges checks that each valid range matches a character exactly if it has that character in either case.
func TestRanges(t *testing.T) {
	const characters = "-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
	valid := 0
	for i, first := range characters {
		for _, last := range characters[i:] {
			p, _, err := parseRepository(fmt.Sprintf("[%c-%c]", first, last), "acme")
			if err != nil {
				continue
			}
			valid++
			for _, c := range characters {
				has := func(c rune) bool { return first <= c && c <= last }
				if got, want := p.Match(string(c)), has(unicode.ToLower(c)) || has(unicode.ToUpper(c)); got != want {
					t.Errorf("%s matches %c: got %v, want %v", p.Glob, c, got, want)
				}
			}
		}
	}
	if want := 10*11/2 + 2*26*27/2; valid != want {
		t.Errorf("got %d valid ranges, want %d: of two digits, and of two letters of one case", valid, want)
	}
}

// TestRepositoryTwice checks that a repository that is named twice counts once.
func TestRepositoryTwice(t *testing.T) {
	r := read(t, map[string]string{"selected_repositories": "web, acme/WEB, api"})
	if got, want := r.Config.Selection.Names, []string{"web", "api"}; !slices.Equal(got, want) {
		t.Errorf("got the names %q, want %q", got, want)
	}
}
