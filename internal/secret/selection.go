package secret

import (
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Selection is the list of repositories that was asked for, before names are
// looked up. All names are bare, without the organization, in lower case.
type Selection struct {
	IDs      []int64
	Names    []string
	Patterns []Pattern // globs that take in
	Excluded []Pattern // names and globs that leave out, taken away last
}

// Pattern matches bare names of repositories; case does not count.
type Pattern struct {
	Text string // as it was given, for messages
	Glob string // in lower case
}

// Plain reports whether the pattern is one name and no glob.
func (p Pattern) Plain() bool { return !strings.ContainsAny(p.Glob, `*?[{\`) }

// Valid reports whether the pattern can be matched at all.
func (p Pattern) Valid() bool {
	return doublestar.ValidatePattern(p.Glob) && !strings.Contains(p.Glob, "/")
}

// Match reports whether a name ("repo" or "org/repo") matches.
func (p Pattern) Match(name string) bool {
	bare := name[strings.LastIndex(name, "/")+1:]
	return doublestar.MatchUnvalidated(p.Glob, strings.ToLower(bare))
}
