//go:build image

package action

import (
	"bytes"
	"context"
	"fmt"
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
// its work dir, its mounts, its command files, variables passed by name, and
// every declared input set.
//
// https://github.com/actions/runner/blob/main/src/Runner.Worker/Handlers/ContainerActionHandler.cs
type container struct {
	t       *testing.T
	dir     string
	github  *fakegithub.Server
	url     string
	network string
	name    string
}

func newContainer(t *testing.T, world fakegithub.World) *container {
	t.Helper()
	if os.Getenv("IMAGE") == "" {
		t.Fatal("IMAGE names no image")
	}
	if world.Orgs == nil {
		world.Orgs = []fakegithub.Org{{Login: "acme", Repositories: []fakegithub.Repository{{ID: 1, Name: "web"}}, Secrets: []fakegithub.Secret{
			{Store: "actions", Name: "DB_PASSWORD", Value: "old", Visibility: "selected", Repositories: []string{"web"}},
		}}}
	}
	github := newGitHub(t, world)
	server := httptest.NewServer(github)
	t.Cleanup(server.Close)
	c := &container{t: t, dir: t.TempDir(), github: github, url: server.URL, network: "host", name: fmt.Sprintf("set-org-secret-%d", time.Now().UnixNano())}
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
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// containerResult is what came out of a run.
type containerResult struct {
	code    int
	stdout  string
	stderr  string
	log     fakerunner.Log
	outputs map[string]string
	summary string
	took    time.Duration // after the signal, where there was one
}

func (c *container) run(with map[string]string, during func()) containerResult {
	c.t.Helper()
	defaults := map[string]string{}
	for _, in := range input.Inputs {
		defaults[in.Name] = in.Default
	}
	all := map[string]string{"org": "acme", "api_url": c.url, "token": "ghp_image"}
	for name, value := range with {
		all[name] = value
	}
	env := append(fakerunner.New().Inputs(all, defaults),
		"GITHUB_ACTIONS=true", "CI=true", "HOME=/github/home", "GITHUB_WORKSPACE=/github/workspace",
		"GITHUB_OUTPUT=/github/file_commands/out", "GITHUB_STEP_SUMMARY=/github/file_commands/summary",
		"RUNNER_TEMP=/github/runner_temp", "GITHUB_REPOSITORY_OWNER=acme", "GITHUB_API_URL=https://api.github.com")
	args := []string{"run", "--rm", "--name", c.name, "--network", c.network, "--workdir", "/github/workspace", "--entrypoint", "/set-org-secret"}
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
	r := containerResult{code: docker.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String(), took: time.Since(start)}
	r.log = fakerunner.New().Process(r.stdout)
	text, err := os.ReadFile(filepath.Join(c.dir, "file_commands/out"))
	if err != nil {
		c.t.Fatal(err)
	}
	if r.outputs, _, err = fakerunner.ParseOutputs(string(text)); err != nil {
		c.t.Fatal(err)
	}
	text, err = os.ReadFile(filepath.Join(c.dir, "file_commands/summary"))
	if err != nil {
		c.t.Fatal(err)
	}
	r.summary = string(text)
	if r.stderr != "" {
		c.t.Errorf("stderr: %s", r.stderr)
	}
	return r
}

func (c *container) stored(want string) {
	c.t.Helper()
	if s, _ := c.github.Secret("acme", "actions", "DB_PASSWORD"); s.Value != want || s.Visibility != "selected" || strings.Join(s.Repositories, " ") != "web" {
		c.t.Errorf("GitHub holds %q, %s %q", s.Value, s.Visibility, s.Repositories)
	}
}

// TestImage holds the image, run as the runner does, to what the program does.
func TestImage(t *testing.T) {
	const plain = "Correct-Horse\nBattery-Staple\n"
	t.Run("stores a value", func(t *testing.T) {
		c := newContainer(t, fakegithub.World{})
		r := c.run(map[string]string{"secret_name": "db_password", "secret_value": plain}, nil)
		if r.code != 0 || r.outputs["operation"] != "updated" || r.outputs["visibility"] != "selected" || len(r.outputs["key_id"]) != 18 {
			t.Errorf("exit code %d, outputs %v\n%s", r.code, r.outputs, r.stdout)
		}
		c.stored(plain)
		if !strings.HasPrefix(r.stdout, "::add-mask::Correct-Horse\n::add-mask::Battery-Staple\n::add-mask::ghp_image\n") {
			t.Errorf("masks do not come first:\n%s", r.stdout)
		}
		if !strings.Contains(r.summary, "### 1 organization secret stored in acme") {
			t.Errorf("summary:\n%s", r.summary)
		}
		if agent := c.github.Requests()[0].UserAgent; agent != "set-org-secret/"+Version {
			t.Errorf("user agent %q", agent)
		}
		if strings.Contains(withoutMasks(r.stdout)+r.summary+fmt.Sprint(r.outputs), "Horse") {
			t.Error("the plaintext is shown")
		}
	})
	t.Run("reads files of the workspace and of the runner's temp folder", func(t *testing.T) {
		for file, given := range map[string]string{"workspace/key": "key", "runner_temp/key": "/github/runner_temp/key"} {
			c := newContainer(t, fakegithub.World{})
			c.write(file, plain)
			if r := c.run(map[string]string{"secret_name": "DB_PASSWORD", "secret_file": given}, nil); r.code != 0 {
				t.Errorf("%s: exit code %d\n%s", given, r.code, r.stdout)
			}
			c.stored(plain)
		}
	})
	t.Run("is refused", func(t *testing.T) {
		c := newContainer(t, fakegithub.World{Faults: []fakegithub.Fault{{Method: "PUT", Status: 403, Times: -1}}})
		r := c.run(map[string]string{"secret_name": "DB_PASSWORD", "secret_value": plain}, nil)
		if r.code != 1 || r.outputs["operation"] != "failed" || r.outputs["encrypted_value"] == "" || !strings.Contains(r.summary, "Store manually") {
			t.Errorf("exit code %d, outputs %v, summary\n%s", r.code, r.outputs, r.summary)
		}
		c.stored("old")
	})
	t.Run("is told nothing useful", func(t *testing.T) {
		c := newContainer(t, fakegithub.World{})
		r := c.run(map[string]string{"secret_name": "db-password", "visibility": "privat"}, nil)
		if r.code != 1 || r.outputs["operation"] != "failed" || r.outputs["results"] != "[]" || len(c.github.Requests()) != 0 {
			t.Errorf("exit code %d, outputs %v", r.code, r.outputs)
		}
		if len(r.log.Annotations) != 1 || !strings.HasPrefix(r.log.Annotations[0].Message, "3 problems in the inputs") {
			t.Errorf("annotations: %v", r.log.Annotations)
		}
	})
	t.Run("gets SIGINT as PID 1", func(t *testing.T) {
		waiting := make(chan struct{}, 1)
		c := newContainer(t, fakegithub.World{Faults: []fakegithub.Fault{{
			Method: "PUT", Status: 503, Headers: map[string]string{"Retry-After": "60"}, Hook: func() { waiting <- struct{}{} },
		}}})
		r := c.run(map[string]string{"secret_name": "DB_PASSWORD", "secret_value": plain}, func() {
			<-waiting
			if out, err := exec.Command("docker", "kill", "--signal", "INT", c.name).CombinedOutput(); err != nil {
				t.Errorf("docker kill: %s", out)
			}
		})
		if r.code != 1 || r.took > 5*time.Second || r.outputs["operation"] != "failed" || r.outputs["encrypted_value"] == "" {
			t.Errorf("exit code %d after %v, outputs %v\n%s", r.code, r.took, r.outputs, r.stdout)
		}
	})
	t.Run("seals without a network", func(t *testing.T) {
		c := newContainer(t, fakegithub.World{})
		c.network = "none"
		id, key := c.github.Key("acme", "actions")
		r := c.run(map[string]string{"mode": "seal", "secret_name": "DB_PASSWORD", "secret_value": plain, "token": "", "public_key": key, "key_id": id}, nil)
		if r.code != 0 || r.outputs["key_id"] != id || r.outputs["encrypted_value"] == "" {
			t.Fatalf("exit code %d\n%s", r.code, r.stdout)
		}
		c.network = "host"
		c.write("file_commands/out", "")
		if r := c.run(map[string]string{"secret_name": "DB_PASSWORD", "sealed": r.outputs["results"]}, nil); r.code != 0 {
			t.Errorf("exit code %d\n%s", r.code, r.stdout)
		}
		c.stored(plain)
	})
}
