package upsert

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"set-org-secret/internal/seal"
	"set-org-secret/internal/secret"
)

// fakeClient is GitHub as a test scripts it; what it leaves out succeeds.
type fakeClient struct {
	finder
	mu     sync.Mutex
	keys   []seal.PublicKey // returned in turn, the last one for ever
	keyN   int
	writes []fakeWrite

	existing secret.Existing
	slow     time.Duration // how long reading a secret takes
	readErr  func(n int) error
	reads    int
	respond  func(n int, w fakeWrite) error
	retry    func(error) bool // which errors are transient
}

// fakeWrite is one attempt at a write.
type fakeWrite struct {
	name   secret.Name
	sealed seal.Sealed
	access secret.Access
}

func newKey(t *testing.T, id string) seal.PublicKey {
	t.Helper()
	private, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := seal.ParsePublicKey(id, base64.StdEncoding.EncodeToString(private.PublicKey().Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (f *fakeClient) WithRetryBudget(ctx context.Context) context.Context { return ctx }

func (f *fakeClient) WithoutRetry(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

func (f *fakeClient) Now() time.Time { return time.Now() }

func (f *fakeClient) PublicKey(context.Context, secret.Store) (seal.PublicKey, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keyN++
	return f.keys[min(f.keyN, len(f.keys))-1], nil
}

func (f *fakeClient) Secret(context.Context, secret.Store, secret.Name) (secret.Existing, error) {
	time.Sleep(f.slow)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.reads++; f.readErr != nil {
		return f.existing, f.readErr(f.reads)
	}
	return f.existing, nil
}

func (f *fakeClient) Secrets(context.Context, secret.Store, int) ([]secret.Existing, bool, error) {
	return nil, true, nil
}

func (f *fakeClient) SelectedRepositories(context.Context, secret.Store, secret.Name) ([]secret.Repository, int, error) {
	return f.existing.Access.Repositories, f.existing.Hidden, nil
}

func (f *fakeClient) Put(_ context.Context, _ secret.Store, name secret.Name) Attempts {
	return func(yield func(func(seal.Sealed, secret.Access) (bool, error), error) bool) {
		for again := true; again; {
			again = false
			more := yield(func(sealed seal.Sealed, access secret.Access) (bool, error) {
				f.mu.Lock()
				w := fakeWrite{name, sealed, access}
				f.writes = append(f.writes, w)
				n := len(f.writes)
				f.mu.Unlock()
				var err error
				if f.respond != nil {
					err = f.respond(n, w)
				}
				again = errors.Is(err, secret.ErrUnprocessable) || err != nil && f.retry != nil && f.retry(err)
				return !f.existing.Exists, err
			}, nil)
			if !more {
				return
			}
		}
	}
}

func (f *fakeClient) SetRepositories(ctx context.Context, store secret.Store, name secret.Name) Attempts {
	return f.Put(ctx, store, name)
}

func (f *fakeClient) VisibleRepositories(ctx context.Context, store secret.Store, name secret.Name) ([]secret.Repository, int, error) {
	return f.SelectedRepositories(ctx, store, name)
}

func (f *fakeClient) AddRepository(ctx context.Context, store secret.Store, name secret.Name, _ int64) Attempts {
	return f.Put(ctx, store, name)
}

func (f *fakeClient) RemoveRepository(ctx context.Context, store secret.Store, name secret.Name, _ int64) Attempts {
	return f.Put(ctx, store, name)
}

func items(n int) (list []Item) {
	for i := range n {
		list = append(list, Item{
			Store: secret.Actions, Name: secret.Name(fmt.Sprintf("S%d", i+1)), Value: secret.NewValue([]byte("Correct-Horse")),
		})
	}
	return list
}

func job(f *fakeClient, visibility secret.Visibility, items []Item) Job {
	discard := func(string) {}
	return Job{
		GitHub: f, Rand: rand.Reader, Items: items, Visibility: visibility,
		WritesPerMinute: 80, MaxConcurrentReads: 8, Log: discard, Warn: discard,
	}
}

// wantEqual fails if got and want print differently.
func wantEqual(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// wantError fails if err is nil or does not have a text.
func wantError(t *testing.T, what string, err error, text string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: got no error, want one with %q", what, text)
	} else if !strings.Contains(err.Error(), text) {
		t.Errorf("%s: got the error %v, want one with %q", what, err, text)
	}
}

// TestAccessFor has each access that can be asked for with each that can exist.
func TestAccessFor(t *testing.T) {
	list := []secret.Repository{{ID: 1}, {ID: 2}}
	other := []secret.Repository{{ID: 3}}
	chosen := secret.Access{Visibility: secret.Selected, Repositories: list}
	existing := func(a secret.Access) secret.Existing { return secret.Existing{Exists: true, Access: a} }
	all, private := secret.Access{Visibility: secret.All}, secret.Access{Visibility: secret.Private}
	for _, test := range []struct {
		name     string
		desired  desired
		existing secret.Existing
		access   secret.Access
		refused  string
	}{
		{"nothing asked, new", desired{}, secret.Existing{}, private, ""},
		{"nothing asked, all", desired{}, existing(all), all, ""},
		{"nothing asked, private", desired{}, existing(private), private, ""},
		{"nothing asked, selected", desired{}, existing(chosen), chosen, ""},
		{"nothing asked, an empty list", desired{}, existing(secret.Access{Visibility: secret.Selected}), secret.Access{Visibility: secret.Selected}, ""},
		{"nothing asked, some not visible", desired{}, secret.Existing{Exists: true, Access: chosen, Hidden: 1}, secret.Access{}, "the token can see only 2 of 3 selected repositories"},
		{"nothing asked, more than counted", desired{}, secret.Existing{Exists: true, Access: chosen, Hidden: -1}, secret.Access{}, "the token can see only 2 of 1 selected repositories"},
		{"all, selected", desired{visibility: secret.All}, existing(chosen), all, ""},
		{"private, new", desired{visibility: secret.Private}, secret.Existing{}, private, ""},
		{"selected without a list, new", desired{visibility: secret.Selected}, secret.Existing{}, secret.Access{}, "does not exist yet"},
		{"selected without a list, private", desired{visibility: secret.Selected}, existing(private), secret.Access{}, "the existing secret is private"},
		{"selected without a list, selected", desired{visibility: secret.Selected}, existing(chosen), chosen, ""},
		{"a list, new", desired{visibility: secret.Selected, replace: true, repositories: other}, secret.Existing{}, secret.Access{Visibility: secret.Selected, Repositories: other}, ""},
		{"a list, selected", desired{visibility: secret.Selected, replace: true, repositories: other}, existing(chosen), secret.Access{Visibility: secret.Selected, Repositories: other}, ""},
		{"a list, some not visible", desired{visibility: secret.Selected, replace: true, repositories: other}, secret.Existing{Exists: true, Access: chosen, Hidden: 1}, secret.Access{Visibility: secret.Selected, Repositories: other}, ""},
		{"none, all", desired{visibility: secret.Selected, replace: true}, existing(all), secret.Access{Visibility: secret.Selected}, ""},
	} {
		access, err := test.desired.accessFor(test.existing)
		if !reflect.DeepEqual(access, test.access) {
			t.Errorf("%s: got %+v, want %+v", test.name, access, test.access)
		}
		if test.refused == "" {
			if err != nil {
				t.Errorf("%s: got the error %v, want none", test.name, err)
			}
			continue
		}
		wantError(t, test.name, err, test.refused)
		if e, ok := errors.AsType[*secret.Error](err); ok && e.Hint == "" {
			t.Errorf("%s: the error %v has no hint", test.name, err)
		}
	}
}

// TestListFor has mode access with each secret that can exist.
func TestListFor(t *testing.T) {
	list := []secret.Repository{{ID: 3}}
	access := func(v secret.Visibility) secret.Existing {
		return secret.Existing{Exists: true, Access: secret.Access{Visibility: v}}
	}
	for _, test := range []struct {
		existing secret.Existing
		refused  string
	}{
		{secret.Existing{}, "the secret does not exist"},
		{access(secret.All), "the secret's visibility is all"},
		{access(secret.Private), "the secret's visibility is private"},
		{access(secret.Selected), ""},
	} {
		got, err := desired{listOnly: true, replace: true, repositories: list}.accessFor(test.existing)
		if test.refused != "" {
			wantError(t, fmt.Sprintf("%+v", test.existing), err, test.refused)
			continue
		}
		wantEqual(t, "error", err, nil)
		wantEqual(t, "access", got, secret.Access{Visibility: secret.Selected, Repositories: list})
	}
}

// TestReseal rotates the key in the middle of a batch: at most the values that are
// under way are refused, and those not sent yet are sealed to the new key first.
func TestReseal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeClient{keys: []seal.PublicKey{newKey(t, "1"), newKey(t, "2")}}
		f.respond = func(n int, w fakeWrite) error {
			time.Sleep(time.Second)
			if n > 4 && w.sealed.KeyID == "1" {
				return secret.ErrUnprocessable
			}
			return nil
		}
		keys := ""
		for _, r := range job(f, secret.All, items(20)).Run(t.Context()) {
			keys += r.KeyID
			wantEqual(t, string(r.Name), r.Operation, secret.Created)
			wantEqual(t, string(r.Name)+": error", r.Err, nil)
			wantEqual(t, string(r.Name)+": sealed value after it was stored", r.EncryptedValue, "")
		}
		wantEqual(t, "keys of the stored values", keys, "1111"+strings.Repeat("2", 16))
		wantEqual(t, "fetches of the key", f.keyN, 2)
		wantEqual(t, "attempts", len(f.writes), 20+4)
	})
}

// TestResealLimit has a server that returns a new key every time.
func TestResealLimit(t *testing.T) {
	f := &fakeClient{respond: func(int, fakeWrite) error { return secret.ErrUnprocessable }}
	for i := range 20 {
		f.keys = append(f.keys, newKey(t, fmt.Sprint(i+1)))
	}
	r := job(f, secret.All, items(1)).Run(t.Context())[0]
	wantEqual(t, "operation", r.Operation, secret.Failed)
	wantEqual(t, "error", r.Err, secret.ErrUnprocessable)
	wantEqual(t, "key of the saved value", r.KeyID, "4")
	wantEqual(t, "saved", r.EncryptedValue != "", true)
	wantEqual(t, "attempts", len(f.writes), 1+maxReseals)
}

// TestSnapshotTooOld has a server so slow that what is read is out of date when it
// arrives: it must not be written back.
func TestSnapshotTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeClient{
			keys: []seal.PublicKey{newKey(t, "1")}, slow: 2 * time.Minute,
			existing: secret.Existing{Exists: true, Access: secret.Access{Visibility: secret.All}},
		}
		r := job(f, "", items(1)).Run(t.Context())[0]
		wantError(t, "result", r.Err, "took more than a minute")
		wantEqual(t, "visibility, which is not known", r.Access.Visibility, "")
		wantEqual(t, "saved", r.EncryptedValue != "", true)
		wantEqual(t, "attempts at a write", len(f.writes), 0)
	})
}

// TestUnknownStays has an attempt that got no response, and then a plan that
// fails: it stays unknown whether the first took effect.
func TestUnknownStays(t *testing.T) {
	lost, gone := errors.New("no response"), errors.New("cannot read")
	for _, test := range []struct {
		name  string
		first error
		want  secret.Operation
	}{
		{"no response", fmt.Errorf("%w: %w", secret.ErrOutcomeUnknown, lost), secret.Unknown},
		{"a response", errors.New("502"), secret.Failed},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeClient{keys: []seal.PublicKey{newKey(t, "1")}, retry: func(error) bool { return true }}
			f.readErr = func(n int) error {
				if n > 1 {
					return gone
				}
				return nil
			}
			f.respond = func(int, fakeWrite) error {
				time.Sleep(2 * time.Minute) // so that the next attempt reads again
				return test.first
			}
			r := job(f, "", items(1)).Run(t.Context())[0]
			wantEqual(t, test.name+": operation", r.Operation, test.want)
			wantEqual(t, test.name+": error", r.Err, gone)
			wantEqual(t, test.name+": attempts at a write", len(f.writes), 1)
		})
	}
}

// TestResults checks that results are in input order, whichever completes first,
// and hold nothing of the plaintext.
func TestResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeClient{keys: []seal.PublicKey{newKey(t, "1")}}
		f.respond = func(_ int, w fakeWrite) error {
			switch w.name {
			case "S1":
				time.Sleep(time.Hour)
			case "S3":
				return errors.New("refused")
			case "S4":
				return secret.ErrOutcomeUnknown
			}
			return nil
		}
		f.readErr = func(int) error { return errors.New("cannot read") }
		var completed []secret.Name
		j := job(f, secret.All, items(5))
		j.OnResult = func(r secret.Result) { completed = append(completed, r.Name) }
		var got []string
		results := j.Run(t.Context())
		for _, r := range results {
			got = append(got, fmt.Sprintf("%s %s", r.Name, r.Operation))
			stored := r.Operation == secret.Created
			if saved := r.EncryptedValue != ""; saved == stored {
				t.Errorf("%s is %s: sealed value saved: %v", r.Name, r.Operation, saved)
			}
			if r.Access.Visibility != secret.All {
				t.Errorf("%s is %s: storing it manually would make it %q, want all", r.Name, r.Operation, r.Access.Visibility)
			}
		}
		want := []string{"S1 created", "S2 created", "S3 failed", "S4 unknown", "S5 created"}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		wantEqual(t, "completed", len(completed), 5)
		wantEqual(t, "completed last but one", completed[len(completed)-2], "S1")
		wantEqual(t, "completed last, after a read", completed[len(completed)-1], "S4")
		if strings.Contains(fmt.Sprintf("%+v %#v", results, results), "Horse") {
			t.Error("the plaintext is in a result")
		}
	})
}

// TestCancelled cancels a run at its first write: the results have the access that
// was asked for, for storing the values manually.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := &fakeClient{keys: []seal.PublicKey{newKey(t, "1")}}
	f.respond = func(int, fakeWrite) error { cancel(); return secret.ErrInterrupted }
	j := job(f, secret.Selected, items(10))
	j.Selection = &secret.Selection{IDs: []int64{7}}
	for _, r := range j.Run(ctx) {
		wantEqual(t, string(r.Name), r.Operation, secret.Failed)
		wantEqual(t, string(r.Name)+": saved", r.EncryptedValue != "", true)
		wantEqual(t, string(r.Name)+": visibility", r.Access.Visibility, secret.Selected)
		wantEqual(t, string(r.Name)+": repositories", r.Access.IDs(), []int64{7})
	}
}

// TestNoRandomness fails each item and writes nothing.
func TestNoRandomness(t *testing.T) {
	f := &fakeClient{keys: []seal.PublicKey{newKey(t, "1")}}
	j := job(f, secret.All, items(1))
	j.Rand = bytes.NewReader(nil)
	r := j.Run(t.Context())[0]
	wantEqual(t, "operation", r.Operation, secret.Failed)
	wantError(t, "result", r.Err, "EOF")
	wantEqual(t, "attempts at a write", len(f.writes), 0)
}

// finder is an organization's repositories. It knows site by its former name homepage,
// too, and fails to look up broken.
type finder []secret.Repository

func (f finder) Repository(_ context.Context, name string) (secret.Repository, error) {
	switch name {
	case "homepage":
		name = "site"
	case "broken":
		return secret.Repository{}, &secret.Error{Op: "looking up repository acme/broken", Problem: "502"}
	}
	for _, r := range f {
		if strings.EqualFold(bareName(r), name) {
			return r, nil
		}
	}
	return secret.Repository{}, &secret.Error{Op: "looking up repository acme/" + name, Problem: "404", Is: []error{secret.ErrNotFound}}
}

func (f finder) Repositories(context.Context) ([]secret.Repository, error) { return f, nil }

func TestResolve(t *testing.T) {
	org := finder{
		{ID: 1, FullName: "acme/web"},
		{ID: 2, FullName: "acme/Api"},
		{ID: 3, FullName: "acme/svc-one"},
		{ID: 4, FullName: "acme/svc-two"},
		{ID: 5, FullName: "acme/site"},
	}
	patterns := func(texts ...string) (list []secret.Pattern) {
		for _, text := range texts {
			list = append(list, secret.Pattern{Text: text, Glob: strings.TrimPrefix(text, "!")})
		}
		return list
	}
	for _, test := range []struct {
		name    string
		s       secret.Selection
		ids     []int64
		warning string
		refused string
	}{
		{"none", secret.Selection{}, nil, "", ""},
		{"ids, each once", secret.Selection{IDs: []int64{9, 1, 9}}, []int64{9, 1}, "", ""},
		{"a name and its id", secret.Selection{IDs: []int64{2}, Names: []string{"api"}}, []int64{2}, "", ""},
		{
			"a name and a pattern that matches it",
			secret.Selection{Names: []string{"svc-two"}, Patterns: patterns("svc-*")},
			[]int64{4, 3},
			"", "",
		},
		{
			"all but some",
			secret.Selection{Patterns: patterns("*"), Excluded: patterns("!svc-*")},
			[]int64{1, 2, 5},
			"", "",
		},
		{
			"an id that is excluded by name",
			secret.Selection{IDs: []int64{1, 2}, Excluded: patterns("!api")},
			[]int64{1},
			"", "",
		},
		{
			"an id that is excluded by pattern",
			secret.Selection{IDs: []int64{1, 3}, Excluded: patterns("!svc-*")},
			[]int64{1},
			"", "",
		},
		{
			"an exclusion without a match",
			secret.Selection{Names: []string{"web"}, Excluded: patterns("!nosuch")},
			[]int64{1},
			"!nosuch matches no repository", "",
		},
		{
			"a repository that is excluded by its former name",
			secret.Selection{Patterns: patterns("*"), Excluded: patterns("!homepage")},
			[]int64{1, 2, 3, 4},
			"", "",
		},
		{
			"a renamed repository that is selected and excluded",
			secret.Selection{Names: []string{"homepage", "web"}, Excluded: patterns("!site")},
			[]int64{1},
			"selected_repositories: homepage was renamed to acme/site", "",
		},
		{
			"an id without a visible name and a pattern",
			secret.Selection{IDs: []int64{1, 77}, Excluded: patterns("!*-internal")},
			nil, "", "exclusion !*-internal cannot be checked against repository 77",
		},
		{
			"an id without a visible name and an exclusion that is missing",
			secret.Selection{IDs: []int64{1, 77}, Excluded: patterns("!nosuch")},
			nil, "", "exclusion !nosuch cannot be checked against repository 77",
		},
		{
			"an id without a visible name and an exclusion that is another repository",
			secret.Selection{IDs: []int64{1, 77}, Excluded: patterns("!web")},
			[]int64{77},
			"", "",
		},
		{
			"ids with visible names and an exclusion that is missing",
			secret.Selection{IDs: []int64{1, 2}, Excluded: patterns("!nosuch")},
			[]int64{1, 2},
			"!nosuch matches no repository", "",
		},
		{
			"an exclusion that cannot be looked up",
			secret.Selection{Patterns: patterns("*"), Excluded: patterns("!broken")},
			nil, "", "selected_repositories: exclusion !broken: looking up repository acme/broken: 502",
		},
		{"a name that is missing", secret.Selection{Names: []string{"web", "typo", "other"}}, nil, "", "typo"},
		{
			"a pattern without a match",
			secret.Selection{Patterns: patterns("svc-*", "no-*")},
			nil, "", "no-* matches none of the 5 repositories",
		},
		{
			"everything is excluded",
			secret.Selection{Names: []string{"web"}, Excluded: patterns("!web")},
			nil, "", "the exclusions remove every selected repository",
		},
	} {
		ids, warnings, err := resolve(t.Context(), org, test.s)
		if !slices.Equal(ids, test.ids) {
			t.Errorf("%s: got %v, want %v", test.name, ids, test.ids)
		}
		if test.refused == "" {
			wantEqual(t, test.name+": error", err, nil)
		} else {
			wantError(t, test.name, err, test.refused)
		}
		if test.warning == "" {
			wantEqual(t, test.name+": warning", warnings, "")
		} else if !strings.Contains(warnings, test.warning) {
			t.Errorf("%s: got the warning %q, want %q", test.name, warnings, test.warning)
		}
	}
	_, _, err := resolve(t.Context(), org, secret.Selection{Names: []string{"typo", "other"}})
	want := "selected_repositories: looking up repository acme/typo: 404\nselected_repositories: looking up repository acme/other: 404"
	wantEqual(t, "every missing name, in order", err, want)
}

func resolve(ctx context.Context, org finder, s secret.Selection) (ids []int64, warnings string, err error) {
	r := resolver{github: org, selection: s, maxConcurrent: 8, log: func(string) {}, warn: func(text string) { warnings += text }}
	list, err := r.resolve(ctx)
	for _, repo := range list {
		ids = append(ids, repo.ID)
	}
	return ids, warnings, err
}

// TestProgress checks when a batch logs progress, and what.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines []string
		log := func(line string) { lines = append(lines, line) }
		count := progress(200, 80, log)
		for i := range 200 {
			result := secret.Result{Operation: secret.Created}
			if i == 9 {
				result.Operation = secret.Failed
			}
			count(result)
			time.Sleep(500 * time.Millisecond)
		}
		if len(lines) != 4 {
			t.Fatalf("%d lines in 100 seconds, want 4: %q", len(lines), lines)
		}
		if want := "40 of 200 done, 1 failed or unknown, 80 a minute, about 2 min left"; lines[0] != want {
			t.Errorf("the first line is %q, want %q", lines[0], want)
		}

		lines = nil
		count = progress(80, 80, log)
		for range 80 {
			count(secret.Result{})
			time.Sleep(time.Minute)
		}
		if len(lines) > 0 {
			t.Errorf("got %q for a batch within a minute's rate, want nothing", lines)
		}
	})
}
