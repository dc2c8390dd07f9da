package input

import (
	"encoding/base64"
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

// read reads inputs as the runner sets them. The inputs missing from with are those of a valid request to store one
// secret.
func read(t *testing.T, with with) Result {
	t.Helper()
	env := map[string]string{
		"GITHUB_REPOSITORY_OWNER": "acme", "GITHUB_API_URL": "https://api.github.com", "GITHUB_WORKSPACE": "testdata",
		"GITHUB_ACTIONS":    "true",
		"INPUT_SECRET_NAME": "DB_PASSWORD", "INPUT_SECRET_VALUE": plain, "INPUT_TOKEN": "ghp_test",
	}
	hasSource := !slices.Contains([]string{"", "set", "seal"}, strings.TrimSpace(with["mode"]))
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
		Environ: func() (list []string) {
			for name, value := range env {
				list = append(list, name+"="+value)
			}
			return list
		},
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

// wantProblem checks that there is one problem, with a text.
func wantProblem(t *testing.T, what string, r Result, want string) {
	t.Helper()
	if len(r.Problems) != 1 {
		t.Errorf("%s: got %d problems, want 1:\n%s", what, len(r.Problems), texts(r))
	}
	if !strings.Contains(texts(r), want) {
		t.Errorf("%s: got %q, want %q", what, texts(r), want)
	}
}

func encode(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func box(n int) string { return encode(string(make([]byte, n))) }

type with = map[string]string

// goodKey is the double of the base point; no test needs its private key.
const goodKey = "L+V9o0fNYkMVKNqsX7spBzD/9oSvxM/C7ZCZX1jLO3Q="

// TestFiles checks that files are read byte for byte and rejected, not cut, if they are too large.
func TestFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	if err := os.WriteFile(path, every, 0o600); err != nil {
		t.Fatal(err)
	}
	r := read(t, with{"secret_file": path})
	if got := string(r.Config.Entries[0].Value.Reveal()); got != string(every) {
		t.Errorf("got %q, want every byte", got)
	}
	longest := strings.Repeat("x", secret.MaxValueBytes)
	if err := os.WriteFile(path, []byte(longest+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r = read(t, with{"secret_file": path, "trim_trailing_newline": "true"})
	if got := string(r.Config.Entries[0].Value.Reveal()); got != longest || len(r.Problems) > 0 {
		t.Errorf("without its newline: got %d bytes and the problems %q, want %d bytes", len(got), r.Problems, len(longest))
	}
	if err := os.Truncate(path, maxBatchBytes+1); err != nil {
		t.Fatal(err)
	}
	wantProblem(t, path, read(t, with{"secret_file": path}), "secret_file: is larger than the 49,152 bytes")
	wantProblem(t, path, read(t, with{"secrets_file": path}), "secrets_file: the file is larger than 64 MiB")
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

func TestDefaults(t *testing.T) {
	r := read(t, nil)
	want := []string{
		"Mode: set", "Org: acme", "Stores: [actions]", `Entries: DB_PASSWORD="Correct-Horse 42"`, "Names: [DB_PASSWORD]", "Change: replace",
		"Token: ghp_test", "APIURL: https://api.github.com/", "Timeout: 5m0s",
	}
	if got := fields(r.Config); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := readOnlyEnv(nil).Config.APIURL.String(); got != "https://api.github.com/" {
		t.Errorf("without a runner: got %s, want https://api.github.com/", got)
	}
}
