package action

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"set-org-secret/internal/fakegithub"
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
	writeFile(t, filepath.Join(dir, "rotated.json"), text)
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

// TestThousandSecrets stores 1,000 secrets of 1 KB on a fake that refuses the 81st write of any 60 seconds.
func TestThousandSecrets(t *testing.T) {
	text, values := batch(t, 1000, 1000)
	server := newGitHub(t, fakegithub.World{
		MaxWritesPerMinute: 80, ForgetBodies: true,
		Faults: []fakegithub.Fault{{Times: -1, Delay: fakegithub.Duration(40 * time.Millisecond)}},
	})
	r := runBatch(t, server, text, map[string]string{"visibility": "private"})
	r.wantCode(t, 0)
	t.Run("stored", func(t *testing.T) {
		wantStored(t, server, values)
		requests := server.Requests()
		wantEqual(t, "requests: the key, the list, and one write each", len(requests), 2+len(values))
		for _, request := range requests {
			if request.Status > 204 {
				t.Fatalf("%s %s: got status %d, want at most 204", request.Method, request.Path, request.Status)
			}
		}
		wantEqual(t, "concurrent writes", server.MaxConcurrentWrites(), 4)
		wantAtMost(t, "connections, four in each minute", r.dials, 4*13)
		// 1,000 writes at 80 a minute: twelve full minutes, and the 40 of the last.
		const least = 12 * time.Minute
		if r.took < least {
			t.Errorf("took %v, want at least %v", r.took, least)
		}
		wantAtMost(t, "took", r.took, least+5*time.Second)
	})
	t.Run("logged", func(t *testing.T) {
		lines := map[string]int{}
		for _, line := range r.log().Lines {
			lines[line]++
		}
		wantEqual(t, "lines about the time", lines["  writes to send: 1,000, at most 80 a minute, which takes about 12 min"], 1)
		wantEqual(t, "lines about the write rate limit, one for each of the twelve waits",
			lines["  write limit reached: 80 in the last minute; next write in 59 s"], 12)
		rows := r.rows(t)
		wantEqual(t, "rows", len(rows), 1000)
		wantEqual(t, "the first row", rows[0].SecretName, "ROTATED_0001")
		wantEqual(t, "the last row", rows[len(rows)-1].SecretName, "ROTATED_1000")
		r.wantWithinLimits(t)
	})
}

// limitTest is a run that has more to report than GitHub takes.
type limitTest struct {
	name         string
	world        fakegithub.World
	with         map[string]string
	rows, values int            // that there are
	least, most  [2]int         // of rows and of values, in the outputs
	counts       map[string]int // of texts in the output results and the summary
	log          []string
}

// TestLimits makes runs that have more to report than GitHub takes: the outputs and the
// summary stay within its limits, one warning counts the rows and values that are left
// out, and the log names each of those values. Package report tests the order of leaving out.
func TestLimits(t *testing.T) {
	large, _ := batch(t, 1000, 1000)
	small, _ := batch(t, 1000, 64)
	sealed, _ := batch(t, 400, 1000)
	checked, names := checkedWorld()
	refuse := func(path string) fakegithub.Fault {
		return fakegithub.Fault{Method: "PUT", Path: path, Status: 403, Times: -1}
	}
	for _, test := range []limitTest{
		{
			"values that are refused",
			fakegithub.World{Faults: []fakegithub.Fault{refuse("")}},
			map[string]string{"secrets": large, "visibility": "private"},
			1000, 1000,
			[2]int{1000, 200},
			[2]int{1000, 999},
			nil,
			[]string{
				"pass the output `results` to `sealed` in a later job of this run. Do not rotate again.",
				"run the script in the job summary. Do not rotate again.",
				"Keep the old credential active: this run did not store the new one.",
			},
		},
		{
			"rows, of which half are done",
			fakegithub.World{Faults: []fakegithub.Fault{
				refuse("/dependabot/secrets/*"), refuse("/agents/secrets/*"),
			}},
			map[string]string{"secrets": small, "visibility": "private", "stores": allStores},
			4000, 2000,
			[2]int{1000, 1000},
			[2]int{1999, 1999},
			map[string]int{`"operation":"created"`: 0},
			nil,
		},
		{
			"rows that are checked", checked,
			map[string]string{"mode": "check", "stores": allStores, "secret_name": names, "max_age": "30d"},
			4000, 0,
			[2]int{2000, 0},
			[2]int{3999, 0},
			map[string]int{
				`"due":true`: 400, "\n<tr><td>🔴 <code>CHECKED_": 400, "\n<tr><td><code>CHECKED_": 3600,
			},
			[]string{"  380 more due secrets; see the log and the job summary"},
		},
		{
			"values that are sealed, and saved nowhere else",
			fakegithub.World{},
			map[string]string{"mode": "seal", "secrets": sealed},
			400, 400,
			[2]int{400, 200},
			[2]int{400, 399},
			nil,
			[]string{"Seal fewer secrets in one run, "},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := stepRun{with: test.with}.simulate(t, newGitHub(t, test.world))
			r.wantCode(t, min(test.values, 1))
			wantEqual(t, "failed", r.outputs["operation"] == "failed", test.values > 0)
			r.wantWithinLimits(t)
			rows := r.rows(t)
			values := r.countRows(`"encrypted_value"`)
			for i, n := range []int{len(rows), values} {
				if n < test.least[i] || n > test.most[i] {
					t.Fatalf("%d rows and %d values in the outputs, want %v to %v", len(rows), values, test.least, test.most)
				}
			}
			wantInOrder(t, rows)
			r.wantLeftOut(t, test.rows-len(rows), test.values-values)
			for text, n := range test.counts {
				wantEqual(t, text, strings.Count(r.outputs["results"]+r.summary, text), n)
			}
			wantContains(t, "the log", r.logText(), test.log...)
		})
	}
}

// wantInOrder checks that rows are in input order, and that the first of them keep their values.
func wantInOrder(t *testing.T, rows []resultRow) {
	t.Helper()
	for i := 1; i < len(rows); i++ {
		name, before := rows[i].SecretName, rows[i-1].SecretName
		if name < before {
			t.Fatalf("row %d is of %s, after %s", i+1, name, before)
		}
		if rows[i].EncryptedValue != "" && rows[i-1].EncryptedValue == "" {
			t.Fatalf("row %d has its value, and the one before does not", i+1)
		}
	}
}

// savedValue is a line of the log about a value that only the job summary has.
var savedValue = regexp.MustCompile(
	`(?m)^  (\w+)(?: in (\w+))?: not in the outputs\. Saved, sealed, in the job summary\.$`)

// wantLeftOut checks that one warning counts the rows and the values that the outputs
// lack, and that the log says of each value whether the summary has it, which is true.
func (r result) wantLeftOut(t *testing.T, rows, values int) {
	t.Helper()
	leftOut := secret.Count(rows, "row") + " and " + secret.Count(values, "sealed value")
	r.wantAnnotation(t, "the outputs are limited to 1 MB and leave out "+leftOut+"; the log has every name.")
	saved := savedValue.FindAllStringSubmatch(r.logText(), -1)
	for _, m := range saved {
		path := cmp.Or(m[2], "actions") + "/secrets/" + m[1]
		if !strings.Contains(r.summary, " orgs/acme/"+path+" --input") {
			t.Fatalf("the summary's script lacks %s", path)
		}
	}
	lost := strings.Count(r.logText(), ": not in the outputs. The value is not saved.")
	wantEqual(t, "values that the log names", len(saved)+lost, values)
	wantAtMost(t, "values that are saved nowhere", lost, 350)
}

// checkedWorld has 1,000 secrets in each of four stores, a tenth of them due after 30
// days. It returns their names, too.
func checkedWorld() (w fakegithub.World, names string) {
	org := fakegithub.Org{Login: "acme"}
	for i := range 1000 {
		updated := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
		if i%10 == 9 {
			updated = updated.AddDate(0, 0, -40)
		}
		for store := range strings.SplitSeq(allStores, ", ") {
			org.Secrets = append(org.Secrets, fakegithub.Secret{
				Store: store, Name: fmt.Sprintf("CHECKED_%04d", i+1), Visibility: "private", UpdatedAt: updated,
			})
		}
		names += fmt.Sprintf("CHECKED_%04d,", i+1)
	}
	return fakegithub.World{Orgs: []fakegithub.Org{org}}, names
}

const allStores = "actions, dependabot, codespaces, agents"

// wantAnnotation checks that exactly one annotation starts with a text.
func (r result) wantAnnotation(t *testing.T, text string) {
	t.Helper()
	count := 0
	for _, annotation := range r.log().Annotations {
		if strings.HasPrefix(annotation.Message, text) {
			count++
		}
	}
	wantEqual(t, "annotations that start with "+text, count, 1)
}

// TestCheckThousand checks every secret of a store of 1,000: the first page, then
// the others concurrently, and all of them again.
func TestCheckThousand(t *testing.T) {
	server := newGitHub(t, fakegithub.World{
		Orgs:   []fakegithub.Org{{Login: "acme", SecretCount: 1000}},
		Faults: []fakegithub.Fault{{Times: -1, Delay: fakegithub.Duration(40 * time.Millisecond)}},
	})
	with := map[string]string{"mode": "check", "secret_name": "*", "max_age": "1s"}
	r := stepRun{with: with, start: time.Now()}.simulate(t, server) // the secrets are a day old
	r.wantCode(t, 0)
	wantEqual(t, "due", r.outputs["due"], "true")
	wantEqual(t, "exists", r.outputs["exists"], "true")
	wantEqual(t, "rows", len(r.rows(t)), 1000)
	wantEqual(t, "requests: 10 pages twice and a key", len(server.Requests()), 21)
	wantAtMost(t, "took", r.took, 7*40*time.Millisecond)
	annotations := r.log().Annotations
	wantEqual(t, "annotations", len(annotations), 1)
	wantEqual(t, "the warning counts the others", strings.Count(annotations[0].Message, "\n  980 more due secrets;"), 1)
	wantEqual(t, "rows that are due and not folded", strings.Count(r.summary, "\n<tr><td>🔴 <code>S"), 1000)
	r.wantWithinLimits(t)
}

// TestDelimiter checks that the delimiter of values in GITHUB_OUTPUT cannot be guessed.
func TestDelimiter(t *testing.T) {
	server := newGitHub(t, fakegithub.World{})
	id, key := server.Key("acme", "actions")
	with := map[string]string{
		"mode": "seal", "token": "", "key_id": id, "public_key": key, "secret_value": "Correct-Horse",
	}
	start := regexp.MustCompile(`^\w+<<(.{32,})\n`)
	first := start.FindString(stepRun{with: with}.run(t.Context(), t).raw)
	second := start.FindString(stepRun{with: with}.run(t.Context(), t).raw)
	if first == "" || first == second {
		t.Errorf("the outputs begin with %q and %q, want delimiters of 32 bytes or more that differ", first, second)
	}
}

// TestSignalInRateLimit ends a run while it waits for the write rate limit, with
// correct rows.
func TestSignalInRateLimit(t *testing.T) {
	text, _ := batch(t, 100, 64)
	server := newGitHub(t, fakegithub.World{MaxWritesPerMinute: 80})
	with := map[string]string{"secrets": text, "visibility": "private"}
	r := stepRun{with: with, signal: 10 * time.Second}.simulate(t, server)
	r.wantCode(t, 1)
	wantAtMost(t, "took", r.took, 15*time.Second)
	wantEqual(t, "rows that are stored", r.countRows(`"operation":"created"`), 80)
	wantEqual(t, "rows with a sealed value", r.countRows(`"encrypted_value"`), 20)
	wantEqual(t, "secrets stored", len(server.Secrets()), 80)
}
