// Command set-org-secret creates or updates GitHub organization secrets. It is the entrypoint of a Docker container
// action; see README.md for its use.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"set-org-secret/internal/action"
)

func main() {
	// With GODEBUG=http2debug=1, net/http logs request headers, and so the token.
	log.SetOutput(io.Discard)
	// Writing to a closed log must not end the process before the secrets are stored.
	signal.Ignore(syscall.SIGPIPE)
	// To cancel a step the runner sends SIGINT, then SIGTERM.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := action.Main(ctx, action.System())
	stop()
	os.Exit(code)
}
