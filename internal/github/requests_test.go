package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"set-org-secret/internal/secret"
)

// requests are the requests of TestRequests, and the results that it prints.
var requests = map[string]func(context.Context, *testClient) (any, error){
	"write": func(ctx context.Context, c *testClient) (any, error) {
		created, err := c.put(ctx, "A")
		return map[bool]string{true: "created", false: "updated"}[created], err
	},
	"key": func(ctx context.Context, c *testClient) (any, error) {
		key, err := c.PublicKey(ctx, nil, secret.Actions)
		if err != nil && !key.IsZero() {
			err = errors.New("a key beside the error")
		}
		return "key " + key.ID(), err
	},
	"secret": func(ctx context.Context, c *testClient) (any, error) {
		found, err := c.Lookup(ctx, nil, secret.Actions, "A")
		if found["A"].Exists {
			return "exists", err
		}
		return "does not exist", err
	},
	"secrets": func(ctx context.Context, c *testClient) (any, error) {
		list, _, err := c.Secrets(ctx, nil, secret.Actions)
		return list, err
	},
	"selected": func(ctx context.Context, c *testClient) (any, error) {
		list, _, err := c.selectedRepositories(ctx, nil, secret.Actions, "A")
		return list, err
	},
	"repository": func(ctx context.Context, c *testClient) (any, error) {
		repo, err := c.Repository(ctx, nil, "web")
		return fmt.Sprintf("repository %d, %s", repo.ID, repo), err
	},
	"repositories": func(ctx context.Context, c *testClient) (any, error) {
		return c.Repositories(ctx, nil, nil)
	},
}

var responseText = regexp.MustCompile(`^(?:after (\S+), )?(\d{3})(:?) ?(.*)$`)

// respondText serves a response that is given as text: "429 MESSAGE | HEADER: VALUE", or "200: BODY"; both may follow
// "after 2s, ". It may also be "hang", or "drop" of the connection.
func respondText(t *testing.T, text string) http.HandlerFunc {
	t.Helper()
	switch text {
	case "hang":
		return neverRespond
	case "drop":
		return dropConnection
	}
	parts := strings.Split(text, " | ")
	m := responseText.FindStringSubmatch(parts[0])
	if m == nil {
		t.Fatalf("%q is no response", text)
	}
	delay, _ := time.ParseDuration(cmp.Or(m[1], "0s"))
	status, _ := strconv.Atoi(m[2])
	h := respond(status, m[4], parts[1:]...)
	if m[3] == ":" {
		h = respondBody(status, m[4])
	}
	return func(rw http.ResponseWriter, req *http.Request) {
		time.Sleep(delay)
		h(rw, req)
	}
}

// TestRequests makes a request, and compares the log, the result, the time, the number of attempts, and whether
// GitHub may have applied one that no response confirms.
func TestRequests(t *testing.T) {
	for _, file := range []string{"writes.txt", "reads.txt"} {
		runCases(t, file, func(t *testing.T, test testCase) (outcome string) {
			var handlers []http.HandlerFunc
			for _, text := range test.responses {
				handlers = append(handlers, respondText(t, text))
			}
			timeout, _ := time.ParseDuration(cmp.Or(test.given["timeout"], "5m"))
			token := cmp.Or(test.given["token"], "ghp_x")
			withClient(t, timeout, token, respondInTurn(handlers...), func(t *testing.T, c *testClient) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if signal, err := time.ParseDuration(test.given["signal"]); err == nil {
					time.AfterFunc(signal, cancel)
				}
				got, err := requests[cmp.Or(test.given["request"], "write")](ctx, c)
				outcome = c.outcome(t, got, err)
			})
			return outcome
		})
	}
}

// outcome describes a request that has ended.
func (c *testClient) outcome(t *testing.T, got any, err error) string {
	lines, result := c.log(), fmt.Sprint(got)
	if err != nil {
		lines = append(lines, "error: "+err.Error())
		result = strings.TrimSuffix(fmt.Sprintf("failed %v", asError(t, err).Is), " []")
	}
	last := fmt.Sprintf("%s after %v, requests: %d", result, c.elapsed(), len(c.requests()))
	if c.isUnproven() {
		last += ", unproven"
	}
	return strings.Join(append(lines, last), "\n")
}
