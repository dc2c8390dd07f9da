package action

import (
	"context"

	"golang.org/x/sync/errgroup"

	"set-org-secret/internal/input"
	"set-org-secret/internal/seal"
	"set-org-secret/internal/secret"
)

// seal only seals: to the key of each store, or offline to the one that was
// given.
func (r *session) seal(ctx context.Context) []secret.Result {
	c := r.config
	keys, errs := r.keys(ctx)
	columns := width(c.Entries, func(e input.Entry) secret.Name { return e.Name })
	var outcomes []secret.Result
	for _, e := range c.Entries {
		for i, store := range c.Stores {
			o := secret.Result{Store: store, Name: e.Name, Operation: secret.Failed, Err: errs[i]}
			if o.Err == nil {
				var sealed seal.Sealed
				if sealed, o.Err = seal.Seal(r.Rand, keys[i], e.Value); o.Err == nil {
					o.Operation = secret.SealedOnly
					o.KeyID, o.PublicKey, o.EncryptedValue = sealed.KeyID, sealed.PublicKey, sealed.EncryptedValue
				}
			}
			r.report.Row(o, columns)
			outcomes = append(outcomes, o)
		}
	}
	return outcomes
}

// keys fetches the key of every store, side by side.
func (r *session) keys(ctx context.Context) ([]seal.PublicKey, []error) {
	keys, errs := make([]seal.PublicKey, len(r.config.Stores)), make([]error, len(r.config.Stores))
	var group errgroup.Group
	for i, store := range r.config.Stores {
		if r.github == nil {
			keys[i] = r.config.PublicKey
			continue
		}
		group.Go(func() error {
			keys[i], errs[i] = r.github.PublicKey(ctx, store)
			return nil
		})
	}
	_ = group.Wait()
	return keys, errs
}
