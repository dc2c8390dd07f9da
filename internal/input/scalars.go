package input

import (
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// quote shows text of a public input, in one line and at most 80 characters.
func quote(s string) string {
	if r := []rune(s); len(r) > 80 {
		s = string(r[:80]) + "…"
	}
	return strconv.Quote(s)
}

// splitList splits at commas and newlines; commas within braces stay, since
// {a,b}-* is one glob. Empty entries fall away.
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

// parseList parses each entry of a list and refuses what stands in it twice.
func parseList[T comparable](r *reader, input string, parse func(string) (T, error)) []T {
	var list []T
	seen := map[T]bool{}
	for _, s := range splitList(r.get(input)) {
		v, err := parse(s)
		switch {
		case err != nil:
			r.fault(input, "%v", err)
		case seen[v]:
			r.fault(input, "%v stands twice (case does not count)", v)
		default:
			seen[v] = true
			list = append(list, v)
		}
	}
	return list
}

func (r *reader) boolean(name string) bool {
	switch s := r.get(name); strings.ToLower(s) {
	case "true":
		return true
	case "false":
	default:
		r.fault(name, "%s is neither true nor false", quote(s))
	}
	return false
}

// parseDuration reads a Go duration, with d for days of 24 hours before it.
func parseDuration(s string) (time.Duration, error) {
	var sum time.Duration
	number, rest, ok := strings.Cut(s, "d")
	if ok && strings.Trim(number, "0123456789.") == "" && strings.Trim(number, ".") == number {
		switch n, err := strconv.ParseFloat(number, 64); {
		case n > 36500:
			return 0, fmt.Errorf("%s is too long", quote(s))
		case err == nil:
			sum, s = time.Duration(n*24*float64(time.Hour)), cmp.Or(rest, "0")
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%s is no duration; write it like 90s, 5m, 12h or 30d", quote(s))
	}
	return sum + d, nil
}

func (r *reader) duration(name string) time.Duration {
	d, err := parseDuration(r.get(name))
	if err != nil {
		r.fault(name, "%v", err)
	}
	return d
}

// safeSegment reports whether s is safe as one segment of a URL's path. GitHub's
// logins have letters, digits and hyphens, those of managed users an underscore
// too; repository names have dots as well.
func safeSegment(s string) bool {
	foreign := func(r rune) bool {
		return !strings.ContainsRune("_.-", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}
	return len(s) <= 100 && !strings.ContainsFunc(s, foreign) && strings.Trim(s, ".") != ""
}

func (r *reader) org() string {
	s := r.get("org")
	switch {
	case s == "":
		r.fault("org", "missing: the organization's login")
	case !safeSegment(s):
		r.fault("org", "%s is not an organization's login", quote(s))
	}
	return s
}

// token reads the token and masks it. It travels in a header: anything but
// printable ASCII is a paste gone wrong, and is never shown.
func (r *reader) token() string {
	s := r.get("token")
	if s == "" {
		return ""
	}
	r.result.Masks.Add([]byte(s))
	if strings.ContainsFunc(s, func(c rune) bool { return c > unicode.MaxASCII || !unicode.IsGraphic(c) || c == ' ' }) {
		r.fault("token", "has white space or characters that no token has: it was pasted with something else")
		return ""
	}
	if s == "***" || strings.HasPrefix(s, "${{") {
		r.fault("token", "is a placeholder, not a token")
		return ""
	}
	return s
}

func (r *reader) apiURL() *url.URL {
	s := r.get("api_url")
	u, err := url.Parse(s)
	if err != nil {
		// url.Parse quotes what it was given, credentials included.
		r.fault("api_url", "not a URL")
		return nil
	}
	loopback := u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback()
	switch {
	case u.User != nil:
		r.fault("api_url", "has credentials in it; the token belongs in the input token")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Hostname() == "":
		r.fault("api_url", "%s is not of the form https://HOST or https://HOST/api/v3", quote(s))
	case u.Scheme == "http" && !loopback:
		r.fault("api_url", "%s is not https: the token would travel in the clear", quote(s))
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(s, "#"):
		r.fault("api_url", "has a query or a fragment, which an API's address has not")
	case strings.Contains(u.EscapedPath(), "%") || strings.Contains(u.Path, ".."):
		r.fault("api_url", "%s has an unusual path", quote(s))
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
			r.fault("ca_certificate", "neither PEM text nor a file that can be read: %v", err)
			return nil
		}
	}
	var certs []*x509.Certificate
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			r.fault("ca_certificate", "holds a block that is not a CERTIFICATE; a private key has no place here")
			return nil
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			r.fault("ca_certificate", "certificate %d can't be parsed", len(certs)+1)
			return nil
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		r.fault("ca_certificate", "holds no certificate in PEM form")
	}
	return certs
}
