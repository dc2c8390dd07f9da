package github

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
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
func (c *Client) errorFromResponse(r *Request, resp response) *failure {
	status, msg := resp.StatusCode, message(resp.body, r.sealed, c.opt.Token)
	problem := fmt.Sprintf("%d %s", status, cmp.Or(msg, http.StatusText(status)))
	failed := &failure{err: &secret.Error{Problem: strings.TrimSpace(problem)}, unproven: !resp.isRefusal()}
	failed.reason = strconv.Itoa(status) + " from GitHub"
	switch {
	case resp.isRateLimit(msg):
		wait, limit := resp.rateLimitWait(msg)
		failed.retryFor, failed.global, failed.retryAfter = untilTimeout, true, wait
		failed.reason += " (" + limit + ")"
	case status >= 500:
		failed.retryFor, failed.err.Hint = untilTimeout, c.opt.waitForServer()
		failed.retryAfter, _ = resp.retryAfter()
		if resp.requestID() == "" {
			failed.err.Cause = "The response has no request id of GitHub: it may be that of a proxy or a gateway."
		}
	case status >= 400 && status != http.StatusProxyAuthRequired && (resp.isForeign() || resp.requestID() == ""):
		notFromAPI(failed.err)
	default:
		c.explain(failed.err, r, resp, msg)
		if status == http.StatusUnauthorized && strings.HasPrefix(c.opt.Token, installationToken) {
			failed.retryFor = c.transientFor(&c.firstUnauthorized, replicationDelay)
			failed.reason += " (a new App token may take a few seconds to work everywhere)"
		}
	}
	return failed
}

// isRefusal reports whether a response proves that GitHub did not apply a write. A 5xx may come from a gateway after
// GitHub applied it, and without a request id the response is that of a proxy.
func (r response) isRefusal() bool {
	return r.StatusCode >= 300 && r.StatusCode < 500 && r.requestID() != ""
}

// transientFor returns the rest of limit since the first failure of a kind. If first is zero, it becomes now.
func (c *Client) transientFor(first *time.Time, limit time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if first.IsZero() {
		*first = time.Now()
	}
	return max(limit-time.Since(*first), 0)
}

// errorFromTransport classifies an attempt without a complete response.
func (c *Client) errorFromTransport(ctx context.Context, err error, sent bool, limit time.Duration) *failure {
	if urlErr, ok := errors.AsType[*url.Error](err); ok {
		err = urlErr.Err // without the address
	}
	e := &secret.Error{Problem: err.Error()}
	failed := &failure{err: e, unproven: sent}
	tooLarge, _ := errors.AsType[*http.MaxBytesError](err)
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
	case tooLarge != nil:
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
		failed.retryFor, e.Hint = untilTimeout, c.opt.waitForServer()
		failed.reason = c.noResponse(e, err, limit)
		if dns, _ := errors.AsType[*net.DNSError](err); dns != nil && dns.IsNotFound {
			e.Hint, failed.retryFor = unknownHost, c.transientFor(&c.firstUnknown, resolverDelay)
		}
	}
	return failed
}

// noResponse completes the error of an attempt without a response, and returns the reason of the retry for the log.
func (c *Client) noResponse(e *secret.Error, err error, limit time.Duration) (reason string) {
	host, why := c.opt.BaseURL.Host, "("+err.Error()+")"
	proxy, _ := errors.AsType[*proxyError](err)
	switch op, _ := errors.AsType[*net.OpError](err); {
	case proxy != nil:
		e.Hint = checkProxy
		return e.Problem
	case op != nil && op.Op == "proxyconnect":
		e.Problem, e.Hint = "cannot connect to the proxy ("+op.Err.Error()+")", checkProxy
		return e.Problem
	case op != nil && op.Op == "dial":
		e.Problem = "cannot connect to " + host + " " + why
		e.Hint += checkFirewall
		return e.Problem
	case errors.Is(err, context.DeadlineExceeded):
		why = "within " + secret.FormatDuration(limit)
	case secret.IsAny(err, io.EOF, io.ErrUnexpectedEOF):
		why = "(connection closed)"
	}
	e.Problem = "no response " + why
	return "no response from " + host + " " + why
}

// rateLimitWait returns the wait that a rate limit requires, and the name of the limit for the log.
func (r response) rateLimitWait(msg string) (wait time.Duration, limit string) {
	limit = "rate limit"
	if says(msg, "secondary", "") {
		limit = "secondary rate limit"
	}
	if wait, ok := r.retryAfter(); ok {
		return wait, limit
	}
	if wait, ok := r.untilReset(); ok {
		return wait, limit + " until " + time.Now().Add(wait).UTC().Format(time.TimeOnly) + " UTC"
	}
	return time.Minute, limit
}

// until returns the time left until t by GitHub's clock, or by ours if the response has no Date; 0 if t has passed.
func (r response) until(t time.Time) time.Duration { return max(t.Sub(cmp.Or(r.Date, time.Now())), 0) }

// retryAfter reads the header Retry-After, in seconds or as a date.
func (r response) retryAfter() (time.Duration, bool) {
	v := strings.TrimSpace(r.Header.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	date, err := http.ParseTime(v)
	return r.until(date), err == nil
}

// untilReset returns the time until X-RateLimit-Reset if no requests are left, plus 1 s: the header has whole seconds.
func (r response) untilReset() (time.Duration, bool) {
	reset, err := strconv.ParseUint(r.Header.Get("X-RateLimit-Reset"), 10, 33)
	if err != nil || reset == 0 || !r.noneLeft() {
		return 0, false
	}
	return r.until(time.Unix(int64(reset), 0)) + time.Second, true
}

// noneLeft reports whether no requests are left until the primary rate limit is reset.
func (r response) noneLeft() bool { return r.Header.Get("X-RateLimit-Remaining") == "0" }

// isRateLimit reports whether a response is for a rate limit. A 429 always is; a 403 may be for a missing permission.
// Every response has the count of requests left. It does not decide, since it may be 0 with a missing permission too.
func (r response) isRateLimit(msg string) bool {
	if r.StatusCode != http.StatusForbidden {
		return r.StatusCode == http.StatusTooManyRequests
	}
	return r.Header.Get("Retry-After") != "" || msg == "" && r.noneLeft() ||
		says(string(r.body), "rate limit|rate-limit|abuse detection", "")
}
