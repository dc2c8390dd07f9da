package mask

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"set-org-secret/internal/fakerunner"
)

func TestAdd(t *testing.T) {
	tests := []struct {
		name, value string
		want        []string
	}{
		{"one line", "hunter2 x", []string{"hunter2 x"}},
		{"surrounding whitespace", "  hunter2\n", []string{"hunter2"}},
		{"four punctuation characters", "!?!?", []string{"!?!?"}},
		{"three characters", "abc", nil},
		{"spaces and three characters", " abc \n \n", nil},
		{"one line between spaces", " \n!?!?\r\n ", []string{"!?!?"}},
		{"several lines", "{\n  \"a\": \"secret-one\"\n}\n", []string{`"a": "secret-one"`}},
		{
			"PEM", "-----BEGIN X-----\r\nMIIE\r\n==\r\n-----END X-----\r\n",
			[]string{"-----BEGIN X-----", "MIIE", "-----END X-----"},
		},
		{"letters of another script", "ключ\nдвері\n", []string{"ключ", "двері"}},
		{"line that is not UTF-8", "abcd\xff\nefgh", []string{"efgh"}},
		{"equal lines", "same\nsame", []string{"same"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var s Set
			masked, _ := s.Add(test.value)
			if got := s.Lines(); !slices.Equal(got, test.want) {
				t.Errorf("got the lines %q, want %q", got, test.want)
			}
			if want := len(test.want) > 0; masked != want {
				t.Errorf("got %t from Add, want %t", masked, want)
			}
		})
	}
}

// TestExposedLines has lines of longer values that are not masked and may be secret, and those that only structure a
// value.
func TestExposedLines(t *testing.T) {
	for _, test := range []struct {
		value string
		want  []int
	}{
		{"admin\n#9!$%&/()=?x^", []int{2}},
		{"#9!$%&/()=?x^", nil},
		{"\r\n!$%&\r\nadmin\r?$~^\r\n\n+1$2|\n", []int{2, 4, 6}},
		{"admin\n!$%", nil},
		{"!$%&\n?$~^", []int{1, 2}},
		{"admin\nab\n1\nA1=\n==", nil},
		{"admin\n!$%&\xff", nil},
		{"{\n  \"type\": \"account\",\n  \"e\": [\n    {\"id\": 12},\n    {}\n  ],\n  \"n\": -1\n}\n", nil},
		{"---\nadmin:\n- a: b # c\n...\n# ====\n", nil},
		{"-----BEGIN X-----\nMIIE\nQ0==\n-----END X-----\n", nil},
		{"MIIE\na+/b\n+-----+", nil},
		{"<config>\n<a/>\n<!-- b -->\n/* c */\n// ****\n</config>", nil},
	} {
		var s Set
		if _, got := s.Add(test.value); !slices.Equal(got, test.want) {
			t.Errorf("%q: got the lines %v, want %v", test.value, got, test.want)
		}
	}
}

// TestRedact checks the forms in which a text from outside may have a mask.
func TestRedact(t *testing.T) {
	const value = `pass word <"&'>`
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, test := range []struct{ name, text, want string }{
		{"as it is", "a " + value + " b", "a *** b"},
		{"twice", value + value, "******"},
		{"in JSON", `{"a":"pass word <\"&'>"}`, `{"a":"***"}`},
		{"in base64", b64(value + "xyz"), "***eHl6"},
		{"in base64, with its padding", b64("xy" + value), "eHlw***4="},
		{"in base64, one byte before", b64("x" + value + "yz"), "eHBh***nl6"},
		{"the longer of two", value + "-long", "***"},
		{"no mask", "pass-word", "pass-word"},
	} {
		var s Set
		s.Add(value)
		s.Add(value + "-long")
		if got := s.Redact(test.text); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// runnersForms are texts with a mask in a form that a Set finds as the runner does, and near misses; base64 that goes on
// after the mask is found only by a Set.
var runnersForms = []struct{ value, text string }{
	{"plain-text", "a plain-text b"},
	{"plain-text", "PLAIN-TEXT"},
	{`"quote"`, "quote"},
	{"a&b", "a&"},
	{"less<more>&", `less<more>&`},
	{"less<more>&", `less\u003cmore\u003e\u0026`},
	{"next\u0085line", `next\u0085line`},
	{"tab\there", `tab\there`},
	{"back\bspace\x01", `back\bspace\u0001`},
	{`back\slash"`, `back\\slash\"`},
	{`say "it"`, `say \"it\"`},
	{"a b/c~d", "a+b%2Fc~d"},
	{`fifteen letters` + "é\"", `fifteen lettersé\"`},
	{"secret", "c2VjcmV0"},
	{"secrets", "c2VjcmV0cw=="},
	{"abcd", "Y2Q="},
	{"abcd", "Y2QK"},
	{"secrets", "eHNlY3JldHM="},
	{"secrets", "eHhzZWNyZXRz"},
}

// TestMatchesAny checks that a mask is found as it is, in base64 and in JSON exactly if the runner finds it, and in
// base64 also if it lacks its padding.
func TestMatchesAny(t *testing.T) {
	if found, byRunner := match("secrets", "c2VjcmV0c3h4"); !found || byRunner {
		t.Errorf("base64 that goes on: found %t, by the runner %t, want only the first", found, byRunner)
	}
	for _, test := range runnersForms {
		if got, want := match(test.value, test.text); got != want {
			t.Errorf("%q in %q: got %t, want %t as the runner", test.value, test.text, got, want)
		}
	}
}

// FuzzMatchesAny checks that whatever is found is found by the restated runner too, but for base64 that goes on, and
// that no form of a value is missed.
func FuzzMatchesAny(f *testing.F) {
	for _, seed := range runnersForms {
		f.Add(seed.value, seed.text)
	}
	f.Fuzz(func(t *testing.T, value, text string) {
		if !utf8.ValidString(value) || !utf8.ValidString(text) || len(value) > 1000 || len(text) > 10_000 {
			return
		}
		var s Set
		s.Add(value)
		inBase64 := false
		for _, line := range s.Lines() { // forms of this value, which chance does not find
			all := forms(line)
			for _, form := range all {
				if !s.MatchesAny(form + text) {
					t.Errorf("%q in %q: not found", value, form+text)
				}
			}
			inText := func(form string) bool { return strings.Contains(text, form) }
			inBase64 = inBase64 || slices.ContainsFunc(all[len(all)-3:], inText)
		}
		if got, runner := match(value, text); got && !runner && !inBase64 {
			t.Errorf("%q in %q: found, but not by the runner", value, text)
		}
	})
}

// match reports whether a Set, and the runner, find a masked value in a text. The runner gets the lines that the Set
// prints.
func match(value, text string) (found, byRunner bool) {
	var s Set
	s.Add(value)
	runner := fakerunner.New()
	for _, line := range s.Lines() {
		runner.Secret(line)
	}
	return s.MatchesAny(text), runner.MatchesAny(text)
}

func TestUTF16Len(t *testing.T) {
	for _, text := range []string{"", "plain", "größe", "世界", "a😀b😀", "\uFFFF", "\xffa\xf0\x9f"} {
		if got, want := UTF16Len(text), len(utf16.Encode([]rune(text))); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}
