package action

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/memnet"
)

// trial is one run of the action against a fakegithub that faults are injected into,
// in simulated time, and after it a second run for the rest of the first one.
// The tests that inject faults check the same promises after each.
type trial struct {
	about  string // printed with a broken promise
	with   map[string]string
	stores []string
	values map[string]string // by name; empty in mode access
	world  fakegithub.World
	others []change
	signal time.Duration // 0 for none
	// mustSucceed says that every fault is transient.
	mustSucceed bool
}

// change is a change by another user: a new state of a secret, or its deletion if Visibility is empty.
type change struct {
	after time.Duration
	fakegithub.Secret
}

// isDone reports whether a row leaves nothing to do.
func (row resultRow) isDone() bool {
	return slices.Contains([]string{"created", "updated", "unchanged", "skipped"}, row.Operation)
}

// access is who may read a secret; the zero access is that of a secret that does not
// exist.
type access struct{ visibility, repositories string }

// state is the access to a secret since a time, which is zero for that of the world.
type state struct {
	since time.Time
	access
}

// body is that of a write.
type body struct {
	KeyID          string  `json:"key_id"`
	EncryptedValue string  `json:"encrypted_value"`
	Visibility     string  `json:"visibility"`
	IDs            []int64 `json:"selected_repository_ids"`
}

// ran is a trial after its runs.
type ran struct {
	trial
	server   *fakegithub.Server
	first    result
	rows     []resultRow
	requests []fakegithub.Request // of the first run
	after    []fakegithub.Secret  // at GitHub after the first run
	mu       sync.Mutex
	history  map[string][]state // by path: initially, and after changes of others
	second   *result            // nil if there was nothing to finish
	problems []string
}

// requestIDHeader is empty in the response of a proxy.
const requestIDHeader = "X-GitHub-Request-Id"

const (
	trialTimeout = 5 * time.Minute
	attemptTime  = 30 * time.Second
	// settleAfter is how long after an attempt a read tells whether GitHub applied it.
	// GitHub ends requests after lateTime, and copies may lag by the rest.
	settleAfter = 15 * time.Second
	lateTime    = 10 * time.Second
	// maxUnseen is how long an attempt may be unseen by reads: stored late, and then lagging.
	maxUnseen = 14 * time.Second
)

// run makes the runs of a trial, in a directory for its files, and returns the
// promises that they broke.
func (tr trial) run(t *testing.T, dir string) *ran {
	t.Helper()
	r := &ran{trial: tr, history: map[string][]state{}}
	synctest.Test(t, func(t *testing.T) {
		r.server = newGitHub(t, r.recorded(tr.world))
		network := memnet.Serve(r.server)
		defer network.Close()
		for _, s := range r.server.Secrets() {
			path := secretPath(s.Store, s.Name)
			r.history[path] = append(r.history[path], state{access: accessOf(s)})
		}
		r.first = r.runOnce(t, stepRun{with: tr.with, dir: dir, dial: network.Dial})
		time.Sleep(lateTime)
		r.rows, r.requests, r.after = r.first.rows(t), r.server.Requests(), r.server.Secrets()
		r.server.ClearFaults()
		if with := r.remaining(); with != nil {
			second := stepRun{with: with, dir: dir, dial: network.Dial}.run(t.Context(), t)
			r.second = &second
		}
	})
	r.checkRun()
	for _, row := range r.rows {
		r.checkRow(row)
	}
	if r.second != nil {
		r.checkSecond(r.second.rows(t))
	}
	r.checkSecrecy()
	return r
}

// runOnce makes the first run, with the changes of others and the signal.
func (r *ran) runOnce(t *testing.T, step stepRun) result {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var timers []*time.Timer
	for _, c := range r.others {
		timers = append(timers, time.AfterFunc(c.after, func() {
			if c.Visibility == "" {
				r.server.DeleteSecret("acme", c.Store, c.Name)
			} else {
				r.server.PutSecret("acme", c.Secret)
			}
			r.remember(c.Secret)
		}))
	}
	if r.signal > 0 {
		timers = append(timers, time.AfterFunc(r.signal, cancel))
	}
	first := step.run(ctx, t)
	for _, timer := range timers {
		timer.Stop()
	}
	return first
}

// recorded returns a world whose faults remember the secret that they change, and store
// no write later than a late read shows.
func (r *ran) recorded(world fakegithub.World) fakegithub.World {
	world.Faults = slices.Clone(world.Faults)
	for i, f := range world.Faults {
		if f.Change != nil {
			world.Faults[i].Hook = func() { r.remember(*f.Change) }
		}
		world.Faults[i].StoreAfter = min(f.StoreAfter, fakegithub.Duration(maxUnseen)-world.Lag)
	}
	return world
}

// givesAccess reports whether the inputs name the access.
func (tr trial) givesAccess() bool {
	return tr.with["visibility"] == "all" || tr.with["visibility"] == "private" || tr.with["selected_repositories"] != ""
}

func (r *ran) remember(s fakegithub.Secret) {
	r.mu.Lock()
	defer r.mu.Unlock()
	path := secretPath(s.Store, s.Name)
	r.history[path] = append(r.history[path], state{time.Now(), accessOf(s)})
}

func accessOf(s fakegithub.Secret) access {
	if s.Visibility != "selected" {
		return access{visibility: s.Visibility}
	}
	return access{s.Visibility, strings.Join(s.Repositories, ",")}
}

func secretPath(store, name string) string { return "/orgs/acme/" + store + "/secrets/" + name }

func (r *ran) broken(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

// report prints the promises that a trial broke, the requests and the log.
func (r *ran) report(t *testing.T) {
	t.Helper()
	if len(r.problems) > 0 {
		t.Errorf("%s:\n- %s\nrequests:\n%slog:\n%s\nresults: %s", r.about, strings.Join(r.problems, "\n- "), r.requestLog(),
			withoutMasks(r.first.stdout), r.first.outputs["results"])
	}
}

// requestLog has a line for each request of the first run.
func (r *ran) requestLog() string {
	var log strings.Builder
	for _, q := range r.requests {
		late := ""
		if q.ServedAt.After(q.At) {
			late = " at " + q.ServedAt.Format("04:05")
		}
		fmt.Fprintf(&log, "  %s %s %s%.60v: served %d%s, returned %d\n",
			q.At.Format("04:05"), q.Method, q.Path, r.accessOfWrite(q), q.Served, late, q.Status)
	}
	return log.String()
}

// remaining returns the inputs for the rest of the first run, or nil if there is none,
// or if a value was not even sealed.
func (r *ran) remaining() map[string]string {
	var names []string
	left := false
	for _, row := range r.rows {
		switch {
		case row.isDone():
		case row.EncryptedValue == "":
			return nil
		default:
			left = true
		}
		if !slices.Contains(names, row.SecretName) {
			names = append(names, row.SecretName)
		}
	}
	if !left {
		return nil
	}
	return map[string]string{
		"sealed": r.first.outputs["results"], "secret_name": strings.Join(names, ","), "stores": strings.Join(r.stores, ","),
	}
}

// checkRun checks the exit code and the time of the first run.
func (r *ran) checkRun() {
	stored := 0
	for _, row := range r.rows {
		if row.Error == "" && row.isDone() {
			stored++
		}
	}
	all := len(r.rows) > 0 && stored == len(r.rows)
	if all != (r.first.code == 0) {
		r.broken("exit code %d with %d of %d rows stored", r.first.code, stored, len(r.rows))
	}
	if r.mustSucceed && !all && !r.isRemovalUnseen() {
		r.broken("%d of %d rows are stored, although every fault was transient", stored, len(r.rows))
	}
	if want := len(r.stores) * max(len(r.values), 1); len(r.rows) != want {
		r.broken("%d rows, want %d", len(r.rows), want)
	}
	most, succeeded := trialTimeout+2*attemptTime+settleAfter+attemptTime, false
	first, beforeWrites := map[string]time.Time{}, time.Duration(0)
	for _, q := range r.requests {
		if q.Method == http.MethodGet {
			continue
		}
		succeeded = succeeded || q.Status == 201 || q.Status == 204
		if at, ok := first[q.Path]; ok && q.At.Sub(at) > trialTimeout+attemptTime {
			r.broken("%s: attempts during %v, want at most the timeout and one attempt", q.Path, q.At.Sub(at))
		} else if !ok {
			first[q.Path] = q.At
		}
		if len(first) == 1 && len(r.rows) > 1 { // reads that the first write waits for have a clock of their own
			beforeWrites = first[q.Path].Sub(r.requests[0].At)
		}
	}
	most += beforeWrites
	if r.first.took > most && (!succeeded || len(r.rows) == 1) {
		r.broken("took %v, want at most %v", r.first.took, most)
	}
	if r.signal > 0 && r.first.took > r.signal+5*time.Second {
		r.broken("took %v, want at most 5 s after the signal at %v", r.first.took, r.signal)
	}
}

// isRemovalUnseen reports whether GitHub answered a removal with 404, which is done if the
// list lacks the repository, and a copy that lags may still have listed it.
func (r *ran) isRemovalUnseen() bool {
	isUnknown := len(r.rows) == 1 && r.rows[0].Operation == "unknown"
	return isUnknown && r.world.Lag > 0 && slices.ContainsFunc(r.requests, func(q fakegithub.Request) bool {
		return q.Method == http.MethodDelete && q.Served == http.StatusNotFound
	})
}

func bodyOf(q fakegithub.Request) (b body) {
	_ = json.Unmarshal([]byte(q.Body), &b)
	return b
}

// checkSecond checks that the second run stored whatever the first one did not,
// unless the key has changed.
func (r *ran) checkSecond(rows []resultRow) {
	if len(rows) != len(r.rows) {
		r.broken("the second run has %d rows, want %d: %s", len(rows), len(r.rows), withoutMasks(r.second.stdout))
		return
	}
	stale, overwritten := false, false
	for i, row := range r.rows {
		if row.isDone() {
			continue
		}
		// Its read may lag behind the first run's late attempt, which it then overwrites.
		overwritten = overwritten || rows[i].isDone() && rows[i].Error != ""
		key, _ := r.server.Key("acme", row.Store)
		if row.KeyID != key {
			stale = true
			continue
		}
		s, ok := r.server.Secret("acme", row.Store, row.SecretName)
		if !ok || s.Value != r.values[row.SecretName] {
			r.broken("the second run did not store %s in %s (%s): %s", row.SecretName, row.Store, rows[i].Operation,
				withoutMasks(r.second.stdout))
		}
	}
	if (stale || overwritten) != (r.second.code != 0) {
		r.broken("the second run has exit code %d; a key has changed: %v", r.second.code, stale)
	}
}

// checkSecrecy checks that no plaintext and no token is anywhere but in the masks.
func (r *ran) checkSecrecy() {
	secrets := append(slices.Collect(maps.Values(r.values)), r.with["token"])
	for place, text := range r.first.texts(r.requests) {
		for _, s := range secrets {
			if s != "" && strings.Contains(text, s) {
				r.broken("%q is in the %s", s, place)
			}
		}
	}
}
