package action

import (
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/sethvargo/go-githubactions"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/input"
	"set-org-secret/internal/mask"
)

// BenchmarkProcess compares the whole process for one secret with testdata/floor,
// built in the same way and run in turn, median of 50. The limits are 1.40 times
// the floor's wall time and peak memory; the floor makes two requests on one
// connection, the action three on two. Only memory fails the benchmark, from 1.45 times:
// the time depends on other processes.
func BenchmarkProcess(b *testing.B) {
	peak, floor, action := build(b, "./testdata/peak"), build(b, "./testdata/floor"), build(b, root)
	server := httptest.NewServer(newGitHub(b, fakegithub.World{}))
	defer server.Close()
	dir := b.TempDir()
	env := []string{
		"GITHUB_ACTIONS=true",
		"GITHUB_OUTPUT=" + filepath.Join(dir, "output"), "GITHUB_STEP_SUMMARY=" + filepath.Join(dir, "summary"),
		"INPUT_API_URL=" + server.URL, "INPUT_ORG=acme", "INPUT_TOKEN=ghp_bench",
		"INPUT_SECRET_NAME=DB_PASSWORD", "INPUT_SECRET_VALUE=Correct-Horse", "INPUT_VISIBILITY=private",
	}
	run := func(command ...string) (took time.Duration, stderr string) {
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Env = env
		var text strings.Builder
		cmd.Stderr = &text
		start := time.Now()
		err := cmd.Run()
		took = time.Since(start)
		if err != nil {
			b.Fatalf("%s: %v\n%s", command, err, text.String())
		}
		return took, text.String()
	}
	type samples struct {
		ms []float64
		mb []float64
	}
	sample := func(s *samples, exe string) {
		took, _ := run(exe)
		_, stderr := run(peak, exe)
		s.ms, s.mb = append(s.ms, float64(took)/1e6), append(s.mb, peakMB(b, stderr))
	}
	for b.Loop() {
		var least, ours samples
		for range 50 {
			sample(&least, floor)
			sample(&ours, action)
		}
		b.ReportMetric(median(least.ms), "floor-ms")
		b.ReportMetric(median(ours.ms), "ms")
		b.ReportMetric(median(ours.ms)/median(least.ms), "x-floor-time")
		b.ReportMetric(median(least.mb), "floor-MB")
		b.ReportMetric(median(ours.mb), "MB")
		memory := median(ours.mb) / median(least.mb)
		b.ReportMetric(memory, "x-floor-memory")
		if memory > 1.45 {
			b.Errorf("peak memory is %.2f times the floor's, want at most 1.45", memory)
		}
	}
	info, err := os.Stat(action)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size()), "binary-bytes")
}

func median(list []float64) float64 { return slices.Sorted(slices.Values(list))[len(list)/2] }

// peakMB reads the peak memory that testdata/peak prints, in 10^6 bytes.
func peakMB(b *testing.B, stderr string) float64 {
	b.Helper()
	lines := strings.Fields(stderr)
	kib, err := strconv.ParseFloat(lines[len(lines)-1], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib * 1024 / 1e6
}

// BenchmarkInputs measures the processor time of reading the inputs, which is a part
// of every start: those of one secret, in an environment as large as a runner's. The
// limit is 0.1 ms, for the fastest of ten hundreds.
func BenchmarkInputs(b *testing.B) {
	env := stepRun{with: map[string]string{
		"api_url": "https://api.github.com", "secret_name": "DB_PASSWORD", "secret_value": "Correct-Horse",
		"selected_repositories": "web, api, svc-*",
	}}.environment()
	for i := range 60 {
		env[fmt.Sprintf("GITHUB_VARIABLE_%d", i)] = strings.Repeat("x", 60)
	}
	getenv := func(name string) string { return env[name] }
	environ := assignments(env)
	const batches, reads = 10, 100
	var fastest time.Duration
	for b.Loop() {
		var took []time.Duration
		for range batches {
			took = append(took, processorTime(func() {
				for range reads {
					r := input.Read(input.Source{
						Getenv: getenv, Environ: func() []string { return environ },
						GetInput: githubactions.New(githubactions.WithGetenv(getenv)).GetInput,
					})
					if len(r.Problems) > 0 {
						b.Fatalf("got %v, want no problem", r.Problems)
					}
				}
			}))
		}
		fastest = slices.Min(took) / reads
	}
	b.ReportMetric(float64(fastest.Nanoseconds())/1000, "µs/read")
	if fastest > 100*time.Microsecond {
		b.Errorf("reading the inputs takes %v, want at most 0.1 ms", fastest)
	}
}

// BenchmarkThousandSecrets measures the peak memory of TestThousandSecrets, with
// the fake and its thousand secrets, in a process of its own, median of five. The
// limit is 42 MB. It uses two processors, because Go's heap reserve grows with
// their number.
func BenchmarkThousandSecrets(b *testing.B) {
	wrapper := build(b, "./testdata/peak")
	peak := 0.0
	for b.Loop() {
		var peaks []float64
		for range 5 {
			cmd := exec.Command(wrapper, os.Args[0], "-test.run=^TestThousandSecrets$/^stored$", "-test.v")
			cmd.Env = append(os.Environ(), "GOMAXPROCS=2")
			var stdout, stderr strings.Builder
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			if err := cmd.Run(); err != nil {
				b.Fatalf("%v\n%s", err, stdout.String())
			}
			wantContains(b, "the test's log", stdout.String(), "--- PASS: TestThousandSecrets/stored")
			peaks = append(peaks, peakMB(b, stderr.String()))
		}
		peak = median(peaks)
	}
	b.ReportMetric(peak, "peak-MB")
	if peak > 42 {
		b.Errorf("peak memory is %.1f MB, want at most 42", peak)
	}
}

// repeated returns a text of at least that many bytes, in which each item has its
// number in place of #.
func repeated(size int, item string) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		b.WriteString(strings.ReplaceAll(item, "#", strconv.Itoa(i)))
	}
	return b.String()
}

func nested(depth int) string {
	return strings.Repeat("[", depth) + `"alike"` + strings.Repeat("]", depth)
}

// reading returns a function that reads the inputs; the file has the text.
func reading(text string, with map[string]string) func() {
	env := stepRun{with: with}.environment()
	getenv := func(name string) string { return env[name] }
	file := fstest.MapFS{"file": {Data: []byte(text)}}
	return func() {
		input.Read(input.Source{
			Getenv: getenv, Environ: func() []string { return assignments(env) },
			GetInput: githubactions.New(githubactions.WithGetenv(getenv)).GetInput,
			Open:     func(string) (fs.File, error) { return file.Open("file") },
		})
	}
}

// batchOf reads a secrets_file of repeated items.
func batchOf(start, item, end, format string) func(size int) func() {
	return func(size int) func() {
		text := start + repeated(size, item) + end
		return reading(text, map[string]string{"secrets_file": "file", "secrets_format": format})
	}
}

// inputOf reads an input of repeated items.
func inputOf(name, start, item, end string) func(size int) func() {
	return func(size int) func() {
		return reading("", map[string]string{"secret_name": "A", name: start + repeated(size, item) + end})
	}
}

// growthTests have a size in bytes and a function that makes the measured one for a size.
var growthTests = []struct {
	name string
	size int
	of   func(size int) func()
}{
	{"lines", 3_400_000, batchOf("", "A#=alike-#\n", "", "auto")},
	{"nested-JSON", 1_000_000, batchOf("{", `"A#":`+nested(90)+",", `"A":"x"}`, "auto")},
	{"deep-JSON", 1_000_000, func(size int) func() {
		return reading(`{"A":`+nested(size/2)+"}", map[string]string{"secrets_file": "file"})
	}},
	{"lines-of-a-value", 500_000, batchOf("A<<E\n", "alike-#\n", "E\n", "auto")},
	{"values-of-lines", 500_000, batchOf("", "A#<<E\nalike-#\nE\n", "", "auto")},
	{"dotenv", 500_000, batchOf("", "A#=alike-#\n", "", "dotenv")},
	{"JSON", 500_000, batchOf("{", `"A#":"alike-#",`, `"A":"x"}`, "auto")},
	{"rejected-lines", 500_000, batchOf("", "A-#=alike-#\n", "", "auto")},
	{"rejected-JSON", 500_000, batchOf(`{"A":`, `"alike-#" `, "", "auto")},
	{"rejected-string", 500_000, batchOf(`{"A":"`, `\"alike-# `, "", "auto")},
	{"problems", 500_000, batchOf("", "A#=***\n", "", "auto")},
	{"warnings", 500_000, batchOf("", "A#=ab\n", "", "auto")},
	{"equal-names", 500_000, batchOf("", "A=alike-#\n", "", "auto")},
	{"a-value", 4_000_000, inputOf("secret_value", "", "alike-# ", "")},
	{"encrypted", 500_000, inputOf("encrypted_value", "", "alike-#\n", "")},
	{"sealed", 2_000_000, inputOf("sealed", "[", `{"store":"actions","secret_name":"A#","key_id":"#"},`, "{}]")},
	{"sealed-names", 200_000, func(size int) func() {
		rows := "[" + repeated(size, `{"secret_name":"B#"},`) + "{}]"
		return reading("", map[string]string{"secret_name": repeated(size, "A#,"), "sealed": rows})
	}},
	{"ids", 500_000, inputOf("selected_repository_ids", "", "1#,", "")},
	{"repositories", 500_000, inputOf("selected_repositories", "", "alike-#,", "")},
	{"unknown", 100_000, func(size int) func() {
		with := map[string]string{}
		for name := range strings.FieldsSeq(repeated(size, "SECRETS_# ")) {
			with[name] = "alike"
		}
		return reading("", with)
	}},
	{"redacting", 4_000_000, func(size int) func() {
		start := strings.Repeat("alike-", 9)
		var masks mask.Set
		masks.Add(repeated(size, start+"#\n"))
		text := repeated(size/10, start)
		return func() { masks.Redact(text) }
	}},
}

// BenchmarkGrowth checks that reading and masking inputs, and finding masks, takes time
// in proportion: a text takes at most three times the processor time of eight texts with
// an eighth of its size. Of a quadratic time it would take eight times as much. Both
// sides make the same work and garbage, so they depend on the machine in the same way.
// It compares the fastest of 3 to 11 runs, because other processes can only make a run
// slower, and new memory the first one. There is no garbage collector, whose work
// depends on earlier runs.
func BenchmarkGrowth(b *testing.B) {
	const parts, limit = 8, 3
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for _, test := range growthTests {
		b.Run(test.name, func(b *testing.B) {
			whole, part := test.of(test.size), test.of(test.size/parts)
			allParts := func() {
				for range parts {
					part()
				}
			}
			var fastest, ratio float64
			for b.Loop() {
				var took, tookParts []float64
				for len(took) < 3 || len(took) < 11 && ratio > limit {
					took = append(took, processorTime(whole).Seconds())
					tookParts = append(tookParts, processorTime(allParts).Seconds())
					fastest = slices.Min(took)
					ratio = fastest / slices.Min(tookParts)
				}
			}
			b.ReportMetric(fastest, "s")
			b.ReportMetric(ratio, "x-parts")
			if ratio > limit {
				b.Errorf("a text takes %.1f times as long as its %d parts, want at most %d times", ratio, parts, limit)
			}
		})
	}
}

// processorTime returns the processor time of a function, which depends less than wall
// time on other processes.
func processorTime(f func()) time.Duration {
	used := func() time.Duration {
		var usage syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
		return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	runtime.GC()
	before := used()
	f()
	return used() - before
}
