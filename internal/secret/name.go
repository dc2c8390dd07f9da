// Package secret defines the types that the other packages share.
//
// Parsing validates: a parsed Name or Visibility is legal. Only [Value.Reveal] returns the bytes of a [Value]; a test
// lists its callers. This package does no I/O.
package secret

import (
	"errors"
	"fmt"
	"strings"
)

// Name is the name of an organization secret, in upper case, as GitHub stores it.
type Name string

// ParseName validates s by GitHub's rules. The error quotes s in its own case: if s is a masked text by mistake, the
// runner would not hide it in another case.
//
// https://docs.github.com/en/actions/reference/security/secrets#naming-your-secrets
func ParseName(s string) (Name, error) {
	switch {
	case s == "":
		return "", errors.New("empty")
	case !HasOnly(s, ""):
		return "", fmt.Errorf("must have only letters, digits and _, not %s", Quote(s))
	case s[0] >= '0' && s[0] <= '9':
		return "", fmt.Errorf("must start with a letter or _, not %s", Quote(s))
	case strings.HasPrefix(strings.ToUpper(s), "GITHUB_"):
		return "", fmt.Errorf("must not start with GITHUB_, which GitHub reserves: %s", Quote(s))
	}
	return Name(strings.ToUpper(s)), nil
}

// HasOnly reports whether s has only ASCII letters, digits, _ and the characters in also.
func HasOnly(s, also string) bool {
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"+also) == ""
}
