package upsert

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/github"
	"set-org-secret/internal/secret"
)

func newCache(g *testGitHub, names ...secret.Name) *snapshotCache {
	cache := newSnapshotCache(g.client, secret.Actions, false)
	cache.names = names
	return cache
}

// TestSnapshotAge checks that a read that began earlier never replaces one that
// began later, and that a snapshot is used for a minute.
func TestSnapshotAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := func(v secret.Visibility, readAt time.Time) secret.Existing {
			return secret.Existing{Name: "A", Reading: secret.Reading{ReadAt: readAt}, Access: secret.Access{Visibility: v}}
		}
		cache := newSnapshotCache(&github.Client{}, secret.Actions, false)
		cache.keep(at(secret.Selected, time.Now().Add(time.Second)))
		cache.keep(at(secret.All, time.Now()))
		wantEqual(t, "visibility", cache.byName["A"].Access.Visibility, secret.Selected)
		readAt := time.Now()
		time.Sleep(maxSnapshotAge)
		wantEqual(t, "fresh for a minute", cache.isFresh(readAt), true)
		time.Sleep(time.Nanosecond)
		wantEqual(t, "fresh for more than a minute", cache.isFresh(readAt), false)
	})
}

// TestSnapshotReads checks which requests a snapshot takes, and that they are not
// sent again within a minute.
func TestSnapshotReads(t *testing.T) {
	secrets := func(list ...fakegithub.Secret) fakegithub.Org {
		for i := range list {
			list[i].Store = "actions"
		}
		return fakegithub.Org{Secrets: list, Repositories: []fakegithub.Repository{{ID: 1, Name: "web"}}}
	}
	selected := fakegithub.Secret{Name: "A", Visibility: "selected", Repositories: []string{"web"}}
	for _, test := range []struct {
		name  string
		org   fakegithub.Org
		names []secret.Name
		want  []string
	}{
		{"a secret", secrets(fakegithub.Secret{Name: "A", Visibility: "all"}), []secret.Name{"A"}, []string{"GET A 200"}},
		{"no secret", secrets(), []secret.Name{"A"}, []string{"GET A 404"}},
		{"selected", secrets(selected), []secret.Name{"A"}, []string{"GET A 200", "GET repositories 200"}},
		{
			"a list of one page decides on every name", secrets(selected),
			[]secret.Name{"A", "B", "C"},
			[]string{"GET secrets 200", "GET repositories 200"},
		},
		{
			"a new secret, and a list of two pages, read until two readings agree",
			fakegithub.Org{SecretCount: 101},
			[]secret.Name{"A", "B", "C", "S0101"},
			slices.Repeat([]string{"GET secrets 200"}, 4),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			withGitHub(t, test.org, func(t *testing.T, g *testGitHub) {
				cache := newCache(g, test.names...)
				for range 2 {
					for _, name := range test.names {
						got, err := cache.get(t.Context(), github.NewBudget(), name)
						wantEqual(t, string(name)+": error", err, nil)
						stored, exists := g.Secret("acme", "actions", string(name))
						wantEqual(t, string(name)+": exists", got.Exists, exists)
						wantEqual(t, string(name)+": visibility", got.Access.Visibility, stored.Visibility)
						wantEqual(t, string(name)+": repositories", len(got.Access.Repositories), len(stored.Repositories))
					}
				}
				wantEqual(t, "requests", g.received(), test.want)
				time.Sleep(maxSnapshotAge + time.Nanosecond)
				if _, err := cache.get(t.Context(), github.NewBudget(), test.names[0]); err != nil {
					t.Error(err)
				}
				wantEqual(t, "read again after a minute", len(g.received()) > len(test.want), true)
			})
		})
	}
}

// TestOptionalSnapshot reads a secret, and once more after a minute: an optional snapshot is not read again, nor after
// an error, unless that is one of the list that came at once.
func TestOptionalSnapshot(t *testing.T) {
	const none = "/none"
	org := fakegithub.Org{
		Repositories: []fakegithub.Repository{{ID: 1, Name: "web"}},
		Secrets:      []fakegithub.Secret{{Store: "actions", Name: "A", Visibility: "selected", Repositories: []string{"web"}}},
	}
	for _, test := range []struct {
		name     string
		optional bool
		path     string // gets 403
		delay    time.Duration
		want     []string
	}{
		{"required", false, none, 0, []string{"GET A 200", "GET repositories 200", "GET A 200", "GET repositories 200"}},
		{"required, and fails", false, "/A", time.Second, []string{"GET A 403", "GET A 403"}},
		{"optional", true, none, 0, []string{"GET A 200", "GET repositories 200"}},
		{"optional, and fails", true, "/A", 0, []string{"GET A 403"}},
		{
			"optional, with a list that fails", true, "/repositories", time.Second - time.Nanosecond,
			[]string{"GET A 200", "GET repositories 403", "GET A 200", "GET repositories 403"},
		},
		{
			"optional, with a list that fails late", true, "/repositories", time.Second,
			[]string{"GET A 200", "GET repositories 403", "GET A 200"},
		},
	} {
		withGitHub(t, org, func(t *testing.T, g *testGitHub) {
			g.AddFault(fakegithub.Fault{Path: test.path, Times: -1, Status: 403, Delay: fakegithub.Duration(test.delay)})
			cache := newSnapshotCache(g.client, secret.Actions, test.optional)
			cache.names = []secret.Name{"A"}
			for range 2 {
				_, err := cache.get(t.Context(), github.NewBudget(), "A")
				wantEqual(t, test.name+": failed", err != nil, test.path != none)
				time.Sleep(maxSnapshotAge + time.Nanosecond)
			}
			wantEqual(t, test.name+": requests", g.received(), test.want)
		})
	}
}

// TestSnapshotOfEmptyList checks that a list is read again if the read that confirms it came more than a minute later.
func TestSnapshotOfEmptyList(t *testing.T) {
	org := fakegithub.Org{Secrets: []fakegithub.Secret{{Store: "actions", Name: "A", Visibility: "selected"}}}
	withGitHub(t, org, func(t *testing.T, g *testGitHub) {
		g.AddFault(fakegithub.Fault{
			Method: "GET", Path: "/secrets/A", Status: 403, Headers: map[string]string{"Retry-After": "61"},
		})
		_, err := newCache(g, "A", "B").get(t.Context(), github.NewBudget(), "A")
		wantEqual(t, "error", err, nil)
		wantEqual(t, "requests", g.received(), []string{
			"GET secrets 200", "GET repositories 200", "GET A 403", "GET A 200",
			"GET secrets 200", "GET repositories 200", "GET A 200",
		})
	})
}

// TestSnapshotOfDeleted checks that a secret is missing from a second list that was
// on the first.
func TestSnapshotOfDeleted(t *testing.T) {
	org := fakegithub.Org{Secrets: []fakegithub.Secret{{Store: "actions", Name: "A", Visibility: "all"}}}
	withGitHub(t, org, func(t *testing.T, g *testGitHub) {
		cache := newCache(g, "A", "B", "C")
		for i, want := range []bool{true, false} {
			got, err := cache.get(t.Context(), github.NewBudget(), "A")
			wantEqual(t, "error", err, nil)
			wantEqual(t, "A exists", got.Exists, want)
			wantEqual(t, "lists", g.count("GET secrets"), i+1)
			g.DeleteSecret("acme", "actions", "A")
			time.Sleep(maxSnapshotAge + time.Nanosecond)
		}
	})
}

// TestSnapshotContradicted has a secret that gets 404 before the second attempt: it keeps
// its access, which as a new one it would lose.
func TestSnapshotContradicted(t *testing.T) {
	org := fakegithub.Org{Secrets: []fakegithub.Secret{{Store: "actions", Name: "S1", Visibility: "all"}}}
	withGitHub(t, org, func(t *testing.T, g *testGitHub) {
		g.AddFault(fakegithub.Fault{Method: "PUT", Path: "/S1", Status: 429, Headers: map[string]string{"Retry-After": "90"}})
		g.AddFault(fakegithub.Fault{Method: "GET", Path: "/S1", After: 1, Status: 404})
		wantError(t, "result", g.job(1, "").Run(t.Context())[0].Err, "GitHub showed the secret, and then returned 404 for it")
		wantEqual(t, "writes", g.count("PUT"), 1)
	})
}

// TestOneSlowWrite checks that a write that is retried for long reads its secret alone, when the others are written.
func TestOneSlowWrite(t *testing.T) {
	withGitHub(t, fakegithub.Org{SecretCount: 300}, func(t *testing.T, g *testGitHub) {
		g.AddFault(fakegithub.Fault{Method: "PUT", Path: "/S0001", Times: -1, Status: 503})
		j := g.job(6, "")
		for i := range j.Items {
			j.Items[i].Name = secret.Name(fmt.Sprintf("S%04d", i+1))
		}
		wantEqual(t, "operation", j.Run(t.Context())[0].Operation, secret.Failed)
		wantEqual(t, "pages of the list, read twice", g.count("GET secrets"), 2*3)
		wantEqual(t, "reads alone", g.count("GET S0001") > 2, true)
	})
}

// TestKeyFetches checks that a refusal for which the key is not the reason costs one
// fetch of the key, and that another reason, or a later time, costs another.
func TestKeyFetches(t *testing.T) {
	withGitHub(t, fakegithub.Org{}, func(t *testing.T, g *testGitHub) {
		cache := newPublicKeyCache(g.client, secret.Actions, g.log)
		cache.fetch(t.Context(), github.NewBudget())
		old, _ := g.Key("acme", "actions")
		check := func(what string, encrypted, rotated bool, fetches int) {
			t.Helper()
			got, err := cache.newerThan(t.Context(), github.NewBudget(), keyRefusal{old, encrypted})
			wantEqual(t, what+": error", err, nil)
			wantEqual(t, what+": another key", got.ID() != old, rotated)
			wantEqual(t, what+": fetches", g.count("GET public-key"), fetches)
		}
		check("refused", false, false, 2)
		check("refused again", false, false, 2)
		time.Sleep(maxSnapshotAge)
		check("refused within a minute", false, false, 2)
		time.Sleep(time.Nanosecond)
		check("refused after a minute", false, false, 3)
		g.RotateKey("acme", "actions")
		check("refused as encrypted after a rotation", true, true, 4)
		check("refused with the old key", false, true, 4)
		wantEqual(t, "lines about the rotation", len(g.logged), 1)
	})
}

// TestOptionalReadsStopNoWrite has a store whose secrets cannot be read, which takes
// most of the timeout, and whose writes then fail for a while: they have the rest of it.
func TestOptionalReadsStopNoWrite(t *testing.T) {
	withGitHub(t, fakegithub.Org{}, func(t *testing.T, g *testGitHub) {
		g.AddFault(fakegithub.Fault{Method: "GET", Path: "/secrets", Status: 502, Times: -1})
		g.AddFault(fakegithub.Fault{Method: "PUT", Path: "/S1", Status: 502, Times: -1})
		for _, name := range []string{"/S2", "/S3"} {
			g.AddFault(fakegithub.Fault{Method: "PUT", Path: name, Status: 502, Times: 4})
		}
		for _, r := range g.job(3, secret.All).Run(t.Context())[1:] {
			wantEqual(t, string(r.Name), r.Operation, secret.Created)
			wantEqual(t, string(r.Name)+": error", r.Err, nil)
		}
	})
}

// TestSignalInOptionalRead checks that a write is not sent after a signal that ends the
// read before it.
func TestSignalInOptionalRead(t *testing.T) {
	withGitHub(t, fakegithub.Org{}, func(t *testing.T, g *testGitHub) {
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
		defer cancel()
		g.AddFault(fakegithub.Fault{Method: "GET", Path: "/S2", Hang: "before", Times: -1})
		g.AddFault(fakegithub.Fault{Method: "GET", Path: "/secrets", Status: 200, Times: -1, Body: `{
			"total_count": 2, "secrets": [
			{"name": "S1", "visibility": "all", "created_at": "2000-01-01T00:00:00Z", "updated_at": "2000-01-01T00:00:00Z"}]}`})
		r := g.job(2, secret.All).Run(ctx)[1]
		wantEqual(t, "interrupted", errors.Is(r.Err, secret.ErrInterrupted), true)
		wantEqual(t, "saved", r.EncryptedValue != "", true)
		wantEqual(t, "attempts at the write", g.count("PUT S2"), 0)
	})
}

// TestListNeverAgrees has a list whose readings differ each time, since one of the
// secrets changes: the list is not read again for each secret of the batch.
func TestListNeverAgrees(t *testing.T) {
	withGitHub(t, fakegithub.Org{SecretCount: 101}, func(t *testing.T, g *testGitHub) {
		for i := range 200 { // each at the second page of a reading
			g.AddFault(fakegithub.Fault{
				Method: "GET", Path: "/secrets", After: i + 1, Change: &fakegithub.Secret{
					Store: "actions", Name: "S0001", Visibility: "private", UpdatedAt: time.Unix(int64(i), 0),
				},
			})
		}
		j := g.job(20, "")
		j.Items[19].Name = "S0001"
		j.Run(t.Context())
		wantEqual(t, "pages of the list", g.count("GET secrets"), 3*2)
	})
}
