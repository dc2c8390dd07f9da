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
)

const plain = "Correct-Horse 42" // no message may contain it

// read reads inputs as the runner sets them. What with does not set is a valid request to store one secret.
func read(t *testing.T, with with) Result {
	t.Helper()
	env := map[string]string{
		"GITHUB_REPOSITORY_OWNER": "acme", "GITHUB_API_URL": "https://api.github.com", "GITHUB_WORKSPACE": "testdata",
		"INPUT_SECRET_NAME": "DB_PASSWORD", "INPUT_SECRET_VALUE": plain, "INPUT_TOKEN": "ghp_test",
	}
	hasSource := !slices.Contains([]string{"", "set", "seal"}, with["mode"])
	for name := range with {
		hasSource = hasSource || name == "key_id" || Inputs[inputIndex(name)].isSource
	}
	if hasSource {
		delete(env, "INPUT_SECRET_VALUE")
	}
	if with["secrets"] != "" || with["secrets_file"] != "" {
		delete(env, "INPUT_SECRET_NAME")
	}
	for name, value := range with {
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

// goodKey is the double of the base point; no test needs its private key.
const goodKey = "L+V9o0fNYkMVKNqsX7spBzD/9oSvxM/C7ZCZX1jLO3Q="

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

const pemKey = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n-----END PRIVATE KEY-----\n"

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
