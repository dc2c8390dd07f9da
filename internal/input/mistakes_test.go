package input

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"set-org-secret/internal/golden"
)

// ordinary is a valid value for each input.
var ordinary = map[string]string{
	"mode": "set", "org": "acme", "stores": "actions", "secret_name": "DB_PASSWORD", "secret_value": plain,
	"secret_file": "value.txt", "secrets": "A=Correct-Horse", "secrets_file": "batch.env", "secrets_format": "auto",
	"encrypted_value": box(60), "key_id": "568", "trim_trailing_newline": "true", "visibility": "all",
	"sealed":                  `[{"store":"actions","secret_name":"DB_PASSWORD","key_id":"568","encrypted_value":"` + box(60) + `"}]`,
	"selected_repository_ids": "7", "selected_repositories": "web", "change": "add", "list_repositories": "true", "token": "ghp_test",
	"api_url": "https://ghe.example/api/v3", "ca_certificate": "ca.pem", "timeout": "90s", "dry_run": "true",
	"max_age": "30d", "public_key": goodKey,
}

// beside has the other inputs that make an input valid.
var beside = map[string]with{
	"secrets":           {"secret_name": ""},
	"secrets_file":      {"secret_name": ""},
	"secrets_format":    {"secrets": "A=Correct-Horse"},
	"encrypted_value":   {"key_id": "568"},
	"key_id":            {"encrypted_value": box(60)},
	"change":            {"mode": "access", "selected_repositories": "web"},
	"list_repositories": {"mode": "check"},
	"max_age":           {"mode": "check"},
	"public_key":        {"mode": "seal", "key_id": "568", "secret_value": plain},
}

// TestMistakes writes every input with each common mistake. The golden text
// has the value that each is read as, or the reason to reject it.
func TestMistakes(t *testing.T) {
	mistakes := []struct {
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
	defaults := fields(read(t, nil).Config)
	var got strings.Builder
	for _, in := range Inputs {
		if ordinary[in.Name] == "" {
			t.Fatalf("%s has no ordinary value", in.Name)
		}
		got.WriteString(in.Name + "\n")
		for _, mistake := range mistakes {
			inputs := with{in.Name: mistake.of(ordinary[in.Name])}
			maps.Copy(inputs, beside[in.Name])
			r := read(t, inputs)
			fmt.Fprintf(&got, "  %s: %s\n", mistake.name, strings.Join(described(r, defaults), " / "))
		}
	}
	golden.Compare(t, "mistakes.txt", got.String())
}
