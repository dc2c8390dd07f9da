package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
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

func TestPlanRefuses(t *testing.T) {
	tests := []struct {
		name, version, repository string
		file, text                string // written over the checkout's
		want                      string
	}{
		{name: "no number", version: "v", want: `version "v" is not of the form v1.2.3`},
		{name: "no v", version: "1.3.0", want: "not of the form"},
		{name: "short", version: "v1.3", want: "not of the form"},
		{name: "leading zero", version: "v1.03.0", want: "not of the form"},
		{name: "pre-release", version: "v1.3.0-rc.1", want: "not of the form"},
		{name: "build metadata", version: "v1.3.0+a", want: "not of the form"},
		{name: "a second line", version: "v1.3.0\nimage=x", want: "not of the form"},
		{name: "same as a tag", version: "v1.2.10", want: "version v1.2.10 is not newer than the tag v1.2.10"},
		{name: "older in numbers, not in letters", version: "v1.2.9", want: "not newer than the tag v1.2.10"},
		{name: "no repository", repository: "-", want: `repository "-" is not OWNER/NAME`},
		{name: "repository with a host", repository: "a/b/c", want: "is not OWNER/NAME"},
		{name: "a second line of the repository", repository: "a/b\nx", want: "is not OWNER/NAME"},
		{name: "no image name", repository: "a/b.", want: "is not the name of an image"},
		{
			name: "no version in the program", file: "internal/action/action.go",
			text: "var Version = \"v1.3.0\"\n", want: "action.go: there are 0 constants Version, want 1",
		},
		{name: "action.yml that cannot be pinned", file: "action.yml", text: "runs: {}\n", want: "action.yml has 0 lines"},
	}
	template := checkout(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := clone(t, template)
			if test.file != "" {
				write(t, dir, test.file, test.text)
			}
			_, err := plan(dir, cmp.Or(test.version, "v1.3.0"), cmp.Or(test.repository, "owner/set-org-secret"))
			wantError(t, err, test.want)
		})
	}
	t.Run("shallow", func(t *testing.T) {
		dir := clone(t, template)
		runGit(t, dir, "commit", "--quiet", "--allow-empty", "--message", "second")
		parent := t.TempDir()
		runGit(t, parent, "clone", "--quiet", "--depth", "1", "file://"+dir, "shallow")
		_, err := plan(filepath.Join(parent, "shallow"), "v1.3.0", "a/b")
		wantError(t, err, "shallow")
	})
	t.Run("no repository at all", func(t *testing.T) {
		_, err := plan(t.TempDir(), "v1.3.0", "a/b")
		wantError(t, err, "git rev-parse")
	})
	for _, file := range []string{"action.yml", "CHANGELOG.md", "internal/action/action.go"} {
		t.Run("no "+file, func(t *testing.T) {
			dir := clone(t, template)
			if err := os.Remove(filepath.Join(dir, file)); err != nil {
				t.Fatal(err)
			}
			if _, err := plan(dir, "v1.3.0", "a/b"); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("got the error %v, want one about a missing file", err)
			}
		})
	}
}

// TestNames checks that no document names another repository than that of the release.
func TestNames(t *testing.T) {
	const placeholder = "<" + "OWNER>" // releasing.md has a command that replaces it elsewhere
	tests := []struct{ name, file, text, want string }{
		{"another owner", "README.md", "a\n- uses: b/set-org-secret@v1.3.0\n", "README.md:2: names b/set-org-secret, want "},
		{"another name", "README.md", "owner/set-org-secret-2", "README.md:1: names owner/set-org-secret-2"},
		{"upper case", "README.md", "Someone/Set-Org-Secret", "README.md:1: names Someone/Set-Org-Secret"},
		{"letters that look alike", "README.md", "οwner/set-org-secret", "README.md:1: names οwner/set-org-secret"},
		{"placeholder", "README.md", placeholder + "/set-org-secret", "README.md:1: names " + placeholder + ", want"},
		{"placeholder in lower case", "README.md", strings.ToLower(placeholder), "README.md:1: names "},
		{"placeholder of a team", ".github/CODEOWNERS", "\n* @" + placeholder + "/a\n", "CODEOWNERS:2: names " + placeholder},
		{"action.yml", "action.yml", testAction + "# someone/set-org-secret", "action.yml:9: names someone/set-org-secret"},
		{"URL", "README.md", "(https://github.com/someone/set-org-secret)", "README.md:1: names someone/set-org-secret"},
		{"image", "README.md", "`ghcr.io/someone/set-org-secret@sha256:00`", "README.md:1: names someone/set-org-secret"},
		{"two on a line", "README.md", "b/set-org-secret and c/set-org-secret.", "README.md:1: names c/set-org-secret, want "},
		{"this repository", "README.md", "[a](https://github.com/OWNER/set-org-secret). ghcr.io/owner/set-org-secret.\n", ""},
		{"no repository", "README.md", "entrypoint: /set-org-secret, module set-org-secret/internal\n", ""},
		{"a file that git does not track", ".github/other.yml", "someone/set-org-secret", ""},
	}
	template := checkout(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := clone(t, template)
			write(t, dir, test.file, test.text)
			_, err := plan(dir, "v1.3.0", "owner/set-org-secret")
			wantError(t, err, test.want)
		})
	}
	t.Run("in every file", func(t *testing.T) {
		_, err := plan(template, "v1.3.0", "someone/set-org-secret")
		wantError(t, err, "README.md:1: names Owner/Set-Org-Secret, want someone/set-org-secret")
		runGit(t, template, "rm", "--quiet", "--cached", "README.md", ".github/CODEOWNERS")
		_, err = plan(template, "v1.3.0", "someone/set-org-secret")
		wantError(t, err, "")
	})
}

// TestPin checks that exactly one line of this repository's action.yml changes.
func TestPin(t *testing.T) {
	const image = "127.0.0.1:5000/owner/set-org-secret"
	text := read(t, root, "action.yml")
	got, err := pin([]byte(text), image, testDigest)
	wantError(t, err, "")
	want := strings.Replace(text, "\n  image: Dockerfile\n", "\n  image: docker://"+image+"@"+testDigest+"\n", 1)
	if string(got) != want || want == text {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPinRefuses(t *testing.T) {
	tests := []struct{ name, action, image, digest, want string }{
		{name: "no digest", digest: "-", want: `digest "-" is not`},
		{name: "63 digits", digest: testDigest[:len(testDigest)-1], want: "is not sha256:"},
		{name: "65 digits", digest: testDigest + "0", want: "is not sha256:"},
		{name: "upper case digits", digest: "sha256:" + strings.Repeat("A", 64), want: "is not sha256:"},
		{name: "no hexadecimal digit", digest: "sha256:" + strings.Repeat("z", 64), want: "is not sha256:"},
		{name: "another algorithm", digest: "sha512:" + strings.Repeat("0", 128), want: "is not sha256:"},
		{name: "no algorithm", digest: strings.Repeat("0", 64), want: "is not sha256:"},
		{name: "a line after the digest", digest: testDigest + "\n", want: "is not sha256:"},
		{name: "no image", image: "-", want: `image "-" is not`},
		{name: "tag", image: testImage + ":v1.3.0", want: "is not the name of an image"},
		{name: "digest in the name", image: testImage + "@" + testDigest, want: "is not the name of an image"},
		{name: "upper case", image: "ghcr.io/Owner/set-org-secret", want: "is not the name of an image"},
		{name: "scheme", image: "docker://" + testImage, want: "is not the name of an image"},
		{name: "no host", image: "set-org-secret", want: "is not the name of an image"},
		{name: "a line after the image", image: testImage + "\n", want: "is not the name of an image"},
		{
			name: "already pinned", action: strings.Replace(testAction, "Dockerfile", "docker://"+testImage+"@"+testDigest, 1),
			want: "0 lines",
		},
		{name: "CRLF", action: strings.ReplaceAll(testAction, "\n", "\r\n"), want: "0 lines"},
		{name: "no newline", action: "runs:\n  image: Dockerfile", want: "0 lines"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir, action := t.TempDir(), cmp.Or(test.action, testAction)
			write(t, dir, "action.yml", action)
			err := pinFile(filepath.Join(dir, "action.yml"), cmp.Or(test.image, testImage), cmp.Or(test.digest, testDigest))
			wantError(t, err, test.want)
			if after := read(t, dir, "action.yml"); after != action {
				t.Errorf("action.yml was changed to\n%s", after)
			}
		})
	}
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

func TestRun(t *testing.T) {
	dir := checkout(t)
	t.Chdir(dir)
	var out bytes.Buffer
	wantError(t, run([]string{"plan", "v1.3.0", "Owner/Set-Org-Secret"}, &out), "")
	if want := "image=" + testImage + "\n"; out.String() != want {
		t.Errorf("plan printed %q, want %q", out.String(), want)
	}
	out.Reset()
	err := run([]string{"plan", "v9.9.9", "Owner/set-org-secret"}, &out)
	for _, reason := range []string{
		`action.go: the version is "v1.3.0", want v9.9.9`,
		`CHANGELOG.md: the newest version is "[1.3.0] - 2026-01-02", want v9.9.9`,
	} {
		wantError(t, err, reason)
	}
	if out.Len() > 0 {
		t.Errorf("plan printed %q about a version that cannot be released", out.String())
	}
	wantError(t, run([]string{"pin", testImage, testDigest}, &out), "")
	if got, want := runGit(t, dir, "diff", "--numstat"), "1\t1\taction.yml\n"; got != want {
		t.Errorf("after pin, got the difference %q, want %q", got, want)
	}
	wantError(t, run([]string{"plan", "", "a/b"}, &out), `version "" is not of the form`)
	for _, args := range [][]string{nil, {"plan"}, {"publish", "a", "b"}, {"pin", "a"}, {"plan", "v1.3.0", "a/b", "c"}} {
		wantError(t, run(args, &out), "want plan VERSION REPOSITORY")
	}
}

// TestThisRepository checks that the build of the image does not get this package.
func TestThisRepository(t *testing.T) {
	if !slices.Contains(strings.Split(read(t, root, ".dockerignore"), "\n"), "internal/release") {
		t.Error("internal/release is not in .dockerignore, so the build of the image has it")
	}
}
