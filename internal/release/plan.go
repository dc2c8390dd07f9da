package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/mod/semver"
)

var (
	repositoryPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9][A-Za-z0-9._-]*$`)
	// A version and its date, and groups of https://keepachangelog.com/en/1.1.0/, each with
	// a list. Nothing is unreleased, because the release would leave it out.
	changelogPattern = regexp.MustCompile(`^(?:\[Unreleased\]\n+\n## )?\[(.+)\] - (.+)\n` +
		`(?:\n*### (?:Added|Changed|Deprecated|Removed|Fixed|Security)\n\n- .*\n(?:[ -].*\n|\n)*)+(?:\n## |$)`)
	// A repository of this name, or the placeholder for its owner. The brackets keep the
	// command that replaces the placeholder (releasing.md) from changing this line.
	namePattern = regexp.MustCompile("(?i)[^\\s/\"'`(\\[<=@:,]+/set-org-secret(?:[.-]*\\w)*|[<]owner>")
)

// plan returns the name of the image, or an error with each reason why version cannot
// be released from the checkout dir. It runs before anything is built or pushed.
// TestVersions and TestExamples run next: they check that the documents have the version.
func plan(dir, version, repository string) (image string, err error) {
	source, err1 := os.ReadFile(filepath.Join(dir, "internal/action/action.go"))
	changelog, err2 := os.ReadFile(filepath.Join(dir, "CHANGELOG.md"))
	action, err3 := os.ReadFile(filepath.Join(dir, "action.yml"))
	if err := errors.Join(err1, err2, err3); err != nil {
		return "", err
	}
	image = "ghcr.io/" + strings.ToLower(repository) // the registry refuses upper case
	_, err = pin(action, image, "sha256:"+strings.Repeat("0", 64))
	reasons := []error{
		err, checkTags(dir, version), checkNames(dir, repository), checkChangelog(string(changelog), version),
	}
	if !repositoryPattern.MatchString(repository) {
		reasons = append(reasons, fmt.Errorf("repository %q is not OWNER/NAME", repository))
	}
	// The program sends this version to GitHub.
	if line := fmt.Sprintf("const Version = %q", version); !strings.Contains(string(source), "\n"+line+"\n") {
		reasons = append(reasons, fmt.Errorf("internal/action/action.go has no line %s", line))
	}
	return image, errors.Join(reasons...)
}

// checkTags rejects a version unless it is newer than every tag of a version.
func checkTags(dir, version string) error {
	// No pre-release: the Marketplace would offer it as the newest version.
	if !semver.IsValid(version) || semver.Canonical(version) != version || semver.Prerelease(version) != "" {
		return fmt.Errorf("version %q is not of the form v1.2.3", version)
	}
	shallow, err := git(dir, "rev-parse", "--is-shallow-repository")
	if err != nil {
		return err
	}
	if strings.TrimSpace(shallow) != "false" {
		return errors.New("the checkout is shallow, so tags may be missing")
	}
	tags, err := git(dir, "tag", "--list")
	if err != nil {
		return err
	}
	for tag := range strings.FieldsSeq(tags) {
		if semver.Compare(version, tag) <= 0 { // another text is older than any version
			return fmt.Errorf("version %s is not newer than the tag %s", version, tag)
		}
	}
	return nil
}

func git(dir string, args ...string) (string, error) {
	out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// checkNames rejects documents that name another repository: workflows copied from
// them would run the code of its owner.
func checkNames(dir, repository string) error {
	files, err := git(dir, "ls-files", "-z", "--", "*.md", "action.yml", ".github")
	if err != nil {
		return err
	}
	var errs []error
	for file := range strings.SplitSeq(strings.TrimSuffix(files, "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(text), "\n") {
			for _, name := range namePattern.FindAllString(line, -1) {
				if !strings.EqualFold(name, repository) {
					errs = append(errs, fmt.Errorf("%s:%d: names %s, want %s", file, i+1, name, repository))
				}
			}
		}
	}
	return errors.Join(errs...)
}

// checkChangelog rejects a version that is not the newest in the changelog, and any
// version while there are unreleased changes.
func checkChangelog(text, version string) error {
	_, newest, _ := strings.Cut(text, "\n## ")
	if m := changelogPattern.FindStringSubmatch(newest); m != nil && "v"+m[1] == version {
		if _, err := time.Parse(time.DateOnly, m[2]); err == nil {
			return nil
		}
	}
	return fmt.Errorf("CHANGELOG.md: want \"## [%s] - YYYY-MM-DD\" as the newest version, with groups such as "+
		"\"### Added\", each with a list, and nothing unreleased", strings.TrimPrefix(version, "v"))
}
