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
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"set-org-secret/internal/seal"
	"set-org-secret/internal/secret"
)

// MaxConcurrentReads is far below the 100 concurrent requests that GitHub allows.
const MaxConcurrentReads = 8

// Client is a connection to one organization's secrets. It is safe for concurrent use.
type Client struct {
	opt       Options
	transport atomic.Pointer[transport]
	retry     *retrier
	limiter   *writeLimiter

	mu                sync.Mutex
	firstUnauthorized time.Time             // the first 401
	tokenAccepted     bool                  // at least once
	storeRead         map[secret.Store]bool // a read of its secrets or its key has succeeded
	tokenExpires      time.Time             // zero if unknown
	clockSkew         time.Duration         // GitHub's clock less ours
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
	if o.Jitter == nil {
		o.Jitter = func() float64 { return 0 }
	}
	c := &Client{
		opt:     o,
		limiter: &writeLimiter{log: o.Log}, storeRead: map[secret.Store]bool{},
		retry: &retrier{
			timeout: o.Timeout, jitter: o.Jitter, log: o.Log, retryLogged: map[string]time.Time{},
			requests: breaker{what: "request"}, writes: breaker{what: "write"},
		},
	}
	transport, err := newTransport(o.Network, o.BaseURL, o.Token)
	if err != nil {
		return nil, err
	}
	c.transport.Store(transport)
	return c, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.transport.Load().inner.CloseIdleConnections() }

// Requests returns how many requests were sent so far, redirects and retries included.
func (c *Client) Requests() int { return int(c.transport.Load().requests.Load()) }

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
	call := newCall(http.MethodGet, "reading the public key", store,
		"orgs", c.opt.Org, string(store), "secrets", "public-key")
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

// wireSecret is a secret without its list of repositories. Its fields are required by GitHub's description of the API.
type wireSecret struct {
	Name       *string    `json:"name"`
	Visibility *string    `json:"visibility"`
	CreatedAt  *time.Time `json:"created_at"`
	UpdatedAt  *time.Time `json:"updated_at"`
}

func (w wireSecret) parse() (secret.Existing, error) {
	if w.Name == nil || w.Visibility == nil || w.CreatedAt == nil || w.UpdatedAt == nil {
		return secret.Existing{}, errors.New("a secret without name, visibility, created_at or updated_at")
	}
	v, err := secret.ParseVisibility(*w.Visibility)
	if err != nil {
		return secret.Existing{}, fmt.Errorf("visibility %w", err)
	}
	return secret.Existing{
		Name: secret.Name(strings.ToUpper(*w.Name)), Exists: true,
		CreatedAt: *w.CreatedAt, UpdatedAt: *w.UpdatedAt, Access: secret.Access{Visibility: v},
	}, nil
}

// parseSecrets parses a page of secrets, and the total that it reports.
func parseSecrets(body []byte) (entries []secret.Existing, total int, err error) {
	var page struct {
		TotalCount *int          `json:"total_count"`
		Secrets    *[]wireSecret `json:"secrets"`
	}
	switch err := unmarshal(body, &page); {
	case err != nil:
		return nil, 0, err
	case page.TotalCount == nil, page.Secrets == nil:
		return nil, 0, errors.New("a list without total_count or secrets")
	}
	for _, w := range *page.Secrets {
		existing, err := w.parse()
		if err != nil {
			return nil, 0, err
		}
		entries = append(entries, existing)
	}
	return entries, *page.TotalCount, nil
}

// parseRepositories parses a page of selected repositories, and the total that it reports.
func parseRepositories(body []byte) (entries []secret.Repository, total int, err error) {
	var page struct {
		TotalCount   *int                 `json:"total_count"`
		Repositories *[]secret.Repository `json:"repositories"`
	}
	switch err := unmarshal(body, &page); {
	case err != nil:
		return nil, 0, err
	case page.TotalCount == nil, page.Repositories == nil:
		return nil, 0, errors.New("a list without total_count or repositories")
	}
	return *page.Repositories, *page.TotalCount, checkRepositories(*page.Repositories...)
}

// checkRepositories returns an error if a repository lacks a field that GitHub's description of the API requires.
func checkRepositories(list ...secret.Repository) error {
	for _, repo := range list {
		if owner, name, ok := strings.Cut(repo.FullName, "/"); repo.ID <= 0 || !ok || owner == "" || name == "" {
			return errors.New("a repository without id or full_name")
		}
	}
	return nil
}

// Secret returns a secret without its list of repositories. Exists is false if GitHub returns 404: there is no such
// secret, or the token cannot see it.
func (c *Client) Secret(ctx context.Context, store secret.Store, name secret.Name) (secret.Existing, error) {
	var existing secret.Existing
	call := newCall(http.MethodGet, "reading the secret", store,
		"orgs", c.opt.Org, string(store), "secrets", string(name))
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
	call := newCall(http.MethodGet, "listing the secrets", store, "orgs", c.opt.Org, string(store), "secrets")
	all, err := fetchWhole(ctx, c, call, limit, parseSecrets, func(s secret.Existing) secret.Name { return s.Name })
	return all.entries, err == nil && !all.truncated && all.matchesTotal(), err
}

// SelectedRepositories returns the selected repositories of a secret. hidden is how many more repositories GitHub
// counts than it lists for this token, also after several reads. The error wraps [secret.ErrConflict] if the secret's
// visibility is not selected, and [secret.ErrNotFound] if it does not exist. For such a secret GitHub may return an
// empty list instead.
func (c *Client) SelectedRepositories(
	ctx context.Context, store secret.Store, name secret.Name,
) (list []secret.Repository, hidden int, err error) {
	call := c.newListCall(http.MethodGet, "listing the selected repositories", store, name)
	all, err := fetchWhole(ctx, c, call, math.MaxInt, parseRepositories, repositoryID)
	return all.entries, all.total - len(all.entries), err
}

// VisibleRepositories is like SelectedRepositories, but reads once: for changes that need not see the whole list.
func (c *Client) VisibleRepositories(
	ctx context.Context, store secret.Store, name secret.Name,
) (list []secret.Repository, hidden int, err error) {
	call := c.newListCall(http.MethodGet, "listing the selected repositories", store, name)
	all, err := fetchPages(ctx, c, call, math.MaxInt, parseRepositories)
	list = unique(all.entries, repositoryID)
	return list, max(all.total-len(list), 0), err
}

// newListCall describes a request for the list of selected repositories of a secret, or, with an id, for one of them.
func (c *Client) newListCall(method, op string, store secret.Store, name secret.Name, id ...string) *call {
	path := []string{"orgs", c.opt.Org, string(store), "secrets", string(name), "repositories"}
	return newCall(method, op, store, append(path, id...)...)
}

func repositoryID(r secret.Repository) int64 { return r.ID }

// Repository returns a repository of the organization by its name without the organization. It follows a rename. The
// error wraps [secret.ErrNotFound] if there is none that the token can see, or if it was transferred to another
// owner.
func (c *Client) Repository(ctx context.Context, name string) (secret.Repository, error) {
	var repo secret.Repository
	call := newCall(http.MethodGet, "looking up repository "+c.opt.Org+"/"+name, "", "repos", c.opt.Org, name)
	resp, err := c.do(ctx, call, func(body []byte) error {
		if err := unmarshal(body, &repo); err != nil {
			return err
		}
		return checkRepositories(repo)
	})
	if err != nil {
		return secret.Repository{}, err
	}
	if owner, _, _ := strings.Cut(repo.FullName, "/"); !strings.EqualFold(owner, c.opt.Org) {
		return secret.Repository{}, &secret.Error{
			Op: call.op, Problem: "transferred to " + repo.FullName, RequestID: resp.requestID,
			Hint: "Leave it out: only repositories of " + c.opt.Org + " can read its secrets.",
			Is:   []error{secret.ErrNotFound},
		}
	}
	return repo, nil
}

// Repositories lists every repository of the organization that the token can see, the oldest first: one that is
// created in the meantime comes last and does not shift others to the next page.
func (c *Client) Repositories(ctx context.Context) ([]secret.Repository, error) {
	call := newCall(http.MethodGet, "listing the repositories of "+c.opt.Org, "", "orgs", c.opt.Org, "repos")
	call.query = "sort=created&direction=asc&"
	all, err := fetchPages(ctx, c, call, math.MaxInt, func(body []byte) ([]secret.Repository, int, error) {
		var page []secret.Repository
		if err := unmarshal(body, &page); err != nil {
			return nil, 0, err
		}
		return page, 0, checkRepositories(page...)
	})
	return unique(all.entries, repositoryID), err
}

// Attempts ranges over the attempts at a write. Each is yielded after all waiting, so that the state that the body of
// the loop reads is current when it is sent. The function sends one attempt and reports whether it created the secret.
// If no attempt is left, the final error is yielded instead.
//
// The loop ends after a success, after an error that no retry can change, and if the body sends nothing. It continues
// after [secret.ErrUnprocessable]: break unless the value was sealed again. An error wraps [secret.ErrOutcomeUnknown]
// if GitHub may have applied this or an earlier attempt, and [secret.ErrCutOff] if it may still apply one.
type Attempts = iter.Seq2[func(seal.Sealed, secret.Access) (created bool, err error), error]

// Put creates or updates a secret.
//
// https://docs.github.com/en/rest/actions/secrets#create-or-update-an-organization-secret
func (c *Client) Put(ctx context.Context, store secret.Store, name secret.Name) Attempts {
	call := newCall(http.MethodPut, "writing the secret", store,
		"orgs", c.opt.Org, string(store), "secrets", string(name))
	call.ok = []int{http.StatusCreated, http.StatusNoContent}
	return c.write(ctx, call, func(sealed seal.Sealed, access secret.Access) payload {
		// A pointer in place of go-github's omitempty, which would drop an empty list.
		body := struct {
			EncryptedValue        string            `json:"encrypted_value"`
			KeyID                 string            `json:"key_id"`
			Visibility            secret.Visibility `json:"visibility"`
			SelectedRepositoryIDs *[]int64          `json:"selected_repository_ids,omitempty"`
		}{EncryptedValue: sealed.EncryptedValue, KeyID: sealed.KeyID, Visibility: access.Visibility}
		load := payload{body: &body, sealed: sealed.EncryptedValue}
		if access.Visibility == secret.Selected {
			ids := access.IDs()
			body.SelectedRepositoryIDs, load.repositories = &ids, len(ids) > 0
		}
		return load
	})
}

// SetRepositories replaces the list of a secret whose visibility is selected. The sealed value that an attempt gets
// is ignored.
//
// https://docs.github.com/en/rest/actions/secrets#set-selected-repositories-for-an-organization-secret
func (c *Client) SetRepositories(ctx context.Context, store secret.Store, name secret.Name) Attempts {
	call := c.newListCall(http.MethodPut, "writing the selected repositories", store, name)
	call.ok = []int{http.StatusNoContent}
	return c.write(ctx, call, func(_ seal.Sealed, access secret.Access) payload {
		body := struct {
			IDs []int64 `json:"selected_repository_ids"`
		}{access.IDs()}
		return payload{body: body, repositories: true}
	})
}

// AddRepository adds one repository to the list of a secret whose visibility is selected, and leaves the others. The
// sealed value and the access that an attempt gets are ignored.
//
// https://docs.github.com/en/rest/actions/secrets#add-selected-repository-to-an-organization-secret
func (c *Client) AddRepository(ctx context.Context, store secret.Store, name secret.Name, id int64) Attempts {
	return c.changeRepository(ctx, http.MethodPut, "adding repository", store, name, id)
}

// RemoveRepository removes one repository from such a list, and leaves the others.
//
// https://docs.github.com/en/rest/actions/secrets#remove-selected-repository-from-an-organization-secret
func (c *Client) RemoveRepository(ctx context.Context, store secret.Store, name secret.Name, id int64) Attempts {
	return c.changeRepository(ctx, http.MethodDelete, "removing repository", store, name, id)
}

func (c *Client) changeRepository(
	ctx context.Context, method, op string, store secret.Store, name secret.Name, id int64,
) Attempts {
	call := c.newListCall(method, fmt.Sprintf("%s %d", op, id), store, name, strconv.FormatInt(id, 10))
	call.ok = []int{http.StatusNoContent}
	return c.write(ctx, call, func(seal.Sealed, secret.Access) payload { return payload{repositories: true} })
}

func (c *Client) write(ctx context.Context, call *call, load func(seal.Sealed, secret.Access) payload) Attempts {
	return func(yield func(func(seal.Sealed, secret.Access) (bool, error), error) bool) {
		for send, err := range c.attempts(ctx, call) {
			put := func(sealed seal.Sealed, access secret.Access) (created bool, err error) {
				resp, err := send(load(sealed, access))
				return resp.status == http.StatusCreated, err
			}
			if !yield(put, err) {
				return
			}
		}
	}
}
