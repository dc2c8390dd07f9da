package action

import (
	"fmt"
	"strings"
	"testing"

	"set-org-secret/internal/fakegithub"
)

// TestFormats checks each row of the reference's table of formats: the value stored for
// a text, or the reason to reject it, in both formats.
func TestFormats(t *testing.T) {
	texts, rows := table(t, documents(t)[".github/docs/reference.md"], "## Formats")
	if len(texts) < 15 {
		t.Fatalf("the reference has %d rows, want 15 or more", len(texts))
	}
	shown := strings.NewReplacer("⏎", "\n", "␍", "\r", "⋅", " ")
	for i, text := range texts {
		for j, format := range []string{"auto", "dotenv"} {
			t.Run(fmt.Sprintf("%s %q", format, text), func(t *testing.T) {
				server := newGitHub(t, fakegithub.World{})
				with := map[string]string{"secrets": shown.Replace(text), "secrets_format": format}
				r := stepRun{with: with}.simulate(t, server)
				var stored []string
				for _, s := range server.Secrets() {
					stored = append(stored, fmt.Sprintf("%q", s.Value))
				}
				cell := rows[i][1+j]
				if reason, ok := strings.CutPrefix(cell, "rejected: "); ok {
					r.wantCode(t, 1)
					wantEqual(t, "requests", server.RequestLog(), "")
					wantContains(t, "the log", r.logText(), strings.ReplaceAll(reason, "`", ""))
					return
				}
				r.wantCode(t, 0)
				want := fmt.Sprintf("%q", shown.Replace(strings.Trim(cell, "`")))
				wantEqual(t, "stored values", strings.Join(stored, " "), want)
			})
		}
	}
}
