// Package secret defines the types that the other packages share: Name, Value, Store, Visibility, Access, Existing,
// Result, Mode and Error.
//
// Parsing validates: a Name or a Visibility that was parsed is a legal one. A [Value] prints as [redacted] whichever
// way it is printed; [Value.Reveal] is the only way to its bytes, and a test lists who may call it. This package does
// no I/O.
package secret

import (
	"errors"
	"fmt"
	"strings"
)

// Name is the name of an organization secret, in upper case, as GitHub stores it.
type Name string

// ParseName validates s by GitHub's rules: letters, digits and underscores, no leading digit, no GITHUB_ prefix in
// any case. The error quotes s, and suggests a legal name if there is one.
//
// https://docs.github.com/en/actions/reference/security/secrets#naming-your-secrets
func ParseName(s string) (Name, error) {
	if s == "" {
		return "", errors.New("empty")
	}
	var problem string
	switch {
	case s[0] >= '0' && s[0] <= '9':
		problem = "starts with a digit"
	case strings.HasPrefix(strings.ToUpper(s), "GITHUB_"):
		problem = "starts with GITHUB_, which GitHub reserves"
	}
	for _, r := range s {
		if !nameRune(r) {
			problem = "has characters other than letters, digits and _"
		}
	}
	if problem != "" {
		if legal := legalName(s); legal != "" {
			return "", fmt.Errorf("%q %s; %s would be legal", s, problem, legal)
		}
		return "", fmt.Errorf("%q %s", s, problem)
	}
	return Name(strings.ToUpper(s)), nil
}

func nameRune(r rune) bool {
	return r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
}

// legalName returns a legal name that resembles s, or "" if no letter or digit of it can be used.
func legalName(s string) string {
	legal := strings.Map(func(r rune) rune {
		if nameRune(r) {
			return r
		}
		return '_'
	}, strings.ToUpper(s))
	for strings.HasPrefix(legal, "GITHUB_") {
		legal = strings.TrimPrefix(legal, "GITHUB_")
	}
	if legal != "" && legal[0] >= '0' && legal[0] <= '9' {
		legal = "_" + legal
	}
	if strings.Trim(legal, "_") == "" {
		return ""
	}
	return legal
}
