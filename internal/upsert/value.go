package upsert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"set-org-secret/internal/github"
	"set-org-secret/internal/seal"
	"set-org-secret/internal/secret"
)

type value struct {
	*executor
	item    Item
	sealed  secret.Sealed
	reseals int
}

// next plans the write, based on a snapshot. If access is given, a snapshot that cannot be read does not matter.
func (v *value) next(ctx context.Context, b *github.Budget) (p plan, err error) {
	p.before, err = v.snapshots[v.item.Store].get(ctx, b, v.item.Name)
	if err != nil {
		if !v.snapshots[v.item.Store].optional || errors.Is(err, secret.ErrInterrupted) {
			return p, err
		}
		p.before.Err = err
	}
	if p.access, err = v.desired.accessFor(p.before); err != nil {
		return p, err
	}
	if !v.item.isGiven() { // GitHub would refuse a value sealed to an outdated key
		if err = v.sealTo(v.keys[v.item.Store].current()); err != nil {
			return p, err
		}
	}
	p.request = v.GitHub.PutSecret(v.item.Store, v.item.Name, v.sealed, p.access)
	return p, nil
}

// prepare seals the value to the key that was fetched. The key of a given value is only compared.
func (v *value) prepare() error {
	keys := v.keys[v.item.Store]
	if keys.err != nil {
		return keys.err
	}
	key := keys.current()
	if v.item.isGiven() && key.ID() != v.sealed.KeyID && !v.DryRun {
		return nil // GitHub decides: the key that was read may be an older one
	}
	return v.sealTo(key)
}

// sealTo seals the value unless it is sealed to that key already. The key of a given value is only compared.
func (v *value) sealTo(key seal.PublicKey) error {
	if v.item.isGiven() {
		return v.checkKey(key)
	}
	if v.sealed.KeyID == key.ID() && v.sealed.PublicKey == key.Base64() {
		return nil
	}
	sealed, err := seal.Seal(v.Rand, key, v.item.Value)
	if err == nil {
		v.sealed = sealed
	}
	return err
}

// checkKey returns an error if the value is sealed to another key. If only the id of its key is known, that decides.
func (v *value) checkKey(key seal.PublicKey) error {
	if v.sealed.KeyID != key.ID() {
		return &secret.Error{
			Problem: fmt.Sprintf("the value is sealed with key %s, but the current key for %s secrets is %s",
				v.sealed.KeyID, v.item.Store, key.ID()),
			Cause: "GitHub rotated the key since the value was sealed, or that key was never GitHub's. " +
				"Only the plaintext can be sealed again.",
			Hint: "Unless you know that key " + v.sealed.KeyID + " was GitHub's, revoke the new credential: whoever " +
				"made that key can read it. Seal again, in the job that seals.",
			Is: []error{secret.ErrCannotOpen},
		}
	}
	if cmp.Or(v.sealed.PublicKey, key.Base64()) != key.Base64() {
		return foreignKey(key.ID())
	}
	return nil
}

// refused fetches the store's key after GitHub refused the value, and seals the value again if the key has changed.
func (v *value) refused(ctx context.Context, w *write, err error) (retry bool, _ error) {
	if v.reseals++; v.reseals > maxReseals || !errors.Is(err, secret.ErrUnprocessable) {
		return false, err
	}
	old := v.sealed
	r := keyRefusal{old.KeyID, errors.Is(err, secret.ErrCannotOpen)}
	key, keyErr := v.keys[v.item.Store].newerThan(ctx, w.budget, r)
	if keyErr != nil { // GitHub's 422 matters more than why the key could not be fetched
		return false, err
	}
	switch sealErr := v.sealTo(key); {
	case sealErr != nil:
		return false, sealErr
	case r.cannotOpen && old.PublicKey == "": // given with the id of its key alone
		return false, foreignKey(key.ID())
	}
	return v.sealed != old, err
}

// sealUnstored reseals each value that is not stored, if there is a newer key. It drops given values that GitHub cannot
// open: only the owner of another key could read them.
func (e *executor) sealUnstored() {
	for i := range e.results {
		r, item, keys := &e.results[i], e.Items[i], e.keys[e.Items[i].Store]
		if r.EncryptedValue == "" {
			continue
		}
		isGiven, key := item.isGiven(), keys.current()
		v := &value{executor: e, item: item, sealed: r.Sealed}
		var keyErr error
		if !key.IsZero() {
			keyErr = v.sealTo(key)
			r.Sealed = v.sealed
		}
		if keys.refused[r.KeyID] && (!isGiven || r.PublicKey == "") {
			err := *secret.AsError(r.Err)
			err.Is = append(slices.Clone(err.Is), secret.ErrCannotOpen)
			r.Err = &err
		}
		if isGiven && errors.Is(errors.Join(keyErr, r.Err), secret.ErrCannotOpen) {
			r.EncryptedValue = ""
		}
	}
}

// foreignKey returns the error for a value that was sealed to a foreign key, which has the id of GitHub's key.
func foreignKey(id string) error {
	return &secret.Error{
		Problem: "the value is sealed to a key that is not GitHub's, although it has the id " + id,
		Cause:   "Whoever made that key can read the value.",
		Hint: "Keep the old credential active, and revoke the new one. Find out who sets the outputs of the job that " +
			"reads the key, and seal another.",
		Is: []error{secret.ErrCannotOpen, secret.ErrForeignKey},
	}
}

// compare compares the times of the last update before and after the write. Both are GitHub's own.
func (v *value) compare(w *write, now secret.Existing) (shown string, applied bool) {
	switch {
	case !now.Exists:
		return "GitHub shows no such secret", w.before.Exists
	case w.before.Exists && now.UpdatedAt.Equal(w.before.UpdatedAt):
		// Times are in whole seconds: a first attempt that was sent just after the update may have the same time.
		isRecent := w.before.Date.IsZero() || w.before.Date.Sub(w.before.UpdatedAt).Abs() <= maxDateSkew
		return "GitHub shows no update since " + secret.FormatTime(now.UpdatedAt),
			isRecent && w.firstAttempt.Sub(w.before.ReceivedAt) < time.Second
	}
	return "GitHub shows an update at " + secret.FormatTime(now.UpdatedAt), true
}

// complete adds the sealed value if it is not stored, and the access with which to store it manually.
func (v *value) complete(i int, w *write) {
	op, err := w.operation(), w.err
	if op == secret.Updated && w.isNew() {
		err = v.overwritten(w)
	}
	r := &v.results[i]
	r.Change, r.Sealed, v.before[i] = w.change(), v.sealed, w.before
	switch {
	case v.resolveErr == nil && !v.desired.needsExisting():
		r.Access = v.desired.Access // even if no attempt was planned
	case !w.unplanned:
		r.Access = w.plan.access
	}
	if w.err == nil {
		r.EncryptedValue = ""
	}
	v.record(i, op, err)
}

// overwritten returns the error for overwriting a secret that this run did not find. If access is given, it only warns.
func (v *value) overwritten(w *write) error {
	switch {
	case v.desired.isSet():
		v.Warn(fmt.Sprintf("%s in %s: this run did not find the secret, but GitHub updated an existing one. "+
			"Its access is now as the inputs say.", v.item.Name, v.item.Store))
		return nil
	case w.plan.access.Visibility != secret.Private: // a read before a later attempt showed the access to keep
		return nil
	}
	return &secret.Error{
		Problem: "an existing secret was overwritten that this run had not found, and its access is now private",
		Cause: "GitHub returned 404 for it before the write, and 204, which is an update, to the write: it was " +
			"created in between, or this token could not see it. Every private and internal repository can now " +
			"read the value.",
		Hint: "The value is stored: do not rotate again. If fewer should read it, change that on the page of the " +
			"organization's secrets.",
	}
}
