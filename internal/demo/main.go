// Command demo shows the action at work against a fake GitHub on loopback: no
// token, no network, no Docker. A nightly rotation finds secrets that stand
// already, and GitHub on a bad night.
//
//	go run ./internal/demo
//	go run ./internal/demo -serve 127.0.0.1:8080 [-world world.json]
//
// With -serve the fake stays up, for trying the image or curl by hand; beside
// the API it answers at /_fake/state, /_fake/requests, /_fake/key/ORG/STORE,
// /_fake/faults and /_fake/world.
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
	addr := flag.String("serve", "", "keep the fake GitHub up at this loopback `address`")
	worldFile := flag.String("world", "", "what the fake GitHub holds, as a JSON `file`")
	flag.Parse()
	if err := run(*addr, *worldFile); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(addr, worldFile string) error {
	world := night()
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

// forgotten is a value that nobody has rotated for long.
const forgotten = "last spring's"

// night is an organization whose secrets stand, on a night on which the first
// write meets a bad gateway and the key is rotated before the second.
func night() fakegithub.World {
	return fakegithub.World{
		Orgs: []fakegithub.Org{{
			Login: "acme",
			Repositories: []fakegithub.Repository{
				{ID: 101, Name: "web"}, {ID: 102, Name: "api", Private: true}, {ID: 103, Name: "worker", Private: true}, {ID: 104, Name: "docs"},
			},
			Secrets: []fakegithub.Secret{
				{Store: "actions", Name: "DB_PASSWORD", Value: "last night's", Visibility: "selected", Repositories: []string{"web", "api", "worker"}},
				{Store: "actions", Name: "LEGACY_TOKEN", Value: forgotten, Visibility: "private", UpdatedAt: time.Now().AddDate(0, 0, -120)},
			},
		}},
		MaxWritesPerMinute: 80,
		Faults: []fakegithub.Fault{
			{Method: "PUT", Path: "/actions/secrets/DB_PASSWORD", Status: http.StatusBadGateway},
			{Method: "PUT", Path: "/actions/secrets/DB_PASSWORD", RotateKey: true},
		},
	}
}

func serve(addr string, github *fakegithub.Server) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host != "localhost" && !ip.IsLoopback() {
		return fmt.Errorf("%s is no loopback address, and a fake that takes any token belongs on no other", host)
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

// step is one run of the action, as a workflow would have it.
type step struct {
	title string
	with  map[string]string
}

// show runs the steps and prints what a person would see of each.
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

	// As a rotation makes it: new every time, with bytes that shells and
	// parsers like to spoil.
	password := fmt.Sprintf("new-%d %%$'\\\" ::error::not a command", time.Now().UnixNano())
	key := fmt.Sprintf("-----BEGIN DEMO KEY-----\n%d\n-----END DEMO KEY-----\n", time.Now().UnixNano())
	if err := os.WriteFile(filepath.Join(dir, "rotated.env"), []byte("DEPLOY_KEY<<EOF\n"+key+"\nEOF\nREGISTRY_TOKEN="+password+"\n"), 0o600); err != nil {
		return err
	}
	base := map[string]string{"org": "acme", "token": "ghp_demo", "api_url": "http://" + listener.Addr().String()}
	steps := []step{
		{"One secret: DB_PASSWORD, whatever the night brings", map[string]string{"secret_name": "DB_PASSWORD", "secret_value": password}},
		{"A batch: two secrets into three stores", map[string]string{"secrets_file": filepath.Join(dir, "rotated.env"), "stores": "actions, dependabot, codespaces"}},
		{"A check: is a rotation due?", map[string]string{"mode": "check", "secret_name": "*", "max_age": "30d"}},
	}
	for i, s := range steps {
		heading(w, "", fmt.Sprintf("step %d · %s", i+1, s.title))
		if err := runStep(w, dir, s, base); err != nil {
			return err
		}
	}

	heading(w, "", "What GitHub can decrypt now")
	want := map[string]string{"DB_PASSWORD": password, "DEPLOY_KEY": key, "REGISTRY_TOKEN": password, "LEGACY_TOKEN": forgotten}
	for _, s := range github.Secrets() {
		if s.Value != want[s.Name] {
			return fmt.Errorf("%s in %s holds other bytes than were handed over", s.Name, s.Store)
		}
		fmt.Fprintf(w, "  %-14s  %-10s  %3d bytes, the same   %s %s\n", s.Name, s.Store, len(s.Value), s.Visibility, strings.Join(s.Repositories, ", "))
	}
	if s, _ := github.Secret("acme", "actions", "DB_PASSWORD"); !slices.Equal(s.Repositories, []string{"api", "web", "worker"}) {
		return errors.New("access to DB_PASSWORD has changed")
	}
	heading(w, "", "What GitHub was asked")
	fmt.Fprint(w, indent(github.RequestLog()))
	return nil
}

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
	var stdout bytes.Buffer
	system.Stdout = &stdout
	code := action.Main(context.Background(), system)

	runner := fakerunner.New()
	heading(w, "  ", "the log, as a workflow shows it")
	fmt.Fprint(w, indent(strings.Join(runner.Process(stdout.String()).Lines, "\n")))
	if code != 0 {
		return fmt.Errorf("the action ended with %d", code)
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

func heading(w io.Writer, in, text string) {
	fmt.Fprintf(w, "\n%s── %s %s\n", in, text, strings.Repeat("─", max(0, 74-len(in)-len([]rune(text)))))
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ") + "\n"
}
