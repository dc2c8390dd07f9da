package mask

import (
	"encoding/base64"
	"slices"
	"testing"
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
			masked := s.Add([]byte(test.value))
			if got := s.Lines(); !slices.Equal(got, test.want) {
				t.Errorf("got the lines %q, want %q", got, test.want)
			}
			if want := len(test.want) > 0; masked != want {
				t.Errorf("got %t from Add, want %t", masked, want)
			}
		})
	}
}

// TestRedact checks the forms in which a text from outside may have a mask.
func TestRedact(t *testing.T) {
	const value = `pass word <"&'>`
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, test := range []struct{ name, text, want string }{
		{"as it is", "a " + value + " b", "a *** b"},
		{"twice", value + value, "******"},
		{"in a query", "q=pass+word+%3C%22%26%27%3E&r", "q=***&r"},
		{"in a path", "/pass%20word%20%3C%22&%27%3E/", "/***/"},
		{"as .NET escapes a URI", "/pass%20word%20%3C%22%26%27%3E/", "/***/"},
		{"in XML", "<a>pass word &lt;&quot;&amp;&apos;&gt;</a>", "<a>***</a>"},
		{"in JSON", `{"a":"pass word <\"&'>"}`, `{"a":"***"}`},
		{"in JSON of Go", `{"a":"pass word \u003c\"\u0026'\u003e"}`, `{"a":"***"}`},
		{"in base64", b64(value + "xyz"), "***eHl6"},
		{"in base64, one byte before", b64("x" + value + "yz"), "eHBh***nl6"},
		{"no mask", "pass-word", "pass-word"},
	} {
		var s Set
		s.Add([]byte(value))
		if got := s.Redact(test.text); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// runnersForms are texts with a mask in a form that the runner finds, and near
// misses.
var runnersForms = []struct{ value, text string }{
	{"plain-text", "a plain-text b"},
	{"plain-text", "PLAIN-TEXT"},
	{`"in quotes"`, `x in quotes y`},
	{`"quote"`, "quote"}, // too short to lose its quotes
	{"first&second-half", "x first& y"},
	{"first&second-half", "second-half"},
	{"one&+Xtwo-three", "two-three"},
	{"one&+Xtwo-three", "Xtwo-thre"},
	{"a&b", "a&"},
	{"less<more>&", `less<more>&`},
	{"less<more>&", `less\u003cmore\u003e\u0026`},
	{"next\u0085line", `next\u0085line`},
	{"tab\there", `tab\there`},
	{"back\bspace\x01", `back\bspace\u0001`},
	{`back\slash"`, `back\\slash\"`},
	{`say "it"`, `say \"it\"`},
	{"it's so", "it''s so"},
	{"a b/c~d", "a%20b%2Fc~d"},
	{"a b/c~d", "a+b%2Fc~d"},
	{"grün <x>", "gr%C3%BCn%20%3Cx%3E"},
	{"grün <x>", "grün &lt;x&gt;"},
	{"secret", "c2VjcmV0"},
	{"secrets", "c2VjcmV0cw=="},
	{"secrets", "c2VjcmV0c3h4"}, // with more after it: the padding is missing
	{"secrets", "eHNlY3JldHM="},
	{"\U0001F511\U0001F511&\U0001F511\U0001F511", "\U0001F511\U0001F511&"},
}

// TestMatchesAny checks that a mask is found in the forms in which the runner
// finds it, and in no other: the runner drops such an output, and nothing else.
func TestMatchesAny(t *testing.T) {
	for _, test := range runnersForms {
		wantSameMatch(t, test.value, test.text)
	}
}

// FuzzMatchesAny compares the forms with those of the restated runner.
func FuzzMatchesAny(f *testing.F) {
	for _, seed := range runnersForms {
		f.Add(seed.value, seed.text)
	}
	f.Fuzz(func(t *testing.T, value, text string) {
		if utf8.ValidString(value) && utf8.ValidString(text) && len(value) < 1000 && len(text) < 10_000 {
			wantSameMatch(t, value, text)
			var s Set
			s.Add([]byte(value))
			for _, encode := range encodings { // forms of this value, which chance does not find
				for _, line := range s.Lines() {
					wantSameMatch(t, value, encode(line)+text)
				}
			}
		}
	})
}

// wantSameMatch checks that the runner and the Set agree on whether a text
// contains a masked value. The runner gets the lines that the Set prints.
func wantSameMatch(t *testing.T, value, text string) {
	t.Helper()
	var s Set
	s.Add([]byte(value))
	runner := fakerunner.New()
	for _, line := range s.Lines() {
		runner.Secret(line)
	}
	if got, want := s.MatchesAny(text), runner.MatchesAny(text); got != want {
		t.Errorf("%q in %q: got %t, want %t as the runner", value, text, got, want)
	}
}
