package action

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/fakerunner"
	"set-org-secret/internal/report"
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
		for place, text := range map[string]string{
			"the log": withoutMasks(r.stdout), "an output": r.raw, "the summary": r.summary,
			"a request": server.RequestLog(),
		} {
			wantLacks(t, place, text, mark)
		}
		for output := range r.outputs {
			if !slices.Contains(report.OutputNames, output) {
				t.Fatalf("there is an output %q, want only %q", output, report.OutputNames)
			}
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
		commands := []string{"add-mask", "error", "warning"}
		for _, command := range log.Commands {
			if !slices.Contains(commands, command) {
				t.Fatalf("there is a command %q, want only %q:\n%s", command, commands, r.stdout)
			}
		}
		for _, mask := range log.Masks {
			if mask != "ghp_scenario" && !strings.Contains(mask, mark) {
				t.Fatalf("%q is masked, want only the token and what contains %q", mask, mark)
			}
		}
	})
}
