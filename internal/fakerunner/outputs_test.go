package fakerunner

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// Runner.Worker/FileCommandManager.cs, EnvFileKeyValuePairs. On Linux it does not treat CRLF as a line end.
func TestParseOutputs(t *testing.T) {
	for _, test := range []struct {
		in   string
		want []string // name, value, name, value, …
		err  string   // in the error; empty for none
	}{
		{in: ""},
		{in: "\n\n"},
		{in: "a=1", want: []string{"a", "1"}},
		{in: "\ufeffa=1\n\nb=\n", want: []string{"a", "1", "b", ""}},
		{in: "a=b=c<<d\n", want: []string{"a", "b=c<<d"}},
		{in: "a=1\r\nb=2\r\n", want: []string{"a", "1\r", "b", "2\r"}},
		{in: " a = 1 \n", want: []string{" a ", " 1 "}},
		{in: "a<<E\none\n\ntwo\nE\nb=2", want: []string{"a", "one\n\ntwo", "b", "2"}},
		{in: "a<<E\nE", want: []string{"a", ""}},
		{in: "a<<E\n\nE\n", want: []string{"a", ""}},
		{in: "a<<E\n\n\nE\n", want: []string{"a", "\n"}},
		{in: "a<<E\none\r\nE\n", want: []string{"a", "one\r"}},
		{in: "a<<E\r\none\r\nE\r\n", want: []string{"a", "one\r"}}, // the delimiter is "E\r"
		{in: "a<<E\n E\nE \nb=2\nE\n", want: []string{"a", " E\nE \nb=2"}},
		{in: "a<<=b\nx\n=b\n", want: []string{"a", "x"}},
		{in: "a<<b<<c\nx\nb<<c\n", want: []string{"a", "x"}},
		{in: "Name=1\nb=2\nNAME=3\n", want: []string{"Name", "3", "b", "2"}},
		{in: "a=\xff", want: []string{"a", "\ufffd"}},
		{in: "a=1\nnothing\nb=2", want: []string{"a", "1"}, err: "Invalid format \"nothing\""},
		{in: "\r\n", err: "Invalid format"},
		{in: "a<<\nx\n", err: "Invalid format"},
		{in: "<<E\nx\nE\n", err: "Invalid format"},
		{in: "a=1\n=v\n", want: []string{"a", "1"}, err: "Value cannot be null"},
		{in: "a<<E", err: "Matching delimiter not found \"E\""},
		{in: "a<<E\none\n", err: "Matching delimiter not found"},
		{in: "a<<E\none\nE\r\n", err: "Matching delimiter not found"},
		{in: "a<<E\none\n E", err: "EOF marker missing new line"},
	} {
		outputs, order, err := ParseOutputs(test.in)
		var got []string
		for _, name := range order {
			got = append(got, name, outputs[name])
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("outputs of %q:\n got %q\nwant %q", test.in, got, test.want)
		}
		if len(outputs) != len(order) {
			t.Errorf("outputs of %q: got %d outputs, want one for each of the %d names", test.in, len(outputs), len(order))
		}
		if (err != nil) != (test.err != "") {
			t.Errorf("outputs of %q: got error %v, want %q", test.in, err, test.err)
		}
		if err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("outputs of %q: got error %q, want it to contain %q", test.in, err, test.err)
		}
	}
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
