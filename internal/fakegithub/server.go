// Package fakegithub is GitHub's API of organization secrets as an http.Handler,
// for tests and the demo.
//
// It keeps its own private keys and opens what it is sent, is as strict as
// GitHub's own description of the API, and breaks as it is told. It has wire
// types of its own and imports nothing of the program it judges. It never
// reaches the shipped binary.
//
// https://github.com/github/rest-api-description
package fakegithub

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Server is the API. It is safe for concurrent use.
type Server struct {
	mu          sync.Mutex
	world       World
	orgs        map[string]*org // by lower-case login
	byID        map[int64]*org
	tokens      map[string]Token
	faults      []*scripted
	requests    []Request
	writes      []time.Time
	inFlight    int
	maxInFlight int
	serial      int
}

type scripted struct {
	Fault
	matched, used int
}

// Request is one line of the journal.
type Request struct {
	Method, Path string // with the query
	Status       int    // 0 where the connection was dropped
	At           time.Time
	UserAgent    string
	Body         string
}

// New returns a Server of a world.
func New(w World) (*Server, error) {
	s := &Server{}
	return s, s.Reset(w)
}

// Reset starts again with another world.
func (s *Server) Reset(w World) error {
	fresh := &Server{world: w, orgs: map[string]*org{}, byID: map[int64]*org{}, tokens: map[string]Token{}}
	for i, spec := range w.Orgs {
		o, err := newOrg(int64(9001+i), spec)
		if err != nil {
			return err
		}
		fresh.orgs[strings.ToLower(spec.Login)], fresh.byID[o.id] = o, o
	}
	for _, t := range w.Tokens {
		fresh.tokens[t.Value] = t
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.world, s.orgs, s.byID, s.tokens = fresh.world, fresh.orgs, fresh.byID, fresh.tokens
	s.faults, s.requests, s.writes, s.maxInFlight = nil, nil, nil, 0
	for _, f := range w.Faults {
		s.faults = append(s.faults, &scripted{Fault: f})
	}
	return nil
}

// AddFault scripts one more fault.
func (s *Server) AddFault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &scripted{Fault: f})
}

// Requests is every request so far, in order of arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// ResetRequests starts the journal anew.
func (s *Server) ResetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

// RequestLog has a line for each request: method, path and status.
func (s *Server) RequestLog() string {
	var b strings.Builder
	for _, r := range s.Requests() {
		status := strconv.Itoa(r.Status)
		if r.Status == 0 {
			status = "dropped"
		}
		fmt.Fprintf(&b, "%s %s %s\n", r.Method, r.Path, status)
	}
	return b.String()
}

// MaxConcurrentWrites is the most writes that were under way at once.
func (s *Server) MaxConcurrentWrites() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.maxInFlight
}

// answer is what a handler decides on; the zero body is none.
type answer struct {
	status int
	header http.Header
	body   any
}

func ok(body any) answer { return answer{status: http.StatusOK, body: body} }

func refuse(status int, message string) answer {
	return answer{status: status, body: map[string]any{
		"message": message, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(status),
	}}
}

var notFound = refuse(http.StatusNotFound, "Not Found")

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	at := time.Now()
	body, err := readBody(req)
	if err != nil {
		return
	}
	write := req.Method != http.MethodGet && req.Method != http.MethodHead
	s.mu.Lock()
	entry := len(s.requests)
	s.requests = append(s.requests, Request{Method: req.Method, Path: req.URL.RequestURI(), At: at, UserAgent: req.UserAgent(), Body: string(body)})
	if write {
		s.inFlight++
		s.maxInFlight = max(s.maxInFlight, s.inFlight)
		defer func() { s.mu.Lock(); s.inFlight--; s.mu.Unlock() }()
	}
	fault := s.nextFault(req)
	s.mu.Unlock()

	if fault != nil && fault.Delay > 0 && !sleep(req.Context(), time.Duration(fault.Delay)) {
		return
	}
	if fault != nil && fault.Drop == "before" {
		panic(http.ErrAbortHandler)
	}
	s.mu.Lock()
	a := s.answer(req, body, write, fault, at)
	h := w.Header()
	s.serial++
	requestID := fmt.Sprintf("8C1E:2F9B:%06X:%06X", s.serial, 0x1A2B3C)
	left := max(5000-s.serial, 1)
	if fault == nil || fault.Drop == "" {
		s.requests[entry].Status = a.status
	}
	s.mu.Unlock()
	if fault != nil && fault.Hook != nil {
		fault.Hook()
	}
	if fault != nil && fault.Drop == "after" {
		panic(http.ErrAbortHandler)
	}

	h.Set("Date", at.UTC().Format(http.TimeFormat))
	h.Set("X-GitHub-Request-Id", requestID)
	h.Set("X-GitHub-Api-Version-Selected", req.Header.Get("X-GitHub-Api-Version"))
	h.Set("X-RateLimit-Limit", "5000")
	h.Set("X-RateLimit-Remaining", strconv.Itoa(left))
	h.Set("X-RateLimit-Used", strconv.Itoa(5000-left))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(at.Add(time.Hour).Unix(), 10))
	h.Set("X-RateLimit-Resource", "core")
	for name, values := range a.header {
		h[name] = values
	}
	s.send(w, a, fault)
}

func (s *Server) send(w http.ResponseWriter, a answer, fault *Fault) {
	var text []byte
	switch body := a.body.(type) {
	case nil:
	case string:
		text = []byte(body)
	default:
		text, _ = json.Marshal(body)
	}
	if len(text) > 0 && w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	switch {
	case fault != nil && fault.Cut:
		w.Header().Set("Content-Length", strconv.Itoa(len(text)+2))
		w.WriteHeader(a.status)
		_, _ = w.Write(text[:len(text)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case fault != nil && fault.Endless:
		w.WriteHeader(a.status)
		for range 1 << 10 { // 64 MiB, far more than anybody should read
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	default:
		w.WriteHeader(a.status)
		_, _ = w.Write(text)
	}
}

// sleep waits, unless the client goes away first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// nextFault takes the first fault that matches and is not used up.
func (s *Server) nextFault(req *http.Request) *Fault {
	for _, f := range s.faults {
		if f.Method != "" && f.Method != req.Method || !glob(f.Path, req.URL.Path) || f.used >= max(f.Times, 1) && f.Times >= 0 {
			continue
		}
		if f.matched++; f.matched <= f.After {
			continue
		}
		f.used++
		return &f.Fault
	}
	return nil
}

// glob matches the end of a path; * stands for any characters.
func glob(pattern, path string) bool {
	quoted := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `.*`)
	return regexp.MustCompile(quoted + `$`).MatchString(path)
}

// answer decides on a request. The lock is held.
func (s *Server) answer(req *http.Request, body []byte, write bool, fault *Fault, at time.Time) answer {
	if fault != nil && fault.Status != 0 {
		a := answer{status: fault.Status, header: http.Header{}}
		for name, value := range fault.Headers {
			a.header.Set(name, value)
		}
		if fault.Body != "" {
			a.body = fault.Body
		} else if fault.Status != http.StatusNoContent {
			a.body = map[string]string{"message": http.StatusText(fault.Status)}
		}
		return a
	}
	if req.UserAgent() == "" {
		return refuse(http.StatusForbidden, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.")
	}
	if v := req.Header.Get("X-GitHub-Api-Version"); v != "" && v != "2022-11-28" && v != "2026-03-10" {
		return refuse(http.StatusBadRequest, "Unsupported API version")
	}
	if write && s.exceedsWriteLimit(at) {
		a := refuse(http.StatusForbidden, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.")
		a.body.(map[string]any)["documentation_url"] = "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits"
		if !s.world.HideRetryAfter {
			a.header = http.Header{"Retry-After": {"60"}}
		}
		return a
	}
	path, found := strings.CutPrefix(req.URL.Path, s.world.BasePath)
	if !found || strings.Contains(path, "//") || strings.Contains(path, "/.") {
		return notFound
	}
	segments := strings.Split(strings.Trim(path, "/"), "/")
	for _, e := range endpoints {
		if vars, ok := e.match(req.Method, segments); ok {
			return s.serve(e, vars, req, body, fault, at)
		}
	}
	return notFound
}

// exceedsWriteLimit counts a write and reports whether it is one too many.
func (s *Server) exceedsWriteLimit(at time.Time) bool {
	recent := s.writes[:0]
	for _, w := range s.writes {
		if at.Sub(w) < time.Minute {
			recent = append(recent, w)
		}
	}
	s.writes = append(recent, at)
	return s.world.MaxWritesPerMinute > 0 && len(s.writes) > s.world.MaxWritesPerMinute
}

// request is one that has found its endpoint.
type request struct {
	*http.Request
	body  []byte
	org   *org
	store *store
	name  string // a secret's, or a repository's
	id    int64
	token *Token // nil is an owner's
	at    time.Time
}

func (s *Server) serve(e endpoint, vars map[string]string, req *http.Request, body []byte, fault *Fault, at time.Time) answer {
	r := request{Request: req, body: body, name: vars["name"], at: at}
	if login := vars["org"]; login != "" {
		r.org = s.orgs[strings.ToLower(login)]
	}
	if number := vars["number"]; number != "" {
		id, _ := strconv.ParseInt(number, 10, 64)
		r.org = s.byID[id]
	}
	r.id, _ = strconv.ParseInt(vars["id"], 10, 64)
	storeName := vars["store"]
	if storeName != "" {
		if !slices.Contains(storeNames, storeName) || s.world.GHES && (storeName == "codespaces" || storeName == "agents") {
			return notFound
		}
		if r.org != nil {
			r.store = r.org.stores[storeName]
		}
	}
	token, denied := s.authorize(e, storeName, &r)
	if denied != nil {
		return *denied
	}
	if e.needsOrg && r.org == nil {
		return withHeader(notFound, token)
	}
	if fault != nil && r.store != nil {
		if fault.RotateKey {
			r.store.rotate()
		}
		if fault.Change != nil {
			r.org.put(*fault.Change)
		}
	}
	return withHeader(e.handle(s, r), token)
}

func withHeader(a answer, extra http.Header) answer {
	header := http.Header{}
	for name, values := range extra {
		header[name] = values
	}
	for name, values := range a.header {
		header[name] = values
	}
	a.header = header
	return a
}
