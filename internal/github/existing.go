package github

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"set-org-secret/internal/secret"
)

// Lookup reads secrets by name, without their lists of repositories: one alone, and several from the list of secrets. A
// secret that GitHub does not have, or does not show to the token, has Exists false: one that gets 404, or that is not
// on a list that is complete. A name that the list does not decide is not in the result, and has to be looked up alone.
func (c *Client) Lookup(
	ctx context.Context, b *Budget, store secret.Store, names ...secret.Name,
) (map[secret.Name]secret.Existing, error) {
	if len(names) > 1 {
		return c.LookupInList(ctx, b, store, names...)
	}
	existing, err := c.secret(ctx, b, store, names[0])
	if err != nil {
		return nil, err
	}
	return map[secret.Name]secret.Existing{names[0]: existing}, nil
}

// LookupInList is Lookup from the list of secrets, even for one name.
func (c *Client) LookupInList(
	ctx context.Context, b *Budget, store secret.Store, names ...secret.Name,
) (map[secret.Name]secret.Existing, error) {
	found := map[secret.Name]secret.Existing{}
	secrets := c.secrets(b, store)
	secrets.isWanted = func(s secret.Existing) bool { return slices.Contains(names, s.Name) }
	all, err := secrets.readAgreed(ctx)
	if all.isComplete() {
		for _, name := range names {
			found[name] = secret.Existing{Name: name, Reading: all.Reading}
		}
	}
	for _, existing := range all.entries {
		existing.Reading = all.Reading
		found[existing.Name] = existing
	}
	return found, err
}

// Secrets lists the secrets of a store. complete is false if the total that GitHub reports does not match the list.
func (c *Client) Secrets(
	ctx context.Context, b *Budget, store secret.Store,
) (list []secret.Existing, complete bool, err error) {
	all, err := c.secrets(b, store).readSettled(ctx)
	return all.entries, err == nil && all.isComplete(), err
}

// WithRepositories completes a secret with its list of repositories, if its visibility is selected. Hidden is how many
// more repositories GitHub counts than it lists for this token. If GitHub has no list, or an empty one, which it may
// return as well, the secret is read again: its visibility has changed, or it was deleted.
func (c *Client) WithRepositories(
	ctx context.Context, b *Budget, store secret.Store, existing secret.Existing,
) (secret.Existing, error) {
	var listErr error
	for range maxListReads {
		if existing.Access.Visibility != secret.Selected {
			return existing, nil
		}
		var list []secret.Repository
		var hidden int
		list, hidden, listErr = c.SelectedRepositories(ctx, b, store, existing.Name)
		isGone := secret.IsAny(listErr, secret.ErrNotFound, secret.ErrConflict)
		if listErr != nil && !isGone {
			return existing, listErr
		}
		if isGone || len(list) == 0 && hidden == 0 {
			readAt := existing.ReadAt // before the list
			var err error
			if existing, err = c.secret(ctx, b, store, existing.Name); err != nil {
				return existing, err
			}
			existing.ReadAt = readAt
		}
		if !isGone && existing.Access.Visibility == secret.Selected {
			existing.Access.Repositories, existing.Hidden, existing.Listed = list, hidden, true
			return existing, nil
		}
	}
	return existing, listErr
}

// SelectedRepositories reads the list of repositories of a secret. The error wraps [secret.ErrConflict] if the secret's
// visibility is not selected, and [secret.ErrNotFound] if it does not exist. For such a secret GitHub may return an
// empty list instead.
func (c *Client) SelectedRepositories(
	ctx context.Context, b *Budget, store secret.Store, name secret.Name,
) (selected []secret.Repository, hidden int, err error) {
	all, err := list[secret.Repository]{
		client: c, budget: b, parse: parseRepositories, unique: UniqueRepositories,
		request: c.secretsRequest("listing the selected repositories", store, string(name), "repositories"),
	}.readSettled(ctx)
	if hidden = all.total - len(all.entries); all.partial {
		hidden = max(hidden, 1)
	}
	return all.entries, hidden, err
}

func (c *Client) secrets(b *Budget, store secret.Store) list[secret.Existing] {
	return list[secret.Existing]{
		client: c, budget: b, request: c.secretsRequest("listing the secrets", store), parse: parseSecrets,
		unique: func(list []secret.Existing) []secret.Existing {
			return unique(list, func(s secret.Existing) secret.Name { return s.Name })
		},
	}
}

// secret reads a secret without its list of repositories. Exists is false if GitHub returns 404: there is no such
// secret, or the token cannot see it.
func (c *Client) secret(
	ctx context.Context, b *Budget, store secret.Store, name secret.Name,
) (existing secret.Existing, err error) {
	r := c.secretsRequest("reading the secret", store, string(name))
	resp, err := c.do(ctx, b, r, func(resp response) (err error) {
		var wire wireSecret
		if err = unmarshal(resp.body, &wire); err == nil {
			existing, err = wire.parse()
		}
		if err == nil && existing.Name != name {
			err = errors.New("a different secret")
		}
		return err
	})
	if errors.Is(err, secret.ErrNotFound) {
		existing, err = secret.Existing{Name: name}, nil
	}
	existing.Reading = resp.Reading
	return existing, err
}

// wireSecret is a secret without its list of repositories. The first fields are required by GitHub's description of
// the API.
type wireSecret struct {
	Name       *string    `json:"name"`
	Visibility *string    `json:"visibility"`
	CreatedAt  *time.Time `json:"created_at"`
	UpdatedAt  *time.Time `json:"updated_at"`
	unknown    []string   // other properties
}

// UnmarshalJSON implements json.Unmarshaler.
func (w *wireSecret) UnmarshalJSON(text []byte) error {
	type fields wireSecret // without this method
	var properties map[string]json.RawMessage
	err := cmp.Or(json.Unmarshal(text, (*fields)(w)), json.Unmarshal(text, &properties))
	for _, known := range []string{"name", "visibility", "created_at", "updated_at", "selected_repositories_url"} {
		delete(properties, known)
	}
	w.unknown = slices.Sorted(maps.Keys(properties))
	return err
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
		Unknown: w.unknown,
	}, nil
}

// parsePage parses a page of a list that reports its total.
func parsePage[T any](body []byte, field string) (entries []T, total int, err error) {
	var page map[string]json.RawMessage
	if err := unmarshal(body, &page); err != nil {
		return nil, 0, err
	}
	var count *int
	for _, member := range []struct {
		name string
		v    any
	}{{"total_count", &count}, {field, &entries}} {
		if raw, ok := page[member.name]; ok {
			if err := unmarshal(raw, member.v); err != nil {
				return nil, 0, err
			}
		}
	}
	if count == nil || entries == nil {
		return nil, 0, errors.New("a list without total_count or " + field)
	}
	return entries, *count, nil
}

func parseSecrets(body []byte) (entries []secret.Existing, total int, err error) {
	list, total, err := parsePage[wireSecret](body, "secrets")
	for _, w := range list {
		existing, parseErr := w.parse()
		entries, err = append(entries, existing), cmp.Or(err, parseErr)
	}
	return entries, total, err
}

func parseRepositories(body []byte) (entries []secret.Repository, total int, err error) {
	entries, total, err = parsePage[secret.Repository](body, "repositories")
	return entries, total, cmp.Or(err, checkRepositories(entries...))
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

// UniqueRepositories drops repositories whose id is on the list before. It changes the list.
func UniqueRepositories(list []secret.Repository) []secret.Repository {
	return unique(list, func(r secret.Repository) int64 { return r.ID })
}
