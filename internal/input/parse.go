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
	"slices"
	"strconv"
	"strings"
	"time"

	"set-org-secret/internal/secret"
)

// splitList splits at commas and newlines, but not at commas in braces: {a,b}-* is one glob. It drops empty entries.
func splitList(s string) ([]string, error) {
	var array []json.RawMessage
	if err := json.Unmarshal([]byte(s), &array); err == nil && array != nil { // null is a name
		return arrayEntries(array)
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
	isNoEntry := func(entry string) bool { // a part of YAML or of invalid JSON
		return entry == "-" || strings.HasPrefix(entry, "- ") || entry[0] == '[' && !strings.Contains(entry, "]")
	}
	if slices.ContainsFunc(list, isNoEntry) {
		return nil, errNotList
	}
	return list, nil
}

var errNotList = errors.New(`must be separated by commas or newlines, without the "- " of YAML, or be a JSON array ` +
	"of strings or numbers")

// arrayEntries returns the strings of a JSON array, and its numbers as written; or errNotList if it has other items.
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

func withoutEmpty(fields []string) (list []string) {
	for _, f := range fields {
		if f = strings.TrimSpace(f); f != "" {
			list = append(list, f)
		}
	}
	return list
}

// parseInput parses an input or its default. If both are empty, it returns the zero value.
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

func parseMode(s string) (secret.Mode, error) {
	mode, err := secret.ParseMode(s)
	if err != nil && strings.Contains(strings.ToLower(s), "dry") {
		err = fmt.Errorf("%w; for a run that writes nothing set dry_run: true, and remove mode", err)
	}
	return mode, err
}

func parseBool(s string) (bool, error) {
	choice, err := secret.OneOf("true", "false")(s)
	return choice == "true", err
}

var days = re(`^([0-9]+(?:\.[0-9]+)?)d`)

// parseDuration parses a Go duration longer than zero, which may begin with days of 24 hours: "1d12h".
func parseDuration(s string) (time.Duration, error) {
	var sum time.Duration
	rest := s
	if match := days().FindStringSubmatch(s); match != nil {
		n, _ := strconv.ParseFloat(match[1], 64) // infinite if it is too large
		if n > 36500 {
			return 0, fmt.Errorf("must be at most 36500d, not %s", secret.Quote(s))
		}
		sum, rest = time.Duration(n*24*float64(time.Hour)), cmp.Or(s[len(match[0]):], "0")
	}
	d, err := time.ParseDuration(rest)
	if sum += d; err != nil || sum <= 0 {
		return 0, fmt.Errorf("must be a duration longer than zero, such as 90s, 5m, 12h or 30d, not %s",
			secret.Quote(s))
	}
	return sum, nil
}

// safeSegment reports whether s may be a login or the name of a repository, as one segment of a URL's path.
func safeSegment(s string) bool {
	return len(s) <= 100 && strings.Trim(s, ".") != "" && secret.HasOnly(s, "-.")
}

func (r *reader) org() string {
	s := r.get("org")
	if !safeSegment(s) {
		r.problemf("org", "must be the login of an organization, as in https://github.com/LOGIN, not %s",
			secret.Quote(s))
	}
	return s
}

// token reads the token. It masks the token as written, without quotes around it, and in lower case.
func (r *reader) token() string {
	s := r.get("token")
	r.result.Masks.Add(s)
	r.result.Masks.Add(strings.Trim(s, quotes))
	r.result.Masks.Add(strings.ToLower(strings.Trim(s, quotes)))
	return parseInput(r, "token", parseToken)
}

// privateKey is in the first line of every private key in PEM.
const privateKey = "PRIVATE KEY-----"

// parseToken rejects text that cannot be the token in a header. Its errors do not quote the text.
//
// https://www.rfc-editor.org/rfc/rfc9110#name-credentials calls the allowed characters token68.
func parseToken(s string) (string, error) {
	switch {
	case s == "***":
		return "", errors.New(`is "***": the token was masked before it reached this action; write ${{ secrets.NAME }}`)
	case strings.Contains(s, privateKey):
		return "", errors.New("is a private key; make a token of it in an earlier step, with " +
			"actions/create-github-app-token")
	case !secret.HasOnly(s, "-.~+/="):
		return "", errors.New("contains characters that no token has, such as whitespace, quotes or a colon; " +
			"check that only the token was pasted")
	}
	return s, nil
}

func parseAPIURL(s string) (*url.URL, error) {
	const form = "must have the form https://HOST or https://HOST/api/v3, without credentials, query, .. and %"
	u, err := url.Parse(s)
	if err != nil || u.User != nil || strings.ContainsAny(s, "?#") {
		return nil, errors.New(form) // without the URL, which may hold a credential
	}
	isLoopback := u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback()
	switch {
	case strings.Contains(u.Path+"/", "/api/v1/"):
		return nil, errors.New("is that of Gitea or Forgejo (/api/v1), which have no sealed secrets; this action " +
			"works with GitHub only")
	case u.Scheme == "http" && !isLoopback:
		return nil, fmt.Errorf("must be https, because the token is sent there, not %s", secret.Quote(s))
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", strings.Contains(s, "%"),
		strings.Contains(u.Path, ".."):
		return nil, fmt.Errorf("%s, not %s", form, secret.Quote(s))
	}
	u.Path = strings.TrimRight(u.Path, "/") + "/"
	return u, nil
}

// caCertificates parses s as PEM text, or as the path of a file with PEM text.
func (r *reader) caCertificates(s string) (certs []*x509.Certificate, err error) {
	text := []byte(s)
	if !strings.Contains(s, "-----BEGIN") {
		if text, err = r.readFile(s, 1<<20); err != nil {
			return nil, fmt.Errorf("must be PEM text, from -----BEGIN CERTIFICATE----- on, or a readable file: %w", err)
		}
	}
	if strings.Contains(string(text), privateKey) {
		r.result.Masks.Add(string(text))
		return nil, errors.New("contains a private key; remove it, since only certificates belong here")
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil || block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("block %d is not a certificate; %w", len(certs)+1, errNotPEM)
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, errNotPEM
	}
	return certs, nil
}

var errNotPEM = errors.New("only certificates as PEM are accepted, with -----BEGIN CERTIFICATE----- on a line of its " +
	"own. Convert DER: openssl x509 -inform der -in FILE -out ca.pem. Convert PKCS#7: openssl pkcs7 -print_certs -in " +
	"FILE -out ca.pem, with -inform der if FILE is binary")
