package github

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/go-github/v60/github"

	"set-org-secret/internal/secret"
)

const (
	tryTimeout = 30 * time.Second
	// grace is what a write in flight gets to end in after a signal, well below
	// the runner's 7.5 s between its two signals.
	grace = 3 * time.Second
)

// call is one request, over all its tries.
type call struct {
	op     string // what GitHub was asked to do: "store it"
	store  secret.Store
	method string
	path   string // relative to the base, escaped
	query  string
	ok     []int
	// body makes what a try sends; nil for reads.
	body func(context.Context) (any, error)
	hide string // sent text that answers echo

	status    int
	requestID string
	lastPage  int
	unknown   bool // the last try of a write that was sent has no answer
}

// do makes a request until it is answered for good, or given up. Whatever ends a
// write, the error tells where nobody knows whether it took place.
func (c *Client) do(ctx context.Context, call *call, out any) error {
	err := c.tries(ctx, call, out)
	if err != nil && call.unknown {
		return unknownFate{err}
	}
	return err
}

func (c *Client) tries(ctx context.Context, call *call, out any) error {
	var s strain
	for {
		err := c.turn(ctx, call, &s, out)
		var f *fault
		if !errors.As(err, &f) {
			return err
		}
		if err := c.patience.again(ctx, call, &s, *f); err != nil {
			return err
		}
	}
}

func (f *fault) Error() string { return f.err.Error() }

// turn waits until a try may be made, and makes it.
func (c *Client) turn(ctx context.Context, call *call, s *strain, out any) (err error) {
	var sent atomic.Bool
	if call.body != nil {
		waited, done, err := c.pace.take(ctx)
		if err != nil {
			return interrupted(call, nil)
		}
		defer func() { done(sent.Load()) }()
		s.paced(waited)
	}
	if err := c.patience.gate(ctx, call, s); err != nil {
		return err
	}
	var body any
	if call.body != nil {
		if body, err = call.body(ctx); err != nil {
			return err
		}
	}
	s.tries++
	return c.try(ctx, call, body, out, &sent)
}

// try sends once. The error is a *fault where another try may help.
func (c *Client) try(ctx context.Context, call *call, body, out any, sent *atomic.Bool) error {
	// A client for each try: go-github remembers rate limits and then refuses
	// calls by itself, with an answer that GitHub never gave. The connections
	// are shared all the same.
	gh := github.NewClient(c.http)
	gh.BaseURL, gh.UserAgent = c.base, c.agent
	path := call.path
	if call.query != "" {
		path += "?" + call.query
	}
	req, err := gh.NewRequest(call.method, path, body)
	if err != nil {
		return &Error{op: call.op, fact: "the request can't be built"}
	}

	tryCtx, cancel := oneTry(ctx, call.body != nil)
	defer cancel()
	tryCtx = httptrace.WithClientTrace(tryCtx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})

	call.status, call.requestID = 0, ""
	resp, err := gh.BareDo(tryCtx, req)
	if resp != nil && resp.Response != nil {
		call.unknown = false
		defer func() { _ = resp.Body.Close() }()
		call.status, call.requestID, call.lastPage = resp.StatusCode, resp.Header.Get("X-GitHub-Request-Id"), resp.LastPage
		c.learn(resp)
		ok := slices.Contains(call.ok, resp.StatusCode)
		if ok && out == nil {
			if resp.ContentLength <= maxDrain {
				// Left unread, the body would cost the connection.
				_, _ = io.CopyN(io.Discard, resp.Body, maxDrain)
			}
			c.good()
			return nil // the status is the answer to a write
		}
		// The body of an error was read and put back by go-github; whatever
		// happened to it on the way, the status stands.
		text, readErr := io.ReadAll(resp.Body)
		if !ok {
			return c.refused(call, resp.Response, text)
		}
		if readErr == nil {
			return c.answered(call, text, out)
		}
		err = readErr
	}
	return c.unanswered(ctx, call, err, sent.Load())
}

// oneTry bounds a try. A signal cuts a read at once, and a write after a grace, so
// that its outcome is known where GitHub answers at all.
func oneTry(ctx context.Context, write bool) (context.Context, context.CancelFunc) {
	try, cancel := context.WithTimeout(context.WithoutCancel(ctx), tryTimeout)
	stop := context.AfterFunc(ctx, func() {
		if write {
			timer := time.NewTimer(grace)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-try.Done():
			}
		}
		cancel()
	})
	return try, func() { stop(); cancel() }
}

// learn keeps what every answer tells beside its body.
func (c *Client) learn(resp *github.Response) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !resp.TokenExpiration.IsZero() {
		c.expires = resp.TokenExpiration.Time
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		c.skew = time.Until(date)
	}
}

// good notes that the token works and GitHub is at work.
func (c *Client) good() {
	c.mu.Lock()
	c.hasWorked = true
	c.mu.Unlock()
	c.patience.good()
}

func (c *Client) worked() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hasWorked
}

func (c *Client) answered(call *call, text []byte, out any) error {
	c.good()
	switch out := out.(type) {
	case *json.RawMessage:
		if json.Valid(text) {
			*out = text
			return nil
		}
	default:
		if json.Unmarshal(text, out) == nil {
			return nil
		}
	}
	return unreadable(call, nil)
}

// refused judges an answer with a status other than those hoped for. go-github's
// own judgement is left aside: it knows one kind of 429, trusts a reset that is
// meant for another limit, and loses messages in unusual bodies.
func (c *Client) refused(call *call, resp *http.Response, text []byte) error {
	e := &Error{op: call.op, Status: resp.StatusCode, Message: message(text, call.hide), requestID: call.requestID, host: c.base.Host}
	wait, directed := retryAfter(resp)
	limited := resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusForbidden && rateLimited(resp, text)
	switch {
	case limited:
		if !directed && resp.Header.Get("X-RateLimit-Remaining") == "0" {
			wait, directed = untilReset(resp)
		}
		if !directed {
			wait = time.Minute
		}
		return &fault{err: e, kind: "rate limit", wait: max(wait, time.Nanosecond), shared: true}
	case resp.StatusCode >= 500:
		return &fault{err: e, kind: strconv.Itoa(resp.StatusCode), wait: wait}
	case resp.StatusCode == http.StatusUnauthorized && strings.HasPrefix(c.token, "ghs_") && c.young():
		return &fault{err: e, kind: "401"}
	}
	c.patience.good()
	c.explain(e, call, resp)
	return e
}

// young reports whether the run has only begun, so that a 401 may mean that a
// new installation token has not reached every server.
func (c *Client) young() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.began.IsZero() {
		c.began = time.Now()
	}
	return time.Since(c.began) < replication
}

// unanswered judges a try that got no whole answer.
func (c *Client) unanswered(ctx context.Context, call *call, err error, sent bool) error {
	var urlErr *url.Error
	if errors.As(err, &urlErr) {
		err = urlErr.Err // the address is ours to tell, or not
	}
	e := &Error{op: call.op, requestID: call.requestID, host: c.base.Host, network: networkText(err)}
	if call.body != nil && sent && call.status == 0 {
		call.unknown = true
	}
	if ctx.Err() != nil {
		return interrupted(call, e)
	}
	var (
		verification *tls.CertificateVerificationError
		proxy        *proxyError
	)
	switch {
	case errors.Is(err, errOtherOrigin), errors.Is(err, errManyHops):
		e.fact = "GitHub did not " + call.op + ": " + networkText(err)
		e.advice = "Give the address in api_url that answers by itself; a renamed organization has a new login for org."
		return e
	case errors.Is(err, errAnswerTooBig):
		e.advice = wrongURL
		return e
	case errors.As(err, &verification):
		explainCertificate(e, verification)
		return e
	case strings.Contains(err.Error(), "protocol version"):
		e.advice = "The server, or a proxy that opens the connection, speaks no TLS 1.2, which is the least that carries the token."
		return e
	case errors.As(err, &proxy) && proxy.status < 500 && proxy.status != http.StatusTooManyRequests:
		e.advice = "Check HTTPS_PROXY and NO_PROXY of the runner: the proxy must let this host through, and may want a user and a password in its address."
		return e
	}
	return &fault{err: e, kind: "no answer"}
}

func networkText(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer within " + roundDuration(tryTimeout)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection broke off"
	}
	return err.Error()
}

// retryAfter reads seconds or a date.
func retryAfter(resp *http.Response) (time.Duration, bool) {
	v := strings.TrimSpace(resp.Header.Get("Retry-After"))
	if v == "" {
		return 0, false
	}
	if seconds, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	if date, err := http.ParseTime(v); err == nil {
		return max(date.Sub(answerTime(resp)), 0), true
	}
	return 0, false
}

// untilReset measures by GitHub's own clock, plus the second that is rounded.
func untilReset(resp *http.Response) (time.Duration, bool) {
	reset, err := strconv.ParseInt(resp.Header.Get("X-RateLimit-Reset"), 10, 64)
	if err != nil || reset <= 0 || reset > 1<<33 {
		return 0, false
	}
	return max(time.Unix(reset, 0).Sub(answerTime(resp)), 0) + time.Second, true
}

func answerTime(resp *http.Response) time.Time {
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		return date
	}
	return time.Now()
}

// rateLimited tells a 403 for a rate limit from one for a missing permission.
// The headers alone do not: GitHub counts down on every answer, and a refusal
// may be the last one of the hour.
func rateLimited(resp *http.Response, text []byte) bool {
	if resp.Header.Get("Retry-After") != "" {
		return true
	}
	lower := bytes.ToLower(text)
	if bytes.Contains(lower, []byte("rate limit")) || bytes.Contains(lower, []byte("rate-limit")) || bytes.Contains(lower, []byte("abuse detection")) {
		return true
	}
	return message(text, "") == "" && resp.Header.Get("X-RateLimit-Remaining") == "0"
}
