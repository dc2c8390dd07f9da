package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"

	"go.yaml.in/yaml/v3"
)

var (
	// The line of action.yml that a release replaces.
	imageLine = regexp.MustCompile(`(?m)^  image: Dockerfile\n`)
	// A host and a path, in lower case and without a tag; the port is for a registry in tests.
	imagePattern = regexp.MustCompile(
		`^[a-z0-9]+(?:[.-][a-z0-9]+)*(?::[0-9]{1,5})?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+$`)
	digestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// pinFile replaces the image in a file. It writes nothing if pin returns an error.
func pinFile(path, image, digest string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	pinned, err := pin(text, image, digest)
	if err != nil {
		return err
	}
	return os.WriteFile(path, pinned, 0o644)
}

// pin returns action.yml with the image instead of the Dockerfile. It returns an error
// if more than this would change, or if the result does not run exactly this image. The
// runner and actionlint would accept a tag, and actionlint any text.
func pin(action []byte, image, digest string) ([]byte, error) {
	if !imagePattern.MatchString(image) {
		return nil, fmt.Errorf("image %q is not the name of an image (host and path in lower case, no tag)", image)
	}
	if !digestPattern.MatchString(digest) {
		return nil, fmt.Errorf("digest %q is not sha256: and 64 hexadecimal digits in lower case", digest)
	}
	if n := len(imageLine.FindAll(action, -1)); n != 1 {
		return nil, fmt.Errorf("action.yml has %d lines \"  image: Dockerfile\", want 1", n)
	}
	ref := "docker://" + image + "@" + digest
	pinned := imageLine.ReplaceAllLiteral(action, []byte("  image: "+ref+"\n"))
	before, image1, err := splitImage(action)
	if err != nil {
		return nil, err
	}
	after, image2, err := splitImage(pinned)
	if err != nil {
		return nil, err
	}
	if image1 != "Dockerfile" || image2 != ref {
		return nil, fmt.Errorf("runs.image is %q and would become %q, want \"Dockerfile\" and %q", image1, image2, ref)
	}
	if !reflect.DeepEqual(before, after) {
		return nil, errors.New("more than runs.image would change in action.yml")
	}
	return pinned, nil
}

// splitImage parses action.yml, and returns runs.image and everything else.
func splitImage(action []byte) (rest map[string]any, image string, err error) {
	if err := yaml.Unmarshal(action, &rest); err != nil {
		return nil, "", fmt.Errorf("action.yml: %w", err)
	}
	runs, ok := rest["runs"].(map[string]any)
	if !ok {
		return nil, "", errors.New("action.yml has no mapping runs")
	}
	image, ok = runs["image"].(string)
	if !ok {
		return nil, "", errors.New("runs.image in action.yml is not a text")
	}
	delete(runs, "image")
	return rest, image, nil
}
