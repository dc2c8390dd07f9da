package fakegithub

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// repoByID returns a repository that the organization still owns, or nil.
func (o *org) repoByID(id int64) *Repository {
	for _, r := range o.repos {
		if r.ID == id && r.MovedTo == "" {
			return r
		}
	}
	return nil
}

// repoByName returns a repository by its current name, or nil. It includes those
// that were transferred.
func (o *org) repoByName(name string) *Repository {
	for _, r := range o.repos {
		if strings.EqualFold(r.Name, name) {
			return r
		}
	}
	return nil
}

// toJSON returns a repository as the API shows it.
func (o *org) toJSON(r *Repository) map[string]any {
	owner := o.login
	if r.MovedTo != "" {
		owner = r.MovedTo
	}
	return map[string]any{
		"id": r.ID, "node_id": fmt.Sprintf("R_%d", r.ID), "name": r.Name, "full_name": owner + "/" + r.Name,
		"private": r.Private, "owner": map[string]any{"login": owner, "id": o.id, "type": "Organization"},
	}
}

// page returns the requested page of a list and its Link header. A page has
// per_page entries: 30 by default, at most 100. As on GitHub, the links name the
// organization by its numeric id.
func (s *Server) page(r request, list []any) ([]any, http.Header) {
	query := r.URL.Query()
	size, err := strconv.Atoi(query.Get("per_page"))
	if err != nil || size < 1 {
		size = 30
	}
	size = min(size, 100)
	number, err := strconv.Atoi(query.Get("page"))
	if err != nil || number < 1 {
		number = 1
	}
	last := max((len(list)+size-1)/size, 1)
	var links []string
	link := func(rel string, n int) {
		rest := afterOrg(strings.TrimPrefix(r.URL.Path, s.world.BasePath))
		path := fmt.Sprintf("%s/organizations/%d/%s", s.world.BasePath, r.org.id, rest)
		query.Set("per_page", strconv.Itoa(size))
		query.Set("page", strconv.Itoa(n))
		links = append(links, fmt.Sprintf(`<http://%s%s?%s>; rel="%s"`, r.Host, path, query.Encode(), rel))
	}
	if number > 1 {
		link("prev", number-1)
	}
	if number < last {
		link("next", number+1)
		link("last", last)
	}
	if number > 1 {
		link("first", 1)
	}
	header := http.Header{}
	if len(links) > 0 {
		header.Set("Link", strings.Join(links, ", "))
	}
	from := min((number-1)*size, len(list))
	return list[from:min(from+size, len(list))], header
}

// afterOrg returns the path after /orgs/LOGIN/ or /organizations/NUMBER/.
func afterOrg(path string) string {
	return strings.SplitN(strings.TrimPrefix(path, "/"), "/", 3)[2]
}

// getRepository redirects to the repository's id if it was renamed or transferred.
func (s *Server) getRepository(r request) response {
	for _, repo := range r.org.repos {
		switch {
		case !r.token.canRead(repo):
		case strings.EqualFold(repo.Name, r.name) && repo.MovedTo == "":
			return ok(r.org.toJSON(repo))
		case strings.EqualFold(repo.RenamedFrom, r.name) && r.name != "", strings.EqualFold(repo.Name, r.name):
			location := fmt.Sprintf("http://%s%s/repositories/%d", r.Host, s.world.BasePath, repo.ID)
			resp := errorResponse(http.StatusMovedPermanently, "Moved Permanently")
			resp.body.(map[string]any)["url"] = location
			resp.header = http.Header{"Location": {location}}
			return resp
		}
	}
	return notFound
}

func (s *Server) getRepositoryByID(r request) response {
	for _, o := range s.orgs {
		for _, repo := range o.repos {
			if repo.ID == r.id && r.token.canRead(repo) {
				return ok(o.toJSON(repo))
			}
		}
	}
	return notFound
}

// listRepositories sorts the newest repository first, as GitHub does, unless
// direction is asc. A higher id is a newer repository.
func (s *Server) listRepositories(r request) response {
	list := []any{}
	newestFirst := func(a, b *Repository) int { return cmp.Compare(b.ID, a.ID) }
	repos := slices.SortedFunc(slices.Values(r.org.repos), newestFirst)
	if r.URL.Query().Get("direction") == "asc" {
		slices.Reverse(repos)
	}
	for _, repo := range repos {
		if r.token.canRead(repo) && repo.MovedTo == "" {
			list = append(list, r.org.toJSON(repo))
		}
	}
	page, header := s.page(r, list)
	return response{status: http.StatusOK, header: header, body: page}
}
