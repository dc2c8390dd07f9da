package secret

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Sentinel errors shared between packages; match them with errors.Is.
var (
	// ErrUnprocessable is GitHub's 422: the value, its key or the list of repositories was refused.
	ErrUnprocessable = errors.New("unprocessable")
	// ErrNotFound is GitHub's 404 without a redirect, or a repository moved to another owner: missing, or not visible.
	ErrNotFound = errors.New("not found")
	// ErrNotFromAPI says that a response came from a website, a proxy or a gateway, and not from GitHub's API.
	ErrNotFromAPI = errors.New("not from GitHub's API")
	// ErrConflict is GitHub's 409: the secret's visibility is not selected, so it has no list of repositories.
	ErrConflict = errors.New("conflict")
	// ErrCannotOpen says that GitHub cannot open a sealed value: it was sealed to another key than the current one.
	ErrCannotOpen = errors.New("GitHub cannot open the value")
	// ErrForeignKey says that a value was sealed to a key that is not GitHub's. The key's owner can read the value.
	ErrForeignKey = errors.New("sealed to a foreign key")
	// ErrPartial says that a list lacks entries that the token is not authorized for.
	ErrPartial = errors.New("partial list")
	// ErrInputs says that GitHub refuses a request until the inputs change its address or its list of repositories.
	ErrInputs = errors.New("inputs have to change")
	// ErrInterrupted says that a signal ended the run.
	ErrInterrupted = errors.New("interrupted")
)

// Error is a failure with its cause and a hint. It may contain text from GitHub: sanitize it before printing.
type Error struct {
	Op      string   // the operation, "writing the secret"; may be empty
	Problem string   // the fact in one line: "403 Resource not accessible by integration"
	Cause   string   // the likely reason, in sentences; may be empty
	Hint    string   // the first thing to do, in imperative sentences; may be empty
	Notes   []string // later facts, such as the state at GitHub after the failure

	RequestID string        // GitHub's; empty without a response
	Attempts  int           // requests sent, retries included; 0 if none was
	Elapsed   time.Duration // from the first error to the last attempt

	Is []error // the sentinel errors that it matches
}

// Error returns the operation, the problem, after retries the number of attempts, and the notes.
func (e *Error) Error() string {
	text := e.Fact()
	if e.Attempts > 1 {
		text += fmt.Sprintf(", %d attempts in %s", e.Attempts, FormatDuration(e.Elapsed))
	}
	return strings.Join(append([]string{text}, e.Notes...), "; ")
}

// Fact returns the operation and the problem. Requests that fail for the same reason have the same fact.
func (e *Error) Fact() string {
	if e.Op == "" {
		return e.Problem
	}
	return e.Op + ": " + e.Problem
}

// With returns a copy with another note.
func (e *Error) With(note string) *Error {
	copied := *e
	copied.Notes = append(slices.Clone(e.Notes), note)
	return &copied
}

// Unwrap returns the sentinel errors.
func (e *Error) Unwrap() []error { return e.Is }

// IsAny reports whether an error matches any of the sentinel errors.
func IsAny(err error, targets ...error) bool {
	return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
}

// AsError returns err as an Error. If err is no Error, or adds text to one, the whole text becomes the problem.
func AsError(err error) *Error {
	first, ok := errors.AsType[*Error](err)
	if ok && err.Error() == first.Error() {
		return first
	}
	// errors.Join puts each error on a line.
	all := &Error{Problem: strings.ReplaceAll(err.Error(), "\n", "; "), Is: []error{err}}
	if ok {
		all.Cause, all.Hint, all.RequestID = first.Cause, first.Hint, first.RequestID
	}
	return all
}
