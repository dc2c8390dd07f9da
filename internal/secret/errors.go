package secret

import (
	"errors"
	"fmt"
	"time"
)

// Sentinel errors shared between packages; match them with errors.Is.
var (
	// ErrUnprocessable is GitHub's 422: the value, its key or the list of repositories was rejected.
	ErrUnprocessable = errors.New("unprocessable")
	// ErrOutcomeUnknown says that a write was sent and got no response, so that GitHub may or may not have applied
	// it.
	ErrOutcomeUnknown = errors.New("outcome unknown")
	// ErrNotFound is GitHub's 404: missing, or not visible to the token.
	ErrNotFound = errors.New("not found")
	// ErrKeyRotated says that GitHub cannot open a sealed value any more, because it was sealed to an earlier key.
	ErrKeyRotated = errors.New("sealed to an earlier key")
	// ErrInterrupted says that a signal ended the run.
	ErrInterrupted = errors.New("interrupted")
)

// Error is a failure with what a reader needs to act on it. It may contain text from GitHub: sanitize it before
// printing.
type Error struct {
	Op      string // what was attempted, verb first: "put secret"; may be empty
	Problem string // the fact in one line: "403 Resource not accessible by integration"
	Cause   string // why this may be, in sentences; may be empty
	Hint    string // what to do, in sentences; may be empty

	RequestID string        // GitHub's; empty without a response
	Attempts  int           // requests sent, retries included; 0 if none was
	Elapsed   time.Duration // from the first error to the last attempt

	// Is lists the sentinel errors that the error matches.
	Is []error
}

// Error returns the operation, the problem and, after retries, how many attempts were made. Cause, Hint and RequestID
// are shown separately.
func (e *Error) Error() string {
	text := e.Fact()
	if e.Attempts > 1 {
		text += fmt.Sprintf(", %d attempts in %s", e.Attempts, FormatDuration(e.Elapsed))
	}
	return text
}

// Fact returns the operation and the problem, which are the same for all requests that fail for one reason.
func (e *Error) Fact() string {
	if e.Op == "" {
		return e.Problem
	}
	return e.Op + ": " + e.Problem
}

// Unwrap returns the sentinel errors.
func (e *Error) Unwrap() []error { return e.Is }
