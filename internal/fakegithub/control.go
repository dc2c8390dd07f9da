package fakegithub

import (
	"encoding/json"
	"io"
	"net/http"
)

// Control returns a handler for other processes, to be mounted next to the API:
//
//   - GET /state returns [Server.Secrets] as JSON.
//   - GET /requests returns [Server.RequestLog].
//   - GET /key/ORG/STORE returns key_id and public_key as JSON.
//
// It is not part of GitHub's API.
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
