package upsert

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"set-org-secret/internal/github"
	"set-org-secret/internal/secret"
)

// resolver resolves a selection to repositories.
type resolver struct {
	github    *github.Client
	budget    *github.Budget
	selection secret.Selection
	log, warn func(string)
	// fromList says that names and patterns select from the list of a secret, not of the organization.
	fromList bool

	named    []secret.Repository // for each of selection.Names; zero if missing and fromList
	missing  []error             // for each of selection.Names, if fromList
	excluded []secret.Repository // for each plain name of selection.Excluded; zero if not looked up
	all      []secret.Repository // of the organization, if a pattern needs them
}

// resolve returns the repositories of the selection: plain names are looked up one by one, patterns are matched
// against the organization's list. Every name must exist and every pattern must match; the error lists all that do
// not. An exclusion that matches nothing is a warning. If fromList, it looks names up, for selectFrom.
func (r *resolver) resolve(ctx context.Context) ([]secret.Repository, error) {
	if err := r.lookUp(ctx); err != nil {
		return nil, err
	}
	r.warnRenamed()
	if r.fromList {
		return nil, nil
	}
	matched, err := r.matchPatterns()
	if err != nil {
		return nil, err
	}
	list, err := r.exclude(uniqueByID(slices.Concat(r.named, matched, r.byID())))
	if err != nil {
		return nil, err
	}
	if len(list) == 0 && len(r.named)+len(matched)+len(r.selection.IDs) > 0 {
		return nil, &secret.Error{
			Problem: "selected_repositories: the exclusions remove every selected repository",
			Hint:    "Use none if no repository should read the secret.",
		}
	}
	return list, nil
}

// warnRenamed warns of each plain name that is a former one.
func (r *resolver) warnRenamed() {
	for i, name := range r.selection.Names {
		if r.named[i].ID != 0 && !strings.EqualFold(bareName(r.named[i]), name) {
			r.warn(fmt.Sprintf("selected_repositories: %s was renamed to %s", name, r.named[i].FullName))
		}
	}
}

// selectFrom applies the selection to a secret's list; repositories named but not listed are kept. A plain name must be
// on the list, or be a repository that GitHub shows. matches has the number of matches of each pattern. resolve must
// have been called.
func (r *resolver) selectFrom(list []secret.Repository) (selected []secret.Repository, matches []int, err error) {
	var errs []error
	for i, name := range r.selection.Names {
		onList := slices.IndexFunc(list, func(repo secret.Repository) bool {
			return repo.ID == r.named[i].ID || strings.EqualFold(bareName(repo), name)
		})
		switch {
		case onList >= 0:
			selected = append(selected, list[onList])
		case r.named[i].ID != 0:
			selected = append(selected, r.named[i])
		default:
			errs = append(errs, r.missing[i])
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, nil, err
	}
	for _, p := range r.selection.Patterns {
		matched := matching(p, list)
		selected, matches = append(selected, matched...), append(matches, len(matched))
	}
	for _, repo := range r.byID() {
		onList := slices.IndexFunc(list, func(other secret.Repository) bool { return other.ID == repo.ID })
		if onList >= 0 {
			repo = list[onList]
		}
		selected = append(selected, repo)
	}
	selected, err = r.exclude(uniqueByID(selected))
	return selected, matches, err
}

// matching returns the repositories of a list that a pattern matches.
func matching(p secret.Pattern, list []secret.Repository) (matched []secret.Repository) {
	for _, repo := range list {
		if p.Match(repo.FullName) {
			matched = append(matched, repo)
		}
	}
	return matched
}

// byID returns the repositories that were selected by id, with their names as far as the token can see them.
func (r *resolver) byID() (list []secret.Repository) {
	names := map[int64]string{}
	for _, repo := range r.all {
		names[repo.ID] = repo.FullName
	}
	for _, id := range r.selection.IDs {
		list = append(list, secret.Repository{ID: id, FullName: names[id]})
	}
	return list
}

// lookUp sends all requests, at most MaxConcurrentReads at a time. A plain exclusion is looked up, as a plain name is,
// because GitHub knows a repository by its former names too. It may be missing; any other failure is an error, since
// the excluded repository would be let in.
func (r *resolver) lookUp(ctx context.Context) error {
	var (
		group  errgroup.Group
		allErr error
		s      = r.selection
		errs   = make([]error, len(s.Names)+len(s.Excluded))
	)
	group.SetLimit(github.MaxConcurrentReads)
	r.named, r.excluded = make([]secret.Repository, len(s.Names)), make([]secret.Repository, len(s.Excluded))
	r.missing = make([]error, len(s.Names))
	for i, name := range s.Names {
		group.Go(func() error {
			r.named[i], errs[i] = r.github.Repository(ctx, r.budget, name)
			if errors.Is(errs[i], secret.ErrNotFound) {
				errs[i] = fmt.Errorf("selected_repositories: %w", errs[i])
				if r.fromList {
					r.missing[i], errs[i] = errs[i], nil
				}
			}
			return nil
		})
	}
	for i, p := range s.Excluded {
		if !p.Plain() {
			continue
		}
		group.Go(func() error {
			repo, err := r.github.Repository(ctx, r.budget, p.Glob)
			r.excluded[i] = repo
			if err != nil && !errors.Is(err, secret.ErrNotFound) {
				errs[len(s.Names)+i] = fmt.Errorf("selected_repositories: exclusion %s: %w", p.Text, err)
			}
			return nil
		})
	}
	isGlob := func(p secret.Pattern) bool { return !p.Plain() }
	needsAll := len(s.Patterns) > 0 && !r.fromList || len(s.IDs) > 0 && slices.ContainsFunc(s.Excluded, isGlob)
	if needsAll {
		group.Go(func() error {
			r.all, allErr = r.github.Repositories(ctx, r.budget)
			return nil
		})
	}
	_ = group.Wait()
	isMissing := func(repo secret.Repository) bool { return repo.ID == 0 }
	if !needsAll && len(s.IDs) > 0 && slices.ContainsFunc(r.excluded, isMissing) {
		r.all, allErr = r.github.Repositories(ctx, r.budget) // ids are compared by name instead
	}
	return errors.Join(append(errs, allErr)...)
}

// matchPatterns returns the repositories that the patterns match.
func (r *resolver) matchPatterns() (matched []secret.Repository, err error) {
	var unmatched []string
	for _, p := range r.selection.Patterns {
		found := matching(p, r.all)
		if len(found) == 0 {
			unmatched = append(unmatched, p.Text)
		}
		matched = append(matched, found...)
		r.log(fmt.Sprintf("%s matches %d of the %d repositories that this token can see",
			p.Text, len(found), len(r.all)))
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

// exclude applies the exclusions. It fails if a repository without a visible name cannot be compared with one.
func (r *resolver) exclude(list []secret.Repository) ([]secret.Repository, error) {
	for i, p := range r.selection.Excluded {
		before := len(list)
		found := r.excluded[i].ID != 0
		list = slices.DeleteFunc(list, func(repo secret.Repository) bool {
			return found && repo.ID == r.excluded[i].ID || repo.FullName != "" && p.Match(repo.FullName)
		})
		unnamed := slices.IndexFunc(list, func(repo secret.Repository) bool { return repo.FullName == "" })
		switch {
		case unnamed >= 0 && !found:
			return nil, &secret.Error{
				Problem: fmt.Sprintf("selected_repositories: exclusion %s cannot be checked against repository %d, "+
					"because this token cannot see its name", p.Text, list[unnamed].ID),
				Hint: "Leave that id out, or use a token that can see the repository; " +
					"to see private repositories a classic token needs the scope repo.",
			}
		case len(list) == before && !r.fromList:
			r.warn(fmt.Sprintf("selected_repositories: exclusion %s matches no repository", p.Text))
		}
	}
	return list, nil
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
