package main

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const (
	root      = "../.."
	testImage = "ghcr.io/owner/set-org-secret"
)

var testDigest = "sha256:" + strings.Repeat("0a", 32)

// wantError checks that an error has a text; an empty one means no error.
func wantError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case err == nil && want != "":
		t.Errorf("got no error, want one with %q", want)
	case err != nil && (want == "" || !strings.Contains(err.Error(), want)):
		t.Errorf("got the error %q, want one with %q", err, want)
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const (
	testAction    = "name: a\ninputs:\n  x:\n    default: '1'\nruns:\n  using: docker\n  image: Dockerfile\n  entrypoint: /a\n"
	testChangelog = "# Changelog\n\n## [Unreleased]\n\n" +
		"## [1.3.0] - 2026-01-02\n\n### Added\n\n- New.\n\n### Fixed\n\n- Mended.\n\n" +
		"## [1.2.0] - 2026-01-01\n\n### Removed\n\n- Old.\n"
)

// checkout makes a repository from which v1.3.0 can be released.
func checkout(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "action.yml", testAction)
	write(t, dir, "CHANGELOG.md", testChangelog)
	write(t, dir, "README.md", "- uses: Owner/Set-Org-Secret@v1.3.0\n")
	write(t, dir, ".github/CODEOWNERS", "* @owner/maintainers\n")
	write(t, dir, "internal/action/action_test.go", "// someone/set-org-secret, in a text of a test\n")
	write(t, dir, "internal/action/action.go", "package action\n\nconst Version = \"v1.3.0\"\n")
	runGit(t, dir, "init", "--quiet")
	runGit(t, dir, "add", "--all")
	runGit(t, dir, "commit", "--quiet", "--message", "first")
	for _, tag := range []string{"v1.2.0", "v1.2.10", "latest", "v1"} {
		runGit(t, dir, "tag", tag)
	}
	return dir
}

// clone copies a checkout, which is faster than to make another.
func clone(t *testing.T, template string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(template)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func runGit(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@localhost"}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// step returns the commands of the step of a workflow that has an id.
func step(t *testing.T, workflow, id string) string {
	t.Helper()
	var parsed struct {
		Jobs map[string]struct {
			Steps []struct{ ID, Run string }
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, root, ".github/workflows/"+workflow)), &parsed); err != nil {
		t.Fatal(err)
	}
	for _, job := range parsed.Jobs {
		for _, step := range job.Steps {
			if step.ID == id && step.Run != "" {
				return step.Run
			}
		}
	}
	t.Fatalf("%s has no step %s", workflow, id)
	return ""
}

// runBash runs commands as a workflow does, in dir, with programs from bin first.
func runBash(t *testing.T, dir, bin, commands string, env ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", commands)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return string(out), err
}

// scripts returns the directory .ci.
func scripts(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join(root, ".ci"))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// program writes a shell script that stands for a program.
func program(t *testing.T, bin, name, text string) {
	t.Helper()
	write(t, bin, name, "#!/bin/sh\n"+text+"\n")
	if err := os.Chmod(filepath.Join(bin, name), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestNotes(t *testing.T) {
	buildkit := "moby/buildkit:v0.32.2@" + testDigest
	tests := []struct{ name, version, workflow, want string }{
		{name: "released", workflow: "BUILDKIT: " + buildkit},
		{name: "BuildKit twice", workflow: buildkit + "\n" + buildkit},
		{name: "not in the changelog", version: "v9.9.9", workflow: buildkit, want: "nothing about v9.9.9"},
		{name: "unreleased", version: "Unreleased", workflow: buildkit, want: "nothing about Unreleased"},
		{name: "no BuildKit", workflow: "none", want: "one BuildKit by digest"},
		{name: "BuildKit without a digest", workflow: "moby/buildkit:v0.32.2", want: "one BuildKit by digest"},
		{name: "two BuildKits", workflow: buildkit + "\n" + buildkit[:20] + "0@" + testDigest, want: "one BuildKit by digest"},
	}
	template := checkout(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := clone(t, template)
			write(t, dir, ".github/workflows/image.yml", test.workflow+"\n")
			notes, err := runBash(t, dir, scripts(t), "release-notes "+cmp.Or(test.version, "v1.3.0")+
				" Owner/Set-Org-Secret "+testImage+" "+testDigest)
			wantError(t, err, test.want)
			if test.want != "" {
				return
			}
			source := strings.TrimSpace(runGit(t, dir, "rev-parse", "HEAD"))
			for _, want := range []string{
				"oci://" + testImage + "@" + testDigest + " --repo Owner/Set-Org-Secret ",
				"--signer-workflow Owner/Set-Org-Secret/.github/workflows/image.yml", "--source-digest " + source,
				"git checkout " + source + "\n", "SOURCE_DATE_EPOCH=$(git log", "image=" + buildkit + "\n",
				"image.version=v1.3.0 ",
			} {
				if !strings.Contains(notes, want) {
					t.Errorf("the notes do not have %q:\n%s", want, notes)
				}
			}
			if !strings.HasPrefix(notes, "### Added\n") || strings.Contains(notes, "Old.") {
				t.Errorf("the notes do not begin with the changes of the version alone:\n%s", notes)
			}
		})
	}
}

// TestBuildAgain runs the step that builds again, with the commands of the notes.
func TestBuildAgain(t *testing.T) {
	tests := []struct{ name, pushed, again, want string }{
		{"equal", testDigest, testDigest, ""},
		{"another image", testDigest, "sha256:" + strings.Repeat("b", 64), "built again"},
		{"neither has a digest", "", "", "built again"},
		{"the build fails", testDigest, "fails", "exit status 1"},
	}
	template := checkout(t)
	write(t, template, ".github/workflows/image.yml", read(t, root, ".github/workflows/image.yml"))
	if err := os.CopyFS(filepath.Join(template, ".ci"), os.DirFS(scripts(t))); err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir, bin := clone(t, template), t.TempDir()
			program(t, bin, "docker", `echo "$*" >> "$RUNNER_TEMP/commands"; [ "$1 $AGAIN" != "buildx fails" ]`)
			program(t, bin, "jq", `echo "$AGAIN"`)
			_, err := runBash(t, dir, bin, step(t, "image.yml", "again"), "ARCH=arm64", "DIGEST="+test.pushed,
				"AGAIN="+test.again, "IMAGE="+testImage, "VERSION=v1.3.0", "GITHUB_REPOSITORY=Owner/Set-Org-Secret",
				"RUNNER_TEMP="+bin)
			wantError(t, err, test.want)
			if test.want != "" {
				return
			}
			commands := read(t, bin, "commands")
			for _, want := range []string{
				"buildx create --name rebuild ", "--platform linux/arm64 ", "--label org.opencontainers.image.version=v1.3.0 ",
				"--label org.opencontainers.image.revision=" + strings.TrimSpace(runGit(t, dir, "rev-parse", "HEAD")) + " ",
			} {
				if !strings.Contains(commands, want) {
					t.Errorf("got the commands\n%s\nwant them to have %q", commands, want)
				}
			}
		})
	}
}

// TestCommit checks that the commit of a tag is the same whenever it is made, and that
// nothing but one line of action.yml gets into it.
func TestCommit(t *testing.T) {
	dir := checkout(t)
	commit := func(dir string, env ...string) error {
		_, err := runBash(t, dir, scripts(t), "release-commit v1.3.0", env...)
		return err
	}
	source := strings.TrimSpace(runGit(t, dir, "rev-parse", "HEAD"))
	wantError(t, commit(dir), "want a change of one line of action.yml")
	wantError(t, pinFile(filepath.Join(dir, "action.yml"), testImage, testDigest), "")
	write(t, dir, "CHANGELOG.md", "another change\n")
	wantError(t, commit(dir), "CHANGELOG.md")
	runGit(t, dir, "checkout", "--quiet", "CHANGELOG.md")
	again := clone(t, dir)
	wantError(t, commit(dir), "")
	wantError(t, commit(again, "TZ=Asia/Tokyo", "GIT_AUTHOR_NAME=other", "GIT_COMMITTER_DATE=2001-01-01T00:00:00Z"), "")
	made := runGit(t, dir, "rev-parse", "HEAD")
	if other := runGit(t, again, "rev-parse", "HEAD"); made != other {
		t.Errorf("got the commits %s and %s", made, other)
	}
	if got := strings.TrimSpace(runGit(t, dir, "rev-parse", "HEAD^")); got != source {
		t.Errorf("got the parent %s, want the source %s", got, source)
	}
	if got, want := runGit(t, dir, "diff", "--numstat", "HEAD^", "HEAD"), "1\t1\taction.yml\n"; got != want {
		t.Errorf("got the difference %q, want %q", got, want)
	}
}

// TestPublish runs the step that publishes a release, with a release of somebody else.
func TestPublish(t *testing.T) {
	asset := func(name, text string) string { return fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte(text)), name) }
	ours := asset("provenance.intoto.jsonl", "p") + asset("sbom.cdx.json", "s")
	const create = "release create v1.3.0 --verify-tag --title v1.3.0 --notes-file "
	tests := []struct{ name, draft, assets, commands, want string }{
		{"no release", "", ours, create, ""},
		{"a draft", "true", ours, "release delete v1.3.0 --yes\n" + create, ""},
		{"published by this step", "false", ours, "", ""},
		{"another file", "", ours + asset("set-org-secret", "x"), create, "> "},
		{"another text", "false", asset("provenance.intoto.jsonl", "p") + asset("sbom.cdx.json", "x"), "", "> "},
		{"no files", "false", "", "", "< "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			temp, bin := t.TempDir(), t.TempDir()
			write(t, temp, "evidence/provenance.intoto.jsonl", "p")
			write(t, temp, "evidence/sbom.cdx.json", "s")
			program(t, bin, "gh", `case "$1 $2" in
'release view') [ -n "$DRAFT" ] && echo "$DRAFT" ;;
'api repos/Owner/Name/releases/tags/v1.3.0') printf %s "$ASSETS" ;;
*) echo "$*" >> "$RUNNER_TEMP/commands" ;;
esac`)
			_, err := runBash(t, temp, bin, step(t, "release.yml", "publish"), "RUNNER_TEMP="+temp, "VERSION=v1.3.0",
				"GH_REPO=Owner/Name", "DRAFT="+test.draft, "ASSETS="+test.assets)
			wantError(t, err, test.want)
			commands, _ := os.ReadFile(filepath.Join(temp, "commands"))
			if got := string(commands); !strings.HasPrefix(got, test.commands) || (got == "") != (test.commands == "") {
				t.Errorf("got the commands %q, want %q", got, test.commands)
			}
		})
	}
}
