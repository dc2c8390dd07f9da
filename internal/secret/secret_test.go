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
)

func TestParseName(t *testing.T) {
	for _, test := range []struct{ in, name, err string }{
		{"DB_PASSWORD", "DB_PASSWORD", ""},
		{"db_password", "DB_PASSWORD", ""},
		{"_1", "_1", ""},
		{"GITHUB", "GITHUB", ""},
		{"GITHUBX_A", "GITHUBX_A", ""},
		{"", "", "empty"},
		{"1ST", "", `"1ST" starts with a digit; _1ST would be legal`},
		{"github_token", "", `"github_token" starts with GITHUB_, which GitHub reserves; TOKEN would be legal`},
		{"GITHUB_GITHUB_1", "", `"GITHUB_GITHUB_1" starts with GITHUB_, which GitHub reserves; _1 would be legal`},
		{"db-password", "", `"db-password" has characters other than letters, digits and _; DB_PASSWORD would be legal`},
		{"größe", "", `"größe" has characters other than letters, digits and _; GR__E would be legal`},
		{"GITHUB_", "", `"GITHUB_" starts with GITHUB_, which GitHub reserves`},
		{"--", "", `"--" has characters other than letters, digits and _`},
		{"A\nB", "", `"A\nB" has characters other than letters, digits and _; A_B would be legal`},
		{"../../user", "", `"../../user" has characters other than letters, digits and _; ______USER would be legal`},
	} {
		name, err := ParseName(test.in)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if string(name) != test.name || text != test.err {
			t.Errorf("%q: %q, %q; want %q, %q", test.in, name, text, test.name, test.err)
		}
	}
}

// FuzzName holds that what is taken is safe as one segment of a path, that it
// reads back as itself, and that every spelling that is offered is a legal one.
func FuzzName(f *testing.F) {
	for _, seed := range []string{"DB_PASSWORD", "1ST", "GITHUB_x", "a-b", "../x", "", "é", "A\x00", "GITHUB_1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := ParseName(s)
		if err == nil {
			if strings.Trim(string(name), "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" || !strings.EqualFold(string(name), s) || strings.HasPrefix(string(name), "GITHUB_") {
				t.Fatalf("%q is taken as %q", s, name)
			}
			if again, err := ParseName(string(name)); again != name || err != nil {
				t.Fatalf("%q reads back as %q: %v", name, again, err)
			}
			return
		}
		if name != "" {
			t.Fatalf("%q: a name and an error", s)
		}
		if _, rest, ok := strings.Cut(err.Error(), "; "); ok && strings.HasSuffix(rest, " would be legal") && !strings.Contains(s, "; ") {
			legal := strings.TrimSuffix(rest, " would be legal")
			if got, err := ParseName(legal); string(got) != legal || err != nil {
				t.Fatalf("%q is offered, and refused: %v", legal, err)
			}
		}
	})
}

// TestValueHides prints a Value in every way that a mistake might.
func TestValueHides(t *testing.T) {
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
		for _, form := range []string{plain, fmt.Sprintf("%x", plain), fmt.Sprintf("%X", plain), fmt.Sprintf("%d", []byte(plain))[1:20]} {
			if strings.Contains(text, form) {
				t.Errorf("shown: %s", text)
			}
		}
	}
	if string(v.Reveal()) != plain || v.Len() != len(plain) {
		t.Error("the value itself is lost")
	}
	if (Value{}).Reveal() != nil || (Value{}).Len() != 0 {
		t.Error("the zero Value holds something")
	}
}

func TestValueKeepsACopy(t *testing.T) {
	b := []byte("abc")
	v := NewValue(b)
	b[0] = 'x'
	if string(v.Reveal()) != "abc" {
		t.Error("a Value changes with the bytes that it was made of")
	}
}

func TestParseChoices(t *testing.T) {
	if s, err := ParseStore("Actions"); s != Actions || err != nil {
		t.Error(s, err)
	}
	if _, err := ParseStore("action"); err == nil || err.Error() != `must be actions, dependabot, codespaces or agents, not "action"` {
		t.Error(err)
	}
	if v, err := ParseVisibility("ALL"); v != All || err != nil {
		t.Error(v, err)
	}
	if _, err := ParseVisibility("public\n"); err == nil || err.Error() != `must be all, private or selected, not "public\n"` {
		t.Error(err)
	}
}

func TestDiff(t *testing.T) {
	repos := func(ids ...int64) (list []Repository) {
		for _, id := range ids {
			list = append(list, Repository{ID: id, FullName: fmt.Sprintf("acme/r%d", id)})
		}
		return list
	}
	chosen := func(ids ...int64) Access { return Access{Selected, repos(ids...)} }
	for _, test := range []struct {
		name string
		from Existing
		to   Access
		want Change
		any  bool
	}{
		{"new", Existing{}, Access{Visibility: Private}, Change{To: Private}, false},
		{"new with a list", Existing{}, chosen(1), Change{To: Selected, Added: repos(1)}, true},
		{"as before", Existing{Exists: true, Access: chosen(1, 2)}, chosen(2, 1), Change{From: Selected, To: Selected, Kept: 2}, false},
		{"one more, one less", Existing{Exists: true, Access: chosen(3, 1)}, chosen(2, 3), Change{From: Selected, To: Selected, Added: repos(2), Removed: repos(1), Kept: 1}, true},
		{"sorted, each once", Existing{Exists: true, Access: chosen()}, chosen(3, 1, 3), Change{From: Selected, To: Selected, Added: repos(1, 3)}, true},
		{"emptied", Existing{Exists: true, Access: chosen(1)}, chosen(), Change{From: Selected, To: Selected, Removed: repos(1)}, true},
		{"widened", Existing{Exists: true, Access: chosen(1)}, Access{Visibility: All}, Change{From: Selected, To: All, Removed: repos(1)}, true},
		{"hidden ones go", Existing{Exists: true, Access: chosen(1), Hidden: 2}, chosen(1), Change{From: Selected, To: Selected, Kept: 1, Hidden: 2}, true},
	} {
		got := Diff(test.from, test.to)
		if !reflect.DeepEqual(got, test.want) || got.Any() != test.any {
			t.Errorf("%s: %+v, %v; want %+v, %v", test.name, got, got.Any(), test.want, test.any)
		}
	}
}

func TestIDs(t *testing.T) {
	a := Access{Repositories: []Repository{{ID: 3}, {ID: 1}, {ID: 3}}}
	if got := a.IDs(); !slices.Equal(got, []int64{1, 3}) {
		t.Error(got)
	}
	if got := (Access{}).IDs(); got == nil || len(got) != 0 {
		t.Error("no list is not the empty list")
	}
}

func TestPattern(t *testing.T) {
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
			t.Errorf("%s against %s: %v", test.glob, test.name, got)
		}
	}
	for glob, want := range map[string]bool{"svc-*": true, "svc-[a": false, "a/*": false, "**": true, "{a,b": false} {
		if got := (Pattern{Glob: glob}).Valid(); got != want {
			t.Errorf("%s is valid: %v", glob, got)
		}
	}
}

// TestJoin has every error in one line, and finds each in it.
func TestJoin(t *testing.T) {
	if err := Join(nil, nil); err != nil {
		t.Errorf("nothing is %v", err)
	}
	err := Join(nil, ErrNotFound, nil, ErrInterrupted)
	if err == nil || err.Error() != "not found; interrupted" || !errors.Is(err, ErrNotFound) || !errors.Is(err, ErrInterrupted) {
		t.Errorf("got %v", err)
	}
}
