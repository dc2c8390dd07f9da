package input

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

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

type with = map[string]string

const emptyInput = "empty. A misspelled secret name gives an empty value, and so does a step or an output that does not " +
	"exist: check the names in the expression. A secret is empty, too, if it is not shared with this repository, or " +
	"withheld from forks and Dependabot. Last, a job output that GitHub masked is empty in the next job: store the value " +
	"in the job that makes it, or seal it there (mode: seal)"

var long = strings.Repeat("x", secret.MaxValueBytes+1)

// problemTests has invalid inputs and contradictions, with a part of each problem's text in order. TestShapes has the
// other texts of inputs that are invalid by themselves.
var problemTests = []struct {
	name string
	with with
	want []string
}{
	{"mode in capitals", with{"mode": "Set", "secret_value": plain}, nil},
	{"several problems", with{"secret_value": "", "visibility": "privat", "selected_repository_ids": "12x"}, []string{
		"secret_value: " + emptyInput,
		`visibility: must be all, private or selected, not "privat"`,
		`selected_repository_ids: must be numbers, not "12x"`,
	}},
	{"store twice", with{"stores": "actions,Actions"}, []string{"stores: actions is listed twice"}},
	{"no store", with{"stores": ","}, []string{"stores: at least one store is required"}},

	{"name with hyphen", with{"secret_name": "db-password"}, []string{`secret_name: must have only letters, digits and _, not "db-password"`}},
	{"name with leading digit", with{"secret_name": "1st"}, []string{`secret_name: must start with a letter or _, not "1st"`}},
	{"name with a reserved prefix", with{"secret_name": "GitHub_Token"}, []string{"secret_name: must not start with GITHUB_"}},
	{"a token as a name", with{"secret_name": "ghp_" + strings.Repeat("a", 36)}, []string{"secret_name: looks like a value"}},
	{"a generated value as a name", with{"secret_name": strings.Repeat("Ab1", 12)}, []string{"secret_name: looks like a value"}},
	{"a long name in upper case", with{"secret_name": strings.Repeat("AB1", 12)}, nil},
	{"a long name of words", with{"secret_name": "production_database_password_of_team_1"}, nil},
	{"a generated value in a list of names", with{"mode": "check", "secret_name": "A, " + strings.Repeat("Ab1", 12)}, []string{"secret_name: looks like a value"}},
	{"name with newline", with{"secret_name": "A\nB"}, []string{"secret_name: must be one name, because there is one value"}},

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
	{"content instead of a path", with{"secret_file": "Correct-Horse\nBattery-Staple"}, []string{"secret_file: must be the path of an existing file, not its content; pass that in secret_value\n"}},
	{"several secrets instead of a path", with{"secrets_file": "A=b\nC=d"}, []string{"secrets_file: must be the path of an existing file, not its content; pass that in secrets\n"}},
	{"content of one long line instead of a path", with{"secret_file": strings.Repeat("k", 5000)}, []string{"secret_file: must be the path of an existing file"}},

	{"visibility all with list", with{"visibility": "all", "selected_repository_ids": "1"}, []string{"visibility: cannot be all if repositories are given"}},
	{"visibility private with none", with{"visibility": "private", "selected_repositories": "none"}, []string{"visibility: cannot be private"}},
	{"selected without a list", with{"visibility": "selected"}, nil},
	{"negative id", with{"selected_repository_ids": "-1"}, []string{`must be numbers, not "-1"`}},
	{"none and more", with{"selected_repositories": "none, web"}, []string{"none cannot be combined with repository names"}},
	{"none with ids", with{"selected_repositories": "none", "selected_repository_ids": "7"}, []string{"none cannot be combined with selected_repository_ids"}},
	{"only exclusions", with{"selected_repositories": "!web"}, []string{"contains only exclusions"}},
	{"a YAML list of names", with{"mode": "check", "secret_name": "- A\n- B"}, []string{"secret_name: must be separated by commas"}},
	{"a YAML list of repositories", with{"selected_repositories": "- web\n- api"}, []string{
		`selected_repositories: must be separated by commas or newlines; write a YAML list without its "- "`,
	}},
	{"empty list", with{"selected_repositories": ","}, []string{"use none for an empty list"}},

	{"token with newline inside", with{"token": "ghp_a\nghp_b"}, []string{"token: contains characters that no token has"}},
	{"a private key as token", with{"token": pemKey}, []string{
		"token: is a private key; make a token of it in an earlier step, with actions/create-github-app-token",
	}},
	{"a private key on one line as token", with{"token": strings.ReplaceAll(pemKey, "\n", " ")}, []string{"token: is a private key"}},
	{"a value with the token", with{"secret_value": "x ghp_test\n"}, []string{
		"secret_value: contains the token of this step, with which each reader of the secret could change all others; " +
			"pass the new credential",
	}},
	{"a batch with the token", with{"secrets": `{"A": "x", "B": "ghp_test"}`}, []string{"secrets: B contains the token of this step"}},
	{"a value like the token", with{"secret_value": "ghp_tes", "token": "ghp_test"}, nil},
	{"a token that is too short to be one", with{"secret_value": "ghp_test", "token": "ghp"}, nil},
	{"a mode for a dry run", with{"mode": "dry-run", "secret_value": plain}, []string{
		`mode: must be set, seal, check or access, not "dry-run"; for a run that writes nothing set dry_run: true, and remove mode`,
	}},
	{"another mode for a dry run", with{"mode": "DryRun", "secret_value": plain}, []string{"set dry_run: true"}},
	{"an unknown mode", with{"mode": "update", "secret_value": plain}, []string{`mode: must be set, seal, check or access, not "update"` + "\n"}},
	{"token masked", with{"token": "***"}, []string{`token: is "***"`}},
	{"certificate that is invalid", with{"ca_certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}, []string{"ca_certificate: certificate 1 cannot be parsed; copy it again from its authority"}},
	{"timeout of zero", with{"timeout": "0s"}, []string{"timeout: must be a duration longer than zero"}},

	{
		"set with inputs of other modes",
		with{"change": "add", "list_repositories": "true", "max_age": "30d"},
		[]string{
			"change: not used in mode set, only in mode access", "list_repositories: not used in mode set, only in mode check",
			"max_age: not used in mode set, only in mode check",
		},
	},
	{"set with a key for a plaintext", with{"public_key": goodKey, "key_id": "568"}, []string{
		"encrypted_value: required with key_id and public_key",
	}},
	{"sealed rows with a key", with{"secret_value": "", "sealed": "[]", "secret_name": "A", "key_id": "568"}, []string{
		"encrypted_value: required with key_id and public_key",
	}},
	{"check with a key", with{"mode": "check", "secret_value": "", "public_key": goodKey}, []string{
		"public_key: not used in mode check, only in mode set or seal",
	}},
	{"sealed to a low-order key", with{"secret_value": "", "encrypted_value": box(60), "key_id": "568", "public_key": box(32)}, []string{
		"public_key: a low-order point",
	}},
	{"seal with visibility", with{"mode": "seal", "visibility": "all"}, []string{"visibility: not used in mode seal, only in mode set"}},
	{"check with a value", with{"mode": "check", "secret_value": plain}, []string{"secret_value: not used in mode check, only in mode set or seal"}},
	{"check with a format", with{"mode": "check", "secrets_format": "dotenv"}, []string{"secrets_format: not used in mode check, only in mode set or seal"}},
	{"access with visibility", with{"mode": "access", "selected_repositories": "web", "visibility": "selected"}, []string{"visibility: not used"}},

	{"sealed too short", with{"encrypted_value": box(47), "key_id": "568"}, []string{"encrypted_value: must be a sealed box, of 48 bytes or more, not of 47"}},
	{"sealed for two stores", with{"encrypted_value": box(60), "key_id": "568", "stores": "actions,dependabot"}, []string{"stores: must be one store"}},

	{"offline, valid", with{"mode": "seal", "public_key": goodKey, "key_id": "568", "token": "", "secret_value": plain}, nil},
	{"offline without id", with{"mode": "seal", "public_key": goodKey, "secret_value": plain}, []string{"key_id: required with public_key"}},
	{"offline with a low-order key", with{"mode": "seal", "key_id": "568", "public_key": box(32), "secret_value": plain}, []string{"public_key: a low-order point"}},
	{"seal without a name", with{"mode": "seal", "secret_name": ""}, nil},
	{"seal with the key from GitHub", with{"mode": "seal", "token": ""}, []string{"token: required"}},

	{"check of all", with{"mode": "check", "secret_name": "*"}, nil},
	{"check without a name", with{"mode": "check", "secret_name": ""}, []string{"or * for every secret"}},
	{"check of one secret twice", with{"mode": "check", "secret_name": "A, a"}, []string{"secret_name: A is listed twice"}},
	{"max_age of zero", with{"mode": "check", "max_age": "0d"}, []string{"max_age: must be a duration longer than zero"}},
	{"access without a list", with{"mode": "access"}, []string{"selected_repositories: required in mode access"}},
	{"replace by none", with{"mode": "access", "change": "replace", "selected_repositories": "none"}, nil},
	{"add", with{"mode": "access", "change": "Add", "selected_repositories": "web"}, nil},
	{"remove by id", with{"mode": "access", "change": "remove", "selected_repository_ids": "7"}, nil},
	{"add none", with{"mode": "access", "change": "add", "selected_repositories": "none"}, []string{"selected_repositories: none cannot be used with change: add"}},
	{"remove none", with{"mode": "access", "change": "remove", "selected_repositories": "None"}, []string{"selected_repositories: none cannot be used with change: remove"}},

	{"equal names in JSON", with{"secrets": `{"A": "1", "A": "2"}`}, []string{"secrets: A is listed twice, at line 1, column 5 and line 1, column 15"}},
	{"names equal but for case", with{"secrets": `{"A": "x", "a": "y"}`}, []string{"secrets: A and a are the same secret"}},
	{"illegal names in JSON", with{"secrets": `{"a-b": "***", "1": ""}`}, []string{
		"secrets: the name that ends at line 1, column 7 (and 1 more) must be that of a secret: letters, digits and _; " +
			"no leading digit; no GITHUB_ prefix; a long one in upper case",
	}},
	{"a batch of all secrets", with{"secrets": `{"github_token": "x", "A": "y"}`}, []string{
		`secrets: "github_token" is in toJSON(secrets) and cannot be stored; list the secrets to store in secret_name`,
	}},
	{"empty values in JSON", with{"secrets": "{\"A\": \"\",\n\"B\": \"\"}"}, []string{
		"secrets: A (line 1, column 5); B (line 2, column 4): " + emptyInput,
	}},
	{"empty value in a line", with{"secrets": "B=1\nA="}, []string{"secrets: line 2: " + emptyInput}},
	{"empty value in a .env file", with{"secrets": "A=''", "secrets_format": "dotenv"}, []string{"secrets: line 1: empty. A miss"}},
	{"empty value in a heredoc", with{"secrets": "A<<E\nE"}, []string{"secrets: line 1: empty. A miss"}},
	{"too long value in a batch", with{"secrets": "A=" + long}, []string{"secrets: A 49,153 bytes"}},
	{"masked value in a batch", with{"secrets": "A=***"}, []string{`secrets: A is "***"`}},
	{"UTF-16", with{"secrets": "\xff\xfeA\x00=\x00x\x00"}, []string{"secrets: UTF-16; write it as UTF-8"}},
	{"UTF-16, the other order", with{"secrets": "\xfe\xff\x00A\x00=\x00x"}, []string{"secrets: UTF-16"}},
	{"UTF-16 without a mark", with{"secrets": "A\x00=\x00x\x00"}, []string{"secrets: UTF-16"}},
	{"a format without a batch", with{"secrets_format": "dotenv"}, []string{
		"secrets_format: used only with secrets or secrets_file",
	}},
}

func TestProblems(t *testing.T) {
	for _, test := range problemTests {
		t.Run(test.name, func(t *testing.T) {
			r := read(t, test.with)
			if len(r.Problems) != len(test.want) {
				t.Fatalf("got %d problems, want %d:\n%s", len(r.Problems), len(test.want), texts(r))
			}
			for i, want := range test.want {
				if got := r.Problems[i].Error() + "\n"; !strings.Contains(got, want) {
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

// TestBytes checks that a value is preserved byte for byte, but for the newline that is dropped on request.
func TestBytes(t *testing.T) {
	const pem = "-----BEGIN X-----\nabc\n-----END X-----\n"
	for _, test := range []struct{ name, in, trim, want string }{
		{"unchanged", "  two  spaces  ", "false", "  two  spaces  "},
		{"last newline preserved", pem, "", pem},
		{"last newline dropped", pem, "true", strings.TrimSuffix(pem, "\n")},
		{"one newline dropped, not two", "ab c\n\n", "true", "ab c\n"},
		{"CRLF dropped", "ab c\r\n", "TRUE", "ab c"},
		{"CR preserved", "ab c\r", "true", "ab c\r"},
		{"commands are text", "::set-output name=x::y\n##[error]z%0A", "false", "::set-output name=x::y\n##[error]z%0A"},
		{"NUL and the like", "a\x00b\x7f", "false", "a\x00b\x7f"},
	} {
		r := read(t, map[string]string{"secret_value": test.in, "trim_trailing_newline": test.trim})
		wantEntries(t, test.name, r, "DB_PASSWORD="+test.want)
		if got := strings.Join(r.Warnings, "\n"); strings.Contains(got, "ends in a newline") {
			t.Errorf("%s: got the warnings %q, want none of a newline", test.name, got)
		}
	}
}

// TestFiles checks that files are read byte for byte and rejected, not cut, if they are too large.
func TestFiles(t *testing.T) {
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
	wantEntries(t, "every byte", got, "DB_PASSWORD="+string(every))
	marked := read(t, with{"secrets_file": write("marked", []byte("\uFEFFA=x\nb=\uFEFFy"))})
	wantEntries(t, "byte order mark", marked, "A=x", "B=\uFEFFy")
	large := write("large", []byte("A=b\n"))
	if err := os.Truncate(large, maxBatchBytes+1); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ input, path, want string }{
		{"secret_file", write("empty", nil), "secret_file: the file is empty; check the command that writes it"},
		{"secrets_file", write("lines", []byte("A=\nB=x\nC=")), "secrets_file: lines 1 and 3: empty; write a value, or leave it out\n"},
		{"secrets_file", write("json", []byte(`{"A": ""}`)), "secrets_file: A (line 1, column 5): empty; write a value, or leave it out\n"},
		{"secret_file", large, "secret_file: the file is larger than the 49,152 bytes"},
		{"secret_file", dir, "not a regular file"},
		{"secrets_file", large, "secrets_file: the file is larger than 64 MiB"},
	} {
		wantProblem(t, test.path, read(t, map[string]string{test.input: test.path}), test.want)
	}
}

// TestPermission checks that a file that may not be read is one problem, with its
// causes.
func TestPermission(t *testing.T) {
	for _, input := range []string{"secret_file", "secrets_file"} {
		src := source(map[string]string{
			"INPUT_" + strings.ToUpper(input): "/github/runner_temp/key", "INPUT_SECRET_NAME": "A", "INPUT_ORG": "acme",
			"INPUT_TOKEN": "ghp_test",
		})
		src.Open = func(name string) (fs.File, error) {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
		}
		wantProblem(t, input, Read(src), input+`: "/github/runner_temp/key": permission denied: root in the container of `+
			"this action is another user for the runner's Docker (rootless, or userns-remap; chmod o+r lets it read the "+
			"file), or SELinux forbids it (chcon -t container_file_t)")
	}
}

// TestCertificates checks that a certificate that is not PEM is rejected with the
// command that converts it. The commands are tried with openssl in package action.
func TestCertificates(t *testing.T) {
	valid := certificate(t)
	block, _ := pem.Decode([]byte(valid))
	const oneLine = `PEM without its newlines; write it in several lines, or convert it: sed 's/-----[^-]*-----//g; ` +
		`s/\\n//g' FILE | tr -d ' \r\n' | openssl base64 -d -A | openssl x509 -inform der -out ca.pem`
	for _, test := range []struct{ name, text, want string }{
		{"PEM", valid, ""},
		{"two", "# comment\n" + valid + valid, ""},
		{"DER", string(block.Bytes), "DER; convert it: openssl x509 -inform der -in FILE -out ca.pem"},
		{
			"PKCS#7", "-----BEGIN PKCS7-----\nYWJj\n-----END PKCS7-----\n",
			"PKCS#7; convert it: openssl pkcs7 -print_certs -in FILE -out ca.pem",
		},
		{
			"PKCS#7 as DER", "0\x82\x01\x5b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0",
			"PKCS#7; convert it: openssl pkcs7 -inform der -print_certs -in FILE -out ca.pem",
		},
		{"one line", strings.ReplaceAll(valid, "\n", " "), oneLine},
		{`with \n`, strings.ReplaceAll(valid, "\n", `\n`), oneLine},
		{"a key", valid + pemKey, "contains a private key; remove it, since only certificates belong here"},
		{"a key on one line", strings.ReplaceAll(pemKey, "\n", " "), "contains a private key; remove it"},
		{
			"another block", "-----BEGIN PUBLIC KEY-----\nYWJj\n-----END PUBLIC KEY-----\n",
			`contains a PEM block "PUBLIC KEY", not a CERTIFICATE; remove it`,
		},
		{"no PEM", "Correct-Horse", "contains no PEM certificate, which begins with -----BEGIN CERTIFICATE-----"},
	} {
		path := filepath.Join(t.TempDir(), "ca")
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		r := read(t, with{"ca_certificate": path})
		if test.want == "" {
			wantEntries(t, test.name, r, "DB_PASSWORD="+plain)
			continue
		}
		wantProblem(t, test.name, r, "ca_certificate: "+test.want)
		if strings.Contains(test.text, pemKey) && r.Masks.Redact(pemKey) == pemKey {
			t.Errorf("%s: got the masks %q, want those of the key", test.name, r.Masks.Lines())
		}
		if strings.Contains(texts(r), "private key") != strings.Contains(test.name, "key") {
			t.Errorf("%s: got %s, want private keys named only if there is one", test.name, texts(r))
		}
	}
	wantProblem(t, "base64", read(t, with{"ca_certificate": strings.Repeat("MIIB", 300)}), "ca_certificate: must be PEM text "+
		"or a readable file: must be the path of an existing file, not its content; PEM text begins with -----BEGIN CERTIFICATE-----")
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

// TestMasksInvalidInputs checks that a value is masked even if the inputs are rejected.
func TestMasksInvalidInputs(t *testing.T) {
	for name, with := range map[string]map[string]string{
		"mode without a value": {"mode": "check", "secret_value": plain},
		"unknown mode":         {"mode": "x", "secret_value": plain},
		"invalid name":         {"secrets": "not legal=" + plain},
		"lines as a path":      {"secrets_file": "A=" + plain + "\nB=x"},
		"a line as a path":     {"secrets_file": "A=" + plain},
		"JSON as a path":       {"secrets_file": `{"A": "` + plain + `"}`},
		"a PEM key as a path":  {"secret_file": "-----BEGIN X-----\n" + plain + "\n-----END X-----"},
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
		{"stored before", "A,B", "actions", ok("A", "actions") + `,{"store":"actions","secret_name":"B","operation":"updated","visibility":"all","key_id":"9"}`, "A@actions B@actions=done", ""},
		{"other rows are skipped", "A", "actions", ok("ADMIN", "actions") + "," + ok("A", "actions") + "," + ok("A", "agents"), "A@actions", ""},
		{"other rows are not looked at", "A", "actions", ok("A", "actions") + `,{"secret_name":"a b","store":"x"},{}`, "A@actions", ""},
		{"skipped before", "A", "actions", `{"store":"actions","secret_name":"A","operation":"skipped"}`, "A@actions=done", ""},
		{"stored, with a value to store", "A", "actions", `{"store":"actions","secret_name":"A","operation":"created","encrypted_value":"` + box(60) + `","key_id":"1"}`, "", "row 1: A in actions is stored, as it says, and has an encrypted_value to store"},
		{"a plaintext in base64", "A", "actions", `{"store":"actions","secret_name":"A","key_id":"1","encrypted_value":"` + encode(plain) + `"}`, "", "row 1: A in actions: encrypted_value: holds readable text"},
		{"missing", "A,B", "actions", ok("A", "actions"), "", "B in actions is requested by secret_name and stores, but has no row"},
		{"no value", "A", "actions", `{"store":"actions","secret_name":"A","operation":"failed","key_id":"568"}`, "", "row 1: A in actions has no encrypted_value and is not stored yet"},
		{"twice", "A", "actions", ok("A", "actions") + "," + ok("a", "actions"), "", "row 2: A in actions is listed twice"},
		{"a low-order key", "A", "actions", `{"store":"actions","secret_name":"A","key_id":"1","public_key":"` + box(32) + `","encrypted_value":"` + box(60) + `"}`, "", "row 1: A in actions: public_key: a low-order point"},
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
				if s.Done {
					text += "=done"
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
