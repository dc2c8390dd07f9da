// Command set-org-secret creates or updates a GitHub organization secret. It is
// the entrypoint of a Docker-based GitHub Action; README.md tells how it is used.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"set-org-secret/internal/action"
)

func main() {
	// A log that nobody reads any more is no reason to leave a secret unstored:
	// without this, writing to it would end the process.
	signal.Ignore(syscall.SIGPIPE)
	// The runner cancels with SIGINT, then with SIGTERM.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := action.Main(ctx, action.System())
	stop()
	os.Exit(code)
}
