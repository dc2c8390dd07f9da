// Package fakegithub implements GitHub's organization secrets API as an [http.Handler], for tests and the demo. It
// is not part of the shipped binary.
//
// It has the private keys and decrypts the values it receives. It validates requests as strictly as GitHub's
// description of the API, and injects faults. To be an independent test, it has its own JSON types and imports no
// other package of this module.
//
// https://github.com/github/rest-api-description
package fakegithub

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Server is the API. It is safe for concurrent use.
type Server struct {
	mu sync.Mutex
	state
	inFlight int // writes
	serial   int // of the last request
}

// state is the part of a [Server] that [Server.Reset] replaces.
type state struct {
	world       World
	tokens      map[string]Token
	orgs        map[string]*org // by lowercase login
	byID        map[int64]*org
	faults      []*scriptedFault
	requests    []*Request
	writes      []time.Time
	reads       map[string]int // of a store, by path
	maxInFlight int            // writes
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
	Served       int    // the status before a fault replaced the response; 0 if the request had no effect (yet)
	Fault        *Fault // nil if none matched
	At           time.Time
	ServedAt     time.Time
	UserAgent    string
	APIVersion   string
	Body         string
}

// New returns a Server with the given state. It returns an error if a secret has an unknown store or repository.
func New(w World) (*Server, error) {
	s := &Server{state: state{
		world: w, tokens: map[string]Token{}, orgs: map[string]*org{}, byID: map[int64]*org{}, reads: map[string]int{},
	}}
	for i, spec := range w.Orgs {
		o, err := newOrg(int64(9001+i), spec, cmp.Or(w.Rand, rand.Reader))
		if err != nil {
			return nil, err
		}
		for _, st := range o.stores {
			st.lag = time.Duration(w.Lag)
		}
		s.orgs[strings.ToLower(spec.Login)], s.byID[o.id] = o, o
	}
	for _, t := range w.Tokens {
		s.tokens[t.Value] = t
	}
	for _, f := range w.Faults {
		s.AddFault(f)
	}
	return s, nil
}

// Reset replaces the whole state of the server, faults and requests included. Its error is that of [New].
func (s *Server) Reset(w World) error {
	next, err := New(w)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = next.state
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

// Requests returns all requests since the start, [Server.Reset] or [Server.ResetRequests], in order of arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Request, len(s.requests))
	for i, r := range s.requests {
		list[i] = *r
	}
	return list
}

// ResetRequests forgets all requests.
func (s *Server) ResetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

// RequestLog returns one line for each request: method, path with query, and status or "dropped".
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

// MaxConcurrentWrites returns the largest number of writes that were in flight at the same time.
func (s *Server) MaxConcurrentWrites() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.maxInFlight
}

// Control returns a handler for other processes, to be mounted next to GitHub's API, of which it is no part:
//
//   - GET /state returns [Server.Secrets] as JSON.
//   - GET /requests returns [Server.RequestLog].
//   - GET /key/ORG/STORE returns key_id and public_key as JSON.
func (s *Server) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, _ *http.Request) {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		_ = enc.Encode(s.Secrets())
	})
	mux.HandleFunc("GET /requests", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, s.RequestLog())
	})
	mux.HandleFunc("GET /key/{org}/{store}", func(w http.ResponseWriter, req *http.Request) {
		id, key := s.Key(req.PathValue("org"), req.PathValue("store"))
		_ = json.NewEncoder(w).Encode(map[string]string{"key_id": id, "public_key": key})
	})
	return mux
}

// request is a request with the variables of its endpoint resolved.
type request struct {
	*http.Request
	body  []byte
	at    time.Time
	write bool
	fault *Fault // one without effect if none matched
	org   *org
	store *store
	name  string // a secret's, or a repository's
	id    int64
	token *Token // nil is an organization owner's
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r := request{Request: req, at: time.Now(), write: req.Method != http.MethodGet && req.Method != http.MethodHead}
	var err error
	if r.body, err = io.ReadAll(http.MaxBytesReader(w, req.Body, maxBodyBytes)); err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	entry := s.begin(r)
	if r.write {
		defer s.endWrite()
	}
	r.fault = cmp.Or(entry.Fault, &Fault{})
	if r.fault.StoreAfter > 0 {
		time.AfterFunc(time.Duration(r.fault.StoreAfter), func() { s.storeLate(r, entry) })
	}
	if r.fault.Delay > 0 {
		select {
		case <-time.After(time.Duration(r.fault.Delay)):
		case <-req.Context().Done():
			return
		}
	}
	r.fault.interrupt(req, "before")
	resp := s.serve(r, entry)
	if r.fault.Hook != nil {
		r.fault.Hook()
	}
	r.fault.interrupt(req, "after")
	send(w, resp, r.fault)
}

// begin records a request with the fault that it gets.
func (s *Server) begin(r request) *Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry := &Request{
		Method: r.Method, Path: r.URL.RequestURI(), At: r.at, UserAgent: r.UserAgent(), Fault: s.nextFault(r.Request),
		APIVersion: r.Header.Get(versionHeader),
	}
	if !s.world.ForgetBodies {
		entry.Body = string(r.body)
	}
	s.requests = append(s.requests, entry)
	if r.write {
		s.inFlight++
		s.maxInFlight = max(s.maxInFlight, s.inFlight)
	}
	return entry
}

func (s *Server) endWrite() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight--
}

// serve lets a request take effect, unless a fault prevents it, and records its status.
func (s *Server) serve(r request, entry *Request) response {
	s.mu.Lock()
	defer s.mu.Unlock()
	var resp response
	isLate := r.fault.StoreAfter > 0
	if !isLate && (r.fault.Status == 0 || r.fault.Applied) {
		resp = s.respond(r)
		entry.Served, entry.ServedAt = resp.status, time.Now()
	}
	if isLate || r.fault.Status != 0 {
		resp = r.fault.response()
	}
	if r.fault.Drop == "" && r.fault.Hang == "" {
		entry.Status = resp.status
	}
	s.serial++
	return withHeader(resp, s.metadata(r))
}

// storeLate lets a request take effect after its response.
func (s *Server) storeLate(r request, entry *Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.at = time.Now()
	entry.Served, entry.ServedAt = s.respond(r).status, r.at
}

// metadata returns the headers of every response.
func (s *Server) metadata(r request) http.Header {
	remaining := max(5000-s.serial, 1)
	date := []string{r.at.Add(time.Duration(s.world.DateSkew)).UTC().Format(http.TimeFormat)}
	if s.world.NoDate {
		date = nil // net/http adds one unless the header is there
	}
	return http.Header{
		"Date":                          date,
		"X-Github-Request-Id":           {fmt.Sprintf("8C1E:2F9B:%06X:%06X", s.serial, 0x1A2B3C)},
		"X-Github-Api-Version-Selected": {r.Header.Get(versionHeader)},
		"X-Ratelimit-Limit":             {"5000"},
		"X-Ratelimit-Remaining":         {strconv.Itoa(remaining)},
		"X-Ratelimit-Used":              {strconv.Itoa(5000 - remaining)},
		"X-Ratelimit-Reset":             {strconv.FormatInt(r.at.Add(time.Hour).Unix(), 10)},
		"X-Ratelimit-Resource":          {"core"},
	}
}

// API versions that GitHub supports. A request does not need to name one.
var versions = []string{"", "2022-11-28", newestVersion}

const (
	versionHeader = "X-GitHub-Api-Version"
	newestVersion = "2026-03-10"
)

// respond finds the endpoint of a request and calls it.
func (s *Server) respond(r request) response {
	switch {
	case r.UserAgent() == "":
		return errorResponse(http.StatusForbidden, "Request forbidden by administrative rules."+
			" Please make sure your request has a User-Agent header.")
	case !slices.Contains(versions, r.Header.Get(versionHeader)):
		return errorResponse(http.StatusBadRequest, "Unsupported API version")
	case r.write && s.exceedsWriteLimit(r.at):
		resp := errorResponse(http.StatusForbidden, "You have exceeded a secondary rate limit."+
			" Please wait a few minutes before you try again.").with("documentation_url",
			"https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits")
		if !s.world.HideRetryAfter {
			resp.header = http.Header{"Retry-After": {"60"}}
		}
		return resp
	}
	path, found := strings.CutPrefix(r.URL.Path, s.world.BasePath)
	if !found || strings.Contains(path, "//") || strings.Contains(path, "/.") {
		return notFound
	}
	segments := split(strings.Trim(path, "/"))
	for _, e := range endpoints {
		if vars, ok := e.match(r.Method, segments); ok {
			return s.call(e, vars, r)
		}
	}
	return notFound
}

// exceedsWriteLimit counts a write and reports whether it is over the limit.
func (s *Server) exceedsWriteLimit(at time.Time) bool {
	s.writes = slices.DeleteFunc(s.writes, func(w time.Time) bool { return at.Sub(w) >= time.Minute })
	s.writes = append(s.writes, at)
	return s.world.MaxWritesPerMinute > 0 && len(s.writes) > s.world.MaxWritesPerMinute
}

// call resolves the variables of an endpoint, checks the token and calls the handler.
func (s *Server) call(e endpoint, vars map[string]string, r request) response {
	r.name = vars["{name}"]
	r.id, _ = strconv.ParseInt(vars["{id}"], 10, 64)
	number, _ := strconv.ParseInt(vars["{number}"], 10, 64)
	r.org = cmp.Or(s.orgs[strings.ToLower(vars["{org}"])], s.byID[number])
	storeName := vars["{store}"]
	if storeName != "" {
		missing := s.world.GHES && (storeName == "codespaces" || storeName == "agents")
		old := s.world.StrictVersions && storeName == "agents" && r.Header.Get(versionHeader) != newestVersion
		if missing || old || !slices.Contains(storeNames, storeName) {
			return notFound
		}
		if r.org != nil {
			r.store = r.org.stores[storeName]
		}
	}
	header, denied := s.authorize(storeName, &r)
	switch {
	case denied != nil:
		return withHeader(*denied, header)
	case r.org == nil && vars["{org}"]+vars["{number}"] != "":
		return withHeader(notFound, header)
	}
	if r.store != nil {
		r.fault.modify(r.org, r.store)
	}
	if r.store != nil && !r.write {
		r.store = r.store.asOf(time.Now().Add(-s.lagOf(r.URL.Path)))
	}
	return withHeader(e.handle(s, r), header)
}

// copies is how many copies of a store answer reads.
const copies = 3

// lagOf counts a read and returns how far the copy lags that answers it. It depends only on the path and on the number
// of earlier reads of that path, so a run with concurrent reads can be repeated.
func (s *Server) lagOf(path string) time.Duration {
	s.reads[path]++
	hash := fnv.New32a()
	_, _ = fmt.Fprint(hash, path, s.reads[path], s.world.Lag)
	return time.Duration(s.world.Lag) * time.Duration(hash.Sum32()%copies) / (copies - 1)
}
