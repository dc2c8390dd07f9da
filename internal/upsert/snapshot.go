package upsert

import (
	"context"
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

	lock lock
	key  seal.PublicKey
	err  error
}

// fetch fetches the key. cached returns it, or the error, until writes begin.
func (c *publicKeyCache) fetch(ctx context.Context)       { _, c.err = c.newerThan(ctx, "") }
func (c *publicKeyCache) cached() (seal.PublicKey, error) { return c.key, c.err }

// newerThan returns the key to use instead of one whose values GitHub rejected. Concurrent callers share one fetch if
// it finds a new key.
func (c *publicKeyCache) newerThan(ctx context.Context, keyID string) (seal.PublicKey, error) {
	if err := c.lock.acquire(ctx); err != nil {
		return seal.PublicKey{}, err
	}
	defer c.lock.release()
	if !c.key.IsZero() && c.key.ID() != keyID {
		return c.key, nil
	}
	key, err := c.github.PublicKey(ctx, c.store)
	if err == nil {
		c.key = key
	}
	return key, err
}

// snapshotCache caches the existing secrets of one store. A snapshot older than maxSnapshotAge is read again.
type snapshotCache struct {
	github GitHub
	store  secret.Store
	// writesPerMinute is how many writes one list can serve.
	writesPerMinute int
	pending         atomic.Int64 // items that are not written yet
	lists           sync.Map     // of snapshot, by name: the selected repositories alone

	lock       lock
	byName     map[secret.Name]snapshot
	listedAt   time.Time // when the whole list was read; zero if it was not
	incomplete bool      // the list has more pages than items, or lacks secrets
}

// snapshot is a secret without its list of repositories. readAt is when the request was sent, so that its age is not
// underestimated.
type snapshot struct {
	existing secret.Existing
	readAt   time.Time
}

// get returns an existing secret with its list of repositories, and when the oldest part of that was read.
func (c *snapshotCache) get(ctx context.Context, name secret.Name) (secret.Existing, time.Time, error) {
	found, err := c.fetch(ctx, name)
	if err != nil || found.existing.Access.Visibility != secret.Selected {
		return found.existing, found.readAt, err
	}
	list, err := c.selected(ctx, name)
	found.existing.Access.Repositories, found.existing.Hidden = list.existing.Access.Repositories, list.existing.Hidden
	if list.readAt.Before(found.readAt) {
		found.readAt = list.readAt
	}
	return found.existing, found.readAt, err
}

func (c *snapshotCache) selected(ctx context.Context, name secret.Name) (list snapshot, err error) {
	if cached, ok := c.lists.Load(name); ok && time.Since(cached.(snapshot).readAt) <= maxSnapshotAge {
		return cached.(snapshot), nil
	}
	list.readAt = time.Now()
	existing := &list.existing
	existing.Access.Repositories, existing.Hidden, err = c.github.SelectedRepositories(ctx, c.store, name)
	if err == nil {
		c.lists.Store(name, list)
	}
	return list, err
}

// fetch returns one secret, from the cache if possible. It reads the secret alone, or the whole list if that takes
// fewer requests than one for each write within maxSnapshotAge.
func (c *snapshotCache) fetch(ctx context.Context, name secret.Name) (snapshot, error) {
	found, ok, err := c.cachedOrListed(ctx, name)
	if err != nil || ok {
		return found, err
	}
	found.readAt = time.Now()
	if found.existing, err = c.github.Secret(ctx, c.store, name); err != nil {
		return found, err
	}
	if err := c.lock.acquire(ctx); err != nil {
		return found, err
	}
	defer c.lock.release()
	if found.readAt.After(c.byName[name].readAt) { // the list may have been read meanwhile
		c.byName[name] = found
	}
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
	if soon < 2 || c.incomplete {
		return snapshot{}, false, nil
	}
	at := time.Now()
	list, complete, err := c.github.Secrets(ctx, c.store, soon)
	if err != nil {
		return snapshot{}, false, err
	}
	for _, existing := range list {
		c.byName[existing.Name] = snapshot{existing, at}
	}
	if c.incomplete = !complete; complete {
		c.listedAt = at
	}
	found, ok := c.cached(name)
	return found, ok, nil
}

func (c *snapshotCache) cached(name secret.Name) (snapshot, bool) {
	found, ok := c.byName[name]
	if ok && time.Since(found.readAt) <= maxSnapshotAge && !found.readAt.Before(c.listedAt) {
		return found, true
	}
	if !c.listedAt.IsZero() && time.Since(c.listedAt) <= maxSnapshotAge {
		return snapshot{existing: secret.Existing{Name: name}, readAt: c.listedAt}, true // not in the list
	}
	return snapshot{}, false
}
