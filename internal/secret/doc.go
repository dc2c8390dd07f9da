// Package secret holds the nouns that every station of a run speaks in: Name,
// Value, Store, Visibility, Access and Outcome.
//
// Parsing is validating: who holds a Name or a Visibility holds a legal one. A
// Value prints as [redacted] whatever prints it; the one way to its bytes is
// Reveal, and a test lists who may call it. Nothing here does any I/O.
package secret
