package fakegithub

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
)

// response is the result of a handler. A nil body is none, a string is sent as it is, and any other is sent as JSON.
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

var (
	noContent = response{status: http.StatusNoContent}
	notFound  = errorResponse(http.StatusNotFound, "Not Found")
)

// with returns an error response with a property set.
func (r response) with(property string, value any) response {
	body := maps.Clone(r.body.(map[string]any))
	body[property] = value
	r.body = body
	return r
}

// withHeader returns a response with extra headers; its own win.
func withHeader(resp response, extra http.Header) response {
	header := http.Header{}
	maps.Copy(header, extra)
	maps.Copy(header, resp.header)
	resp.header = header
	return resp
}

// send writes a response, cut or endless if the fault says so.
func send(w http.ResponseWriter, resp response, fault *Fault) {
	var text []byte
	switch body := resp.body.(type) {
	case nil:
	case string:
		text = []byte(body)
	default:
		text, _ = json.Marshal(body)
	}
	h := w.Header()
	maps.Copy(h, resp.header)
	fault.setHeaders(h)
	if len(text) > 0 && h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json; charset=utf-8")
	}
	switch {
	case fault.Cut:
		h.Set("Content-Length", strconv.Itoa(len(text)+2))
		w.WriteHeader(resp.status)
		_, _ = w.Write(text[:len(text)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case fault.Endless:
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
