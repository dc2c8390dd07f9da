//go:build image

package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// output runs a program, and returns what it prints, without space around it.
func output(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, &stderr)
	}
	return strings.TrimSpace(string(out))
}

// testPlatform returns the digest of the image that .ci/release pushed, as one for a platform.
func testPlatform(t *testing.T, platform string) string {
	t.Helper()
	image := os.Getenv("IMAGE")
	ref := output(t, "", "crane", "mutate", image+"@"+os.Getenv("DIGEST"), "--set-platform", platform,
		"--tag", image+":"+strings.ReplaceAll(platform, "/", "-"))
	return ref[strings.Index(ref, "sha256:"):]
}

// runStep runs a step of a workflow, and returns its output of this name.
func runStep(t *testing.T, dir, bin, workflow, id, name string, env ...string) (string, error) {
	t.Helper()
	write(t, dir, "output", "")
	env = append(env, "GITHUB_OUTPUT="+filepath.Join(dir, "output"), "RUNNER_TEMP="+t.TempDir(), "GOBIN="+t.TempDir())
	_, err := runBash(t, dir, bin, `PATH=$PATH:$GOBIN`+"\n"+step(t, workflow, id), env...)
	value, found := strings.CutPrefix(strings.TrimSuffix(read(t, dir, "output"), "\n"), name+"=")
	if err == nil && !found && name != "" {
		t.Errorf("the step %s has no output %s", id, name)
	}
	return value, err
}

// TestIndex joins two platforms while somebody else pushes to each tag of the image.
func TestIndex(t *testing.T) {
	image, version := os.Getenv("IMAGE"), "v1.3.0"
	amd64, arm64 := testPlatform(t, "linux/amd64"), testPlatform(t, "linux/arm64/v8")
	theirs := output(t, "", "crane", "index", "append", "--tag", image+":theirs", "--manifest", image+"@"+amd64)
	output(t, "", "crane", "tag", image+"@"+amd64, version)
	tags := output(t, "", "crane", "ls", image)
	crane, err := exec.LookPath("crane")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir() // with a crane after whose every command each tag is theirs
	program(t, bin, "crane", fmt.Sprintf(`'%[1]s' "$@"; code=$?
for tag in $('%[1]s' ls '%[2]s'); do '%[1]s' tag '%[3]s' "$tag"; done
exit $code`, crane, image, theirs))
	index, err := runStep(t, t.TempDir(), bin, "image.yml", "index", "index",
		"IMAGE="+image, "VERSION="+version, "AMD64="+amd64, "ARM64="+arm64)
	wantError(t, err, "")
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(index)))
	if got := output(t, "", "crane", "manifest", image+"@"+digest); got != index {
		t.Errorf("the registry has %s, want %s", got, index)
	}
	if got := output(t, "", "crane", "ls", image); got != tags {
		t.Errorf("got the tags %q, want those of before, %q", got, tags)
	}
	if got := output(t, "", "crane", "digest", image+":"+version); !strings.HasSuffix(theirs, got) {
		t.Errorf("the tag names %s, want theirs, %s", got, theirs) // or this test shows nothing
	}
	t.Logf("index %s", digest)
	subject := func(index string) (string, error) {
		return runStep(t, t.TempDir(), bin, "image.yml", "subject", "digest", "INDEX="+index, "AMD64="+amd64, "ARM64="+arm64)
	}
	got, err := subject(index)
	wantError(t, err, "")
	if got != digest {
		t.Errorf("the subject is %s, want %s", got, digest)
	}
	if t.Failed() {
		return
	}
	entry := regexp.MustCompile(`{"mediaType":"[^"]*manifest[^}]*}}`).FindAllString(index, -1)
	for name, change := range map[string][]string{
		"a third image":         {entry[1], entry[1] + "," + entry[0]},
		"one image":             {"," + entry[1], ""},
		"the other image":       {arm64, amd64},
		"the images swapped":    {arm64, "0", amd64, arm64, "0", amd64},
		"another platform":      {`"arm64"`, `"riscv64"`},
		"a key in another case": {`{"schema`, `{"Manifests":[],"schema`},
		"a key twice":           {`{"schema`, `{"manifests":[],"schema`},
		"annotations":           {`{"schema`, `{"annotations":{},"schema`},
		"a space":               {`:2`, `: 2`},
		"nothing":               {index, ""},
	} {
		changed := index
		for pair := range slices.Chunk(change, 2) {
			changed = strings.Replace(changed, pair[0], pair[1], 1)
		}
		if digest, err := subject(changed); err == nil || changed == index {
			t.Errorf("%s: got the subject %s, want an error, of %s", name, digest, changed)
		}
	}
}

// TestSBOM compares the SBOM of the image with Go's build information of its binary.
func TestSBOM(t *testing.T) {
	dir, image, digest := t.TempDir(), os.Getenv("IMAGE"), testPlatform(t, "linux/amd64")
	output(t, dir, "crane", "pull", "--format", "oci", image+"@"+digest, "layout")
	output(t, dir, "tar", "-cf", "image.tar", "-C", "layout", "blobs")
	_, err := runStep(t, dir, dir, "image.yml", "sbom", "", "DIGEST="+digest, "VERSION=v1.3.0")
	wantError(t, err, "")
	type component struct{ Name, Version string }
	var sbom struct {
		BOMFormat, SpecVersion, SerialNumber string // without which actions/attest rejects it
		Metadata                             struct{ Component component }
		Components                           []component
	}
	if err := json.Unmarshal([]byte(read(t, dir, "sbom.cdx.json")), &sbom); err != nil {
		t.Fatal(err)
	}
	if sbom.BOMFormat != "CycloneDX" || sbom.SpecVersion == "" || sbom.SerialNumber == "" {
		t.Errorf("got the format %q %q with the number %q", sbom.BOMFormat, sbom.SpecVersion, sbom.SerialNumber)
	}
	want := []component{{"set-org-secret", "v1.3.0"}}
	for line := range strings.Lines(output(t, dir, "go", "version", "-m", "set-org-secret")) {
		switch fields := strings.Fields(line); fields[0] {
		case "set-org-secret:":
			want = append(want, component{"std", fields[1]})
		case "dep":
			want = append(want, component{fields[1], fields[2]})
		}
	}
	got := append([]component{sbom.Metadata.Component}, sbom.Components...)
	byName := func(a, b component) int { return strings.Compare(a.Name, b.Name) }
	slices.SortFunc(got, byName)
	slices.SortFunc(want, byName)
	if !slices.Equal(got, want) || len(want) < 5 {
		t.Errorf("got the components %v, want %v", got, want)
	}
	t.Logf("SBOM: %d components", len(got))
}

// TestTag pushes the tag, once and again, as if the job ran again.
func TestTag(t *testing.T) {
	dir, temp := checkout(t), t.TempDir()
	remote := filepath.Join(temp, "bare")
	output(t, "", "git", "init", "--quiet", "--bare", remote)
	output(t, temp, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "key")
	push := func(key string) error {
		_, err := runStep(t, dir, temp, "release.yml", "tag", "", "KEY="+key, "REMOTE="+remote, "VERSION=v1.3.0")
		return err
	}
	wantError(t, push(""), "exit status")
	wantError(t, push(read(t, temp, "key")), "")
	wantError(t, push(read(t, temp, "key")), "")
	tagged := runGit(t, dir, "rev-parse", "HEAD")
	runGit(t, dir, "commit", "--quiet", "--allow-empty", "--message", "another")
	wantError(t, push(read(t, temp, "key")), "already exists")
	if got := runGit(t, remote, "rev-parse", "v1.3.0"); got != tagged {
		t.Errorf("the tag names %s, want %s", got, tagged)
	}
}
