package action

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/memnet"
	"set-org-secret/internal/secret"
)

// batch returns n secrets of size bytes each, as a JSON object and as a map.
func batch(t testing.TB, n, size int) (text string, values map[string]string) {
	t.Helper()
	values = map[string]string{}
	for i := range n {
		name := fmt.Sprintf("ROTATED_%04d", i+1)
		values[name] = strings.Repeat(fmt.Sprintf("value-%04d-", i+1), size/11+1)[:size]
	}
	b, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), values
}

// runBatch runs a batch from a file in simulated time.
func runBatch(t *testing.T, server *fakegithub.Server, text string, with map[string]string) result {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "rotated.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"secrets_file": "rotated.json"}
	maps.Copy(all, with)
	return stepRun{with: all, dir: dir}.simulate(t, server)
}

// wantStored checks that GitHub has exactly these values.
func wantStored(t *testing.T, server *fakegithub.Server, values map[string]string) {
	t.Helper()
	stored := server.Secrets()
	wantEqual(t, "secrets stored", len(stored), len(values))
	for _, s := range stored {
		if s.Value != values[s.Name] {
			t.Fatalf("%s: got %q, want %q", s.Name, s.Value, values[s.Name])
		}
	}
}

// TestThousandSecrets stores 1,000 secrets of 1 KB on a fake that refuses the
// 81st write of any 60 seconds.
func TestThousandSecrets(t *testing.T) {
	text, values := batch(t, 1000, 1000)
	server := newGitHub(t, fakegithub.World{MaxWritesPerMinute: 80, ForgetBodies: true})
	r := runBatch(t, server, text, map[string]string{"visibility": "private"})
	r.wantCode(t, 0)
	t.Run("stored", func(t *testing.T) {
		wantStored(t, server, values)
		requests := server.Requests()
		wantEqual(t, "requests: one for the key, and one write each", len(requests), 1+len(values))
		for _, request := range requests {
			if request.Status > 204 {
				t.Fatalf("%s %s: got status %d, want at most 204", request.Method, request.Path, request.Status)
			}
		}
		wantAtMost(t, "concurrent writes", server.MaxConcurrentWrites(), 4)
		// 1,000 writes at 80 a minute: twelve full minutes, and the 40 of the last.
		const least = 12 * time.Minute
		if r.took < least {
			t.Errorf("took %v, want at least %v", r.took, least)
		}
		wantAtMost(t, "took", r.took, least+5*time.Second)
	})
	t.Run("logged", func(t *testing.T) {
		progress, waits := 0, 0
		for _, line := range r.log().Lines {
			if strings.Contains(line, "of 1,000 done, 80 a minute, about ") {
				progress++
			}
			if line == "  write limit reached: 80 in the last minute; next write in 1 min" {
				waits++
			}
		}
		wantEqual(t, "lines about the write rate limit, one for each of the twelve waits", waits, 12)
		if progress < 10 || progress > 60 {
			t.Errorf("%d lines of progress in 12 minutes, want 10 to 60", progress)
		}
		rows := r.rows(t)
		wantEqual(t, "rows", len(rows), 1000)
		wantEqual[any](t, "the first row", rows[0]["secret_name"], "ROTATED_0001")
		wantEqual[any](t, "the last row", rows[len(rows)-1]["secret_name"], "ROTATED_1000")
		r.wantWithinLimits(t)
	})
}

// TestConcurrentWrites checks that 60 secrets at 40 ms a response take little
// longer than one key fetch and 15 rounds of four writes.
func TestConcurrentWrites(t *testing.T) {
	text, _ := batch(t, 60, 64)
	server := newGitHub(t, fakegithub.World{
		MaxWritesPerMinute: 80,
		Faults:             []fakegithub.Fault{{Times: -1, Delay: fakegithub.Duration(40 * time.Millisecond)}},
	})
	r := runBatch(t, server, text, map[string]string{"visibility": "private"})
	const ideal = 16 * 40 * time.Millisecond
	r.wantCode(t, 0)
	wantAtMost(t, "connections for four concurrent writes", r.dials, 4)
	wantEqual(t, "requests", len(server.Requests()), 61)
	wantAtMost(t, "took", r.took, ideal*3/2)
}

// TestKeyRotatedMidBatch rotates the key while four writes are under way: at most
// those are refused, and what was not sent yet is sealed to the new key first.
func TestKeyRotatedMidBatch(t *testing.T) {
	text, values := batch(t, 20, 64)
	server := newGitHub(t, fakegithub.World{Faults: []fakegithub.Fault{
		{Method: "PUT", After: 8, RotateKey: true, Delay: fakegithub.Duration(40 * time.Millisecond)},
		{Times: -1, Delay: fakegithub.Duration(40 * time.Millisecond)},
	}})
	r := runBatch(t, server, text, map[string]string{"visibility": "private"})
	r.wantCode(t, 0)
	wantStored(t, server, values)
	wantAtMost(t, "writes", countWrites(server), 24)
	wantEqual(t, "requests but for writes: the key, twice", len(server.Requests())-countWrites(server), 2)
	wantEqual(t, "lines about it in the log", strings.Count(r.logText(), "GitHub rotated the public key"), 1)
}

// TestHugeFailure has 1,000 rows that all fail, each with a sealed value. The
// outputs and the summary stay within GitHub's limits, rows have their sealed
// value in input order as long as it fits, and the others are named.
func TestHugeFailure(t *testing.T) {
	text, _ := batch(t, 1000, 1000)
	server := newGitHub(t, fakegithub.World{Faults: []fakegithub.Fault{{Method: "PUT", Status: 403, Times: -1}}})
	r := runBatch(t, server, text, map[string]string{"visibility": "private"})
	r.wantCode(t, 1)
	r.wantWithinLimits(t)
	inOutputs := 0
	rows := r.rows(t)
	wantEqual(t, "rows", len(rows), 1000)
	for i, row := range rows {
		if row["encrypted_value"] == nil {
			continue
		}
		if inOutputs++; inOutputs != i+1 {
			t.Fatalf("row %d has its value, and one before it does not", i+1)
		}
	}
	if inOutputs < 200 || inOutputs == 1000 {
		t.Fatalf("%d of %d rows have their value, want 200 or more but not all", inOutputs, len(rows))
	}
	lost := 0
	for _, row := range rows[inOutputs:] {
		name := row["secret_name"].(string)
		want := "  " + name + ": not in the outputs. Saved, sealed, in the job summary.\n"
		if !strings.Contains(r.summary, "/secrets/"+name+" --input") {
			want = "  " + name + ": not in the outputs. The value is not saved.\n"
			lost++
		}
		if !strings.Contains(r.stdout, want) {
			t.Fatalf("the log lacks %q", want)
		}
	}
	// The summary has what the outputs lack before what they have already.
	if lost == 0 || lost > 350 {
		t.Errorf("%d sealed values are not saved anywhere, want 1 to 350", lost)
	}
	// A warning, and one failure for each place where sealed values are.
	wantEqual(t, "annotations", len(r.log().Annotations), 4)
	r.wantAnnotation(t, leftOut+secret.Count(1000-inOutputs, "sealed value"))
	steps := r.logText()
	wantContains(t, "the log", steps, "pass the output `results` to `sealed` in a later job of this run. Do not rotate again.",
		"run the script in the job summary. Do not rotate again.", "Keep the old credential active: this run did not store the new one.")
	commands := 1000 - inOutputs - lost
	wantEqual(t, "commands of the summary's script", strings.Count(r.summary, "gh api --silent --method PUT"), commands)
}

// leftOut is the warning that rows or values are not in the outputs.
const (
	leftOut    = "the outputs are limited to 1 MB and leave out "
	leftOutEnd = "; the log has every name. Name fewer secrets or stores in one run. " +
		"The input sealed takes only rows that have an encrypted_value."
)

// wantAnnotation checks that exactly one annotation starts with a text, and returns
// its message.
func (r result) wantAnnotation(t *testing.T, text string) string {
	t.Helper()
	var found []string
	for _, annotation := range r.log().Annotations {
		if strings.HasPrefix(annotation.Message, text) {
			found = append(found, annotation.Message)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d annotations start with %q, want 1: %q", len(found), text, found)
	}
	return found[0]
}

const allStores = "actions, dependabot, codespaces, agents"

// TestHugeCheck checks 1,000 names in four stores, a tenth of them due. All rows
// that are due are in the outputs, and of the others those that fit, from the first.
func TestHugeCheck(t *testing.T) {
	var server *fakegithub.Server
	var names []string
	synctest.Test(t, func(t *testing.T) {
		org := fakegithub.Org{Login: "acme"}
		for i := range 1000 {
			updated := time.Now()
			if i%10 == 9 {
				updated = updated.AddDate(0, 0, -40)
			}
			names = append(names, fmt.Sprintf("CHECKED_%04d", i+1))
			for store := range strings.SplitSeq(allStores, ", ") {
				org.Secrets = append(org.Secrets, fakegithub.Secret{
					Store: store, Name: names[i], Visibility: "private", UpdatedAt: updated,
				})
			}
		}
		server = newGitHub(t, fakegithub.World{Orgs: []fakegithub.Org{org}})
	})
	r := stepRun{with: map[string]string{
		"mode": "check", "stores": allStores, "secret_name": strings.Join(names, ","), "max_age": "30d",
	}}.simulate(t, server)
	r.wantCode(t, 0)
	r.wantWithinLimits(t)
	rows := r.rows(t)
	due, lastNotDue := 0, ""
	for i, row := range rows {
		name := row["secret_name"].(string)
		if i > 0 && name < rows[i-1]["secret_name"].(string) {
			t.Fatalf("%s comes after %s, want input order", name, rows[i-1]["secret_name"])
		}
		if row["due"] == true {
			due++
		} else {
			lastNotDue = name
		}
	}
	wantEqual(t, "rows that are due", due, 400)
	// Of the first k secrets a tenth is due, so nine tenths of them have four rows that are not due.
	wantEqual(t, "the last row that is not due", lastNotDue, names[(len(rows)-due-1)/4*10/9])
	if len(rows) < 2000 || len(rows) == 4000 {
		t.Errorf("%d rows are in the outputs, want 2,000 or more but not all", len(rows))
	}
	wantEqual(t, "the warning", r.wantAnnotation(t, leftOut),
		leftOut+secret.Count(4000-len(rows), "row")+" with 0 sealed values"+leftOutEnd)
	wantEqual(t, "annotations", len(r.log().Annotations), 10)
	wantContains(t, "the log", r.logText(), "Warning: 392 more due secrets; see the log and the job summary")
	wantEqual(t, "rows of the summary's table", strings.Count(r.summary, "\n<tr><td><code>CHECKED_"), 3600)
	wantEqual(t, "rows that are due", strings.Count(r.summary, "\n<tr><td>🔴 <code>CHECKED_"), 400)
}

// TestHugeBatch stores 1,000 secrets in four stores, two of which refuse. Rows that
// are done make room for those that are not, which keep their sealed values.
func TestHugeBatch(t *testing.T) {
	text, _ := batch(t, 1000, 64)
	server := newGitHub(t, fakegithub.World{Faults: []fakegithub.Fault{
		{Method: "PUT", Path: "/dependabot/secrets/*", Status: 403, Times: -1},
		{Method: "PUT", Path: "/agents/secrets/*", Status: 403, Times: -1},
	}})
	r := runBatch(t, server, text, map[string]string{"visibility": "private", "stores": allStores})
	r.wantCode(t, 1)
	r.wantWithinLimits(t)
	rows := r.rows(t)
	for i, row := range rows {
		if row["encrypted_value"] == nil {
			t.Fatalf("row %d has no sealed value: %v", i+1, row)
		}
		// Two rows of a secret each, from the first secret on.
		if want := fmt.Sprintf("ROTATED_%04d", i/2+1); row["secret_name"] != want {
			t.Fatalf("row %d is of %v, want %s", i+1, row["secret_name"], want)
		}
	}
	if len(rows) < 1000 || len(rows) == 2000 {
		t.Fatalf("%d rows are in the outputs, want 1,000 or more of the 2,000 that failed, but not all", len(rows))
	}
	left := 2000 - len(rows)
	wantEqual(t, "the warning", r.wantAnnotation(t, leftOut),
		fmt.Sprintf("%s2,%03d rows with %s%s", leftOut, left, secret.Count(left, "sealed value"), leftOutEnd))
	// The summary has the sealed values that the outputs do not have.
	wantEqual(t, "values named in the log",
		strings.Count(r.logText(), ": not in the outputs. Saved, sealed, in the job summary."), left)
	for i := len(rows)/2 + 1; i < 1000; i++ {
		for _, store := range []string{"dependabot", "agents"} {
			wantContains(t, "the summary", r.summary, fmt.Sprintf(" orgs/acme/%s/secrets/ROTATED_%04d --input", store, i+1))
		}
	}
}

// TestHugeRefusal refuses a batch for a problem in each of its 20,000 lines. The log
// and the summary have the first problems and count the others.
func TestHugeRefusal(t *testing.T) {
	var lines strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&lines, "%05d=value-%05d\n", i+1, i+1) // no legal name
	}
	server := newGitHub(t, fakegithub.World{})
	r := runBatch(t, server, lines.String(), nil)
	r.wantCode(t, 1)
	wantEqual(t, "requests", len(server.Requests()), 0)
	r.wantWithinLimits(t)
	wantEqual(t, "problems in the summary", strings.Count(r.summary, "\n<li>secrets_file: line "), 100)
	wantContains(t, "the summary", r.summary, "\n<li>and 19,900 more problems</li>\n")
	message := r.wantAnnotation(t, "20,000 problems in the inputs; nothing was sent to GitHub\n  What to do: ")
	listed := strings.Count(message, "\n  secrets_file: line ")
	if listed < 10 || listed > 100 {
		t.Errorf("the annotation lists %d problems, want 10 to 100", listed)
	}
}

// TestTwoHundredRows checks that a long table is folded, complete, and comes
// after the failures.
func TestTwoHundredRows(t *testing.T) {
	text, _ := batch(t, 100, 64)
	server := newGitHub(t, fakegithub.World{
		Faults: []fakegithub.Fault{{Method: "PUT", Path: "/dependabot/secrets/ROTATED_0050", Status: 422, Times: -1}},
	})
	r := runBatch(t, server, text, map[string]string{"visibility": "private", "stores": "actions, dependabot"})
	r.wantCode(t, 1)
	wantEqual(t, "operation", r.outputs["operation"], "failed")
	rest := r.summary
	for _, want := range []string{
		"<h3>❌ acme: 199 of 200 secrets stored, 1 failed</h3>\n",
		"❌ <b><code>ROTATED_<wbr>0050 <wbr>in <wbr>dependabot</code></b>: ",
		"<details><summary>✅ 199 secrets stored</summary>",
		"<tr><td><code>ROTATED_<wbr>0001 <wbr>in <wbr>actions</code></td>",
	} {
		_, after, ok := strings.Cut(rest, want)
		if !ok {
			t.Fatalf("the summary lacks %q, or has it too early:\n%.2000s", want, r.summary)
		}
		rest = after
	}
	if !strings.HasPrefix(r.summary, "<h3>") {
		t.Errorf("the summary begins with %.20q, want a heading", r.summary)
	}
	wantEqual(t, "rows of the summary's table", strings.Count(r.summary, "\n<tr><td>"), 199)
}

// TestCheckThousand checks every secret of a store of 1,000: the first page, then
// the others concurrently.
func TestCheckThousand(t *testing.T) {
	var server *fakegithub.Server
	var r result
	synctest.Test(t, func(t *testing.T) {
		server = newGitHub(t, fakegithub.World{
			Orgs:   []fakegithub.Org{{Login: "acme", SecretCount: 1000}},
			Faults: []fakegithub.Fault{{Times: -1, Delay: fakegithub.Duration(40 * time.Millisecond)}},
		})
		network := memnet.Serve(server)
		defer network.Close()
		time.Sleep(2 * time.Second) // so that the secrets are older than max_age
		with := map[string]string{"mode": "check", "secret_name": "*", "max_age": "1s"}
		r = stepRun{with: with, dir: t.TempDir(), dial: network.Dial}.run(t.Context(), t)
	})
	r.wantCode(t, 0)
	wantEqual(t, "due", r.outputs["due"], "true")
	wantEqual(t, "exists", r.outputs["exists"], "true")
	wantEqual(t, "rows", len(r.rows(t)), 1000)
	wantEqual(t, "requests: 10 pages and a key", len(server.Requests()), 11)
	wantAtMost(t, "took", r.took, 4*40*time.Millisecond)
	annotations := r.log().Annotations
	wantEqual(t, "annotations", len(annotations), 10)
	wantEqual(t, "the last annotation", annotations[len(annotations)-1].Message,
		"991 more due secrets; see the log and the job summary")
	wantEqual(t, "rows that are due and not folded", strings.Count(r.summary, "\n<tr><td>🔴 <code>S"), 1000)
	r.wantWithinLimits(t)
}

// TestSealTooMany checks that a run fails if not all sealed values fit in the
// outputs, and names those that do not: they are saved nowhere else.
func TestSealTooMany(t *testing.T) {
	text, _ := batch(t, 400, 1000)
	r := runBatch(t, newGitHub(t, fakegithub.World{}), text, map[string]string{"mode": "seal"})
	r.wantCode(t, 1)
	inOutputs := r.countRows(`"encrypted_value"`)
	if inOutputs < 200 || inOutputs == 400 {
		t.Fatalf("%d values are in the outputs, want 200 to 399", inOutputs)
	}
	log := r.logText()
	wantEqual(t, "operation", r.outputs["operation"], "failed")
	wantEqual(t, "values named in the log",
		strings.Count(log, ": not in the outputs. The value is not saved."), 400-inOutputs)
	wantContains(t, "the log", log, "Seal fewer secrets in one run, ", leftOut+secret.Count(400-inOutputs, "sealed value"))
}

// TestDelimiter checks that what ends a value in GITHUB_OUTPUT cannot be guessed.
func TestDelimiter(t *testing.T) {
	server := newGitHub(t, fakegithub.World{})
	id, key := server.Key("acme", "actions")
	with := map[string]string{
		"mode": "seal", "token": "", "key_id": id, "public_key": key, "secret_value": "Correct-Horse",
	}
	seen := map[string]bool{}
	for range 3 {
		r := stepRun{with: with}.run(t.Context(), t)
		first, _, _ := strings.Cut(r.raw, "\n")
		_, delimiter, _ := strings.Cut(first, "<<")
		if len(delimiter) < 32 {
			t.Errorf("the delimiter %q has %d bytes, want 32 or more", delimiter, len(delimiter))
		}
		if seen[delimiter] {
			t.Errorf("the delimiter %q is used again, want a new one", delimiter)
		}
		seen[delimiter] = true
	}
}

// TestNoRandomBytes checks that a run without random bytes sends nothing, and
// reports that in its outputs too.
func TestNoRandomBytes(t *testing.T) {
	server := newGitHub(t, fakegithub.World{})
	with := map[string]string{"secret_name": "DB_PASSWORD", "secret_value": "Correct-Horse"}
	r := stepRun{with: with, rand: iotest.ErrReader(errors.New("no entropy"))}.simulate(t, server)
	r.wantCode(t, 1)
	wantEqual(t, "requests", len(server.Requests()), 0)
	wantEqual(t, "operation", r.outputs["operation"], "failed")
	wantEqual(t, "results", r.outputs["results"], "[]")
	wantContains(t, "the log", r.logText(), "1 problem with the runner; nothing was sent to GitHub", "cannot read random bytes: no entropy")
}

// TestRateLimitMidBatch meets the hourly limit at the 140th write. What is stored
// stays stored, the rest fails immediately with the time to run again, and the
// results of the run finish the batch without the plaintext.
func TestRateLimitMidBatch(t *testing.T) {
	text, values := batch(t, 200, 64)
	var server *fakegithub.Server
	var first, second result
	synctest.Test(t, func(t *testing.T) {
		// The refusal comes immediately and everything else takes time, so that no
		// write can begin before the refusal is read.
		server = newGitHub(t, fakegithub.World{MaxWritesPerMinute: 80, Faults: []fakegithub.Fault{{
			Method: "PUT", After: 139, Times: 1, Status: 403,
			Body: `{"message": "API rate limit exceeded for installation ID 1."}`,
			Headers: map[string]string{
				"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": fmt.Sprint(time.Now().Add(40 * time.Minute).Unix()),
			},
		}, {
			Times: -1, Delay: fakegithub.Duration(40 * time.Millisecond),
		}}})
		network := memnet.Serve(server)
		defer network.Close()
		run := func(with map[string]string) result {
			with["visibility"] = "private"
			return stepRun{with: with, dir: t.TempDir(), dial: network.Dial}.run(t.Context(), t)
		}
		first = run(map[string]string{"secrets": text})
		names := ""
		for name := range values {
			names += name + ","
		}
		time.Sleep(40 * time.Minute)
		second = run(map[string]string{"sealed": first.outputs["results"], "secret_name": names})
	})
	first.wantCode(t, 1)
	wantAtMost(t, "the first run took", first.took, 2*time.Minute)
	wantContains(t, "the log", first.logText(),
		"GitHub requires a wait that is longer than timeout.", "What to do: Wait until 2000-01-01 00:40:01 UTC. Then run the script")
	// The 139 before the refused write, and the three that were under way with it.
	if stored := first.countRows(`"operation":"created"`); stored < 139 || stored > 142 {
		t.Errorf("%d rows are stored, want 139 to 142", stored)
	}
	second.wantCode(t, 0)
	wantEqual(t, "rows stored by both runs", second.countRows(`"operation":"created"`), 200)
	wantEqual(t, "writes: 200 and one refusal", countWrites(server), 201)
	wantStored(t, server, values)
	wantLacks(t, "the second run", second.stdout+second.raw+second.summary, "value-0001")
}

func countWrites(server *fakegithub.Server) (n int) {
	for _, r := range server.Requests() {
		if r.Method == "PUT" {
			n++
		}
	}
	return n
}

// TestSignalInRateLimit ends a run while it waits for the write rate limit, with
// correct rows.
func TestSignalInRateLimit(t *testing.T) {
	text, _ := batch(t, 100, 64)
	server := newGitHub(t, fakegithub.World{MaxWritesPerMinute: 80})
	var r result
	synctest.Test(t, func(t *testing.T) {
		network := memnet.Serve(server)
		defer network.Close()
		ctx, cancel := context.WithCancel(t.Context())
		defer time.AfterFunc(10*time.Second, cancel).Stop()
		with := map[string]string{"secrets": text, "visibility": "private"}
		r = stepRun{with: with, dir: t.TempDir(), dial: network.Dial}.run(ctx, t)
	})
	r.wantCode(t, 1)
	wantAtMost(t, "took", r.took, 15*time.Second)
	wantEqual(t, "rows that are stored", r.countRows(`"operation":"created"`), 80)
	wantEqual(t, "rows with a sealed value", r.countRows(`"encrypted_value"`), 20)
	wantEqual(t, "secrets stored", len(server.Secrets()), 80)
}
