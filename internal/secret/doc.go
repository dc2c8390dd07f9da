// Package secret defines the types that the other packages share: Name, Value,
// Store, Visibility, Access, Existing, Result, Mode and Error.
//
// Parsing validates: a Name or a Visibility that was parsed is a legal one. A
// [Value] prints as [redacted] whichever way it is printed; [Value.Reveal] is the
// only way to its bytes, and a test lists who may call it. This package does no
// I/O.
package secret
