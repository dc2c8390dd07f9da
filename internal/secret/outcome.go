package secret

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// Operation is what became of one secret in one store, in the words of the
// action's outputs.
type Operation string

// Every operation that a row may tell.
const (
	Created     Operation = "created"
	Updated     Operation = "updated"
	Failed      Operation = "failed"       // refused, given up, or not tried
	Unknown     Operation = "unknown"      // the last try was sent and no answer came
	WouldCreate Operation = "would-create" // dry run
	WouldUpdate Operation = "would-update" // dry run
	SealedOnly  Operation = "sealed"
	Checked     Operation = "checked"
)

// Outcome is what became of one secret in one store. It carries no Value, so
// whoever reports it has none to leak.
type Outcome struct {
	Store     Store
	Name      Name
	Operation Operation
	Access    Access // as stored; where nothing was stored, as it would have been
	Change    Change
	KeyID     string
	PublicKey string
	// EncryptedValue is kept until it is known to be stored.
	EncryptedValue string
	Err            error
	Age            *Age
}

// Age is what mode check tells of a secret. Due may be true of a missing one.
type Age struct {
	Exists    bool
	UpdatedAt time.Time
	Age       time.Duration
	Due       bool
}

// What a station needs to know of another's failure, whatever else the error
// tells. They are matched with errors.Is.
var (
	// ErrUnprocessable is GitHub's 422: the value, or the key it was sealed to.
	ErrUnprocessable = errors.New("unprocessable")
	// ErrUnanswered says that a write was sent and no answer came, so that
	// nobody knows whether it took place.
	ErrUnanswered = errors.New("unanswered")
	// ErrNotFound is GitHub's 404: missing, or not visible to the token.
	ErrNotFound = errors.New("not found")
	// ErrOtherKey says that what came sealed can't be opened any more, since
	// GitHub has another key by now.
	ErrOtherKey = errors.New("sealed to another key")
	// ErrInterrupted says that a signal ended the run.
	ErrInterrupted = errors.New("interrupted")
)

// Join is errors.Join in one line, for where a line break would be shown as an
// escape.
func Join(errs ...error) error {
	errs = slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return err == nil })
	if len(errs) == 0 {
		return nil
	}
	return joined(errs)
}

type joined []error

func (j joined) Error() string {
	texts := make([]string, len(j))
	for i, err := range j {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (j joined) Unwrap() []error { return j }
