package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"set-org-secret/internal/golden"
)

// TestTexts reads and shows the texts of testdata/texts.txtar.
func TestTexts(t *testing.T) {
	golden.CompareTexts(t, "texts.txtar", map[string]func(text string) string{
		"name":       func(text string) string { return parsed(ParseName(text)) },
		"store":      func(text string) string { return parsed(ParseStore(text)) },
		"visibility": func(text string) string { return parsed(ParseVisibility(text)) },
		"glob and name": func(text string) string {
			glob, name, _ := strings.Cut(text, " ")
			return fmt.Sprint(Pattern{Glob: glob}.Match(Repository{FullName: name}))
		},
		"change of access": func(text string) string {
			before, after, _ := strings.Cut(text, " -> ")
			existing := Existing{Exists: before != "new"}
			if existing.Exists {
				existing.Access, existing.Hidden = accessOf(before)
			}
			access, _ := accessOf(after)
			c := Diff(existing, access)
			return fmt.Sprintf("from %q to %q, added %v, removed %v, %d hidden, any: %v", c.From, c.To, c.Added, c.Removed, c.Hidden, c.Any())
		},
		"duration": func(text string) string {
			d, err := time.ParseDuration(text)
			if err != nil {
				t.Fatal(err)
			}
			return FormatDuration(d)
		},
	})
}

// accessOf parses a visibility, the ids of repositories, and the word hidden for each that the token cannot see.
func accessOf(text string) (a Access, hidden int) {
	visibility, ids, _ := strings.Cut(text, " ")
	a.Visibility = Visibility(visibility)
	for word := range strings.FieldsSeq(ids) {
		id, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			hidden++
			continue
		}
		a.Repositories = append(a.Repositories, Repository{ID: id, FullName: "acme/r" + word})
	}
	return a, hidden
}

func parsed[T ~string](value T, err error) string {
	if err != nil {
		return string(value) + "error: " + err.Error()
	}
	return string(value)
}

// FuzzParseName checks that a parsed name is safe as one segment of a path and parses as itself, and that an error
// shows the text as it is given or not at all.
func FuzzParseName(f *testing.F) {
	for _, seed := range []string{"DB_PASSWORD", "1ST", "GITHUB_x", "a-b", "../x", "", "é", "A\x00", "GITHUB_1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := ParseName(s)
		if err != nil {
			if name != "" {
				t.Errorf("%q: got the name %q with the error %v, want none", s, name, err)
			}
			checkShown(t, s, err.Error())
			return
		}
		if !legal.MatchString(string(name)) {
			t.Errorf("%q: got the name %q, want one that matches %s", s, name, legal)
		}
		if strings.HasPrefix(string(name), "GITHUB_") {
			t.Errorf("%q: got the name %q, want it without the prefix GITHUB_", s, name)
		}
		if !strings.EqualFold(string(name), s) {
			t.Errorf("%q: got the name %q, want a difference in case only", s, name)
		}
		if again := parsed(ParseName(string(name))); again != string(name) {
			t.Errorf("%q: got %q, want the same", name, again)
		}
	})
}

var legal = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)

// checkShown checks that a message is one line, and has no text of s in another case, in which the runner would not
// hide it.
func checkShown(t *testing.T, s, message string) {
	t.Helper()
	upper := strings.ToUpper(s)
	isWord := strings.Contains("must not start with GITHUB_, which GitHub reserves", upper)
	if len(s) >= 5 && upper != s && !isWord && strings.Contains(message, upper) {
		t.Errorf("%q: got the error %q, want it without %q", s, message, upper)
	}
	if strings.ContainsAny(message, "\r\n") {
		t.Errorf("%q: got the error %q, want one line", s, message)
	}
}

// TestValueIsNotPrinted checks that no way to print a Value shows its plaintext.
func TestValueIsNotPrinted(t *testing.T) {
	const plain = "Correct-Horse"
	v := NewValue([]byte(plain))
	type holder struct {
		Value  Value
		hidden Value
		Ptr    *Value
		Any    any
		Map    map[string]Value
		Slice  []Value
	}
	h := holder{v, v, &v, v, map[string]Value{"a": v}, []Value{v}}
	var printed []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %v", "%10v"} {
		for _, x := range []any{v, &v, h, &h, []any{v}, errors.New(fmt.Sprint(v)), fmt.Errorf("x: %v", v)} {
			printed = append(printed, fmt.Sprintf(verb, x))
		}
	}
	text, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	printed = append(printed, string(text))
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "value", v, "holder", h)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "value", v, "holder", h)
	printed = append(printed, log.String())
	for _, text := range printed {
		for _, encoded := range []string{
			plain, fmt.Sprintf("%x", plain), fmt.Sprintf("%X", plain), fmt.Sprintf("%d", []byte(plain))[1:20],
		} {
			if strings.Contains(text, encoded) {
				t.Errorf("got %q, want it without %q", text, encoded)
			}
		}
	}
}

func TestValue(t *testing.T) {
	plain := []byte("Correct-Horse")
	v := NewValue(plain)
	plain[0] = 'x' // Values have bytes of their own
	if got, want := string(v.Reveal()), "Correct-Horse"; got != want {
		t.Errorf("got the plaintext %q, want %q", got, want)
	}
	if got := (Value{}).Reveal(); got != nil {
		t.Errorf("got the plaintext %q of the zero Value, want nil", got)
	}
}

func TestIDs(t *testing.T) {
	for _, test := range []struct{ in, want []int64 }{{[]int64{3, 1, 3}, []int64{1, 3}}, {nil, []int64{}}} {
		var a Access
		for _, id := range test.in {
			a.Repositories = append(a.Repositories, Repository{ID: id})
		}
		if got := a.IDs(); !reflect.DeepEqual(got, test.want) { // nil is no list in JSON
			t.Errorf("%v: got the ids %#v, want %#v", test.in, got, test.want)
		}
	}
}

func TestWords(t *testing.T) {
	for want, got := range map[string]string{
		"1 secret": Count(1, "secret"), "0 secrets": Count(0, "secret"), "1,000 secrets": Count(1000, "secret"),
		"1 repository": Count(1, "repository"), "1,234,567 repositories": Count(1234567, "repository"),
		"created": Created.Text(), "would be created": WouldCreate.Text(), "would be updated": WouldUpdate.Text(),
		"acme/web": Repository{ID: 7, FullName: "acme/web"}.String(), "repository 7": Repository{ID: 7}.String(),
		"2 entries": Count(2, "entry"),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestFirstOf(t *testing.T) {
	for _, test := range []struct{ most, first, more int }{{4, 3, 0}, {3, 3, 0}, {2, 2, 1}, {0, 0, 3}, {-1, 0, 3}} {
		first, more := FirstOf([]int{0, 1, 2}, test.most)
		if len(first) != test.first || more != test.more {
			t.Errorf("at most %d: got %v and %d more, want %d and %d more", test.most, first, more, test.first, test.more)
		}
	}
	list := []int{0, 1}
	first, _ := FirstOf(list, 1)
	if _ = append(first, 2); list[1] != 1 {
		t.Error("appending to the first items changes the list")
	}
}

func TestFirstTexts(t *testing.T) {
	texts := slices.Repeat([]string{"a"}, 2002)
	for n, want := range map[int]string{0: "", 2: "a, a", 3: "a, a, 1 more", 2002: "a, a, 2,000 more"} {
		if got := strings.Join(FirstTexts(texts[:n], 2), ", "); got != want {
			t.Errorf("%d texts: got %q, want %q", n, got, want)
		}
	}
}

func TestFormatTime(t *testing.T) {
	at := time.Date(2026, 7, 28, 23, 0, 5, 1, time.FixedZone("", 3600))
	if got, want := FormatTime(at), "2026-07-28 22:00:05 UTC"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestHasOnly(t *testing.T) {
	if !HasOnly("", "") || !HasOnly("a-b", "-") || HasOnly("a-b", "") || HasOnly("a.b", "-") {
		t.Error("the characters in also, and they alone, are allowed besides")
	}
	const want = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
	got := ""
	for c := range rune(0x200) {
		if HasOnly(string(c), "") {
			got += string(c)
		}
	}
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestAsError checks that an error that adds to another, or joins several, has its own text and the other parts of the
// first.
func TestAsError(t *testing.T) {
	first := &Error{Op: "writing", Problem: "403 no", Cause: "Cause.", Hint: "Hint.", RequestID: "1", Is: []error{ErrNotFound}}
	second := &Error{Op: "writing", Problem: "404", Hint: "Other.", RequestID: "2"}
	for _, test := range []struct {
		err     error
		problem string
		rest    string
	}{
		{first, "403 no", "Cause. Hint. 1"},
		{fmt.Errorf("input: %w", first), "input: writing: 403 no", "Cause. Hint. 1"},
		{errors.Join(errors.New("x"), first, second), "x; writing: 403 no; writing: 404", "Cause. Hint. 1"},
		{errors.New("x"), "x", "  "},
	} {
		e := AsError(test.err)
		rest := e.Cause + " " + e.Hint + " " + e.RequestID
		if e.Problem != test.problem || rest != test.rest {
			t.Errorf("%v: got %q and %q, want %q and %q", test.err, e.Problem, rest, test.problem, test.rest)
		}
		if got, want := errors.Is(e, ErrNotFound), errors.Is(test.err, ErrNotFound); got != want {
			t.Errorf("%v: matches ErrNotFound: %v, want %v", test.err, got, want)
		}
	}
}
