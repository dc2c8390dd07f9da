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

// repoByName returns a repository by its current name, or nil. It includes those that were transferred.
func (o *org) repoByName(name string) *Repository {
	for _, r := range o.repos {
		if strings.EqualFold(r.Name, name) {
			return r
		}
	}
	return nil
}

// The fields that GitHub's description requires of a repository and of its owner, in addition to those that toJSON
// sets one by one. Clients of this fake read none of them.
var (
	addresses = strings.Fields(`archive_url assignees_url blobs_url branches_url clone_url collaborators_url
		comments_url commits_url compare_url contents_url contributors_url deployments_url downloads_url events_url
		forks_url git_commits_url git_refs_url git_tags_url git_url hooks_url html_url issue_comment_url
		issue_events_url issues_url keys_url labels_url languages_url merges_url milestones_url notifications_url
		pulls_url releases_url ssh_url stargazers_url statuses_url subscribers_url subscription_url svn_url tags_url
		teams_url trees_url url`)
	ownerAddresses = strings.Fields(`avatar_url events_url followers_url following_url gists_url html_url
		organizations_url received_events_url repos_url starred_url subscriptions_url url`)
	counts = strings.Fields(`forks forks_count network_count open_issues open_issues_count size stargazers_count
		subscribers_count watchers watchers_count`)
	flags = strings.Fields(`archived disabled fork has_discussions has_issues has_pages has_projects has_wiki`)
	nulls = strings.Fields(`description homepage language license mirror_url`)
)

// toJSON returns a repository as the API shows it alone. That includes every field that the API shows of it in a
// list.
func (o *org) toJSON(r *Repository) any {
	login := o.login
	if r.MovedTo != "" {
		login = r.MovedTo
	}
	const created = "2024-01-01T00:00:00Z"
	owner := map[string]any{
		"login": login, "id": o.id, "node_id": fmt.Sprintf("O_%d", o.id), "type": "Organization",
		"site_admin": false, "gravatar_id": nil,
	}
	setAll(owner, ownerAddresses, "https://api.github.com/users/"+login)
	out := map[string]any{
		"id": r.ID, "node_id": fmt.Sprintf("R_%d", r.ID), "name": r.Name, "full_name": login + "/" + r.Name,
		"private": r.Private, "owner": owner, "default_branch": "main",
		"created_at": created, "updated_at": created, "pushed_at": created,
	}
	setAll(out, addresses, "https://api.github.com/repos/"+login+"/"+r.Name)
	setAll(out, counts, 0)
	setAll(out, flags, false)
	setAll(out, nulls, nil)
	return out
}

func setAll(object map[string]any, fields []string, value any) {
	for _, field := range fields {
		object[field] = value
	}
}

// paginate returns the requested page of a list as JSON, and its Link header. A page has per_page entries: 30 by
// default, at most 100. As on GitHub, the links name the organization by its numeric id.
func paginate[T any](s *Server, r request, list []T, toJSON func(T) any) (page []any, header http.Header) {
	query := r.URL.Query()
	positive := func(name string, missing int) int {
		if n, err := strconv.Atoi(query.Get(name)); err == nil && n >= 1 {
			return n
		}
		return missing
	}
	size, number := min(positive("per_page", 30), 100), positive("page", 1)
	last := max((len(list)+size-1)/size, 1)
	path := fmt.Sprintf("%s/organizations/%d/%s",
		s.world.BasePath, r.org.id, afterOrg(strings.TrimPrefix(r.URL.Path, s.world.BasePath)))
	link := func(page int, rel string) string {
		query.Set("per_page", strconv.Itoa(size))
		query.Set("page", strconv.Itoa(page))
		return fmt.Sprintf(`<http://%s%s?%s>; rel="%s"`, r.Host, path, query.Encode(), rel)
	}
	header = http.Header{}
	if number < last {
		header.Set("Link", link(number+1, "next")+", "+link(last, "last"))
	}
	page = []any{}
	from := min((number-1)*size, len(list))
	for _, entry := range list[from:min(from+size, len(list))] {
		page = append(page, toJSON(entry))
	}
	return page, header
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
			resp := errorResponse(http.StatusMovedPermanently, "Moved Permanently").with("url", location)
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

// listRepositories sorts the newest repository first, as GitHub does, unless direction is asc. A higher id is a
// newer repository.
func (s *Server) listRepositories(r request) response {
	newestFirst := func(a, b *Repository) int { return cmp.Compare(b.ID, a.ID) }
	repos := slices.SortedFunc(slices.Values(r.org.repos), newestFirst)
	if r.URL.Query().Get("direction") == "asc" {
		slices.Reverse(repos)
	}
	repos = slices.DeleteFunc(repos, func(repo *Repository) bool {
		return !r.token.canRead(repo) || repo.MovedTo != ""
	})
	page, header := paginate(s, r, repos, r.org.toJSON)
	return response{status: http.StatusOK, header: header, body: page}
}
