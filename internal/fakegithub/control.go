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
//   - POST /faults adds the faults of a JSON list.
//   - POST /world resets the server to a [World].
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
	mux.HandleFunc("POST /faults", func(w http.ResponseWriter, req *http.Request) {
		var faults []Fault
		if err := json.NewDecoder(req.Body).Decode(&faults); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, f := range faults {
			s.AddFault(f)
		}
	})
	mux.HandleFunc("POST /world", func(w http.ResponseWriter, req *http.Request) {
		text, _ := io.ReadAll(req.Body) // a part of it is not JSON
		world, err := ParseWorld(text)
		if err == nil {
			err = s.Reset(world)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	return mux
}
