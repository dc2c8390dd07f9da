package action

import (
	"encoding/json"
	"strings"
	"testing"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/fakerunner"
)

// FuzzRun checks, for any plaintext and any message from GitHub, that the
// plaintext appears in masks only, and that no text from outside adds a command,
// an output or an annotation.
func FuzzRun(f *testing.F) {
	for _, seed := range [][3]string{
		{"Correct-Horse", "Validation Failed", "DB_PASSWORD"},
		{"-----BEGIN KEY-----\nabc\n}\n-----END KEY-----\n", "a\n::error::forged", "x"},
		{"::add-mask::x\n::error::y", "##[error]z", "__"},
		{"a\r\nb\rc%0A%25", "\r::set-output name=operation::created", "A1"},
		{"set_org_secret_\nEOF\nresults<<EOF", "\u2028::warning::x\u0085##[group]", "A"},
		{"\xff\xfe\x00", "\x1b[31m\x00", "A"},
	} {
		f.Add([]byte(seed[0]), seed[1], seed[2])
	}
	// Every line of the plaintext contains the mark, and nothing else does.
	const mark = "Zq9x8Kw2"
	f.Fuzz(func(t *testing.T, plain []byte, message, name string) {
		if len(plain) > 4096 || len(message) > 4096 {
			return
		}
		marked := mark + strings.NewReplacer("\n", "\n"+mark, "\r", "\r"+mark, "\x00", "").Replace(string(plain))
		body, err := json.Marshal(map[string]string{"message": message})
		if err != nil {
			t.Fatal(err)
		}
		refuse := fakegithub.Fault{Method: "PUT", Status: 403, Body: string(body), Times: -1}
		server := newGitHub(t, fakegithub.World{Faults: []fakegithub.Fault{refuse}})
		r := stepRun{with: map[string]string{"secret_name": name, "secret_value": marked}}.simulate(t, server)
		r.wantCode(t, 1)
		r.wantOnlyOurs(t, "ghp_scenario", mark)
		for place, text := range r.texts(server.Requests()) {
			wantLacks(t, "the "+place, text, mark)
		}
		wantEqual(t, "operation", r.outputs["operation"], "failed")
		log := r.log()
		errors := 0
		for _, a := range log.Annotations {
			if a.Kind == fakerunner.Error {
				errors++
			}
		}
		wantEqual(t, "error annotations", errors, 1)
		wantEqual(t, "a command failed", log.Failed, false)
	})
}
