// Command release does the steps of a release that need more than a line of shell. It
// is run by .github/workflows/release.yml, and is not part of the image.
//
//	go run ./internal/release plan -version v0.1.0 -repository OWNER/NAME
//	go run ./internal/release pin -image ghcr.io/owner/name -digest sha256:…
//	go run ./internal/release notes -version v0.1.0 -repository OWNER/NAME -source COMMIT -digest sha256:…
//
// plan refuses a version that cannot be released, and prints the name of the image. pin
// writes the image into action.yml. notes prints the text of the release.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("want a command: plan, pin or notes")
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	dir := flags.String("dir", ".", "the checkout")
	version := flags.String("version", "", "the version, such as v0.1.0")
	repository := flags.String("repository", "", "the repository, OWNER/NAME")
	image := flags.String("image", "", "the name of the image, without a tag")
	digest := flags.String("digest", "", "the digest of the image")
	source := flags.String("source", "", "the commit that the image was built from")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	switch args[0] {
	case "plan":
		name, err := plan(*dir, *version, *repository)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "image=%s\n", name)
		return err
	case "pin":
		return pinFile(filepath.Join(*dir, "action.yml"), *image, *digest)
	case "notes":
		text, err := notes(*dir, release{*version, *repository, *source, *digest})
		if err != nil {
			return err
		}
		_, err = io.WriteString(out, text)
		return err
	}
	return fmt.Errorf("unknown command %q, want plan, pin or notes", args[0])
}

var repositoryPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9][A-Za-z0-9._-]*$`)

// imageName returns the name of the image of a repository. The registry refuses upper
// case, which the name of a repository may have.
func imageName(repository string) (string, error) {
	if !repositoryPattern.MatchString(repository) {
		return "", fmt.Errorf("repository %q is not OWNER/NAME", repository)
	}
	name := "ghcr.io/" + strings.ToLower(repository)
	return name, checkImageName(name)
}
