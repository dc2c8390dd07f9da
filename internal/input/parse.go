package input

import (
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// quote returns text of a public input on one line of at most 80 characters.
func quote(s string) string {
	if r := []rune(s); len(r) > 80 {
		s = string(r[:80]) + "…"
	}
	return strconv.Quote(s)
}

// splitList splits at commas and newlines, but not at commas in braces: {a,b}-* is one glob. Empty entries are
// dropped.
func splitList(s string) []string {
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
	var list []string
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
	for _, s := range splitList(r.get(input)) {
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
		r.problemf(name, "must be true or false, not %s", quote(s))
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
			return 0, fmt.Errorf("must be at most 36500d, not %s", quote(s))
		case err == nil:
			sum, s = time.Duration(n*24*float64(time.Hour)), cmp.Or(rest, "0")
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("invalid duration %s: use a value such as 90s, 5m, 12h or 30d", quote(s))
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

// safeSegment reports whether s is safe as one segment of a URL's path: the letters, digits, hyphens and underscores of
// logins, and the dots of repository names.
func safeSegment(s string) bool {
	other := func(r rune) bool {
		return !strings.ContainsRune("_.-", r) && (r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r))
	}
	return len(s) <= 100 && strings.Trim(s, ".") != "" && !strings.ContainsFunc(s, other)
}

func (r *reader) org() string {
	s := r.get("org")
	switch {
	case s == "":
		r.problemf("org", "required: the login of the organization")
	case !safeSegment(s):
		r.problemf("org", "invalid organization login %s", quote(s))
	}
	return s
}

// token reads the token and masks it. It is sent in a header: anything but printable ASCII was pasted by mistake. It
// is never printed.
func (r *reader) token() string {
	s := r.get("token")
	if s == "" {
		return ""
	}
	r.result.Masks.Add([]byte(s))
	if strings.ContainsFunc(s, func(c rune) bool { return c > unicode.MaxASCII || !unicode.IsGraphic(c) || c == ' ' }) {
		r.problemf("token", "contains whitespace or invalid characters; check that only the token was pasted")
		return ""
	}
	if s == "***" || strings.HasPrefix(s, "${{") {
		r.problemf("token", "is a placeholder, not a token")
		return ""
	}
	return s
}

func (r *reader) apiURL() *url.URL {
	s := r.get("api_url")
	u, err := url.Parse(s)
	if err != nil {
		// url.Parse quotes its input, credentials included.
		r.problemf("api_url", "must be a URL")
		return nil
	}
	loopback := u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback()
	switch {
	case u.User != nil:
		r.problemf("api_url", "must not contain credentials; use the input token")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Hostname() == "":
		r.problemf("api_url", "must have the form https://HOST or https://HOST/api/v3, not %s", quote(s))
	case u.Scheme == "http" && !loopback:
		r.problemf("api_url", "must be https, because the token is sent there, not %s", quote(s))
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(s, "#"):
		r.problemf("api_url", "must not have a query or fragment")
	case strings.Contains(u.EscapedPath(), "%") || strings.Contains(u.Path, ".."):
		r.problemf("api_url", "must not have .. or %% in its path: %s", quote(s))
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
