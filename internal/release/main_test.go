package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"
	"go.yaml.in/yaml/v3"
)

// TestSteps runs each script of testdata/steps.
func TestSteps(t *testing.T) { runScripts(t, "testdata/steps") }

// runScripts runs each script of a directory, in a repository from which v1.3.0 can be
// released: $source is its commit. $root is this repository; its .ci is in the PATH.
// Scripts have these commands:
//
//	release ARGUMENT...   this program
//	step WORKFLOW ID      the step of a workflow of this repository; it writes $WORK/output
//	setenv NAME FILE      sets a variable to the text of a file, without its last newline
func runScripts(t *testing.T, dir string) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	checkout, err := txtar.ParseFile("testdata/checkout.txtar")
	if err != nil {
		t.Fatal(err)
	}
	digits := strings.Repeat("0a", 31) // two less than a digest has
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Cd = filepath.Join(env.WorkDir, "checkout")
			source, err := commit(checkout, env.Cd)
			env.Vars = append(env.Vars, os.Environ()...)
			env.Vars = append(env.Vars,
				"PATH="+filepath.Join(root, ".ci")+":"+os.Getenv("PATH"), "root="+root, "source="+source,
				"image=ghcr.io/owner/set-org-secret", "digits="+digits, "digest=sha256:"+digits+"0a",
				"RUNNER_TEMP="+env.WorkDir, "GITHUB_OUTPUT="+filepath.Join(env.WorkDir, "output"))
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"release": func(ts *testscript.TestScript, neg bool, args []string) {
				err := run(ts.MkAbs("."), args, ts.Stdout())
				if err != nil {
					_, _ = fmt.Fprintln(ts.Stderr(), err)
				}
				wantFailure(ts, err, neg)
			},
			"step": func(ts *testscript.TestScript, neg bool, args []string) {
				commands, err := step(filepath.Join(root, ".github/workflows", args[0]), args[1])
				ts.Check(err)
				wantFailure(ts, ts.Exec("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", commands), neg)
			},
			"setenv": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Setenv(args[0], strings.TrimSuffix(ts.ReadFile(args[1]), "\n"))
			},
		},
	})
}

func wantFailure(ts *testscript.TestScript, err error, want bool) {
	if (err != nil) != want {
		ts.Fatalf("got the error %v, want one: %v", err, want)
	}
}

// commit makes a repository of files, with tags, and returns its commit.
func commit(files *txtar.Archive, dir string) (source string, err error) {
	if err := txtar.Write(files, dir); err != nil {
		return "", err
	}
	for _, args := range []string{
		"init --quiet", "config user.name a", "config user.email a@localhost", "add --all", "commit --quiet --message first",
		"tag v1.2.0", "tag v1.2.10", "tag latest", "tag v1",
	} {
		if _, err := git(dir, strings.Fields(args)...); err != nil {
			return "", err
		}
	}
	source, err = git(dir, "rev-parse", "HEAD")
	return strings.TrimSpace(source), err
}

// step returns the commands of the step of a workflow that has an id.
func step(workflow, id string) (string, error) {
	text, err := os.ReadFile(workflow)
	if err != nil {
		return "", err
	}
	var parsed struct {
		Jobs map[string]struct {
			Steps []struct{ ID, Run string }
		}
	}
	if err := yaml.Unmarshal(text, &parsed); err != nil {
		return "", err
	}
	for _, job := range parsed.Jobs {
		for _, step := range job.Steps {
			if step.ID == id && step.Run != "" {
				return step.Run, nil
			}
		}
	}
	return "", fmt.Errorf("%s has no step %s", workflow, id)
}

// TestTexts checks the texts of two files. The name of each ends in " => " and its error;
// without one, it is accepted.
func TestTexts(t *testing.T) {
	for file, check := range map[string]func(text []byte) error{
		"testdata/actions.txtar": func(text []byte) error {
			_, err := pin(text, "ghcr.io/owner/set-org-secret", "sha256:"+strings.Repeat("0a", 32))
			return err
		},
		"testdata/changelogs.txtar": func(text []byte) error {
			return checkChangelog("# Changelog\n\nAll changes.\n\n"+string(text), "v1.3.0")
		},
	} {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range archive.Files {
			name, want, _ := strings.Cut(text.Name, " =>")
			want = cmp.Or(strings.TrimSpace(want), "<nil>")
			t.Run(name, func(t *testing.T) {
				if err := check(text.Data); !strings.Contains(fmt.Sprint(err), want) {
					t.Errorf("got the error %v, want %s", err, want)
				}
			})
		}
	}
}
