// Package github is a client for GitHub's organization secrets API, all four stores. It retries transient errors
// (retry.go), limits the write rate (limiter.go), decides how existing secrets are read (existing.go) and turns
// GitHub's refusals into advice (hints.go). Its errors are of type [secret.Error].
//
// A server that is down costs the timeout once, not once for each secret. An outage begins with a transient error, and
// ends with a success or with a final refusal. A circuit breaker trips if a retry budget ends in an outage that covers
// all of it, unless no other budget had an error in it: all remaining requests fail then. A second breaker stops writes
// alone. Its outage ends only with a write that succeeds, since reads may still work.
//
// Every request goes through go-github's client, but not its typed services: those put names into paths unescaped, drop
// an empty list of repositories, and lack the agents store.
package github

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"set-org-secret/internal/seal"
	"set-org-secret/internal/secret"
)

// MaxConcurrentReads is far below the 100 concurrent requests that GitHub allows.
const MaxConcurrentReads = 8

// Concurrently calls do(0) to do(n-1) and waits for all of them; most limits how many run at the same time.
func Concurrently(most, n int, do func(i int)) {
	var group errgroup.Group
	group.SetLimit(most)
	for i := range n {
		group.Go(func() error {
			do(i)
			return nil
		})
	}
	_ = group.Wait() // no error
}

// Client is a connection to one organization's secrets. It is safe for concurrent use.
type Client struct {
	opt       Options
	transport *transport
	retry     *retrier
	limiter   *writeLimiter

	mu                sync.Mutex
	firstUnauthorized time.Time             // the first 401
	firstUnknown      time.Time             // the first "no such host" since the last response
	tokenAccepted     bool                  // at least once
	storeRead         map[secret.Store]bool // a read of its secrets or its key has succeeded
	tokenExpires      time.Time             // zero if unknown
	clockSkew         time.Duration         // GitHub's clock minus ours
}

// Options configure a Client.
type Options struct {
	Org       string
	BaseURL   *url.URL // with a trailing slash
	Token     string   // never empty
	UserAgent string
	Writes    bool           // hints ask for the permission write, not read
	Timeout   time.Duration  // see [Budget]
	Jitter    func() float64 // numbers in [0, 1) that spread the backoff
	Log       func(string)   // receives a line about a wait or a retry
	Network
}

// New returns a client and sends nothing.
func New(o Options) *Client {
	return &Client{
		opt: o, transport: newTransport(o.Network, o.BaseURL, o.Token),
		limiter: &writeLimiter{log: o.Log}, storeRead: map[secret.Store]bool{},
		retry: &retrier{
			Options: &o, retryLogged: map[string]time.Time{},
			reads: &breaker{tripped: make(chan struct{})}, writes: &breaker{tripped: make(chan struct{})},
		},
	}
}

// Close closes idle connections.
func (c *Client) Close() { c.transport.inner.Load().CloseIdleConnections() }

// Timeout returns how long a request is retried.
func (c *Client) Timeout() time.Duration { return c.opt.Timeout }

// Requests returns how many requests were made so far, including redirects, retries and failed connections.
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
func (c *Client) PublicKey(ctx context.Context, b *Budget, store secret.Store) (key seal.PublicKey, err error) {
	// An old GHES sends the id as a number. A float64 would lose some of its digits.
	var wire struct {
		KeyID json.RawMessage `json:"key_id"`
		Key   string          `json:"key"`
	}
	r := c.secretsRequest("reading the public key", store, "public-key")
	_, err = c.do(ctx, b, r, func(resp response) error {
		if err := unmarshal(resp.body, &wire); err != nil {
			return err
		}
		if key, err = seal.ParsePublicKey(strings.Trim(string(wire.KeyID), `"`), wire.Key); err != nil {
			return &secret.Error{
				Problem: "unusable key: " + err.Error(),
				Hint:    "Check that api_url is GitHub's own API and that nothing in between rewrites its responses.",
			}
		}
		return nil
	})
	return key, err
}

// Repository returns a repository of the organization by its name without the organization. It follows a rename. The
// error wraps [secret.ErrNotFound] if there is none that the token can see, or if GitHub redirects to another owner.
func (c *Client) Repository(ctx context.Context, b *Budget, name string) (repo secret.Repository, err error) {
	r := newRequest("looking up repository "+c.opt.Org+"/"+name, "", "repos", c.opt.Org, name)
	_, err = c.do(ctx, b, r, func(resp response) error {
		var found secret.Repository
		err := unmarshal(resp.body, &found)
		if err = cmp.Or(err, checkRepositories(found)); err != nil {
			return err
		}
		if owner, _, _ := strings.Cut(found.FullName, "/"); !strings.EqualFold(owner, c.opt.Org) {
			return &secret.Error{
				Problem: "GitHub redirects to " + found.FullName,
				Hint: "If the organization was renamed, set org to " + owner + ". If the repository was transferred, " +
					"leave it out: only repositories of " + c.opt.Org + " can read its secrets.",
				Is: []error{secret.ErrNotFound},
			}
		}
		repo = found
		return nil
	})
	return repo, err
}

// Repositories lists the repositories of the organization that the token can see. The oldest come first, so that a new
// one shifts none to the next page. Two readings of several pages must agree on those that isWanted selects, or on all
// if it is nil. If GitHub says that it left some out, the error wraps [secret.ErrPartial], and the others are returned.
func (c *Client) Repositories(
	ctx context.Context, b *Budget, isWanted func(secret.Repository) bool,
) ([]secret.Repository, error) {
	r := newRequest("listing the repositories of "+c.opt.Org, "", "orgs", c.opt.Org, "repos")
	parse := func(body []byte) (page []secret.Repository, total int, err error) {
		err = unmarshal(body, &page)
		return page, 0, cmp.Or(err, checkRepositories(page...))
	}
	const oldestFirst = "sort=created&direction=asc&"
	all, err := list[secret.Repository]{c, b, r, oldestFirst, parse, repositoryID, isWanted}.read(ctx)
	if err == nil && all.partial {
		err = &secret.Error{
			Op: r.op, Problem: "GitHub returned only a part of the list", Cause: notAuthorized,
			Hint: authorize("", ""), Is: []error{secret.ErrPartial},
		}
	}
	return all.entries, err
}

// secretsRequest returns a read of orgs/ORG/STORE/secrets, or of a path below.
func (c *Client) secretsRequest(op string, store secret.Store, path ...string) *Request {
	return newRequest(op, store, append([]string{"orgs", c.opt.Org, string(store), "secrets"}, path...)...)
}

// newWrite returns a write to a secret, or to a path below it.
func (c *Client) newWrite(method string, store secret.Store, name secret.Name, path ...string) *Request {
	r := c.secretsRequest("", store, append([]string{string(name)}, path...)...)
	r.method, r.ok = method, []int{http.StatusNoContent}
	return r
}

// PutSecret creates or updates a secret.
//
// https://docs.github.com/en/rest/actions/secrets#create-or-update-an-organization-secret
func (c *Client) PutSecret(store secret.Store, name secret.Name, sealed secret.Sealed, access secret.Access) *Request {
	// omitzero in place of go-github's omitempty, which would drop an empty list.
	body := struct {
		EncryptedValue        string            `json:"encrypted_value"`
		KeyID                 string            `json:"key_id"`
		Visibility            secret.Visibility `json:"visibility"`
		SelectedRepositoryIDs []int64           `json:"selected_repository_ids,omitzero"`
	}{EncryptedValue: sealed.EncryptedValue, KeyID: sealed.KeyID, Visibility: access.Visibility}
	r := c.newWrite(http.MethodPut, store, name)
	r.ok = append(r.ok, http.StatusCreated)
	if access.Visibility == secret.Selected {
		body.SelectedRepositoryIDs = access.IDs()
	}
	r.body, r.sealed, r.repositories = body, sealed.EncryptedValue, len(body.SelectedRepositoryIDs) > 0
	return r
}

// SetRepositories replaces the list of a secret whose visibility is selected.
//
// https://docs.github.com/en/rest/actions/secrets#set-selected-repositories-for-an-organization-secret
func (c *Client) SetRepositories(store secret.Store, name secret.Name, list []int64) *Request {
	r := c.newWrite(http.MethodPut, store, name, "repositories")
	r.body, r.repositories = map[string][]int64{"selected_repository_ids": list}, true
	return r
}

// ChangeRepository adds one repository to the list of a secret, or removes one. The others stay. The visibility of the
// secret must be selected.
//
// https://docs.github.com/en/rest/actions/secrets#add-selected-repository-to-an-organization-secret
func (c *Client) ChangeRepository(change secret.ListChange, store secret.Store, name secret.Name, id int64) *Request {
	method := http.MethodPut
	if change == secret.ListRemove {
		method = http.MethodDelete
	}
	r := c.newWrite(method, store, name, "repositories", strconv.FormatInt(id, 10))
	r.repositories = true
	return r
}
