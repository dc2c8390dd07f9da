//go:build image

package action

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/fakerunner"
	"set-org-secret/internal/input"
)

// container runs the image that IMAGE names as the runner runs a Docker action:
// with its working directory, mounts and command files, with variables passed by
// name, and with every declared input set.
//
// https://github.com/actions/runner/blob/main/src/Runner.Worker/Handlers/ContainerActionHandler.cs
type container struct {
	t       *testing.T
	dir     string
	github  *fakegithub.Server
	url     string
	network string
	name    string
	pulls   bool // the engine pulls the layer, and says so on stderr
}

func newContainer(t *testing.T, world fakegithub.World) *container {
	t.Helper()
	if os.Getenv("IMAGE") == "" {
		t.Fatal("IMAGE names no image")
	}
	if world.Orgs == nil {
		world.Orgs = worldWith(t, "team", "secret actions/DB_PASSWORD visibility=selected repositories=web").Orgs
	}
	github := newGitHub(t, world)
	server := httptest.NewServer(github)
	t.Cleanup(server.Close)
	c := &container{
		t: t, dir: t.TempDir(), github: github, url: server.URL, network: "host",
		name: fmt.Sprintf("set-org-secret-%d", time.Now().UnixNano()),
	}
	for _, dir := range []string{"home", "workflow", "file_commands", "workspace", "runner_temp"} {
		if err := os.MkdirAll(filepath.Join(c.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"out", "summary"} {
		c.write("file_commands/"+file, "")
	}
	return c
}

func (c *container) write(name, text string) {
	c.t.Helper()
	writeFile(c.t, filepath.Join(c.dir, name), text)
}

// run runs the action. took counts from the end of during, which is called while
// the action runs unless it is nil.
func (c *container) run(with map[string]string, during func()) result {
	c.t.Helper()
	defaults := map[string]string{}
	for _, in := range input.Inputs {
		defaults[in.Name] = in.Default
	}
	all := map[string]string{"org": "acme", "api_url": c.url, "token": "ghp_image"}
	maps.Copy(all, with)
	env := append(fakerunner.Inputs(all, defaults),
		"GITHUB_ACTIONS=true", "CI=true", "HOME=/github/home", "GITHUB_WORKSPACE=/github/workspace",
		"GITHUB_OUTPUT=/github/file_commands/out", "GITHUB_STEP_SUMMARY=/github/file_commands/summary",
		"RUNNER_TEMP=/github/runner_temp", "GITHUB_REPOSITORY_OWNER=acme", "GITHUB_API_URL=https://api.github.com")
	args := []string{
		"run", "--rm", "--name", c.name, "--network", c.network,
		"--workdir", "/github/workspace", "--entrypoint", "/set-org-secret",
	}
	for _, assignment := range env {
		name, _, _ := strings.Cut(assignment, "=")
		args = append(args, "-e", name)
	}
	for _, dir := range []string{"home", "workflow", "file_commands", "workspace", "runner_temp"} {
		args = append(args, "-v", filepath.Join(c.dir, dir)+":/github/"+dir)
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	docker := exec.CommandContext(ctx, "docker", append(args, os.Getenv("IMAGE"))...)
	docker.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	docker.Stdout, docker.Stderr = &stdout, &stderr
	if err := docker.Start(); err != nil {
		c.t.Fatal(err)
	}
	start := time.Now()
	if during != nil {
		during()
		start = time.Now()
	}
	_ = docker.Wait()
	r := result{code: docker.ProcessState.ExitCode(), stdout: stdout.String(), took: time.Since(start)}
	if c.pulls {
		wantContains(c.t, "stderr", stderr.String(), "Pull complete")
	} else {
		wantEqual(c.t, "stderr", stderr.String(), "")
	}
	var err error
	if r.outputs, _, err = fakerunner.ParseOutputs(string(readFile(c.t, filepath.Join(c.dir, "file_commands/out")))); err != nil {
		c.t.Fatal(err)
	}
	r.summary = string(readFile(c.t, filepath.Join(c.dir, "file_commands/summary")))
	return r
}

// wantStored checks the value of DB_PASSWORD, and that its access is unchanged.
func (c *container) wantStored(want string) {
	c.t.Helper()
	s, _ := c.github.Secret("acme", "actions", "DB_PASSWORD")
	wantEqual(c.t, "stored value", s.Value, want)
	wantEqual(c.t, "stored visibility", s.Visibility, "selected")
	wantEqual(c.t, "stored repositories", strings.Join(s.Repositories, " "), "web")
}

// wantOutputs checks outputs; * means any value that is not empty.
func wantOutputs(t *testing.T, r result, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got := r.outputs[name]; got != value && (value != "*" || got == "") {
			t.Errorf("output %s: got %q, want %q", name, got, value)
		}
	}
}

// TestImage checks that the image, run as the runner runs it, behaves as the program.
func TestImage(t *testing.T) {
	const plain = "Correct-Horse\nBattery-Staple\n"
	t.Run("stores a value", func(t *testing.T) {
		c := newContainer(t, fakegithub.World{})
		r := c.run(map[string]string{"secret_name": "db_password", "secret_value": plain}, nil)
		r.wantCode(t, 0)
		wantOutputs(t, r, map[string]string{"operation": "updated", "visibility": "selected"})
		wantEqual(t, "digits of key_id", len(r.outputs["key_id"]), 18)
		c.wantStored(plain)
		const masks = "::add-mask::Correct-Horse\n::add-mask::Battery-Staple\n::add-mask::ghp_image\n"
		if !strings.HasPrefix(r.stdout, masks) {
			t.Errorf("the log begins with %.200q, want %q", r.stdout, masks)
		}
		wantContains(t, "the summary", r.summary, "<h3>✅ DB_PASSWORD updated in acme</h3>")
		wantEqual(t, "user agent", c.github.Requests()[0].UserAgent, "set-org-secret/"+Version)
		wantLacks(t, "what is shown", withoutMasks(r.stdout)+r.summary+fmt.Sprint(r.outputs), "Horse")
	})
	t.Run("reads files of the workspace and of runner.temp", func(t *testing.T) {
		for file, path := range map[string]string{"workspace/key": "key", "runner_temp/key": "/github/runner_temp/key"} {
			c := newContainer(t, fakegithub.World{})
			c.write(file, plain)
			r := c.run(map[string]string{"secret_name": "DB_PASSWORD", "secret_file": path}, nil)
			r.wantCode(t, 0)
			c.wantStored(plain)
		}
	})
	t.Run("handles SIGINT as PID 1", func(t *testing.T) {
		waiting := make(chan struct{}, 1)
		c := newContainer(t, fakegithub.World{Faults: []fakegithub.Fault{{
			Method: "PUT", Status: 503, Headers: map[string]string{"Retry-After": "60"},
			Hook: func() { waiting <- struct{}{} },
		}}})
		r := c.run(map[string]string{"secret_name": "DB_PASSWORD", "secret_value": plain}, func() {
			<-waiting
			if out, err := exec.Command("docker", "kill", "--signal", "INT", c.name).CombinedOutput(); err != nil {
				t.Errorf("docker kill: %v: %s", err, out)
			}
		})
		r.wantCode(t, 1)
		wantAtMost(t, "took after the signal", r.took, 5*time.Second)
		wantOutputs(t, r, map[string]string{"operation": "unknown", "encrypted_value": "*"})
		wantContains(t, "the summary", r.summary, "Script that stores the sealed value")
	})
	t.Run("seals without a network", func(t *testing.T) {
		c := newContainer(t, fakegithub.World{})
		c.network = "none"
		id, key := c.github.Key("acme", "actions")
		sealed := c.run(map[string]string{
			"mode": "seal", "secret_name": "DB_PASSWORD", "secret_value": plain, "token": "", "public_key": key, "key_id": id,
		}, nil)
		sealed.wantCode(t, 0)
		wantOutputs(t, sealed, map[string]string{"key_id": id, "encrypted_value": "*"})
		c.network = "host"
		c.write("file_commands/out", "")
		r := c.run(map[string]string{"secret_name": "DB_PASSWORD", "sealed": sealed.outputs["results"]}, nil)
		r.wantCode(t, 0)
		c.wantStored(plain)
	})
}
