// Package fakegithub implements GitHub's organization secrets API as an
// [http.Handler], for tests and the demo. It is not part of the shipped binary.
//
// It has the private keys and decrypts the values it receives. It validates
// requests as strictly as GitHub's description of the API, and injects faults. To
// be an independent test, it has its own JSON types and imports no other package
// of this module.
//
// https://github.com/github/rest-api-description
package fakegithub

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
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
	orgs        map[string]*org // by lowercase login
	byID        map[int64]*org
	tokens      map[string]Token
	faults      []*scriptedFault
	requests    []Request
	writes      []time.Time
	inFlight    int
	maxInFlight int
	serial      int
}

// scriptedFault is a fault and how many requests it matched and was applied to.
type scriptedFault struct {
	Fault
	matched, used int
}

// Request is a request that the server received.
type Request struct {
	Method, Path string // with the query
	Status       int    // 0 if the connection was dropped
	Served       int    // the status before a fault replaced the response; 0 if the request had no effect
	Fault        *Fault // nil if none matched
	At           time.Time
	UserAgent    string
	Body         string
}

// New returns a Server with the given state. It returns an error if a secret has
// an unknown store or repository.
func New(w World) (*Server, error) {
	s := &Server{}
	return s, s.Reset(w)
}

// Reset replaces the whole state of the server, faults and requests included. It
// returns an error if a secret has an unknown store or repository.
func (s *Server) Reset(w World) error {
	next := &Server{world: w, orgs: map[string]*org{}, byID: map[int64]*org{}, tokens: map[string]Token{}}
	for i, spec := range w.Orgs {
		o, err := newOrg(int64(9001+i), spec, cmp.Or(w.Rand, rand.Reader))
		if err != nil {
			return err
		}
		next.orgs[strings.ToLower(spec.Login)], next.byID[o.id] = o, o
	}
	for _, t := range w.Tokens {
		next.tokens[t.Value] = t
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.world, s.orgs, s.byID, s.tokens = next.world, next.orgs, next.byID, next.tokens
	s.faults, s.requests, s.writes, s.maxInFlight = nil, nil, nil, 0
	for _, f := range w.Faults {
		s.faults = append(s.faults, &scriptedFault{Fault: f})
	}
	return nil
}

// AddFault appends a fault to the list.
func (s *Server) AddFault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &scriptedFault{Fault: f})
}

// ClearFaults removes all faults.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Requests returns all requests since the last reset, in order of arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// ResetRequests forgets all requests.
func (s *Server) ResetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

// RequestLog returns one line for each request: method, path with query, and
// status or "dropped".
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

// MaxConcurrentWrites returns the largest number of writes that were in flight at
// the same time.
func (s *Server) MaxConcurrentWrites() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.maxInFlight
}

// response is what a handler returns. A nil body is none, a string is sent as it
// is, and any other is sent as JSON.
type response struct {
	status int
	header http.Header
	body   any
}

func ok(body any) response { return response{status: http.StatusOK, body: body} }

// errorResponse returns GitHub's JSON form of an error.
func errorResponse(status int, message string) response {
	return response{status: status, body: map[string]any{
		"message": message, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(status),
	}}
}

func unprocessable(message string) response {
	return errorResponse(http.StatusUnprocessableEntity, message)
}

var notFound = errorResponse(http.StatusNotFound, "Not Found")

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
	s.requests = append(s.requests, Request{
		Method: req.Method, Path: req.URL.RequestURI(), At: at, UserAgent: req.UserAgent(),
	})
	if !s.world.ForgetBodies {
		s.requests[entry].Body = string(body)
	}
	if write {
		s.inFlight++
		s.maxInFlight = max(s.maxInFlight, s.inFlight)
		defer func() { s.mu.Lock(); s.inFlight--; s.mu.Unlock() }()
	}
	fault := s.nextFault(req)
	s.requests[entry].Fault = fault
	s.mu.Unlock()

	if fault != nil && fault.Delay > 0 && !sleep(req.Context(), time.Duration(fault.Delay)) {
		return
	}
	if fault != nil {
		fault.interrupt(req, "before")
	}
	s.mu.Lock()
	resp := s.respond(req, body, write, fault, at)
	s.requests[entry].Served = resp.status
	if fault != nil && fault.Status != 0 {
		resp = fault.response()
	}
	h := w.Header()
	s.serial++
	requestID := fmt.Sprintf("8C1E:2F9B:%06X:%06X", s.serial, 0x1A2B3C)
	remaining := max(5000-s.serial, 1)
	if fault == nil || fault.Drop == "" && fault.Hang == "" {
		s.requests[entry].Status = resp.status
	}
	s.mu.Unlock()
	if fault != nil && fault.Hook != nil {
		fault.Hook()
	}
	if fault != nil {
		fault.interrupt(req, "after")
	}

	setMetadata(h, req, at, requestID, remaining)
	maps.Copy(h, resp.header)
	if fault != nil && fault.NoLast {
		h.Set("Link", lastLink.ReplaceAllString(h.Get("Link"), ""))
	}
	s.send(w, resp, fault)
}

// setMetadata sets the headers of every response.
func setMetadata(h http.Header, req *http.Request, at time.Time, requestID string, remaining int) {
	h.Set("Date", at.UTC().Format(http.TimeFormat))
	h.Set("X-GitHub-Request-Id", requestID)
	h.Set("X-GitHub-Api-Version-Selected", req.Header.Get("X-GitHub-Api-Version"))
	h.Set("X-RateLimit-Limit", "5000")
	h.Set("X-RateLimit-Remaining", strconv.Itoa(remaining))
	h.Set("X-RateLimit-Used", strconv.Itoa(5000-remaining))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(at.Add(time.Hour).Unix(), 10))
	h.Set("X-RateLimit-Resource", "core")
}

var lastLink = regexp.MustCompile(`(, )?<[^>]*>; rel="last"`)

// interrupt closes the connection, or holds it until the client closes it, if the
// fault says so for this moment.
func (f *Fault) interrupt(req *http.Request, moment string) {
	if f.Hang == moment {
		<-req.Context().Done()
	}
	if f.Hang == moment || f.Drop == moment {
		panic(http.ErrAbortHandler)
	}
}

// response returns the response that replaces the server's own.
func (f *Fault) response() response {
	resp := response{status: f.Status, header: http.Header{}}
	for name, value := range f.Headers {
		resp.header.Set(name, value)
	}
	if f.Body != "" {
		resp.body = f.Body
	} else if f.Status != http.StatusNoContent {
		resp.body = errorResponse(f.Status, http.StatusText(f.Status)).body
	}
	return resp
}

// send writes a response, cut or endless if the fault says so.
func (s *Server) send(w http.ResponseWriter, resp response, fault *Fault) {
	var text []byte
	switch body := resp.body.(type) {
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
		w.WriteHeader(resp.status)
		_, _ = w.Write(text[:len(text)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case fault != nil && fault.Endless:
		w.WriteHeader(resp.status)
		for range 1 << 10 { // 64 MiB, more than any client should read
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	default:
		w.WriteHeader(resp.status)
		_, _ = w.Write(text)
	}
}

// sleep waits for d. It returns false if the client disconnects first.
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

// nextFault returns the first fault that matches a request and is not used up, or
// nil. The caller holds the lock.
func (s *Server) nextFault(req *http.Request) *Fault {
	for _, f := range s.faults {
		usedUp := f.Times >= 0 && f.used >= max(f.Times, 1)
		if usedUp || f.Method != "" && f.Method != req.Method || !matchesEnd(f.Path, req.URL.Path) {
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

// matchesEnd reports whether a path ends in what the pattern matches; * matches any
// characters.
func matchesEnd(pattern, path string) bool {
	quoted := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `.*`)
	return regexp.MustCompile(quoted + `$`).MatchString(path)
}

// respond handles a request, or returns the fault's status. The caller holds the
// lock.
func (s *Server) respond(req *http.Request, body []byte, write bool, fault *Fault, at time.Time) response {
	if fault != nil && fault.Status != 0 && !fault.Applied {
		return response{} // replaced by the caller
	}
	if req.UserAgent() == "" {
		return errorResponse(http.StatusForbidden, "Request forbidden by administrative rules."+
			" Please make sure your request has a User-Agent header.")
	}
	if v := req.Header.Get("X-GitHub-Api-Version"); v != "" && v != "2022-11-28" && v != "2026-03-10" {
		return errorResponse(http.StatusBadRequest, "Unsupported API version")
	}
	if write && s.exceedsWriteLimit(at) {
		resp := errorResponse(http.StatusForbidden, "You have exceeded a secondary rate limit."+
			" Please wait a few minutes before you try again.")
		resp.body.(map[string]any)["documentation_url"] = "https://docs.github.com/rest/using-the-rest-api/" +
			"rate-limits-for-the-rest-api#about-secondary-rate-limits"
		if !s.world.HideRetryAfter {
			resp.header = http.Header{"Retry-After": {"60"}}
		}
		return resp
	}
	path, found := strings.CutPrefix(req.URL.Path, s.world.BasePath)
	if !found || strings.Contains(path, "//") || strings.Contains(path, "/.") {
		return notFound
	}
	segments := strings.Split(strings.Trim(path, "/"), "/")
	for _, e := range endpoints {
		if vars, ok := e.match(req.Method, segments); ok {
			r := request{Request: req, body: body, name: vars["name"], at: at}
			return s.serve(e, vars, r, fault)
		}
	}
	return notFound
}

// exceedsWriteLimit counts a write and reports whether it is over the limit.
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

// request is a request with the variables of its endpoint resolved.
type request struct {
	*http.Request
	body  []byte
	org   *org
	store *store
	name  string // a secret's, or a repository's
	id    int64
	token *Token // nil is an organization owner's
	at    time.Time
}

// serve resolves the variables of an endpoint, checks the token and calls the
// handler.
func (s *Server) serve(e endpoint, vars map[string]string, r request, fault *Fault) response {
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
		missing := s.world.GHES && (storeName == "codespaces" || storeName == "agents")
		if missing || !slices.Contains(storeNames, storeName) {
			return notFound
		}
		if r.org != nil {
			r.store = r.org.stores[storeName]
		}
	}
	tokenHeader, denied := s.authorize(e, storeName, &r)
	if denied != nil {
		return *denied
	}
	if e.needsOrg && r.org == nil {
		return withHeader(notFound, tokenHeader)
	}
	if fault != nil && r.store != nil {
		if fault.RotateKey {
			r.store.rotate()
		}
		if fault.Change != nil {
			r.org.put(*fault.Change, time.Now())
		}
	}
	return withHeader(e.handle(s, r), tokenHeader)
}

// withHeader returns a response with extra headers; its own win.
func withHeader(resp response, extra http.Header) response {
	header := http.Header{}
	maps.Copy(header, extra)
	maps.Copy(header, resp.header)
	resp.header = header
	return resp
}
