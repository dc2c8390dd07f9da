package secret

import (
	"strings"
	"time"
)

// Operation is the result of a run for one secret in one store, in the words of the action's outputs.
type Operation string

const (
	Created     Operation = "created"
	Updated     Operation = "updated"
	Unchanged   Operation = "unchanged"    // mode access: nothing had to change
	Skipped     Operation = "skipped"      // the value was stored before, as the row of an earlier run says
	Failed      Operation = "failed"       // nothing took effect but the changes in Added and Removed
	Unknown     Operation = "unknown"      // an attempt may have taken effect, and nothing confirms it
	WouldCreate Operation = "would-create" // dry run
	WouldUpdate Operation = "would-update" // dry run
	SealedOnly  Operation = "sealed"
	Checked     Operation = "checked"
)

// Text is the operation as people say it: "would be created" for would-create.
func (o Operation) Text() string {
	if verb, ok := strings.CutPrefix(string(o), "would-"); ok {
		return "would be " + verb + "d"
	}
	return string(o)
}

// Result is the result for one secret in one store. It carries no Value, so that a report cannot leak one.
type Result struct {
	Store     Store
	Name      Name
	Operation Operation
	Access    Access // as stored; if nothing was stored, as it would have been
	Hidden    int    // the number of selected repositories that the token cannot see; Access lacks them
	Change    Change
	// Added and Removed are the confirmed changes of [ListAdd] and [ListRemove]; nil in other runs.
	Added, Removed []int64
	// Sealed has the key of the value, and the sealed value until the write is confirmed.
	Sealed
	Err   error
	Check *Check
}

// Sealed is a sealed value for GitHub's API.
type Sealed struct {
	KeyID          string `json:"key_id"`
	PublicKey      string `json:"public_key"`      // base64; may be empty if the input was already sealed
	EncryptedValue string `json:"encrypted_value"` // base64
}

// Stored reports whether GitHub has confirmed that the value, or the list of repositories, is stored.
func (r Result) Stored() bool { return r.Operation == Created || r.Operation == Updated }

// Failed reports whether the operation is failed or unknown, or Err is set: a stored value may have the wrong access.
func (r Result) Failed() bool { return r.Operation == Failed || r.Operation == Unknown || r.Err != nil }

// Check is the result of mode check for a secret.
type Check struct {
	Existing
	Age time.Duration // by GitHub's clock
	Due bool          // also true for a secret that does not exist
}
