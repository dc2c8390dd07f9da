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

	"set-org-secret/internal/secret"
)

// Found is the result of a lookup, by name.
type Found map[secret.Name]secret.Existing

// Lookup reads secrets without their lists of repositories: one by its own URL, several from the list of secrets. If
// GitHub returns 404, or a complete list lacks the name, Exists is false: there is no such secret, or the token cannot
// see it. A name that an incomplete list lacks is not in the result: look it up alone.
func (c *Client) Lookup(ctx context.Context, b *Budget, store secret.Store, names ...secret.Name) (Found, error) {
	if len(names) > 1 {
		return c.LookupInList(ctx, b, store, names...)
	}
	name := names[0]
	var existing secret.Existing
	r := c.secretsRequest("reading the secret", store, string(name))
	resp, err := c.do(ctx, b, r, func(resp response) (err error) {
		if existing, err = parseSecret(resp.body); err == nil && existing.Name != name {
			err = errors.New("a different secret")
		}
		return err
	})
	switch {
	case errors.Is(err, secret.ErrNotFound):
		existing = secret.Existing{Name: name}
	case err != nil:
		return nil, err
	}
	existing.Reading = resp.Reading
	return Found{name: existing}, nil
}

// LookupInList is like Lookup, but reads the list of secrets even for one name.
func (c *Client) LookupInList(ctx context.Context, b *Budget, store secret.Store, names ...secret.Name) (Found, error) {
	found := Found{}
	isWanted := func(s secret.Existing) bool { return slices.Contains(names, s.Name) }
	all, err := c.secrets(b, store, isWanted).read(ctx)
	if all.count > 0 { // the list was read: each secret on it counts, even if no two readings agree
		err = nil
	}
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

// Secrets lists the secrets of a store, and reports whether the list is complete.
func (c *Client) Secrets(ctx context.Context, b *Budget, store secret.Store) ([]secret.Existing, bool, error) {
	all, err := c.secrets(b, store, nil).read(ctx)
	return all.entries, err == nil && all.isComplete(), err
}

// WithRepositories adds the list of repositories to a secret if its visibility is selected. If there is no list, or an
// empty one, it reads the secret again: the visibility may have changed, or the secret may have been deleted.
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
		list, hidden, listErr = c.selectedRepositories(ctx, b, store, existing.Name)
		isGone := secret.IsAny(listErr, secret.ErrNotFound, secret.ErrConflict)
		if listErr != nil && !isGone {
			return existing, listErr
		}
		if isGone || len(list) == 0 && hidden == 0 {
			readAt := existing.ReadAt // of the first read, since the list is older than the second
			found, err := c.Lookup(ctx, b, store, existing.Name)
			if existing = found[existing.Name]; err != nil {
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

// selectedRepositories reads the list of repositories of a secret. hidden is the number that the token cannot see:
// by GitHub's total, and at least 1 if GitHub left some out. The error wraps [secret.ErrConflict] if the visibility is
// not selected, and [secret.ErrNotFound] if there is no secret. GitHub may return an empty list in place of these.
func (c *Client) selectedRepositories(
	ctx context.Context, b *Budget, store secret.Store, name secret.Name,
) (selected []secret.Repository, hidden int, err error) {
	all, err := list[secret.Repository]{
		client: c, budget: b, parse: parseRepositories, key: repositoryID,
		request: c.secretsRequest("listing the selected repositories", store, string(name), "repositories"),
	}.read(ctx)
	if hidden = all.total - len(all.entries); all.partial {
		hidden = max(hidden, 1)
	}
	return all.entries, hidden, err
}

func (c *Client) secrets(b *Budget, store secret.Store, isWanted func(secret.Existing) bool) list[secret.Existing] {
	return list[secret.Existing]{
		client: c, budget: b, request: c.secretsRequest("listing the secrets", store), parse: parseSecrets,
		key: func(s secret.Existing) any { return s.Name }, isWanted: isWanted,
	}
}

// members reads the members of a JSON object that GitHub's description of the API requires: required has a pointer for
// each. It returns the names of the other members, sorted. thing is the object's name in errors, such as "a list".
func members(text []byte, thing string, required map[string]any) (others []string, err error) {
	var object map[string]json.RawMessage
	if err := unmarshal(text, &object); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(required)) {
		value := object[name]
		if len(value) == 0 || string(value) == "null" {
			return nil, errors.New(thing + " without " + name)
		}
		if err := unmarshal(value, required[name]); err != nil {
			return nil, err
		}
		delete(object, name)
	}
	return slices.Sorted(maps.Keys(object)), nil
}

func parseSecret(text []byte) (s secret.Existing, err error) {
	var name, visibility string
	others, err := members(text, "a secret", map[string]any{
		"name": &name, "visibility": &visibility, "created_at": &s.CreatedAt, "updated_at": &s.UpdatedAt,
	})
	if err != nil {
		return s, err
	}
	if s.Access.Visibility, err = secret.ParseVisibility(visibility); err != nil {
		return s, fmt.Errorf("visibility %w", err)
	}
	s.Name, s.Exists = secret.Name(strings.ToUpper(name)), true
	s.Unknown = slices.DeleteFunc(others, func(name string) bool { return name == "selected_repositories_url" })
	return s, nil
}

func parseSecrets(body []byte) (entries []secret.Existing, total int, err error) {
	var list []json.RawMessage
	_, err = members(body, "a list", map[string]any{"total_count": &total, "secrets": &list})
	for _, text := range list {
		existing, parseErr := parseSecret(text)
		entries, err = append(entries, existing), cmp.Or(err, parseErr)
	}
	return entries, total, err
}

func parseRepositories(body []byte) (entries []secret.Repository, total int, err error) {
	_, err = members(body, "a list", map[string]any{"total_count": &total, "repositories": &entries})
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

// UniqueRepositories keeps the first repository of each id. It changes the list.
func UniqueRepositories(list []secret.Repository) []secret.Repository {
	return unique(list, repositoryID)
}

func repositoryID(r secret.Repository) any { return r.ID }
