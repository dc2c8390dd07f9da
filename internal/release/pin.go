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
	// A host, a path and a digest, no tag; the port is for a registry in tests.
	referencePattern = regexp.MustCompile(
		`^[a-z0-9]+(?:[.-][a-z0-9]+)*(?::[0-9]{1,5})?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+@sha256:[0-9a-f]{64}$`)
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

// actionFile is action.yml: runs.image, and everything else.
type actionFile struct {
	Runs struct {
		Image string
		Rest  map[string]any `yaml:",inline"`
	}
	Rest map[string]any `yaml:",inline"`
}

// pin returns action.yml with the image instead of the Dockerfile. It returns an error
// if more than this would change, or if the result does not run exactly this image. The
// runner and actionlint would accept a tag, and actionlint any text.
func pin(action []byte, image, digest string) ([]byte, error) {
	reference := image + "@" + digest
	if !referencePattern.MatchString(reference) {
		return nil, fmt.Errorf("image %q is not HOST/PATH@sha256:DIGEST in lower case", reference)
	}
	if n := len(imageLine.FindAll(action, -1)); n != 1 {
		return nil, fmt.Errorf("action.yml has %d lines \"  image: Dockerfile\", want 1", n)
	}
	pinned := imageLine.ReplaceAllLiteral(action, []byte("  image: docker://"+reference+"\n"))
	var want, got actionFile
	if err := yaml.Unmarshal(action, &want); err != nil {
		return nil, fmt.Errorf("action.yml: %w", err)
	}
	want.Runs.Image = "docker://" + reference
	if err := yaml.Unmarshal(pinned, &got); err != nil || !reflect.DeepEqual(got, want) {
		return nil, errors.New("action.yml: the line is not runs.image, or more than that would change")
	}
	return pinned, nil
}
