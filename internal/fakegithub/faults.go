package fakegithub

import (
	"cmp"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// nextFault returns the first fault that matches a request and is not used up, or nil. The caller holds the lock.
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

// matchesEnd reports whether a pattern matches the end of a path; * matches any characters.
func matchesEnd(pattern, path string) bool {
	quoted := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `.*`)
	return regexp.MustCompile(quoted + `$`).MatchString(path)
}

// interrupt closes the connection, or holds it until the client closes it, if the fault says so for this moment.
func (f *Fault) interrupt(req *http.Request, moment string) {
	if f.Hang == moment {
		<-req.Context().Done()
	}
	if f.Hang == moment || f.Drop == moment {
		panic(http.ErrAbortHandler)
	}
}

// modify changes a store as somebody else does.
func (f *Fault) modify(o *org, st *store) {
	if f.RotateKey {
		st.rotate()
	}
	if f.Remove != "" {
		st.set(strings.ToUpper(f.Remove), nil)
	}
	if f.Change != nil {
		if err := o.put(*f.Change, time.Now()); err != nil {
			panic(err) // closes the connection, and the stack is logged
		}
	}
}

// response returns the response that replaces the server's own.
func (f *Fault) response() response {
	resp := response{status: cmp.Or(f.Status, http.StatusBadGateway)}
	switch {
	case f.Body != "":
		resp.body = f.Body
	case resp.status != http.StatusNoContent:
		resp.body = errorResponse(resp.status, http.StatusText(resp.status)).body
	}
	return resp
}

// setHeaders changes the headers of a response.
func (f *Fault) setHeaders(h http.Header) {
	if next, _, hasLast := strings.Cut(h.Get("Link"), ", "); hasLast && f.NoLast {
		h.Set("Link", next)
	}
	for name, value := range f.Headers {
		if h.Set(name, value); value == "" {
			h[http.CanonicalHeaderKey(name)] = nil // net/http adds a Date unless it is there
		}
	}
}
