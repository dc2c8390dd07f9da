package upsert

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/github"
	"set-org-secret/internal/memnet"
	"set-org-secret/internal/seal"
	"set-org-secret/internal/secret"
)

// testGitHub is a client and the GitHub that serves it, in one bubble of simulated time.
type testGitHub struct {
	*fakegithub.Server
	client *github.Client

	mu     sync.Mutex
	logged []string
}

// withGitHub runs f in a bubble of simulated time, with an organization acme.
func withGitHub(t *testing.T, acme fakegithub.Org, f func(t *testing.T, g *testGitHub)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		acme.Login = "acme"
		server, err := fakegithub.New(fakegithub.World{Orgs: []fakegithub.Org{acme}})
		if err != nil {
			t.Fatal(err)
		}
		g := &testGitHub{Server: server}
		network := memnet.Serve(server)
		defer network.Close()
		g.client = github.New(github.Options{
			Org: "acme", BaseURL: &url.URL{Scheme: "http", Host: "127.0.0.1", Path: "/"}, Token: "ghp_test",
			UserAgent: "test", Timeout: 5 * time.Minute, Log: g.log, Network: github.Network{Dial: network.Dial},
			Jitter: func() float64 { return 0 },
		})
		defer g.client.Close()
		f(t, g)
	})
}

func (g *testGitHub) log(line string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.logged = append(g.logged, line)
}

// job stores n values.
func (g *testGitHub) job(n int, visibility secret.Visibility) Job {
	j := Job{GitHub: g.client, Rand: rand.Reader, Visibility: visibility, Log: g.log, Warn: g.log, OnResult: func(secret.Result) {}}
	for i := range n {
		j.Items = append(j.Items, Item{
			Store: secret.Actions, Name: secret.Name(fmt.Sprintf("S%d", i+1)),
			Value: secret.NewValue([]byte("Correct-Horse")),
		})
	}
	return j
}

// received returns "METHOD STATUS" and the last part of the path of each request, in order.
func (g *testGitHub) received() (list []string) {
	for _, r := range g.Requests() {
		path, _, _ := strings.Cut(r.Path, "?")
		list = append(list, fmt.Sprintf("%s %s %d", r.Method, path[strings.LastIndex(path, "/")+1:], r.Status))
	}
	return list
}

// count returns how many requests begin with a text.
func (g *testGitHub) count(prefix string) (n int) {
	for _, r := range g.received() {
		if strings.HasPrefix(r, prefix) {
			n++
		}
	}
	return n
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
	selected := secret.Access{Visibility: secret.Selected}
	asked := secret.Access{Visibility: secret.Selected, Repositories: []secret.Repository{{ID: 3}}}
	chosen := secret.Access{Visibility: secret.Selected, Repositories: list}
	existing := func(a secret.Access) secret.Existing { return secret.Existing{Exists: true, Access: a} }
	all, private := secret.Access{Visibility: secret.All}, secret.Access{Visibility: secret.Private}
	for _, test := range []struct {
		name     string
		desired  desired
		existing secret.Existing
		access   secret.Access
		rejected string
	}{
		{"nothing asked, new", desired{}, secret.Existing{}, private, ""},
		{"nothing asked, all", desired{}, existing(all), all, ""},
		{"nothing asked, private", desired{}, existing(private), private, ""},
		{"nothing asked, selected", desired{}, existing(chosen), chosen, ""},
		{"nothing asked, an empty list", desired{}, existing(secret.Access{Visibility: secret.Selected}), selected, ""},
		{"nothing asked, some not visible", desired{}, secret.Existing{Exists: true, Access: chosen, Hidden: 1}, secret.Access{}, "the token can see only 2 of 3 selected repositories"},
		{"nothing asked, more than counted", desired{}, secret.Existing{Exists: true, Access: chosen, Hidden: -1}, secret.Access{}, "the token can see only 2 of 1 selected repositories"},
		{"all, selected", desired{Access: all}, existing(chosen), all, ""},
		{"private, new", desired{Access: private}, secret.Existing{}, private, ""},
		{"selected without a list, new", desired{keepsList: true}, secret.Existing{}, secret.Access{}, "the secret has none yet"},
		{"selected without a list, private", desired{keepsList: true}, existing(private), secret.Access{}, "the secret has none yet"},
		{"selected without a list, selected", desired{keepsList: true}, existing(chosen), chosen, ""},
		{"a list, new", desired{Access: asked}, secret.Existing{}, asked, ""},
		{"a list, selected", desired{Access: asked}, existing(chosen), asked, ""},
		{"a list, some not visible", desired{Access: asked}, secret.Existing{Exists: true, Access: chosen, Hidden: 1}, asked, ""},
		{
			"a glob, some not visible",
			desired{Access: asked, hasGlob: true},
			secret.Existing{Exists: true, Access: chosen, Hidden: 1},
			secret.Access{},
			"the token can see only 2 of 3 selected repositories, and a glob may mean the others",
		},
		{"a glob, all visible", desired{Access: asked, hasGlob: true}, existing(chosen), asked, ""},
		{"none, all", desired{Access: selected}, existing(all), selected, ""},
	} {
		access, err := test.desired.accessFor(test.existing)
		if !reflect.DeepEqual(access, test.access) {
			t.Errorf("%s: got %+v, want %+v", test.name, access, test.access)
		}
		if test.rejected == "" {
			if err != nil {
				t.Errorf("%s: got the error %v, want none", test.name, err)
			}
			continue
		}
		wantError(t, test.name, err, test.rejected)
		if e, ok := errors.AsType[*secret.Error](err); ok && e.Hint == "" {
			t.Errorf("%s: the error %v has no hint", test.name, err)
		}
	}
}

// TestReseal rotates the key in the middle of a batch: at most the values that are
// under way are refused, and those not sent yet are sealed to the new key first.
func TestReseal(t *testing.T) {
	withGitHub(t, fakegithub.Org{}, func(t *testing.T, g *testGitHub) {
		old, _ := g.Key("acme", "actions")
		g.AddFault(fakegithub.Fault{Method: "PUT", Path: "*", After: 4, RotateKey: true, Delay: fakegithub.Duration(999 * time.Millisecond)})
		g.AddFault(fakegithub.Fault{Method: "PUT", Path: "*", Times: -1, Delay: fakegithub.Duration(time.Second)})
		var withOld int
		for _, r := range g.job(20, secret.All).Run(t.Context()) {
			wantEqual(t, string(r.Name), r.Operation, secret.Created)
			wantEqual(t, string(r.Name)+": error", r.Err, nil)
			wantEqual(t, string(r.Name)+": sealed value after it was stored", r.EncryptedValue, "")
			if r.KeyID == old {
				withOld++
			}
		}
		wantEqual(t, "values stored with the old key", withOld, 4)
		wantEqual(t, "fetches of the key", g.count("GET public-key"), 2)
		wantEqual(t, "attempts", g.count("PUT"), 20+4)
	})
}

// TestResealLimit has a server that rotates its key before each write.
func TestResealLimit(t *testing.T) {
	withGitHub(t, fakegithub.Org{}, func(t *testing.T, g *testGitHub) {
		g.AddFault(fakegithub.Fault{Method: "PUT", Path: "*", Times: -1, RotateKey: true})
		r := g.job(1, secret.All).Run(t.Context())[0]
		wantEqual(t, "operation", r.Operation, secret.Failed)
		wantEqual(t, "error is a 422", errors.Is(r.Err, secret.ErrUnprocessable), true)
		wantEqual(t, "saved", r.EncryptedValue != "", true)
		wantEqual(t, "attempts", g.count("PUT"), 1+maxReseals)
	})
}

// TestSnapshotTooOld has a server so slow that a snapshot is out of date when it
// arrives: it must not be written back.
func TestSnapshotTooOld(t *testing.T) {
	org := fakegithub.Org{RepositoryCount: 201}
	existing := fakegithub.Secret{Store: "actions", Name: "S1", Visibility: "selected"}
	for i := range org.RepositoryCount {
		existing.Repositories = append(existing.Repositories, fmt.Sprintf("repo-%04d", i+1))
	}
	org.Secrets = append(org.Secrets, existing)
	withGitHub(t, org, func(t *testing.T, g *testGitHub) {
		// The secret, the first page of its list and the others take 29 s each.
		g.AddFault(fakegithub.Fault{Method: "GET", Path: "*", Times: -1, Delay: fakegithub.Duration(29 * time.Second)})
		r := g.job(1, "").Run(t.Context())[0]
		wantError(t, "result", r.Err, "took more than a minute")
		wantEqual(t, "visibility, which is not known", r.Access.Visibility, "")
		wantEqual(t, "saved", r.EncryptedValue != "", true)
		wantEqual(t, "attempts at a write", g.count("PUT"), 0)
	})
}

// TestSealTo checks when a value is sealed again: for a key of another id or of other bytes. One that was given sealed
// cannot be.
func TestSealTo(t *testing.T) {
	newKey := func(id string) seal.PublicKey {
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
	first, sameID, other := newKey("1"), newKey("1"), newKey("2")
	v := &value{executor: &executor{Job: Job{Rand: rand.Reader}}, item: Item{Value: secret.NewValue([]byte("Horse"))}}
	for _, key := range []seal.PublicKey{first, sameID, other} {
		wantEqual(t, "error", v.sealTo(key), nil)
		wantEqual(t, "key", v.sealed.KeyID+v.sealed.PublicKey, key.ID()+key.Base64())
		sealed := v.sealed
		wantEqual(t, "error, of the same key", v.sealTo(key), nil)
		wantEqual(t, "sealed again to the same key", v.sealed != sealed, false)
	}
	given := &value{executor: v.executor, item: Item{Sealed: v.sealed}, sealed: v.sealed}
	wantEqual(t, "error of a value that was given", given.sealTo(other), nil)
	wantError(t, "another key with the id", given.sealTo(newKey("2")), "a key that is not GitHub's")
	given.sealed.PublicKey = ""
	wantEqual(t, "error of a value that was given without its key", given.sealTo(newKey("2")), nil)
	wantError(t, "another id", given.sealTo(first), "the value is sealed with key 2, but the current key")
}

// TestStoredItems checks that a value that an earlier run stored costs no request.
func TestStoredItems(t *testing.T) {
	withGitHub(t, fakegithub.Org{}, func(t *testing.T, g *testGitHub) {
		j := g.job(2, "")
		j.Items[1] = Item{Store: secret.Actions, Name: "S2", Done: true}
		results := j.Run(t.Context())
		wantEqual(t, "operation", results[1].Operation, secret.Skipped)
		wantEqual(t, "list of secrets", g.count("GET secrets"), 0)
		wantEqual(t, "requests", len(g.received()), 3)
	})
}

// TestResults checks that results are in input order, whichever completes first,
// and hold nothing of the plaintext.
func TestResults(t *testing.T) {
	withGitHub(t, fakegithub.Org{}, func(t *testing.T, g *testGitHub) {
		g.AddFault(fakegithub.Fault{Method: "PUT", Path: "/S1", Delay: fakegithub.Duration(20 * time.Second)})
		g.AddFault(fakegithub.Fault{Method: "PUT", Path: "/S3", Status: 403})
		g.AddFault(fakegithub.Fault{Method: "PUT", Path: "/S4", Status: 400, Headers: map[string]string{"X-GitHub-Request-Id": ""}})
		g.AddFault(fakegithub.Fault{Method: "GET", Path: "/secrets", After: 1, Status: 403})
		var completed []secret.Name
		j := g.job(5, secret.All)
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
	withGitHub(t, fakegithub.Org{}, func(t *testing.T, g *testGitHub) {
		ctx, cancel := context.WithCancel(t.Context())
		g.AddFault(fakegithub.Fault{Method: "PUT", Path: "*", Times: -1, Hook: cancel, Status: 503})
		j := g.job(10, secret.Selected)
		j.Selection = &secret.Selection{IDs: []int64{7}}
		for _, r := range j.Run(ctx) {
			wantEqual(t, string(r.Name)+": failed", r.Failed(), true)
			wantEqual(t, string(r.Name)+": saved", r.EncryptedValue != "", true)
			wantEqual(t, string(r.Name)+": visibility", r.Access.Visibility, secret.Selected)
			wantEqual(t, string(r.Name)+": repositories", r.Access.IDs(), []int64{7})
		}
	})
}

// TestNoRandomness fails each item and writes nothing.
func TestNoRandomness(t *testing.T) {
	withGitHub(t, fakegithub.Org{}, func(t *testing.T, g *testGitHub) {
		j := g.job(1, secret.All)
		j.Rand = bytes.NewReader(nil)
		r := j.Run(t.Context())[0]
		wantEqual(t, "operation", r.Operation, secret.Failed)
		wantError(t, "result", r.Err, "EOF")
		wantEqual(t, "attempts at a write", g.count("PUT"), 0)
	})
}
