// Package github speaks with GitHub's REST API about organization secrets: four
// stores through one shape, with patience for passing faults and errors that
// say what to do.
//
// It is the only importer of go-github, and go-github's types stay inside. Every
// request goes through go-github's client, but for its typed services: those put
// names into paths unescaped, drop an empty list of repositories, and know
// nothing of the agents store.
//
// It refuses to send the token to another origin, to follow a redirected write,
// and to wait longer than the patience it was given.
package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

const (
	perPage = 100 // the most that GitHub gives
	// maxLists is how often a list is read that changes while it is read.
	maxLists = 3
	// pageLimit is ten times what the largest organization has of anything.
	pageLimit = 10_000
	// readsAtOnce keeps far below the 100 requests at once that GitHub allows.
	readsAtOnce = 8
)

// Client is a connection to one organization's secrets. It is safe for
// concurrent use.
type Client struct {
	org      string
	base     *url.URL
	token    string
	agent    string
	writes   bool
	http     *http.Client
	traffic  *transport
	patience *patience
	pace     *pace

	mu        sync.Mutex
	began     time.Time     // of the first 401
	hasWorked bool          // the token, at least once
	expires   time.Time     // of the token, where GitHub told
	skew      time.Duration // GitHub's clock less ours
}

// Options says whom to speak with, and how patiently.
type Options struct {
	Org       string
	BaseURL   *url.URL // with a trailing slash
	Token     string
	UserAgent string
	// Writes says that the token is to write secrets, for what is told of a
	// refusal.
	Writes bool
	// Timeout is the patience with faults, as the action's input has it.
	Timeout time.Duration
	// Jitter returns numbers in [0, 1) that spread the back-off.
	Jitter func() float64
	// Log takes one line about each wait.
	Log func(string)
	Network
}

// New returns a client. Nothing is sent yet.
func New(o Options) (*Client, error) {
	traffic, err := newTransport(o.Network, o.BaseURL, o.Token)
	if err != nil {
		return nil, err
	}
	c := &Client{
		org: o.Org, base: o.BaseURL, token: o.Token, agent: o.UserAgent, writes: o.Writes, traffic: traffic,
		http: &http.Client{Transport: traffic, CheckRedirect: checkRedirect},
	}
	c.patience = newPatience(o.Timeout, o.Jitter, o.Log)
	c.pace = &pace{log: c.patience.log}
	return c, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.traffic.inner.CloseIdleConnections() }

// Requests counts what was sent so far, redirects and retries included.
func (c *Client) Requests() int { return int(c.traffic.requests.Load()) }

// TokenExpires is when the token expires, or zero where GitHub did not tell.
func (c *Client) TokenExpires() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.expires
}

// Now is the time by GitHub's clock, as its answers told; a runner's may be off.
func (c *Client) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.skew)
}

// PublicKey fetches the key that values of a store are sealed to.
func (c *Client) PublicKey(ctx context.Context, store secret.Store) (seal.PublicKey, error) {
	// An old GHES sends the id as a number; json.RawMessage keeps every digit,
	// which go-github's PublicKey would lose in a float64.
	var answer struct {
		KeyID json.RawMessage `json:"key_id"`
		Key   string          `json:"key"`
	}
	call := c.get("give the public key of "+string(store)+" secrets", store, "orgs", c.org, string(store), "secrets", "public-key")
	if err := c.do(ctx, call, &answer); err != nil {
		return seal.PublicKey{}, err
	}
	key, err := seal.ParsePublicKey(strings.Trim(string(answer.KeyID), `"`), answer.Key)
	if err != nil {
		return seal.PublicKey{}, &Error{op: call.op, fact: fmt.Sprintf("GitHub's public key for %s secrets can't be sealed to: %v", store, err), requestID: call.requestID, advice: "Check that api_url is GitHub's own API and that nothing between rewrites its answers."}
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
		return secret.Existing{}, fmt.Errorf("GitHub tells a visibility that this version does not know: %w", err)
	}
	return secret.Existing{Name: secret.Name(strings.ToUpper(w.Name)), Exists: true, UpdatedAt: w.UpdatedAt, Access: secret.Access{Visibility: v}}, nil
}

// Secret looks one secret up, without its list of repositories. The error is
// secret.ErrNotFound where there is none, or none that the token may see.
func (c *Client) Secret(ctx context.Context, store secret.Store, name secret.Name) (secret.Existing, error) {
	var answer wireSecret
	call := c.get("tell what stands", store, "orgs", c.org, string(store), "secrets", string(name))
	if err := c.do(ctx, call, &answer); err != nil {
		return secret.Existing{}, err
	}
	if !strings.EqualFold(answer.Name, string(name)) {
		return secret.Existing{}, &Error{op: call.op, fact: "GitHub's answer is about another secret", requestID: call.requestID}
	}
	standing, err := answer.parse()
	if err != nil {
		return secret.Existing{}, unreadable(call, err)
	}
	return standing, nil
}

// Secrets lists the secrets of a store. Where there are more pages than
// maxPages it gives those of the first page, and complete is false; it is too
// where GitHub counts others than it lists, however often they are asked for: a
// secret that is not in such a list may stand all the same.
func (c *Client) Secrets(ctx context.Context, store secret.Store, maxPages int) (list []secret.Existing, complete bool, err error) {
	for range maxLists {
		wanted := true
		call := c.get("list the "+string(store)+" secrets", store, "orgs", c.org, string(store), "secrets")
		all, total, err := pages(ctx, c, call, func(pages int) bool { wanted = pages <= maxPages; return wanted }, parseSecrets)
		if err != nil {
			return nil, false, err
		}
		list = unique(all, func(s secret.Existing) secret.Name { return s.Name })
		if complete = wanted && len(list) == total; complete || !wanted {
			break
		}
	}
	return list, complete, nil
}

func parseSecrets(body []byte) (list []secret.Existing, total int, err error) {
	var page struct {
		TotalCount int          `json:"total_count"`
		Secrets    []wireSecret `json:"secrets"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return nil, 0, err
	}
	for _, w := range page.Secrets {
		s, err := w.parse()
		if err != nil {
			return nil, 0, err
		}
		list = append(list, s)
	}
	return list, page.TotalCount, nil
}

// unique keeps each once: pages shift while they are read.
func unique[T any, K comparable](found []T, key func(T) K) []T {
	list := make([]T, 0, len(found))
	seen := make(map[K]bool, len(found))
	for _, v := range found {
		if k := key(v); !seen[k] {
			seen[k] = true
			list = append(list, v)
		}
	}
	return list
}

type wireRepository struct {
	ID       int64  `json:"id"`
	FullName string `json:"full_name"`
}

// SelectedRepositories reads the list of a secret, over all its pages. Hidden
// is how many more GitHub counts than it gives to this token.
func (c *Client) SelectedRepositories(ctx context.Context, store secret.Store, name secret.Name) (list []secret.Repository, hidden int, err error) {
	call := c.get("list its repositories", store, "orgs", c.org, string(store), "secrets", string(name), "repositories")
	found, total, err := pages(ctx, c, call, nil, func(body []byte) ([]wireRepository, int, error) {
		var page struct {
			TotalCount   *int             `json:"total_count"`
			Repositories []wireRepository `json:"repositories"`
		}
		err := json.Unmarshal(body, &page)
		if err == nil && page.TotalCount == nil {
			err = errors.New("no total_count")
		}
		if err != nil {
			return nil, 0, err
		}
		return page.Repositories, *page.TotalCount, nil
	})
	list = repositories(found)
	return list, total - len(list), err
}

func repositories(found []wireRepository) []secret.Repository {
	list := make([]secret.Repository, 0, len(found))
	for _, r := range unique(found, func(r wireRepository) int64 { return r.ID }) {
		list = append(list, secret.Repository(r))
	}
	return list
}

// Repository looks a repository of the organization up by its bare name. It
// follows a rename; a repository that has left the organization is not found.
func (c *Client) Repository(ctx context.Context, name string) (secret.Repository, error) {
	var answer wireRepository
	call := c.get("tell of repository "+c.org+"/"+name, "", "repos", c.org, name)
	if err := c.do(ctx, call, &answer); err != nil {
		return secret.Repository{}, err
	}
	if owner, _, _ := strings.Cut(answer.FullName, "/"); !strings.EqualFold(owner, c.org) || answer.ID <= 0 {
		return secret.Repository{}, &Error{op: call.op, fact: fmt.Sprintf("%s/%s has moved out of %s, to %s", c.org, name, c.org, answer.FullName), kind: secret.ErrNotFound, requestID: call.requestID}
	}
	return secret.Repository(answer), nil
}

// Repositories lists every repository of the organization that the token sees,
// the oldest first: one that is made meanwhile comes last and shifts no other
// from page to page.
func (c *Client) Repositories(ctx context.Context) ([]secret.Repository, error) {
	call := c.get("list the repositories of "+c.org, "", "orgs", c.org, "repos")
	call.query = "sort=created&direction=asc&"
	found, _, err := pages(ctx, c, call, nil, func(body []byte) (page []wireRepository, total int, err error) {
		err = json.Unmarshal(body, &page)
		return page, 0, err
	})
	return repositories(found), err
}

// putBody has pointers where go-github has omitempty: an empty list that is
// left out and one that is sent are different things.
type putBody struct {
	EncryptedValue        string            `json:"encrypted_value"`
	KeyID                 string            `json:"key_id"`
	Visibility            secret.Visibility `json:"visibility"`
	SelectedRepositoryIDs *[]int64          `json:"selected_repository_ids,omitempty"`
}

// Put creates or updates a secret. It asks prepare for what to send before each
// try, after all waiting, so that what is kept is never older than it may be.
// The error is secret.ErrUnanswered where nobody knows whether it took place,
// and secret.ErrUnprocessable for GitHub's 422.
func (c *Client) Put(ctx context.Context, store secret.Store, name secret.Name, prepare func(context.Context) (seal.Sealed, secret.Access, error)) (created bool, err error) {
	call := c.get("store it", store, "orgs", c.org, string(store), "secrets", string(name))
	call.method = http.MethodPut
	call.ok = []int{http.StatusCreated, http.StatusNoContent}
	call.body = func(ctx context.Context) (any, error) {
		sealed, access, err := prepare(ctx)
		if err != nil {
			return nil, err
		}
		call.hide = sealed.EncryptedValue
		body := putBody{EncryptedValue: sealed.EncryptedValue, KeyID: sealed.KeyID, Visibility: access.Visibility}
		if access.Visibility == secret.Selected {
			ids := access.IDs()
			body.SelectedRepositoryIDs = &ids
		}
		return body, nil
	}
	err = c.do(ctx, call, nil)
	return call.status == http.StatusCreated, err
}

// SetRepositories replaces the list of a secret whose visibility is selected.
// prepare is asked before each try, as in Put.
func (c *Client) SetRepositories(ctx context.Context, store secret.Store, name secret.Name, prepare func(context.Context) (secret.Access, error)) error {
	call := c.get("replace its repositories", store, "orgs", c.org, string(store), "secrets", string(name), "repositories")
	call.method = http.MethodPut
	call.ok = []int{http.StatusNoContent}
	call.body = func(ctx context.Context) (any, error) {
		access, err := prepare(ctx)
		return struct {
			IDs []int64 `json:"selected_repository_ids"`
		}{access.IDs()}, err
	}
	return c.do(ctx, call, nil)
}

// get describes a read; its path is made of segments that are escaped each.
func (c *Client) get(op string, store secret.Store, segments ...string) *call {
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return &call{op: op, store: store, method: http.MethodGet, path: strings.Join(segments, "/"), ok: []int{http.StatusOK}}
}

// pages reads the first page of a list, then the others side by side, since the
// first tells how many there are. more is asked, where it is given, whether that
// many are wanted at all. parse returns the total that a page tells, 0 where it
// tells none; the largest is returned.
func pages[T any](ctx context.Context, c *Client, first *call, more func(pages int) bool, parse func(body []byte) (list []T, total int, err error)) ([]T, int, error) {
	var total, last int
	page := func(ctx context.Context, number int) (list []T, count int, err error) {
		call := *first
		call.query += fmt.Sprintf("per_page=%d", perPage)
		if number > 1 {
			call.query += fmt.Sprintf("&page=%d", number)
		}
		var body json.RawMessage
		if err := c.do(ctx, &call, &body); err != nil {
			return nil, 0, err
		}
		if list, count, err = parse(body); err != nil {
			return nil, 0, unreadable(&call, err)
		}
		if number == 1 {
			last = max(call.lastPage, (count+perPage-1)/perPage, 1)
		}
		return list, count, nil
	}
	list, total, err := page(ctx, 1)
	if err != nil || more != nil && !more(last) || last == 1 {
		return list, total, err
	}
	if last > pageLimit {
		return nil, 0, unreadable(first, fmt.Errorf("a list of %d pages", last))
	}
	lists, totals := make([][]T, last+1), make([]int, last+1)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(readsAtOnce)
	for number := 2; number <= last; number++ {
		group.Go(func() (err error) {
			lists[number], totals[number], err = page(groupCtx, number)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, 0, err
	}
	return append(list, slices.Concat(lists...)...), max(total, slices.Max(totals)), nil
}
