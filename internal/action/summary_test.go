//go:build summary

package action

import (
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"set-org-secret/internal/fakegithub"
)

var out = flag.String("out", "", "the directory into which TestSummaries writes the job summaries")

// longName has 62 characters, about as long as names get that people write.
const longName = "AZURE_KUBERNETES_PRODUCTION_WESTEUROPE_CLUSTER_ADMIN_PASSWORD2"

// TestSummaries writes the job summary of a run of each kind, for .ci/summary to
// render. The runs are real, against fakegithub in simulated time.
func TestSummaries(t *testing.T) {
	if *out == "" {
		t.Fatal("-out names no directory")
	}
	for _, test := range []struct {
		name  string
		code  int
		world fakegithub.World
		with  map[string]string
	}{
		{"set", 0, changeWorld(t), map[string]string{
			"secret_name": "DB_PASSWORD", "secret_value": "Correct-Horse",
			"selected_repositories": "svc-one, site, web",
		}},
		{"batch", 1, batchWorld(), map[string]string{"secrets": batchOfThirty()}},
		{"check", 0, checkWorld(), map[string]string{"mode": "check", "secret_name": "*", "max_age": "90d"}},
		{"review", 0, reviewWorld(), map[string]string{
			"mode": "check", "secret_name": "*", "max_age": "365d", "list_repositories": "true",
		}},
		{"seal", 0, fakegithub.World{}, map[string]string{
			"mode": "seal", "secrets": `{"DB_PASSWORD": "Correct-Horse", "` + longName + `": "Battery-Staple"}`,
		}},
		{"stores", 1, storesWorld(t), map[string]string{
			"secrets": `{"DB_PASSWORD": "Correct-Horse", "` + longName + `": "Battery-Staple"}`,
			"stores":  "actions, dependabot, codespaces",
		}},
		{"rejected", 1, fakegithub.World{}, map[string]string{
			"secret_name": "DB-PASSWORD", "visibility": "privat", "selected_repository_ids": "12x",
		}},
		{"dry-run", 0, changeWorld(t), map[string]string{
			"secrets":               `{"DB_PASSWORD": "Correct-Horse", "SNYK_TOKEN": "Battery-Staple"}`,
			"selected_repositories": "svc-*, web", "dry_run": "true",
		}},
	} {
		for i := range test.world.Orgs {
			dateSecrets(test.world.Orgs[i].Secrets)
		}
		r := stepRun{with: test.with, start: today}.simulate(t, newGitHub(t, test.world))
		r.wantCode(t, test.code)
		writeFile(t, filepath.Join(*out, test.name+".md"), r.summary)
	}
}

// today is the date of the runs.
var today = time.Date(2026, 7, 28, 3, 12, 0, 0, time.UTC)

// dateSecrets gives the secrets ages of 2 days to three years.
func dateSecrets(secrets []fakegithub.Secret) {
	for i := range secrets {
		age := 2 + i*i/4 + 4*i
		secrets[i].UpdatedAt = today.AddDate(0, 0, -age)
		secrets[i].CreatedAt = secrets[i].UpdatedAt
	}
}

func repositories(names ...string) (list []fakegithub.Repository) {
	for i, name := range names {
		list = append(list, fakegithub.Repository{ID: int64(1001 + i), Name: name, Private: i%2 == 0})
	}
	return list
}

func changeWorld(t *testing.T) fakegithub.World {
	t.Helper()
	return worldWith(t, "empty", "secret actions/DB_PASSWORD visibility=selected repositories=api,svc-two,web")
}

// names are 30 of the kind that organizations have, the longest that people write among them.
func names() []string {
	list := strings.Fields(`ARTIFACTORY_INTERNAL_MAVEN_REPOSITORY_DEPLOY_TOKEN_2 AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
		AZURE_CLIENT_SECRET_SUBSCRIPTION_PLATFORM_SHARED_2 CODECOV_TOKEN DATADOG_API_KEY DB_PASSWORD DOCKERHUB_TOKEN
		FASTLY_API_TOKEN FIGMA_TOKEN GCP_SA_KEY GPG_PASSPHRASE GRAFANA_TOKEN HEROKU_API_KEY JIRA_TOKEN KUBECONFIG
		LAUNCHDARKLY_SDK_KEY MAPBOX_TOKEN NPM_TOKEN OPSGENIE_API_KEY PAGERDUTY_TOKEN PYPI_TOKEN QUAY_ROBOT_TOKEN
		RUBYGEMS_API_KEY SENTRY_AUTH_TOKEN SLACK_BOT_TOKEN SNYK_TOKEN SONAR_TOKEN TERRAFORM_CLOUD_TOKEN`)
	return append(list, longName)
}

func batchOfThirty() string {
	var entries []string
	for i, name := range names() {
		entries = append(entries, fmt.Sprintf("%q: %q", name, fmt.Sprintf("Correct-Horse-%02d", i)))
	}
	return "{" + strings.Join(entries, ", ") + "}"
}

// batchWorld lets 24 of the 30 secrets be stored; three fail alike, two for another reason each, and of one no
// response comes.
func batchWorld() fakegithub.World {
	world := fakegithub.World{Orgs: []fakegithub.Org{{
		Login: "acme", Repositories: repositories("web", "api"),
		Secrets: []fakegithub.Secret{{
			Store: "actions", Name: "AWS_ACCESS_KEY_ID", Value: "old", Visibility: "selected", Repositories: []string{"web", "api"},
		}},
	}}}
	refuse := func(name string, status int, message string) {
		world.Faults = append(world.Faults, fakegithub.Fault{
			Method: "PUT", Path: "/" + name, Status: status, Body: `{"message": "` + message + `"}`, Times: -1,
			Headers: map[string]string{"X-Accepted-GitHub-Permissions": "organization_secrets=write"},
		})
	}
	refuse("DATADOG_API_KEY", 403, "Resource not accessible by integration")
	refuse("GCP_SA_KEY", 403, "Resource not accessible by integration")
	refuse(longName, 403, "Resource not accessible by integration")
	refuse("NPM_TOKEN", 422, "Organization secret limit of 1000 reached")
	refuse("SNYK_TOKEN", 409, "Conflict")
	world.Faults = append(world.Faults, fakegithub.Fault{
		Method: "PUT", Path: "/ARTIFACTORY_INTERNAL_MAVEN_REPOSITORY_DEPLOY_TOKEN_2", Drop: "after", Times: -1,
	})
	return world
}

// storesWorld has a secret whose list the token sees in part, and refuses all writes to one of three stores.
func storesWorld(t *testing.T) fakegithub.World {
	t.Helper()
	world := worldWith(t, "empty", "token ghp_scenario kind=classic scopes=admin:org",
		"secret dependabot/DB_PASSWORD visibility=selected repositories=web,api")
	world.Faults = []fakegithub.Fault{{
		Method: "PUT", Path: "/codespaces/secrets/*", Status: 403, Times: -1,
		Body: `{"message": "You must be an org admin or have the codespaces secrets fine-grained permission."}`,
	}}
	return world
}

// checkWorld has 60 secrets, one of which has a name of 255 characters, the most that GitHub takes.
func checkWorld() fakegithub.World {
	world := fakegithub.World{Orgs: []fakegithub.Org{{Login: "acme", Repositories: repositories("web", "api")}}}
	visibilities := []string{"private", "all", "selected"}
	add := func(name string) {
		s := fakegithub.Secret{Store: "actions", Name: name, Value: "x", Visibility: visibilities[len(world.Orgs[0].Secrets)%3]}
		if s.Visibility == "selected" {
			s.Repositories = []string{"web"}
		}
		world.Orgs[0].Secrets = append(world.Orgs[0].Secrets, s)
	}
	for _, name := range names() {
		add("STAGING_" + strings.TrimSuffix(name, "2"))
	}
	for _, name := range names()[:29] {
		add(name)
	}
	add(strings.Repeat("PLATFORM", 31) + "_SHARED")
	// The longest name that people write is due.
	secrets := world.Orgs[0].Secrets
	secrets[10], secrets[55] = secrets[55], secrets[10]
	return world
}

func reviewWorld() fakegithub.World {
	world := fakegithub.World{Orgs: []fakegithub.Org{{
		Login: "acme",
		Repositories: repositories("web", "api", "svc-auth", "svc-billing",
			"customer-facing-self-service-portal-backend-for-frontends", "infrastructure_as_code.modules"),
	}}}
	repos := world.Orgs[0].Repositories
	for i, name := range names() {
		s := fakegithub.Secret{Store: "actions", Name: name, Value: "x", Visibility: "selected"}
		switch {
		case i%11 == 4:
			s.Visibility = "all"
		case i%7 == 5:
			s.Visibility = "private"
		case i%13 == 9:
		default:
			for j, repo := range repos {
				if i%(j+1) == 0 {
					s.Repositories = append(s.Repositories, repo.Name)
				}
			}
		}
		world.Orgs[0].Secrets = append(world.Orgs[0].Secrets, s)
	}
	return world
}
