package action

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/fakerunner"
	"set-org-secret/internal/memnet"
)

// batch is n secrets of size bytes each, as a JSON object.
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

// runBatch stores a batch in simulated time.
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

// TestThousandSecrets stores 1,000 secrets of 1 KB against a fake that refuses
// the 81st write of any 60 seconds, in simulated time.
func TestThousandSecrets(t *testing.T) {
	text, values := batch(t, 1000, 1000)
	server := newGitHub(t, fakegithub.World{MaxWritesPerMinute: 80})
	r := runBatch(t, server, text, map[string]string{"visibility": "private"})
	if r.code != 0 {
		t.Fatalf("exit code %d:\n%s", r.code, r.stdout[max(0, len(r.stdout)-2000):])
	}
	t.Run("stored", func(t *testing.T) {
		stored := server.Secrets()
		if len(stored) != len(values) {
			t.Fatalf("%d secrets are stored", len(stored))
		}
		for _, s := range stored {
			if s.Value != values[s.Name] {
				t.Fatalf("%s holds other bytes", s.Name)
			}
		}
		journal := server.Requests()
		if len(journal) != 1+len(values) {
			t.Errorf("%d requests, want one key fetch and %d writes", len(journal), len(values))
		}
		for _, request := range journal {
			if request.Status > 204 {
				t.Fatalf("%s %s: %d", request.Method, request.Path, request.Status)
			}
		}
		if n := server.MaxConcurrentWrites(); n > 4 {
			t.Errorf("%d writes at once", n)
		}
		// 1,000 writes at 80 a minute: twelve full minutes, and the 40 of the last.
		if r.took < 12*time.Minute || r.took > 12*time.Minute+5*time.Second {
			t.Errorf("took %v", r.took)
		}
	})
	t.Run("told", func(t *testing.T) {
		counts, waits := 0, 0
		for _, line := range r.log().Lines {
			if strings.Contains(line, "of 1,000 done, pace 80 a minute, about ") {
				counts++
			}
			if line == "rate limiter: 80 writes sent in the last minute; next write in 1m0s" {
				waits++
			}
		}
		// Nothing may look as if it hung: each of the twelve waits is told, once.
		if waits != 12 {
			t.Errorf("%d lines about waiting for the pace", waits)
		}
		if counts < 10 || counts > 60 {
			t.Errorf("%d lines of progress in 12 minutes", counts)
		}
		rows := r.rows(t)
		if len(rows) != 1000 || rows[0]["secret_name"] != "ROTATED_0001" || rows[999]["secret_name"] != "ROTATED_1000" {
			t.Errorf("%d rows, in another order than the input's", len(rows))
		}
		if _, err := fakerunner.New().Summary(r.summary); err != nil {
			t.Errorf("the summary has %d bytes: %v", len(r.summary), err)
		}
	})
}

// TestSixtySecrets holds how much is done side by side: 60 secrets at 40 ms a
// reply take one key fetch and 15 rounds of four writes.
func TestSixtySecrets(t *testing.T) {
	text, _ := batch(t, 60, 64)
	server := newGitHub(t, fakegithub.World{
		MaxWritesPerMinute: 80, Faults: []fakegithub.Fault{{Times: -1, Delay: fakegithub.Duration(40 * time.Millisecond)}},
	})
	r := runBatch(t, server, text, map[string]string{"visibility": "private"})
	const ideal = 16 * 40 * time.Millisecond
	if r.dials > 4 {
		t.Errorf("%d connections for four writes at once", r.dials)
	}
	if r.code != 0 || len(server.Requests()) != 61 || r.took > ideal*3/2 {
		t.Errorf("exit code %d, %d requests, %v; ideal is %v", r.code, len(server.Requests()), r.took, ideal)
	}
}

// TestHugeFailure has 1,000 rows that all fail, each with a sealed value: the
// outputs and the summary stay within GitHub's limits, rows keep their sealed
// value in input order as long as they fit, and the rest are named.
func TestHugeFailure(t *testing.T) {
	text, _ := batch(t, 1000, 1000)
	server := newGitHub(t, fakegithub.World{Faults: []fakegithub.Fault{{Method: "PUT", Status: 403, Times: -1}}})
	r := runBatch(t, server, text, map[string]string{"visibility": "private"})
	if r.code != 1 {
		t.Errorf("exit code %d", r.code)
	}
	if n := fakerunner.SizeOutputs(r.outputs); n > fakerunner.OutputSize {
		t.Errorf("outputs of %d units", n)
	}
	if _, err := fakerunner.New().Summary(r.summary); err != nil {
		t.Errorf("the summary has %d bytes: %v", len(r.summary), err)
	}
	kept := 0
	rows := r.rows(t)
	for i, row := range rows {
		if row["encrypted_value"] != nil {
			if kept++; kept != i+1 {
				t.Fatalf("row %d is kept, and one before it is not", i+1)
			}
		}
	}
	if len(rows) != 1000 || kept < 200 || kept == 1000 {
		t.Fatalf("%d of %d rows keep their value", kept, len(rows))
	}
	log := strings.Join(r.log().Lines, "\n")
	lost := 0
	for i, row := range rows {
		name := row["secret_name"].(string)
		inSummary := strings.Contains(r.summary, "/secrets/"+name+" --input")
		if i < kept {
			continue
		}
		where := "in the job summary alone"
		if !inSummary {
			where = "nowhere"
			lost++
		}
		if want := name + " in actions: its sealed value is kept " + where; !strings.Contains(log, want) {
			t.Fatalf("the log does not say %q", want)
		}
	}
	// What fits is kept: the outputs take what they can, and the summary the rest
	// before what the outputs have already.
	if lost == 0 || lost > 300 || !strings.Contains(log, fmt.Sprintf("The job summary has no room for %d of them either", lost)) {
		t.Errorf("%d sealed values are kept nowhere", lost)
	}
	// One refusal, told once for each place where sealed values are, beside what
	// does not fit.
	if n := len(r.log().Annotations); n != 4 {
		t.Errorf("%d annotations", n)
	}
	if !strings.Contains(r.summary, "would not fit here") || strings.Count(r.summary, "Finish by hand") < 100 {
		t.Errorf("the summary has %d commands, and does not say what it lacks", strings.Count(r.summary, "Finish by hand"))
	}
	if strings.Count(r.summary, "| `ROTATED_") != 1000 {
		t.Error("the table of the summary is cut")
	}
}

// TestTwoHundredRows has a table that stays readable: folded, whole, and with
// what failed before it.
func TestTwoHundredRows(t *testing.T) {
	text, _ := batch(t, 100, 64)
	server := newGitHub(t, fakegithub.World{Faults: []fakegithub.Fault{{Method: "PUT", Path: "/dependabot/secrets/ROTATED_0050", Status: 422, Times: -1}}})
	r := runBatch(t, server, text, map[string]string{"visibility": "private", "stores": "actions, dependabot"})
	if r.code != 1 || r.outputs["operation"] != "failed" {
		t.Errorf("exit code %d, operation %s", r.code, r.outputs["operation"])
	}
	heading, failure, fold, row := strings.Index(r.summary, "### 100 organization secrets stored in 2 stores, 1 failed in acme"),
		strings.Index(r.summary, "**ROTATED\\_0050 in dependabot: failed**"), strings.Index(r.summary, "<details><summary>All 200 rows</summary>"), strings.Index(r.summary, "| `ROTATED_0001` | actions |")
	if heading != 0 || failure < heading || fold < failure || row < fold {
		t.Errorf("heading at %d, failure at %d, fold at %d, first row at %d:\n%.2000s", heading, failure, fold, row, r.summary)
	}
	if n := strings.Count(r.summary, "\n| `"); n != 200 {
		t.Errorf("%d rows", n)
	}
}

// TestCheckThousand looks at every secret of a full store: one page, then the
// others side by side, beside one key.
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
		time.Sleep(2 * time.Second) // the secrets were made before
		r = stepRun{with: map[string]string{"mode": "check", "secret_name": "*", "max_age": "1s"}, dir: t.TempDir(), dial: network.Dial}.run(t.Context(), t)
	})
	if r.code != 0 || r.outputs["due"] != "true" || r.outputs["exists"] != "true" || len(r.rows(t)) != 1000 {
		t.Fatalf("exit code %d, due %s, %d rows", r.code, r.outputs["due"], len(r.rows(t)))
	}
	if n := len(server.Requests()); n != 11 {
		t.Errorf("%d requests, want 10 pages and a key:\n%s", n, server.RequestLog())
	}
	if r.took > 4*40*time.Millisecond {
		t.Errorf("took %v: pages are not fetched side by side", r.took)
	}
	annotations := r.log().Annotations
	if len(annotations) != 10 || annotations[9].Message != "and 991 more secrets are due; the job summary has all of them" {
		t.Errorf("%d annotations, the last %q", len(annotations), annotations[len(annotations)-1].Message)
	}
	if _, err := fakerunner.New().Summary(r.summary); err != nil || strings.Count(r.summary, "| `S") != 1000 {
		t.Errorf("the summary has %d rows: %v", strings.Count(r.summary, "| `S"), err)
	}
	chart, _, _ := strings.Cut(r.summary, "y-axis")
	if n := strings.Count(chart, `"S`); n != 30 {
		t.Errorf("%d bars in the chart", n)
	}
	if n := fakerunner.SizeOutputs(r.outputs); n > fakerunner.OutputSize {
		t.Errorf("outputs of %d units", n)
	}
}

// TestSealTooMany fails where the outputs have no room for what was sealed, and
// names it: nothing else would carry those values on.
func TestSealTooMany(t *testing.T) {
	text, _ := batch(t, 400, 1000)
	server := newGitHub(t, fakegithub.World{})
	r := runBatch(t, server, text, map[string]string{"mode": "seal"})
	kept := strings.Count(r.outputs["results"], `"encrypted_value"`)
	if r.code != 1 || kept < 200 || kept == 400 {
		t.Fatalf("exit code %d, %d values kept", r.code, kept)
	}
	log := strings.Join(r.log().Lines, "\n")
	if n := strings.Count(log, "its sealed value is kept nowhere"); n != 400-kept {
		t.Errorf("%d values are named, %d are not kept", n, 400-kept)
	}
	if want := fmt.Sprintf("the outputs hold at most 1 MB: %d sealed values are not among them", 400-kept); !strings.Contains(log, want) || !strings.Contains(log, "Seal in several steps") {
		t.Errorf("the log does not say %q", want)
	}
}

// TestDelimiter holds that nobody can know what ends a value in GITHUB_OUTPUT.
func TestDelimiter(t *testing.T) {
	server := newGitHub(t, fakegithub.World{})
	id, key := server.Key("acme", "actions")
	with := map[string]string{"mode": "seal", "token": "", "key_id": id, "public_key": key, "secret_value": "Correct-Horse"}
	seen := map[string]bool{}
	for range 3 {
		r := stepRun{with: with}.run(t.Context(), t)
		first, _, _ := strings.Cut(r.raw, "\n")
		_, delimiter, _ := strings.Cut(first, "<<")
		if len(delimiter) < 32 || seen[delimiter] {
			t.Errorf("the delimiter %q is short, or was there before", delimiter)
		}
		seen[delimiter] = true
	}
}

// TestRateLimitMidBatch meets the hour's limit at the 140th write: what is stored
// stays stored, the rest ends at once with when to try again, and its results
// finish the work without the plaintext.
func TestRateLimitMidBatch(t *testing.T) {
	text, values := batch(t, 200, 64)
	var server *fakegithub.Server
	var first, second result
	synctest.Test(t, func(t *testing.T) {
		// The refusal comes at once and everything else takes time, so that no
		// write can begin between the refusal and its being read.
		server = newGitHub(t, fakegithub.World{MaxWritesPerMinute: 80, Faults: []fakegithub.Fault{{
			Method: "PUT", After: 139, Times: 1, Status: 403, Body: `{"message": "API rate limit exceeded for installation ID 1."}`,
			Headers: map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": fmt.Sprint(time.Now().Add(40 * time.Minute).Unix())},
		}, {
			Times: -1, Delay: fakegithub.Duration(40 * time.Millisecond),
		}}})
		network := memnet.Serve(server)
		defer network.Close()
		first = stepRun{with: map[string]string{"secrets": text, "visibility": "private"}, dir: t.TempDir(), dial: network.Dial}.run(t.Context(), t)
		names := ""
		for name := range values {
			names += name + ","
		}
		time.Sleep(40 * time.Minute)
		second = stepRun{with: map[string]string{"sealed": first.outputs["results"], "secret_name": names, "visibility": "private"}, dir: t.TempDir(), dial: network.Dial}.run(t.Context(), t)
	})
	log := strings.Join(first.log().Lines, "\n")
	if first.code != 1 || first.took > 2*time.Minute || !strings.Contains(log, "GitHub requires a wait until 2000-01-01 00:40:01 UTC, which is longer than timeout allows.") {
		t.Errorf("exit code %d after %v:\n%.3000s", first.code, first.took, log)
	}
	stored := strings.Count(first.outputs["results"], `"operation":"created"`)
	// Writes that were under way beside the one that was refused took place.
	if stored < 139 || stored > 142 {
		t.Errorf("%d rows are stored", stored)
	}
	if second.code != 0 || strings.Count(second.outputs["results"], `"operation":"created"`) != 200 {
		t.Errorf("finished with exit code %d:\n%.3000s", second.code, second.stdout)
	}
	writes := 0
	for _, r := range server.Requests() {
		if r.Method == "PUT" {
			writes++
		}
	}
	if writes != 201 {
		t.Errorf("%d writes for 200 secrets and one refusal", writes)
	}
	for _, s := range server.Secrets() {
		if s.Value != values[s.Name] {
			t.Fatalf("%s holds other bytes", s.Name)
		}
	}
	if strings.Contains(second.stdout+second.raw+second.summary, "value-0001") {
		t.Error("the plaintext is in the second run")
	}
}

// TestSignalWhilePaced ends a run that waits for its own pace, with rows that are
// true.
func TestSignalWhilePaced(t *testing.T) {
	text, _ := batch(t, 100, 64)
	server := newGitHub(t, fakegithub.World{MaxWritesPerMinute: 80})
	var r result
	synctest.Test(t, func(t *testing.T) {
		network := memnet.Serve(server)
		defer network.Close()
		ctx, cancel := context.WithCancel(t.Context())
		defer time.AfterFunc(10*time.Second, cancel).Stop()
		r = stepRun{with: map[string]string{"secrets": text, "visibility": "private"}, dir: t.TempDir(), dial: network.Dial}.run(ctx, t)
	})
	if r.code != 1 || r.took > 15*time.Second {
		t.Errorf("exit code %d after %v", r.code, r.took)
	}
	stored, kept := strings.Count(r.outputs["results"], `"operation":"created"`), strings.Count(r.outputs["results"], `"encrypted_value"`)
	if stored != 80 || kept != 20 || len(server.Secrets()) != 80 {
		t.Errorf("%d rows say stored, %d keep their value, GitHub holds %d", stored, kept, len(server.Secrets()))
	}
}
