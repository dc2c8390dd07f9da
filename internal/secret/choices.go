package secret

import (
	"fmt"
	"strings"
)

// Store is one of GitHub's stores of organization secrets, each with its own public key. It is a segment of a path.
type Store string

// The stores.
const (
	Actions    Store = "actions"
	Dependabot Store = "dependabot"
	Codespaces Store = "codespaces"
	Agents     Store = "agents"
)

// ParseStore validates the name of a store; case does not count.
func ParseStore(s string) (Store, error) {
	return oneOf(s, []Store{Actions, Dependabot, Codespaces, Agents})
}

// Visibility is which repositories of the organization may read a secret.
type Visibility string

// The visibilities.
const (
	All      Visibility = "all"
	Private  Visibility = "private"
	Selected Visibility = "selected"
)

// ParseVisibility validates a visibility; case does not count.
func ParseVisibility(s string) (Visibility, error) {
	return oneOf(s, []Visibility{All, Private, Selected})
}

// Text names the visibility, with the length of its list of repositories if it has one.
func (v Visibility) Text(repositories int) string {
	if v == Selected {
		return string(v) + ", " + Count(repositories, "repository")
	}
	return string(v)
}

// oneOf returns the choice that s names. The error lists all choices.
func oneOf[T ~string](s string, choices []T) (T, error) {
	names := make([]string, len(choices))
	for i, c := range choices {
		if strings.EqualFold(s, string(c)) {
			return c, nil
		}
		names[i] = string(c)
	}
	last := len(names) - 1
	return "", fmt.Errorf("must be %s or %s, not %s", strings.Join(names[:last], ", "), names[last],
		Quote(s))
}

// Mode is the kind of a run.
type Mode string

// The modes, in the order in which messages name them.
const (
	ModeSet    Mode = "set"    // seal the values and store them
	ModeSeal   Mode = "seal"   // seal the values and output them
	ModeCheck  Mode = "check"  // read which secrets exist and how old they are
	ModeAccess Mode = "access" // change the lists of selected repositories
)

// ListChange is how mode access changes a list of selected repositories.
type ListChange string

// The changes, in the order in which messages name them.
const (
	ListReplace ListChange = "replace"
	ListAdd     ListChange = "add"
	ListRemove  ListChange = "remove"
)

// ParseListChange validates the name of a change; case does not count.
func ParseListChange(s string) (ListChange, error) {
	return oneOf(s, []ListChange{ListReplace, ListAdd, ListRemove})
}

// Writes reports whether the mode writes to GitHub.
func (m Mode) Writes() bool { return m == ModeSet || m == ModeAccess }

// ParseMode validates the name of a mode; case does not count.
func ParseMode(s string) (Mode, error) {
	return oneOf(s, []Mode{ModeSet, ModeSeal, ModeCheck, ModeAccess})
}
