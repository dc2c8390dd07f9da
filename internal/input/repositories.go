package input

import (
	"path"
	"strconv"
	"strings"

	"set-org-secret/internal/secret"
)

// selection reads the repositories, or returns nil where none are named.
func (r *reader) selection(org string) *secret.Selection {
	if !r.given("selected_repository_ids") && !r.given("selected_repositories") {
		return nil
	}
	s := &secret.Selection{IDs: parseList(r, "selected_repository_ids", parseID)}
	entries := splitList(r.get("selected_repositories"))
	if len(entries) == 1 && strings.EqualFold(entries[0], "none") {
		if len(s.IDs) > 0 {
			r.fault("selected_repositories", "none contradicts selected_repository_ids")
		}
		return s
	}
	seen := map[string]bool{}
	for _, entry := range entries {
		text, exclude := strings.CutPrefix(entry, "!")
		name := strings.ToLower(strings.TrimSpace(text))
		if owner, bare, ok := strings.Cut(name, "/"); ok {
			if !strings.EqualFold(owner, org) {
				r.fault("selected_repositories", "%s is not a repository of %s; an organization secret reaches only its own organization's", quote(entry), quote(org))
				continue
			}
			name = bare
		}
		p := secret.Pattern{Text: entry, Glob: name}
		switch {
		case name == "none":
			r.fault("selected_repositories", "none stands alone: it is the empty list")
		case !p.Plain() && !p.Valid():
			r.fault("selected_repositories", "%s is not a glob: what is known is *, ?, [a-z] and {a,b}", quote(entry))
		case p.Plain() && !safeSegment(name):
			r.fault("selected_repositories", "%s is not the name of a repository", quote(entry))
		case exclude:
			s.Excluded = append(s.Excluded, p)
		case !p.Plain():
			s.Patterns = append(s.Patterns, p)
		case !seen[name]:
			seen[name] = true
			s.Names = append(s.Names, name)
		}
	}
	if len(s.Excluded) > 0 && len(s.Patterns)+len(s.Names)+len(s.IDs) == 0 && !r.faulty("selected_repositories") {
		r.fault("selected_repositories", "only leaves repositories out; put * before, or say none for the empty list")
	}
	if len(entries) == 0 && len(s.IDs) == 0 && !r.faulty("selected_repository_ids") {
		r.fault("selected_repositories", "names no repository; say none for the empty list")
	}
	return s
}

func parseID(s string) (int64, error) {
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil || id <= 0 || s[0] == '+' {
		return 0, badID(s)
	}
	return id, nil
}

type badID string

func (s badID) Error() string {
	text := quote(string(s)) + " is not a number"
	if safeSegment(path.Base(string(s))) && !strings.ContainsAny(string(s), "0123456789") {
		text += "; names go into selected_repositories"
	}
	return text
}
