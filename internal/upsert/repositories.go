package upsert

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"set-org-secret/internal/github"
	"set-org-secret/internal/secret"
)

type resolver struct {
	Job
	budget   *github.Budget
	named    []lookup            // for each of Selection.Names
	excluded []lookup            // for each plain name of Selection.Excluded
	all      []secret.Repository // of the organization, if a pattern needs them
	partial  error               // all lacks some, which is no error if they are added to a list
}

// lookup is a repository that was looked up by its name; zero if it is missing.
type lookup struct {
	secret.Repository
	err error
}

func (e *executor) newResolver() *resolver { return &resolver{Job: e.Job, budget: github.NewBudget()} }

// fromList reports whether repositories are selected from the list of a secret, and not from all of the organization.
func (r *resolver) fromList() bool { return r.Change == secret.ListRemove }

// resolve returns the repositories of the selection; if fromList, it only looks names up, for selectFrom.
func (r *resolver) resolve(ctx context.Context) ([]secret.Repository, error) {
	if err := r.lookUp(ctx); err != nil {
		return nil, err
	}
	for i, name := range r.Selection.Names {
		if repo := r.named[i].Repository; repo.ID != 0 && !strings.EqualFold(bareName(repo), name) {
			r.Warn(fmt.Sprintf("selected_repositories: %s was renamed to %s", name, repo.FullName))
		}
	}
	if r.fromList() {
		return nil, nil
	}
	list, matches, err := r.selectFrom(r.all)
	if err == nil {
		err = r.checkMatches(matches)
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

// selectFrom applies the selection to a list, on which a plain name has to be unless GitHub shows it. matches has the
// number of matches of each pattern.
func (r *resolver) selectFrom(list []secret.Repository) (selected []secret.Repository, matches []int, err error) {
	var errs []error
	for i, name := range r.Selection.Names {
		repo := r.named[i].Repository
		if repo.ID == 0 {
			for _, listed := range list {
				if strings.EqualFold(bareName(listed), name) {
					repo = listed
				}
			}
		}
		if selected = append(selected, repo); repo.ID == 0 {
			errs = append(errs, suggest(r.named[i].err, name, list))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, nil, err
	}
	for _, p := range r.Selection.Patterns {
		before := len(selected)
		for _, repo := range list {
			if p.Match(repo.FullName) {
				selected = append(selected, repo)
			}
		}
		matches = append(matches, len(selected)-before)
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

// suggest adds the repository of a list to an error that resembles the name of a missing one.
func suggest(missing error, name string, list []secret.Repository) error {
	name = strings.ToLower(name)
	for _, repo := range list {
		listed := strings.ToLower(bareName(repo))
		if d := levenshtein.ComputeDistance(name, listed); d <= 2 && d < len(name) {
			return fmt.Errorf("%w; did you mean %s?", missing, bareName(repo))
		}
	}
	return missing
}

// checkMatches returns an error if a pattern matches nothing. A typo would otherwise pass for an empty list.
func (r *resolver) checkMatches(matches []int) error {
	var unmatched []string
	for i, p := range r.Selection.Patterns {
		r.Log(fmt.Sprintf("%s matches %d of the %d repositories that this token can see",
			p.Text, matches[i], len(r.all)))
		if matches[i] == 0 {
			unmatched = append(unmatched, p.Text)
		}
	}
	if len(unmatched) == 0 {
		return nil
	}
	return &secret.Error{
		Problem: fmt.Sprintf("selected_repositories: %s matches none of the %d repositories that this token can see",
			strings.Join(unmatched, ", "), len(r.all)),
		Hint: "Check the spelling; to see private repositories a classic token needs the scope repo.",
	}
}

// lookUp sends all requests. GitHub knows a repository by its former names too, so exclusions are looked up as well.
func (r *resolver) lookUp(ctx context.Context) error {
	s := r.Selection
	r.named, r.excluded = make([]lookup, len(s.Names)), make([]lookup, len(s.Excluded))
	var allErr error
	var reads []func()
	find := func(name, errorPrefix string, l *lookup) {
		reads = append(reads, func() {
			if l.Repository, l.err = r.GitHub.Repository(ctx, r.budget, name); l.err != nil {
				l.err = fmt.Errorf("selected_repositories: %s%w", errorPrefix, l.err)
			}
		})
	}
	for i, name := range s.Names {
		find(name, "", &r.named[i])
	}
	for i, p := range s.Excluded {
		if p.Plain() {
			find(p.Glob, "exclusion "+p.Text+": ", &r.excluded[i])
		}
	}
	// Ids are compared with exclusions by name.
	if len(s.Patterns) > 0 && !r.fromList() || len(s.IDs) > 0 && len(s.Excluded) > 0 {
		reads = append(reads, func() { r.all, allErr = r.GitHub.Repositories(ctx, r.budget, r.isSelected) })
	}
	github.Concurrently(github.MaxConcurrentReads, len(reads), func(i int) { reads[i]() })
	switch {
	case !errors.Is(allErr, secret.ErrPartial):
	case len(s.Patterns) == 0: // exclude rejects an id without a visible name
		allErr = nil
	case r.Change == secret.ListAdd:
		r.partial, allErr = allErr, nil
	}
	isMissing := func(l lookup) bool { return errors.Is(l.err, secret.ErrNotFound) }
	if len(r.all) == 0 && !r.fromList() && slices.ContainsFunc(r.named, isMissing) { // for suggestions
		r.all, _ = r.GitHub.Repositories(ctx, r.budget, nil)
	}
	var errs []error // in the order of the inputs
	for _, l := range slices.Concat(r.named, r.excluded) {
		if !isMissing(l) { // else an excluded repository would be let in
			errs = append(errs, l.err)
		}
	}
	return errors.Join(append(errs, allErr)...)
}

func (r *resolver) isSelected(repo secret.Repository) bool {
	return slices.Contains(r.Selection.IDs, repo.ID) ||
		slices.ContainsFunc(r.Selection.Patterns, func(p secret.Pattern) bool { return p.Match(repo.FullName) })
}

// exclude applies the exclusions. It fails if a repository without a visible name cannot be compared with one.
func (r *resolver) exclude(list []secret.Repository) ([]secret.Repository, error) {
	for i, p := range r.Selection.Excluded {
		before := len(list)
		found := r.excluded[i].ID != 0
		list = slices.DeleteFunc(list, func(repo secret.Repository) bool {
			return repo.ID == r.excluded[i].ID || repo.FullName != "" && p.Match(repo.FullName)
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
		case len(list) == before && !r.fromList():
			r.Warn(fmt.Sprintf("selected_repositories: exclusion %s matches no repository", p.Text))
		}
	}
	return list, nil
}

func bareName(r secret.Repository) string { return r.FullName[strings.LastIndex(r.FullName, "/")+1:] }
