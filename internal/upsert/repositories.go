package upsert

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"set-org-secret/internal/secret"
)

// Finder looks repositories up; see github.Client.
type Finder interface {
	Repository(ctx context.Context, name string) (secret.Repository, error)
	Repositories(context.Context) ([]secret.Repository, error)
}

// resolver resolves a selection to repositories.
type resolver struct {
	github        Finder
	selection     secret.Selection
	maxConcurrent int
	log, warn     func(string)

	named    []secret.Repository // for each of selection.Names
	excluded []secret.Repository // for each plain name of selection.Excluded; zero if not looked up
	all      []secret.Repository // of the organization, if a pattern needs them
}

// resolve returns the repositories of the selection: plain names are looked up one by one, patterns are matched
// against the organization's list. Every name must exist and every pattern must match; the error lists all that do
// not. An exclusion that matches nothing is a warning.
func (r *resolver) resolve(ctx context.Context) ([]secret.Repository, error) {
	if err := r.lookUp(ctx); err != nil {
		return nil, err
	}
	for i, name := range r.selection.Names {
		if !strings.EqualFold(bareName(r.named[i]), name) {
			r.warn(fmt.Sprintf("selected_repositories: %s was renamed to %s", name, r.named[i].FullName))
		}
	}
	matched, err := r.matchPatterns()
	if err != nil {
		return nil, err
	}
	names := map[int64]string{}
	for _, repo := range r.all {
		names[repo.ID] = repo.FullName
	}
	list := slices.Concat(r.named, matched)
	for _, id := range r.selection.IDs {
		list = append(list, secret.Repository{ID: id, FullName: names[id]})
	}
	included := len(list)
	if list = r.exclude(uniqueByID(list)); len(list) == 0 && included > 0 {
		return nil, &secret.Error{
			Problem: "selected_repositories: the exclusions remove every selected repository",
			Hint:    "Use none if no repository should read the secret.",
		}
	}
	return list, nil
}

// lookUp sends all requests, at most maxConcurrent at a time.
func (r *resolver) lookUp(ctx context.Context) error {
	var (
		group  errgroup.Group
		allErr error
		s      = r.selection
		errs   = make([]error, len(s.Names)+len(s.Excluded))
	)
	group.SetLimit(r.maxConcurrent)
	r.named, r.excluded = make([]secret.Repository, len(s.Names)), make([]secret.Repository, len(s.Excluded))
	for i, name := range s.Names {
		group.Go(func() error {
			r.named[i], errs[i] = r.github.Repository(ctx, name)
			if errors.Is(errs[i], secret.ErrNotFound) {
				errs[i] = fmt.Errorf("selected_repositories: %w", errs[i])
			}
			return nil
		})
	}
	needsAll := len(s.Patterns) > 0
	for i, p := range s.Excluded {
		switch {
		case len(s.IDs) == 0: // only an id has no name to match
		case !p.Plain():
			needsAll = true
		default:
			group.Go(func() error {
				var err error
				if r.excluded[i], err = r.github.Repository(ctx, p.Glob); !errors.Is(err, secret.ErrNotFound) {
					errs[len(s.Names)+i] = err
				}
				return nil
			})
		}
	}
	if needsAll {
		group.Go(func() error {
			r.all, allErr = r.github.Repositories(ctx)
			return nil
		})
	}
	_ = group.Wait()
	return errors.Join(append(errs, allErr)...)
}

// matchPatterns returns the repositories that the patterns match.
func (r *resolver) matchPatterns() (matched []secret.Repository, err error) {
	var unmatched []string
	for _, p := range r.selection.Patterns {
		n := 0
		for _, repo := range r.all {
			if p.Match(repo.FullName) {
				n++
				matched = append(matched, repo)
			}
		}
		if n == 0 {
			unmatched = append(unmatched, p.Text)
		}
		r.log(fmt.Sprintf("%s matches %d of the %d repositories that this token can see", p.Text, n, len(r.all)))
	}
	if len(unmatched) > 0 {
		return nil, &secret.Error{
			Problem: fmt.Sprintf("selected_repositories: %s matches none of the %d repositories "+
				"that this token can see", strings.Join(unmatched, ", "), len(r.all)),
			Hint: "Check the spelling; to see private repositories a classic token needs the scope repo.",
		}
	}
	return matched, nil
}

// exclude applies the exclusions.
func (r *resolver) exclude(list []secret.Repository) []secret.Repository {
	for i, p := range r.selection.Excluded {
		before := len(list)
		list = slices.DeleteFunc(list, func(repo secret.Repository) bool {
			return repo.ID == r.excluded[i].ID || repo.FullName != "" && p.Match(repo.FullName)
		})
		if len(list) == before {
			r.warn(fmt.Sprintf("selected_repositories: exclusion %s matches no repository", p.Text))
		}
	}
	return list
}

func uniqueByID(list []secret.Repository) []secret.Repository {
	seen := map[int64]bool{}
	return slices.DeleteFunc(list, func(r secret.Repository) bool {
		twice := seen[r.ID]
		seen[r.ID] = true
		return twice
	})
}

// bareName returns the name without the organization.
func bareName(r secret.Repository) string { return r.FullName[strings.LastIndex(r.FullName, "/")+1:] }
