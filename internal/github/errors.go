package github

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
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

	waitForGitHub = "Wait until GitHub responds again, see https://www.githubstatus.com."
)

// errorForStatus returns the error for a status that is not a success. If there is no message, HTTP's text for the
// status is used. Only a 404 without a redirect says that a resource does not exist.
func errorForStatus(call *call, status int, msg string, redirected bool) *secret.Error {
	if msg == "" {
		msg = http.StatusText(status)
	}
	e := &secret.Error{Op: call.op, Problem: strings.TrimSpace(fmt.Sprintf("%d %s", status, msg))}
	switch {
	case status == http.StatusNotFound && redirected:
		e.Problem += " after a redirect"
	case status == http.StatusNotFound:
		e.Is = []error{secret.ErrNotFound}
	case status == http.StatusConflict:
		e.Is = []error{secret.ErrConflict}
	case status == http.StatusUnprocessableEntity:
		e.Is = []error{secret.ErrUnprocessable}
	}
	return e
}

// unreadable is the error for a success whose body GitHub's API never sends.
func unreadable(call *call, resp response, err error) *secret.Error {
	problem := "unexpected response: " + err.Error()
	e := &secret.Error{Op: call.op, Problem: problem, Hint: wrongURL, RequestID: resp.requestID}
	if resp.foreign != "" {
		e.Problem = fmt.Sprintf("%d %s", resp.status, http.StatusText(resp.status))
		notFromAPI(e, resp.foreign)
	}
	return e
}

// foreignBody describes a body that GitHub's API never sends, "a web page", or returns "". Truncated JSON does not
// count.
func foreignBody(header http.Header, body []byte) string {
	body = bytes.TrimSpace(body)
	switch {
	case len(body) == 0:
		return ""
	case body[0] == '<', strings.Contains(header.Get("Content-Type"), "html"):
		return "a web page"
	case body[0] != '{' && body[0] != '[' && !json.Valid(body):
		return "not JSON"
	}
	return ""
}

// notFromAPI completes the error for a foreign body, which proves nothing, not even that a resource is missing.
func notFromAPI(e *secret.Error, foreign string) {
	e.Problem += ", but not from GitHub's API"
	e.Is = []error{secret.ErrNotFromAPI}
	e.Cause = "The response is " + foreign + ": a website, a proxy or a gateway returned it."
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

func explainCertificate(e *secret.Error, err *tls.CertificateVerificationError) {
	issuer := "an unknown authority"
	if len(err.UnverifiedCertificates) > 0 {
		issuer = fmt.Sprintf("%q", err.UnverifiedCertificates[0].Issuer.String())
	}
	e.Problem = "the server's certificate is issued by " + issuer
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err.Err); ok {
		e.Problem += ", which is not trusted here"
		e.Hint = "Add that authority's certificate in ca_certificate, as PEM text or as the path of a PEM file."
		return
	}
	e.Problem += " and is not valid: " + err.Err.Error()
	e.Hint = "Check api_url, the runner's clock and the server's certificate; ca_certificate does not help here."
}

// message returns GitHub's message from the body of an error, with the texts of its field errors, on one line of at
// most 300 characters. echoed and the token are replaced: some messages repeat the request. It is cut between words
// only, since the runner does not hide a part of a text that it masks.
func message(text []byte, echoed, token string) string {
	var body struct {
		Message string          `json:"message"`
		Errors  json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(text, &body) != nil {
		return "" // an HTML page, for example
	}
	parts := append([]string{body.Message}, errorTexts(body.Errors)...)
	lines := strings.FieldsFunc(strings.Join(parts, ": "), func(r rune) bool { return r == '\n' || r == '\r' })
	joined := strings.Trim(strings.Join(lines, " "), ": ")
	if echoed != "" {
		joined = strings.ReplaceAll(joined, echoed, "<encrypted_value>")
	}
	if token != "" {
		joined = strings.ReplaceAll(joined, token, "***")
	}
	if runes := []rune(joined); len(runes) > 300 {
		head := string(runes[:300])
		if !unicode.IsSpace(runes[300]) {
			head = head[:strings.LastIndexFunc(head, unicode.IsSpace)+1]
		}
		joined = strings.TrimSpace(head) + "…"
	}
	return joined
}

// errorTexts reads the field errors, which are a list of objects, a list of strings, or one string.
func errorTexts(raw json.RawMessage) (texts []string) {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	for _, entry := range list {
		var object struct{ Message, Field, Code string }
		if json.Unmarshal(entry, &one) == nil {
			texts = append(texts, one)
		} else if json.Unmarshal(entry, &object) == nil && object.Message != "" {
			texts = append(texts, object.Message)
		} else if object.Code != "" {
			texts = append(texts, strings.TrimSpace(object.Field+" "+object.Code))
		}
	}
	return texts
}
