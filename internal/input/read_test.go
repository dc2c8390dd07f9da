package input

import (
	"crypto/x509"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"set-org-secret/internal/golden"
	"set-org-secret/internal/seal"
)

// TestRead reads the inputs of each row of testdata/read.txtar.
func TestRead(t *testing.T) {
	defaults := fields(read(t, nil).Config)
	golden.CompareRows(t, "read.txtar", func(section, given string) string {
		r := read(t, parseWith(t, given))
		lines := described(r, defaults)
		if all := texts(r) + strings.Join(r.Warnings, "\n"); strings.Contains(all, "Correct-Horse") {
			t.Errorf("%s: a message has the plaintext:\n%s", given, all)
		}
		for _, mask := range r.Masks.Lines() {
			if strings.HasPrefix(section, "masks") && mask != "ghp_test" {
				lines = append(lines, "mask "+brief(mask))
			}
		}
		return "\n\t" + strings.Join(lines, "\n\t")
	})
}

// parseWith parses the inputs of a row: name="value" name="value".
func parseWith(t *testing.T, given string) with {
	t.Helper()
	inputs := with{}
	for given != "" {
		name, rest, _ := strings.Cut(given, "=")
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			t.Fatalf("%s: %v", given, err)
		}
		inputs[name] = golden.Literal(t, quoted)
		given = strings.TrimPrefix(rest[len(quoted):], " ")
	}
	return inputs
}

// described returns the problems of a result, or the fields that are not as by default; and its warnings and notes.
func described(r Result, defaults []string) []string {
	isDefault := func(field string) bool { return slices.Contains(defaults, field) }
	lines := slices.DeleteFunc(fields(r.Config), isDefault)
	if len(r.Problems) > 0 {
		lines = prefixed("", r.Problems)
	} else if len(lines) == 0 {
		lines = []string{"as by default"}
	}
	return slices.Concat(lines, prefixed("warning: ", r.Warnings), prefixed("note: ", r.Notes))
}

func prefixed[T any](prefix string, items []T) (lines []string) {
	for _, item := range items {
		lines = append(lines, prefix+fmt.Sprint(item))
	}
	return lines
}

// fields returns the fields of a Config that are not zero, as "Name: value".
func fields(c Config) (lines []string) {
	for field, value := range reflect.ValueOf(c).Fields() {
		text := fmt.Sprintf("%+v", value)
		switch v := value.Interface().(type) {
		case []Entry:
			text = strings.Join(entriesOf(c), ", ")
		case []Sealed:
			text = strings.Join(sealedOf(c), "; ")
		case []*x509.Certificate:
			text = fmt.Sprint(len(v))
		case seal.PublicKey:
			text = v.ID() + " " + v.Base64()
		}
		if !value.IsZero() {
			lines = append(lines, field.Name+": "+text)
		}
	}
	return lines
}

// entriesOf returns NAME="value" of each entry.
func entriesOf(c Config) (list []string) {
	for _, e := range c.Entries {
		list = append(list, string(e.Name)+"="+brief(string(e.Value.Reveal())))
	}
	return list
}

func sealedOf(c Config) (list []string) {
	for _, s := range c.Sealed {
		text := fmt.Sprintf("%s in %s", s.Name, s.Store)
		if s.Done {
			text += ", stored before"
		} else {
			text += fmt.Sprintf(", %d bytes to key %s %s", len(s.Sealed.EncryptedValue), s.Sealed.KeyID, s.Sealed.PublicKey)
		}
		list = append(list, strings.TrimSpace(text))
	}
	return list
}

// brief quotes a text, or counts the bytes of a long one.
func brief(text string) string {
	if len(text) > 100 {
		return fmt.Sprintf("%d bytes", len(text))
	}
	return strconv.Quote(text)
}

// TestStandIns checks that the rows of testdata/read.txtar have each stand-in.
func TestStandIns(t *testing.T) {
	rows, err := os.ReadFile("testdata/read.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range standIns {
		want := "\tsecret_value: is " + row.is + "; " + row.advice
		if !row.isRejected {
			want = "\twarning: secret_value is " + row.is + "; it is stored as it is. If that is not meant, " + row.advice
		}
		if !strings.Contains(string(rows), want+"\n") {
			t.Errorf("no row has %q", want)
		}
	}
}

// TestDepth checks that JSON that is nested deeper than 100 is rejected even if the nested value is left out, and that
// depth counts outside of strings only.
func TestDepth(t *testing.T) {
	nest := func(open, value, end string, depth int) string {
		return `{"A": "x", "B": ` + strings.Repeat(open, depth-1) + value + strings.Repeat(end, depth-1) + "}"
	}
	const entry = `A="x"`
	const problem = "secrets: nested deeper than 100, and only an object of strings can be stored\n"
	for text, want := range map[string]string{
		nest("[", `"[[{{\"["`, "]", 100): entry, nest("[", "1", "]", 101): problem,
		nest(`{"C":`, "1", "}", 100): entry, nest(`{"C":`, "{}", "}", 100): problem,
		nest("[", strings.Repeat("[],{},", 200)+"2", "]", 2): entry, nest("[", "", "", 200_000): problem,
	} {
		r := read(t, with{"secrets": text, "secret_name": "A"})
		if got := texts(r) + strings.Join(entriesOf(r.Config), " "); got != want {
			t.Errorf("%.300s: got %q, want %q", text, got, want)
		}
	}
}
