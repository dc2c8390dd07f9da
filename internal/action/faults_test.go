package action

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"set-org-secret/internal/fakegithub"
)

var sequenceLength = flag.Int("faults", 2, "the length of the longest sequence of faults at a write; see TestFaultSequences")

// namedFault is a fault that is injected at each place.
type namedFault struct {
	name string
	// transient says that the action retries it, and that it ends before the timeout.
	transient bool
	fakegithub.Fault
}

// allFaults are the ways in which a request can fail.
var allFaults = func() []namedFault {
	type fault = fakegithub.Fault
	type headers = map[string]string
	const html, notAPI = "<html>502 Bad Gateway</html>", `{"status": "ok"}`
	message := func(text string) string { return fmt.Sprintf(`{"message": %q}`, text) }
	seconds := func(n time.Duration) fakegithub.Duration { return fakegithub.Duration(n * time.Second) }
	page := headers{"Content-Type": "text/html"}
	secondary := message("You have exceeded a secondary rate limit. Please wait a few minutes before you try again.")
	primary := headers{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "946684845"} // 45 s after the start
	return []namedFault{
		{"500", true, fault{Status: 500}},
		{"502 with HTML", true, fault{Status: 502, Headers: page, Body: html}},
		{"503", true, fault{Status: 503}},
		{"503 with Retry-After", true, fault{Status: 503, Headers: headers{"Retry-After": "7"}}},
		{"429", true, fault{Status: 429}},
		{"429 with Retry-After", true, fault{Status: 429, Headers: headers{"Retry-After": "3"}}},
		{"429 with Retry-After of 0", true, fault{Status: 429, Headers: headers{"Retry-After": "0"}}},
		{"secondary limit", true, fault{Status: 403, Body: secondary}},
		{"secondary limit with Retry-After", true, fault{Status: 403, Headers: headers{"Retry-After": "5"}, Body: secondary}},
		{"primary limit", true, fault{Status: 403, Headers: primary, Body: message("API rate limit exceeded for user ID 1.")}},
		{"dropped before", true, fault{Drop: "before"}},
		{"dropped after", true, fault{Drop: "after"}},
		{"502 after it was applied", true, fault{Status: 502, Headers: page, Body: html, Applied: true}},
		{"503 after it was applied", true, fault{Status: 503, Applied: true}},
		{"504 after it was applied", true, fault{Status: 504, Applied: true}},
		{"cut", true, fault{Cut: true}},
		{"hangs before", true, fault{Hang: "before"}},
		{"hangs after", true, fault{Hang: "after"}},
		{"502, applied later", true, fault{Status: 502, Headers: page, Body: html, StoreAfter: seconds(4)}},
		{"504, applied later", true, fault{Status: 504, StoreAfter: seconds(9)}},
		{"dropped, applied later", true, fault{Drop: "before", StoreAfter: seconds(3)}},
		{"hangs, applied later", true, fault{Hang: "before", StoreAfter: seconds(8)}},
		{"key rotated", true, fault{RotateKey: true}},
		{"200 with an empty object", false, fault{Status: 200, Body: "{}"}},
		{"200 with HTML", false, fault{Status: 200, Headers: page, Body: html}},
		{"200 after it was applied", false, fault{Status: 200, Body: notAPI, Applied: true}},
		{"201 with HTML", false, fault{Status: 201, Headers: page, Body: html}},
		{"201 with HTML after it was applied", false, fault{Status: 201, Headers: page, Body: html, Applied: true}},
		{"202", false, fault{Status: 202, Body: notAPI}},
		{"301", false, fault{Status: 301, Headers: headers{"Location": "/orgs/moved"}}},
		{"401", false, fault{Status: 401, Body: message("Bad credentials")}},
		{"403", false, fault{Status: 403, Body: message("Resource not accessible by personal access token")}},
		{"403 of a proxy", false, fault{Status: 403, Headers: headers{requestIDHeader: ""}, Body: html}},
		{"404 of a proxy", false, fault{Status: 404, Headers: headers{requestIDHeader: ""}, Body: html}},
		{"404", false, fault{Status: 404, Body: message("Not Found")}},
		{"409", false, fault{Status: 409, Body: message("Conflict")}},
		{"422", false, fault{Status: 422, Body: message("Validation Failed")}},
	}
}()

var trialRepositories = []fakegithub.Repository{{ID: 1, Name: "web"}, {ID: 2, Name: "api", Private: true}, {ID: 3, Name: "site"}}

// trialSettings are the runs into which faults are injected, each of one secret.
func trialSettings() []trial {
	existing := fakegithub.Secret{
		Store: "actions", Name: "TOKEN", Value: "old", Visibility: "selected", Repositories: []string{"api", "web"},
	}
	make := func(about string, with map[string]string, secrets ...fakegithub.Secret) trial {
		all := map[string]string{"secret_name": "TOKEN", "token": "ghp_trial-token", "timeout": trialTimeout.String()}
		values := map[string]string{"TOKEN": "Correct-Horse-Battery"}
		if with["mode"] == "access" {
			values = nil
		} else {
			all["secret_value"] = values["TOKEN"]
		}
		maps.Copy(all, with)
		return trial{
			about: about, with: all, stores: []string{"actions"}, values: values,
			world: fakegithub.World{Orgs: []fakegithub.Org{{
				Login: "acme", Repositories: slices.Clone(trialRepositories), Secrets: secrets,
			}}},
		}
	}
	return []trial{
		make("a secret that keeps its access", nil, existing),
		make("a new secret", nil),
		make("a new secret that is private", map[string]string{"visibility": "private"}),
		make("a secret that becomes private", map[string]string{"visibility": "private"}, existing),
		make("a secret with named repositories", map[string]string{"selected_repositories": "site"}, existing),
		make("adding a repository", map[string]string{"mode": "access", "change": "add", "selected_repositories": "site"}, existing),
		make("removing a repository", map[string]string{"mode": "access", "change": "remove", "selected_repositories": "web"}, existing),
		make("mode access", map[string]string{"mode": "access", "selected_repositories": "site"}, existing),
	}
}

// withFaults returns the trial with faults, and with reads that lag.
func (tr trial) withFaults(faults ...fakegithub.Fault) trial {
	tr.world.Orgs = slices.Clone(tr.world.Orgs)
	tr.world.Orgs[0].Repositories = slices.Clone(trialRepositories)
	tr.world.Faults = faults
	tr.world.Lag = fakegithub.Duration(5 * time.Second)
	return tr
}

// TestFaultAtEachRequest injects each fault at each request of each kind of run.
func TestFaultAtEachRequest(t *testing.T) { faultAtEachRequest(t, allFaults...) }

// TestEndlessFault makes each request get a body that never ends. A run reads as much of it
// as a response may have, which takes long with the race detector.
func TestEndlessFault(t *testing.T) {
	faultAtEachRequest(t, namedFault{"an endless body", false, fakegithub.Fault{Endless: true}})
}

func faultAtEachRequest(t *testing.T, faults ...namedFault) {
	t.Helper()
	var runs atomic.Int64
	for _, setting := range trialSettings() {
		t.Run(setting.about, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			steady := setting.withFaults().run(t, dir)
			steady.report(t)
			for place := range len(steady.requests) {
				for _, f := range faults {
					tr := setting
					tr.about = fmt.Sprintf("%s, %s at request %d", setting.about, f.name, place+1)
					tr.mustSucceed = f.transient
					f.After = place
					tr.withFaults(f.Fault).run(t, dir).report(t)
					runs.Add(1)
				}
			}
		})
	}
	t.Cleanup(func() { t.Logf("%d runs with one fault", runs.Load()) })
}

// TestFaultSequences injects every sequence of two faults at the write of one kind of
// run each, in turn. With -faults 3 these are the sequences of three, and those of two
// are injected in each kind. Where a run ends before the last fault of a sequence,
// others in its place would change nothing, and are left out:
//
//	go test ./internal/action -run TestFaultSequences -faults 3
func TestFaultSequences(t *testing.T) {
	settings := trialSettings()
	var runs atomic.Int64
	for kind, setting := range settings {
		t.Run(setting.about, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			var extend func(sequence []namedFault, turn int)
			extend = func(sequence []namedFault, turn int) {
				isLast := len(sequence)+1 == *sequenceLength
				for i, f := range allFaults {
					if t.Failed() || isLast && (turn+i)%len(settings) != kind {
						continue
					}
					longer := append(slices.Clip(sequence), f)
					if len(longer) > 1 { // TestFaultAtEachRequest injects each fault alone
						runs.Add(1)
						if !setting.runSequence(t, dir, longer) {
							return
						}
					}
					if !isLast {
						extend(longer, turn+i)
					}
				}
			}
			extend(nil, 0)
		})
	}
	t.Cleanup(func() { t.Logf("%d sequences of up to %d faults", runs.Load(), *sequenceLength) })
}

// runSequence runs a trial with faults at its writes. It reports whether the last of
// them was reached.
func (tr trial) runSequence(t *testing.T, dir string, sequence []namedFault) bool {
	t.Helper()
	var names []string
	var faults []fakegithub.Fault
	tr.mustSucceed = true
	for _, f := range sequence {
		f.Method = "PUT"
		if tr.with["change"] == "remove" {
			f.Method = "DELETE"
		}
		names, faults = append(names, f.name), append(faults, f.Fault)
		tr.mustSucceed = tr.mustSucceed && f.transient
	}
	tr.about += ": " + strings.Join(names, ", then ")
	r := tr.withFaults(faults...).run(t, dir)
	r.report(t)
	met := slices.DeleteFunc(r.requests, func(q fakegithub.Request) bool { return q.Fault == nil })
	return len(met) == len(sequence)
}
