package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/mod/semver"
)

var (
	versionPattern = regexp.MustCompile(`(?m)^const Version = "([^"]*)"$`)
	// A document uses the action by version, or by commit with the version behind it.
	usePattern = regexp.MustCompile(`/set-org-secret@(?:COMMIT # )?(\S+)`)
)

// plan returns the name of the image, or an error if version cannot be released from
// the checkout dir. It runs before anything is built or pushed.
func plan(dir, version, repository string) (image string, err error) {
	if image, err = imageName(repository); err != nil {
		return "", err
	}
	if err := checkVersion(version); err != nil {
		return "", err
	}
	if err := checkTags(dir, version); err != nil {
		return "", err
	}
	if err := checkSource(dir, version); err != nil {
		return "", err
	}
	if err := checkDocuments(dir, version); err != nil {
		return "", err
	}
	if err := checkChangelog(dir, version); err != nil {
		return "", err
	}
	// A file that cannot be pinned must be found now, and not after the image is pushed.
	action, err := os.ReadFile(filepath.Join(dir, "action.yml"))
	if err != nil {
		return "", err
	}
	if _, err := pin(action, image, "sha256:"+strings.Repeat("0", 64)); err != nil {
		return "", err
	}
	return image, nil
}

// checkVersion refuses all but vMAJOR.MINOR.PATCH. A pre-release would be the one that
// the Marketplace offers.
func checkVersion(version string) error {
	if !semver.IsValid(version) || semver.Canonical(version) != version || semver.Prerelease(version) != "" {
		return fmt.Errorf("version %q is not of the form v1.2.3", version)
	}
	return nil
}

// checkTags refuses a version that is not newer than each tag that is a version.
func checkTags(dir, version string) error {
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
		if semver.IsValid(tag) && semver.Compare(version, tag) <= 0 {
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

// checkSource compares the version with the one that the program sends to GitHub.
func checkSource(dir, version string) error {
	const file = "internal/action/action.go"
	text, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return err
	}
	found := versionPattern.FindAllSubmatch(text, -1)
	if len(found) != 1 {
		return fmt.Errorf("%s has %d constants Version, want 1", file, len(found))
	}
	if got := string(found[0][1]); got != version {
		return fmt.Errorf("%s has version %q, want %q", file, got, version)
	}
	return nil
}

// checkDocuments compares the version with the one in each example of the documents,
// and in the workflows to copy.
func checkDocuments(dir, version string) error {
	readme := filepath.Join(dir, "README.md")
	files := []string{readme}
	for _, pattern := range []string{".github/docs/*.md", ".github/workflows/examples/*.yml"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err
		}
		files = append(files, found...)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		uses := usePattern.FindAllSubmatch(text, -1)
		if file == readme && len(uses) == 0 {
			return errors.New("README.md does not use the action")
		}
		for _, use := range uses {
			if got := string(use[1]); got != version {
				return fmt.Errorf("%s uses version %q, want %q", filepath.Base(file), got, version)
			}
		}
	}
	return nil
}

// checkChangelog refuses a version that is not the newest of the changelog, or that
// would leave changes out.
func checkChangelog(dir, version string) error {
	sections, err := readChangelog(dir)
	if err != nil {
		return err
	}
	if sections[0].version == unreleased {
		if sections[0].text != "" {
			return fmt.Errorf("%s has unreleased changes, which belong to a version", changelogFile)
		}
		sections = sections[1:]
	}
	if len(sections) == 0 || sections[0].version != version {
		return fmt.Errorf("the newest version of %s is not %s", changelogFile, version)
	}
	return nil
}
