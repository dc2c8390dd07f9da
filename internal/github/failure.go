package github

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"set-org-secret/internal/secret"
)

// errorFromResponse classifies a response with an unwanted status. It ignores go-github's error types, which cover
// one kind of 429, use the reset time of another limit, and lose the message of unusual bodies.
func (c *Client) errorFromResponse(r *Request, resp *http.Response, text []byte) *failure {
	status, msg := resp.StatusCode, message(text, r.sealed, c.opt.Token)
	failed := &failure{err: errorForStatus(resp, msg), unproven: !refused(resp)}
	failed.reason = strconv.Itoa(status) + " from GitHub"
	switch foreign := foreignResponse(resp, text); {
	case rateLimited(resp, msg, text):
		wait, limit := rateLimitWait(resp, msg)
		failed.retryable, failed.global, failed.retryAfter = true, true, max(wait, time.Nanosecond)
		failed.reason += " (" + limit + ")"
	case status >= 500:
		failed.retryable, failed.err.Hint = true, c.opt.waitForServer()
		failed.retryAfter, _ = retryAfter(resp)
		if resp.Header.Get(requestIDHeader) == "" {
			failed.err.Cause = "The response has no request id of GitHub: it may be that of a proxy or a gateway."
		}
	case foreign != "" && status >= 400 && status != http.StatusProxyAuthRequired:
		notFromAPI(failed.err, foreign)
	default:
		c.explain(failed.err, r, resp, msg)
		if failed.retryableFor = c.replicating(status); failed.retryableFor > 0 {
			failed.retryable = true
			failed.reason += " (a new App token may take a few seconds to work everywhere)"
		}
	}
	return failed
}

// refused reports whether a response proves that GitHub did not apply a write. A status of 5xx may come from a gateway
// after GitHub applied it, and without a request id the response is that of a proxy.
func refused(resp *http.Response) bool {
	return resp.StatusCode >= 300 && resp.StatusCode < 500 && resp.Header.Get(requestIDHeader) != ""
}

// followedRedirect reports whether a redirect led to the response.
func followedRedirect(resp *http.Response) bool {
	return resp.Request != nil && resp.Request.Response != nil
}

// replicating returns how much longer a status may be due to a new installation token that some of GitHub's servers do
// not know yet: a 401, until replicationDelay after the first one. It is 0 for other tokens.
func (c *Client) replicating(status int) time.Duration {
	if status != http.StatusUnauthorized || kindOf(c.opt.Token) != installation {
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
func (c *Client) errorFromTransport(ctx context.Context, err error, sent bool, limit time.Duration) *failure {
	if urlErr, ok := errors.AsType[*url.Error](err); ok {
		err = urlErr.Err // without the address
	}
	e := &secret.Error{Problem: err.Error()}
	failed := &failure{err: e, unproven: sent}
	proxy, _ := errors.AsType[*proxyError](err)
	certificate, _ := errors.AsType[*tls.CertificateVerificationError](err)
	final := slices.IndexFunc(connectionHints, func(r [2]string) bool { return strings.Contains(err.Error(), r[0]) })
	switch {
	case ctx.Err() != nil:
		e.Problem, e.Is = interruptedUnsent, []error{secret.ErrInterrupted}
		if sent {
			e.Problem = "interrupted while waiting for the response"
		}
	case secret.IsAny(err, errCrossOriginRedirect, errTooManyRedirects):
		e.Hint = finalURL
	case isType[*http.MaxBytesError](err):
		e.Problem, e.Hint = "the response is larger than 16 MiB", wrongURL
	case certificate != nil:
		e.Problem, e.Hint = explainCertificate(certificate)
	case final >= 0:
		e.Hint = connectionHints[final][1]
	case proxy != nil && proxy.status == http.StatusProxyAuthRequired:
		e.Hint = proxyCredentials
	case proxy != nil && proxy.status < 500 && proxy.status != http.StatusTooManyRequests:
		e.Hint = "The proxy must allow " + c.opt.BaseURL.Host + ". " + checkProxy
	default:
		failed.retryable, e.Hint = true, c.opt.waitForServer()
		failed.reason = c.noResponse(e, err, limit)
		if dns, _ := errors.AsType[*net.DNSError](err); dns != nil && dns.IsNotFound {
			now, unknown := time.Now(), &c.transport.unknownSince
			unknown.CompareAndSwap(nil, &now)
			e.Hint, failed.retryableFor = unknownHost, resolverDelay-now.Sub(*cmp.Or(unknown.Load(), &now))
			failed.retryable = failed.retryableFor > 0
		}
	}
	return failed
}

// noResponse completes the error of an attempt without a response that may have one if it is retried. It returns the
// reason for the log.
func (c *Client) noResponse(e *secret.Error, err error, limit time.Duration) (reason string) {
	host, why := c.opt.BaseURL.Host, "("+err.Error()+")"
	switch op, _ := errors.AsType[*net.OpError](err); {
	case isType[*proxyError](err):
		e.Hint = checkProxy
		return e.Problem
	case op != nil && op.Op == "proxyconnect":
		e.Problem, e.Hint = "cannot connect to the proxy ("+op.Err.Error()+")", checkProxy
		return e.Problem
	case op != nil && op.Op == "dial":
		e.Problem = "cannot connect to " + host + " " + why
		return e.Problem
	case errors.Is(err, context.DeadlineExceeded):
		why = "within " + secret.FormatDuration(limit)
	case secret.IsAny(err, io.EOF, io.ErrUnexpectedEOF):
		why = "(connection closed)"
	}
	e.Problem = "no response " + why
	return "no response from " + host + " " + why
}

func isType[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// rateLimitWait returns how long a rate limit requires to wait, and its name in the log.
func rateLimitWait(resp *http.Response, msg string) (wait time.Duration, limit string) {
	limit = "rate limit"
	if says(msg, "secondary", "") {
		limit = "secondary rate limit"
	}
	if wait, ok := retryAfter(resp); ok {
		return wait, limit
	}
	if wait, ok := untilReset(resp); ok {
		return wait, limit + " until " + time.Now().Add(wait).UTC().Format(time.TimeOnly) + " UTC"
	}
	return time.Minute, limit
}

// retryAfter reads the header Retry-After, in seconds or as a date.
func retryAfter(resp *http.Response) (time.Duration, bool) {
	v := strings.TrimSpace(resp.Header.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	date, err := http.ParseTime(v)
	return max(date.Sub(responseTime(resp)), 0), err == nil
}

// untilReset reads the header X-RateLimit-Reset if no requests are left: by GitHub's own clock, plus the second to
// which it is rounded.
func untilReset(resp *http.Response) (time.Duration, bool) {
	reset, err := strconv.ParseUint(resp.Header.Get("X-RateLimit-Reset"), 10, 33)
	if err != nil || reset == 0 || !noneLeft(resp) {
		return 0, false
	}
	return max(time.Unix(int64(reset), 0).Sub(responseTime(resp)), 0) + time.Second, true
}

// noneLeft reports whether no requests are left until the primary rate limit is reset.
func noneLeft(resp *http.Response) bool { return resp.Header.Get("X-RateLimit-Remaining") == "0" }

func responseTime(resp *http.Response) time.Time {
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		return date
	}
	return time.Now()
}

// rateLimited distinguishes a 403 for a rate limit from one for a missing permission. The headers alone do not: every
// response has the count of requests left, which may reach 0 with a missing permission too. A 429 is always one.
func rateLimited(resp *http.Response, msg string, text []byte) bool {
	if resp.StatusCode != http.StatusForbidden {
		return resp.StatusCode == http.StatusTooManyRequests
	}
	return resp.Header.Get("Retry-After") != "" || msg == "" && noneLeft(resp) ||
		says(string(text), "rate limit|rate-limit|abuse detection", "")
}
