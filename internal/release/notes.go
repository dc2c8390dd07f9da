package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// release is what the notes are about.
type release struct{ version, repository, source, digest string }

var (
	commitPattern   = regexp.MustCompile(`^[0-9a-f]{40}$`)
	buildKitPattern = regexp.MustCompile(`image=(moby/buildkit:v[0-9.]+@sha256:[0-9a-f]{64})\b`)
)

// notes returns the text of a release: the changes, and how to check the image.
func notes(dir string, r release) (string, error) {
	image, err := imageName(r.repository)
	if err != nil {
		return "", err
	}
	if err := checkDigest(r.digest); err != nil {
		return "", err
	}
	if !commitPattern.MatchString(r.source) {
		return "", fmt.Errorf("source %q is not a commit of 40 hexadecimal digits", r.source)
	}
	sections, err := readChangelog(dir)
	if err != nil {
		return "", err
	}
	buildKit, err := readBuildKit(dir)
	if err != nil {
		return "", err
	}
	for _, s := range sections {
		if s.version == r.version && s.version != unreleased {
			return s.text + "\n\n" + r.check(image, buildKit), nil
		}
	}
	return "", fmt.Errorf("%s has nothing about %q", changelogFile, r.version)
}

// readBuildKit returns the BuildKit that the release was built with. Others may write
// other bytes, so whoever builds the image again needs it.
func readBuildKit(dir string) (string, error) {
	const file = ".github/workflows/image.yml"
	text, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return "", err
	}
	found := buildKitPattern.FindAllSubmatch(text, -1)
	if len(found) == 0 {
		return "", fmt.Errorf("%s names no BuildKit by digest", file)
	}
	for _, m := range found {
		if string(m[1]) != string(found[0][1]) {
			return "", fmt.Errorf("%s names more than one BuildKit", file)
		}
	}
	return string(found[0][1]), nil
}

// check returns the section with the commands to check the image, which differ for
// each release.
func (r release) check(image, buildKit string) string {
	return strings.NewReplacer(
		"{image}", image, "{digest}", r.digest, "{repository}", r.repository,
		"{source}", r.source, "{version}", r.version, "{buildkit}", buildKit,
	).Replace(checkText)
}

const checkText = `### Check the image

The action runs ` + "`{image}@{digest}`" + `, built from {source}, the parent of the commit of the tag.

` + "```sh" + `
gh attestation verify oci://{image}@{digest} --repo {repository} \
  --signer-workflow {repository}/.github/workflows/image.yml \
  --source-ref refs/heads/main --source-digest {source} --deny-self-hosted-runners
` + "```" + `

To build the same bytes for one platform; the digest printed last is one of those in the index, which
` + "`docker buildx imagetools inspect {image}@{digest}`" + ` lists:

` + "```sh" + `
git checkout {source}
docker buildx create --name rebuild --driver docker-container --driver-opt image={buildkit}
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) docker buildx build --builder rebuild --no-cache \
  --platform linux/amd64 --provenance=false --metadata-file build.json \
  --label org.opencontainers.image.source=https://github.com/{repository} \
  --label org.opencontainers.image.revision={source} \
  --label org.opencontainers.image.version={version} \
  --output type=oci,dest=image.tar,rewrite-timestamp=true,oci-mediatypes=true .
jq -r '."containerimage.digest"' build.json
` + "```" + `
`
