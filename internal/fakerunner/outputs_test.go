package fakerunner

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestParseOutputs runs testdata/outputs.txt.
func TestParseOutputs(t *testing.T) {
	compare(t, "outputs.txt", func(line string) (string, bool) {
		kind, in, _ := strings.Cut(line, " ")
		if kind != "$" {
			return "", kind == "" || kind == "#"
		}
		outputs, order, err := ParseOutputs(unquote(t, in))
		equal(t, "number of outputs of "+in, len(outputs), len(order))
		var b strings.Builder
		for _, name := range order {
			fmt.Fprintf(&b, "%q = %q\n", name, outputs[name])
		}
		if err != nil {
			b.WriteString(err.Error() + "\n")
		}
		return b.String(), true
	})
}

// FuzzParseOutputs writes the parsed outputs again and checks that they parse to the same. Values of one line are
// written with "=", because that is the only way to write a name that ends in "<".
func FuzzParseOutputs(f *testing.F) {
	for _, seed := range []string{
		"a=1\n", "a<<E\none\ntwo\nE\n", "a<<E\nx", "=\n", "a=1\nA=2\r\n", "\ufeff<<", "a<<E\n\n\nE",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		outputs, order, _ := ParseOutputs(in)
		var b strings.Builder
		for _, name := range order {
			value := outputs[name]
			if strings.HasPrefix(name, "\ufeff") {
				b.WriteString("\n") // or it would be read as a byte order mark
			}
			if !strings.Contains(value, "\n") {
				b.WriteString(name + "=" + value + "\n")
				continue
			}
			delimiter := "E"
			for strings.Contains(value, delimiter) {
				delimiter += "E"
			}
			b.WriteString(name + "<<" + delimiter + "\n" + value + "\n" + delimiter + "\n")
		}
		written := b.String()
		again, orderAgain, err := ParseOutputs(written)
		if err != nil {
			t.Errorf("%q was written as %q, which does not parse: %v", in, written, err)
		}
		if !slices.Equal(orderAgain, order) {
			t.Errorf("%q was written as %q: got names %q, want %q", in, written, orderAgain, order)
		}
		if !maps.Equal(again, outputs) {
			t.Errorf("%q was written as %q: got outputs %q, want %q", in, written, again, outputs)
		}
	})
}

// FuzzProcess checks that no line after a mask contains the masked value, and that nothing panics.
func FuzzProcess(f *testing.F) {
	for _, seed := range []string{
		"::error title=a::b", "x ##[warning t=1;2]y", "::stop-commands::hush\nhush", "::error:\u200d:",
		"##\u200d[e]", "::group::a%0Ahush",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		r := New()
		log := r.Process("::add-mask::hush\n" + in)
		for _, line := range log.Lines {
			if strings.Contains(line, "hush") {
				t.Errorf("output %q: got line %q, want the value masked", in, line)
			}
		}
	})
}
