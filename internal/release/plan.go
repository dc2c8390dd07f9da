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
	constantPattern   = regexp.MustCompile(`(?m)^const Version = "([^"]*)"$`)
	// Groups of https://keepachangelog.com/en/1.1.0/, each with a list.
	changesPattern = regexp.MustCompile(
		`^(?:\n*### (?:Added|Changed|Deprecated|Removed|Fixed|Security)\n\n- .*\n(?:[ -].*\n|\n)*)+$`)
	// A repository of this name, or the placeholder for its owner. The brackets keep the
	// command that replaces the placeholder (releasing.md) from changing this line.
	namePattern = regexp.MustCompile("(?i)[^\\s/\"'`(\\[<=@:,]+/set-org-secret(?:[.-]*\\w)*|[<]owner>")
)

// plan returns the name of the image, or an error with each reason why version cannot
// be released from the checkout dir. It runs before anything is built or pushed.
// TestVersions and TestExamples run next: they check that the documents have the version.
func plan(dir, version, repository string) (image string, err error) {
	image = "ghcr.io/" + strings.ToLower(repository) // the registry refuses upper case
	return image, errors.Join(
		checkRepository(repository),
		checkTags(dir, version),
		checkNames(dir, repository),
		checkFile(dir, "internal/action/action.go", func(text string) error { return checkSource(text, version) }),
		checkFile(dir, "CHANGELOG.md", func(text string) error { return checkChangelog(text, version) }),
		checkFile(dir, "action.yml", func(text string) error {
			_, err := pin([]byte(text), image, "sha256:"+strings.Repeat("0", 64))
			return err
		}),
	)
}

func checkRepository(repository string) error {
	if !repositoryPattern.MatchString(repository) {
		return fmt.Errorf("repository %q is not OWNER/NAME", repository)
	}
	return nil
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

func checkFile(dir, name string, check func(text string) error) error {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	if err := check(string(text)); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// checkSource compares the version with the one that the program sends to GitHub.
func checkSource(text, version string) error {
	found := constantPattern.FindAllStringSubmatch(text, -1)
	if len(found) != 1 {
		return fmt.Errorf("there are %d constants Version, want 1", len(found))
	}
	if got := found[0][1]; got != version {
		return fmt.Errorf("the version is %q, want %s", got, version)
	}
	return nil
}

// checkChangelog rejects a version that is not the newest in the changelog, and any
// version while there are unreleased changes.
func checkChangelog(text, version string) error {
	_, newest, _ := strings.Cut(text, "\n## ")
	if below, ok := strings.CutPrefix(newest, "[Unreleased]\n"); ok {
		changes, rest, _ := strings.Cut(below, "\n## ")
		if strings.TrimSpace(changes) != "" {
			return errors.New("unreleased changes, which belong to a version")
		}
		newest = rest
	}
	heading, below, _ := strings.Cut(newest, "\n")
	date, ok := strings.CutPrefix(heading, "["+strings.TrimPrefix(version, "v")+"] - ")
	if !ok {
		return fmt.Errorf("the newest version is %q, want %s", heading, version)
	}
	if _, err := time.Parse(time.DateOnly, date); err != nil {
		return fmt.Errorf("the heading %q has no date of the form 2006-01-02", heading)
	}
	if changes, _, _ := strings.Cut(below, "\n## "); !changesPattern.MatchString(changes) {
		return fmt.Errorf("%s: want groups such as \"### Added\", each with a list", version)
	}
	return nil
}
