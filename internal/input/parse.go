package input

import (
	"cmp"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"set-org-secret/internal/secret"
)

// splitList splits at commas and newlines, but not at commas in braces: {a,b}-* is one glob. Empty entries are
// dropped. A JSON array of strings or numbers is a list too.
func splitList(s string) ([]string, error) {
	var array []json.RawMessage
	switch err := json.Unmarshal([]byte(s), &array); {
	case err == nil && array != nil: // null is a name
		return arrayEntries(array)
	case isBrokenArray(s):
		return nil, errNotList
	}
	depth := 0
	fields := strings.FieldsFunc(s, func(r rune) bool {
		switch r {
		case '{':
			depth++
		case '}':
			depth = max(depth-1, 0)
		case '\n', '\r':
			depth = 0
			return true
		case ',':
			return depth == 0
		}
		return false
	})
	list := withoutEmpty(fields)
	for _, entry := range list {
		if entry == "-" || strings.HasPrefix(entry, "- ") {
			return nil, errors.New(`must be separated by commas or newlines; write a YAML list without its "- "`)
		}
	}
	return list, nil
}

var errNotList = errors.New("must be separated by commas or newlines, or a JSON array of strings or numbers")

// arrayEntries returns the strings of a JSON array, and its numbers digit by digit.
func arrayEntries(array []json.RawMessage) (list []string, err error) {
	for _, raw := range array {
		entry, isString := unquoteJSON(raw)
		if !isString {
			entry = string(raw)
		}
		if !isString && !strings.Contains("-0123456789", entry[:1]) {
			return nil, errNotList
		}
		list = append(list, entry)
	}
	return withoutEmpty(list), nil
}

// isBrokenArray reports whether s is meant to be a JSON array. Globs can start with a bracket as well: [abc], or
// [ab]*, [cd].
func isBrokenArray(s string) bool {
	inner, isOpen := strings.CutPrefix(strings.TrimSpace(s), "[")
	inner, isClosed := strings.CutSuffix(inner, "]")
	isGlob := strings.ContainsAny(inner, "[]") || !strings.ContainsAny(inner, "\"', {}")
	return isOpen && !isGlob && (isClosed || strings.HasPrefix(strings.TrimSpace(inner), `"`))
}

// withoutEmpty trims the entries of a list, and drops those that are empty.
func withoutEmpty(fields []string) (list []string) {
	for _, f := range fields {
		if f = strings.TrimSpace(f); f != "" {
			list = append(list, f)
		}
	}
	return list
}

// parseInput parses an input that is set or has a default.
func parseInput[T any](r *reader, name string, parse func(string) (T, error)) (v T) {
	s := r.get(name)
	if s == "" {
		return v
	}
	v, err := parse(s)
	r.reject(name, err)
	return v
}

// parseList parses each entry of a list. An entry that is listed twice is a problem.
func parseList[T comparable](r *reader, input string, parse func(string) (T, error)) (list []T) {
	entries, err := splitList(r.get(input))
	r.reject(input, err)
	seen := map[T]bool{}
	for _, s := range entries {
		v, err := parse(s)
		switch {
		case err != nil:
			r.reject(input, err)
		case seen[v]:
			r.problemf(input, "%v is listed twice (names are case-insensitive)", v)
		default:
			seen[v] = true
			list = append(list, v)
		}
	}
	return list
}

func parseBool(s string) (bool, error) {
	isTrue := strings.EqualFold(s, "true")
	if !isTrue && !strings.EqualFold(s, "false") {
		return false, fmt.Errorf("must be true or false, not %s", secret.Quote(s))
	}
	return isTrue, nil
}

// days is the beginning of a duration with days.
var days = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)d`)

// parseDuration parses a Go duration that may begin with days of 24 hours: "1d12h".
func parseDuration(s string) (time.Duration, error) {
	var sum time.Duration
	rest := s
	if match := days.FindStringSubmatch(s); match != nil {
		n, _ := strconv.ParseFloat(match[1], 64) // infinite if it is too large
		if n > 36500 {
			return 0, fmt.Errorf("must be at most 36500d, not %s", secret.Quote(s))
		}
		sum, rest = time.Duration(n*24*float64(time.Hour)), cmp.Or(s[len(match[0]):], "0")
	}
	d, err := time.ParseDuration(rest)
	if err != nil {
		return 0, fmt.Errorf("must be a duration such as 90s, 5m, 12h or 30d, not %s", secret.Quote(s))
	}
	return sum + d, nil
}

// positive returns a parser of durations that are longer than zero.
func positive(example string) func(string) (time.Duration, error) {
	return func(s string) (time.Duration, error) {
		d, err := parseDuration(s)
		if err == nil && d <= 0 {
			err = errors.New("must be greater than zero, for example " + example)
		}
		return d, err
	}
}

// safeSegment reports whether s is safe as one segment of a URL's path: the letters, digits, hyphens and underscores of
// logins, and the dots of repository names.
func safeSegment(s string) bool {
	return len(s) <= 100 && strings.Trim(s, ".") != "" && secret.HasOnly(s, "-.")
}

func (r *reader) org() string {
	s := r.get("org")
	switch {
	case s == "":
		r.problemf("org", "required: the login of the organization")
	case !safeSegment(s):
		r.problemf("org", "must be the login of an organization, as in https://github.com/LOGIN, not %s",
			secret.Quote(s))
	}
	return s
}

// token reads the token and masks it, also if it was pasted in quotes.
func (r *reader) token() string {
	s := r.get("token")
	r.result.Masks.Add(s)
	r.result.Masks.Add(strings.Trim(s, quotes))
	return parseInput(r, "token", parseToken)
}

// parseToken rejects what cannot be sent in a header, without showing it.
//
// https://www.rfc-editor.org/rfc/rfc9110#name-credentials has the characters, as token68.
func parseToken(s string) (string, error) {
	switch {
	case s == "***":
		return "", errors.New(`is "***": the token was masked before it reached this action; write ${{ secrets.NAME }}`)
	case !secret.HasOnly(s, "-.~+/="):
		return "", errors.New("contains characters that no token has, such as whitespace, quotes or a colon; " +
			"check that only the token was pasted")
	}
	return s, nil
}

func parseAPIURL(s string) (*url.URL, error) {
	const form = "must have the form https://HOST or https://HOST/api/v3"
	u, err := url.Parse(s)
	if err != nil {
		return nil, errors.New(form) // url.Parse quotes its input, credentials included
	}
	loopback := u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback()
	switch {
	case u.User != nil:
		return nil, errors.New("must not contain credentials; use the input token")
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, fmt.Errorf("%s, not %s", form, secret.Quote(s))
	case u.Scheme == "http" && !loopback:
		return nil, fmt.Errorf("must be https, because the token is sent there, not %s", secret.Quote(s))
	case strings.ContainsAny(s, "?#"):
		return nil, errors.New(form + ", without query or fragment")
	case strings.Contains(s, "%") || strings.Contains(u.Path, ".."):
		return nil, fmt.Errorf("must not have .. or %% in its path: %s", secret.Quote(s))
	}
	u.Path = strings.TrimRight(u.Path, "/") + "/"
	return u, nil
}

// caCertificates parses PEM text, or reads it from a file.
func (r *reader) caCertificates(s string) (certs []*x509.Certificate, err error) {
	text := []byte(s)
	if !strings.Contains(s, "-----BEGIN") {
		if text, err = r.readFile(s, 1<<20); err != nil {
			return nil, fmt.Errorf("must be PEM text or a readable file: %w", err)
		}
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, errors.New("contains a PEM block that is not a CERTIFICATE; do not put private keys here")
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d cannot be parsed", len(certs)+1)
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, errors.New("contains no PEM certificate")
	}
	return certs, nil
}
