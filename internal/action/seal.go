package action

import (
	"context"

	"set-org-secret/internal/seal"
	"set-org-secret/internal/secret"
)

func (s *session) seal(ctx context.Context) []secret.Result {
	keys, errs := s.publicKeys(ctx)
	var results []secret.Result
	for _, e := range s.config.Entries {
		for i, store := range s.config.Stores {
			result := secret.Result{Store: store, Name: e.Name, Operation: secret.Failed, Err: errs[i]}
			if result.Err == nil {
				result.Sealed, result.Err = seal.Seal(s.Rand, keys[i], e.Value)
			}
			if result.Err == nil {
				result.Operation = secret.SealedOnly
			}
			results = append(results, result)
		}
	}
	s.report.Results(results...)
	return results
}

// publicKeys fetches the keys of all stores. A key is valid if its error is nil.
func (s *session) publicKeys(ctx context.Context) ([]seal.PublicKey, []error) {
	stores := s.config.Stores
	if s.github == nil { // a run with a key has one store
		return []seal.PublicKey{s.config.PublicKey}, make([]error, 1)
	}
	keys, errs := make([]seal.PublicKey, len(stores)), make([]error, len(stores))
	inParallel(len(stores), func(i int) { keys[i], errs[i] = s.github.PublicKey(ctx, nil, stores[i]) })
	return keys, errs
}
