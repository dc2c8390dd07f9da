package mask

import (
	"encoding/base64"
	"slices"
	"testing"
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

// TestRedact checks the forms in which the runner looks for a mask.
func TestRedact(t *testing.T) {
	const value = `pass word <"&'>`
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, test := range []struct{ name, text, want string }{
		{"as it is", "a " + value + " b", "a *** b"},
		{"twice", value + value, "******"},
		{"in a query", "q=pass+word+%3C%22%26%27%3E&r", "q=***&r"},
		{"in a path", "/pass%20word%20%3C%22&%27%3E/", "/***/"},
		{"in XML", "<a>pass word &lt;&quot;&amp;&apos;&gt;</a>", "<a>***</a>"},
		{"in JSON", `{"a":"pass word \u003c\"\u0026'\u003e"}`, `{"a":"***"}`},
		{"in base64", b64(value + "xyz"), "***eHl6"},
		{"in base64, one byte before", b64("x" + value + "yz"), "eHBh***nl6"},
		{"no mask", "pass-word", "pass-word"},
	} {
		var s Set
		s.Add([]byte(value))
		if got := s.Redact(test.text); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
		if got, want := s.MatchesAny(test.text), test.text != test.want; got != want {
			t.Errorf("%s: got %t from MatchesAny, want %t", test.name, got, want)
		}
	}
}
