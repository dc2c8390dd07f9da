package github

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"set-org-secret/internal/secret"
)

// repositoriesJSON returns repositories as GitHub's API lists them.
func repositoriesJSON(ids []int) string {
	var list []string
	for _, id := range ids {
		list = append(list, fmt.Sprintf(`{"id": %d, "full_name": "acme/r%d"}`, id, id))
	}
	return strings.Join(list, ",")
}

// TestPagesWithoutLast checks that every page is read if the links name only the
// next page, or if there are no links at all.
func TestPagesWithoutLast(t *testing.T) {
	for _, test := range []struct {
		name, links string // of GitHub's links, which the server sends
		count       int
		requests    int
	}{
		{"next and last", "next last prev", 300, 2 * 3},
		{"next only", "next", 300, 2 * 4}, // the third page has no links, and the fourth is empty
		{"next only, no full page", "next", 250, 2 * 3},
		{"no links", "", 300, 2 * 4}, // the fourth page is empty
		{"no links, no full page", "", 250, 2 * 3},
		{"no links, one page", "", 99, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			existing := numbers(test.count)
			last := (test.count + perPage - 1) / perPage
			h := func(rw http.ResponseWriter, req *http.Request) {
				number, _ := strconv.Atoi(req.URL.Query().Get("page"))
				number = max(number, 1)
				var links []string
				for rel, page := range map[string]int{"next": number + 1, "last": last, "prev": number - 1} {
					exists := page >= 1 && page <= last && (rel != "last" || number < last)
					if exists && strings.Contains(test.links, rel) {
						links = append(links, fmt.Sprintf(`<http://127.0.0.1/organizations/1/repos?page=%d>; rel="%s"`, page, rel))
					}
				}
				if len(links) > 0 {
					rw.Header().Set("Link", strings.Join(links, ", "))
				}
				_, _ = fmt.Fprintf(rw, "[%s]", repositoriesJSON(pageOf(req, existing)))
			}
			withClient(t, time.Minute, "ghp_x", h, func(t *testing.T, c *testClient) {
				list, err := c.Repositories(t.Context(), nil, firstRepositories)
				wantError(t, err, "")
				if len(list) != test.count {
					t.Errorf("got %d repositories, want %d", len(list), test.count)
				}
				c.wantRequests(t, test.requests)
			})
		})
	}
}

// TestSelectedListShifts checks that a list of several pages is read until two readings
// agree on all entries and the total.
func TestSelectedListShifts(t *testing.T) {
	const changed = "listing the selected repositories: the list changed each time it was read (3 times)"
	before, after := numbers(150), append(numbers(151)[1:], 0)[:150] // with an unchanged total
	for _, test := range []struct {
		name             string
		serve            func(read int, req *http.Request) (total int, page []int)
		requests, hidden int
		listed           int
		err              string
	}{
		{"steady", func(_ int, req *http.Request) (int, []int) { return 150, pageOf(req, before) }, 4, 0, 150, ""},
		{"one page", func(_ int, req *http.Request) (int, []int) { return 99, pageOf(req, numbers(98)) }, 1, 1, 98, ""},
		{
			"one is removed and one added between the pages of the first read",
			func(read int, req *http.Request) (int, []int) {
				if read == 1 && isFirstPage(req) {
					return 150, pageOf(req, before)
				}
				return 150, pageOf(req, after)
			},
			6, 0, 150, "",
		},
		{
			"one is removed between the pages of the first read",
			func(read int, req *http.Request) (int, []int) {
				if read == 1 && isFirstPage(req) {
					return 150, pageOf(req, before)
				}
				return 149, pageOf(req, before[1:])
			},
			6, 0, 149, "",
		},
		{
			"some are hidden from the token",
			func(_ int, req *http.Request) (int, []int) { return 150, pageOf(req, numbers(140)) },
			4, 10, 140, "",
		},
		{
			"one is listed on both pages, which hides another",
			func(_ int, req *http.Request) (int, []int) {
				return 150, pageOf(req, append(numbers(100), append([]int{100}, numbers(150)[101:]...)...))
			},
			4, 1, 149, "",
		},
		{
			"the total changes with each reading",
			func(read int, req *http.Request) (int, []int) { return 150 + read, pageOf(req, before) },
			6, 0, 0, changed,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := 0
			h := func(rw http.ResponseWriter, req *http.Request) {
				n++
				total, page := test.serve((n+1)/2, req)
				_, _ = fmt.Fprintf(rw, `{"total_count": %d, "repositories": [%s]}`, total, repositoriesJSON(page))
			}
			withClient(t, time.Minute, "ghp_x", h, func(t *testing.T, c *testClient) {
				selected := secret.Existing{Name: "A", Exists: true, Access: secret.Access{Visibility: secret.Selected}}
				got, err := c.WithRepositories(t.Context(), nil, secret.Actions, selected)
				wantError(t, err, test.err)
				if n := len(got.Access.Repositories); n != test.listed {
					t.Errorf("got %d repositories, want %d", n, test.listed)
				}
				if got.Hidden != test.hidden {
					t.Errorf("got %d hidden repositories, want %d", got.Hidden, test.hidden)
				}
				c.wantRequests(t, test.requests)
			})
		})
	}
}

// TestLookup checks when a list decides that a secret is missing: if it is one page
// whose total is right, or if two readings agree.
func TestLookup(t *testing.T) {
	for _, test := range []struct {
		name    string
		total   int
		listed  []int
		missing bool // B is known to be missing
	}{
		{"one page", 1, numbers(1), true},
		{"an entry is hidden", 2, numbers(1), false},
		{"two pages", 101, numbers(101), true},
		{"two pages, and an entry is hidden", 102, numbers(101), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := func(rw http.ResponseWriter, req *http.Request) {
				var page []string
				for _, n := range pageOf(req, test.listed) {
					page = append(page, secretJSON(fmt.Sprint("S", n), "all"))
				}
				_, _ = fmt.Fprintf(rw, `{"total_count": %d, "secrets": [%s]}`, test.total, strings.Join(page, ","))
			}
			withClient(t, time.Minute, "ghp_x", h, func(t *testing.T, c *testClient) {
				found, err := c.Lookup(t.Context(), nil, secret.Actions, "S1", "B")
				wantError(t, err, "")
				if !found["S1"].Exists || found["S1"].ReadAt.IsZero() {
					t.Errorf("got %+v for a secret on the list, want it to exist", found["S1"])
				}
				if b, ok := found["B"]; ok != test.missing || b.Exists || ok && b.ReadAt.IsZero() {
					t.Errorf("got %+v and decided %v for one that is not, want decided %v", b, ok, test.missing)
				}
			})
		})
	}
}
