package action

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"set-org-secret/internal/fakegithub"
)

// rowFacts is a row of the output results beside the effects of its writes at GitHub.
type rowFacts struct {
	*ran
	row       resultRow
	path      string               // of the row's write
	writes    []fakegithub.Request // to that path
	applied   []fakegithub.Request // those of them that took effect, in that order
	confirmed bool                 // GitHub itself answered a write with 201 or 204
	unproven  time.Time            // of the last write that no response proves or refutes; zero if there is none
	looked    bool                 // the last read of the secret before the first write was answered truly
	late      *fakegithub.Request  // the last read after all writes, if it was late enough to settle them; or nil
}

// rowRules must hold for each row.
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
	{lateRule, func(f rowFacts) bool {
		return f.row.Operation != "failed" || f.unproven.IsZero() || f.late != nil && isTrue(*f.late) || f.isDenied(f.path)
	}},
	{"unknown has an attempt that may have taken effect", func(f rowFacts) bool {
		return f.row.Operation != "unknown" || !f.unproven.IsZero() || f.isLost()
	}},
	{"unknown is confirmed by no response", func(f rowFacts) bool {
		return f.row.Operation != "unknown" || !slices.ContainsFunc(f.writes, func(q fakegithub.Request) bool {
			return isConfirmation(q) && !isUnproven(q)
		})
	}},
	{"unknown was read late, unless a signal ended the run", func(f rowFacts) bool {
		return f.row.Operation != "unknown" || f.late != nil || f.wasSignalled()
	}},
	{"unknown is settled by no read", func(f rowFacts) bool {
		isRead := f.late != nil && isTrue(*f.late) && !f.wasSignalled() // else it was for another row
		return f.row.Operation != "unknown" || !isRead || !f.isTold()
	}},
	{"a done row has no sealed value", func(f rowFacts) bool { return !f.row.isDone() || f.row.EncryptedValue == "" }},
	{"a sealed value that is not stored is in the row", sealedIsSaved},
	{"a row that is not done has an error", func(f rowFacts) bool { return f.row.isDone() || f.row.Error != "" }},
	{accessRule, accessIsRight},
}

const (
	accessRule = "each write has the access that was asked for, or else the recent one"
	lateRule   = "failed is proven by refusals or by a late read"
)

// checkRow checks that a row is true of the secrets at GitHub.
func (r *ran) checkRow(row resultRow) {
	f := r.factsOf(row)
	for _, rule := range rowRules {
		if !rule.isTrue(f) {
			r.broken("%s in %s is %s, against the rule: %s", row.SecretName, row.Store, row.Operation, rule.name)
		}
	}
}

// factsOf collects the effects that the writes of a row had at GitHub.
func (r *ran) factsOf(row resultRow) rowFacts {
	method, path := r.writeOf(row)
	f := rowFacts{ran: r, row: row, path: path}
	for _, q := range r.requests {
		switch {
		case q.Method == method && q.Path == path:
			f.writes, f.late = append(f.writes, q), nil
			if isApplied(q) {
				f.applied = append(f.applied, q)
			}
			f.confirmed = f.confirmed || isConfirmation(q)
			if isUnproven(q) {
				f.unproven = q.At
			}
		case !shows(q, path):
		case len(f.writes) == 0:
			f.looked = isTrue(q)
		case !q.At.Before(f.unproven.Add(settleAfter)):
			f.late = &q
		}
	}
	slices.SortStableFunc(f.applied, func(a, b fakegithub.Request) int { return a.ServedAt.Compare(b.ServedAt) })
	return f
}

var attempts = regexp.MustCompile(`, (\d+) attempts in `)

// isLost reports whether an attempt never reached the server: a connection was closed,
// by the response to another request, while it was sent.
func (f rowFacts) isLost() bool {
	m := attempts.FindStringSubmatch(f.row.Error)
	if m == nil {
		return false
	}
	n, err := strconv.Atoi(m[1])
	return err == nil && n > len(f.writes)
}

// writeOf returns the request that writes a row.
func (r *ran) writeOf(row resultRow) (method, path string) {
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
	path := secretPath(f.row.Store, f.row.SecretName)
	return slices.ContainsFunc(f.history[path], func(s state) bool { return !s.since.IsZero() })
}

// wasSignalled reports whether a signal ended the run, after which nothing is read.
func (r *ran) wasSignalled() bool { return r.signal > 0 && r.first.took >= r.signal }

// isTold reports whether a late read can only tell that nothing took effect: nobody
// else changed the secret, which is missing or was read before the first write. Without
// a Date in that response, it may have been updated in the same second.
func (f rowFacts) isTold() bool {
	shifted := slices.ContainsFunc(f.requests, func(q fakegithub.Request) bool { return q.Fault != nil && q.Fault.Remove != "" })
	isComparable := f.looked && (!f.world.NoDate || f.with["mode"] == "access")
	return len(f.applied) == 0 && !f.isTouched() && (isComparable || !f.exists(f.path)) && !shifted
}

func doneIsConfirmed(f rowFacts) bool {
	gone := f.with["change"] == "remove" && f.readAfter(f.path) // a 404, and a list that lacks it
	return !f.isStored() || len(f.applied) > 0 && (f.confirmed || gone)
}

// last is the body of the last write that took effect.
func (f rowFacts) last() body { return bodyOf(f.applied[len(f.applied)-1]) }

func createdAtFirst(f rowFacts) bool {
	// Who keeps access and was told that there is no secret learns otherwise by a 204.
	knows := f.looked || !f.givesAccess() && f.unproven.IsZero()
	if !f.storesValue() || f.isTouched() || !knows {
		return true
	}
	wasCreated := slices.ContainsFunc(f.applied, func(q fakegithub.Request) bool { return q.Served == 201 })
	return wasCreated == (f.row.Operation == "created")
}

func valueIsStored(f rowFacts) bool {
	return !f.storesValue() || f.isTouched() || slices.ContainsFunc(f.after, func(s fakegithub.Secret) bool {
		return secretPath(s.Store, s.Name) == f.path && s.Value == f.values[s.Name]
	})
}

func sealedIsSaved(f rowFacts) bool {
	isSealed := f.row.KeyID != "" && f.with["mode"] != "access"
	return f.row.isDone() || !isSealed || f.row.EncryptedValue != ""
}

// accessIsRight checks that each write had the access that was asked for, or, where
// none was, the one that the secret had within the minute before. Only a false 404 of
// the secret, after which the row must say that it was overwritten, may change it.
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
			if f.row.Error != "" && slices.ContainsFunc(f.requests, func(q fakegithub.Request) bool { return denies(q, f.path) }) {
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
	return deleted && !r.exists(path)
}

// exists reports whether a secret exists after the first run.
func (r *ran) exists(path string) bool {
	return slices.ContainsFunc(r.after, func(s fakegithub.Secret) bool {
		return strings.HasPrefix(path+"/", secretPath(s.Store, s.Name)+"/")
	})
}

// isDenied reports whether the last read of a secret was answered with a false 404.
func (r *ran) isDenied(path string) (denied bool) {
	for _, q := range r.requests {
		if q.Method == http.MethodGet && q.Path == path {
			denied = denies(q, path)
		}
	}
	return denied
}

// denies reports whether a request is a read of a secret with a false 404 that seems to
// be GitHub's.
func denies(q fakegithub.Request, path string) bool {
	isFalse := q.Fault != nil && q.Fault.Status == http.StatusNotFound && !isProxy(q)
	return q.Method == http.MethodGet && q.Path == path && isFalse
}

// isApplied reports whether a write took effect.
func isApplied(q fakegithub.Request) bool { return q.Served == 201 || q.Served == 204 }

// isConfirmation reports whether a response confirms a write, if it can be read.
func isConfirmation(q fakegithub.Request) bool {
	return isApplied(q) && q.Status == q.Served && (q.Fault == nil || q.Fault.Status == 0)
}

// isRefusal reports whether a response proves that GitHub did not apply a write.
func isRefusal(q fakegithub.Request) bool { return q.Status >= 300 && q.Status < 500 && !isProxy(q) }

// isUnproven reports whether a response, or none, proves neither. A client need not take
// a response that it cannot read for a proof.
func isUnproven(q fakegithub.Request) bool {
	return !isRefusal(q) && (!isConfirmation(q) || q.Fault != nil && (q.Fault.Cut || q.Fault.Endless))
}

// isProxy reports whether a response is not GitHub's.
func isProxy(q fakegithub.Request) bool {
	if q.Fault == nil {
		return false
	}
	_, proxy := q.Fault.Headers[requestIDHeader]
	return proxy
}

// isTrue reports whether a request was answered with GitHub's own response. That of an
// error needs no body.
func isTrue(q fakegithub.Request) bool {
	f := q.Fault
	isWhole := f == nil || !f.Cut && !f.Endless || q.Status >= 400
	return f == nil || f.Status == 0 && q.Status != 0 && isWhole && f.Headers == nil
}

// shows reports whether a request reads the secret of a path, alone or in a list.
func shows(q fakegithub.Request, path string) bool {
	list, _, _ := strings.Cut(strings.Replace(q.Path, "/organizations/9001/", "/orgs/acme/", 1), "?")
	return q.Method == http.MethodGet && strings.HasPrefix(path+"/", list+"/")
}

// readAfter reports whether the last read after the last write to a path was answered
// truly. An earlier one may be for another item.
func (r *ran) readAfter(path string) (answered bool) {
	for _, q := range r.requests {
		switch {
		case q.Path == path && q.Method != http.MethodGet:
			answered = false
		case shows(q, path):
			answered = isTrue(q)
		}
	}
	return answered
}

// recent returns the access that a secret had, or a copy that lags showed, within the
// minute before a write was sent; that of one that did not exist is private.
func (r *ran) recent(row resultRow, q fakegithub.Request) (list []access) {
	path := secretPath(row.Store, row.SecretName)
	history := append([]state{{}}, r.history[path]...)
	for _, own := range r.requests {
		if own.Path == path && own.Method == http.MethodPut && own.ServedAt.Before(q.At) && isApplied(own) {
			history = append(history, state{own.ServedAt, r.accessOfWrite(own)})
		}
	}
	slices.SortStableFunc(history, func(a, b state) int { return a.since.Compare(b.since) })
	for i, s := range history {
		until := q.At.Add(time.Nanosecond)
		if i+1 < len(history) {
			until = history[i+1].since
		}
		if s.since.After(q.At) || until.Before(q.At.Add(-time.Minute-time.Duration(r.world.Lag))) {
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
	for i := range r.world.Orgs[0].RepositoryCount {
		if slices.Contains(b.IDs, int64(10001+i)) {
			names = append(names, fmt.Sprintf("repo-%04d", i+1))
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

// untrueRow spoils the row of a trial, or the effects at GitHub, so that it breaks a rule.
type untrueRow struct {
	rule  string
	trial trial
	spoil func(*ran)
}

// untrueRows returns at least one untrue row for each rule.
func untrueRows(t *testing.T) []untrueRow {
	t.Helper()
	const kept, created = "a secret that keeps its access", "a new secret"
	const confirmed = "created and updated are confirmed"
	refused := fakegithub.Fault{Method: "PUT", Status: 403, Times: -1}
	down := fakegithub.Fault{Method: "PUT", Status: 503, Times: -1}
	hangs := fakegithub.Fault{Method: "PUT", Hang: "before", Times: -1}
	proxied := fakegithub.Fault{Method: "PUT", Status: 403, Headers: map[string]string{requestIDHeader: ""}}
	page := fakegithub.Fault{
		Method: "PUT", Status: 201, Headers: map[string]string{"Content-Type": "text/html"}, Body: "<html>", Times: -1,
	}
	appliedPage := page
	appliedPage.Applied = true
	denied := fakegithub.Fault{Method: "GET", Path: "/TOKEN", Status: 404, Times: -1}
	unchanged := setting(t, "mode access")
	unchanged.with["selected_repositories"] = "api,web"
	path := secretPath("actions", "TOKEN")
	says := func(operation string) func(*ran) { return func(r *ran) { r.rows[0].Operation = operation } }
	last := func(r *ran) *fakegithub.Request { return &r.requests[len(r.requests)-1] }
	unread := func(r *ran) { r.requests = r.requests[:len(r.requests)-1] } // the late read
	unsaved := func(r *ran) { r.rows[0].EncryptedValue = "" }
	noError := func(r *ran) { r.rows[0].Error = "" }
	faulty := func(f fakegithub.Fault) func(*ran) { return func(r *ran) { last(r).Fault = &f } }
	asked := func(name, value string) func(*ran) { return func(r *ran) { r.with[name] = value } }
	both := func(a, b func(*ran)) func(*ran) { return func(r *ran) { a(r); b(r) } }
	// changed lets somebody else have changed the access, so long after the write was sent.
	changed := func(after time.Duration, from, to access) func(*ran) {
		return func(r *ran) { r.history[path] = []state{{access: from}, {last(r).At.Add(after), to}} }
	}
	private, listed := access{"private", ""}, access{"selected", "api,web"}
	return []untrueRow{
		{"the operation is one that a trial can have", setting(t, kept), says("stored")},
		{confirmed, setting(t, kept, refused), says("updated")},
		{confirmed, setting(t, created, down), says("created")},
		{confirmed, setting(t, created, page), says("created")},
		{confirmed, setting(t, created, appliedPage), says("created")},
		{confirmed, setting(t, "mode access", refused), says("updated")},
		{confirmed, setting(t, "removing a repository"), func(r *ran) { last(r).Status = 502 }},
		{"the key is that of the last write", setting(t, kept), func(r *ran) { r.rows[0].KeyID = "1" }},
		{"the visibility is that of the last write", setting(t, kept), func(r *ran) { r.rows[0].Visibility = "all" }},
		{"created says that the first write created the secret", setting(t, kept), says("created")},
		{"created says that the first write created the secret", setting(t, created), says("updated")},
		{"GitHub has the value", setting(t, kept), func(r *ran) { r.after[0].Value = "old" }},
		{"GitHub has the value", setting(t, created), func(r *ran) { r.after = nil }},
		{"unchanged sends no write", setting(t, "mode access"), says("unchanged")},
		{"unchanged sends no write", unchanged, func(r *ran) {
			write := fakegithub.Request{Method: "PUT", Path: path + "/repositories", Status: 409}
			r.requests = append(r.requests, write)
		}},
		{"failed has no effect", setting(t, kept), says("failed")},
		{"failed has no effect", setting(t, "adding a repository"), says("failed")},
		{lateRule, setting(t, kept, hangs), unread},
		{lateRule, setting(t, kept, proxied), unread},
		{lateRule, setting(t, kept, hangs), faulty(fakegithub.Fault{Status: 200})},
		{lateRule, setting(t, created), both(says("failed"), faulty(fakegithub.Fault{Cut: true}))},
		{lateRule, setting(t, created), both(says("failed"), faulty(fakegithub.Fault{Endless: true}))},
		{lateRule, setting(t, created, down), func(r *ran) { last(r).At = last(r).At.Add(-time.Second) }},
		{"unknown has an attempt that may have taken effect", setting(t, kept, refused), says("unknown")},
		{"unknown is confirmed by no response", setting(t, kept), says("unknown")},
		{"unknown was read late, unless a signal ended the run", setting(t, kept, down), both(says("unknown"), unread)},
		{"unknown is settled by no read", setting(t, kept, down), says("unknown")},
		{"a done row has no sealed value", setting(t, kept), func(r *ran) { r.rows[0].EncryptedValue = "AAAA" }},
		{"a sealed value that is not stored is in the row", setting(t, kept, refused), unsaved},
		{"a sealed value that is not stored is in the row", setting(t, kept, down), both(says("unknown"), unsaved)},
		{"a row that is not done has an error", setting(t, kept, refused), noError},
		{accessRule, setting(t, kept), func(r *ran) { clear(r.history) }},
		{accessRule, setting(t, kept), changed(-2*time.Minute, listed, private)},
		{accessRule, setting(t, kept), changed(time.Second, private, listed)},
		{accessRule, setting(t, kept, denied), noError},
		{accessRule, setting(t, kept), asked("visibility", "all")},
		{accessRule, setting(t, "a secret that becomes private"), asked("visibility", "all")},
		{accessRule, setting(t, "a secret with named repositories"), asked("selected_repositories", "web")},
		{accessRule, setting(t, "a secret with named repositories"), asked("selected_repositories", "none")},
		{accessRule, setting(t, "mode access"), asked("selected_repositories", "web")},
	}
}

// TestRowRules makes trials whose rows are true, then changes the row, or the effects
// at GitHub, so that it is untrue: the rule must reject it. Each rule has such a row.
func TestRowRules(t *testing.T) {
	tested, dir := map[string]bool{}, t.TempDir()
	for i, test := range untrueRows(t) {
		r := test.trial.run(t, dir)
		if len(r.problems) > 0 || len(r.rows) != 1 {
			t.Fatalf("%d, %s: got %d rows and %q, want one that is true", i, test.trial.about, len(r.rows), r.problems)
		}
		test.spoil(r)
		r.checkRow(r.rows[0])
		problems := strings.Join(r.problems, "\n") + "\n"
		wantContains(t, fmt.Sprintf("%d, %s: the problems", i, test.trial.about), problems, ": "+test.rule+"\n")
		tested[test.rule] = true
	}
	for _, rule := range rowRules {
		if !tested[rule.name] {
			t.Errorf("no untrue row is rejected because %q", rule.name)
		}
	}
}
