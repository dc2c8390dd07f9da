//go:build interop

package action

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"set-org-secret/internal/fakegithub"
)

const nestedPage = root + "/.github/docs/nested-json.md"

// flattenCommands returns the commands of the page, by the title of their section.
func flattenCommands(t *testing.T) map[string]string {
	t.Helper()
	commands := map[string]string{}
	for section := range strings.SplitSeq(string(readFile(t, nestedPage)), "\n## ") {
		title, rest, _ := strings.Cut(section, "\n")
		if _, command, ok := strings.Cut(rest, "```sh\n"); ok {
			commands[strings.Trim(title, "`")], _, _ = strings.Cut(command, "```")
		}
	}
	return commands
}

// TestNestedJSON gives the nested documents of other tools, in nested.txt, to the action, runs the
// command of the page that the error names, with the tool replaced by the document, and
// checks that the action stores the values that the command writes.
func TestNestedJSON(t *testing.T) {
	commands := flattenCommands(t)
	archive, err := txtar.ParseFile("testdata/nested.txt")
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "documents, and secrets in them", len(archive.Files), 2*len(commands))
	for pair := range slices.Chunk(archive.Files, 2) {
		document, secrets := pair[0], pair[1]
		t.Run(document.Name, func(t *testing.T) {
			var want map[string]string
			if err := json.Unmarshal(secrets.Data, &want); err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			for _, name := range []string{"document.json", "list.json", "flat.json"} {
				writeFile(t, filepath.Join(dir, name), string(document.Data))
			}
			server := newGitHub(t, fakegithub.World{})
			with := map[string]string{"secrets_file": filepath.Join(dir, "document.json")}
			rejected := stepRun{with: with}.simulate(t, server)
			rejected.wantCode(t, 1)
			wantEqual(t, "requests", server.RequestLog(), "")
			wantContains(t, "the log", rejected.logText(), "It is "+secrets.Name+": the page "+filepath.Base(nestedPage))
			wantLacks(t, "the log", rejected.logText(), "Correct-Horse")

			tool, _, _ := strings.Cut(document.Name, " ")
			runShell(t, dir, tool+"() { cat document.json; }\n"+commands[document.Name], "RUNNER_TEMP="+dir, "ROLE=x")
			stepRun{with: map[string]string{"secrets_file": filepath.Join(dir, "secrets.json")}}.simulate(t, server).wantCode(t, 0)
			got := map[string]string{}
			for _, s := range server.Secrets() {
				got[s.Name] = s.Value
			}
			wantEqual(t, "secrets", got, want)
		})
	}
}

func runShell(t *testing.T, dir, script string, env ...string) {
	t.Helper()
	bash := exec.Command("bash", "-euo", "pipefail", "-c", script)
	bash.Dir, bash.Env = dir, append(os.Environ(), env...)
	if out, err := bash.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// TestCertificateCommands gives certificates that are not PEM to the action, runs the
// command of the error, and checks that the action takes its output.
func TestCertificateCommands(t *testing.T) {
	dir := t.TempDir()
	runShell(t, dir, "openssl req -x509 -newkey ed25519 -nodes -keyout key.pem -out pem -subj /CN=x 2>&1")
	command := regexp.MustCompile(`Convert (.*?): (openssl .*? ca\.pem)`)
	for _, test := range []struct{ format, make, options string }{
		{"DER", "openssl x509 -in pem -outform der -out FILE", ""},
		{"PKCS#7", "openssl crl2pkcs7 -nocrl -certfile pem -out FILE", ""},
		{"PKCS#7", "openssl crl2pkcs7 -nocrl -certfile pem -outform der -out FILE", " -inform der"},
	} {
		runShell(t, dir, test.make+"; rm -f ca.pem")
		server := newGitHub(t, fakegithub.World{})
		with := map[string]string{
			"secret_name": "A", "secret_value": "Correct-Horse", "ca_certificate": filepath.Join(dir, "FILE"),
		}
		rejected := stepRun{with: with}.simulate(t, server)
		rejected.wantCode(t, 1)
		for _, m := range command.FindAllStringSubmatch(rejected.logText(), -1) {
			if m[1] == test.format {
				runShell(t, dir, m[2]+test.options)
			}
		}
		with["ca_certificate"] = filepath.Join(dir, "ca.pem")
		stepRun{with: with}.simulate(t, server).wantCode(t, 0)
	}
}
