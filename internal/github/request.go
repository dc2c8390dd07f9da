package github

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	gogithub "github.com/google/go-github/v60/github"

	"set-org-secret/internal/secret"
)

const (
	// maxAttemptTime is how long one attempt may take; less if the timeout is shorter.
	maxAttemptTime = 30 * time.Second
	// maxDrainTime is how long the body of a write's response may take; its status is known already.
	maxDrainTime = time.Second
	// writeGracePeriod is how long a write in flight may continue after a signal; the runner waits 7.5 s between
	// SIGINT and SIGTERM.
	writeGracePeriod = 3 * time.Second
)

// call describes a request.
type call struct {
	op     string // "writing the secret"
	store  secret.Store
	method string
	path   string // relative to the base, escaped
	query  string
	ok     []int // the statuses of success
}

// newCall describes a request; each segment of its path is escaped.
func newCall(method, op string, store secret.Store, segments ...string) *call {
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return &call{op: op, store: store, method: method, path: strings.Join(segments, "/"), ok: []int{http.StatusOK}}
}

func (c *call) isWrite() bool { return c.method != http.MethodGet }

// resealable reports whether the failure may be fixed by sealing the value again.
func (c *call) resealable(f *failure) bool {
	return c.isWrite() && errors.Is(f.err, secret.ErrUnprocessable)
}

// payload is the body of an attempt; the other fields help to explain a rejection.
type payload struct {
	body         any    // nil for none
	sealed       string // the sealed value in it, which a message may repeat; empty if there is none
	repositories bool   // the request names repositories
}

func (p payload) hasValue() bool { return p.sealed != "" }

// response is the result of a request.
type response struct {
	status    int
	page      string // empty unless the body is a foreign one; see foreignBody
	requestID string
	nextPage  int    // 0 if the response has no link to a next page
	lastPage  int    // 0 if the response has no link to a last page
	hasLinks  bool   // to any page
	body      []byte // of a read
}

// failure is a failed attempt.
type failure struct {
	err *secret.Error
	// retryable failures are transient.
	retryable bool
	// retryableFor is how much longer, if not until the timeout; 0 otherwise.
	retryableFor time.Duration
	// reason stands in the log before a retry.
	reason string
	// retryAfter is the wait that GitHub asks for; 0 leaves it to the backoff.
	retryAfter time.Duration
	// global is set for rate limits, which pause every request.
	global bool
	// unconfirmed says that GitHub may have applied a write: it was sent, and no response proves that it was refused.
	unconfirmed bool
	// cutOff says that this side ended an unconfirmed attempt, so that GitHub may still apply it.
	cutOff bool
}

// do sends a read and retries transient errors. parse reads the body of the response.
func (c *Client) do(ctx context.Context, call *call, parse func(body []byte) error) (resp response, err error) {
	for send, final := range c.attempts(ctx, call) {
		if err = final; err == nil {
			resp, err = send(payload{})
		}
	}
	if err != nil {
		return resp, err
	}
	if err := parse(resp.body); err != nil {
		return resp, unreadable(call, resp, err)
	}
	return resp, nil
}

// attempt sends a request once, and completes the error if it fails.
func (c *Client) attempt(ctx context.Context, state *retryState, load payload) (
	resp response, failed *failure, sent bool,
) {
	limit := c.retry.attemptTime(state, time.Now())
	if limit <= 0 {
		return resp, &failure{err: state.finish(c.retry.expire(state, time.Now()))}, false
	}
	state.attempts++
	resp, failed, sent = c.send(ctx, state.call, load, limit)
	if failed == nil {
		c.retry.recordSuccess(state)
		return resp, nil, sent
	}
	if failed.retryable {
		c.retry.recordError(state, time.Now())
	} else if resp.status != 0 {
		c.retry.recordAnswer(state)
	}
	if failed.err.RequestID == "" {
		failed.err.RequestID = resp.requestID
	}
	if state.call.isWrite() && sent {
		state.unconfirmed = state.unconfirmed || failed.unconfirmed
		state.cutOff = state.cutOff || failed.cutOff
	}
	failed.err = state.finish(failed.err)
	state.last = failed.err
	return resp, failed, sent
}

func (c *Client) send(ctx context.Context, call *call, load payload, limit time.Duration) (
	resp response, failed *failure, sent bool,
) {
	// A client for each attempt, with shared connections: a go-github client remembers rate limits and then returns a
	// made-up response without sending the request.
	transport := c.transport.Load()
	gh := gogithub.NewClient(&http.Client{Transport: transport, CheckRedirect: checkRedirect})
	gh.BaseURL, gh.UserAgent = c.opt.BaseURL, c.opt.UserAgent
	path := call.path
	if call.query != "" {
		path += "?" + call.query
	}
	req, err := gh.NewRequest(call.method, path, load.body)
	if err != nil {
		return resp, &failure{err: &secret.Error{Op: call.op, Problem: "the request cannot be built"}}, false
	}
	attemptCtx, cancel := attemptContext(ctx, call.isWrite(), limit)
	defer cancel()
	defer func() {
		if failed != nil && errors.Is(attemptCtx.Err(), context.DeadlineExceeded) {
			c.replaceTransport(transport)
		}
	}()
	var wrote atomic.Bool
	trace := &httptrace.ClientTrace{WroteHeaders: func() { wrote.Store(true) }}
	got, err := gh.BareDo(httptrace.WithClientTrace(attemptCtx, trace), req)
	if got == nil || got.Response == nil {
		return resp, c.errorFromTransport(ctx, call, err, wrote.Load(), limit), wrote.Load()
	}
	defer func() { _ = got.Body.Close() }()
	resp = response{
		status: got.StatusCode, requestID: got.Header.Get(requestIDHeader),
		nextPage: got.NextPage, lastPage: got.LastPage, hasLinks: got.Header.Get("Link") != "",
	}
	ok := slices.Contains(call.ok, got.StatusCode)
	c.recordMetadata(call, got, ok)
	if ok && call.isWrite() { // the status is the result, but for that of a page by a gateway
		if text := bytes.TrimSpace(drain(got.Response, cancel)); len(text) > 0 && text[0] != '{' {
			resp.page = foreignBody(got.Header, text)
			return resp, &failure{err: unreadable(call, resp, errNotJSON), unconfirmed: true}, true
		}
		return resp, nil, true
	}
	// go-github has read the body of an error and put it back. The status is valid even if the body is not.
	resp.body, err = io.ReadAll(got.Body)
	switch {
	case !ok:
		return resp, c.errorFromResponse(call, load, got.Response, resp.body), true
	case err != nil:
		return resp, c.errorFromTransport(ctx, call, err, true, limit), true
	}
	resp.page = foreignBody(got.Header, resp.body)
	return resp, nil, true
}

// drain returns the beginning of a response's body. A short body left unread would cost the connection.
func drain(resp *http.Response, cancel context.CancelFunc) []byte {
	defer time.AfterFunc(maxDrainTime, cancel).Stop()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxDrainBytes))
	return text
}

// attemptContext bounds an attempt. A signal ends a read immediately, and a write after a grace period, so that its
// result is known if GitHub responds at all.
func attemptContext(ctx context.Context, write bool, limit time.Duration) (context.Context, context.CancelFunc) {
	attempt, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	stop := context.AfterFunc(ctx, func() {
		if write {
			timer := time.NewTimer(writeGracePeriod)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-attempt.Done():
			}
		}
		cancel()
	})
	return attempt, func() { stop(); cancel() }
}

// recordMetadata stores a response's token expiration and clock, and whether the token was accepted.
func (c *Client) recordMetadata(call *call, resp *gogithub.Response, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokenAccepted = c.tokenAccepted || ok
	c.storeRead[call.store] = c.storeRead[call.store] || ok && !call.isWrite()
	if !resp.TokenExpiration.IsZero() {
		c.tokenExpires = resp.TokenExpiration.Time
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		c.clockSkew = time.Until(date)
	}
}

// errorFromResponse classifies a response with an unwanted status. It ignores go-github's error types, which cover
// one kind of 429, use the reset time of another limit, and lose the message of unusual bodies.
func (c *Client) errorFromResponse(call *call, load payload, resp *http.Response, text []byte) *failure {
	msg := message(text, load.sealed, c.opt.Token)
	redirected := resp.Request != nil && resp.Request.Response != nil
	failed := &failure{err: errorForStatus(call, resp.StatusCode, msg, redirected), unconfirmed: !refused(resp)}
	failed.reason = strconv.Itoa(resp.StatusCode) + " from GitHub"
	page := foreignBody(resp.Header, text)
	switch {
	case rateLimited(resp, text):
		wait, limit := rateLimitWait(resp, msg)
		failed.retryable, failed.global, failed.retryAfter = true, true, max(wait, time.Nanosecond)
		failed.reason += " (" + limit + ")"
	case resp.StatusCode >= 500:
		failed.retryable = true
		failed.retryAfter, _ = retryAfter(resp)
		if resp.Header.Get(requestIDHeader) == "" {
			failed.err.Cause = "The response has no request id of GitHub: it may be that of a proxy or a gateway."
		}
	case page != "" && resp.StatusCode >= 400 && resp.StatusCode != http.StatusProxyAuthRequired:
		notFromAPI(failed.err, page)
	case resp.StatusCode == http.StatusUnauthorized && c.replicating() > 0:
		failed.retryable, failed.retryableFor = true, c.replicating()
		failed.reason += " (a new App token may take a few seconds to work everywhere)"
		failed.err.Cause, failed.err.Hint = c.explain401()
	case redirected && resp.StatusCode == http.StatusNotFound:
		failed.err.Cause = "A redirect led to an address that GitHub does not have, which does not show that " +
			"what was asked for is missing."
		failed.err.Hint = finalURL
	default:
		failed.err.Cause, failed.err.Hint = c.explain(call, load, resp, msg)
		switch status := resp.StatusCode; {
		case status == http.StatusUnprocessableEntity && cannotOpen(load, strings.ToLower(msg)):
			failed.err.Is = append(failed.err.Is, secret.ErrCannotOpen)
		case status < 400,
			load.repositories && (status == http.StatusNotFound || status == http.StatusUnprocessableEntity):
			failed.err.Is = append(failed.err.Is, secret.ErrInputs)
		}
	}
	return failed
}

// refused reports whether a response proves that GitHub did not apply a write. A status of 5xx may come from a gateway
// after GitHub applied it, and without a request id the response is that of a proxy.
func refused(resp *http.Response) bool {
	return resp.StatusCode >= 300 && resp.StatusCode < 500 && resp.Header.Get(requestIDHeader) != ""
}

// replicating returns how much longer a new installation token may be unknown to some of GitHub's servers: until
// replicationDelay after the first 401. It is 0 for other tokens.
func (c *Client) replicating() time.Duration {
	if kindOf(c.opt.Token) != installation {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.firstUnauthorized.IsZero() {
		c.firstUnauthorized = time.Now()
	}
	return max(replicationDelay-time.Since(c.firstUnauthorized), 0)
}

// errorFromTransport classifies an attempt without a complete response.
func (c *Client) errorFromTransport(
	ctx context.Context, call *call, err error, sent bool, limit time.Duration,
) *failure {
	if urlErr, ok := errors.AsType[*url.Error](err); ok {
		err = urlErr.Err // without the address
	}
	if ctx.Err() != nil {
		problem := interruptedUnsent
		if sent {
			problem = "interrupted while waiting for the response"
		}
		e := &secret.Error{Op: call.op, Problem: problem, Is: []error{secret.ErrInterrupted}}
		return &failure{err: e, unconfirmed: sent, cutOff: sent}
	}
	var (
		verification *tls.CertificateVerificationError
		proxy        *proxyError
		tooLarge     *http.MaxBytesError
	)
	e := &secret.Error{Op: call.op, Problem: err.Error()}
	switch {
	case errors.Is(err, errCrossOriginRedirect), errors.Is(err, errTooManyRedirects):
		e.Hint = finalURL
	case errors.As(err, &tooLarge):
		e.Problem, e.Hint = "the response is larger than 16 MiB", wrongURL
	case errors.As(err, &verification):
		explainCertificate(e, verification)
	case strings.Contains(err.Error(), "protocol version"):
		e.Hint = "The server, or a proxy that opens the connection, does not support TLS 1.2, which is the minimum."
	case errors.As(err, &proxy) && proxy.status < 500 && proxy.status != http.StatusTooManyRequests:
		e.Hint = "The proxy must allow " + c.opt.BaseURL.Host + ". " + checkProxy
		if proxy.status == http.StatusProxyAuthRequired {
			e.Hint = proxyCredentials
		}
	default:
		failed := &failure{err: e, retryable: true, unconfirmed: sent, cutOff: sent && !closedByServer(err)}
		failed.reason = c.noResponse(e, err, limit)
		return failed
	}
	return &failure{err: e, unconfirmed: sent, cutOff: sent}
}

// closedByServer reports whether the server, or something in between, ended the connection or the stream.
func closedByServer(err error) bool {
	for _, target := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, target) {
			return true
		}
	}
	// net/http does not export its HTTP/2 errors.
	return strings.Contains(err.Error(), "received from peer") || strings.Contains(err.Error(), "server sent GOAWAY")
}

// noResponse completes the error of an attempt without a response that may have one if it is retried. It returns the
// reason for the log.
func (c *Client) noResponse(e *secret.Error, err error, limit time.Duration) (reason string) {
	host, why := c.opt.BaseURL.Host, "("+err.Error()+")"
	var (
		proxy *proxyError
		op    *net.OpError
	)
	switch {
	case errors.As(err, &proxy):
		e.Problem, e.Hint = err.Error(), checkProxy
		return e.Problem
	case errors.As(err, &op) && op.Op == "proxyconnect":
		e.Problem, e.Hint = "cannot connect to the proxy ("+op.Err.Error()+")", checkProxy
		return e.Problem
	case errors.As(err, &op) && op.Op == "dial":
		e.Problem = "cannot connect to " + host + " " + why
		return e.Problem
	case errors.Is(err, context.DeadlineExceeded):
		why = "within " + secret.FormatDuration(limit)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		why = "(connection closed)"
	}
	e.Problem = "no response " + why
	return "no response from " + host + " " + why
}

// rateLimitWait returns how long a rate limit requires to wait, and its name in the log.
func rateLimitWait(resp *http.Response, msg string) (wait time.Duration, limit string) {
	limit = "rate limit"
	if strings.Contains(strings.ToLower(msg), "secondary") {
		limit = "secondary rate limit"
	}
	wait, requested := retryAfter(resp)
	if !requested && resp.Header.Get("X-RateLimit-Remaining") == "0" {
		if wait, requested = untilReset(resp); requested {
			limit += " until " + time.Now().Add(wait).UTC().Format(time.TimeOnly) + " UTC"
		}
	}
	if !requested {
		wait = time.Minute
	}
	return wait, limit
}

// retryAfter reads the header Retry-After, in seconds or as a date.
func retryAfter(resp *http.Response) (time.Duration, bool) {
	v := strings.TrimSpace(resp.Header.Get("Retry-After"))
	if v == "" {
		return 0, false
	}
	if seconds, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	if date, err := http.ParseTime(v); err == nil {
		return max(date.Sub(responseTime(resp)), 0), true
	}
	return 0, false
}

// untilReset reads the header X-RateLimit-Reset, by GitHub's own clock, plus the second to which it is rounded.
func untilReset(resp *http.Response) (time.Duration, bool) {
	reset, err := strconv.ParseInt(resp.Header.Get("X-RateLimit-Reset"), 10, 64)
	if err != nil || reset <= 0 || reset > 1<<33 {
		return 0, false
	}
	return max(time.Unix(reset, 0).Sub(responseTime(resp)), 0) + time.Second, true
}

func responseTime(resp *http.Response) time.Time {
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		return date
	}
	return time.Now()
}

// rateLimited distinguishes a 403 for a rate limit from one for a missing permission. The headers alone do not: every
// response has the count of requests left, which may reach 0 with a missing permission too. A 429 is always one.
func rateLimited(resp *http.Response, text []byte) bool {
	if resp.StatusCode != http.StatusForbidden {
		return resp.StatusCode == http.StatusTooManyRequests
	}
	if resp.Header.Get("Retry-After") != "" {
		return true
	}
	lower := bytes.ToLower(text)
	for _, phrase := range []string{"rate limit", "rate-limit", "abuse detection"} {
		if bytes.Contains(lower, []byte(phrase)) {
			return true
		}
	}
	return message(text, "", "") == "" && resp.Header.Get("X-RateLimit-Remaining") == "0"
}
