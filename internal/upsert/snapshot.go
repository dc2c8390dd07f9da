package upsert

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"set-org-secret/internal/seal"
	"set-org-secret/internal/secret"
)

// maxSnapshotAge is how old a snapshot may be when its access is written back.
const maxSnapshotAge = time.Minute

// lock is a mutex; waiting for it ends if the context is cancelled.
type lock struct{ *semaphore.Weighted }

func newLock() lock { return lock{semaphore.NewWeighted(1)} }

func (l lock) acquire(ctx context.Context) error {
	if l.Acquire(ctx, 1) != nil {
		return errSkipped
	}
	return nil
}

func (l lock) release() { l.Release(1) }

// publicKeyCache caches the public key of one store.
type publicKeyCache struct {
	github GitHub
	store  secret.Store
	log    func(string)
	err    error // of the first fetch

	fetching lock
	mu       sync.Mutex
	key      seal.PublicKey
	// confirmed is when a fetch found the key of refused values unchanged, so that it is not why they were refused.
	confirmed map[refusal]time.Time
}

// refusal is why GitHub refused values that were sealed to a key.
type refusal struct{ keyID, text string }

// fetch fetches the key. fetched returns it, or the error, until writes begin.
func (c *publicKeyCache) fetch(ctx context.Context)        { _, c.err = c.newerThan(ctx, refusal{}) }
func (c *publicKeyCache) fetched() (seal.PublicKey, error) { return c.current(), c.err }

// current returns the key that was fetched last, or the zero key.
func (c *publicKeyCache) current() seal.PublicKey {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.key
}

// newerThan returns the key to use instead of one whose values GitHub refused, which is the same if that was not the
// reason. Concurrent callers share one fetch, and so do all with the same refusal within maxSnapshotAge.
func (c *publicKeyCache) newerThan(ctx context.Context, r refusal) (seal.PublicKey, error) {
	if err := c.fetching.acquire(ctx); err != nil {
		return seal.PublicKey{}, err
	}
	defer c.fetching.release()
	old := c.current()
	if at, ok := c.confirmed[r]; !old.IsZero() && (old.ID() != r.keyID || ok && time.Since(at) <= maxSnapshotAge) {
		return old, nil
	}
	sentAt := time.Now()
	key, err := c.github.PublicKey(ctx, c.store)
	if err != nil {
		return key, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.key = key
	switch {
	case !old.IsZero() && key != old:
		c.log(fmt.Sprintf("GitHub rotated the public key for %s secrets; values not stored yet are sealed "+
			"again with key %s", c.store, key.ID()))
	case key.ID() == r.keyID:
		if c.confirmed == nil {
			c.confirmed = map[refusal]time.Time{}
		}
		c.confirmed[r] = sentAt
	}
	return key, nil
}

// snapshotCache caches the existing secrets of one store. A snapshot older than maxSnapshotAge is read again.
type snapshotCache struct {
	github GitHub
	store  secret.Store
	// writesPerMinute is how many writes one list can serve.
	writesPerMinute int
	pending         atomic.Int64 // items that are not written yet
	selections      sync.Map     // of snapshot, by name: the selected repositories alone

	lock       lock
	byName     map[secret.Name]snapshot
	listedAt   time.Time // when the list of secrets was read; zero if it was not
	incomplete bool      // the list has more pages than items, or lacks secrets
}

// snapshot is a secret without its list of repositories. readAt is when the request was sent, so that its age is not
// underestimated.
type snapshot struct {
	existing secret.Existing
	readAt   time.Time
	// outdated snapshots are not used, and are kept only so that no earlier read replaces them.
	outdated bool
}

// get returns an existing secret with its list of repositories, and when the first part of that was read. If GitHub
// has no list, the secret is read again: its visibility has changed, or it was deleted.
func (c *snapshotCache) get(ctx context.Context, name secret.Name) (secret.Existing, time.Time, error) {
	for range maxReads {
		found, err := c.fetch(ctx, name)
		if err != nil {
			return found.existing, found.readAt, err
		}
		if found.existing.Access.Visibility != secret.Selected {
			return found.existing, found.readAt, nil
		}
		list, err := c.selection(ctx, name)
		switch {
		case errors.Is(err, secret.ErrNotFound), errors.Is(err, secret.ErrConflict):
			if err := c.forget(ctx, name); err != nil {
				return found.existing, found.readAt, err
			}
		case err != nil:
			return found.existing, found.readAt, err
		default:
			existing := found.existing
			existing.Access.Repositories, existing.Hidden = list.existing.Access.Repositories, list.existing.Hidden
			return existing, found.readAt, nil
		}
	}
	return secret.Existing{}, time.Time{}, &secret.Error{
		Problem: "the secret's access changed each time it was read", Hint: setExplicitly,
	}
}

// selection returns the selected repositories of a secret, at most maxSnapshotAge old.
func (c *snapshotCache) selection(ctx context.Context, name secret.Name) (list snapshot, err error) {
	if cached, ok := c.selections.Load(name); ok && time.Since(cached.(snapshot).readAt) <= maxSnapshotAge {
		return cached.(snapshot), nil
	}
	list.readAt = time.Now()
	existing := &list.existing
	existing.Access.Repositories, existing.Hidden, err = c.github.SelectedRepositories(ctx, c.store, name)
	if err == nil && len(existing.Access.Repositories) == 0 && existing.Hidden == 0 {
		err = c.confirmSelected(ctx, name)
	}
	if err == nil {
		c.selections.Store(name, list)
	}
	return list, err
}

// confirmSelected returns an error if a secret has no list of repositories. GitHub may return an empty list for such a
// secret.
func (c *snapshotCache) confirmSelected(ctx context.Context, name secret.Name) error {
	existing, err := c.github.Secret(ctx, c.store, name)
	switch {
	case err != nil:
		return err
	case !existing.Exists:
		return secret.ErrNotFound
	case existing.Access.Visibility != secret.Selected:
		return secret.ErrConflict
	}
	return nil
}

// forget makes the next get read a secret again.
func (c *snapshotCache) forget(ctx context.Context, name secret.Name) error {
	if err := c.lock.acquire(ctx); err != nil {
		return err
	}
	defer c.lock.release()
	c.selections.Delete(name)
	c.byName[name] = snapshot{readAt: time.Now(), outdated: true}
	return nil
}

// fetch returns one secret, from the cache if possible. It reads the secret alone, or the whole list if that takes
// fewer requests than one for each write within maxSnapshotAge. Only the read of the secret alone can say that it does
// not exist.
func (c *snapshotCache) fetch(ctx context.Context, name secret.Name) (snapshot, error) {
	found, ok, err := c.cachedOrListed(ctx, name)
	if err != nil || ok {
		return found, err
	}
	found = snapshot{readAt: time.Now()}
	if found.existing, err = c.github.Secret(ctx, c.store, name); err != nil {
		return found, err
	}
	if err := c.lock.acquire(ctx); err != nil {
		return found, err
	}
	defer c.lock.release()
	c.put(name, found)
	return found, nil
}

// cachedOrListed returns a snapshot from the cache, or from the list if that is worth reading. ok is false if neither
// has one.
func (c *snapshotCache) cachedOrListed(ctx context.Context, name secret.Name) (_ snapshot, ok bool, err error) {
	if err := c.lock.acquire(ctx); err != nil {
		return snapshot{}, false, err
	}
	defer c.lock.release() // concurrent callers wait for this list and use it
	if found, ok := c.cached(name); ok {
		return found, true, nil
	}
	soon := min(int(c.pending.Load()), c.writesPerMinute)
	if soon < 2 || c.incomplete || !c.listedAt.IsZero() && time.Since(c.listedAt) <= maxSnapshotAge {
		return snapshot{}, false, nil
	}
	at := time.Now()
	list, complete, err := c.github.Secrets(ctx, c.store, soon)
	if err != nil {
		return snapshot{}, false, err
	}
	c.listedAt, c.incomplete = at, !complete
	listed := map[secret.Name]bool{}
	for _, existing := range list {
		c.put(existing.Name, snapshot{existing: existing, readAt: at})
		listed[existing.Name] = true
	}
	for name := range c.byName {
		if complete && !listed[name] {
			c.put(name, snapshot{readAt: at, outdated: true}) // deleted since it was read
		}
	}
	found, ok := c.cached(name)
	return found, ok, nil
}

// put stores a snapshot unless a newer one is there. The caller holds the lock.
func (c *snapshotCache) put(name secret.Name, s snapshot) {
	if !s.readAt.Before(c.byName[name].readAt) {
		c.byName[name] = s
	}
}

// cached returns a snapshot that may be used. The caller holds the lock.
func (c *snapshotCache) cached(name secret.Name) (snapshot, bool) {
	found, ok := c.byName[name]
	return found, ok && !found.outdated && time.Since(found.readAt) <= maxSnapshotAge
}
