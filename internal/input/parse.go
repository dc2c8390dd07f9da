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
	"strconv"
	"strings"
	"time"

	"set-org-secret/internal/secret"
)

// splitList splits at commas and newlines, but not at commas in braces: {a,b}-* is one glob. Empty entries are
// dropped. A JSON array of strings or numbers is a list too.
func splitList(s string) ([]string, error) {
	if list, ok, err := jsonList(s); ok || err != nil {
		return list, err
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

// jsonList returns the entries of a JSON array. ok is false if s is none: a glob can start with a bracket as well.
func jsonList(s string) (list []string, ok bool, err error) {
	inner, isOpen := strings.CutPrefix(strings.TrimSpace(s), "[")
	inner, isClosed := strings.CutSuffix(inner, "]")
	if !isOpen || !isClosed && !strings.HasPrefix(strings.TrimSpace(inner), `"`) {
		return nil, false, nil
	}
	var entries []json.RawMessage
	if json.Unmarshal([]byte(s), &entries) != nil {
		if strings.ContainsAny(inner, "[]") || !strings.ContainsAny(inner, "\"', {}") {
			return nil, false, nil // globs: [abc], or [ab]*, [cd]
		}
		return nil, false, errNotList
	}
	for _, raw := range entries {
		var entry string
		if json.Unmarshal(raw, &entry) != nil || raw[0] != '"' {
			entry = string(raw) // a number, digit by digit
			if c := raw[0]; c != '-' && (c < '0' || c > '9') {
				return nil, false, errNotList
			}
		}
		list = append(list, entry)
	}
	return withoutEmpty(list), true, nil
}

var errNotList = errors.New("must be separated by commas or newlines, or a JSON array of strings or numbers")

// withoutEmpty trims the entries of a list, and drops those that are empty.
func withoutEmpty(fields []string) (list []string) {
	for _, f := range fields {
		if f = strings.TrimSpace(f); f != "" {
			list = append(list, f)
		}
	}
	return list
}

// parseList parses each entry of a list. An entry that is listed twice is a problem.
func parseList[T comparable](r *reader, input string, parse func(string) (T, error)) []T {
	var list []T
	seen := map[T]bool{}
	entries, err := splitList(r.get(input))
	if err != nil {
		r.problemf(input, "%v", err)
	}
	for _, s := range entries {
		v, err := parse(s)
		switch {
		case err != nil:
			r.problemf(input, "%v", err)
		case seen[v]:
			r.problemf(input, "%v is listed twice (names are case-insensitive)", v)
		default:
			seen[v] = true
			list = append(list, v)
		}
	}
	return list
}

func (r *reader) boolean(name string) bool {
	s := r.get(name)
	if !strings.EqualFold(s, "true") && !strings.EqualFold(s, "false") {
		r.problemf(name, "must be true or false, not %s", secret.Quote(s))
	}
	return strings.EqualFold(s, "true")
}

// parseDuration parses a Go duration that may begin with days of 24 hours: "1d12h".
func parseDuration(s string) (time.Duration, error) {
	var sum time.Duration
	number, rest, ok := strings.Cut(s, "d")
	if ok && strings.Trim(number, "0123456789.") == "" && strings.Trim(number, ".") == number {
		switch n, err := strconv.ParseFloat(number, 64); {
		case n > 36500:
			return 0, fmt.Errorf("must be at most 36500d, not %s", secret.Quote(s))
		case err == nil:
			sum, s = time.Duration(n*24*float64(time.Hour)), cmp.Or(rest, "0")
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("must be a duration such as 90s, 5m, 12h or 30d, not %s", secret.Quote(s))
	}
	return sum + d, nil
}

// duration reads a duration that is longer than zero.
func (r *reader) duration(name, example string) time.Duration {
	d, err := parseDuration(r.get(name))
	if err == nil && d <= 0 {
		err = errors.New("must be greater than zero, for example " + example)
	}
	if err != nil {
		r.problemf(name, "%v", err)
	}
	return d
}

// isWordRune reports whether a character is an ASCII letter or digit, a hyphen or an underscore.
func isWordRune(c rune) bool { return c == '-' || secret.IsWordRune(c) }

// safeSegment reports whether s is safe as one segment of a URL's path: the letters, digits, hyphens and underscores of
// logins, and the dots of repository names.
func safeSegment(s string) bool {
	other := func(c rune) bool { return !isWordRune(c) && c != '.' }
	return len(s) <= 100 && strings.Trim(s, ".") != "" && !strings.ContainsFunc(s, other)
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

// token reads the token and masks it. It is sent in a header: other characters were pasted by mistake. It
// is never printed.
//
// https://www.rfc-editor.org/rfc/rfc9110#name-credentials has the characters, as token68.
func (r *reader) token() string {
	s := r.get("token")
	if s == "" {
		return ""
	}
	r.result.Masks.Add([]byte(s))
	r.result.Masks.Add([]byte(strings.Trim(s, "\"'`")))
	other := func(c rune) bool { return !isWordRune(c) && !strings.ContainsRune(".~+/=", c) }
	switch {
	case s == "***":
		r.problemf("token", `is "***": the token was masked before it reached this action; write ${{ secrets.NAME }}`)
	case strings.ContainsFunc(s, other):
		r.problemf("token", "contains characters that no token has, such as whitespace, quotes or a colon; "+
			"check that only the token was pasted")
	default:
		return s
	}
	return ""
}

func (r *reader) apiURL() *url.URL {
	s := r.get("api_url")
	u, err := url.Parse(s)
	if err != nil {
		// url.Parse quotes its input, credentials included.
		r.problemf("api_url", "must have the form https://HOST or https://HOST/api/v3")
		return nil
	}
	loopback := u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback()
	switch {
	case u.User != nil:
		r.problemf("api_url", "must not contain credentials; use the input token")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Hostname() == "":
		r.problemf("api_url", "must have the form https://HOST or https://HOST/api/v3, not %s", secret.Quote(s))
	case u.Scheme == "http" && !loopback:
		r.problemf("api_url", "must be https, because the token is sent there, not %s", secret.Quote(s))
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(s, "#"):
		r.problemf("api_url", "must have the form https://HOST or https://HOST/api/v3, without query or fragment")
	case strings.Contains(s, "%") || strings.Contains(u.Path, ".."):
		r.problemf("api_url", "must not have .. or %% in its path: %s", secret.Quote(s))
	default:
		u.Path = strings.TrimRight(u.Path, "/") + "/"
		return u
	}
	return nil
}

func (r *reader) caCertificate() []*x509.Certificate {
	text := []byte(r.get("ca_certificate"))
	if len(text) == 0 {
		return nil
	}
	if !strings.Contains(string(text), "-----BEGIN") {
		var err error
		if text, err = r.readFile(string(text), 1<<20); err != nil {
			r.problemf("ca_certificate", "must be PEM text or a readable file: %v", err)
			return nil
		}
	}
	var certs []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			r.problemf("ca_certificate", "contains a PEM block that is not a CERTIFICATE; do not put private keys here")
			return nil
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			r.problemf("ca_certificate", "certificate %d cannot be parsed", len(certs)+1)
			return nil
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		r.problemf("ca_certificate", "contains no PEM certificate")
	}
	return certs
}
