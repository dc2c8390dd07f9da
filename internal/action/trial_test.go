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
// in simulated time, and after it a second run that finishes what the first one did
// not store. The tests that inject faults check the same promises after each.
type trial struct {
	about  string // what to print with a broken promise
	with   map[string]string
	stores []string
	values map[string]string // by name; empty in mode access
	world  fakegithub.World
	others []change
	signal time.Duration // 0 for none
	// mustSucceed says that every fault is transient.
	mustSucceed bool
}

// change is what another user does to a secret; deleted if Visibility is empty.
type change struct {
	after time.Duration
	fakegithub.Secret
}

// trialRow is a row of the output results.
type trialRow struct {
	Store          string
	SecretName     string `json:"secret_name"`
	Operation      string
	Visibility     string
	KeyID          string `json:"key_id"`
	EncryptedValue string `json:"encrypted_value"`
	Error          string
}

// isDone reports whether a row leaves nothing to do.
func (row trialRow) isDone() bool {
	return slices.Contains([]string{"created", "updated", "unchanged"}, row.Operation)
}

// access is who may read a secret; the zero access is that of a secret that does not
// exist.
type access struct{ visibility, repositories string }

// state is the access to a secret since a time.
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
	rows     []trialRow
	requests []fakegithub.Request // of the first run
	after    []fakegithub.Secret  // what GitHub has after the first run
	history  map[string][]state   // by path: initially, and after changes of others
	second   *result              // nil if there was nothing to finish
	problems []string
}

// requestIDHeader is empty in the response of a proxy.
const requestIDHeader = "X-GitHub-Request-Id"

const (
	trialTimeout = 5 * time.Minute
	attemptTime  = 30 * time.Second
)

// run makes the runs of a trial, in a directory for its files, and returns the
// promises that they broke.
func (tr trial) run(t *testing.T, dir string) *ran {
	t.Helper()
	r := &ran{trial: tr, history: map[string][]state{}}
	synctest.Test(t, func(t *testing.T) {
		r.server = newGitHub(t, tr.world)
		network := memnet.Serve(r.server)
		defer network.Close()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for _, s := range r.server.Secrets() {
			r.remember(s.Store, s.Name, accessOf(s))
		}
		var mu sync.Mutex
		var timers []*time.Timer
		for _, c := range tr.others {
			timers = append(timers, time.AfterFunc(c.after, func() {
				mu.Lock()
				defer mu.Unlock()
				if c.Visibility == "" {
					r.server.DeleteSecret("acme", c.Store, c.Name)
				} else {
					r.server.PutSecret("acme", c.Secret)
				}
				r.remember(c.Store, c.Name, accessOf(c.Secret))
			}))
		}
		if tr.signal > 0 {
			timers = append(timers, time.AfterFunc(tr.signal, cancel))
		}
		r.first = stepRun{with: tr.with, dir: dir, dial: network.Dial}.run(ctx, t)
		for _, timer := range timers {
			timer.Stop()
		}
		mu.Lock() // a change that is under way
		defer mu.Unlock()
		r.requests, r.after = r.server.Requests(), r.server.Secrets()
		if err := json.Unmarshal([]byte(r.first.outputs["results"]), &r.rows); err != nil {
			r.broken("results: %v", err)
		}
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
		r.checkSecond()
	}
	r.checkSecrecy()
	return r
}

func (r *ran) remember(store, name string, a access) {
	path := secretPath(store, name)
	r.history[path] = append(r.history[path], state{time.Now(), a})
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

// report prints the promises that a trial broke, and what happened.
func (r *ran) report(t *testing.T) {
	t.Helper()
	if len(r.problems) == 0 {
		return
	}
	var log strings.Builder
	for _, q := range r.requests {
		fmt.Fprintf(&log, "  %s %s %s: served %d, returned %d\n", q.At.Format("04:05"), q.Method, q.Path, q.Served, q.Status)
	}
	t.Errorf("%s:\n- %s\nrequests:\n%slog:\n%s\nresults: %s", r.about, strings.Join(r.problems, "\n- "), log.String(),
		withoutMasks(r.first.stdout), r.first.outputs["results"])
}

// remaining returns the inputs that finish what the first run did not store, or nil
// if there is nothing, or if a value was not even sealed.
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
	if r.mustSucceed && !all {
		r.broken("%d of %d rows are stored, although every fault was transient", stored, len(r.rows))
	}
	if want := len(r.stores) * max(len(r.values), 1); len(r.rows) != want {
		r.broken("%d rows, want %d", len(r.rows), want)
	}
	most, succeeded := trialTimeout+2*attemptTime, false
	first := map[string]time.Time{}
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
	}
	if r.first.took > most && (!succeeded || len(r.rows) == 1) {
		r.broken("took %v, want at most %v", r.first.took, most)
	}
	if r.signal > 0 && r.first.took > r.signal+5*time.Second {
		r.broken("took %v, want at most 5 s after the signal at %v", r.first.took, r.signal)
	}
}

// checkRow checks that a row is true of what GitHub has.
func (r *ran) checkRow(row trialRow) {
	method, path := r.writeOf(row)
	var writes, applied []fakegithub.Request
	confirmed, unproven, cutOff := false, false, false
	for _, q := range r.requests {
		if q.Method != method || q.Path != path {
			continue
		}
		writes = append(writes, q)
		if q.Served == 201 || q.Served == 204 {
			applied = append(applied, q)
		}
		confirmed = confirmed || q.Status == 201 || q.Status == 204
		unproven = unproven || !isRefusal(q)
		cutOff = cutOff || q.Status == 0 && (q.Fault.Hang != "" || q.Fault.Delay != 0)
	}
	about := fmt.Sprintf("%s in %s is %s", row.SecretName, row.Store, row.Operation)
	switch row.Operation {
	case "created", "updated":
		r.checkStored(about, row, path, applied, confirmed)
	case "unchanged":
		if len(writes) > 0 {
			r.broken("%s, but %d writes were sent", about, len(writes))
		}
	case "failed":
		if len(applied) > 0 && !r.isGone(path) && !r.isDenied(path) {
			r.broken("%s, but GitHub applied a write", about)
		}
		if cutOff {
			r.broken("%s, but GitHub may still apply an attempt that was cut off", about)
		}
	case "unknown":
		if !unproven {
			r.broken("%s, but GitHub refused each of its %d attempts", about, len(writes))
		}
		if len(applied) == 0 && !cutOff && len(r.others) == 0 && r.readAfter(path) {
			r.broken("%s, but a read after its last attempt shows that none was applied", about)
		}
	default:
		r.broken("%s", about)
	}
	isStored := row.isDone()
	if row.EncryptedValue != "" && isStored {
		r.broken("%s and has its sealed value", about)
	}
	if row.EncryptedValue == "" && row.KeyID != "" && !isStored && r.with["mode"] != "access" {
		r.broken("%s and lacks its sealed value", about)
	}
	if !isStored && row.Error == "" {
		r.broken("%s without an error", about)
	}
	for _, q := range applied {
		if r.with["change"] == "" {
			r.checkAccess(about, row, q)
		}
	}
}

// writeOf returns the request that writes a row.
func (r *ran) writeOf(row trialRow) (method, path string) {
	method, path = http.MethodPut, secretPath(row.Store, row.SecretName)
	if r.with["mode"] == "access" {
		path += "/repositories"
	}
	for _, repo := range trialRepositories {
		if r.with["change"] != "" && repo.Name == r.with["selected_repositories"] {
			path += fmt.Sprintf("/%d", repo.ID)
		}
	}
	if r.with["change"] == "remove" {
		method = http.MethodDelete
	}
	return method, path
}

// isGone reports whether somebody deleted a secret during the run, which no read can
// tell from one that was never stored.
func (r *ran) isGone(path string) bool {
	deleted := slices.ContainsFunc(r.others, func(c change) bool {
		return secretPath(c.Store, c.Name) == path && c.Visibility == ""
	})
	return deleted && !slices.ContainsFunc(r.after, func(s fakegithub.Secret) bool { return secretPath(s.Store, s.Name) == path })
}

// isDenied reports whether the last read of a secret was answered with a false 404.
func (r *ran) isDenied(path string) (denied bool) {
	for _, q := range r.requests {
		if q.Method == http.MethodGet && q.Path == path {
			denied = q.Fault != nil && q.Fault.Status == http.StatusNotFound
		}
	}
	return denied
}

// isRefusal reports whether a response proves that GitHub did not apply a write.
func isRefusal(q fakegithub.Request) bool {
	proxy := false
	if q.Fault != nil {
		_, proxy = q.Fault.Headers[requestIDHeader]
	}
	return q.Status >= 300 && q.Status < 500 && !proxy
}

// readAfter reports whether the last read after the last write to a path was answered
// truly. An earlier one may be for another item.
func (r *ran) readAfter(path string) (answered bool) {
	for _, q := range r.requests {
		list, _, _ := strings.Cut(q.Path, "?")
		switch {
		case q.Path == path && q.Method != http.MethodGet:
			answered = false
		case q.Method == http.MethodGet && strings.HasPrefix(path, list):
			answered = q.Fault == nil
		}
	}
	return answered
}

// checkStored checks a row that says that GitHub has confirmed the write.
func (r *ran) checkStored(about string, row trialRow, path string, applied []fakegithub.Request, confirmed bool) {
	gone := r.with["change"] == "remove" && r.readAfter(path) // a 404, and a list that lacks it
	if len(applied) == 0 || !confirmed && !gone {
		r.broken("%s, but GitHub did not confirm a write", about)
		return
	}
	if r.with["mode"] == "access" {
		return
	}
	last := bodyOf(applied[len(applied)-1])
	if row.KeyID != last.KeyID {
		r.broken("%s with key %s, but it was sealed to %s", about, row.KeyID, last.KeyID)
	}
	if row.Visibility != last.Visibility {
		r.broken("%s with visibility %s, but it was stored as %s", about, row.Visibility, last.Visibility)
	}
	touched := slices.ContainsFunc(r.others, func(c change) bool { return secretPath(c.Store, c.Name) == path })
	// Without a read before the first write and after the last, the status is all there is.
	looked := r.with["visibility"] != "all" && r.with["visibility"] != "private" || r.readAfter(path)
	if created := applied[0].Served == 201; created != (row.Operation == "created") && !touched && looked {
		r.broken("%s, but GitHub served its first write with %d", about, applied[0].Served)
	}
	for _, s := range r.after {
		if secretPath(s.Store, s.Name) == path && !touched && s.Value != r.values[s.Name] {
			r.broken("%s, but GitHub has the value %q", about, s.Value)
		}
	}
}

func bodyOf(q fakegithub.Request) (b body) {
	_ = json.Unmarshal([]byte(q.Body), &b)
	return b
}

// checkAccess checks that a write had the access that was asked for, or, where none
// was, the one that the secret had within the minute before, or that the row says
// that it did not.
func (r *ran) checkAccess(about string, row trialRow, q fakegithub.Request) {
	got := r.accessOfWrite(q)
	switch v := r.with["visibility"]; {
	case r.with["selected_repositories"] == "none":
		if want := (access{"selected", ""}); got != want {
			r.broken("%s: written with access %v, want %v", about, got, want)
		}
	case r.with["selected_repositories"] != "":
		if want := (access{"selected", r.with["selected_repositories"]}); got != want {
			r.broken("%s: written with access %v, want %v", about, got, want)
		}
	case v == "all" || v == "private":
		if want := (access{v, ""}); got != want {
			r.broken("%s: written with access %v, want %v", about, got, want)
		}
	default:
		if !slices.Contains(r.recent(row, q), got) && row.Error == "" {
			r.broken("%s: written with access %v, which is none of %v", about, got, r.recent(row, q))
		}
	}
}

// recent returns the access that a secret had within the minute before a write; that
// of one that did not exist is private.
func (r *ran) recent(row trialRow, q fakegithub.Request) (list []access) {
	path := secretPath(row.Store, row.SecretName)
	history := append([]state{{}}, r.history[path]...)
	for _, own := range r.requests {
		if own.Path == path && own.Method == http.MethodPut && own.At.Before(q.At) && (own.Served == 201 || own.Served == 204) {
			history = append(history, state{own.At, r.accessOfWrite(own)})
		}
	}
	slices.SortStableFunc(history, func(a, b state) int { return a.since.Compare(b.since) })
	for i, s := range history {
		until := q.At.Add(time.Nanosecond)
		if i+1 < len(history) {
			until = history[i+1].since
		}
		if s.since.After(q.At) || until.Before(q.At.Add(-time.Minute)) {
			continue
		}
		if s.visibility == "" {
			s.visibility = "private"
		}
		list = append(list, s.access)
	}
	return list
}

// accessOfWrite returns the access that a write gives.
func (r *ran) accessOfWrite(q fakegithub.Request) access {
	b := bodyOf(q)
	var names []string
	for _, repo := range r.world.Orgs[0].Repositories {
		if slices.Contains(b.IDs, repo.ID) {
			names = append(names, repo.Name)
		}
	}
	slices.Sort(names)
	if r.with["mode"] == "access" {
		b.Visibility = "selected"
	}
	return access{b.Visibility, strings.Join(names, ",")}
}

// checkSecond checks that the second run stored whatever the first one did not,
// unless the key has changed.
func (r *ran) checkSecond() {
	var rows []trialRow
	if err := json.Unmarshal([]byte(r.second.outputs["results"]), &rows); err != nil {
		r.broken("results of the second run: %v", err)
	}
	if len(rows) != len(r.rows) {
		r.broken("the second run has %d rows, want %d: %s", len(rows), len(r.rows), withoutMasks(r.second.stdout))
		return
	}
	stale := false
	for i, row := range r.rows {
		if row.isDone() {
			continue
		}
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
	if stale != (r.second.code != 0) {
		r.broken("the second run has exit code %d; a key has changed: %v", r.second.code, stale)
	}
}

// checkSecrecy checks that no plaintext and no token is anywhere but in the masks.
func (r *ran) checkSecrecy() {
	texts := map[string]string{
		"stdout": withoutMasks(r.first.stdout), "outputs": r.first.raw, "summary": r.first.summary,
	}
	for i, q := range r.requests {
		texts[fmt.Sprint("request ", i)] = q.Path + q.Body
	}
	secrets := append(slices.Collect(maps.Values(r.values)), r.with["token"])
	for place, text := range texts {
		for _, s := range secrets {
			if s != "" && strings.Contains(text, s) {
				r.broken("%q is in the %s", s, place)
			}
		}
	}
}
