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
