//go:build interop

package action

import (
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

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

// nestedTest is a document that a tool writes, and the secrets in it.
type nestedTest struct {
	title    string // of the section with the command
	name     string // of the shape in the error
	document string
	want     map[string]string
}

func nestedTests() []nestedTest {
	const one, two = "Correct-Horse \"1\"\\\n#", "Battery-Staple é"
	b64 := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	tool := func(title, document string, want map[string]string) nestedTest {
		return nestedTest{title, "nested, as " + title + " writes it", document, want}
	}
	return []nestedTest{
		tool("terraform output -json", fmt.Sprintf(`{"db_password": {"sensitive": true, "type": "string", "value": %q},
			"api-key": {"sensitive": true, "type": "string", "value": %q}, "gone": {"type": "string", "value": null},
			"port": {"sensitive": false, "type": "number", "value": 5432},
			"hosts": {"sensitive": false, "type": ["list", "string"], "value": ["a", "b"]}}`, one, two),
			map[string]string{"DB_PASSWORD": one, "API_KEY": two, "PORT": "5432", "HOSTS": `["a","b"]`}),
		tool("vault kv get -format=json", fmt.Sprintf(`{"request_id": "1", "lease_id": "", "lease_duration": 0,
			"renewable": false, "warnings": null,
			"data": {"data": {"db-password": %q, "API_KEY": %q, "gone": null}, "metadata": {"version": 3}}}`, one, two),
			map[string]string{"DB_PASSWORD": one, "API_KEY": two}),
		tool("vault -format=json",
			fmt.Sprintf(`{"request_id": "1", "lease_duration": 2764800, "data": {"username": %q, "password": %q}}`, two, one),
			map[string]string{"USERNAME": two, "PASSWORD": one}),
		tool("aws iam create-access-key", fmt.Sprintf(`{"AccessKey": {"UserName": "bot", "AccessKeyId": %q,
			"Status": "Active", "SecretAccessKey": %q, "CreateDate": "2026-07-28T00:00:00+00:00"}}`, two, one),
			map[string]string{"AWS_ACCESS_KEY_ID": two, "AWS_SECRET_ACCESS_KEY": one}),
		tool("aws sts", fmt.Sprintf(`{"Credentials": {"AccessKeyId": %q, "SecretAccessKey": %q,
			"SessionToken": "session-token", "Expiration": "2026-07-28T00:00:00+00:00"}}`, two, one),
			map[string]string{"AWS_ACCESS_KEY_ID": two, "AWS_SECRET_ACCESS_KEY": one, "AWS_SESSION_TOKEN": "session-token"}),
		tool("aws secretsmanager get-secret-value",
			fmt.Sprintf(`{"ARN": "arn:x", "Name": "x", "SecretString": %q, "VersionStages": ["AWSCURRENT"]}`,
				fmt.Sprintf(`{"db.password": %q, "port": 5432}`, two)),
			map[string]string{"DB_PASSWORD": two, "PORT": "5432"}),
		tool("kubectl get secret -o json", fmt.Sprintf(`{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"},
			"type": "kubernetes.io/tls", "data": {"tls.key": %q, "password": %q}}`, b64(one), b64(two)),
			map[string]string{"TLS_KEY": one, "PASSWORD": two}),
		tool("doppler secrets --json", fmt.Sprintf(`{"DB_PASSWORD": {"computed": %q, "note": "", "raw": "x"}}`, one),
			map[string]string{"DB_PASSWORD": one}),
		{
			"A list of names and values", "a list of names and values",
			fmt.Sprintf(`[{"key": "DB_PASSWORD", "value": %q, "type": "shared"}, {"key": "PORT", "value": 5432}]`, one),
			map[string]string{"DB_PASSWORD": one, "PORT": "5432"},
		},
		{
			"Numbers, booleans and null", "flat, with numbers or booleans",
			fmt.Sprintf(`{"Version": 1, "DB_PASSWORD": %q, "ON": true, "gone": null}`, two),
			map[string]string{"VERSION": "1", "DB_PASSWORD": two, "ON": "true"},
		},
	}
}

// TestNestedJSON gives the nested documents of other tools to the action, runs the
// command of the page that the error names, with the tool replaced by the document, and
// checks that the action stores what the command writes.
func TestNestedJSON(t *testing.T) {
	commands := flattenCommands(t)
	wantEqual(t, "commands of the page", len(commands), len(nestedTests()))
	for _, test := range nestedTests() {
		t.Run(test.title, func(t *testing.T) {
			dir := t.TempDir()
			for _, name := range []string{"document.json", "list.json", "flat.json"} {
				writeFile(t, filepath.Join(dir, name), test.document)
			}
			server := newGitHub(t, fakegithub.World{})
			with := map[string]string{"secrets_file": filepath.Join(dir, "document.json")}
			rejected := stepRun{with: with}.simulate(t, server)
			rejected.wantCode(t, 1)
			wantEqual(t, "requests", server.RequestLog(), "")
			wantContains(t, "the log", rejected.logText(), "It is "+test.name+": the page "+filepath.Base(nestedPage))
			wantLacks(t, "the log", rejected.logText(), "Correct-Horse")

			tool, _, _ := strings.Cut(test.title, " ")
			runShell(t, dir, tool+"() { cat document.json; }\n"+commands[test.title], "RUNNER_TEMP="+dir, "ROLE=x")
			stepRun{with: map[string]string{"secrets_file": filepath.Join(dir, "secrets.json")}}.simulate(t, server).wantCode(t, 0)
			got := map[string]string{}
			for _, s := range server.Secrets() {
				got[s.Name] = s.Value
			}
			if !maps.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
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
// command of the error, and checks that the action takes what it writes.
func TestCertificateCommands(t *testing.T) {
	dir := t.TempDir()
	runShell(t, dir, "openssl req -x509 -newkey ed25519 -nodes -keyout key.pem -out pem -subj /CN=x 2>&1")
	for name, make := range map[string]string{
		"DER":            "openssl x509 -in pem -outform der -out FILE",
		"PKCS#7":         "openssl crl2pkcs7 -nocrl -certfile pem -out FILE",
		"PKCS#7 as DER":  "openssl crl2pkcs7 -nocrl -certfile pem -outform der -out FILE",
		"one line":       "tr -d '\\n' < pem > FILE",
		"with spaces":    "tr '\\n' ' ' < pem > FILE",
		"with backslash": `sed -z 's/\n/\\n/g' pem > FILE`,
	} {
		runShell(t, dir, make+"; rm -f ca.pem")
		server := newGitHub(t, fakegithub.World{})
		with := map[string]string{
			"secret_name": "A", "secret_value": "Correct-Horse", "ca_certificate": filepath.Join(dir, "FILE"),
		}
		rejected := stepRun{with: with}.simulate(t, server)
		rejected.wantCode(t, 1)
		_, command, _ := strings.Cut(rejected.logText(), "convert it: ")
		command, _, isFound := strings.Cut(command, "\n")
		if !isFound {
			t.Fatalf("%s: got the log\n%s, want a command", name, rejected.logText())
		}
		runShell(t, dir, command)
		with["ca_certificate"] = filepath.Join(dir, "ca.pem")
		stepRun{with: with}.simulate(t, server).wantCode(t, 0)
	}
}
