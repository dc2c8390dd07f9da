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

// TestJQ gives the nested files of other tools to the action, runs the command of
// the error with jq, and checks that the action stores what that writes.
func TestJQ(t *testing.T) {
	const one, two = "Correct-Horse \"1\"\\\n#", "Battery-Staple é"
	b64 := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	for _, test := range []struct {
		tool, text string
		want       map[string]string
	}{
		{
			"terraform output -json",
			fmt.Sprintf(`{"db_password": {"sensitive": true, "type": "string", "value": %q},
				"api-key": {"sensitive": true, "type": "string", "value": %q},
				"port": {"sensitive": false, "type": "number", "value": 5432},
				"hosts": {"sensitive": false, "type": ["list", "string"], "value": ["a", "b"]}}`, one, two),
			map[string]string{"DB_PASSWORD": one, "API_KEY": two, "PORT": "5432", "HOSTS": `["a","b"]`},
		},
		{
			"vault kv get -format=json",
			fmt.Sprintf(`{"request_id": "1", "lease_id": "", "lease_duration": 0, "renewable": false, "data": {
				"data": {"db-password": %q, "API_KEY": %q, "gone": null}, "metadata": {"version": 3}}, "warnings": null}`, one, two),
			map[string]string{"DB_PASSWORD": one, "API_KEY": two},
		},
		{
			"vault -format=json",
			fmt.Sprintf(`{"request_id": "1", "lease_duration": 2764800, "data": {"username": %q, "password": %q}}`, two, one),
			map[string]string{"USERNAME": two, "PASSWORD": one},
		},
		{
			"aws iam create-access-key",
			fmt.Sprintf(`{"AccessKey": {"UserName": "bot", "AccessKeyId": %q, "Status": "Active",
				"SecretAccessKey": %q, "CreateDate": "2026-07-28T00:00:00+00:00"}}`, two, one),
			map[string]string{"AWS_ACCESS_KEY_ID": two, "AWS_SECRET_ACCESS_KEY": one},
		},
		{
			"aws sts",
			fmt.Sprintf(`{"Credentials": {"AccessKeyId": %q, "SecretAccessKey": %q, "SessionToken": "session-token",
				"Expiration": "2026-07-28T00:00:00+00:00"}}`, two, one),
			map[string]string{"AWS_ACCESS_KEY_ID": two, "AWS_SECRET_ACCESS_KEY": one, "AWS_SESSION_TOKEN": "session-token"},
		},
		{
			"aws secretsmanager get-secret-value",
			fmt.Sprintf(`{"ARN": "arn:x", "Name": "x", "SecretString": %q, "VersionStages": ["AWSCURRENT"]}`,
				fmt.Sprintf(`{"db.password": %q, "port": 5432}`, two)),
			map[string]string{"DB_PASSWORD": two, "PORT": "5432"},
		},
		{
			"kubectl get secret -o json",
			fmt.Sprintf(`{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "type": "kubernetes.io/tls",
				"data": {"tls.key": %q, "password": %q}}`, b64(one), b64(two)),
			map[string]string{"TLS_KEY": one, "PASSWORD": two},
		},
		{
			"doppler secrets --json",
			fmt.Sprintf(`{"DB_PASSWORD": {"computed": %q, "note": "", "raw": "x"}}`, one),
			map[string]string{"DB_PASSWORD": one},
		},
		{
			"a list of names and values",
			fmt.Sprintf(`[{"key": "DB_PASSWORD", "value": %q, "type": "shared"}, {"key": "PORT", "value": 5432}]`, one),
			map[string]string{"DB_PASSWORD": one, "PORT": "5432"},
		},
		{
			"flat, with numbers or booleans",
			fmt.Sprintf(`{"Version": 1, "DB_PASSWORD": %q, "ON": true, "gone": null}`, two),
			map[string]string{"VERSION": "1", "DB_PASSWORD": two, "ON": "true"},
		},
	} {
		t.Run(test.tool, func(t *testing.T) {
			dir := t.TempDir()
			nested, flat := filepath.Join(dir, "nested.json"), filepath.Join(dir, "flat.json")
			if err := os.WriteFile(nested, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			server := newGitHub(t, fakegithub.World{})
			refused := stepRun{with: map[string]string{"secrets_file": nested}}.simulate(t, server)
			refused.wantCode(t, 1)
			wantEqual(t, "requests", server.RequestLog(), "")
			wantContains(t, "the log", refused.logText(), test.tool)
			wantLacks(t, "the log", refused.logText(), "Correct-Horse")
			for place, text := range map[string]string{"the log": refused.logText(), "the summary": refused.summary} {
				_, command, _ := strings.Cut(text, "`jq '")
				program, _, ok := strings.Cut(command, "' FILE > flat.json`")
				if !ok {
					t.Fatalf("%s has no jq command:\n%s", place, text)
				}
				out, err := exec.Command("jq", program, nested).Output()
				if err != nil {
					t.Fatalf("jq %q: %v", program, err)
				}
				if err := os.WriteFile(flat, out, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			stepRun{with: map[string]string{"secrets_file": flat}}.simulate(t, server).wantCode(t, 0)
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
