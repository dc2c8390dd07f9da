package secret

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Repository is a repository of the organization. FullName ("org/repo") is empty if only the id was given.
type Repository struct {
	ID       int64  `json:"id"` // the tags are those of GitHub's API
	FullName string `json:"full_name"`
	Private  bool   `json:"private"` // or internal; false if only the id was given
}

// Name returns the name without the organization.
func (r Repository) Name() string { return r.FullName[strings.LastIndex(r.FullName, "/")+1:] }

// String returns the full name, or "repository ID" if only the id is known.
func (r Repository) String() string {
	if r.FullName != "" {
		return r.FullName
	}
	return fmt.Sprintf("repository %d", r.ID)
}

// Access is who may read a secret: a visibility and, for Selected, a list of repositories. The list may be empty.
type Access struct {
	Visibility   Visibility
	Repositories []Repository
}

// IDs returns the ids of the selected repositories, ascending, each once. It is never nil: GitHub gets [], not null.
func (a Access) IDs() []int64 {
	ids := []int64{}
	for _, r := range a.Repositories {
		ids = append(ids, r.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Equal reports whether both accesses are the same.
func (a Access) Equal(other Access) bool {
	return a.Visibility == other.Visibility && slices.Equal(a.IDs(), other.IDs())
}

// Existing is one secret as it was read from GitHub.
type Existing struct {
	Name                 Name
	Exists               bool
	CreatedAt, UpdatedAt time.Time // in whole seconds
	Reading
	Access  Access   // has the repositories only if Listed
	Listed  bool     // the list of repositories was read as well
	Hidden  int      // the number of selected repositories that the token cannot see; Access lacks them
	Unknown []string // sorted names of properties that GitHub shows but this version does not know
	Err     error    // why the secret, or its list of repositories, could not be read
}

// Reading has the times of a read.
type Reading struct {
	ReadAt, ReceivedAt time.Time // of the request and the response, by our clock; zero if nothing was read
	Date               time.Time // of the response, by GitHub's own clock; zero if the response has no date
}

// Change is the effect of a write on the access of an existing secret.
type Change struct {
	From, To       Visibility // From is empty for a new secret, and if the existing one was not read
	Added, Removed []Repository
	Hidden         int // the number of removed repositories that the token cannot see
}

// Any reports whether access changes at all.
func (c Change) Any() bool {
	return c.From != "" && c.From != c.To || len(c.Added) > 0 || len(c.Removed) > 0 || c.Hidden > 0
}

// Diff returns the change of an existing secret to a new access. Added and Removed are sorted by name.
func Diff(existing Existing, access Access) Change {
	before, after := existing.Access.Repositories, access.Repositories
	return Change{
		From: existing.Access.Visibility, To: access.Visibility, Hidden: existing.Hidden,
		Added: without(after, before), Removed: without(before, after),
	}
}

func without(list, others []Repository) []Repository {
	rest := map[int64]Repository{}
	for _, r := range list {
		rest[r.ID] = r
	}
	for _, r := range others {
		delete(rest, r.ID)
	}
	return slices.SortedFunc(maps.Values(rest), func(a, b Repository) int {
		return cmp.Or(cmp.Compare(a.FullName, b.FullName), cmp.Compare(a.ID, b.ID))
	})
}
