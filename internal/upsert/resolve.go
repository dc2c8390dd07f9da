package upsert

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"set-org-secret/internal/secret"
)

// lookupsAtOnce is how many names are asked for side by side.
const lookupsAtOnce = 8

// Finder is what Resolve needs of package github's Client.
type Finder interface {
	Repository(ctx context.Context, name string) (secret.Repository, error)
	Repositories(context.Context) ([]secret.Repository, error)
}

// Resolve looks the repositories of a selection up: plain names by one request
// each, patterns by the organization's list. Every name must exist and every
// pattern must match something; all that do not are told at once. What is left
// out and matches nothing only warns.
func Resolve(ctx context.Context, gh Finder, s secret.Selection, tell func(string), warn func(string)) ([]secret.Repository, error) {
	var (
		group errgroup.Group
		named = make([]secret.Repository, len(s.Names))
		out   = make([]secret.Repository, len(s.Excluded))
		errs  = make([]error, len(s.Names)+1)
		every []secret.Repository
	)
	group.SetLimit(lookupsAtOnce)
	for i, name := range s.Names {
		group.Go(func() error {
			named[i], errs[i] = gh.Repository(ctx, name)
			return nil
		})
	}
	needsAll := len(s.Patterns) > 0
	for i, p := range s.Excluded {
		// An id has no name to hold against what is left out.
		if len(s.IDs) == 0 {
			continue
		}
		if !p.Plain() {
			needsAll = true
			continue
		}
		group.Go(func() error {
			var err error
			if out[i], err = gh.Repository(ctx, p.Glob); err != nil && !errors.Is(err, secret.ErrNotFound) {
				errs[len(s.Names)] = err
			}
			return nil
		})
	}
	if needsAll {
		group.Go(func() error {
			var err error
			if every, err = gh.Repositories(ctx); err != nil {
				errs[len(s.Names)] = err
			}
			return nil
		})
	}
	_ = group.Wait()
	for i, err := range errs {
		if errors.Is(err, secret.ErrNotFound) && i < len(s.Names) {
			errs[i] = &notFound{name: s.Names[i], error: err}
		} else if err == nil && i < len(s.Names) && !strings.EqualFold(bareName(named[i]), s.Names[i]) {
			warn(fmt.Sprintf("selected_repositories: %s is called %s by now", s.Names[i], named[i].FullName))
		}
	}
	if err := secret.Join(errs...); err != nil {
		return nil, err
	}

	var list []secret.Repository
	taken := map[int64]bool{}
	add := func(r secret.Repository) {
		if !taken[r.ID] {
			taken[r.ID] = true
			list = append(list, r)
		}
	}
	for _, r := range named {
		add(r)
	}
	var unmatched []string
	for _, p := range s.Patterns {
		n := 0
		for _, r := range every {
			if p.Match(r.FullName) {
				n++
				add(r)
			}
		}
		if n == 0 {
			unmatched = append(unmatched, p.Text)
		}
		tell(fmt.Sprintf("%s matches %d of the %d repositories that this token sees", p.Text, n, len(every)))
	}
	if len(unmatched) > 0 {
		return nil, &refusal{
			fact:   fmt.Sprintf("selected_repositories: %s matches none of the %d repositories that this token sees", strings.Join(unmatched, ", "), len(every)),
			advice: "Check the spelling; to see private repositories a classic token needs the scope repo.",
		}
	}
	names := map[int64]string{}
	for _, r := range every {
		names[r.ID] = r.FullName
	}
	for _, id := range s.IDs {
		add(secret.Repository{ID: id, FullName: names[id]})
	}
	for i, p := range s.Excluded {
		kept := list[:0:0]
		for _, r := range list {
			if r.ID == out[i].ID || r.FullName != "" && p.Match(r.FullName) {
				continue
			}
			kept = append(kept, r)
		}
		if len(kept) == len(list) {
			warn(fmt.Sprintf("selected_repositories: %s leaves nothing out", p.Text))
		}
		list = kept
	}
	if len(list) == 0 && len(s.IDs)+len(s.Names)+len(s.Patterns) > 0 {
		return nil, &refusal{
			fact:   "selected_repositories: everything that is taken in is left out again",
			advice: "Say none where no repository shall read the secret.",
		}
	}
	return list, nil
}

func bareName(r secret.Repository) string { return r.FullName[strings.LastIndex(r.FullName, "/")+1:] }

// notFound names a repository that nobody can see, and keeps what GitHub said.
type notFound struct {
	name string
	error
}

func (e *notFound) Error() string {
	return fmt.Sprintf("selected_repositories: %s: %v", e.name, e.error)
}
func (e *notFound) Unwrap() error { return e.error }
