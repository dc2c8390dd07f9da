package upsert

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"
	"time"

	"set-org-secret/internal/github"
	"set-org-secret/internal/seal"
	"set-org-secret/internal/secret"
)

// maxSnapshotAge is how old a snapshot may be when its access is written back.
const maxSnapshotAge = time.Minute

// forever is longer than any run. The zero time is longer ago, so that a snapshot never read is not fresh.
const forever = 100 * 365 * 24 * time.Hour

// lock is a mutex to hold during requests. It is a channel, since synctest's clock stops in a wait for a [sync.Mutex].
type lock chan struct{}

func (l lock) acquire() { l <- struct{}{} }

func (l lock) release() { <-l }

var (
	errInterrupted  = &secret.Error{Problem: "the run was interrupted", Is: []error{secret.ErrInterrupted}}
	errContradicted = &secret.Error{
		Problem: "GitHub showed the secret, and then returned 404 for it",
		Hint:    "See whether somebody has just deleted it.",
	}
)

type publicKeyCache struct {
	github *github.Client
	store  secret.Store
	log    func(string)
	err    error                          // of the first fetch
	key    atomic.Pointer[seal.PublicKey] // that was fetched last

	fetching lock
	// unchangedAt is when a fetch after a refusal found the key unchanged, so that the refusal has another reason.
	unchangedAt map[keyRefusal]time.Time
	refused     map[string]bool // by key id: GitHub could not decrypt a value that was sealed to that key
}

// keyRefusal is a 422 for values that were sealed to a key, with its reason.
type keyRefusal struct {
	keyID      string
	cannotOpen bool // GitHub could not decrypt them
}

// lagDelays are the waits before the fetches of a key: a copy of it may lag behind a rotation.
var lagDelays = []time.Duration{0, 2 * time.Second, 10 * time.Second}

func newPublicKeyCache(client *github.Client, store secret.Store, log func(string)) *publicKeyCache {
	c := &publicKeyCache{
		github: client, store: store, log: log, fetching: make(lock, 1), unchangedAt: map[keyRefusal]time.Time{},
		refused: map[string]bool{},
	}
	c.key.Store(&seal.PublicKey{})
	return c
}

func (c *publicKeyCache) fetch(ctx context.Context, b *github.Budget) {
	var key seal.PublicKey
	key, c.err = c.github.PublicKey(ctx, b, c.store)
	c.key.Store(&key)
}

// current returns the key, or the zero key.
func (c *publicKeyCache) current() seal.PublicKey { return *c.key.Load() }

// newerThan returns the key to use after a refusal: the same if the key was not the reason. Concurrent callers share
// one fetch, and so do all callers with the same refusal within maxSnapshotAge.
func (c *publicKeyCache) newerThan(ctx context.Context, b *github.Budget, r keyRefusal) (seal.PublicKey, error) {
	c.fetching.acquire()
	defer c.fetching.release()
	delays := lagDelays[:1]
	if r.cannotOpen {
		delays = lagDelays
		c.refused[r.keyID] = true
	}
	old, sentAt := c.current(), time.Now()
	if old.ID() != r.keyID || sentAt.Sub(c.unchangedAt[r]) <= maxSnapshotAge {
		return old, nil
	}
	for _, delay := range delays {
		github.Sleep(ctx, delay)
		key, err := c.github.PublicKey(ctx, b, c.store)
		if err != nil {
			return key, err
		}
		if key != old {
			c.key.Store(&key)
			c.log("GitHub rotated the public key for " + string(c.store) +
				" secrets; values not stored yet are sealed again")
			return key, nil
		}
	}
	c.unchangedAt[r] = sentAt
	return old, nil
}

// snapshotCache caches the existing secrets of one store.
type snapshotCache struct {
	github *github.Client
	store  secret.Store
	names  []secret.Name // of all items, in the order of their writes
	// optional says that writes can do without the snapshots: none becomes too old, and a failure can end all reads.
	optional bool
	maxAge   time.Duration
	// several is of reads of all secrets at once: if one takes the whole timeout to fail, the next would, too.
	secrets, several, lists reads

	lock     lock
	next     int                             // index of the first name that was not read yet
	byName   map[secret.Name]secret.Existing // with its list of repositories once that was needed
	lookedUp time.Time                       // when several were looked up at once; zero if they were not
}

func newSnapshotCache(client *github.Client, store secret.Store, optional bool) *snapshotCache {
	c := &snapshotCache{
		github: client, store: store, optional: optional, maxAge: maxSnapshotAge, lock: make(lock, 1),
		secrets: reads{tooLong: forever}, several: reads{tooLong: client.Timeout()}, lists: reads{tooLong: forever},
		byName: map[secret.Name]secret.Existing{},
	}
	if optional {
		c.maxAge, c.secrets.tooLong, c.lists.tooLong = forever, 0, time.Second
	}
	return c
}

// reads sends requests of one kind. After one that took at least tooLong to fail, it sends no other.
type reads struct {
	tooLong time.Duration
	failed  atomic.Pointer[error]
}

func (r *reads) send(request func() error) error {
	if err := r.failed.Load(); err != nil {
		return *err
	}
	start := time.Now()
	err := request()
	if err != nil && time.Since(start) >= r.tooLong {
		r.failed.Store(&err)
	}
	return err
}

// get returns a fresh snapshot with its list of repositories. If the list fails, it returns the rest with the error.
func (c *snapshotCache) get(ctx context.Context, b *github.Budget, name secret.Name) (secret.Existing, error) {
	if c.optional {
		b = b.Optional()
	}
	for range maxReads {
		shown, err := c.find(ctx, b, name)
		found := shown
		if err == nil && shown.Access.Visibility == secret.Selected && !shown.Listed {
			err = c.lists.send(func() (err error) {
				found, err = c.github.WithRepositories(ctx, b, c.store, shown)
				return err
			})
			err = cmp.Or(err, contradicts(shown, found))
		}
		if err != nil {
			return found, err
		}
		if c.put(found); c.isFresh(found.ReadAt) {
			return found, nil
		}
	}
	return secret.Existing{}, &secret.Error{
		Problem: "reading the current access took more than a minute, so it may be out of date",
		Hint:    "Set visibility and selected_repositories explicitly.",
	}
}

func (c *snapshotCache) find(ctx context.Context, b *github.Budget, name secret.Name) (secret.Existing, error) {
	cached, err := c.cached(ctx, b, name)
	if err != nil || c.isFresh(cached.ReadAt) {
		return cached, err
	}
	found, err := c.lookUp(ctx, b, name)
	return found[name], cmp.Or(err, contradicts(cached, found[name]))
}

// contradicts returns an error if GitHub showed a secret and now does not. Written as a new one, it would be private.
func contradicts(shown, now secret.Existing) error {
	if shown.Exists && !now.Exists {
		return errContradicted
	}
	return nil
}

func (c *snapshotCache) lookUp(ctx context.Context, b *github.Budget, names ...secret.Name) (github.Found, error) {
	var found github.Found
	err := c.secrets.send(func() (err error) {
		found, err = c.github.Lookup(ctx, b, c.store, names...)
		return err
	})
	return found, err
}

// cached returns a snapshot from the cache. If that is too old, it first looks up all secrets that are not written yet.
func (c *snapshotCache) cached(ctx context.Context, b *github.Budget, name secret.Name) (secret.Existing, error) {
	c.lock.acquire()
	defer c.lock.release()
	if c.isFresh(c.byName[name].ReadAt) || c.isFresh(c.lookedUp) {
		return c.byName[name], nil
	}
	soon := append([]secret.Name{name}, c.names[max(c.next, slices.Index(c.names, name)+1):]...)
	if len(soon) > 1 {
		at := time.Now()
		var found github.Found
		if err := c.several.send(func() (err error) {
			found, err = c.lookUp(ctx, b, soon...)
			return err
		}); err != nil {
			return secret.Existing{}, err
		}
		c.lookedUp = at
		for _, existing := range found {
			c.keep(existing)
		}
	}
	return c.byName[name], nil
}

func (c *snapshotCache) put(s secret.Existing) {
	c.lock.acquire()
	defer c.lock.release()
	c.keep(s)
	c.next = max(c.next, slices.Index(c.names, s.Name)+1)
}

// keep stores a snapshot unless a newer one is there. The caller holds the lock.
func (c *snapshotCache) keep(s secret.Existing) {
	if !s.ReadAt.Before(c.byName[s.Name].ReadAt) {
		c.byName[s.Name] = s
	}
}

func (c *snapshotCache) isFresh(readAt time.Time) bool { return time.Since(readAt) <= c.maxAge }
