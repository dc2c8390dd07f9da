package action

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"set-org-secret/internal/fakegithub"
)

// rowFacts is a row of the output results beside what GitHub did with its writes.
type rowFacts struct {
	*ran
	row       trialRow
	path      string               // of the row's write
	writes    []fakegithub.Request // to that path
	applied   []fakegithub.Request // those of them that took effect
	confirmed bool                 // a write was answered with 201 or 204
	unproven  bool                 // a response, or none, does not prove that GitHub refused the write
}

// rowRules are what must be true of a row.
var rowRules = []struct {
	name   string
	isTrue func(rowFacts) bool
}{
	{"the operation is one that a trial can have", func(f rowFacts) bool {
		return f.row.isDone() || f.row.Operation == "failed" || f.row.Operation == "unknown"
	}},
	{"created and updated are confirmed", doneIsConfirmed},
	{"the key is that of the last write", func(f rowFacts) bool {
		return !f.storesValue() || f.row.KeyID == f.last().KeyID
	}},
	{"the visibility is that of the last write", func(f rowFacts) bool {
		return !f.storesValue() || f.row.Visibility == f.last().Visibility
	}},
	{"created says that the first write created the secret", createdAtFirst},
	{"GitHub has the value", valueIsStored},
	{"unchanged sends no write", func(f rowFacts) bool { return f.row.Operation != "unchanged" || len(f.writes) == 0 }},
	{"failed has no effect", func(f rowFacts) bool {
		return f.row.Operation != "failed" || len(f.applied) == 0 || f.isGone(f.path) || f.isDenied(f.path)
	}},
	{"unknown has an attempt that may have taken effect", func(f rowFacts) bool {
		return f.row.Operation != "unknown" || f.unproven
	}},
	{"unknown is settled by no read", unknownIsUnsettled},
	{"a done row has no sealed value", func(f rowFacts) bool { return !f.row.isDone() || f.row.EncryptedValue == "" }},
	{"a sealed value that is not stored is in the row", sealedIsSaved},
	{"a row that is not done has an error", func(f rowFacts) bool { return f.row.isDone() || f.row.Error != "" }},
	{accessRule, accessIsRight},
}

const accessRule = "each write has the access that was asked for, or else the recent one"

// checkRow checks that a row is true of what GitHub has.
func (r *ran) checkRow(row trialRow) {
	f := r.factsOf(row)
	for _, rule := range rowRules {
		if !rule.isTrue(f) {
			r.broken("%s in %s is %s, against the rule: %s", row.SecretName, row.Store, row.Operation, rule.name)
		}
	}
}

// factsOf collects what GitHub did with the writes of a row.
func (r *ran) factsOf(row trialRow) rowFacts {
	method, path := r.writeOf(row)
	f := rowFacts{ran: r, row: row, path: path}
	for _, q := range r.requests {
		if q.Method != method || q.Path != path {
			continue
		}
		f.writes = append(f.writes, q)
		if isApplied(q) {
			f.applied = append(f.applied, q)
		}
		f.confirmed = f.confirmed || q.Status == 201 || q.Status == 204
		f.unproven = f.unproven || !isRefusal(q)
	}
	return f
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

// isStored reports whether a row says that this run has stored its value.
func (f rowFacts) isStored() bool {
	return f.row.Operation == "created" || f.row.Operation == "updated"
}

// storesValue reports whether a row says so of a value, which GitHub has got: there is
// a last write to compare it with.
func (f rowFacts) storesValue() bool {
	return f.isStored() && len(f.applied) > 0 && f.with["mode"] != "access"
}

// isTouched reports whether somebody else changed the secret during the run.
func (f rowFacts) isTouched() bool {
	return slices.ContainsFunc(f.others, func(c change) bool { return secretPath(c.Store, c.Name) == f.path })
}

func doneIsConfirmed(f rowFacts) bool {
	gone := f.with["change"] == "remove" && f.readAfter(f.path) // a 404, and a list that lacks it
	return !f.isStored() || len(f.applied) > 0 && (f.confirmed || gone)
}

// last is the body of the last write that took effect.
func (f rowFacts) last() body { return bodyOf(f.applied[len(f.applied)-1]) }

func createdAtFirst(f rowFacts) bool {
	// Without a read before the first write and after the last, the status is all there is.
	looked := f.with["visibility"] != "all" && f.with["visibility"] != "private" || f.readAfter(f.path)
	if !f.storesValue() || f.isTouched() || !looked {
		return true
	}
	return (f.applied[0].Served == 201) == (f.row.Operation == "created")
}

func valueIsStored(f rowFacts) bool {
	return !f.storesValue() || f.isTouched() || slices.ContainsFunc(f.after, func(s fakegithub.Secret) bool {
		return secretPath(s.Store, s.Name) == f.path && s.Value == f.values[s.Name]
	})
}

func unknownIsUnsettled(f rowFacts) bool {
	mayBeStored := len(f.applied) > 0 || len(f.others) > 0
	return f.row.Operation != "unknown" || mayBeStored || !f.readAfter(f.path)
}

func sealedIsSaved(f rowFacts) bool {
	isSealed := f.row.KeyID != "" && f.with["mode"] != "access"
	return f.row.isDone() || !isSealed || f.row.EncryptedValue != ""
}

// accessIsRight checks that each write had the access that was asked for, or, where
// none was, the one that the secret had within the minute before, or that the row says
// that it did not.
func accessIsRight(f rowFacts) bool {
	if f.with["change"] != "" {
		return true
	}
	selected, visibility := f.with["selected_repositories"], f.with["visibility"]
	return !slices.ContainsFunc(f.applied, func(q fakegithub.Request) bool {
		want := []access{{visibility, ""}}
		switch {
		case selected == "none":
			want = []access{{"selected", ""}}
		case selected != "":
			want = []access{{"selected", selected}}
		case visibility != "all" && visibility != "private":
			want = f.recent(f.row, q)
			if f.row.Error != "" {
				return false
			}
		}
		return !slices.Contains(want, f.accessOfWrite(q))
	})
}

// isGone reports whether somebody deleted a secret during the run, which no read can
// tell from one that was never stored.
func (r *ran) isGone(path string) bool {
	deleted := slices.ContainsFunc(r.others, func(c change) bool {
		return secretPath(c.Store, c.Name) == path && c.Visibility == ""
	})
	exists := slices.ContainsFunc(r.after, func(s fakegithub.Secret) bool { return secretPath(s.Store, s.Name) == path })
	return deleted && !exists
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

// isApplied reports whether a write took effect.
func isApplied(q fakegithub.Request) bool { return q.Served == 201 || q.Served == 204 }

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

// recent returns the access that a secret had within the minute before a write; that
// of one that did not exist is private.
func (r *ran) recent(row trialRow, q fakegithub.Request) (list []access) {
	path := secretPath(row.Store, row.SecretName)
	history := append([]state{{}}, r.history[path]...)
	for _, own := range r.requests {
		if own.Path == path && own.Method == http.MethodPut && own.At.Before(q.At) && isApplied(own) {
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

// setting returns one of the trial settings, with faults.
func setting(t *testing.T, about string, faults ...fakegithub.Fault) trial {
	t.Helper()
	for _, tr := range trialSettings() {
		if tr.about == about {
			return tr.withFaults(faults...)
		}
	}
	t.Fatalf("there is no setting %q", about)
	return trial{}
}

// TestRowRules makes trials whose rows are true, then changes the row, or what GitHub
// did, so that it is untrue: the rule must reject it. Each rule has such a row.
func TestRowRules(t *testing.T) {
	const kept, created = "a secret that keeps its access", "a new secret"
	refused := fakegithub.Fault{Method: "PUT", Status: 403, Times: -1}
	down := fakegithub.Fault{Method: "PUT", Status: 503, Times: -1}
	page := fakegithub.Fault{
		Method: "PUT", Status: 201, Headers: map[string]string{"Content-Type": "text/html"}, Body: "<html>", Times: -1,
	}
	unchanged := setting(t, "mode access")
	unchanged.with["selected_repositories"] = "api,web"
	says := func(operation string) func(*ran) { return func(r *ran) { r.rows[0].Operation = operation } }
	asked := func(name, value string) func(*ran) { return func(r *ran) { r.with[name] = value } }
	tested, dir := map[string]bool{}, t.TempDir()
	for _, test := range []struct {
		rule  string
		trial trial
		spoil func(*ran)
	}{
		{"the operation is one that a trial can have", setting(t, kept), says("stored")},
		{"created and updated are confirmed", setting(t, kept, refused), says("updated")},
		{"created and updated are confirmed", setting(t, created, down), says("created")},
		{"created and updated are confirmed", setting(t, created, page), says("created")},
		{"created and updated are confirmed", setting(t, "mode access", refused), says("updated")},
		{"created and updated are confirmed", setting(t, "removing a repository"), func(r *ran) {
			r.requests[len(r.requests)-1].Status = 502
		}},
		{"the key is that of the last write", setting(t, kept), func(r *ran) { r.rows[0].KeyID = "1" }},
		{"the visibility is that of the last write", setting(t, kept), func(r *ran) { r.rows[0].Visibility = "all" }},
		{"created says that the first write created the secret", setting(t, kept), says("created")},
		{"created says that the first write created the secret", setting(t, created), says("updated")},
		{"GitHub has the value", setting(t, kept), func(r *ran) { r.after[0].Value = "old" }},
		{"GitHub has the value", setting(t, created), func(r *ran) { r.after = nil }},
		{"unchanged sends no write", setting(t, "mode access"), says("unchanged")},
		{"unchanged sends no write", unchanged, func(r *ran) {
			path := secretPath("actions", "TOKEN") + "/repositories"
			r.requests = append(r.requests, fakegithub.Request{Method: "PUT", Path: path, Status: 409})
		}},
		{"failed has no effect", setting(t, kept), says("failed")},
		{"failed has no effect", setting(t, "adding a repository"), says("failed")},
		{"unknown has an attempt that may have taken effect", setting(t, kept, refused), says("unknown")},
		{"unknown is settled by no read", setting(t, kept, down), says("unknown")},
		{"a done row has no sealed value", setting(t, kept), func(r *ran) { r.rows[0].EncryptedValue = "AAAA" }},
		{"a sealed value that is not stored is in the row", setting(t, kept, refused), func(r *ran) {
			r.rows[0].EncryptedValue = ""
		}},
		{"a row that is not done has an error", setting(t, kept, refused), func(r *ran) { r.rows[0].Error = "" }},
		{accessRule, setting(t, kept), func(r *ran) { clear(r.history) }},
		{accessRule, setting(t, kept), asked("visibility", "all")},
		{accessRule, setting(t, "a secret that becomes private"), asked("visibility", "all")},
		{accessRule, setting(t, "a secret with named repositories"), asked("selected_repositories", "web")},
		{accessRule, setting(t, "a secret with named repositories"), asked("selected_repositories", "none")},
		{accessRule, setting(t, "mode access"), asked("selected_repositories", "web")},
	} {
		r := test.trial.run(t, dir)
		if len(r.problems) > 0 || len(r.rows) != 1 {
			t.Fatalf("%s: got %d rows and %q, want one that is true", test.trial.about, len(r.rows), r.problems)
		}
		test.spoil(r)
		r.checkRow(r.rows[0])
		wantContains(t, test.trial.about+": the problems", strings.Join(r.problems, "\n")+"\n", ": "+test.rule+"\n")
		tested[test.rule] = true
	}
	for _, rule := range rowRules {
		if !tested[rule.name] {
			t.Errorf("no untrue row is rejected because %q", rule.name)
		}
	}
}
