package input

import (
	"encoding/base64"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sethvargo/go-githubactions"

	"set-org-secret/internal/secret"
)

const plain = "Correct-Horse 42" // no message may contain it

// read reads inputs as the runner sets them. What with does not set is a valid request to store one secret.
func read(t *testing.T, with map[string]string) Result {
	t.Helper()
	env := map[string]string{
		"GITHUB_REPOSITORY_OWNER": "acme", "GITHUB_API_URL": "https://api.github.com",
		"GITHUB_WORKSPACE": t.TempDir(),
	}
	defaults := map[string]string{"secret_name": "DB_PASSWORD", "secret_value": plain, "token": "ghp_test"}
	if with["mode"] != "" && with["mode"] != "set" && with["mode"] != "seal" || hasSource(with) {
		delete(defaults, "secret_value")
	}
	if with["secrets"] != "" || with["secrets_file"] != "" {
		delete(defaults, "secret_name")
	}
	for name, value := range defaults {
		env["INPUT_"+strings.ToUpper(name)] = value
	}
	for name, value := range with {
		if i := slices.IndexFunc(Inputs, func(i Input) bool { return i.Name == name }); i < 0 {
			t.Fatalf("unknown input %s", name)
		}
		env["INPUT_"+strings.ToUpper(name)] = value
	}
	return Read(source(env))
}

// source is an environment with the toolkit's reader, as the action has it.
func source(env map[string]string) Source {
	getenv := func(name string) string { return env[name] }
	return Source{
		Getenv: getenv, GetInput: githubactions.New(githubactions.WithGetenv(getenv)).GetInput,
		Open: func(name string) (fs.File, error) { return os.Open(name) },
	}
}

func hasSource(with map[string]string) bool {
	for _, name := range []string{"secret_value", "secret_file", "secrets", "secrets_file", "encrypted_value", "key_id", "sealed"} {
		if _, ok := with[name]; ok {
			return true
		}
	}
	return false
}

func texts(r Result) string {
	var b strings.Builder
	for _, f := range r.Problems {
		b.WriteString(f.Error() + "\n")
	}
	return b.String()
}

func encode(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func box(n int) string { return encode(string(make([]byte, n))) }

// TestProblems has each invalid input and each contradiction, with a part of its text.
func TestProblems(t *testing.T) {
	type with = map[string]string
	long := strings.Repeat("x", secret.MaxValueBytes+1)
	tests := []struct {
		name string
		with with
		want []string // one for each problem, in order
	}{
		{"none", with{}, nil},
		{"unknown mode", with{"mode": "delete"}, []string{`mode: must be set, seal, check or access, not "delete"`}},
		{"mode in capitals", with{"mode": "Set", "secret_value": plain}, nil},
		{"several problems", with{"secret_value": "", "visibility": "privat", "selected_repository_ids": "12x"}, []string{
			"secret_value: empty. A job output that GitHub masked arrives empty in the next job",
			`visibility: must be all, private or selected, not "privat"`,
			`selected_repository_ids: must be numbers, not "12x"`,
		}},
		{"org with a path", with{"org": "../x"}, []string{`org: must be the login of an organization, as in https://github.com/LOGIN, not "../x"`}},
		{"org of dots", with{"org": ".."}, []string{"org:"}},
		{"store unknown", with{"stores": "actions, vault"}, []string{`stores: must be actions, dependabot, codespaces or agents, not "vault"`}},
		{"store twice", with{"stores": "actions,Actions"}, []string{"stores: actions is listed twice"}},
		{"no store", with{"stores": ","}, []string{"stores: at least one store is required"}},

		{"name missing", with{"secret_name": " "}, []string{"secret_name: required"}},
		{"name with hyphen", with{"secret_name": "db-password"}, []string{`secret_name: must have only letters, digits and _, not "db-password"`}},
		{"name with leading digit", with{"secret_name": "1st"}, []string{`secret_name: must start with a letter or _, not "1st"`}},
		{"name with a reserved prefix", with{"secret_name": "GitHub_Token"}, []string{"secret_name: must not start with GITHUB_"}},
		{"a token as a name", with{"secret_name": "ghp_" + strings.Repeat("a", 36)}, []string{"secret_name: looks like a value"}},
		{"a generated value as a name", with{"secret_name": strings.Repeat("Ab1", 12)}, []string{"secret_name: looks like a value"}},
		{"a long name in upper case", with{"secret_name": strings.Repeat("AB1", 12)}, nil},
		{"a long name of words", with{"secret_name": "production_database_password_of_team_1"}, nil},
		{"a generated value in a list of names", with{"mode": "check", "secret_name": "A, " + strings.Repeat("Ab1", 12)}, []string{"secret_name: looks like a value"}},
		{"name with newline", with{"secret_name": "A\nB"}, []string{"secret_name: must be one name, because there is one value"}},
		{"name with path", with{"secret_name": "../../user/keys"}, []string{"secret_name:"}},

		{"no source", with{"secret_value": ""}, []string{"secret_value: empty"}},
		{"no source and a bad name", with{"secret_name": "a-b", "secret_value": ""}, []string{"secret_name:", "secret_value: empty"}},
		{"a name that a batch lacks", with{"secret_name": "X", "secrets": "A=b"}, []string{"secret_name: X is not in secrets"}},
		{"sealed with an invalid key id", with{"encrypted_value": box(60), "key_id": "5 6"}, []string{"key_id: must have only letters, digits, _ and -"}},
		{"two sources", with{"secret_name": "X", "secret_value": plain, "secrets": "A=b"}, []string{"secret_value: cannot be combined with secrets"}},
		{"mask", with{"secret_value": " ***\n"}, []string{`secret_value: is "***"`}},
		{"expression", with{"secret_value": "${{ secrets.X }}\n"}, []string{"secret_value: is an unevaluated expression"}},
		{"two expressions are text", with{"secret_value": "${{ a }}${{ b }}"}, nil},
		{"too long", with{"secret_value": long}, []string{"secret_value: 49,153 bytes; GitHub stores at most 49,152"}},
		{"longest value", with{"secret_value": long[1:]}, nil},
		{"longest value and a newline, trimmed", with{"secret_value": long[1:] + "\n", "trim_trailing_newline": "true"}, nil},
		{"only a newline, trimmed", with{"secret_value": "\n", "trim_trailing_newline": "true"}, []string{"secret_value: empty"}},
		{"trim is not a boolean", with{"trim_trailing_newline": "yes"}, []string{`trim_trailing_newline: must be true or false, not "yes"`}},
		{"file missing", with{"secret_file": "no/such/file"}, []string{`secret_file: "no/such/file": no such file or directory`}},
		{"content instead of a path", with{"secret_file": "Correct-Horse\nBattery-Staple"}, []string{"secret_file: must be a path, not the content of a file"}},
		{"content instead of a path of a batch", with{"secrets_file": "A=Correct-Horse\nB=Battery-Staple"}, []string{"secrets_file: must be a path, not the content of a file"}},
		{"content instead of a path of a certificate", with{"ca_certificate": "MIIB\nAAAA"}, []string{"ca_certificate: must be PEM text or a readable file: must be a path"}},
		{"content of one line instead of a path", with{"secret_file": plain + "=="}, []string{"secret_file: must be a path, not the content"}},
		{"content of one long line instead of a path", with{"secret_file": strings.Repeat("k", 5000)}, []string{"secret_file: must be a path, not the content"}},
		{"JSON instead of a path", with{"secrets_file": `{"A": "` + plain + `"}`}, []string{"secrets_file: must be a path, not the content"}},
		{"file of a job container", with{"secret_file": "/__w/repo/key.pem"}, []string{"use a path relative to the workspace, or ${{ runner.temp }}/NAME"}},

		{"visibility all with list", with{"visibility": "all", "selected_repository_ids": "1"}, []string{"visibility: cannot be all if repositories are given"}},
		{"visibility private with none", with{"visibility": "private", "selected_repositories": "none"}, []string{"visibility: cannot be private"}},
		{"selected without a list", with{"visibility": "selected"}, nil},
		{"negative id", with{"selected_repository_ids": "-1"}, []string{`must be numbers, not "-1"`}},
		{"names among ids", with{"selected_repository_ids": "web"}, []string{"use selected_repositories for names"}},
		{"repository of another org", with{"selected_repositories": "other/web"}, []string{`"other/web" is not a repository of "acme"`}},
		{"repository of this org", with{"selected_repositories": "ACME/web"}, nil},
		{"repository with a path", with{"selected_repositories": "../x"}, []string{"selected_repositories:"}},
		{"repository of dots", with{"selected_repositories": ".."}, []string{`must be repo, org/repo or https://HOST/org/repo, not ".."`}},
		{"none and more", with{"selected_repositories": "none, web"}, []string{"none cannot be combined with repository names"}},
		{"none with ids", with{"selected_repositories": "none", "selected_repository_ids": "7"}, []string{"none cannot be combined with selected_repository_ids"}},
		{"only exclusions", with{"selected_repositories": "!web"}, []string{"contains only exclusions"}},
		{"broken glob", with{"selected_repositories": "svc-[a"}, []string{`must be a glob of *, ?, [a-z] and {a,b}, not "svc-[a"`}},
		{"glob with braces", with{"selected_repositories": "{a,b}-*, web"}, nil},
		{"empty list", with{"selected_repositories": ","}, []string{"use none for an empty list"}},

		{"token missing", with{"token": " "}, []string{"token: required. A secrets.… that is misspelled, not shared with this repository, or withheld"}},
		{"token with newline inside", with{"token": "ghp_a\nghp_b"}, []string{"token: contains characters that no token has"}},
		{"token masked", with{"token": "***"}, []string{`token: is "***"`}},
		{"api_url without TLS", with{"api_url": "http://ghe.example/api/v3"}, []string{"must be https"}},
		{"api_url of a GHES", with{"api_url": "https://ghe.example/api/v3"}, nil},
		{"api_url with trailing slashes", with{"api_url": "https://ghe.example/api/v3//"}, nil},
		{"api_url of GHE.com", with{"api_url": "https://api.octo.ghe.com"}, nil},
		{"api_url with a port", with{"api_url": "https://ghe.example:8443/api/v3"}, nil},
		{"api_url of another scheme", with{"api_url": "ftp://ghe.example"}, []string{"api_url:"}},
		{"api_url with ..", with{"api_url": "https://ghe.example/api/../v3"}, []string{"must not have .. or % in its path"}},
		{"api_url with escapes", with{"api_url": "https://ghe.example/api%2fv3"}, []string{"must not have .. or % in its path"}},
		{"api_url that is not a URL", with{"api_url": "https://u:" + "pw@[x"}, []string{"api_url: must have the form https://HOST"}},
		{"api_url on loopback", with{"api_url": "http://127.0.0.1:8080"}, nil},
		{"api_url that only looks like loopback", with{"api_url": "http://127.0.0.1.example.com"}, []string{"must be https"}},
		{"api_url with credentials", with{"api_url": "https://u:" + "pw@ghe.example"}, []string{"api_url: must not contain credentials"}},
		{"api_url with query", with{"api_url": "https://ghe.example/?x=1"}, []string{"api_url: must have the form https://HOST or https://HOST/api/v3, without query"}},
		{"api_url with fragment", with{"api_url": "https://ghe.example/#"}, []string{"api_url: must have the form https://HOST or https://HOST/api/v3, without query"}},
		{"api_url without scheme", with{"api_url": "ghe.example/api/v3"}, []string{"api_url:"}},
		{"api_url without a host", with{"api_url": "https://"}, []string{"api_url:"}},
		{"certificate that is invalid", with{"ca_certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}, []string{"ca_certificate: certificate 1 cannot be parsed"}},
		{"certificate file missing", with{"ca_certificate": "ca.pem"}, []string{"ca_certificate: must be PEM text or a readable file"}},
		{"timeout without unit", with{"timeout": "30"}, []string{`timeout: must be a duration such as 90s, 5m, 12h or 30d, not "30"`}},
		{"timeout of zero", with{"timeout": "0s"}, []string{"timeout: must be greater than zero"}},
		{"dry_run", with{"dry_run": "1"}, []string{"dry_run:"}},

		{"set with max_age", with{"max_age": "30d"}, []string{"max_age: not used in mode set, only in mode check"}},
		{"set with public_key", with{"public_key": box(32)}, []string{"public_key: not used in mode set, only in mode seal"}},
		{"seal with visibility", with{"mode": "seal", "visibility": "all"}, []string{"visibility: not used in mode seal, only in mode set"}},
		{"check with a value", with{"mode": "check", "secret_value": plain}, []string{"secret_value: not used in mode check, only in mode set or seal"}},
		{"check with a format", with{"mode": "check", "secrets_format": "dotenv"}, []string{"secrets_format: not used in mode check, only in mode set or seal"}},
		{"access with visibility", with{"mode": "access", "selected_repositories": "web", "visibility": "selected"}, []string{"visibility: not used"}},

		{"sealed without its key", with{"encrypted_value": box(60)}, []string{"key_id: required with encrypted_value; both are outputs"}},
		{"key without a value", with{"key_id": "568"}, []string{"encrypted_value: required with key_id"}},
		{"sealed too short", with{"encrypted_value": box(47), "key_id": "568"}, []string{"encrypted_value: must be a sealed box, of 48 bytes or more, not of 47"}},
		{"sealed for two stores", with{"encrypted_value": box(60), "key_id": "568", "stores": "actions,dependabot"}, []string{"stores: must be one store"}},
		{"sealed, valid", with{"encrypted_value": box(60), "key_id": "568"}, nil},

		{"offline, valid", with{"mode": "seal", "public_key": goodKey, "key_id": "568", "token": "", "secret_value": plain}, nil},
		{"offline without id", with{"mode": "seal", "public_key": goodKey, "secret_value": plain}, []string{"key_id: required with public_key"}},
		{"offline without key", with{"mode": "seal", "key_id": "568", "secret_value": plain}, []string{"public_key: required with key_id"}},
		{"offline with a low-order key", with{"mode": "seal", "key_id": "568", "public_key": box(32), "secret_value": plain}, []string{"public_key: a low-order point"}},
		{"seal without a name", with{"mode": "seal", "secret_name": ""}, nil},
		{"seal with the key from GitHub", with{"mode": "seal", "token": ""}, []string{"token: required"}},

		{"check, valid", with{"mode": "check", "max_age": "30d"}, nil},
		{"check of all", with{"mode": "check", "secret_name": "*"}, nil},
		{"check without a name", with{"mode": "check", "secret_name": ""}, []string{"or * for every secret"}},
		{"check of one secret twice", with{"mode": "check", "secret_name": "A, a"}, []string{"secret_name: A is listed twice"}},
		{"max_age of zero", with{"mode": "check", "max_age": "0d"}, []string{"max_age: must be greater than zero"}},
		{"access without a list", with{"mode": "access"}, []string{"selected_repositories: required in mode access"}},
		{"access, valid", with{"mode": "access", "selected_repositories": "none"}, nil},
		{"replace by none", with{"mode": "access", "change": "replace", "selected_repositories": "none"}, nil},
		{"add", with{"mode": "access", "change": "Add", "selected_repositories": "web"}, nil},
		{"remove by id", with{"mode": "access", "change": "remove", "selected_repository_ids": "7"}, nil},
		{"add none", with{"mode": "access", "change": "add", "selected_repositories": "none"}, []string{"selected_repositories: none cannot be used with change: add"}},
		{"remove none", with{"mode": "access", "change": "remove", "selected_repositories": "None"}, []string{"selected_repositories: none cannot be used with change: remove"}},
		{"an unknown change", with{"mode": "access", "change": "append", "selected_repositories": "web"}, []string{`change: must be replace, add or remove, not "append"`}},
		{"change in set", with{"change": "add"}, []string{"change: not used in mode set, only in mode access"}},
		{"list_repositories", with{"mode": "check", "list_repositories": "true"}, nil},
		{"list_repositories that is no boolean", with{"mode": "check", "list_repositories": "yes"}, []string{`list_repositories: must be true or false, not "yes"`}},
		{"list_repositories in set", with{"list_repositories": "true"}, []string{"list_repositories: not used in mode set, only in mode check"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := read(t, test.with)
			if len(r.Problems) != len(test.want) {
				t.Fatalf("got %d problems, want %d:\n%s", len(r.Problems), len(test.want), texts(r))
			}
			for i, want := range test.want {
				if got := r.Problems[i].Error(); !strings.Contains(got, want) {
					t.Errorf("got %q, want a problem with %q", got, want)
				}
			}
			if all := texts(r) + strings.Join(r.Warnings, "\n"); strings.Contains(all, plain) {
				t.Errorf("a message holds the plaintext: %s", all)
			}
		})
	}
}

// goodKey is the double of the base point; no test needs its private key.
const goodKey = "L+V9o0fNYkMVKNqsX7spBzD/9oSvxM/C7ZCZX1jLO3Q="

// TestBytes checks that a value is preserved byte for byte.
func TestBytes(t *testing.T) {
	pem := "-----BEGIN X-----\nabc\n-----END X-----\n"
	tests := []struct {
		name, in, trim, want string
		warned               bool
	}{
		{"unchanged", "  two  spaces  ", "false", "  two  spaces  ", false},
		{"last newline of several lines preserved", pem, "", pem, false},
		{"last newline of one line preserved", "ab c\n", "", "ab c\n", true},
		{"last newline dropped", pem, "true", strings.TrimSuffix(pem, "\n"), false},
		{"one newline dropped, not two", "ab c\n\n", "true", "ab c\n", false},
		{"CRLF dropped", "ab c\r\n", "TRUE", "ab c", false},
		{"CR preserved", "ab c\r", "true", "ab c\r", false},
		{"commands are text", "::set-output name=x::y\n##[error]z%0A", "false", "::set-output name=x::y\n##[error]z%0A", false},
		{"NUL and the like", "a\x00b\x7f", "false", "a\x00b\x7f", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := read(t, map[string]string{"secret_value": test.in, "trim_trailing_newline": test.trim})
			if len(r.Problems) > 0 {
				t.Fatalf("got problems, want none:\n%s", texts(r))
			}
			if got := string(r.Config.Entries[0].Value.Reveal()); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if warned := strings.Contains(strings.Join(r.Warnings, "\n"), "ends in a newline"); warned != test.warned {
				t.Errorf("warned: %v, want %v", warned, test.warned)
			}
		})
	}
}

func TestSecretFile(t *testing.T) {
	dir := t.TempDir()
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	got := read(t, map[string]string{"secret_file": write("every", every)})
	if len(got.Problems) > 0 {
		t.Fatalf("got problems, want none:\n%s", texts(got))
	}
	if value := got.Config.Entries[0].Value.Reveal(); string(value) != string(every) {
		t.Errorf("got the value %q, want every byte", value)
	}
	for _, test := range []struct{ path, want string }{
		{write("empty", nil), "secret_file: the file is empty\n"},
		{write("large", make([]byte, 10*secret.MaxValueBytes)), "larger than the 49,152 bytes"},
		{dir, "not a regular file"},
	} {
		if got := texts(read(t, map[string]string{"secret_file": test.path})); !strings.Contains(got, test.want) {
			t.Errorf("%s: got %q, want %q", test.path, got, test.want)
		}
	}
}

// TestEachProblemOnce checks that every problem is reported, and none in two ways.
func TestEachProblemOnce(t *testing.T) {
	row := `{"store":"actions","secret_name":"A","operation":"sealed","key_id":"568","encrypted_value":"` + box(60) + `"}`
	for _, test := range []struct {
		name string
		with map[string]string
		want string
	}{
		{"equal names in JSON", map[string]string{"secrets": `{"A": "1", "A": "2"}`}, "secrets: \"A\" is listed twice\n"},
		{
			"a name and a value in JSON", map[string]string{"secrets": `{"a-b": "***"}`},
			"secrets: the name must have only letters, digits and _, not \"a-b\"\n" +
				"secrets: \"a-b\" is \"***\": the value was masked before it reached this action\n",
		},
		{
			"missing rows",
			map[string]string{"sealed": "[" + row + "]", "secret_name": "A,B,C"},
			"sealed: B in actions is requested by secret_name and stores, but has no row\n" +
				"sealed: C in actions is requested by secret_name and stores, but has no row\n",
		},
	} {
		if got := texts(read(t, test.with)); got != test.want {
			t.Errorf("%s: got the problems\n%s, want\n%s", test.name, got, test.want)
		}
	}
}

// TestLargeBatch checks that a file beyond the limit is rejected and not cut.
func TestLargeBatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large.env")
	if err := os.WriteFile(path, []byte("A=b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, maxBatchBytes+1); err != nil {
		t.Fatal(err)
	}
	got := texts(read(t, map[string]string{"secrets_file": path}))
	if want := "secrets_file: the file is larger than 64 MiB\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDefaults(t *testing.T) {
	r := read(t, nil)
	c := r.Config
	got := fmt.Sprintf("%s %s %v timeout %v dry_run %v visibility %q selection %v %s",
		c.Mode, c.Org, c.Stores, c.Timeout, c.DryRun, c.Visibility, c.Selection, c.APIURL)
	want := `set acme [actions] timeout 5m0s dry_run false visibility "" selection <nil> https://api.github.com/`
	if got != want {
		t.Errorf("got the defaults\n%s, want\n%s", got, want)
	}
	if got := readOnlyEnv(nil).Config.APIURL.String(); got != "https://api.github.com/" {
		t.Errorf("without a runner: got %s, want https://api.github.com/", got)
	}
}

func TestDurations(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"30d": 30 * 24 * time.Hour, "12h": 12 * time.Hour, "1d12h": 36 * time.Hour, "0.5d": 12 * time.Hour, "90s": 90 * time.Second,
	} {
		got, err := parseDuration(s)
		if err != nil {
			t.Errorf("%s: got the error %v, want none", s, err)
		}
		if got != want {
			t.Errorf("%s: got %v, want %v", s, got, want)
		}
	}
	for _, s := range []string{"", "d", "30", "5 m", "1e9d", "-1d", "999999999d", "12hd", "1.2.3d", ".d", ".5d", "1.d", "1_0d", strings.Repeat("9", 400) + "d"} {
		if got, err := parseDuration(s); err == nil {
			t.Errorf("%q: got %v, want an error", s, got)
		}
	}
}

// TestMasksInvalidInputs checks that a value is masked even if the inputs are rejected.
func TestMasksInvalidInputs(t *testing.T) {
	for name, with := range map[string]map[string]string{
		"mode without a value":   {"mode": "check", "secret_value": plain},
		"unknown mode":           {"mode": "x", "secret_value": plain},
		"broken JSON":            {"secrets": `{"A": "` + plain + `", `},
		"a number":               {"secrets": `{"A": {"B": ["` + plain + `"]}}`},
		"line without =":         {"secrets": "A=b\n" + plain},
		"invalid name":           {"secrets": "not legal=" + plain},
		"heredoc without an end": {"secrets": "A<<EOF\n" + plain + "\nEOG"},
		"lines as a path":        {"secrets_file": "A=" + plain + "\nB=x"},
		"a line as a path":       {"secrets_file": "A=" + plain},
		"JSON as a path":         {"secrets_file": `{"A": "` + plain + `"}`},
		"a PEM key as a path":    {"secret_file": "-----BEGIN X-----\n" + plain + "\n-----END X-----"},
	} {
		r := read(t, with)
		if len(r.Problems) == 0 {
			t.Errorf("%s: got no problem, want one", name)
		}
		if got := r.Masks.Redact("x" + plain + "y"); strings.Contains(got, plain) {
			t.Errorf("%s: got %q, want the value redacted by the masks %q", name, got, r.Masks.Lines())
		}
		if strings.Contains(texts(r), plain) {
			t.Errorf("%s: the value is in a problem: %s", name, texts(r))
		}
	}
}

func TestBatch(t *testing.T) {
	tests := []struct {
		name, text string
		want       map[string]string
		problem    string
	}{
		{"JSON", `{"A": "1\n", "b": "=#'\""}`, map[string]string{"A": "1\n", "B": `=#'"`}, ""},
		{"lines", "A=1 = 2#x\nB=x\"y'z`\n\nC=q\n", map[string]string{"A": "1 = 2#x", "B": "x\"y'z`", "C": "q"}, ""},
		{"byte order mark", "\uFEFFA=x", map[string]string{"A": "x"}, ""},
		{"byte order mark before JSON", "\uFEFF{\"A\": \"\uFEFFx\"}", map[string]string{"A": "\uFEFFx"}, ""},

		{"same but for case", `{"A": "x", "a": "y"}`, nil, "A and a are the same secret"},
		{"invalid name", `{"aws-key.id": "x"}`, nil, `must have only letters, digits and _, not "aws-key.id"`},
		{"empty value in JSON", `{"A": ""}`, nil, "A is empty. A job output that GitHub masked"},
		{"empty value in a line", "B=1\nA=", nil, "line 2: the value is empty. A job output that GitHub masked"},
		{"UTF-16", "\xff\xfeA\x00=\x00x\x00", nil, "UTF-16; write it as UTF-8"},
		{"UTF-16, the other order", "\xfe\xff\x00A\x00=\x00x", nil, "UTF-16; write it as UTF-8"},
		{"UTF-16 without a mark", "A\x00=\x00x\x00", nil, "UTF-16; write it as UTF-8"},
		{"a batch of all secrets", `{"github_token": "x", "A": "y"}`, nil, `"github_token" is in toJSON(secrets) and cannot be stored; list the secrets to store in secret_name`},
		{"empty value in a heredoc", "A<<E\nE", nil, "line 1: the value is empty"},
		{"too long", "A=" + strings.Repeat("x", secret.MaxValueBytes+1), nil, "A 49,153 bytes"},
		{"masked", "A=***", nil, `A is "***"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, source := range []string{"secrets", "secrets_file"} {
				with := map[string]string{source: test.text}
				if source == "secrets_file" {
					path := filepath.Join(t.TempDir(), "secrets")
					if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
						t.Fatal(err)
					}
					with[source] = path
				}
				r := read(t, with)
				if test.problem != "" {
					if !strings.HasPrefix(texts(r), source+": ") {
						t.Errorf("got %q, want a problem of %s", texts(r), source)
					}
					if !strings.Contains(texts(r), test.problem) {
						t.Errorf("%s: got %q, want %q", source, texts(r), test.problem)
					}
					continue
				}
				if len(r.Problems) > 0 {
					t.Fatalf("%s: got problems, want none:\n%s", source, texts(r))
				}
				got := map[string]string{}
				for _, e := range r.Config.Entries {
					got[string(e.Name)] = string(e.Value.Reveal())
				}
				if !maps.Equal(got, test.want) {
					t.Errorf("%s: got %q, want %q", source, got, test.want)
				}
			}
		})
	}
}

func TestSealed(t *testing.T) {
	ok := func(name, store string) string {
		return `{"store":"` + store + `","secret_name":"` + name + `","operation":"sealed","visibility":"all","key_id":"568","encrypted_value":"` + box(60) + `"}`
	}
	tests := []struct {
		name, names, stores, rows string
		want                      string // NAME@store… in order
		problem                   string
	}{
		{"in the order of the allowlist", "A,B", "actions,dependabot", ok("B", "actions") + "," + ok("A", "dependabot") + "," + ok("A", "actions") + "," + ok("B", "dependabot"), "A@actions A@dependabot B@actions B@dependabot", ""},
		{"case does not count", "a", "actions", ok("A", "Actions"), "A@actions", ""},
		{"stored before", "A,B", "actions", ok("A", "actions") + `,{"store":"actions","secret_name":"B","operation":"updated","visibility":"all","key_id":"9"}`, "A@actions B@actions=updated", ""},
		{"other rows are skipped", "A", "actions", ok("ADMIN", "actions") + "," + ok("A", "actions") + "," + ok("A", "agents"), "A@actions", ""},
		{"other rows are not looked at", "A", "actions", ok("A", "actions") + `,{"secret_name":"a b","store":"x"},{}`, "A@actions", ""},
		{"stored, with a key id that is none", "A", "actions", `{"store":"actions","secret_name":"A","operation":"created","visibility":"all","key_id":"1 |\n\n## x"}`, "", "row 1: A in actions: key_id: must have only letters, digits, _ and -"},
		{"stored, with a visibility that is none", "A", "actions", `{"store":"actions","secret_name":"A","operation":"updated","visibility":"everyone","key_id":"1"}`, "", "row 1: A in actions: visibility: must be all, private or selected"},
		{"a plaintext in base64", "A", "actions", `{"store":"actions","secret_name":"A","key_id":"1","encrypted_value":"` + encode(plain) + `"}`, "", "row 1: A in actions: encrypted_value: holds readable text"},
		{"missing", "A,B", "actions", ok("A", "actions"), "", "B in actions is requested by secret_name and stores, but has no row"},
		{"no value", "A", "actions", `{"store":"actions","secret_name":"A","operation":"failed","key_id":"568"}`, "", "row 1: A in actions has no encrypted_value and is not stored yet"},
		{"twice", "A", "actions", ok("A", "actions") + "," + ok("a", "actions"), "", "row 2: A in actions is listed twice"},
		{"no key", "A", "actions", `{"store":"actions","secret_name":"A","encrypted_value":"` + box(60) + `"}`, "", "key_id: empty"},
		{"must be base64", "A", "actions", `{"store":"actions","secret_name":"A","key_id":"1","encrypted_value":"????"}`, "", "must be base64"},
		{"not rows", "A", "actions", `"x"`, "", "must be the results of a seal run"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := read(t, map[string]string{"sealed": "[" + test.rows + "]", "secret_name": test.names, "stores": test.stores})
			if test.problem != "" {
				if len(r.Problems) != 1 {
					t.Errorf("got %d problems, want 1:\n%s", len(r.Problems), texts(r))
				}
				if !strings.Contains(texts(r), test.problem) {
					t.Errorf("got %q, want %q", texts(r), test.problem)
				}
				return
			}
			if len(r.Problems) > 0 {
				t.Fatalf("got problems, want none:\n%s", texts(r))
			}
			var got []string
			for _, s := range r.Config.Sealed {
				text := string(s.Name) + "@" + string(s.Store)
				if s.Stored != nil {
					text += "=" + string(s.Stored.Operation)
				}
				got = append(got, text)
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	got := texts(read(t, map[string]string{"sealed": "[" + ok("A", "actions") + "]", "secret_name": ""}))
	if want := "the job that sealed must not choose them"; !strings.Contains(got, want) {
		t.Errorf("without secret_name: got %q, want %q", got, want)
	}
}
