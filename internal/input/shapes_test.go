package input

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ordinary is a valid value for each input.
var ordinary = map[string]string{
	"mode": "set", "org": "acme", "stores": "actions", "secret_name": "DB_PASSWORD", "secret_value": plain,
	"secret_file": "value.txt", "secrets": "A=Correct-Horse", "secrets_file": "secrets.env", "secrets_format": "auto",
	"encrypted_value": box(60), "key_id": "568", "trim_trailing_newline": "true", "visibility": "all",
	"sealed":                  `[{"store":"actions","secret_name":"DB_PASSWORD","key_id":"568","encrypted_value":"` + box(60) + `"}]`,
	"selected_repository_ids": "7", "selected_repositories": "web", "change": "add", "list_repositories": "true", "token": "ghp_test",
	"api_url": "https://ghe.example/api/v3", "ca_certificate": "ca.pem", "timeout": "90s", "dry_run": "true",
	"max_age": "30d", "public_key": goodKey,
}

// beside has the other inputs that make an input valid, where a name, a value and a
// token do not.
var beside = map[string]map[string]string{
	"secret_file": {"secret_value": ""}, "secrets": {"secret_value": "", "secret_name": ""},
	"secrets_file":    {"secret_value": "", "secret_name": ""},
	"secrets_format":  {"secret_value": "", "secret_name": "", "secrets": "A=Correct-Horse"},
	"encrypted_value": {"secret_value": "", "key_id": "568"}, "key_id": {"secret_value": "", "encrypted_value": box(60)},
	"change":            {"secret_value": "", "mode": "access", "selected_repositories": "web"},
	"list_repositories": {"secret_value": "", "mode": "check"},
	"sealed":            {"secret_value": ""}, "max_age": {"secret_value": "", "mode": "check"},
	"public_key": {"mode": "seal", "key_id": "568"},
}

// shown is what is read of each input.
var shown = map[string]func(Config) any{
	"mode": func(c Config) any { return c.Mode }, "org": func(c Config) any { return c.Org },
	"stores": func(c Config) any { return c.Stores }, "secret_name": func(c Config) any { return c.Entries[0].Name },
	"secret_value": stored, "secret_file": stored, "secrets": stored, "secrets_file": stored, "secrets_format": stored,
	"encrypted_value": func(c Config) any { return len(c.Sealed[0].Sealed.EncryptedValue) },
	"key_id":          func(c Config) any { return c.Sealed[0].Sealed.KeyID },
	"sealed":          func(c Config) any { return c.Sealed[0].Name },
	"visibility":      func(c Config) any { return c.Visibility },
	"selected_repository_ids": func(c Config) any {
		if c.Selection == nil {
			return "none given"
		}
		return c.Selection.IDs
	},
	"selected_repositories": func(c Config) any {
		if c.Selection == nil {
			return "none given"
		}
		return c.Selection.Names
	},
	"token": func(c Config) any { return c.Token }, "api_url": func(c Config) any { return c.APIURL },
	"ca_certificate": func(c Config) any { return len(c.CACertificates) }, "timeout": func(c Config) any { return c.Timeout },
	"dry_run": func(c Config) any { return c.DryRun }, "max_age": func(c Config) any { return c.MaxAge },
	"public_key":            func(c Config) any { return c.PublicKey.Base64() },
	"trim_trailing_newline": stored, "change": func(c Config) any { return c.Change },
	"list_repositories": func(c Config) any { return c.ListRepositories },
}

func stored(c Config) any {
	var list []string
	for _, e := range c.Entries {
		list = append(list, fmt.Sprintf("%s=%q", e.Name, e.Value.Reveal()))
	}
	return strings.Join(list, " ")
}

// TestShapes gives every input in every shape that a slip gives it. The golden text
// says what each is read as, or why it is rejected.
func TestShapes(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"value.txt": plain, "secrets.env": "A=Correct-Horse\n", "ca.pem": certificate(t),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	shapes := []struct {
		name string
		of   func(value string) string
	}{
		{"empty", func(string) string { return "" }},
		{"space", func(string) string { return " " }},
		{"JSON array", func(value string) string { return `["` + value + `"]` }},
		{"URL", func(string) string { return "https://ghe.example/acme/web" }},
		{"in quotes", func(value string) string { return `"` + value + `"` }},
		{"expression", func(string) string { return "${{ matrix.x }}" }},
		{"newline at its end", func(value string) string { return value + "\n" }},
		{"200 characters", func(string) string { return strings.Repeat("a", 200) }},
	}
	var got strings.Builder
	for _, in := range Inputs {
		if ordinary[in.Name] == "" || shown[in.Name] == nil {
			t.Fatalf("%s has no ordinary value or no way to be shown", in.Name)
		}
		got.WriteString(in.Name + "\n")
		for _, shape := range shapes {
			fmt.Fprintf(&got, "  %s: %s\n", shape.name, readShape(dir, in.Name, shape.of(ordinary[in.Name])))
		}
	}
	wantGolden(t, "shapes.txt", got.String())
}

// readShape reads one input, with what it needs beside it, and returns what came of
// it.
func readShape(dir, name, value string) string {
	env := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": dir, "GITHUB_REPOSITORY_OWNER": "acme",
		"GITHUB_API_URL": "https://api.github.com",
	}
	with := map[string]string{"secret_name": "DB_PASSWORD", "secret_value": plain, "token": "ghp_test", "org": "acme"}
	maps.Copy(with, beside[name])
	with[name] = value
	for name, value := range with {
		env["INPUT_"+strings.ToUpper(name)] = value
	}
	src := source(env)
	src.Environ = func() (list []string) {
		for name, value := range env {
			list = append(list, name+"="+value)
		}
		return list
	}
	r := Read(src)
	if len(r.Problems) > 0 {
		return "rejected: " + strings.TrimSuffix(strings.ReplaceAll(texts(r), "\n", " / "), " / ")
	}
	result := fmt.Sprint(shown[name](r.Config))
	if len(r.Warnings) > 0 {
		result += "; warning: " + strings.Join(r.Warnings, " / ")
	}
	return result
}

// certificate returns a certificate made for the test.
func certificate(t *testing.T) string {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
