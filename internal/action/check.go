package action

import (
	"context"
	"fmt"
	"math"

	"golang.org/x/sync/errgroup"

	"set-org-secret/internal/github"
	"set-org-secret/internal/report"
	"set-org-secret/internal/seal"
	"set-org-secret/internal/secret"
)

// check reads only: which secrets exist, how old they are by GitHub's clock, and
// which are due. Due is an answer, not a failure.
func (r *session) check(ctx context.Context) []secret.Result {
	c := r.config
	var (
		group errgroup.Group
		keys  []seal.PublicKey
		errs  []error
		found = make([][]secret.Result, len(c.Stores))
	)
	group.Go(func() error {
		keys, errs = r.keys(ctx)
		return nil
	})
	for i, store := range c.Stores {
		group.Go(func() error {
			found[i] = r.look(ctx, store)
			return nil
		})
	}
	_ = group.Wait()

	now := r.github.Now()
	for i := range found {
		if len(found[i]) == 0 && errs[i] != nil {
			// An empty store has no row to tell that its key can't be had.
			found[i] = []secret.Result{{Store: c.Stores[i]}}
		}
		for j := range found[i] {
			o := &found[i][j]
			if o.Err == nil {
				o.Err = errs[i]
			}
			if o.Err != nil {
				o.Operation, o.Check = secret.Failed, nil
				continue
			}
			o.Operation, o.KeyID, o.PublicKey = secret.Checked, keys[i].ID(), keys[i].Base64()
			if o.Check.Exists {
				o.Check.Age = max(now.Sub(o.Check.UpdatedAt), 0)
			}
			o.Check.Due = !o.Check.Exists || c.MaxAge > 0 && o.Check.Age > c.MaxAge
		}
	}
	outcomes := r.inOrder(found)
	columns := width(outcomes, func(o secret.Result) secret.Name { return o.Name })
	for _, o := range outcomes {
		r.report.Row(o, columns)
	}
	r.warnDue(outcomes)
	return outcomes
}

// inOrder has a row for each secret, and within it for each store. Of every
// secret the stores have lists of their own, which follow each other.
func (r *session) inOrder(found [][]secret.Result) (outcomes []secret.Result) {
	if r.config.EverySecret {
		for _, list := range found {
			outcomes = append(outcomes, list...)
		}
		return outcomes
	}
	for j := range r.config.Names {
		for i := range found {
			outcomes = append(outcomes, found[i][j])
		}
	}
	return outcomes
}

// look tells of each secret that was named, or of every secret of a store. The
// list is asked for where that costs fewer requests than the names.
func (r *session) look(ctx context.Context, store secret.Store) []secret.Result {
	c := r.config
	outcome := func(s secret.Existing, name secret.Name, err error) secret.Result {
		return secret.Result{
			Store: store, Name: name, Err: err, Access: s.Access,
			Check: &secret.Check{Exists: s.Exists, UpdatedAt: s.UpdatedAt},
		}
	}
	if c.EverySecret || len(c.Names) > 1 {
		maxPages := len(c.Names)
		if c.EverySecret {
			maxPages = math.MaxInt
		}
		list, complete, err := r.github.Secrets(ctx, store, maxPages)
		var outcomes []secret.Result
		switch {
		case c.EverySecret && err != nil:
			return []secret.Result{outcome(secret.Existing{}, "", err)}
		case c.EverySecret:
			if !complete {
				r.report.Warn(fmt.Sprintf("GitHub counts other %s secrets than it lists: some may be missing here", store))
			}
			for _, s := range list {
				outcomes = append(outcomes, outcome(s, s.Name, nil))
			}
			return outcomes
		case err != nil || complete:
			standing := map[secret.Name]secret.Existing{}
			for _, s := range list {
				standing[s.Name] = s
			}
			for _, name := range c.Names {
				outcomes = append(outcomes, outcome(standing[name], name, err))
			}
			return outcomes
		}
	}
	outcomes := make([]secret.Result, len(c.Names))
	var group errgroup.Group
	group.SetLimit(github.MaxConcurrentReads)
	for i, name := range c.Names {
		group.Go(func() error {
			standing, err := r.github.Secret(ctx, store, name)
			outcomes[i] = outcome(standing, name, err)
			return nil
		})
	}
	_ = group.Wait()
	return outcomes
}

// warnDue annotates what is overdue, the oldest first.
func (r *session) warnDue(outcomes []secret.Result) {
	var due []secret.Result
	for _, o := range report.ByAge(outcomes) {
		if o.Check != nil && o.Check.Due {
			due = append(due, o)
		}
	}
	for i, o := range due {
		if len(due) > report.MaxAnnotations && i == report.MaxAnnotations-1 {
			r.report.Warn(fmt.Sprintf("and %d more secrets are due; the job summary has all of them", len(due)-i))
			return
		}
		if !o.Check.Exists {
			r.report.Warn(fmt.Sprintf("%s in %s is missing", o.Name, o.Store))
			continue
		}
		r.report.Warn(fmt.Sprintf("%s in %s is due: %d days old, of %s", o.Name, o.Store, report.Days(o.Check.Age), o.Check.UpdatedAt.UTC().Format("2 January 2006")))
	}
}
