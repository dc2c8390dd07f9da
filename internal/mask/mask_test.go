package mask

import (
	"slices"
	"testing"
)

func TestLines(t *testing.T) {
	tests := []struct {
		name, value string
		want        []string
	}{
		{"one line", "hunter2 x", []string{"hunter2 x"}},
		{"trimmed", "  hunter2\n", []string{"hunter2"}},
		{"four characters of any kind", "!?!?", []string{"!?!?"}},
		{"three are too few", "abc", nil},
		{"lines", "{\n  \"a\": \"secret-one\"\n}\n", []string{`"a": "secret-one"`}},
		{"PEM", "-----BEGIN X-----\r\nMIIE\r\n==\r\n-----END X-----\r\n", []string{"-----BEGIN X-----", "MIIE", "-----END X-----"}},
		{"letters of any script count", "ключ\nдвері\n", []string{"ключ", "двері"}},
		{"what is not UTF-8 is left out", "abcd\xff\nefgh", []string{"efgh"}},
		{"each once", "same\nsame", []string{"same"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var s Set
			s.Add([]byte(test.value))
			if !slices.Equal(s.Lines(), test.want) {
				t.Errorf("got %q, want %q", s.Lines(), test.want)
			}
		})
	}
}
