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

// stub is what a test makes of GitHub; what it leaves out answers well.
type stub struct {
	mu   sync.Mutex
	keys []seal.PublicKey // in turn, the last one for ever
	keyN int
	puts []put

	standing secret.Existing
	slow     time.Duration // a look takes this long
	answer   func(n int, p put) error
}

type put struct {
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

func (s *stub) PublicKey(context.Context, secret.Store) (seal.PublicKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keyN++
	return s.keys[min(s.keyN, len(s.keys))-1], nil
}

func (s *stub) Secret(context.Context, secret.Store, secret.Name) (secret.Existing, error) {
	time.Sleep(s.slow)
	if !s.standing.Exists {
		return secret.Existing{}, secret.ErrNotFound
	}
	return s.standing, nil
}

func (s *stub) Secrets(context.Context, secret.Store, int) ([]secret.Existing, bool, error) {
	return nil, true, nil
}

func (s *stub) SelectedRepositories(context.Context, secret.Store, secret.Name) ([]secret.Repository, int, error) {
	return s.standing.Access.Repositories, s.standing.Hidden, nil
}

func (s *stub) Put(ctx context.Context, _ secret.Store, name secret.Name, prepare func(context.Context) (seal.Sealed, secret.Access, error)) (bool, error) {
	sealed, access, err := prepare(ctx)
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	p := put{name, sealed, access}
	s.puts = append(s.puts, p)
	n := len(s.puts)
	s.mu.Unlock()
	if s.answer == nil {
		return !s.standing.Exists, nil
	}
	return !s.standing.Exists, s.answer(n, p)
}

func (s *stub) SetRepositories(ctx context.Context, _ secret.Store, _ secret.Name, prepare func(context.Context) (secret.Access, error)) error {
	_, err := prepare(ctx)
	return err
}

func items(n int) (list []Item) {
	for i := range n {
		list = append(list, Item{Store: secret.Actions, Name: secret.Name(fmt.Sprintf("S%d", i+1)), Value: secret.NewValue([]byte("Correct-Horse"))})
	}
	return list
}

func perform(ctx context.Context, s *stub, want Want, items []Item) []secret.Result {
	return Job{
		GitHub: s, Rand: rand.Reader, Items: items, Note: func(string) {},
		Resolve: func(context.Context) (Want, error) { return want, nil }, NeedsStanding: want.keeps(),
	}.Run(ctx)
}

// TestDecide has each access that can be asked for, against each that can stand.
func TestDecide(t *testing.T) {
	list := []secret.Repository{{ID: 1}, {ID: 2}}
	other := []secret.Repository{{ID: 3}}
	chosen := secret.Access{Visibility: secret.Selected, Repositories: list}
	stands := func(a secret.Access) secret.Existing { return secret.Existing{Exists: true, Access: a} }
	all, private := secret.Access{Visibility: secret.All}, secret.Access{Visibility: secret.Private}
	for _, test := range []struct {
		name     string
		want     Want
		standing secret.Existing
		access   secret.Access
		refused  string
	}{
		{"nothing asked, new", Want{}, secret.Existing{}, private, ""},
		{"nothing asked, all", Want{}, stands(all), all, ""},
		{"nothing asked, private", Want{}, stands(private), private, ""},
		{"nothing asked, selected", Want{}, stands(chosen), chosen, ""},
		{"nothing asked, an empty list", Want{}, stands(secret.Access{Visibility: secret.Selected}), secret.Access{Visibility: secret.Selected}, ""},
		{"nothing asked, some hidden", Want{}, secret.Existing{Exists: true, Access: chosen, Hidden: 1}, secret.Access{}, "GitHub counts 3 selected repositories and shows 2"},
		{"nothing asked, more than counted", Want{}, secret.Existing{Exists: true, Access: chosen, Hidden: -1}, secret.Access{}, "GitHub counts 1 selected repositories and shows 2"},
		{"all, selected", Want{Visibility: secret.All}, stands(chosen), all, ""},
		{"private, new", Want{Visibility: secret.Private}, secret.Existing{}, private, ""},
		{"selected without a list, new", Want{Visibility: secret.Selected}, secret.Existing{}, secret.Access{}, "does not exist yet"},
		{"selected without a list, private", Want{Visibility: secret.Selected}, stands(private), secret.Access{}, "the secret that stands is private"},
		{"selected without a list, selected", Want{Visibility: secret.Selected}, stands(chosen), chosen, ""},
		{"a list, new", Want{Visibility: secret.Selected, Replace: true, Repositories: other}, secret.Existing{}, secret.Access{Visibility: secret.Selected, Repositories: other}, ""},
		{"a list, selected", Want{Visibility: secret.Selected, Replace: true, Repositories: other}, stands(chosen), secret.Access{Visibility: secret.Selected, Repositories: other}, ""},
		{"a list, some hidden", Want{Visibility: secret.Selected, Replace: true, Repositories: other}, secret.Existing{Exists: true, Access: chosen, Hidden: 1}, secret.Access{Visibility: secret.Selected, Repositories: other}, ""},
		{"none, all", Want{Visibility: secret.Selected, Replace: true}, stands(all), secret.Access{Visibility: secret.Selected}, ""},
	} {
		access, err := test.want.decide(test.standing)
		if !reflect.DeepEqual(access, test.access) || (err != nil) != (test.refused != "") || err != nil && !strings.Contains(err.Error(), test.refused) {
			t.Errorf("%s: %+v, %v; want %+v, %q", test.name, access, err, test.access, test.refused)
		}
		if r := (*refusal)(nil); errors.As(err, &r) && r.Advice() == "" {
			t.Errorf("%s: refused without advice", test.name)
		}
	}
}

// TestResealsOnlyWhatWasRefused has a key that rotates in the middle of a batch.
func TestResealsOnlyWhatWasRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stub{keys: []seal.PublicKey{newKey(t, "1"), newKey(t, "2")}}
		s.answer = func(n int, p put) error {
			time.Sleep(time.Second)
			if n > 4 && p.sealed.KeyID == "1" {
				return secret.ErrUnprocessable
			}
			return nil
		}
		outcomes := perform(t.Context(), s, Want{Visibility: secret.All}, items(10))
		keys := ""
		for _, o := range outcomes {
			keys += o.KeyID
			if o.Operation != secret.Created || o.EncryptedValue != "" || o.Err != nil {
				t.Errorf("%s: %s, %v", o.Name, o.Operation, o.Err)
			}
		}
		if keys != "1111222222" || s.keyN != 2 || len(s.puts) != 16 {
			t.Errorf("stored with keys %s, %d key fetches, %d writes", keys, s.keyN, len(s.puts))
		}
	})
}

// TestResealsEnd has a server that tells another key after every write.
func TestResealsEnd(t *testing.T) {
	s := &stub{answer: func(int, put) error { return secret.ErrUnprocessable }}
	for i := range 20 {
		s.keys = append(s.keys, newKey(t, fmt.Sprint(i+1)))
	}
	outcomes := perform(t.Context(), s, Want{Visibility: secret.All}, items(1))
	if o := outcomes[0]; o.Operation != secret.Failed || !errors.Is(o.Err, secret.ErrUnprocessable) || o.EncryptedValue == "" || o.KeyID != "4" {
		t.Errorf("%s to key %s, %v", o.Operation, o.KeyID, o.Err)
	}
	if len(s.puts) != 1+maxReseals {
		t.Errorf("%d writes", len(s.puts))
	}
}

// TestTooSlowToKeep has a server so slow that what is read is out of date when it
// comes: it must not be written back.
func TestTooSlowToKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stub{keys: []seal.PublicKey{newKey(t, "1")}, slow: 2 * time.Minute, standing: secret.Existing{Exists: true, Access: secret.Access{Visibility: secret.All}}}
		o := perform(t.Context(), s, Want{}, items(1))[0]
		if o.Err == nil || o.Access.Visibility != "" || !strings.Contains(o.Err.Error(), "takes GitHub longer than a minute") || o.EncryptedValue == "" || len(s.puts) != 0 {
			t.Errorf("%s, %v, %d writes", o.Operation, o.Err, len(s.puts))
		}
	})
}

// TestOutcomes are in input order, whatever comes first, and hold nothing of the
// plaintext.
func TestOutcomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stub{keys: []seal.PublicKey{newKey(t, "1")}}
		s.answer = func(_ int, p put) error {
			if p.name == "S1" {
				time.Sleep(time.Hour)
			}
			if p.name == "S3" {
				return errors.New("refused")
			}
			if p.name == "S4" {
				return secret.ErrOutcomeUnknown
			}
			return nil
		}
		var told []secret.Name
		job := Job{
			GitHub: s, Rand: rand.Reader, Items: items(5), Note: func(string) {},
			Resolve: func(context.Context) (Want, error) { return Want{Visibility: secret.All}, nil },
			Told:    func(o secret.Result) { told = append(told, o.Name) },
		}
		var names []secret.Name
		var operations []secret.Operation
		outcomes := job.Run(t.Context())
		for _, o := range outcomes {
			names, operations = append(names, o.Name), append(operations, o.Operation)
			if stored := o.Operation == secret.Created; (o.EncryptedValue == "") != stored {
				t.Errorf("%s, %s: sealed value %q", o.Name, o.Operation, o.EncryptedValue)
			}
			if o.Access.Visibility != secret.All {
				t.Errorf("%s, %s: whoever finishes by hand would make it %q", o.Name, o.Operation, o.Access.Visibility)
			}
		}
		if !slices.Equal(names, []secret.Name{"S1", "S2", "S3", "S4", "S5"}) || told[len(told)-1] != "S1" {
			t.Errorf("outcomes %v, told %v", names, told)
		}
		if want := []secret.Operation{secret.Created, secret.Created, secret.Failed, secret.Unknown, secret.Created}; !slices.Equal(operations, want) {
			t.Errorf("%v, want %v", operations, want)
		}
		if strings.Contains(fmt.Sprintf("%+v %#v", outcomes, outcomes), "Horse") {
			t.Error("the plaintext is in an outcome")
		}
	})
}

// TestNotTried has a run that is told to end at its first write: what was asked
// for is known all the same to whoever finishes by hand.
func TestNotTried(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &stub{keys: []seal.PublicKey{newKey(t, "1")}}
	s.answer = func(int, put) error { cancel(); return secret.ErrInterrupted }
	want := Want{Visibility: secret.Selected, Replace: true, Repositories: []secret.Repository{{ID: 7}}}
	for _, o := range perform(ctx, s, want, items(10)) {
		if o.Operation != secret.Failed || o.EncryptedValue == "" || o.Access.Visibility != secret.Selected || !slices.Equal(o.Access.IDs(), []int64{7}) {
			t.Errorf("%s: %s, %+v", o.Name, o.Operation, o.Access)
		}
	}
}

// TestNoRandomness fails each item and writes nothing.
func TestNoRandomness(t *testing.T) {
	s := &stub{keys: []seal.PublicKey{newKey(t, "1")}}
	o := Job{
		GitHub: s, Rand: bytes.NewReader(nil), Items: items(1), Note: func(string) {},
		Resolve: func(context.Context) (Want, error) { return Want{Visibility: secret.All}, nil },
	}.Run(t.Context())[0]
	if o.Operation != secret.Failed || o.Err == nil || len(s.puts) != 0 {
		t.Errorf("%s, %v, %d writes", o.Operation, o.Err, len(s.puts))
	}
}

// finder is an organization's repositories.
type finder []secret.Repository

func (f finder) Repository(_ context.Context, name string) (secret.Repository, error) {
	for _, r := range f {
		if strings.EqualFold(bareName(r), name) {
			return r, nil
		}
	}
	return secret.Repository{}, secret.ErrNotFound
}

func (f finder) Repositories(context.Context) ([]secret.Repository, error) { return f, nil }

func TestResolve(t *testing.T) {
	org := finder{{ID: 1, FullName: "acme/web"}, {ID: 2, FullName: "acme/Api"}, {ID: 3, FullName: "acme/svc-one"}, {ID: 4, FullName: "acme/svc-two"}}
	pattern := func(text string) secret.Pattern {
		return secret.Pattern{Text: text, Glob: strings.TrimPrefix(text, "!")}
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
		{"a name and a pattern that has it", secret.Selection{Names: []string{"svc-two"}, Patterns: []secret.Pattern{pattern("svc-*")}}, []int64{4, 3}, "", ""},
		{"all but one", secret.Selection{Patterns: []secret.Pattern{pattern("*")}, Excluded: []secret.Pattern{pattern("!svc-*")}}, []int64{1, 2}, "", ""},
		{"an id that is left out by name", secret.Selection{IDs: []int64{1, 2}, Excluded: []secret.Pattern{pattern("!api")}}, []int64{1}, "", ""},
		{"an id that is left out by pattern", secret.Selection{IDs: []int64{1, 3}, Excluded: []secret.Pattern{pattern("!svc-*")}}, []int64{1}, "", ""},
		{"nothing is left out", secret.Selection{Names: []string{"web"}, Excluded: []secret.Pattern{pattern("!nosuch")}}, []int64{1}, "!nosuch leaves nothing out", ""},
		{"every name that is missing", secret.Selection{Names: []string{"web", "typo", "other"}}, nil, "", "typo"},
		{"a pattern without a match", secret.Selection{Patterns: []secret.Pattern{pattern("svc-*"), pattern("no-*")}}, nil, "", "no-* matches none of the 4 repositories"},
		{"everything is left out", secret.Selection{Names: []string{"web"}, Excluded: []secret.Pattern{pattern("!web")}}, nil, "", "left out again"},
	} {
		warnings := ""
		list, err := Resolve(t.Context(), org, test.s, func(string) {}, func(text string) { warnings += text })
		var ids []int64
		for _, r := range list {
			ids = append(ids, r.ID)
		}
		if !slices.Equal(ids, test.ids) || (err != nil) != (test.refused != "") || err != nil && !strings.Contains(err.Error(), test.refused) {
			t.Errorf("%s: %v, %v; want %v, %q", test.name, ids, err, test.ids, test.refused)
		}
		if (warnings != "") != (test.warning != "") || !strings.Contains(warnings, test.warning) {
			t.Errorf("%s: warned of %q, want %q", test.name, warnings, test.warning)
		}
	}
	_, err := Resolve(t.Context(), org, secret.Selection{Names: []string{"typo", "other"}}, func(string) {}, func(string) {})
	if text := fmt.Sprint(err); !strings.Contains(text, "typo") || !strings.Contains(text, "other") || strings.Index(text, "typo") > strings.Index(text, "other") {
		t.Errorf("not every missing name is told, in order: %v", err)
	}
}
