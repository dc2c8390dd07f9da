package report

import (
	"cmp"
	"slices"

	"set-org-secret/internal/secret"
)

// reader is a repository, or every repository of a kind, which has no ID, with the secrets that it may read.
type reader struct {
	secret.Repository
	open, selectedBy []*entry // those open to every repository of its kind, and those that select it
}

func (r reader) count() int { return len(r.open) + len(r.selectedBy) }

// readersOf returns who may read secrets: each kind of repository, and the repositories that some secret selects,
// those with the most secrets first.
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
