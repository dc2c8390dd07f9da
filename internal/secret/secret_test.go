package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// errorText returns "" for nil.
func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestParseName(t *testing.T) {
	for _, test := range []struct{ in, name, err string }{
		{"DB_PASSWORD", "DB_PASSWORD", ""},
		{"db_password", "DB_PASSWORD", ""},
		{"_1", "_1", ""},
		{"GITHUB", "GITHUB", ""},
		{"GITHUBX_A", "GITHUBX_A", ""},
		{"", "", "empty"},
		{"1ST", "", `must start with a letter or _, not "1ST"`},
		{"github_token", "", `must not start with GITHUB_, which GitHub reserves: "github_token"`},
		{"GITHUB_", "", `must not start with GITHUB_, which GitHub reserves: "GITHUB_"`},
		{"db-password", "", `must have only letters, digits and _, not "db-password"`},
		{"größe", "", `must have only letters, digits and _, not "größe"`},
		{"A\nB", "", `must have only letters, digits and _, not "A\nB"`},
		{"../../user", "", `must have only letters, digits and _, not "../../user"`},
		{strings.Repeat("1", 200), "", "must start with a letter or _, not a text of 200 characters"},
		{"A\u00a0B", "", "must have only letters, digits and _, not a text with characters that cannot be shown"},
	} {
		name, err := ParseName(test.in)
		if string(name) != test.name {
			t.Errorf("%q: got the name %q, want %q", test.in, name, test.name)
		}
		if got := errorText(err); got != test.err {
			t.Errorf("%q: got the error %q, want %q", test.in, got, test.err)
		}
	}
}

// FuzzParseName checks that a parsed name is safe as one segment of a path and
// parses as itself, and that an error shows the text as it is given or not at all.
func FuzzParseName(f *testing.F) {
	for _, seed := range []string{"DB_PASSWORD", "1ST", "GITHUB_x", "a-b", "../x", "", "é", "A\x00", "GITHUB_1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := ParseName(s)
		if err != nil {
			if name != "" {
				t.Fatalf("%q: got the name %q with the error %v, want none", s, name, err)
			}
			checkShown(t, s, err.Error())
			return
		}
		const legal = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
		if rest := strings.Trim(string(name), legal); rest != "" {
			t.Fatalf("%q: got the name %q, want only characters of %s", s, name, legal)
		}
		if !strings.EqualFold(string(name), s) {
			t.Fatalf("%q: got the name %q, want a difference in case only", s, name)
		}
		if strings.HasPrefix(string(name), "GITHUB_") {
			t.Fatalf("%q: got the name %q, want it without the prefix GITHUB_", s, name)
		}
		checkLegal(t, string(name))
	})
}

// checkShown checks that a message has no text of s in another case, in which the
// runner would not hide it.
func checkShown(t *testing.T, s, message string) {
	t.Helper()
	upper := strings.ToUpper(s)
	isWord := strings.Contains("must not start with GITHUB_, which GitHub reserves", upper)
	if len(s) >= 5 && upper != s && !isWord && strings.Contains(message, upper) {
		t.Fatalf("%q: got the error %q, want it without %q", s, message, upper)
	}
	if strings.ContainsAny(message, "\r\n") {
		t.Fatalf("%q: got the error %q, want one line", s, message)
	}
}

// checkLegal checks that a name parses as itself.
func checkLegal(t *testing.T, name string) {
	got, err := ParseName(name)
	if err != nil {
		t.Fatalf("%q: got the error %v, want a legal name", name, err)
	}
	if string(got) != name {
		t.Fatalf("%q: got the name %q, want it unchanged", name, got)
	}
}

// TestValueIsRedacted checks that no way to print a Value shows its plaintext.
func TestValueIsRedacted(t *testing.T) {
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
	printed = append(printed, string(text), v.String())
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
	const plain = "Correct-Horse"
	v := NewValue([]byte(plain))
	if got := string(v.Reveal()); got != plain {
		t.Errorf("got the plaintext %q, want %q", got, plain)
	}
	if got := v.Len(); got != len(plain) {
		t.Errorf("got the length %d, want %d", got, len(plain))
	}
	if got := (Value{}).Reveal(); got != nil {
		t.Errorf("got the plaintext %q of the zero Value, want nil", got)
	}
	if got := (Value{}).Len(); got != 0 {
		t.Errorf("got the length %d of the zero Value, want 0", got)
	}
}

func TestValueCopiesItsBytes(t *testing.T) {
	b := []byte("abc")
	v := NewValue(b)
	b[0] = 'x'
	if got, want := string(v.Reveal()), "abc"; got != want {
		t.Errorf("got the plaintext %q after a change of the bytes passed to NewValue, want %q", got, want)
	}
}

func TestParseStore(t *testing.T) {
	for _, test := range []struct {
		in   string
		want Store
		err  string
	}{
		{"Actions", Actions, ""},
		{"action", "", `must be actions, dependabot, codespaces or agents, not "action"`},
	} {
		got, err := ParseStore(test.in)
		if got != test.want {
			t.Errorf("%q: got the store %q, want %q", test.in, got, test.want)
		}
		if text := errorText(err); text != test.err {
			t.Errorf("%q: got the error %q, want %q", test.in, text, test.err)
		}
	}
}

func TestParseVisibility(t *testing.T) {
	for _, test := range []struct {
		in   string
		want Visibility
		err  string
	}{
		{"ALL", All, ""},
		{"public\n", "", `must be all, private or selected, not "public\n"`},
	} {
		got, err := ParseVisibility(test.in)
		if got != test.want {
			t.Errorf("%q: got the visibility %q, want %q", test.in, got, test.want)
		}
		if text := errorText(err); text != test.err {
			t.Errorf("%q: got the error %q, want %q", test.in, text, test.err)
		}
	}
}

func TestDiff(t *testing.T) {
	repos := func(ids ...int64) (list []Repository) {
		for _, id := range ids {
			list = append(list, Repository{ID: id, FullName: fmt.Sprintf("acme/r%d", id)})
		}
		return list
	}
	selected := func(ids ...int64) Access { return Access{Selected, repos(ids...)} }
	existing := func(ids ...int64) Existing { return Existing{Exists: true, Access: selected(ids...)} }
	for _, test := range []struct {
		name     string
		existing Existing
		access   Access
		want     Change
		any      bool
	}{
		{
			"new secret",
			Existing{},
			Access{Visibility: Private},
			Change{To: Private},
			false,
		},
		{
			"new secret with a list",
			Existing{},
			selected(1),
			Change{To: Selected, Added: repos(1)},
			true,
		},
		{
			"unchanged", existing(1, 2), selected(2, 1),
			Change{From: Selected, To: Selected, Kept: 2},
			false,
		},
		{
			"one added, one removed", existing(3, 1), selected(2, 3),
			Change{From: Selected, To: Selected, Added: repos(2), Removed: repos(1), Kept: 1},
			true,
		},
		{
			"sorted, without duplicates", existing(), selected(3, 1, 3),
			Change{From: Selected, To: Selected, Added: repos(1, 3)},
			true,
		},
		{
			"all removed", existing(1), selected(),
			Change{From: Selected, To: Selected, Removed: repos(1)},
			true,
		},
		{
			"selected to all", existing(1),
			Access{Visibility: All},
			Change{From: Selected, To: All, Removed: repos(1)},
			true,
		},
		{
			"hidden repositories are removed",
			Existing{Exists: true, Access: selected(1), Hidden: 2},
			selected(1),
			Change{From: Selected, To: Selected, Kept: 1, Hidden: 2},
			true,
		},
	} {
		got := Diff(test.existing, test.access)
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got the change %+v, want %+v", test.name, got, test.want)
		}
		if got.Any() != test.any {
			t.Errorf("%s: got Any() = %v, want %v", test.name, got.Any(), test.any)
		}
	}
}

func TestIDs(t *testing.T) {
	a := Access{Repositories: []Repository{{ID: 3}, {ID: 1}, {ID: 3}}}
	if got, want := a.IDs(), []int64{1, 3}; !slices.Equal(got, want) {
		t.Errorf("got the ids %v, want %v", got, want)
	}
	got := (Access{}).IDs()
	if got == nil {
		t.Error("got nil without repositories, want an empty list")
	}
	if len(got) != 0 {
		t.Errorf("got the ids %v without repositories, want an empty list", got)
	}
}

func TestPatternMatch(t *testing.T) {
	for _, test := range []struct {
		glob, name string
		want       bool
	}{
		{"svc-*", "acme/svc-one", true},
		{"svc-*", "SVC-One", true},
		{"svc-*", "acme/my-svc-one", false},
		{"{a,b}-*", "acme/b-x", true},
		{"{a,b}-*", "acme/c-x", false},
		{"*", "acme/.github", true},
		{"?eb", "acme/web", true},
		{"[a-c]*", "acme/docs", false},
		{"web", "acme/web", true},
		{"web", "web/other", false},
	} {
		if got := (Pattern{Glob: test.glob}).Match(test.name); got != test.want {
			t.Errorf("%s matches %s: got %v, want %v", test.glob, test.name, got, test.want)
		}
	}
}

func TestPatternValid(t *testing.T) {
	for glob, want := range map[string]bool{
		"svc-*": true, "svc-[a": false, "a/*": false, "**": true, "{a,b": false,
	} {
		if got := (Pattern{Glob: glob}).Valid(); got != want {
			t.Errorf("%s is valid: got %v, want %v", glob, got, want)
		}
	}
}

func TestRepositoryString(t *testing.T) {
	for _, test := range []struct {
		repository Repository
		want       string
	}{
		{Repository{ID: 7, FullName: "acme/web"}, "acme/web"},
		{Repository{ID: 7}, "repository 7"},
	} {
		if got := test.repository.String(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                              "0 s",
		1500 * time.Millisecond:        "1.5 s",
		2*time.Second + 30*1e6:         "2 s",
		9960 * time.Millisecond:        "10 s",
		42*time.Second + 400*1e6:       "42 s",
		59600 * time.Millisecond:       "1 min",
		4*time.Minute + 58*1e9:         "4 min 58 s",
		10 * time.Minute:               "10 min",
		time.Hour - time.Millisecond:   "1 h",
		time.Hour:                      "1 h",
		90 * time.Minute:               "1 h 30 min",
		10*time.Hour + 5*time.Second:   "10 h",
		20*time.Hour + 10*time.Minute:  "20 h 10 min",
		24 * time.Hour:                 "1 day",
		36 * time.Hour:                 "36 h",
		90 * 24 * time.Hour:            "90 days",
		3*time.Hour + 59*60e9 + 40*1e9: "4 h",
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("%v is shown as %q, want %q", d, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	for want, got := range map[string]string{
		"1 secret": Count(1, "secret"), "0 secrets": Count(0, "secret"), "1,000 secrets": Count(1000, "secret"),
		"1 repository": Count(1, "repository"), "1,234,567 repositories": Count(1234567, "repository"),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestOperationText(t *testing.T) {
	for op, want := range map[Operation]string{Created: "created", WouldCreate: "would be created", WouldUpdate: "would be updated"} {
		if got := op.Text(); got != want {
			t.Errorf("%s: got %q, want %q", op, got, want)
		}
	}
}

// TestAsError checks which parts an error has that adds to another, or joins several.
func TestAsError(t *testing.T) {
	first := &Error{Op: "writing", Problem: "403 no", Cause: "Cause.", Hint: "Hint.", RequestID: "1", Is: []error{ErrNotFound}}
	for _, test := range []struct {
		err     error
		problem string
		cause   string
	}{
		{first, "403 no", "Cause."},
		{fmt.Errorf("input: %w", first), "input: writing: 403 no", "Cause."},
		{errors.Join(errors.New("x"), first), "x; writing: 403 no", "Cause."},
		{errors.New("x"), "x", ""},
	} {
		e := AsError(test.err)
		if e.Problem != test.problem || e.Cause != test.cause {
			t.Errorf("%v: got the problem %q and the cause %q, want %q and %q", test.err, e.Problem, e.Cause, test.problem, test.cause)
		}
		if got, want := errors.Is(&e, ErrNotFound), errors.Is(test.err, ErrNotFound); got != want {
			t.Errorf("%v: matches ErrNotFound: %v, want %v", test.err, got, want)
		}
	}
}
