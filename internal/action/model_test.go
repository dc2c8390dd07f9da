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
	modelSeed  = flag.Uint64("seed", 0, "the only seed of TestModel or TestHostileServer; 0 for all")
)

// TestModel makes runs at random: batches in one or two stores, with each kind of
// access, while other people change, make and delete secrets, requests fail, keys
// are rotated, signals arrive, and each of the disturbances happens. To replay one:
//
//	go test ./internal/action -run TestModel -seed 17
func TestModel(t *testing.T) {
	if *modelSeed != 0 {
		tr := randomTrial(*modelSeed)
		r := tr.run(t, t.TempDir())
		t.Logf("%s\nrequests:\n%slog:\n%s", tr.about, r.requestLog(), withoutMasks(r.first.stdout))
		r.report(t)
		return
	}
	const shards = 4
	var next, runs atomic.Int64
	var unknown tally
	for shard := range shards {
		t.Run(fmt.Sprint("shard ", shard+1), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for !t.Failed() {
				seed := next.Add(1)
				if seed > int64(*modelSeeds) {
					return
				}
				r := randomTrial(uint64(seed)).run(t, dir)
				r.report(t)
				unknown.count(r)
				runs.Add(1)
			}
		})
	}
	t.Cleanup(func() { t.Logf("%d runs at random, seeds 1 to %d; %v", runs.Load(), *modelSeeds, &unknown) })
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
	tr.disturb(seed)
	return tr
}

// disturb adds disturbances to a trial. Each has random numbers of its own, so a seed
// without one of them is the same run otherwise.
func (tr *trial) disturb(seed uint64) {
	for i, d := range disturbances {
		rnd := rand.New(rand.NewPCG(seed, uint64(i)))
		if rnd.IntN(100) < d.percent {
			tr.about += ", " + d.name
			d.add(tr, rnd)
		}
	}
}

// disturbances are further events, each in a percentage of the runs at random. Their faults precede others, which may be unlimited.
var disturbances = []struct {
	name    string
	percent int
	add     func(*trial, *rand.Rand)
}{
	{"versions", 100, func(tr *trial, _ *rand.Rand) { tr.world.StrictVersions = true }},
	{"lag", 40, func(tr *trial, rnd *rand.Rand) { tr.world.Lag = between(rnd, 500*time.Millisecond, 10*time.Second) }},
	{"key", 15, func(tr *trial, rnd *rand.Rand) {
		tr.addFaults(fakegithub.Fault{Method: "PUT", After: rnd.IntN(8), RotateKey: true})
	}},
	{"late", 40, storeLate},
	{"date", 30, func(tr *trial, rnd *rand.Rand) {
		tr.world.NoDate = rnd.IntN(2) == 0
		tr.world.DateSkew = between(rnd, -90*time.Second, 90*time.Second)
	}},
	{"shifting secrets", 3, shiftSecrets},
	{"shifting repositories", 2, shiftRepositories},
	{"unread", 8, failReads},
}

func between(rnd *rand.Rand, least, most time.Duration) fakegithub.Duration {
	return fakegithub.Duration(least + time.Duration(rnd.Int64N(int64((most-least)/time.Millisecond)+1))*time.Millisecond)
}

// addFaults adds faults before those that a trial has.
func (tr *trial) addFaults(faults ...fakegithub.Fault) {
	tr.world.Faults = append(faults, tr.world.Faults...)
}

// storeLate lets GitHub apply writes after a gateway has given up.
func storeLate(tr *trial, rnd *rand.Rand) {
	for range 1 + rnd.IntN(4) {
		f := []fakegithub.Fault{{Status: 502}, {Status: 504}, {Drop: "before"}, {Hang: "before"}}[rnd.IntN(4)]
		f.Method, f.After, f.Times = "PUT", rnd.IntN(8), 1+rnd.IntN(3)
		if rnd.IntN(4) == 0 {
			f.Path, f.After, f.Times = fmt.Sprintf("/S%d", 1+rnd.IntN(len(tr.values))), 0, -1 // and no attempt is confirmed
		}
		f.StoreAfter = between(rnd, 100*time.Millisecond, 9*time.Second)
		tr.addFaults(f)
	}
}

// shiftSecrets makes the list of secrets more than a page long. A secret of the trial, if
// one exists, moves from page 2 to page 1 while it is read, once or twice. Pages of copies
// that lag differently would hide the same entry in each reading.
func shiftSecrets(tr *trial, rnd *rand.Rand) {
	tr.world.Lag = 0
	org := &tr.world.Orgs[0]
	existing := map[string]bool{}
	for _, s := range org.Secrets {
		if s.Store == "actions" {
			existing[s.Name] = true
		}
	}
	for i := range 100 - rnd.IntN(max(len(existing), 1)) {
		org.Secrets = append(org.Secrets, fakegithub.Secret{Store: "actions", Name: fmt.Sprintf("A%03d", i), Visibility: "all"})
	}
	for i := range 30 {
		org.Secrets = append(org.Secrets, fakegithub.Secret{Store: "actions", Name: fmt.Sprintf("Z%03d", i), Visibility: "all"})
	}
	at := 1
	for i := range 1 + rnd.IntN(2) {
		tr.addFaults(fakegithub.Fault{
			Method: "GET", Path: "/actions/secrets", After: at, Remove: fmt.Sprintf("A%03d", i),
			Change: &fakegithub.Secret{Store: "actions", Name: fmt.Sprintf("Z1%02d", i), Visibility: "all"},
		})
		at += 2 * (1 + rnd.IntN(2)) // the second page of a later reading
	}
}

// shiftRepositories gives a secret a list of more than a page. A repository moves from
// page 2 to page 1 while it is read.
func shiftRepositories(tr *trial, rnd *rand.Rand) {
	tr.world.Lag = 0
	org := &tr.world.Orgs[0]
	org.RepositoryCount = 120
	s := fakegithub.Secret{
		Store: tr.stores[0], Name: fmt.Sprintf("S%d", 1+rnd.IntN(len(tr.values))), Value: "old", Visibility: "selected",
		UpdatedAt: time.Date(1999, 11, 1, 0, 0, 0, 0, time.UTC),
	}
	for i := range 115 {
		s.Repositories = append(s.Repositories, fmt.Sprintf("repo-%04d", i+1))
	}
	org.Secrets = append(org.Secrets, s)
	for i := range 1 + rnd.IntN(2) {
		s.Repositories = append(slices.Clone(s.Repositories[1:]), fmt.Sprintf("repo-%04d", 116+i))
		changed := s
		tr.addFaults(fakegithub.Fault{
			Method: "GET", Path: "/" + s.Name + "/repositories", After: 1 + 2*i*(1+rnd.IntN(2)), Change: &changed,
		})
	}
}

// failReads makes the existing secrets unreadable. Where access is given, the write is
// sent all the same.
func failReads(tr *trial, rnd *rand.Rand) {
	f := []fakegithub.Fault{
		{Status: 503},
		{Status: 403},
		{Status: 404, Headers: map[string]string{requestIDHeader: ""}},
		{Drop: "before"},
		{Cut: true},
		{Status: 200, Body: "{}"},
	}[rnd.IntN(6)]
	f.Method, f.Times = "GET", -1
	one, list := f, f
	one.Path, list.Path = "/secrets/S*", "/secrets"
	if tr.givesAccess() && rnd.IntN(2) == 0 {
		tr.mustSucceed, tr.signal, tr.others, tr.world.Faults = true, 0, nil, nil
	}
	tr.addFaults(one, list)
}

// tally counts the rows that are unknown.
type tally struct{ rows, signalled, applied, told atomic.Int64 }

func (n *tally) count(r *ran) {
	for _, row := range r.rows {
		if row.Operation != "unknown" {
			continue
		}
		n.rows.Add(1)
		switch f := r.factsOf(row); {
		case f.isTold():
			n.told.Add(1)
		case len(f.applied) > 0:
			n.applied.Add(1)
		}
		if r.wasSignalled() {
			n.signalled.Add(1)
		}
	}
}

func (n *tally) String() string {
	return fmt.Sprintf("%d rows are unknown: %d took effect, and of %d a read %v after the last unproven attempt"+
		" would have told; %d after a signal", n.rows.Load(), n.applied.Load(), n.told.Load(), settleAfter, n.signalled.Load())
}
