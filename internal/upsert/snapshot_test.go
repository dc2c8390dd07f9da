package upsert

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"set-org-secret/internal/seal"
	"set-org-secret/internal/secret"
)

// scriptedClient is a fakeClient whose reads a test scripts. It logs each read.
type scriptedClient struct {
	fakeClient
	secret   func(n int) secret.Existing // n counts the reads of a secret alone, from 1
	selected func(n int) ([]secret.Repository, error)
	list     func(n int) (list []secret.Existing, complete bool)
	log      []string
}

func (c *scriptedClient) Secret(context.Context, secret.Store, secret.Name) (secret.Existing, error) {
	c.log = append(c.log, "secret")
	return c.secret(c.count("secret")), nil
}

func (c *scriptedClient) SelectedRepositories(context.Context, secret.Store, secret.Name) ([]secret.Repository, int, error) {
	c.log = append(c.log, "selected")
	list, err := c.selected(c.count("selected"))
	return list, 0, err
}

func (c *scriptedClient) Secrets(context.Context, secret.Store, int) ([]secret.Existing, bool, error) {
	c.log = append(c.log, "list")
	list, complete := c.list(c.count("list"))
	return list, complete, nil
}

func (c *scriptedClient) count(what string) (n int) {
	for _, read := range c.log {
		if read == what {
			n++
		}
	}
	return n
}

func newSnapshotCache(c *scriptedClient, pending int64) *snapshotCache {
	cache := &snapshotCache{github: c, store: secret.Actions, writesPerMinute: 80, lock: newLock(), byName: map[secret.Name]snapshot{}}
	cache.pending.Store(pending)
	return cache
}

func existing(v secret.Visibility) secret.Existing {
	return secret.Existing{Name: "A", Exists: true, Access: secret.Access{Visibility: v}}
}

// TestSnapshotAge checks that a read that began earlier never replaces one that
// began later, and that a snapshot is used for a minute.
func TestSnapshotAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cache := newSnapshotCache(&scriptedClient{}, 1)
		start := time.Now()
		cache.put("A", snapshot{existing: existing(secret.Selected), readAt: start.Add(time.Second)})
		cache.put("A", snapshot{existing: existing(secret.All), readAt: start})
		time.Sleep(maxSnapshotAge + time.Second)
		got, ok := cache.cached("A")
		wantEqual(t, "cached for a minute", ok, true)
		wantEqual(t, "visibility", got.existing.Access.Visibility, secret.Selected)
		time.Sleep(time.Nanosecond)
		_, ok = cache.cached("A")
		wantEqual(t, "cached for more than a minute", ok, false)
	})
}

// TestSnapshotReads checks which reads a snapshot takes, and what it is.
func TestSnapshotReads(t *testing.T) {
	web := []secret.Repository{{ID: 1, FullName: "acme/web"}}
	secrets := func(visibilities ...secret.Visibility) func(int) secret.Existing {
		return func(n int) secret.Existing {
			if v := visibilities[min(n, len(visibilities))-1]; v != "" {
				return existing(v)
			}
			return secret.Existing{Name: "A"}
		}
	}
	selected := func(lists ...any) func(int) ([]secret.Repository, error) {
		return func(n int) ([]secret.Repository, error) {
			switch v := lists[min(n, len(lists))-1].(type) {
			case error:
				return nil, v
			case []secret.Repository:
				return v, nil
			}
			return nil, nil
		}
	}
	nobody := []secret.Repository{}
	for _, test := range []struct {
		name    string
		client  *scriptedClient
		reads   []string
		want    secret.Visibility // "" if the secret does not exist
		list    []secret.Repository
		refused string
	}{
		{"a secret", &scriptedClient{secret: secrets(secret.All)}, []string{"secret"}, secret.All, nil, ""},
		{"no secret", &scriptedClient{secret: secrets("")}, []string{"secret"}, "", nil, ""},
		{
			"selected", &scriptedClient{secret: secrets(secret.Selected), selected: selected(web)},
			[]string{"secret", "selected"},
			secret.Selected, web, "",
		},
		{
			"no longer selected when its list is read",
			&scriptedClient{secret: secrets(secret.Selected, secret.All), selected: selected(secret.ErrConflict)},
			[]string{"secret", "selected", "secret"},
			secret.All, nil, "",
		},
		{
			"deleted when its list is read",
			&scriptedClient{secret: secrets(secret.Selected, ""), selected: selected(secret.ErrNotFound)},
			[]string{"secret", "selected", "secret"},
			"", nil, "",
		},
		{
			"deleted and created again when its list is read",
			&scriptedClient{secret: secrets(secret.Selected), selected: selected(secret.ErrNotFound, web)},
			[]string{"secret", "selected", "secret", "selected"},
			secret.Selected, web, "",
		},
		{
			"an empty list", &scriptedClient{secret: secrets(secret.Selected), selected: selected(nobody)},
			[]string{"secret", "selected", "secret"},
			secret.Selected, nobody, "",
		},
		{
			"an empty list of a secret that is no longer selected",
			&scriptedClient{secret: secrets(secret.Selected, secret.Private), selected: selected(nobody)},
			[]string{"secret", "selected", "secret", "secret"},
			secret.Private, nil, "",
		},
		{
			"an empty list of a secret that was deleted",
			&scriptedClient{secret: secrets(secret.Selected, ""), selected: selected(nobody)},
			[]string{"secret", "selected", "secret", "secret"},
			"", nil, "",
		},
		{
			"another access each time", &scriptedClient{secret: secrets(secret.Selected), selected: selected(secret.ErrConflict)},
			[]string{"secret", "selected", "secret", "selected", "secret", "selected"},
			"", nil, "changed each time it was read",
		},
	} {
		got, _, err := newSnapshotCache(test.client, 1).get(t.Context(), "A")
		if test.refused != "" {
			wantError(t, test.name, err, test.refused)
		} else {
			wantEqual(t, test.name+": error", err, nil)
		}
		wantEqual(t, test.name+": reads", test.client.log, test.reads)
		wantEqual(t, test.name+": visibility", got.Access.Visibility, test.want)
		wantEqual(t, test.name+": exists", got.Exists, test.want != "")
		wantEqual(t, test.name+": repositories", got.Access.Repositories, test.list)
	}
}

// TestSnapshotOfList checks what a list of secrets proves: that those in it exist.
// One that it lacks is read alone, also if an earlier read has found it.
func TestSnapshotOfList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := &scriptedClient{
			secret: func(int) secret.Existing { return secret.Existing{Name: "A"} },
			list: func(n int) ([]secret.Existing, bool) {
				if n == 1 {
					return []secret.Existing{existing(secret.All)}, true
				}
				return nil, true
			},
		}
		cache := newSnapshotCache(client, 3)
		get := func(name secret.Name) bool {
			got, _, err := cache.get(t.Context(), name)
			wantEqual(t, string(name)+": error", err, nil)
			return got.Exists
		}
		wantEqual(t, "A exists", get("A"), true)
		wantEqual(t, "A exists, from the cache", get("A"), true)
		wantEqual(t, "B exists", get("B"), false)
		wantEqual(t, "reads", client.log, []string{"list", "secret"})
		time.Sleep(maxSnapshotAge + time.Nanosecond)
		cache.put("A", snapshot{existing: existing(secret.All), readAt: time.Now().Add(-time.Second)})
		wantEqual(t, "B exists", get("B"), false)
		wantEqual(t, "A exists, which the second list lacks", get("A"), false)
		wantEqual(t, "reads", client.log, []string{"list", "secret", "list", "secret", "secret"})
	})
}

// TestKeyFetches checks that a refusal for which the key is not the reason costs one
// fetch of the key, and that another reason, or a later time, costs another.
func TestKeyFetches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := &fakeClient{keys: []seal.PublicKey{newKey(t, "1")}}
		var logged []string
		cache := &publicKeyCache{
			github: client, store: secret.Actions, fetching: newLock(), log: func(line string) { logged = append(logged, line) },
		}
		cache.fetch(t.Context())
		check := func(what string, r refusal, key string, fetches int) {
			t.Helper()
			got, err := cache.newerThan(t.Context(), r)
			wantEqual(t, what+": error", err, nil)
			wantEqual(t, what+": key", got.ID(), key)
			wantEqual(t, what+": fetches", client.keyN, fetches)
		}
		check("refused", refusal{"1", "422 a"}, "1", 2)
		check("refused again", refusal{"1", "422 a"}, "1", 2)
		check("refused for another reason", refusal{"1", "422 b"}, "1", 3)
		time.Sleep(maxSnapshotAge)
		check("refused within a minute", refusal{"1", "422 a"}, "1", 3)
		time.Sleep(time.Nanosecond)
		check("refused after a minute", refusal{"1", "422 a"}, "1", 4)
		client.keys = append(client.keys, slices.Repeat([]seal.PublicKey{newKey(t, "2")}, 9)...)
		check("refused for another reason after a rotation", refusal{"1", "422 c"}, "2", 5)
		check("refused with the old key", refusal{"1", "422 a"}, "2", 5)
		wantEqual(t, "lines about the rotation", len(logged), 1)
	})
}
