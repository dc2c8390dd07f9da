package github

import (
	"bytes"
	"context"
	"io"
	"math"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
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

// Request is a request to the API. The errors of a write name the operation that [Client.Attempts] was given.
type Request struct {
	op     string // of a read: "reading the secret"
	store  secret.Store
	method string
	path   string // relative to the base, escaped, with its query
	ok     []int  // the statuses of success
	body   any    // nil for none

	sealed       string // the sealed value in the body; GitHub's message may repeat it
	repositories bool   // the body or the path names repositories
}

// newRequest returns a read. Each segment of its path is escaped.
func newRequest(op string, store secret.Store, segments ...string) *Request {
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return &Request{
		op: op, store: store, method: http.MethodGet, path: strings.Join(segments, "/"), ok: []int{http.StatusOK},
	}
}

func (r *Request) isWrite() bool { return r.method != http.MethodGet }

// apiVersion returns the older version of the API, because some Enterprise Servers know no other; for the store agents
// the newer one, which alone has it.
//
// https://github.com/google/go-github/issues/4533
func (r *Request) apiVersion() string {
	if r.store == secret.Agents {
		return "2026-03-10"
	}
	return "2022-11-28"
}

// response is GitHub's response to a request. Its status is 0 if none came.
type response struct {
	*gogithub.Response
	body []byte // of a write, only its beginning
	secret.Reading
}

func (r response) requestID() string { return r.Header.Get(requestIDHeader) }

const untilTimeout time.Duration = math.MaxInt64

// failure is a failed attempt.
type failure struct {
	err        *secret.Error
	retryFor   time.Duration // how long to retry; 0 if the failure is final
	reason     string        // of a retry, for the log
	retryAfter time.Duration // the shortest wait that GitHub asks for; 0 if none
	global     bool          // it is a rate limit, which pauses every request
	unproven   bool          // the request was sent, and no response proves that GitHub refused it
}

func (c *Client) send(ctx context.Context, r *Request, limit time.Duration) (resp response, failed *failure) {
	resp.Response = &gogithub.Response{Response: &http.Response{}}
	// A client for each attempt, with shared connections: a go-github client remembers rate limits and then returns a
	// made-up response without sending the request.
	gh := gogithub.NewClient(&http.Client{Transport: c.transport, CheckRedirect: checkRedirect})
	gh.BaseURL, gh.UserAgent = c.opt.BaseURL, c.opt.UserAgent
	req, err := gh.NewRequest(r.method, r.path, r.body)
	if err != nil {
		return resp, &failure{err: &secret.Error{Problem: "the request cannot be built"}}
	}
	req.Header.Set("X-GitHub-Api-Version", r.apiVersion())
	attemptCtx, cancel := attemptContext(ctx, r.isWrite(), limit)
	defer cancel()
	var wrote atomic.Bool
	trace := &httptrace.ClientTrace{WroteHeaders: func() { wrote.Store(true) }}
	resp.ReadAt = time.Now()
	got, err := gh.BareDo(httptrace.WithClientTrace(attemptCtx, trace), req)
	if got == nil || got.Response == nil {
		return resp, c.errorFromTransport(ctx, err, wrote.Load(), limit)
	}
	defer func() { _ = got.Body.Close() }()
	resp.Response, resp.ReceivedAt = got, time.Now()
	resp.Date, _ = http.ParseTime(got.Header.Get("Date"))
	ok := slices.Contains(r.ok, got.StatusCode)
	c.recordMetadata(r, resp, ok)
	if ok && r.isWrite() { // the status decides, unless the body is not JSON
		if resp.body = bytes.TrimSpace(drain(got.Response, cancel)); len(resp.body) > 0 && resp.body[0] != '{' {
			return resp, &failure{err: unreadable(resp, errNotJSON), unproven: true}
		}
		return resp, nil
	}
	// go-github has read the body of an error and put it back, even if it was cut off. The status is valid even so.
	resp.body, err = io.ReadAll(got.Body)
	switch {
	case resp.StatusCode == http.StatusUnprocessableEntity && got.ContentLength > int64(len(resp.body)):
		// Only the message says whether the key is the reason, but it was cut off.
		failed := c.errorFromTransport(ctx, io.ErrUnexpectedEOF, true, limit)
		failed.unproven = !resp.isRefusal()
		return resp, failed
	case !ok:
		return resp, c.errorFromResponse(r, resp)
	case err != nil:
		return resp, c.errorFromTransport(ctx, err, true, limit)
	}
	return resp, nil
}

// drain reads the beginning of a body, since a connection is used again only if its response was read.
func drain(resp *http.Response, cancel context.CancelFunc) []byte {
	defer time.AfterFunc(maxDrainTime, cancel).Stop()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxDrainBytes))
	return text
}

// attemptContext limits the time of an attempt. A signal ends a read immediately. It ends a write only after a grace
// period, in which GitHub may still respond.
func attemptContext(ctx context.Context, write bool, limit time.Duration) (context.Context, context.CancelFunc) {
	attempt, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	stop := context.AfterFunc(ctx, func() {
		if write {
			Sleep(attempt, writeGracePeriod)
		}
		cancel()
	})
	return attempt, func() { stop(); cancel() }
}

// recordMetadata stores a response's token expiration and clock, and whether the token was accepted.
func (c *Client) recordMetadata(r *Request, resp response, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.firstUnknown, c.tokenAccepted = time.Time{}, c.tokenAccepted || ok
	if ok && !r.isWrite() && r.store != "" {
		c.storeRead[r.store] = true
	}
	if !resp.TokenExpiration.IsZero() {
		c.tokenExpires = resp.TokenExpiration.Time
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		c.clockSkew = time.Until(date)
	}
}
