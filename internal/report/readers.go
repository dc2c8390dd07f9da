package report

import (
	"cmp"
	"fmt"
	"slices"

	"set-org-secret/internal/secret"
)

// maxSecrets is how many organization secrets GitHub gives a workflow: the first of its repository, by name.
//
// https://docs.github.com/en/actions/reference/security/secrets#limits-for-secrets
const maxSecrets = 100

// reader is a repository, or every repository of a kind, which has no ID, with the secrets that it may read.
type reader struct {
	secret.Repository
	open, selectedBy []*entry // those open to every repository of its kind, and those that select it
}

func (r reader) count() int { return len(r.open) + len(r.selectedBy) }

// readersOf returns who may read secrets: each kind of repository, and those that some secret selects.
func readersOf(entries []*entry) (kinds, repositories []reader) {
	isAll := func(e *entry) bool { return e.Access.Visibility == secret.All }
	isOpen := func(e *entry) bool { return isAll(e) || e.Access.Visibility == secret.Private }
	open := map[bool][]*entry{false: filter(entries, isAll), true: filter(entries, isOpen)} // by Private
	selectedBy := map[secret.Repository][]*entry{}
	for _, e := range entries {
		for _, repo := range e.Access.Repositories {
			selectedBy[repo] = append(selectedBy[repo], e)
		}
	}
	for repo, selecting := range selectedBy {
		repositories = append(repositories, reader{repo, open[repo.Private], selecting})
	}
	slices.SortFunc(repositories, func(a, b reader) int {
		return cmp.Or(cmp.Compare(b.count(), a.count()), cmp.Compare(a.FullName, b.FullName))
	})
	return []reader{
		{secret.Repository{FullName: "every repository"}, open[false], nil},
		{secret.Repository{FullName: "every private and internal repository", Private: true}, open[true], nil},
	}, repositories
}

// tooManyNote returns a warning if a review finds that a repository may read more secrets than a workflow gets.
func tooManyNote(d document) note {
	inActions := func(e *entry) bool { return d.ListRepositories && e.Store == secret.Actions }
	kinds, repositories := readersOf(filter(d.entries, inActions))
	over := filter(append(kinds, repositories...), func(r reader) bool { return r.count() > maxSecrets })
	if len(over) == 0 {
		return nil
	}
	first := over[0]
	byName := slices.SortedFunc(slices.Values(slices.Concat(first.open, first.selectedBy)),
		func(a, b *entry) int { return cmp.Compare(a.Name, b.Name) })
	text := fmt.Sprintf("%s may read %s actions secrets of %s, but GitHub gives a workflow only the first %d by name: "+
		"the others, from %s on, are empty there", first.FullName, secret.FormatCount(first.count()), d.Org, maxSecrets,
		byName[maxSecrets].Name)
	return note{text, todo + "Select fewer repositories for them, or delete secrets that nobody uses."}
}
