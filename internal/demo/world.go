package main

import (
	"net/http"
	"time"

	"set-org-secret/internal/fakegithub"
)

// The tokens of the demo.
const (
	writeToken = "ghs_demo_may_write"
	readToken  = "ghs_demo_may_only_read"
)

// rotationWorld returns an organization with existing secrets. The first write of DB_PASSWORD gets status 502, and
// before the second the public key is rotated.
func rotationWorld() fakegithub.World {
	return fakegithub.World{
		Orgs: []fakegithub.Org{{
			Login: "acme",
			Repositories: []fakegithub.Repository{
				{ID: 101, Name: "web"},
				{ID: 102, Name: "api", Private: true},
				{ID: 103, Name: "worker", Private: true},
				{ID: 104, Name: "docs"},
			},
			Secrets: []fakegithub.Secret{
				{
					Store: "actions", Name: "DB_PASSWORD", Value: "the previous password",
					Visibility: "selected", Repositories: []string{"web", "api", "worker"}, UpdatedAt: daysAgo(7),
				},
				{
					Store: "actions", Name: "LEGACY_TOKEN", Value: "120 days old",
					Visibility: "private", UpdatedAt: daysAgo(120),
				},
			},
		}},
		MaxWritesPerMinute: 80,
		Faults: []fakegithub.Fault{
			{Method: "PUT", Path: "/actions/secrets/DB_PASSWORD", Status: http.StatusBadGateway},
			{Method: "PUT", Path: "/actions/secrets/DB_PASSWORD", RotateKey: true},
		},
	}
}

// demoWorld is rotationWorld with more secrets, one more error and two tokens.
func demoWorld() fakegithub.World {
	world := rotationWorld()
	world.Orgs[0].Secrets = append(world.Orgs[0].Secrets,
		fakegithub.Secret{
			Store: "actions", Name: "DEPLOY_KEY", Value: "the previous key",
			Visibility: "selected", Repositories: []string{"web", "docs"}, UpdatedAt: daysAgo(31),
		},
		fakegithub.Secret{
			Store: "actions", Name: "NPM_TOKEN", Value: "12 days old", Visibility: "all", UpdatedAt: daysAgo(12),
		})
	world.Faults = append(world.Faults,
		fakegithub.Fault{Path: "/actions/secrets/public-key", Status: http.StatusServiceUnavailable})
	for token, level := range map[string]string{writeToken: "write", readToken: "read"} {
		world.Tokens = append(world.Tokens, fakegithub.Token{
			Value: token, Kind: "app", Permissions: map[string]string{"organization_secrets": level},
		})
	}
	return world
}

func daysAgo(n int) time.Time { return time.Now().UTC().AddDate(0, 0, -n) }
