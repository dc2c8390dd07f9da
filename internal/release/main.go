// Command release does the steps of a release that need more than a line of shell. It
// is run by .github/workflows/release.yml, and is not part of the image.
//
//	go run ./internal/release plan v0.1.0 OWNER/NAME
//	go run ./internal/release pin ghcr.io/owner/name sha256:…
//
// plan rejects a version that cannot be released, and prints the name of the image. pin
// writes the image into action.yml.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	if err := run(".", os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// run runs a command in the directory of a checkout.
func run(dir string, args []string, out io.Writer) error {
	if len(args) == 3 && args[0] == "pin" {
		return pinFile(filepath.Join(dir, "action.yml"), args[1], args[2])
	}
	if len(args) != 3 || args[0] != "plan" {
		return errors.New("want plan VERSION REPOSITORY, or pin IMAGE DIGEST")
	}
	image, err := plan(dir, args[1], args[2])
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "image=%s\n", image)
	return err
}
