package upsert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/agnivade/levenshtein"

	"set-org-secret/internal/github"
	"set-org-secret/internal/secret"
)

type resolver struct {
	Job
	lookedUp map[string]lookup   // by Selection.Names, and by the plain names of Selection.Excluded
	all      []secret.Repository // of the organization; read only if needed
	partial  error               // why all is incomplete; reported after repositories were added
}

// lookup is a repository that was looked up by its name; zero if it is missing.
type lookup struct {
	secret.Repository
	err error
}

func (l lookup) isMissing() bool { return errors.Is(l.err, secret.ErrNotFound) }

// fromList reports whether repositories are selected from the list of a secret, and not from all of the organization.
func (r *resolver) fromList() bool { return r.Change == secret.ListRemove }

// resolve returns the repositories of the selection; if fromList, it only looks names up, for selectFrom.
func (r *resolver) resolve(ctx context.Context) ([]secret.Repository, error) {
	if err := r.lookUp(ctx); err != nil {
		return nil, err
	}
	for _, name := range r.Selection.Names {
		if repo := r.lookedUp[name].Repository; repo.ID != 0 && !strings.EqualFold(repo.Name(), name) {
			r.Warn(fmt.Sprintf("selected_repositories: %s was renamed to %s", name, repo.FullName))
		}
	}
	if r.fromList() {
		return nil, nil
	}
	list, matches, err := r.selectFrom(r.all)
	for _, text := range matches {
		r.Log(text)
	}
	if err != nil {
		return nil, err
	}
	if len(list) == 0 && len(r.Selection.Names)+len(r.Selection.Patterns)+len(r.Selection.IDs) > 0 {
		return nil, &secret.Error{
			Problem: "selected_repositories: the exclusions remove every selected repository",
			Hint:    "Use none if no repository should read the secret.",
		}
	}
	return list, nil
}

// selectFrom applies the selection to a list. It returns an error if a plain name is neither known to GitHub nor on the
// list. matches has a text for each pattern: how many repositories it matches.
func (r *resolver) selectFrom(list []secret.Repository) (selected []secret.Repository, matches []string, err error) {
	byName := map[string]secret.Repository{}
	for _, repo := range list {
		byName[strings.ToLower(repo.Name())] = repo
	}
	var errs []error
	for _, name := range r.Selection.Names {
		found := r.lookedUp[name]
		repo := cmp.Or(found.Repository, byName[strings.ToLower(name)])
		if selected = append(selected, repo); repo.ID == 0 {
			errs = append(errs, suggest(found.err, name, list))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, nil, err
	}
	visible := fmt.Sprintf("of the %d repositories that this token can see", len(list))
	if r.fromList() {
		visible += " on the list"
	}
	var unmatched []string
	for _, p := range r.Selection.Patterns {
		matched := slices.DeleteFunc(slices.Clone(list), func(repo secret.Repository) bool { return !p.Match(repo) })
		selected = append(selected, matched...)
		matches = append(matches, fmt.Sprintf("%s matches %d %s", p.Text, len(matched), visible))
		if len(matched) == 0 {
			unmatched = append(unmatched, p.Text)
		}
	}
	if len(unmatched) > 0 && !r.fromList() { // a typo would otherwise pass for an empty list
		return nil, matches, &secret.Error{
			Problem: "selected_repositories: " + strings.Join(unmatched, ", ") + " matches none " + visible,
			Hint:    "Check the spelling; to see private repositories a classic token needs the scope repo.",
		}
	}
	names := map[int64]string{}
	for _, repo := range slices.Concat(r.all, list) {
		names[repo.ID] = repo.FullName
	}
	for _, id := range r.Selection.IDs {
		selected = append(selected, secret.Repository{ID: id, FullName: names[id]})
	}
	selected, err = r.exclude(github.UniqueRepositories(selected))
	return selected, matches, err
}

// suggest adds a name from the list to the error for a missing repository, if the two names are similar.
func suggest(missing error, name string, list []secret.Repository) error {
	name = strings.ToLower(name)
	for _, repo := range list {
		listed := strings.ToLower(repo.Name())
		if levenshtein.ComputeDistance(name, listed) <= min(2, len(name)-1) {
			return fmt.Errorf("%w; did you mean %s?", missing, repo.Name())
		}
	}
	return missing
}

// lookUp sends all requests. GitHub knows a repository by its former names too, so exclusions are looked up as well.
func (r *resolver) lookUp(ctx context.Context) error {
	s, b := r.Selection, github.NewBudget()
	names := slices.Clone(s.Names)
	for _, p := range s.Excluded {
		if p.Plain() {
			names = append(names, p.Glob)
		}
	}
	var allErr error
	var group sync.WaitGroup
	// An id needs the name of its repository to be compared with exclusions.
	if len(s.Patterns) > 0 && !r.fromList() || len(s.IDs) > 0 && len(s.Excluded) > 0 {
		group.Go(func() { r.all, allErr = r.GitHub.Repositories(ctx, b, r.isSelected) })
	}
	found := make([]lookup, len(names))
	github.Concurrently(github.MaxConcurrentReads, len(names), func(i int) {
		if found[i].Repository, found[i].err = r.GitHub.Repository(ctx, b, names[i]); found[i].err != nil {
			found[i].err = fmt.Errorf("selected_repositories: %w", found[i].err)
		}
	})
	group.Wait()
	switch {
	case !errors.Is(allErr, secret.ErrPartial):
	case len(s.Patterns) == 0: // exclude rejects an id without a visible name
		allErr = nil
	case r.Change == secret.ListAdd:
		r.partial, allErr = allErr, nil
	}
	r.lookedUp = map[string]lookup{}
	var errs []error // in the order of the inputs
	for i, name := range names {
		r.lookedUp[name] = found[i]
		if !found[i].isMissing() { // any other error could let an excluded repository in
			errs = append(errs, found[i].err)
		}
	}
	isMissing := slices.ContainsFunc(found[:len(s.Names)], lookup.isMissing)
	err := errors.Join(append(errs, allErr)...)
	if err == nil && len(r.all) == 0 && !r.fromList() && isMissing { // for suggestions
		r.all, _ = r.GitHub.Repositories(ctx, r.GitHub.SendOnce(ctx, "suggest a name", time.Now()), nil)
	}
	return err
}

func (r *resolver) isSelected(repo secret.Repository) bool {
	return slices.Contains(r.Selection.IDs, repo.ID) ||
		slices.ContainsFunc(r.Selection.Patterns, func(p secret.Pattern) bool { return p.Match(repo) })
}

// exclude applies the exclusions. It fails if the token cannot see a name that has to be compared with one.
func (r *resolver) exclude(list []secret.Repository) ([]secret.Repository, error) {
	for _, p := range r.Selection.Excluded {
		before := len(list)
		excluded := r.lookedUp[p.Glob]
		list = slices.DeleteFunc(list, func(repo secret.Repository) bool {
			return repo.ID == excluded.ID || p.Match(repo)
		})
		unnamed := slices.IndexFunc(list, func(repo secret.Repository) bool { return repo.FullName == "" })
		switch {
		case unnamed >= 0 && excluded.ID == 0:
			return nil, &secret.Error{
				Problem: fmt.Sprintf("selected_repositories: exclusion %s cannot be checked against repository %d, "+
					"because this token cannot see its name", p.Text, list[unnamed].ID),
				Hint: "Leave that id out, or use a token that can see the repository; " +
					"to see private repositories a classic token needs the scope repo.",
			}
		case len(list) == before && !r.fromList():
			r.Warn(fmt.Sprintf("selected_repositories: exclusion %s matches no repository", p.Text))
		}
	}
	return list, nil
}
