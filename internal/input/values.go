package input

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"set-org-secret/internal/secret"
)

// emptyValue says why a value may be missing: the most common way to lose one.
const emptyValue = "empty. A job output that GitHub masked arrives empty in the next job: store it in the same job, hand over a file, or seal it there (mode: seal)"

// maxBulkBytes bounds secrets_file: GitHub keeps 1,000 secrets of 48 KB for an
// organization, and a file may hold each of them escaped.
const maxBulkBytes = 64 << 20

// valueInputs are the inputs that carry a plaintext themselves: never trimmed,
// never quoted.
var valueInputs = map[string]bool{"secret_value": true, "secrets": true}

// value is one plaintext as it came.
type value struct {
	input string
	label string // how messages name it: the input, and the secret in a bulk
	name  string // the secret's name, in a bulk
	bytes []byte
}

// values reads every source of plaintext that is given, even where that is one
// too many, since all of them have to be masked.
func (r *reader) values() []value {
	var values []value
	if s := r.raw("secret_value"); s != "" {
		values = append(values, value{input: "secret_value", label: "secret_value", bytes: []byte(s)})
	}
	if r.given("secret_file") {
		b, err := r.readFile(r.get("secret_file"), secret.MaxValueBytes+2)
		if err != nil {
			r.fault("secret_file", "%v", err)
		} else {
			values = append(values, value{input: "secret_file", label: "secret_file", bytes: b})
		}
	}
	if s := r.raw("secrets"); s != "" {
		values = append(values, r.bulk("secrets", []byte(s))...)
	}
	if r.given("secrets_file") {
		b, err := r.readFile(r.get("secrets_file"), maxBulkBytes)
		if err != nil {
			r.fault("secrets_file", "%v", err)
		} else {
			values = append(values, r.bulk("secrets_file", b)...)
		}
	}
	for _, v := range values {
		if !r.result.Masks.Add(v.bytes) && len(v.bytes) > 0 {
			r.warn("%s: too short, or not UTF-8, for the runner to mask: it can show in logs", v.label)
		}
	}
	return values
}

// entries checks each plaintext and says which secret it is for.
func (r *reader) entries(values []value, trim bool) []Entry {
	var entries []Entry
	var name secret.Name
	switch {
	case !r.given("secrets") && !r.given("secrets_file"):
		name = r.oneName() // even where there is no value: all faults are told at once
	case r.given("secret_name") && !r.given("secret_value") && !r.given("secret_file"):
		r.fault("secret_name", "not used beside secrets or secrets_file, which names each secret itself")
	}
	seen := map[secret.Name]string{}
	for _, v := range values {
		b := v.bytes
		if trim {
			b = bytes.TrimSuffix(b, []byte("\n"))
			b = bytes.TrimSuffix(b, []byte("\r"))
			if len(b) == len(v.bytes)-1 && v.bytes[len(v.bytes)-1] == '\r' {
				b = v.bytes // a lone CR is no line end
			}
		}
		switch trimmed := bytes.TrimSpace(b); {
		case len(b) == 0 && v.name != "":
			r.fault(v.input, "%s is %s", v.name, emptyValue)
		case len(b) == 0 && v.input == "secret_file":
			r.fault(v.input, "the file is empty")
		case len(b) == 0:
			r.fault(v.input, "%s", emptyValue)
		case string(trimmed) == "***":
			r.fault(v.input, "%sis nothing but ***, the mask that GitHub puts in place of a secret", ofBulk(v))
		case bytes.HasPrefix(trimmed, []byte("${{")) && bytes.HasSuffix(trimmed, []byte("}}")) && bytes.Count(trimmed, []byte("${{")) == 1:
			r.fault(v.input, "%sis an expression that nothing has evaluated; outside with: and env: the runner leaves it as text", ofBulk(v))
		case len(b) > secret.MaxValueBytes && v.input == "secret_file":
			r.fault(v.input, "the file is larger than the 49,152 bytes (48 KB) that GitHub stores")
		case len(b) > secret.MaxValueBytes:
			r.fault(v.input, "%s%s bytes, GitHub stores at most 49,152 (48 KB)", ofBulk(v), thousands(len(b)))
		case len(trimmed) == 0:
			r.warn("%s is nothing but white space, and is stored as it is", v.label)
		case !trim && b[len(b)-1] == '\n':
			r.warn("%s ends in a newline, which is stored with it; trim_trailing_newline: true drops it", v.label)
		}
		e := Entry{Value: secret.NewValue(b)}
		if v.name == "" {
			e.Name = name
		} else if parsed, err := secret.ParseName(v.name); err == nil {
			e.Name = parsed // an illegal one was refused where its place is known
			if first, ok := seen[parsed]; ok {
				r.fault(v.input, "%s and %s are one secret: GitHub keeps names in upper case", first, v.name)
			}
			seen[parsed] = v.name
		}
		entries = append(entries, e)
	}
	return entries
}

func ofBulk(v value) string {
	if v.name == "" {
		return ""
	}
	return v.name + " "
}

// oneName reads secret_name where one value has one name.
func (r *reader) oneName() secret.Name {
	if r.faulty("secret_name") {
		return ""
	}
	s := r.get("secret_name")
	if s == "" {
		if !strings.EqualFold(r.get("mode"), string(secret.ModeSeal)) {
			r.fault("secret_name", "missing: the name of the secret to store")
		}
		return ""
	}
	name, err := secret.ParseName(s)
	if err != nil {
		if len(splitList(s)) > 1 {
			err = fmt.Errorf("%w; one value has one name, for many use secrets or secrets_file", err)
		}
		r.fault("secret_name", "%v", err)
	}
	return name
}

// readFile reads a regular file of at most limit bytes, and one more so that
// the caller sees that there is more. Relative paths start at the workspace.
func (r *reader) readFile(path string, limit int64) ([]byte, error) {
	if strings.ContainsAny(path, "\r\n") {
		// Somebody gave the content for the path: it is neither shown nor lost sight of.
		r.result.Masks.Add([]byte(path))
		return nil, errors.New("not a path, it has several lines; the content itself belongs in another input")
	}
	full := path
	if !filepath.IsAbs(full) {
		if workspace := r.Getenv("GITHUB_WORKSPACE"); workspace != "" {
			full = filepath.Join(workspace, full)
		}
	}
	b, err := r.readRegular(full, limit)
	if err == nil {
		return b, nil
	}
	hint := ""
	if errors.Is(err, fs.ErrNotExist) {
		hint = "; this action runs in a container of its own, which has the workspace and runner.temp and no other folder of the runner: give a path relative to the workspace, or ${{ runner.temp }}/NAME"
	}
	return nil, fmt.Errorf("%s: %w%s", quote(path), err, hint)
}

func (r *reader) readRegular(full string, limit int64) ([]byte, error) {
	f, err := r.Open(full)
	if err != nil {
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err // the path is told once, by who asks
		}
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("not a regular file")
	}
	return io.ReadAll(io.LimitReader(f, limit+1))
}

func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
