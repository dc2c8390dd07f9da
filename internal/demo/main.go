// Command demo runs the action against a fake GitHub on a loopback address. It needs no token, no network and no
// Docker. It shows the inputs and the logs of a rotation while GitHub has errors, a write that fails for good, the run
// that finishes it, and a check. The first run compiles for half a minute.
//
//	go run ./internal/demo [-v]
//	go run ./internal/demo -serve 127.0.0.1:8080
//
// With -v it also prints the outputs, the job summaries and the requests. With -serve it only serves the fake
// GitHub, for use with the image or curl. In addition to the API it serves /_fake/state, the secrets decrypted; see
// [fakegithub.Server.Control].
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"time"

	"set-org-secret/internal/action"
	"set-org-secret/internal/fakegithub"
)

func main() {
	addr := flag.String("serve", "", "only serve the fake GitHub, at this loopback `address`")
	verbose := flag.Bool("v", false, "also print the outputs, the job summaries and the requests")
	flag.Parse()
	run := func() error { return showAll(*verbose) }
	if *addr != "" {
		run = func() error { return serve(*addr) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// showAll runs the demo against a fake GitHub on a free port.
func showAll(verbose bool) error {
	github, err := fakegithub.New(demoWorld())
	if err != nil {
		return err
	}
	server := httptest.NewServer(github)
	defer server.Close()
	s := show{w: os.Stdout, github: github, env: action.System(), apiURL: server.URL, verbose: verbose}
	return s.run()
}

// serve serves the fake GitHub until the process is interrupted.
func serve(addr string) error {
	github, err := fakegithub.New(rotationWorld())
	if err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host != "localhost" && !ip.IsLoopback() {
		return fmt.Errorf("%s is not a loopback address; the fake GitHub accepts any token", host)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	server := &http.Server{Handler: withControl(github), ReadHeaderTimeout: 10 * time.Second}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// withControl returns the fake GitHub and, at paths that the API does not have, its control.
func withControl(github *fakegithub.Server) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", github)
	mux.Handle("/_fake/", http.StripPrefix("/_fake", github.Control()))
	return mux
}
