package secret

import (
	"fmt"
	"strings"
)

// Store is one of GitHub's stores of organization secrets, each with its own public key. The API's paths contain it.
type Store string

const (
	Actions    Store = "actions"
	Dependabot Store = "dependabot"
	Codespaces Store = "codespaces"
	Agents     Store = "agents"
)

// Visibility is the kind of repositories that may read a secret: all, private and internal ones, or selected ones.
type Visibility string

const (
	All      Visibility = "all"
	Private  Visibility = "private"
	Selected Visibility = "selected"
)

// Text names the visibility, with the length of its list of repositories if it has one.
func (v Visibility) Text(repositories int) string {
	if v == Selected {
		return string(v) + ", " + Count(repositories, "repository")
	}
	return string(v)
}

// Mode is the kind of a run.
type Mode string

// Writes reports whether the mode writes to GitHub.
func (m Mode) Writes() bool { return m == ModeSet || m == ModeAccess }

const (
	ModeSet    Mode = "set"    // seal the values and store them
	ModeSeal   Mode = "seal"   // seal the values and output them
	ModeCheck  Mode = "check"  // read which secrets exist and how old they are
	ModeAccess Mode = "access" // change the lists of selected repositories
)

// ListChange is how mode access changes a list of selected repositories.
type ListChange string

const (
	ListReplace ListChange = "replace"
	ListAdd     ListChange = "add"
	ListRemove  ListChange = "remove"
)

// The parsers of choices ignore case. Their errors list the choices in this order.
var (
	ParseStore      = OneOf(Actions, Dependabot, Codespaces, Agents)
	ParseVisibility = OneOf(All, Private, Selected)
	ParseMode       = OneOf(ModeSet, ModeSeal, ModeCheck, ModeAccess)
	ParseListChange = OneOf(ListReplace, ListAdd, ListRemove)
)

// OneOf returns a parser, whose error lists all choices.
func OneOf[T ~string](choices ...T) func(string) (T, error) {
	return func(s string) (T, error) {
		names := make([]string, len(choices))
		for i, c := range choices {
			if strings.EqualFold(s, string(c)) {
				return c, nil
			}
			names[i] = string(c)
		}
		last := len(names) - 1
		return "", fmt.Errorf("must be %s or %s, not %s", strings.Join(names[:last], ", "), names[last], Quote(s))
	}
}
