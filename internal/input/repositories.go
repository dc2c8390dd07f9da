package input

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"set-org-secret/internal/secret"
)

// selection reads the selected repositories. It returns nil if both inputs are empty.
func (r *reader) selection(org string) *secret.Selection {
	const input = "selected_repositories"
	if !r.isSet("selected_repository_ids") && !r.isSet(input) {
		return nil
	}
	s := &secret.Selection{IDs: parseList(r, "selected_repository_ids", parseID)}
	entries, err := splitList(r.get(input))
	if err != nil {
		r.reject(input, err)
		return s
	}
	if slices.ContainsFunc(entries, func(entry string) bool { return strings.EqualFold(entry, "none") }) {
		if len(entries)+len(s.IDs) > 1 {
			r.problemf(input, "none cannot be combined with repositories")
		}
		return s
	}
	seen := map[string]bool{}
	for _, entry := range entries {
		p, exclude, err := parseRepository(entry, org)
		switch {
		case err != nil:
			r.reject(input, err)
		case exclude:
			s.Excluded = append(s.Excluded, p)
		case !p.Plain():
			s.Patterns = append(s.Patterns, p)
		case !seen[strings.ToLower(p.Glob)]:
			seen[strings.ToLower(p.Glob)] = true
			s.Names = append(s.Names, p.Glob)
		}
	}
	included := len(s.Patterns) + len(s.Names) + len(s.IDs)
	if included == 0 && !r.hasProblem(input) && !r.hasProblem("selected_repository_ids") {
		r.problemf(input, "contains no repository; add one, or a pattern such as *, or use none for an empty list")
	}
	return s
}

// parseRepository reads a name or glob, with or without the organization, or a URL. A leading ! excludes it.
func parseRepository(entry, org string) (p secret.Pattern, exclude bool, err error) {
	text, exclude := strings.CutPrefix(entry, "!")
	name, err := bareName(strings.TrimSpace(text), entry, org)
	p = secret.Pattern{Text: entry, Glob: name}
	if p.Plain() { // the glob *.git would become *, which is every repository
		p.Glob = strings.TrimSuffix(name, ".git")
	}
	switch {
	case err != nil:
	case !p.Plain() && !isGlob(p.Glob):
		err = fmt.Errorf("must be a glob of *, ?, [a-z0-9] and {a,b}, not %s", secret.Quote(entry))
	case p.Plain() && !safeSegment(p.Glob):
		err = fmt.Errorf("must be repo, org/repo or https://HOST/org/repo, not %s", secret.Quote(entry))
	}
	return p, exclude, err
}

func isGlob(text string) bool {
	return doublestar.ValidatePattern(text) && !strings.ContainsAny(class().ReplaceAllString(text, ""), `[\/`)
}

// class matches a character class that is the same in lower case: each range has only digits, or letters of one case.
var class = re(`\[[!^]?-?(?:[0-9]-[0-9]|[a-z]-[a-z]|[A-Z]-[A-Z]|[\w.])*-?\]`)

// bareName drops the URL and the organization from a name. It rejects another organization, and credentials in a URL.
func bareName(name, entry, org string) (string, error) {
	if scheme, rest, isURL := strings.Cut(name, "://"); isURL && strings.EqualFold(scheme, "https") {
		host, path, _ := strings.Cut(rest, "/")
		if strings.Contains(host, "@") {
			return "", errors.New("a URL must not contain credentials; write org/repo")
		}
		if path = strings.TrimSuffix(path, "/"); strings.Count(path, "/") == 1 {
			name = path
		}
	}
	owner, bare, hasOwner := strings.Cut(name, "/")
	switch {
	case !hasOwner, !safeSegment(owner), strings.Contains(bare, "/"): // parseRepository rejects a name with a slash
		return name, nil
	case !strings.EqualFold(owner, org):
		return "", fmt.Errorf("%s is not a repository of %s; an organization secret can only be read in "+
			"its own organization", secret.Quote(entry), secret.Quote(org))
	}
	return bare, nil
}

func parseID(s string) (int64, error) {
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil || id <= 0 || s[0] == '+' {
		return 0, fmt.Errorf("must be numbers, not %s; use selected_repositories for names", secret.Quote(s))
	}
	return id, nil
}
