// Command demo runs the action against a fake GitHub on a loopback address. It needs
// no token, no network and no Docker. It rotates existing secrets while GitHub
// returns an error and rotates its public key.
//
//	go run ./internal/demo
//	go run ./internal/demo -serve 127.0.0.1:8080 [-world world.json]
//
// With -serve it only serves the fake GitHub, for use with the image or curl. In
// addition to the API it serves /_fake/state, /_fake/requests,
// /_fake/key/ORG/STORE, /_fake/faults and /_fake/world; see
// [fakegithub.Server.Control].
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"set-org-secret/internal/action"
	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/fakerunner"
)

func main() {
	addr := flag.String("serve", "", "only serve the fake GitHub, at this loopback `address`")
	worldFile := flag.String("world", "", "initial state of the fake GitHub, a JSON `file`")
	flag.Parse()
	if err := run(*addr, *worldFile); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(addr, worldFile string) error {
	world := rotationWorld()
	if worldFile != "" {
		text, err := os.ReadFile(worldFile)
		if err != nil {
			return err
		}
		if world, err = fakegithub.ParseWorld(text); err != nil {
			return err
		}
	}
	github, err := fakegithub.New(world)
	if err != nil {
		return err
	}
	if addr != "" {
		return serve(addr, github)
	}
	return show(os.Stdout, github)
}

// oldValue is the value of a secret that the demo does not rotate.
const oldValue = "120 days old"

// rotationWorld returns an organization with existing secrets. The first write of
// DB_PASSWORD gets status 502, and before the second the public key is rotated.
func rotationWorld() fakegithub.World {
	return fakegithub.World{
		Orgs: []fakegithub.Org{{
			Login: "acme",
			Repositories: []fakegithub.Repository{
				{ID: 101, Name: "web"},
				{ID: 102, Name: "api", Private: true},
				{ID: 103, Name: "worker", Private: true},
				{ID: 104, Name: "docs"},
			},
			Secrets: []fakegithub.Secret{
				{
					Store: "actions", Name: "DB_PASSWORD", Value: "the previous password",
					Visibility: "selected", Repositories: []string{"web", "api", "worker"},
				},
				{
					Store: "actions", Name: "LEGACY_TOKEN", Value: oldValue,
					Visibility: "private", UpdatedAt: time.Now().AddDate(0, 0, -120),
				},
			},
		}},
		MaxWritesPerMinute: 80,
		Faults: []fakegithub.Fault{
			{Method: "PUT", Path: "/actions/secrets/DB_PASSWORD", Status: http.StatusBadGateway},
			{Method: "PUT", Path: "/actions/secrets/DB_PASSWORD", RotateKey: true},
		},
	}
}

// serve serves the fake GitHub until the process is interrupted.
func serve(addr string, github *fakegithub.Server) error {
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

// step is one step of a workflow that runs the action.
type step struct {
	title string
	with  map[string]string // inputs
}

// show runs the steps and prints the log, the outputs and the job summary of each.
// It returns an error if a step fails or GitHub does not have the expected secrets.
func show(w io.Writer, github *fakegithub.Server) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: github, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	defer func() { _ = server.Close() }()
	dir, err := os.MkdirTemp("", "set-org-secret-demo")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	// New values in each run, with characters that shells and parsers treat
	// specially.
	password := fmt.Sprintf("new-%d %%$'\\\" ::error::not a command", time.Now().UnixNano())
	key := fmt.Sprintf("-----BEGIN DEMO KEY-----\n%d\n-----END DEMO KEY-----\n", time.Now().UnixNano())
	batch := "DEPLOY_KEY<<EOF\n" + key + "\nEOF\nREGISTRY_TOKEN=" + password + "\n"
	batchFile := filepath.Join(dir, "rotated.env")
	if err := os.WriteFile(batchFile, []byte(batch), 0o600); err != nil {
		return err
	}
	base := map[string]string{"org": "acme", "token": "ghp_demo", "api_url": "http://" + listener.Addr().String()}
	steps := []step{
		{"Rotate a secret while GitHub returns an error and rotates its key", map[string]string{
			"secret_name": "DB_PASSWORD", "secret_value": password,
		}},
		{"Store a batch of two secrets in three stores", map[string]string{
			"secrets_file": batchFile, "stores": "actions, dependabot, codespaces",
		}},
		{"Check which secrets are due for rotation", map[string]string{
			"mode": "check", "secret_name": "*", "max_age": "30d",
		}},
	}
	for i, s := range steps {
		heading(w, "", fmt.Sprintf("step %d · %s", i+1, s.title))
		if err := runStep(w, dir, s, base); err != nil {
			return err
		}
	}

	heading(w, "", "the secrets that GitHub decrypted")
	if err := showSecrets(w, github, map[string]string{
		"DB_PASSWORD": password, "DEPLOY_KEY": key, "REGISTRY_TOKEN": password, "LEGACY_TOKEN": oldValue,
	}); err != nil {
		return err
	}
	heading(w, "", "the requests that GitHub received")
	fmt.Fprint(w, indent(github.RequestLog()))
	return nil
}

// showSecrets prints the secrets that GitHub has. It returns an error if a value is
// not the wanted one or the access to DB_PASSWORD has changed.
func showSecrets(w io.Writer, github *fakegithub.Server, want map[string]string) error {
	for _, s := range github.Secrets() {
		if s.Value != want[s.Name] {
			return fmt.Errorf("the value of %s in %s is not the one that was passed", s.Name, s.Store)
		}
		fmt.Fprintf(w, "  %-14s  %-10s  %3d bytes as passed   %s %s\n",
			s.Name, s.Store, len(s.Value), s.Visibility, strings.Join(s.Repositories, ", "))
	}
	s, _ := github.Secret("acme", "actions", "DB_PASSWORD")
	if !slices.Equal(s.Repositories, []string{"api", "web", "worker"}) {
		return fmt.Errorf("access to DB_PASSWORD has changed to %q", s.Repositories)
	}
	return nil
}

// runStep runs the action with the inputs of base and of the step.
func runStep(w io.Writer, dir string, s step, base map[string]string) error {
	env := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": dir,
		"GITHUB_OUTPUT": filepath.Join(dir, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(dir, "summary"),
	}
	for _, file := range []string{"output", "summary"} {
		_ = os.Remove(filepath.Join(dir, file))
	}
	for _, with := range []map[string]string{base, s.with} {
		for name, value := range with {
			env["INPUT_"+strings.ToUpper(name)] = value
		}
	}
	system := action.System()
	system.Getenv = func(name string) string { return env[name] }
	system.Environ = nil // that of this process has other inputs, if it runs in a workflow
	var stdout bytes.Buffer
	system.Stdout = &stdout
	code := action.Main(context.Background(), system)

	runner := fakerunner.New()
	heading(w, "  ", "the log as GitHub shows it")
	fmt.Fprint(w, indent(strings.Join(runner.Process(stdout.String()).Lines, "\n")))
	if code != 0 {
		return fmt.Errorf("the action exited with code %d", code)
	}
	text, err := os.ReadFile(env["GITHUB_OUTPUT"])
	if err != nil {
		return err
	}
	outputs, order, err := fakerunner.ParseOutputs(string(text))
	if err != nil {
		return err
	}
	heading(w, "  ", "the outputs")
	for _, name := range order {
		value := outputs[name]
		if len(value) > 110 {
			value = value[:110] + "…"
		}
		fmt.Fprintf(w, "    %s = %s\n", name, value)
	}
	if text, err = os.ReadFile(env["GITHUB_STEP_SUMMARY"]); err != nil {
		return err
	}
	heading(w, "  ", "the job summary")
	fmt.Fprint(w, indent(string(text)))
	return nil
}

func heading(w io.Writer, indentation, text string) {
	width := 74 - len(indentation) - len([]rune(text))
	fmt.Fprintf(w, "\n%s── %s %s\n", indentation, text, strings.Repeat("─", max(0, width)))
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ") + "\n"
}
