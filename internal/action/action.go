// Package action is the whole program. Its environment is passed in, so that tests and the demo run it in-process.
//
// It decides the exit code: 0 only if all that was asked for has been done and reported.
package action

import (
	"context"
	"crypto/rand"
	"io"
	"io/fs"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/sethvargo/go-githubactions"

	"set-org-secret/internal/github"
	"set-org-secret/internal/input"
	"set-org-secret/internal/report"
	"set-org-secret/internal/secret"
)

// Version is a constant because neither build arguments nor .git are available when the runner builds the image.
const Version = "v0.1.0"

// Env is the world around a run.
type Env struct {
	Getenv func(string) string
	// Environ returns all variables, NAME=value. If it is nil, unknown and empty inputs are not found.
	Environ func() []string
	Stdout  io.Writer
	Open    func(string) (fs.File, error)
	Rand    io.Reader
	// Jitter returns numbers in [0, 1) that spread the waits between attempts.
	Jitter func() float64
	// Proxy returns the proxy for a request; nil for none.
	Proxy func(*http.Request) (*url.URL, error)
	// Dial connects to GitHub or the proxy.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// System is the environment of a process.
func System() Env {
	return Env{
		Getenv: os.Getenv, Environ: os.Environ, Stdout: os.Stdout, Open: open, Rand: rand.Reader,
		Jitter: mathrand.Float64, Proxy: http.ProxyFromEnvironment,
		Dial: (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
	}
}

// open does not wait until a pipe has a writer: package input rejects a pipe once it is open.
func open(name string) (fs.File, error) { return os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) }

type session struct {
	Env
	config input.Config
	report *report.Reporter
	github *github.Client // nil if no request is needed
	start  time.Time
}

// Main runs the action and returns the exit code, after a signal within seconds.
func Main(ctx context.Context, env Env) int {
	in := read(ctx, env)
	s := &session{Env: env, config: in.Config, start: time.Now()}
	s.report = report.New(env.Stdout, env.Getenv, &in.Masks, "set_org_secret_"+rand.Text())
	s.report.PrintMasks()
	for _, text := range in.Warnings {
		s.report.Warn(text)
	}
	if len(in.Problems) > 0 {
		return reject(s, "in the inputs", in.Problems...)
	}
	if err := s.report.CheckFiles(); err != nil {
		return reject(s, "with the runner", err)
	}
	return s.run(ctx, in.Notes)
}

// read reads the inputs. It returns a problem if a signal cancels ctx first: a file may block, or be long.
func read(ctx context.Context, env Env) input.Result {
	done := make(chan input.Result, 1)
	go func() {
		done <- input.Read(input.Source{
			Getenv: env.Getenv, Environ: env.Environ, Open: env.Open,
			GetInput: githubactions.New(githubactions.WithGetenv(env.Getenv)).GetInput,
		})
	}()
	select {
	case in := <-done:
		return in
	case <-ctx.Done():
		const text = "a signal ended the run before they were read; if nobody sent one, a file is too long or blocks"
		return input.Result{Problems: []input.Problem{{Input: "inputs", Text: text}}}
	}
}

// reject reports why nothing is sent to GitHub, and returns the exit code.
func reject[E error](s *session, where string, errs ...E) int {
	var problems []string
	for _, err := range errs {
		problems = append(problems, secret.AsError(err).Problem)
	}
	_ = s.report.Finish(report.Run{Mode: s.config.Mode, Problems: problems, Where: where})
	return 1
}

// run runs the mode and returns the exit code. It logs the notes after the first line.
func (s *session) run(ctx context.Context, notes []string) int {
	c := s.config
	target := "offline"
	if c.PublicKey.IsZero() { // otherwise mode seal needs no request
		if err := github.CheckProxies(s.Getenv); err != nil {
			return reject(s, "with the network", err)
		}
		s.github = github.New(github.Options{
			Org: c.Org, BaseURL: c.APIURL, Token: c.Token, UserAgent: "set-org-secret/" + Version,
			Writes: c.Mode.Writes(), Timeout: c.Timeout, Jitter: s.Jitter, Log: s.report.Event,
			Network: github.Network{Proxy: s.Proxy, CACertificates: c.CACertificates, Dial: s.Dial},
		})
		defer s.github.Close()
		notes = append(s.replacedAuthorities(), notes...)
		target = c.Org + " at " + c.APIURL.Host + s.throughProxy()
	}
	s.report.Header(Version, target, c.Mode, c.DryRun)
	for _, note := range notes {
		s.report.Event(note)
	}

	modes := map[secret.Mode]func(context.Context) []secret.Result{
		secret.ModeSet: s.upsert, secret.ModeAccess: s.upsert, secret.ModeSeal: s.seal, secret.ModeCheck: s.check,
	}
	results := modes[c.Mode](ctx)
	end := report.Run{
		Mode: c.Mode, Org: c.Org, APIURL: *c.APIURL, MaxAge: c.MaxAge, DryRun: c.DryRun,
		ListRepositories: c.ListRepositories, Results: results, Took: time.Since(s.start),
	}
	if s.github != nil {
		end.Requests = s.github.Requests()
		s.report.WarnExpiry(s.github.TokenExpires(), s.github.Now())
	}
	if s.report.Finish(end) != nil || slices.ContainsFunc(results, secret.Result.Failed) {
		return 1
	}
	return 0
}

// throughProxy names the proxy that requests go through: an earlier step may have set it.
func (s *session) throughProxy() string {
	if s.Proxy == nil {
		return ""
	}
	proxy, err := s.Proxy(&http.Request{URL: s.config.APIURL})
	if err != nil || proxy == nil {
		return ""
	}
	return " through the proxy " + proxy.Host
}

// replacedAuthorities names the variables that replace the system's certificate authorities.
func (s *session) replacedAuthorities() (notes []string) {
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if s.Getenv(name) != "" {
			notes = append(notes, name+" is set: it replaces the system's certificate authorities")
		}
	}
	return notes
}
