// Command demo runs the action against a fake GitHub on a loopback address. It needs no token, no network and no
// Docker. It shows the inputs and the logs of a rotation while GitHub has errors, a write that fails for good, the run
// that finishes it, and a check. The first run compiles for half a minute.
//
//	go run ./internal/demo [-v]
//	go run ./internal/demo -serve 127.0.0.1:8080 [-world world.json]
//
// With -v it also prints the outputs, the job summaries and the requests. With -serve it only serves the fake
// GitHub, for use with the image or curl. In addition to the API it serves /_fake/state, /_fake/requests and
// /_fake/key/ORG/STORE; see [fakegithub.Server.Control].
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
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
	worldFile := flag.String("world", "", "with -serve: initial state of the fake GitHub, a JSON `file`")
	verbose := flag.Bool("v", false, "also print the outputs, the job summaries and the requests")
	flag.Parse()
	if err := run(*addr, *worldFile, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(addr, worldFile string, verbose bool) error {
	if addr != "" {
		return serve(addr, worldFile)
	}
	if worldFile != "" {
		return errors.New("-world needs -serve")
	}
	return showAll(os.Stdout, verbose)
}

// showAll runs the demo against a fake GitHub on a free port.
func showAll(w io.Writer, verbose bool) error {
	github, err := fakegithub.New(demoWorld())
	if err != nil {
		return err
	}
	server := httptest.NewServer(github)
	defer server.Close()
	s := show{w: w, github: github, env: action.System(), apiURL: server.URL, verbose: verbose}
	return s.run()
}

// serve serves the fake GitHub until the process is interrupted.
func serve(addr, worldFile string) error {
	world, err := readWorld(worldFile)
	if err != nil {
		return err
	}
	github, err := fakegithub.New(world)
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
	mux := http.NewServeMux()
	mux.Handle("/_fake/", http.StripPrefix("/_fake", github.Control()))
	mux.Handle("/", github)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// readWorld returns the world of a file, or rotationWorld if there is none.
func readWorld(file string) (fakegithub.World, error) {
	if file == "" {
		return rotationWorld(), nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return fakegithub.World{}, err
	}
	return fakegithub.ParseWorld(text)
}
