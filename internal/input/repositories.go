package input

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"set-org-secret/internal/secret"
)

// selection reads the repositories. It returns nil if none are given.
func (r *reader) selection(org string) *secret.Selection {
	const input = "selected_repositories"
	if !r.isSet("selected_repository_ids") && !r.isSet(input) {
		return nil
	}
	s := &secret.Selection{IDs: parseList(r, "selected_repository_ids", parseID)}
	entries := splitList(r.get(input))
	if len(entries) == 1 && strings.EqualFold(entries[0], "none") {
		if len(s.IDs) > 0 {
			r.problemf(input, "none cannot be combined with selected_repository_ids")
		}
		return s
	}
	for _, entry := range entries {
		p, exclude, err := parseRepository(entry, org)
		switch {
		case err != nil:
			r.problemf(input, "%v", err)
		case exclude:
			s.Excluded = append(s.Excluded, p)
		case !p.Plain():
			s.Patterns = append(s.Patterns, p)
		case !slices.Contains(s.Names, p.Glob):
			s.Names = append(s.Names, p.Glob)
		}
	}
	included := len(s.Patterns) + len(s.Names) + len(s.IDs)
	if len(s.Excluded) > 0 && included == 0 && !r.hasProblem(input) {
		r.problemf(input, "contains only exclusions; add a pattern to include, such as *, or use none")
	}
	if len(entries) == 0 && len(s.IDs) == 0 && !r.hasProblem("selected_repository_ids") {
		r.problemf(input, "contains no repository; use none for an empty list")
	}
	return s
}

// parseRepository reads a name or glob, with or without the organization, and whether it is excluded.
func parseRepository(entry, org string) (p secret.Pattern, exclude bool, err error) {
	text, exclude := strings.CutPrefix(entry, "!")
	name := strings.ToLower(strings.TrimSpace(text))
	if owner, bare, ok := strings.Cut(name, "/"); ok {
		if !strings.EqualFold(owner, org) {
			return p, exclude, fmt.Errorf("%s is not a repository of %s; an organization secret can only be read in "+
				"its own organization", quote(entry), quote(org))
		}
		name = bare
	}
	p = secret.Pattern{Text: entry, Glob: name}
	switch {
	case name == "none":
		return p, exclude, errors.New("none cannot be combined with repository names")
	case !p.Plain() && !p.Valid():
		return p, exclude, fmt.Errorf("invalid glob %s: use *, ?, [a-z] and {a,b}", quote(entry))
	case p.Plain() && !safeSegment(name):
		return p, exclude, fmt.Errorf("invalid repository name %s", quote(entry))
	}
	return p, exclude, nil
}

func parseID(s string) (int64, error) {
	id, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err == nil && id > 0 && s[0] != '+':
		return id, nil
	case safeSegment(path.Base(s)) && !strings.ContainsAny(s, "0123456789"):
		return 0, fmt.Errorf("%s is not a number; use selected_repositories for names", quote(s))
	}
	return 0, fmt.Errorf("%s is not a number", quote(s))
}
