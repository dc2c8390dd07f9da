package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/semver"
)

const (
	changelogFile = "CHANGELOG.md"
	unreleased    = "Unreleased"
)

// section is what the changelog has about one version.
type section struct {
	version string // with the v of a tag, or Unreleased
	text    string // the groups of changes, without the heading
}

var (
	headingPattern = regexp.MustCompile(`^## \[([^\]]+)\](?: - (\S+))?$`)
	groups         = []string{"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
)

// readChangelog reads a changelog in the form of https://keepachangelog.com/en/1.1.0/,
// the newest version first. It returns at least one section.
func readChangelog(dir string) ([]section, error) {
	text, err := os.ReadFile(filepath.Join(dir, changelogFile))
	if err != nil {
		return nil, err
	}
	sections, err := parseChangelog(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", changelogFile, err)
	}
	return sections, nil
}

func parseChangelog(text string) ([]section, error) {
	var sections []section
	for _, part := range strings.Split("\n"+text, "\n## ")[1:] {
		heading, body, _ := strings.Cut(part, "\n")
		version, err := parseHeading("## " + heading)
		if err != nil {
			return nil, err
		}
		body = strings.TrimSpace(body)
		if err := checkGroups(body); err != nil {
			return nil, fmt.Errorf("%s: %w", version, err)
		}
		if err := checkOrder(sections, version); err != nil {
			return nil, err
		}
		if body == "" && version != unreleased {
			return nil, fmt.Errorf("%s has no changes", version)
		}
		sections = append(sections, section{version, body})
	}
	if len(sections) == 0 {
		return nil, errors.New("there is no version")
	}
	return sections, nil
}

// parseHeading returns the version of "## [1.2.3] - 2006-01-02" or "## [Unreleased]".
func parseHeading(heading string) (version string, err error) {
	m := headingPattern.FindStringSubmatch(heading)
	if m == nil {
		return "", fmt.Errorf("the heading %q is not of the form \"## [1.2.3] - 2006-01-02\"", heading)
	}
	if m[1] == unreleased && m[2] == "" {
		return unreleased, nil
	}
	version = "v" + m[1]
	if err := checkVersion(version); err != nil {
		return "", fmt.Errorf("the heading %q: %w", heading, err)
	}
	if _, err := time.Parse(time.DateOnly, m[2]); err != nil {
		return "", fmt.Errorf("the heading %q has no date of the form 2006-01-02", heading)
	}
	return version, nil
}

// checkOrder refuses a version that is not older than the one above it.
func checkOrder(above []section, version string) error {
	if len(above) == 0 {
		return nil
	}
	last := above[len(above)-1].version
	if version == unreleased || last != unreleased && semver.Compare(version, last) >= 0 {
		return fmt.Errorf("%s stands below %s, want the newest first", version, last)
	}
	return nil
}

// checkGroups checks that all text stands in groups of changes, none of them empty.
func checkGroups(body string) error {
	if body == "" {
		return nil
	}
	parts := strings.Split("\n"+body, "\n### ")
	if strings.TrimSpace(parts[0]) != "" {
		return fmt.Errorf("text before the first group: %.40q", strings.TrimSpace(parts[0]))
	}
	for _, part := range parts[1:] {
		name, changes, _ := strings.Cut(part, "\n")
		if !slices.Contains(groups, name) {
			return fmt.Errorf("unknown group %q, want one of %s", name, strings.Join(groups, ", "))
		}
		if !strings.HasPrefix(strings.TrimSpace(changes), "- ") {
			return fmt.Errorf("the group %s has no list of changes", name)
		}
	}
	return nil
}
