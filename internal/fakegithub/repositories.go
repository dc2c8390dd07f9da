package fakegithub

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func (o *org) repoByID(id int64) *Repository {
	for _, r := range o.repos {
		if r.ID == id && r.MovedTo == "" {
			return r
		}
	}
	return nil
}

func (o *org) repoByName(name string) *Repository {
	for _, r := range o.repos {
		if strings.EqualFold(r.Name, name) {
			return r
		}
	}
	return nil
}

func (o *org) wire(r *Repository) map[string]any {
	owner := o.login
	if r.MovedTo != "" {
		owner = r.MovedTo
	}
	return map[string]any{
		"id": r.ID, "node_id": fmt.Sprintf("R_%d", r.ID), "name": r.Name, "full_name": owner + "/" + r.Name,
		"private": r.Private, "owner": map[string]any{"login": owner, "id": o.id, "type": "Organization"},
	}
}

// page cuts a list as GitHub does: 30 entries, or per_page up to 100, with links
// whose later pages go by the organization's number.
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
		path := s.world.BasePath + fmt.Sprintf("/organizations/%d/", r.org.id) + afterOrg(strings.TrimPrefix(r.URL.Path, s.world.BasePath))
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

// afterOrg is the path behind /orgs/LOGIN/ or /organizations/NUMBER/.
func afterOrg(path string) string {
	return strings.SplitN(strings.TrimPrefix(path, "/"), "/", 3)[2]
}

func (s *Server) getRepository(r request) answer {
	for _, repo := range r.org.repos {
		switch {
		case !r.token.sees(repo):
		case strings.EqualFold(repo.Name, r.name) && repo.MovedTo == "":
			return ok(r.org.wire(repo))
		case strings.EqualFold(repo.RenamedFrom, r.name) && r.name != "", strings.EqualFold(repo.Name, r.name):
			location := fmt.Sprintf("http://%s%s/repositories/%d", r.Host, s.world.BasePath, repo.ID)
			a := refuse(http.StatusMovedPermanently, "Moved Permanently")
			a.body.(map[string]any)["url"] = location
			a.header = http.Header{"Location": {location}}
			return a
		}
	}
	return notFound
}

func (s *Server) getRepositoryByID(r request) answer {
	for _, o := range s.orgs {
		for _, repo := range o.repos {
			if repo.ID == r.id && r.token.sees(repo) {
				return ok(o.wire(repo))
			}
		}
	}
	return notFound
}

// listRepositories gives the newest first, as GitHub does, unless direction is
// asc; an id tells the age.
func (s *Server) listRepositories(r request) answer {
	list := []any{}
	repos := slices.SortedFunc(slices.Values(r.org.repos), func(a, b *Repository) int { return cmp.Compare(b.ID, a.ID) })
	if r.URL.Query().Get("direction") == "asc" {
		slices.Reverse(repos)
	}
	for _, repo := range repos {
		if r.token.sees(repo) && repo.MovedTo == "" {
			list = append(list, r.org.wire(repo))
		}
	}
	page, header := s.page(r, list)
	return answer{status: http.StatusOK, header: header, body: page}
}
