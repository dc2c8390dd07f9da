package action

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"set-org-secret/internal/github"
	"set-org-secret/internal/seal"
	"set-org-secret/internal/secret"
)

// check only reads: which secrets exist, how old they are, and which are due. One that is due is not a failure.
func (s *session) check(ctx context.Context) []secret.Result {
	stores := s.config.Stores
	var (
		group sync.WaitGroup
		keys  []seal.PublicKey
		errs  []error
		found = make([][]secret.Result, len(stores)) // by store
	)
	group.Go(func() { keys, errs = s.publicKeys(ctx) })
	github.Concurrently(github.MaxConcurrentReads, len(stores), func(i int) { found[i] = s.readStore(ctx, stores[i]) })
	group.Wait()
	now := s.github.Now()
	for i := range found {
		if len(found[i]) == 0 && errs[i] != nil {
			found[i] = []secret.Result{{Store: stores[i]}} // a row that reports the error
		}
		for j := range found[i] {
			s.finishCheck(&found[i][j], now, keys[i], errs[i])
		}
	}
	results := s.inputOrder(found)
	if s.config.ListRepositories {
		s.readLists(ctx, results)
	}
	s.report.Results(results...)
	var unknown []string
	for _, result := range results {
		if result.Check != nil {
			unknown = append(unknown, result.Check.Unknown...)
		}
	}
	if slices.Sort(unknown); len(unknown) > 0 {
		s.report.Event("GitHub shows properties of secrets that this version of the action does not know: " +
			strings.Join(slices.Compact(unknown), ", "))
	}
	return results
}

// readLists reads the list of repositories of each selected secret.
func (s *session) readLists(ctx context.Context, results []secret.Result) {
	github.Concurrently(github.MaxConcurrentReads, len(results), func(i int) {
		result := &results[i]
		if result.Check == nil || result.Access.Visibility != secret.Selected {
			return
		}
		existing, err := s.github.WithRepositories(ctx, nil, result.Store,
			secret.Existing{Name: result.Name, Exists: true, Access: result.Access})
		if err != nil {
			result.Err, result.Operation, result.Check = err, secret.Failed, nil
			return
		}
		result.Access, result.Hidden = existing.Access, existing.Hidden
		result.Check.Exists = existing.Exists
		result.Check.Due = result.Check.Due || !existing.Exists
		result.Check.Listed = existing.Listed
	})
}

// finishCheck completes the result of a lookup with the key of its store and the age of the secret.
func (s *session) finishCheck(result *secret.Result, now time.Time, key seal.PublicKey, keyErr error) {
	if result.Err == nil {
		result.Err = keyErr
	}
	if result.Err != nil {
		result.Operation, result.Check = secret.Failed, nil
		return
	}
	result.Operation, result.KeyID, result.PublicKey = secret.Checked, key.ID(), key.Base64()
	c := result.Check
	if c.Exists {
		c.Age = max(now.Sub(c.UpdatedAt), 0)
	}
	c.Due = !c.Exists || s.config.MaxAge > 0 && c.Age > s.config.MaxAge
}

// inputOrder orders results by name and then store, as configured; all secrets of a store as listed.
func (s *session) inputOrder(found [][]secret.Result) (results []secret.Result) {
	if s.config.EverySecret {
		return slices.Concat(found...)
	}
	for j := range s.config.Names {
		for i := range found {
			results = append(results, found[i][j])
		}
	}
	return results
}

func lookupResult(store secret.Store, name secret.Name, s secret.Existing, err error) secret.Result {
	return secret.Result{
		Store: store, Name: name, Err: err, Access: s.Access,
		Check: &secret.Check{Exists: s.Exists, UpdatedAt: s.UpdatedAt, Unknown: s.Unknown},
	}
}

// readStore looks up each configured secret, or every secret of a store.
func (s *session) readStore(ctx context.Context, store secret.Store) []secret.Result {
	names := s.config.Names
	if s.config.EverySecret {
		return s.readEvery(ctx, store)
	}
	var list map[secret.Name]secret.Existing
	var listErr error
	if len(names) > 1 {
		list, listErr = s.github.Lookup(ctx, nil, store, names...)
	}
	results := make([]secret.Result, len(names))
	github.Concurrently(github.MaxConcurrentReads, len(names), func(i int) {
		found, err := list, listErr
		if _, ok := list[names[i]]; !ok && err == nil {
			found, err = s.github.Lookup(ctx, nil, store, names[i])
		}
		results[i] = lookupResult(store, names[i], found[names[i]], err)
	})
	return results
}

// readEvery looks up every secret of a store.
func (s *session) readEvery(ctx context.Context, store secret.Store) (results []secret.Result) {
	list, complete, err := s.github.Secrets(ctx, nil, store)
	if err != nil {
		return []secret.Result{{Store: store, Err: err}}
	}
	if !complete {
		s.report.Warn(fmt.Sprintf("GitHub's total of %s secrets does not match the list; "+
			"some may be missing from this report", store))
	}
	for _, existing := range list {
		results = append(results, lookupResult(store, existing.Name, existing, nil))
	}
	return results
}
