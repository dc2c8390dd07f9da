// Package github is a client for GitHub's organization secrets API, all four stores. It retries transient errors
// (retry.go), limits the write rate (limiter.go) and attaches hints to errors (hints.go).
//
// It is the only importer of go-github, whose types stay inside. Every request goes through go-github's client, but
// not its typed services: those put names into paths unescaped, drop an empty list of repositories, and lack the
// agents store.
//
// It never sends the token to another origin, follows no redirected write, and does not wait longer than its timeout.
// Its errors are of type [secret.Error].
package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"set-org-secret/internal/seal"
	"set-org-secret/internal/secret"
)

// MaxConcurrentReads is far below the 100 concurrent requests that GitHub allows.
const MaxConcurrentReads = 8

const (
	perPage = 100 // GitHub's maximum
	// maxListReads is how many times a list is read if its total does not match.
	maxListReads = 3
	// maxPages is ten times the longest list of the largest organizations.
	maxPages = 10_000
)

// Client is a connection to one organization's secrets. It is safe for concurrent use.
type Client struct {
	opt       Options
	http      *http.Client
	transport *transport
	retry     *retrier
	limiter   *writeLimiter

	mu                sync.Mutex
	firstUnauthorized time.Time     // the first 401
	tokenAccepted     bool          // at least once
	tokenExpires      time.Time     // zero if unknown
	clockSkew         time.Duration // GitHub's clock less ours
}

// Options configure a Client.
type Options struct {
	Org       string
	BaseURL   *url.URL // with a trailing slash
	Token     string
	UserAgent string
	// Writes selects the permission that hints name: write if true, else read.
	Writes bool
	// Timeout is how long requests are retried; see [Client.WithRetryBudget].
	Timeout time.Duration
	// Jitter returns numbers in [0, 1) that spread the backoff; nil means 0.
	Jitter func() float64
	// Log receives a line about each wait.
	Log func(string)
	Network
}

// New returns a client and sends nothing. It fails if a proxy variable is invalid.
func New(o Options) (*Client, error) {
	transport, err := newTransport(o.Network, o.BaseURL, o.Token)
	if err != nil {
		return nil, err
	}
	if o.Jitter == nil {
		o.Jitter = func() float64 { return 0 }
	}
	return &Client{
		opt: o, transport: transport, http: &http.Client{Transport: transport, CheckRedirect: checkRedirect},
		limiter: &writeLimiter{log: o.Log},
		retry: &retrier{
			timeout: o.Timeout, jitter: o.Jitter, log: o.Log,
			tripc: make(chan struct{}), loggedAt: map[string]time.Time{},
		},
	}, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.transport.inner.CloseIdleConnections() }

// Requests returns how many requests were sent so far, redirects and retries included.
func (c *Client) Requests() int { return int(c.transport.requests.Load()) }

// TokenExpires returns when the token expires. It is zero if unknown.
func (c *Client) TokenExpires() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tokenExpires
}

// Now returns the time by GitHub's clock, from the Date header of its responses; a runner's clock may be off.
func (c *Client) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.clockSkew)
}

// PublicKey returns the key that values of a store are sealed to.
//
// https://docs.github.com/en/rest/actions/secrets#get-an-organization-public-key
func (c *Client) PublicKey(ctx context.Context, store secret.Store) (seal.PublicKey, error) {
	// An old GHES sends the id as a number; json.RawMessage preserves every digit, which go-github's PublicKey would
	// lose in a float64.
	var wire struct {
		KeyID json.RawMessage `json:"key_id"`
		Key   string          `json:"key"`
	}
	call := newCall(http.MethodGet, "get public key", store, "orgs", c.opt.Org, string(store), "secrets", "public-key")
	resp, err := c.do(ctx, call, func(body []byte) error { return unmarshal(body, &wire) })
	if err != nil {
		return seal.PublicKey{}, err
	}
	key, err := seal.ParsePublicKey(strings.Trim(string(wire.KeyID), `"`), wire.Key)
	if err != nil {
		return seal.PublicKey{}, &secret.Error{
			Op: call.op, Problem: "unusable key: " + err.Error(), RequestID: resp.requestID,
			Hint: "Check that api_url is GitHub's own API and that nothing in between rewrites its responses.",
		}
	}
	return key, nil
}

type wireSecret struct {
	Name       string    `json:"name"`
	Visibility string    `json:"visibility"`
	UpdatedAt  time.Time `json:"updated_at"`
}

func (w wireSecret) parse() (secret.Existing, error) {
	v, err := secret.ParseVisibility(w.Visibility)
	if err != nil {
		return secret.Existing{}, fmt.Errorf("visibility %w", err)
	}
	return secret.Existing{
		Name: secret.Name(strings.ToUpper(w.Name)), Exists: true,
		UpdatedAt: w.UpdatedAt, Access: secret.Access{Visibility: v},
	}, nil
}

// Secret returns a secret without its list of repositories. Exists is false if GitHub returns 404: there is no such
// secret, or the token cannot see it.
func (c *Client) Secret(ctx context.Context, store secret.Store, name secret.Name) (secret.Existing, error) {
	var existing secret.Existing
	call := newCall(http.MethodGet, "get secret", store, "orgs", c.opt.Org, string(store), "secrets", string(name))
	_, err := c.do(ctx, call, func(body []byte) (err error) {
		var wire wireSecret
		if err = unmarshal(body, &wire); err == nil {
			existing, err = wire.parse()
		}
		if err == nil && existing.Name != name {
			err = errors.New("a different secret")
		}
		return err
	})
	if errors.Is(err, secret.ErrNotFound) {
		return secret.Existing{Name: name}, nil
	}
	return existing, err
}

// Secrets lists the secrets of a store. complete is false if there are more than limit pages (then only the first
// page is returned), or if the total that GitHub reports still does not match the list after several reads: a secret
// that is not in such a list may exist.
func (c *Client) Secrets(
	ctx context.Context, store secret.Store, limit int,
) (list []secret.Existing, complete bool, err error) {
	call := newCall(http.MethodGet, "list secrets", store, "orgs", c.opt.Org, string(store), "secrets")
	var all pages[wireSecret]
	for read := 0; read < maxListReads && !complete && !all.truncated; read++ {
		if all, err = fetchPages(ctx, c, call, limit, parsePage[wireSecret]); err != nil {
			return nil, false, err
		}
		all.entries = unique(all.entries, func(w wireSecret) string { return w.Name })
		complete = !all.truncated && len(all.entries) == all.total
	}
	for _, w := range all.entries {
		existing, err := w.parse()
		if err != nil {
			return nil, false, unreadable(call, response{}, err)
		}
		list = append(list, existing)
	}
	return list, complete, nil
}

// parsePage parses a page of an enveloped list, and the total that it reports.
func parsePage[T any](body []byte) (entries []T, total int, err error) {
	var page struct {
		TotalCount   *int `json:"total_count"`
		Secrets      []T  `json:"secrets"`
		Repositories []T  `json:"repositories"`
	}
	if err = unmarshal(body, &page); err == nil && page.TotalCount == nil {
		err = errors.New("no total_count")
	}
	if err != nil {
		return nil, 0, err
	}
	return append(page.Secrets, page.Repositories...), *page.TotalCount, nil
}

// unique drops duplicate entries, which a list has if its pages shift while they are read.
func unique[T any, K comparable](entries []T, key func(T) K) []T {
	list := make([]T, 0, len(entries))
	seen := make(map[K]bool, len(entries))
	for _, v := range entries {
		if k := key(v); !seen[k] {
			seen[k] = true
			list = append(list, v)
		}
	}
	return list
}

// SelectedRepositories returns the selected repositories of a secret. hidden is how many more repositories GitHub
// counts than it lists for this token.
func (c *Client) SelectedRepositories(
	ctx context.Context, store secret.Store, name secret.Name,
) (list []secret.Repository, hidden int, err error) {
	call := newCall(http.MethodGet, "list selected repositories", store,
		"orgs", c.opt.Org, string(store), "secrets", string(name), "repositories")
	all, err := fetchPages(ctx, c, call, maxPages, parsePage[secret.Repository])
	list = unique(all.entries, repositoryID)
	return list, all.total - len(list), err
}

func repositoryID(r secret.Repository) int64 { return r.ID }

// Repository returns a repository of the organization by its name without the organization. It follows a rename. The
// error wraps [secret.ErrNotFound] if there is none that the token can see, or if it was transferred to another
// owner.
func (c *Client) Repository(ctx context.Context, name string) (secret.Repository, error) {
	var repo secret.Repository
	call := newCall(http.MethodGet, "get repository "+c.opt.Org+"/"+name, "", "repos", c.opt.Org, name)
	resp, err := c.do(ctx, call, func(body []byte) error { return unmarshal(body, &repo) })
	if err != nil {
		return secret.Repository{}, err
	}
	if owner, _, _ := strings.Cut(repo.FullName, "/"); !strings.EqualFold(owner, c.opt.Org) || repo.ID <= 0 {
		return secret.Repository{}, &secret.Error{
			Op: call.op, Problem: "transferred to " + repo.FullName, RequestID: resp.requestID,
			Is: []error{secret.ErrNotFound},
		}
	}
	return repo, nil
}

// Repositories lists every repository of the organization that the token can see, the oldest first: one that is
// created in the meantime comes last and does not shift others to the next page.
func (c *Client) Repositories(ctx context.Context) ([]secret.Repository, error) {
	call := newCall(http.MethodGet, "list repositories of "+c.opt.Org, "", "orgs", c.opt.Org, "repos")
	call.query = "sort=created&direction=asc&"
	all, err := fetchPages(ctx, c, call, maxPages, func(body []byte) ([]secret.Repository, int, error) {
		var page []secret.Repository
		err := unmarshal(body, &page)
		return page, 0, err
	})
	return unique(all.entries, repositoryID), err
}

// Attempts ranges over the attempts at a write. Each is yielded after all waiting, so that what the body of the loop
// reads is current when it is sent. The function sends one attempt and reports whether it created the secret. If no
// attempt is left, the final error is yielded instead.
//
// The loop ends after a success, after an error that no retry can change, and if the body sends nothing. It continues
// after [secret.ErrUnprocessable]: break unless the value was sealed again. An error wraps [secret.ErrOutcomeUnknown]
// if GitHub may have applied the write but sent no response.
type Attempts = iter.Seq2[func(seal.Sealed, secret.Access) (created bool, err error), error]

// Put creates or updates a secret.
//
// https://docs.github.com/en/rest/actions/secrets#create-or-update-an-organization-secret
func (c *Client) Put(ctx context.Context, store secret.Store, name secret.Name) Attempts {
	call := newCall(http.MethodPut, "put secret", store, "orgs", c.opt.Org, string(store), "secrets", string(name))
	call.ok = []int{http.StatusCreated, http.StatusNoContent}
	return c.write(ctx, call, func(sealed seal.Sealed, access secret.Access) any {
		// A pointer in place of go-github's omitempty, which would drop an empty list.
		body := struct {
			EncryptedValue        string            `json:"encrypted_value"`
			KeyID                 string            `json:"key_id"`
			Visibility            secret.Visibility `json:"visibility"`
			SelectedRepositoryIDs *[]int64          `json:"selected_repository_ids,omitempty"`
		}{EncryptedValue: sealed.EncryptedValue, KeyID: sealed.KeyID, Visibility: access.Visibility}
		if access.Visibility == secret.Selected {
			ids := access.IDs()
			body.SelectedRepositoryIDs = &ids
		}
		return body
	})
}

// SetRepositories replaces the list of a secret whose visibility is selected. The sealed value that an attempt gets
// is ignored.
//
// https://docs.github.com/en/rest/actions/secrets#set-selected-repositories-for-an-organization-secret
func (c *Client) SetRepositories(ctx context.Context, store secret.Store, name secret.Name) Attempts {
	call := newCall(http.MethodPut, "set selected repositories", store,
		"orgs", c.opt.Org, string(store), "secrets", string(name), "repositories")
	call.ok = []int{http.StatusNoContent}
	return c.write(ctx, call, func(_ seal.Sealed, access secret.Access) any {
		return struct {
			IDs []int64 `json:"selected_repository_ids"`
		}{access.IDs()}
	})
}

func (c *Client) write(ctx context.Context, call *call, body func(seal.Sealed, secret.Access) any) Attempts {
	return func(yield func(func(seal.Sealed, secret.Access) (bool, error), error) bool) {
		for send, err := range c.attempts(ctx, call) {
			put := func(sealed seal.Sealed, access secret.Access) (created bool, err error) {
				resp, err := send(body(sealed, access), sealed.EncryptedValue)
				return resp.status == http.StatusCreated, err
			}
			if !yield(put, err) {
				return
			}
		}
	}
}

// pages is a list that is read page by page.
type pages[T any] struct {
	entries   []T
	total     int  // the largest that a page reports; 0 if none does
	truncated bool // there are more pages than the limit; entries has the first
}

// fetchPages fetches page 1, then the remaining pages concurrently. It stops after page 1 if there are more than
// limit. parse returns the entries of a page and the total that it reports, or 0.
func fetchPages[T any](
	ctx context.Context, c *Client, list *call, limit int, parse func(body []byte) (entries []T, total int, err error),
) (pages[T], error) {
	page := func(ctx context.Context, number int) (entries []T, total int, resp response, err error) {
		call := *list
		call.query += fmt.Sprintf("per_page=%d", perPage)
		if number > 1 {
			call.query += fmt.Sprintf("&page=%d", number)
		}
		resp, err = c.do(ctx, &call, func(body []byte) (err error) {
			entries, total, err = parse(body)
			return err
		})
		return entries, total, resp, err
	}
	entries, total, resp, err := page(ctx, 1)
	if err != nil {
		return pages[T]{}, err
	}
	last := max(resp.lastPage, (total+perPage-1)/perPage, 1)
	if last > maxPages && limit >= maxPages {
		return pages[T]{}, unreadable(list, resp, fmt.Errorf("a list of %d pages", last))
	}
	if last > limit || last == 1 {
		return pages[T]{entries, total, last > limit}, nil
	}
	rest, totals := make([][]T, last+1), make([]int, last+1)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(MaxConcurrentReads)
	for number := 2; number <= last; number++ {
		group.Go(func() (err error) {
			rest[number], totals[number], _, err = page(groupCtx, number)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return pages[T]{}, err
	}
	return pages[T]{append(entries, slices.Concat(rest...)...), max(total, slices.Max(totals)), false}, nil
}
