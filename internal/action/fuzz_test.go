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

// FuzzRun holds, for any plaintext and whatever GitHub says, that the plaintext
// shows nowhere but in masks, and that no text from outside forges a command, an
// output or an annotation.
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
	// Every line of the plaintext holds it, and nothing else does.
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
		server := newGitHub(t, fakegithub.World{Faults: []fakegithub.Fault{{Method: "PUT", Status: 403, Body: string(body), Times: -1}}})
		r := stepRun{with: map[string]string{"secret_name": name, "secret_value": marked}}.simulate(t, server)
		if r.code != 1 {
			t.Fatalf("exit code %d", r.code)
		}
		for place, text := range map[string]string{"log": withoutMasks(r.stdout), "outputs": r.raw, "summary": r.summary, "journal": server.RequestLog()} {
			if strings.Contains(text, mark) {
				t.Fatalf("the plaintext is in the %s:\n%s", place, text)
			}
		}
		for output := range r.outputs {
			if !slices.Contains(report.OutputNames, output) {
				t.Fatalf("the output %q is forged", output)
			}
		}
		if r.outputs["operation"] != "failed" {
			t.Fatalf("operation is %q", r.outputs["operation"])
		}
		errors := 0
		for _, a := range r.log().Annotations {
			if a.Kind == fakerunner.Error {
				errors++
			}
		}
		if errors != 1 || r.log().Failed {
			t.Fatalf("%d errors:\n%s", errors, r.stdout)
		}
		for _, command := range r.log().Commands {
			if !slices.Contains([]string{"add-mask", "error", "warning"}, command) {
				t.Fatalf("the command %q is forged:\n%s", command, r.stdout)
			}
		}
		for _, mask := range r.log().Masks {
			if mask != "ghp_scenario" && !strings.Contains(mask, mark) {
				t.Fatalf("a mask of %q is forged", mask)
			}
		}
	})
}
