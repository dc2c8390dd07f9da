// Package action is the whole program behind an environment that is handed in,
// so that tests and the demo run it in-process.
//
// It decides which stations a mode visits, and the exit code: 0 only where all
// that was asked for has been done. A file for each mode says what the mode does.
package action

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	mathrand "math/rand/v2"
	"net"
	"os"
	"time"

	"github.com/sethvargo/go-githubactions"

	"set-org-secret/internal/github"
	"set-org-secret/internal/input"
	"set-org-secret/internal/report"
	"set-org-secret/internal/secret"
)

// Version stands here and nowhere else: the runner gives an image that it builds
// no build arguments, and the action it downloads has no .git.
const Version = "v0.1.0"

// Env is the world around a run.
type Env struct {
	Getenv func(string) string
	Stdout io.Writer
	Open   func(string) (fs.File, error)
	Rand   io.Reader
	// Jitter returns numbers in [0, 1) that spread the waits between tries.
	Jitter func() float64
	// Dial is nil for the system's network.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// System is the environment of a process.
func System() Env {
	return Env{Getenv: os.Getenv, Stdout: os.Stdout, Open: open, Rand: rand.Reader, Jitter: mathrand.Float64}
}

// open does not wait for the writer of a pipe, which may never come.
func open(name string) (fs.File, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	return os.Open(name)
}

// session is one session under way.
type session struct {
	Env
	config input.Config
	report *report.Reporter
	github *github.Client
	start  time.Time
}

// Main runs the action and returns the exit code. It ends soon after ctx does,
// with outputs written.
func Main(ctx context.Context, env Env) int {
	// Anything that panics would print its arguments to stderr, past the masks.
	result := input.Read(input.Source{
		Getenv: env.Getenv, Open: env.Open,
		GetInput: githubactions.New(githubactions.WithGetenv(env.Getenv)).GetInput,
	})
	delimiter := make([]byte, 16)
	_, randErr := io.ReadFull(env.Rand, delimiter)
	r := &session{Env: env, config: result.Config, start: time.Now()}
	r.report = report.New(report.Options{
		Stdout: env.Stdout, Getenv: env.Getenv, Masks: &result.Masks,
		Delimiter: fmt.Sprintf("set_org_secret_%x", delimiter),
	})
	r.report.PrintMasks()
	if randErr != nil {
		r.report.Failure("no random numbers: " + randErr.Error())
		return 1
	}
	for _, text := range result.Warnings {
		r.report.Warn(text)
	}
	if len(result.Problems) > 0 {
		return r.refuse(faults(result.Problems)...)
	}
	if err := r.report.CheckFiles(); err != nil {
		return r.refuse(err.Error(), "The runner sets these files; nothing was sent to GitHub, since sealed values could not be handed on.")
	}
	return r.main(ctx)
}

// faults tells all that is wrong with the input at once.
func faults(list []input.Problem) []string {
	needs := "inputs need"
	if len(list) == 1 {
		needs = "input needs"
	}
	lines := []string{fmt.Sprintf("%d %s attention; nothing was sent to GitHub", len(list), needs)}
	for _, fault := range list {
		lines = append(lines, fault.Error())
	}
	return lines
}

// refuse ends a run before any request.
func (r *session) refuse(lines ...string) int {
	r.report.Failure(lines[0], lines[1:]...)
	told := lines
	if len(lines) > 1 {
		told = lines[1:] // the heading says the first
	}
	r.report.Finish(report.Run{Mode: string(r.config.Mode), Refused: told})
	return 1
}

func (r *session) main(ctx context.Context) int {
	c := r.config
	where := " · offline"
	if r.needsGitHub() {
		where = fmt.Sprintf(" · %s at %s", c.Org, c.APIURL.Host)
		var err error
		r.github, err = github.New(github.Options{
			Org: c.Org, BaseURL: c.APIURL, Token: c.Token, UserAgent: "set-org-secret/" + Version,
			Writes:  c.Mode.Writes(),
			Timeout: c.Timeout, Jitter: r.Jitter, Log: r.report.Line,
			Network: github.Network{Getenv: r.Getenv, CACertificates: c.CACertificates, Dial: r.Dial},
		})
		if err != nil {
			return r.refuse(err.Error())
		}
		defer r.github.Close()
	}
	note := ""
	if c.DryRun {
		note = " · dry run, nothing is written"
	}
	r.report.Line(fmt.Sprintf("set-org-secret %s%s · mode %s%s", Version, where, c.Mode, note))

	var outcomes []secret.Result
	switch c.Mode {
	case secret.ModeSet:
		outcomes = r.set(ctx)
	case secret.ModeSeal:
		outcomes = r.seal(ctx)
	case secret.ModeCheck:
		outcomes = r.check(ctx)
	case secret.ModeAccess:
		outcomes = r.access(ctx)
	}
	end := report.Run{
		Mode: string(c.Mode), Org: c.Org, Outcomes: outcomes,
		MaxAge: c.MaxAge, Took: time.Since(r.start), DryRun: c.DryRun,
	}
	if r.github != nil {
		end.APIURL, end.Requests = c.APIURL.String(), r.github.Requests()
		r.warnExpiry()
	}
	if !r.report.Finish(end) {
		return 1
	}
	return 0
}

// needsGitHub is false only where mode seal was given the key.
func (r *session) needsGitHub() bool {
	return r.config.Mode != secret.ModeSeal || r.config.PublicKey.IsZero()
}

// warnExpiry tells of a personal token that is about to expire, so that a
// schedule does not die by surprise. An App's token lives an hour by nature, and
// GitHub tells no date for it.
func (r *session) warnExpiry() {
	const soon = 7 * 24 * time.Hour
	at := r.github.TokenExpires()
	if left := at.Sub(r.github.Now()); !at.IsZero() && left < soon {
		days := int(math.Ceil(left.Hours() / 24))
		r.report.Warn(fmt.Sprintf("the token expires on %s, in %d days or less: make a new one before this schedule fails", at.UTC().Format("2 January 2006, 15:04 UTC"), max(days, 1)))
	}
}

// width is that of the longest name, for columns.
func width[T any](items []T, name func(T) secret.Name) int {
	longest := 0
	for _, item := range items {
		longest = max(longest, len(name(item)))
	}
	return longest
}
