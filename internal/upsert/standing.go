package upsert

import (
	"context"
	"errors"
	"time"

	"set-org-secret/internal/seal"
	"set-org-secret/internal/secret"
)

// lock is a mutex that a signal can end the wait for.
type lock chan struct{}

func newLock() lock { return make(lock, 1) }

func (l lock) acquire(ctx context.Context) error {
	select {
	case l <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errNotTried
	}
}

func (l lock) release() { <-l }

// keyring is the key of one store, fetched once and again when it changed.
type keyring struct {
	github GitHub
	store  secret.Store

	lock lock
	key  seal.PublicKey
	err  error
}

func (k *keyring) get(ctx context.Context) (seal.PublicKey, error) {
	if err := k.lock.acquire(ctx); err != nil {
		k.err = err
		return k.key, err
	}
	defer k.lock.release()
	k.key, k.err = k.github.PublicKey(ctx, k.store)
	return k.key, k.err
}

// known is the key that get found, before any write is under way.
func (k *keyring) known() (seal.PublicKey, error) { return k.key, k.err }

// after is the key to use after GitHub refused what was sealed to old. Many may
// ask at once; who finds a newer key already there does not fetch it again.
func (k *keyring) after(ctx context.Context, old seal.Sealed) (seal.PublicKey, error) {
	if err := k.lock.acquire(ctx); err != nil {
		return k.key, err
	}
	defer k.lock.release()
	if !k.key.IsZero() && k.key.ID() != old.KeyID {
		return k.key, nil
	}
	key, err := k.github.PublicKey(ctx, k.store)
	if err == nil {
		k.key, k.err = key, nil
	}
	return key, err
}

// shelf is what stands in one store, read again when it is older than a minute.
type shelf struct {
	github GitHub
	store  secret.Store

	lock    lock
	left    int // items that are not written yet
	seen    map[secret.Name]sighting
	wholeAt time.Time // when every secret was listed; zero where that was not worth it
	partial bool      // the list has more pages than there are items, or lacks some
	lists   map[secret.Name]selected
}

// sighting is one secret as it stood, without its list. The time is that of
// asking, so that nothing is thought younger than it is.
type sighting struct {
	standing secret.Existing
	at       time.Time
}

// selected is the list of one secret.
type selected struct {
	repositories []secret.Repository
	hidden       int
	at           time.Time
}

func newShelf(github GitHub, store secret.Store) *shelf {
	return &shelf{github: github, store: store, lock: newLock(), seen: map[secret.Name]sighting{}, lists: map[secret.Name]selected{}}
}

// wrote counts an item as done.
func (s *shelf) wrote() {
	s.lock <- struct{}{}
	defer s.lock.release()
	s.left--
}

// get tells what stands of a name, list of repositories included, and when the
// oldest part of that was read.
func (s *shelf) get(ctx context.Context, name secret.Name) (secret.Existing, time.Time, error) {
	found, err := s.look(ctx, name)
	if err != nil || found.standing.Access.Visibility != secret.Selected {
		return found.standing, found.at, err
	}
	list, err := s.selected(ctx, name)
	found.standing.Access.Repositories, found.standing.Hidden = list.repositories, list.hidden
	if list.at.Before(found.at) {
		found.at = list.at
	}
	return found.standing, found.at, err
}

func (s *shelf) selected(ctx context.Context, name secret.Name) (selected, error) {
	if err := s.lock.acquire(ctx); err != nil {
		return selected{}, err
	}
	list, ok := s.lists[name]
	s.lock.release()
	if ok && time.Since(list.at) <= fresh {
		return list, nil
	}
	var err error
	list.at = time.Now()
	if list.repositories, list.hidden, err = s.github.SelectedRepositories(ctx, s.store, name); err != nil {
		return list, err
	}
	if err := s.lock.acquire(ctx); err != nil {
		return list, err
	}
	defer s.lock.release()
	s.lists[name] = list
	return list, nil
}

// look asks for one secret, or for the whole list where that costs fewer
// requests than one for each that can be written before the list is too old.
func (s *shelf) look(ctx context.Context, name secret.Name) (sighting, error) {
	known, err := s.listed(ctx, name)
	if err != nil || !known.at.IsZero() {
		return known, err
	}
	known.at = time.Now()
	known.standing, err = s.github.Secret(ctx, s.store, name)
	if err != nil && !errors.Is(err, secret.ErrNotFound) {
		return known, err
	}
	if err := s.lock.acquire(ctx); err != nil {
		return known, err
	}
	defer s.lock.release()
	s.seen[name] = known
	return known, nil
}

// listed answers from what was read less than a minute ago, or from the list if
// it is worth reading; the time is zero where neither tells.
func (s *shelf) listed(ctx context.Context, name secret.Name) (sighting, error) {
	if err := s.lock.acquire(ctx); err != nil {
		return sighting{}, err
	}
	defer s.lock.release() // others that want the list wait for this one
	if known, ok := s.recent(name); ok {
		return known, nil
	}
	const writesWhileFresh = 80
	soon := min(s.left, writesWhileFresh)
	if soon < 2 || s.partial {
		return sighting{}, nil
	}
	at := time.Now()
	list, complete, err := s.github.Secrets(ctx, s.store, soon)
	if err != nil {
		return sighting{}, err
	}
	for _, standing := range list {
		s.seen[standing.Name] = sighting{standing, at}
	}
	if s.partial = !complete; complete {
		s.wholeAt = at
	}
	known, _ := s.recent(name)
	return known, nil
}

func (s *shelf) recent(name secret.Name) (sighting, bool) {
	if known, ok := s.seen[name]; ok && time.Since(known.at) <= fresh && !known.at.Before(s.wholeAt) {
		return known, true
	}
	if !s.wholeAt.IsZero() && time.Since(s.wholeAt) <= fresh {
		return sighting{at: s.wholeAt}, true // the list does not have it
	}
	return sighting{}, false
}
