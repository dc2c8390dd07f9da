package action

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"set-org-secret/internal/fakegithub"
)

var (
	modelSeeds = flag.Int("seeds", 200, "how many runs TestModel makes, from seed 1 on")
	modelSeed  = flag.Uint64("seed", 0, "the only seed of TestModel; 0 for -seeds")
)

// TestModel makes runs at random: batches in one or two stores, with each kind of
// access, while other people change, make and delete secrets, requests fail, keys
// are rotated, and signals arrive. To replay one:
//
//	go test ./internal/action -run TestModel -seed 17
func TestModel(t *testing.T) {
	if *modelSeed != 0 {
		tr := randomTrial(*modelSeed)
		r := tr.run(t, t.TempDir())
		t.Logf("%s\n%s\n%s", tr.about, withoutMasks(r.first.stdout), r.server.RequestLog())
		r.report(t)
		return
	}
	const shards = 4
	var next, runs atomic.Int64
	for shard := range shards {
		t.Run(fmt.Sprint("shard ", shard+1), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for !t.Failed() {
				seed := next.Add(1)
				if seed > int64(*modelSeeds) {
					return
				}
				randomTrial(uint64(seed)).run(t, dir).report(t)
				runs.Add(1)
			}
		})
	}
	t.Cleanup(func() { t.Logf("%d runs at random, seeds 1 to %d", runs.Load(), *modelSeeds) })
}

// randomTrial returns the trial of a seed.
func randomTrial(seed uint64) trial {
	rnd := rand.New(rand.NewPCG(seed, seed))
	chance := func(percent int) bool { return rnd.IntN(100) < percent }
	pick := func(list ...string) string { return list[rnd.IntN(len(list))] }
	tr := trial{
		about: fmt.Sprintf("seed %d", seed), values: map[string]string{}, stores: []string{"actions"},
		with: map[string]string{"token": "ghp_trial-token", "timeout": trialTimeout.String()},
	}
	if chance(30) {
		tr.stores = append(tr.stores, pick("dependabot", "codespaces", "agents"))
	}
	tr.with["stores"] = strings.Join(tr.stores, ",")
	for i := range 1 + rnd.IntN(6) {
		tr.values[fmt.Sprintf("S%d", i+1)] = fmt.Sprintf("Correct-Horse-%d-%d", seed, i+1)
	}
	text, _ := json.Marshal(tr.values)
	tr.with["secrets"] = string(text)
	switch rnd.IntN(6) {
	case 0, 1: // existing secrets keep their access
	case 2:
		tr.with["visibility"] = pick("all", "private")
	case 3:
		tr.with["visibility"] = "selected" // the list that exists
	case 4:
		tr.with["selected_repositories"] = pick("site", "api", "web")
	case 5:
		tr.with["selected_repositories"] = "none"
	}
	anySecret := func() fakegithub.Secret {
		s := fakegithub.Secret{
			Store: tr.stores[rnd.IntN(len(tr.stores))], Name: fmt.Sprintf("S%d", 1+rnd.IntN(len(tr.values))), Value: "old",
			Visibility: pick("all", "private", "selected"),
		}
		if s.Visibility == "selected" {
			for _, repo := range trialRepositories {
				if chance(50) {
					s.Repositories = append(s.Repositories, repo.Name)
				}
			}
			slices.Sort(s.Repositories)
		}
		return s
	}
	org := fakegithub.Org{Login: "acme", Repositories: slices.Clone(trialRepositories)}
	for range rnd.IntN(8) {
		s := anySecret()
		s.UpdatedAt = time.Date(1999, 12, 1+rnd.IntN(30), 0, 0, 0, 0, time.UTC)
		org.Secrets = append(org.Secrets, s)
	}
	tr.world.Orgs = []fakegithub.Org{org}
	tr.world.MaxWritesPerMinute = 80
	for range rnd.IntN(5) {
		f := allFaults[rnd.IntN(len(allFaults))].Fault
		f.Method = pick("", "", "PUT", "PUT", "GET")
		if chance(20) {
			f.Path = fmt.Sprintf("/S%d", 1+rnd.IntN(len(tr.values)))
		}
		f.After, f.Times = rnd.IntN(12), 1+rnd.IntN(4)
		if chance(5) {
			f.Times = -1
		}
		tr.world.Faults = append(tr.world.Faults, f)
	}
	if chance(40) {
		for range 1 + rnd.IntN(3) {
			c := change{time.Duration(rnd.IntN(90_000)) * time.Millisecond / time.Duration(1+rnd.IntN(90)), anySecret()}
			if chance(30) {
				c.Visibility = ""
			}
			tr.others = append(tr.others, c)
		}
		slices.SortFunc(tr.others, func(a, b change) int { return int(a.after - b.after) })
	}
	if chance(15) {
		tr.signal = time.Millisecond + time.Duration(rnd.IntN(120_000))*time.Millisecond
	}
	return tr
}
