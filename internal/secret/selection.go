package secret

import (
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Selection has the repositories of the inputs. Names are without the organization. They keep their case, because the
// runner hides a masked text in its own case only.
type Selection struct {
	IDs      []int64
	Names    []string
	Patterns []Pattern // globs that include
	Excluded []Pattern // names and globs that exclude, applied last
}

// Pattern matches the names of repositories, without the organization; case does not count.
type Pattern struct {
	Text string // as given, for messages
	Glob string // without the organization
}

// Plain reports whether the pattern is a name, not a glob.
func (p Pattern) Plain() bool { return !strings.ContainsAny(p.Glob, `*?[{\`) }

// Match reports whether the pattern matches the name of a repository. Nothing matches an unknown name, not even *.
func (p Pattern) Match(r Repository) bool {
	return r.FullName != "" && doublestar.MatchUnvalidated(strings.ToLower(p.Glob), strings.ToLower(r.Name()))
}
