package github

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"set-org-secret/internal/secret"
)

const (
	wrongURL = "Check api_url: it must be the API itself (`https://api.github.com`, `https://HOST/api/v3` on GHES, " +
		"`https://api.SUB.ghe.com`), not the website."
	finalURL          = "Set api_url to the final URL; a renamed organization has a new login for org."
	interruptedUnsent = "interrupted before the request was sent"

	checkProxy       = "Check HTTPS_PROXY and NO_PROXY of the runner, and the proxy itself."
	proxyCredentials = "The proxy requires credentials: set HTTPS_PROXY to `http://USER:PASSWORD@HOST:PORT`."

	checkFirewall = " If other machines can connect, check the firewall of the runner, HTTPS_PROXY and NO_PROXY."
	unknownHost   = "Check api_url, HTTPS_PROXY and NO_PROXY of the runner, and the DNS servers of the container."
	waitForGitHub = "Wait until GitHub responds again."
)

// waitForServer is the hint for an outage. The status page does not cover a GitHub Enterprise Server.
func (o *Options) waitForServer() string {
	if o.isServer() {
		return "Wait until " + o.BaseURL.Host + " responds again."
	}
	return "Wait until GitHub responds again, see https://www.githubstatus.com."
}

// connectionHints are hints for errors that no retry changes, by a part of Go's text. The first row that fits is used.
var connectionHints = [][2]string{
	{"server gave HTTP response", "Check api_url: its host and port must serve HTTPS."},
	{"proxyconnect tcp: tls: first record", "Begin HTTPS_PROXY with `http://`: this proxy is not reached over TLS."},
	{"protocol version", "Have the server, or the proxy that opens the connection, support TLS 1.2, the minimum here."},
	{"negative serial number", "Replace the certificate; until then set " +
		"`GODEBUG: x509negativeserial=1` in the env of this step."},
	{"failed to parse certificate", "Replace the certificate."},
	{"tls: handshake failure", "If the server, or the proxy that opens the connection, knows only RSA key exchange, " +
		"update it; until then set `GODEBUG: tlsrsakex=1` in the env of this step."},
	{"tls: ", "Check api_url, and the TLS settings of the server and of a proxy that opens the connection."},
}

// unreadable is the error for a success with a body that GitHub's API never sends.
func unreadable(resp response, err error) *secret.Error {
	e := &secret.Error{Problem: "unexpected response: " + err.Error(), Hint: wrongURL}
	if resp.isForeign() {
		e.Problem = fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
		notFromAPI(e)
	}
	return e
}

// isForeign reports whether the body is not GitHub's: a web page, or not JSON. JSON that is cut off may be GitHub's.
func (r response) isForeign() bool {
	body := bytes.TrimSpace(r.body)
	return len(body) > 0 && (strings.Contains(r.Header.Get("Content-Type"), "html") ||
		body[0] != '{' && body[0] != '[' && !json.Valid(body))
}

// notFromAPI completes the error for a foreign response. That proves nothing: after a 404, the resource may exist.
func notFromAPI(e *secret.Error) {
	e.Problem += ", but not from GitHub's API"
	e.Is = []error{secret.ErrNotFromAPI}
	e.Cause = "The response is not JSON or has no request id of GitHub: a website, a proxy or a gateway returned it."
	e.Hint = wrongURL + " If api_url is right, check HTTPS_PROXY and NO_PROXY of the runner, " +
		"and what else filters its traffic."
}

var errNotJSON = errors.New("not JSON as GitHub's API describes it")

// unmarshal returns an error without encoding/json's text, which quotes the body.
func unmarshal(body []byte, v any) error {
	if json.Unmarshal(body, v) != nil {
		return errNotJSON
	}
	return nil
}

func explainCertificate(err *tls.CertificateVerificationError) (problem, hint string) {
	issuer := "an unknown authority"
	if len(err.UnverifiedCertificates) > 0 {
		issuer = strconv.Quote(err.UnverifiedCertificates[0].Issuer.String())
	}
	problem = "the server's certificate is issued by " + issuer
	if _, isUnknown := errors.AsType[x509.UnknownAuthorityError](err.Err); isUnknown {
		return problem + ", which is not trusted here",
			"Add that authority's certificate in ca_certificate, as PEM text or as the path of a PEM file."
	}
	return problem + " and is not valid: " + err.Err.Error(),
		"Check api_url, the runner's clock and the server's certificate; ca_certificate does not help here."
}

// message returns GitHub's message from the body of an error, with the texts of its field errors, on one line of at
// most 500 characters. It replaces echoed and the token, since some messages repeat the request. A longer message is
// cut between words, since the runner hides a masked text only whole.
func message(response []byte, echoed, token string) string {
	var body struct {
		Message string `json:"message"`
		Errors  any    `json:"errors"`
	}
	if json.Unmarshal(response, &body) != nil {
		return "" // an HTML page, for example
	}
	text := strings.Join(append([]string{body.Message}, errorTexts(body.Errors)...), ": ")
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	text = strings.Trim(strings.Join(lines, " "), ": ")
	if echoed != "" {
		text = strings.ReplaceAll(text, echoed, "<encrypted_value>")
	}
	text = strings.ReplaceAll(text, token, "***")
	if runes := []rune(text); len(runes) > 500 {
		head := string(runes[:501])
		text = strings.TrimSpace(head[:strings.LastIndexFunc(head, unicode.IsSpace)+1]) + "…"
	}
	return text
}

// errorTexts reads the field errors, which are a list of objects, a list of strings, or one string.
func errorTexts(errs any) (texts []string) {
	switch errs := errs.(type) {
	case string:
		return []string{errs}
	case []any:
		for _, entry := range errs {
			texts = append(texts, errorTexts(entry)...)
		}
	case map[string]any:
		message, _ := errs["message"].(string)
		field, _ := errs["field"].(string)
		code, _ := errs["code"].(string)
		return []string{cmp.Or(message, strings.TrimSpace(field+" "+code))}
	}
	return texts
}
