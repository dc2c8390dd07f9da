package report

import (
	"cmp"
	"fmt"
	"slices"

	"set-org-secret/internal/secret"
)

// maxSecrets is the number of organization secrets that GitHub gives a workflow: its repository's first ones by name.
// https://docs.github.com/en/actions/reference/security/secrets#limits-for-secrets
const maxSecrets = 100

// reader is a repository, or every repository of a kind, with the secrets that it may read.
type reader struct {
	name             string
	open, selectedBy []*entry // the secrets for every repository of its kind, and the secrets that select it
}

func (r reader) count() int { return len(r.open) + len(r.selectedBy) }

// readersOf returns the readers of secrets: each kind of repository, and each repository that some secret selects.
func readersOf(entries []*entry) (kinds, repositories []reader) {
	isPublic := func(e *entry) bool { return e.Access.Visibility == secret.All }
	isOpen := func(e *entry) bool { return isPublic(e) || e.Access.Visibility == secret.Private }
	open := map[bool][]*entry{false: filter(entries, isPublic), true: filter(entries, isOpen)} // by Private
	selectedBy := map[secret.Repository][]*entry{}
	for _, e := range entries {
		for _, repo := range e.Access.Repositories {
			selectedBy[repo] = append(selectedBy[repo], e)
		}
	}
	for repo, selecting := range selectedBy {
		repositories = append(repositories, reader{repo.FullName, open[repo.Private], selecting})
	}
	slices.SortFunc(repositories, func(a, b reader) int {
		return cmp.Or(b.count()-a.count(), cmp.Compare(a.name, b.name))
	})
	return []reader{
		{"Every repository, public ones included,", open[false], nil},
		{"Every private and internal repository", open[true], nil},
	}, repositories
}

// tooManyNote returns a warning if a review finds that a repository may read more secrets than a workflow gets.
func tooManyNote(d document) note {
	inActions := func(e *entry) bool { return d.ListRepositories && e.Store == secret.Actions }
	kinds, repositories := readersOf(filter(d.entries, inActions))
	for _, r := range append(kinds, repositories...) {
		if r.count() <= maxSecrets {
			continue
		}
		names := convert(slices.Concat(r.open, r.selectedBy), func(e *entry) secret.Name { return e.Name })
		slices.Sort(names)
		text := fmt.Sprintf("%s may read %s actions secrets of %s, but GitHub gives a workflow only the first %d "+
			"by name: the others, from %s on, are empty there",
			r.name, secret.FormatCount(r.count()), d.Org, maxSecrets, names[maxSecrets])
		return note{text, todo + "Select fewer repositories for them, or delete secrets that nobody uses."}
	}
	return nil
}
