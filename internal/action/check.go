package action

import (
	"cmp"
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
		found = make([][]secret.Existing, len(stores)) // by store
	)
	group.Go(func() { keys, errs = s.publicKeys(ctx) })
	inParallel(len(stores), func(i int) { found[i] = s.readStore(ctx, stores[i]) })
	group.Wait()
	now := s.github.Now()
	var results []secret.Result
	var unknown []string
	for i, list := range found {
		if len(list) == 0 && errs[i] != nil {
			list = []secret.Existing{{}} // a row that reports the error
		}
		for _, existing := range list {
			unknown = append(unknown, existing.Unknown...)
			existing.Err = cmp.Or(existing.Err, errs[i])
			results = append(results, s.checked(stores[i], existing, keys[i], now))
		}
	}
	position := map[secret.Name]int{} // in the inputs; without names, the order stays as listed
	for i, name := range s.config.Names {
		position[name] = i
	}
	slices.SortStableFunc(results, func(a, b secret.Result) int { return position[a.Name] - position[b.Name] })
	s.report.Results(results...)
	if slices.Sort(unknown); len(unknown) > 0 {
		s.report.Event("GitHub shows properties of secrets that this version of the action does not know: " +
			strings.Join(slices.Compact(unknown), ", "))
	}
	return results
}

func (s *session) checked(store secret.Store, e secret.Existing, key seal.PublicKey, now time.Time) secret.Result {
	r := secret.Result{
		Store: store, Name: e.Name, Operation: secret.Failed, Access: e.Access, Hidden: e.Hidden, Err: e.Err,
	}
	if r.Err == nil {
		r.Operation, r.KeyID, r.PublicKey = secret.Checked, key.ID(), key.Base64()
		age := max(now.Sub(e.UpdatedAt), 0) // not used if the secret does not exist
		isDue := !e.Exists || s.config.MaxAge > 0 && age > s.config.MaxAge
		r.Check = &secret.Check{Existing: e, Age: age, Due: isDue}
	}
	return r
}

// readStore reads the secrets of a store, with their lists of repositories if those are asked for.
func (s *session) readStore(ctx context.Context, store secret.Store) []secret.Existing {
	found := s.readSecrets(ctx, store)
	if s.config.ListRepositories {
		most := github.MaxConcurrentReads / len(s.config.Stores) // the stores are read at the same time
		github.Concurrently(most, len(found), func(i int) {
			if e := found[i]; e.Err == nil {
				found[i], e.Err = s.github.WithRepositories(ctx, nil, store, e)
				found[i].Name, found[i].Err = e.Name, e.Err
			}
		})
	}
	return found
}

func (s *session) readSecrets(ctx context.Context, store secret.Store) []secret.Existing {
	if s.config.EverySecret {
		list, complete, err := s.github.Secrets(ctx, nil, store)
		if err != nil {
			return []secret.Existing{{Err: err}}
		}
		if !complete {
			s.report.Warn(fmt.Sprintf("GitHub may not have listed all %s secrets; "+
				"some may be missing from this report", store))
		}
		return list
	}
	names := s.config.Names
	list, listErr := s.github.Lookup(ctx, nil, store, names...)
	found := make([]secret.Existing, len(names))
	inParallel(len(names), func(i int) {
		one, err := list, listErr
		if _, ok := list[names[i]]; !ok && err == nil {
			one, err = s.github.Lookup(ctx, nil, store, names[i])
		}
		found[i] = one[names[i]]
		found[i].Name, found[i].Err = names[i], err
	})
	return found
}

func inParallel(n int, do func(i int)) { github.Concurrently(github.MaxConcurrentReads, n, do) }
