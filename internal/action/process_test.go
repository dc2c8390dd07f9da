package action

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/fakerunner"
)

// build builds a program as the Dockerfile does.
func build(t testing.TB, pkg string) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "program")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", exe, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return exe
}

// TestProcess runs the program in a process of its own.
func TestProcess(t *testing.T) {
	exe := build(t, root)
	t.Run("closed stdout", func(t *testing.T) { testClosedStdout(t, exe) })
	t.Run("proxy", func(t *testing.T) { testProxy(t, exe) })
	t.Run("files", func(t *testing.T) { testFiles(t, exe) })
	t.Run("debug log", func(t *testing.T) { testDebugLog(t, exe) })
	t.Run("signals", func(t *testing.T) { testSignals(t, exe) })
	t.Run("signals while it reads", func(t *testing.T) { testSignalsInReading(t, exe) })
}

// process returns the program, ready to be started against a fake GitHub, and a
// function that reads its outputs.
func process(t *testing.T, exe string, github *fakegithub.Server) (cmd *exec.Cmd, outputs func() map[string]string) {
	t.Helper()
	server := httptest.NewServer(github)
	t.Cleanup(server.Close)
	dir := t.TempDir()
	cmd = exec.Command(exe)
	with := map[string]string{"api_url": server.URL, "secret_name": "DB_PASSWORD", "secret_value": "Correct-Horse"}
	cmd.Env = assignments(stepRun{with: with, dir: dir}.environment())
	return cmd, func() map[string]string {
		outputs, _, err := fakerunner.ParseOutputs(string(readFile(t, filepath.Join(dir, outputFile))))
		if err != nil {
			t.Fatal(err)
		}
		return outputs
	}
}

// testClosedStdout checks that a secret is stored although standard output is closed.
func testClosedStdout(t *testing.T, exe string) {
	github := newGitHub(t, fakegithub.World{})
	cmd, outputs := process(t, exe, github)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = reader.Close()
	cmd.Stdout = writer
	if err := cmd.Run(); err != nil {
		t.Errorf("got error %v, want none", err)
	}
	_ = writer.Close()
	s, _ := github.Secret("acme", "actions", "DB_PASSWORD")
	wantEqual(t, "stored value", s.Value, "Correct-Horse")
	wantEqual(t, "operation", outputs()["operation"], "created")
}

// testProxy checks that the program itself takes the proxy of its environment, in
// either case, and NO_PROXY.
func testProxy(t *testing.T, exe string) {
	c := &corp{kind: "usual"}
	c.start(t)
	for _, test := range []struct {
		env  []string
		code int
	}{
		{[]string{"HTTPS_PROXY=http://" + c.proxy}, 0},
		{[]string{"https_proxy=" + c.proxy}, 0},
		{[]string{"HTTPS_PROXY=http://" + c.proxy, "NO_PROXY=.corp.test"}, 1},
	} {
		cmd, _ := process(t, exe, c.github)
		cmd.Env = append(cmd.Env, "INPUT_API_URL=https://"+corpHost+"/api/v3", "INPUT_CA_CERTIFICATE="+c.ca, "INPUT_TIMEOUT=1s")
		cmd.Env = append(cmd.Env, test.env...)
		before := c.tunnels.Load()
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != test.code {
			t.Errorf("%v: got exit code %d, want %d:\n%s", test.env, got, test.code, out)
		}
		if named := strings.Contains(string(out), " through the proxy "+c.proxy+" "); named != (test.code == 0) {
			t.Errorf("%v: got the proxy named %v, want %v:\n%s", test.env, named, test.code == 0, out)
		}
		if proxied := c.tunnels.Load() > before; proxied != (test.code == 0) {
			t.Errorf("%v: got proxied %v, want %v", test.env, proxied, test.code == 0)
		}
	}
}

// testFiles checks that a link to a file of the kernel, which has the token, is empty, and
// that a pipe without a writer blocks nothing.
func testFiles(t *testing.T, exe string) {
	dir := t.TempDir()
	environ, pipe := filepath.Join(dir, "environ"), filepath.Join(dir, "pipe")
	if err := errors.Join(os.Symlink("/proc/self/environ", environ), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{environ: "the file is empty", pipe: "not a regular file"} {
		cmd, _ := process(t, exe, newGitHub(t, fakegithub.World{}))
		cmd.Env = append(cmd.Env, "INPUT_SECRET_VALUE=", "INPUT_SECRET_FILE="+path)
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Errorf("%s: got no error, want one", path)
		}
		wantContains(t, path, string(out), want)
	}
}

// testDebugLog checks that Go's own log, which GODEBUG lets name the token, is not printed.
func testDebugLog(t *testing.T, exe string) {
	server := httptest.NewUnstartedServer(newGitHub(t, fakegithub.World{}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	cmd, outputs := process(t, exe, newGitHub(t, fakegithub.World{}))
	cmd.Env = append(cmd.Env, "GODEBUG=http2debug=2", "INPUT_API_URL="+server.URL, "INPUT_CA_CERTIFICATE="+string(ca))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	wantEqual(t, "operation", outputs()["operation"], "created")
	wantLacks(t, "the output without masks", withoutMasks(string(out)), "ghp_")
}

// testSignals sends the signals that the runner sends while the program waits for a
// retry, each twice.
func testSignals(t *testing.T, exe string) {
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		waiting := make(chan struct{}, 1)
		github := newGitHub(t, fakegithub.World{Faults: []fakegithub.Fault{{
			Method: "PUT", Status: 503, Headers: map[string]string{"Retry-After": "60"},
			Hook: func() { waiting <- struct{}{} },
		}}})
		cmd, outputs := process(t, exe, github)
		log := runToSignal(t, cmd, func() { <-waiting }, signal)
		got := outputs()
		wantEqual(t, fmt.Sprintf("%v: operation", signal), got["operation"], "unknown")
		if got["encrypted_value"] == "" {
			t.Errorf("%v: there is no output encrypted_value:\n%s", signal, log)
		}
	}
}

// runToSignal starts the program, waits for a moment of its run, and sends it a signal twice.
// The program has to fail within five seconds. runToSignal returns its log.
func runToSignal(t *testing.T, cmd *exec.Cmd, wait func(), signal os.Signal) (log string) {
	t.Helper()
	var stdout strings.Builder
	cmd.Stdout = &stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wait()
	start := time.Now()
	_ = cmd.Process.Signal(signal)
	_ = cmd.Process.Signal(signal)
	_ = cmd.Wait()
	wantAtMost(t, fmt.Sprintf("%v: took", signal), time.Since(start), 5*time.Second)
	wantEqual(t, fmt.Sprintf("%v: exit code", signal), cmd.ProcessState.ExitCode(), 1)
	return stdout.String()
}

// interrupted is the error for a run that a signal ends while it reads its inputs.
const interrupted = "inputs: a signal ended the run before they were read"

// testSignalsInReading sends the signals as soon as the program reads a file, which is so
// long that masking its lines takes many times as long as that.
func testSignalsInReading(t *testing.T, exe string) {
	path := filepath.Join(t.TempDir(), "long")
	writeFile(t, path, repeated(4<<20, "A#=alike-#\n"))
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		cmd, outputs := process(t, exe, newGitHub(t, fakegithub.World{}))
		cmd.Env = append(cmd.Env, "INPUT_SECRET_VALUE=", "INPUT_SECRET_NAME=", "INPUT_SECRETS_FILE="+path)
		log := runToSignal(t, cmd, watchReads(t, path), signal)
		wantEqual(t, fmt.Sprintf("%v: operation", signal), outputs()["operation"], "failed")
		wantEqual(t, fmt.Sprintf("%v: results", signal), outputs()["results"], "[]")
		wantContains(t, fmt.Sprintf("%v: the log", signal), log, interrupted)
	}
}

// watchReads returns a function that waits until a process reads a file.
func watchReads(t *testing.T, path string) (wait func()) {
	t.Helper()
	fd, err := syscall.InotifyInit()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if _, err := syscall.InotifyAddWatch(fd, path, syscall.IN_ACCESS); err != nil {
		t.Fatal(err)
	}
	return func() {
		if _, err := syscall.Read(fd, make([]byte, 4096)); err != nil {
			t.Fatal(err)
		}
	}
}

// blockedFile is a file that does not respond until it is released.
type blockedFile struct {
	fs.File
	released chan struct{}
}

func (f blockedFile) Read([]byte) (int, error) {
	<-f.released
	return 0, io.EOF
}

// TestBlockedRead checks that a signal ends a run at once that waits for a file.
func TestBlockedRead(t *testing.T) {
	for _, name := range []string{"secret_file", "secrets_file", "ca_certificate"} {
		var r result
		s := stepRun{with: map[string]string{name: "file"}, dir: t.TempDir()}
		synctest.Test(t, func(t *testing.T) {
			released := make(chan struct{})
			defer close(released)
			s.open = func(string) (fs.File, error) {
				f, err := os.Open("process_test.go")
				return blockedFile{f, released}, err
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			r = s.run(ctx, t)
		})
		r.wantCode(t, 1)
		wantEqual(t, name+": took", r.took, 2*time.Second)
		wantEqual(t, name+": operation", r.outputs["operation"], "failed")
		wantEqual(t, name+": results", r.outputs["results"], "[]")
		wantContains(t, name+": the log", r.logText(), interrupted)
		wantContains(t, name+": the summary", r.summary, interrupted)
	}
}
