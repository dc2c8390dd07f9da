package github

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"set-org-secret/internal/secret"
)

// Error is GitHub's refusal, or its silence. Error() is the fact in one line;
// Cause and Advice are for people and may be empty. Text from GitHub is in it
// as it came: whoever prints it makes it harmless.
type Error struct {
	Status    int    // 0 where no answer came
	Message   string // GitHub's
	requestID string

	op      string
	host    string
	fact    string // in place of what is made from the rest
	network string // what went wrong on the way
	tries   int
	spent   time.Duration
	kind    error
	cause   string
	advice  string
}

// Error tells the fact.
func (e *Error) Error() string {
	text := e.fact
	switch {
	case text != "":
	case e.Status == 0:
		text = fmt.Sprintf("%s did not %s: %s", e.host, e.op, e.network)
	case e.passing():
		text = fmt.Sprintf("GitHub did not %s: %s", e.op, e.answer())
	default:
		text = fmt.Sprintf("GitHub refused to %s: %s", e.op, e.answer())
	}
	if e.tries > 1 {
		text += fmt.Sprintf(", %d tries in %s", e.tries, roundDuration(e.spent))
	}
	if e.requestID != "" {
		text += fmt.Sprintf(" (request %s)", e.requestID)
	}
	return text
}

func (e *Error) passing() bool { return e.Status >= 500 || e.Status == http.StatusTooManyRequests }

// answer is the status and GitHub's words, or HTTP's where GitHub has none.
func (e *Error) answer() string {
	text := e.Message
	if text == "" {
		text = http.StatusText(e.Status)
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", e.Status, text))
}

// short is what one line about a wait says.
func (e *Error) short() string {
	if e.Status == 0 {
		return e.host + ": " + e.network
	}
	if e.passing() && e.Status != http.StatusTooManyRequests {
		return fmt.Sprintf("GitHub answered %d", e.Status)
	}
	return "GitHub answered " + e.answer()
}

// Cause says why this may be, where that is known.
func (e *Error) Cause() string { return e.cause }

// Advice says what to grant or change.
func (e *Error) Advice() string { return e.advice }

// RequestID is GitHub's id of the request, as it stands in Error(); it may be
// empty.
func (e *Error) RequestID() string { return e.requestID }

// Is matches the sentinel errors of package secret.
func (e *Error) Is(target error) bool {
	switch target {
	case secret.ErrUnprocessable:
		return e.Status == http.StatusUnprocessableEntity
	case secret.ErrNotFound:
		return e.Status == http.StatusNotFound || e.kind == secret.ErrNotFound
	}
	return e.kind != nil && errors.Is(e.kind, target)
}

// unknownFate is what ended a write, after a try of it that got no answer.
type unknownFate struct{ error }

func (u unknownFate) Unwrap() []error { return []error{u.error, secret.ErrOutcomeUnknown} }

const wrongURL = "Check api_url: it must be the API itself (https://api.github.com, https://HOST/api/v3 on a GHES, https://api.SUB.ghe.com), not the site."

// unreadable is a good status with a body that GitHub's API never sends.
func unreadable(call *call, err error) error {
	text := "not JSON as its API describes it"
	if err != nil {
		text = "not what its API describes"
	}
	if err != nil && !isJSONError(err) {
		text += ": " + err.Error()
	}
	return &Error{op: call.op, fact: fmt.Sprintf("GitHub was asked to %s, and its answer is %s", call.op, text), requestID: call.requestID, advice: wrongURL}
}

// isJSONError reports whether err is one of encoding/json's, which quote.
func isJSONError(err error) bool {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	return errors.As(err, &syntax) || errors.As(err, &kind)
}

const runAgain = "Run again when GitHub answers; https://www.githubstatus.com tells. A longer timeout waits longer."

// givenUp is for a request that is about to be sent after all was given up.
func givenUp(call *call, s *strain, dead *Error) error {
	what := "not tried"
	if s.tries > 0 {
		what = "given up"
	}
	return &Error{op: call.op, fact: fmt.Sprintf("%s: %s has answered nothing well for %s, last: %s", what, dead.host, roundDuration(dead.spent), dead.lastWords()), advice: runAgain}
}

func (e *Error) lastWords() string {
	if e.Status == 0 {
		return e.network
	}
	return e.answer()
}

// interrupted ends a request because of a signal. last is what it met before.
func interrupted(call *call, last *Error) error {
	e := &Error{op: call.op, kind: secret.ErrInterrupted, fact: "interrupted before GitHub could " + call.op}
	if last != nil && call.unknown {
		e.fact = "interrupted while GitHub was asked to " + call.op + ", and no answer came"
	} else if last != nil && last.Status != 0 {
		e.fact += ": " + last.answer()
		e.requestID = last.requestID
	}
	return e
}

// tooLong is for a wait that GitHub asks for and that outlasts the patience.
func tooLong(call *call, limit *Error, until time.Time) error {
	e := *limit
	e.op = call.op
	e.cause = "GitHub asks to wait until " + until.UTC().Format("15:04:05 UTC on 2 January") + ", longer than timeout allows."
	e.advice = "Run again after that, or give a longer timeout."
	return &e
}

func explainCertificate(e *Error, err *tls.CertificateVerificationError) {
	issuer := "nobody known"
	if len(err.UnverifiedCertificates) > 0 {
		issuer = fmt.Sprintf("%q", err.UnverifiedCertificates[0].Issuer.String())
	}
	var authority x509.UnknownAuthorityError
	if errors.As(err.Err, &authority) {
		e.network = "its certificate is issued by " + issuer + ", which is not trusted here"
		e.advice = "Give that authority's certificate in ca_certificate, as PEM text or as the path of a PEM file."
		return
	}
	e.network = "its certificate, issued by " + issuer + ", is not valid: " + err.Err.Error()
	e.advice = "Check api_url, the runner's clock and the server's certificate; ca_certificate does not help here."
}

// message reads GitHub's words from the body of an error: message, and what
// stands in errors, which may be a list of objects, of strings, or one string.
// What was sent is echoed at times; hide is left out of it.
func message(text []byte, hide string) string {
	var body struct {
		Message string          `json:"message"`
		Errors  json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(text, &body) != nil {
		return "" // an HTML page, say; the status has to do
	}
	parts := []string{body.Message}
	var one string
	var list []json.RawMessage
	if json.Unmarshal(body.Errors, &one) == nil {
		parts = append(parts, one)
	} else if json.Unmarshal(body.Errors, &list) == nil {
		for _, raw := range list {
			var object struct{ Message, Field, Code string }
			switch {
			case json.Unmarshal(raw, &one) == nil:
				parts = append(parts, one)
			case json.Unmarshal(raw, &object) == nil && object.Message != "":
				parts = append(parts, object.Message)
			case object.Code != "":
				parts = append(parts, strings.TrimSpace(object.Field+" "+object.Code))
			}
		}
	}
	joined := strings.Join(strings.FieldsFunc(strings.Join(parts, ": "), func(r rune) bool { return r == '\n' || r == '\r' }), " ")
	joined = strings.Trim(joined, ": ")
	if hide != "" {
		joined = strings.ReplaceAll(joined, hide, "<encrypted_value>")
	}
	if runes := []rune(joined); len(runes) > 300 {
		joined = string(runes[:300]) + "…"
	}
	return joined
}

// roundDuration keeps what a reader needs: 1.5s, 42s, 4m58s.
func roundDuration(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	default:
		return d.Round(time.Second).String()
	}
}
