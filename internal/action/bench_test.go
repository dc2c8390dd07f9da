package action

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sethvargo/go-githubactions"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/input"
)

// BenchmarkProcess compares the whole process for one secret with testdata/floor,
// built in the same way and run in turn, median of 50. The limits are 1.40 times
// the floor's wall time and 1.40 times its peak memory. Only memory fails the
// benchmark: the time depends on what else the machine does.
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
		if memory > 1.40 {
			b.Errorf("peak memory is %.2f times the floor's, want at most 1.40", memory)
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

// BenchmarkInputs measures how long reading the inputs takes, which is a part of
// every start: those of one secret, in an environment as large as a runner's. The
// limit is 0.1 ms.
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
	const reads = 1000
	for b.Loop() {
		for range reads {
			r := input.Read(input.Source{
				Getenv: getenv, Environ: func() []string { return environ },
				GetInput: githubactions.New(githubactions.WithGetenv(getenv)).GetInput,
			})
			if len(r.Problems) > 0 {
				b.Fatalf("got %v, want no problem", r.Problems)
			}
		}
	}
	each := b.Elapsed() / time.Duration(b.N*reads)
	b.ReportMetric(float64(each.Nanoseconds())/1000, "µs/read")
	if each > 100*time.Microsecond {
		b.Errorf("reading the inputs takes %v, want at most 0.1 ms", each)
	}
}

// BenchmarkThousandSecrets measures the peak memory of TestThousandSecrets, with
// the fake and its thousand secrets, in a process of its own, median of five. The
// limit is 40 MB. It uses two processors, because Go's heap reserve grows with
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
	if peak > 40 {
		b.Errorf("peak memory is %.1f MB, want at most 40", peak)
	}
}
