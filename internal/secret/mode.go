package secret

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
