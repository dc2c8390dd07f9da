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

// emptyValue explains the most common way to lose a value.
const emptyValue = "empty. A job output that GitHub masked arrives empty in the next job: " +
	"store it in the same job, pass a file, or seal it there (mode: seal)"

// maxBatchBytes bounds secrets_file: GitHub stores 1,000 secrets of 48 KB for an organization, and a file may have
// each of them escaped.
const maxBatchBytes = 64 << 20

// value is one plaintext as it was given.
type value struct {
	input string
	name  string // the secret's name, in a batch
	bytes []byte
}

// label is how messages name a value: the input, and the secret in a batch.
func (v value) label() string {
	if v.name == "" {
		return v.input
	}
	return v.name + " in " + v.input
}

// values reads every source of plaintext that is set, even if that is one too many, since all of them must be masked.
func (r *reader) values() (values []value) {
	for _, source := range []struct {
		input string
		limit int64 // of a file; 0 if the input is the value itself
	}{{"secret_value", 0}, {"secret_file", secret.MaxValueBytes + 2}, {"secrets", 0}, {"secrets_file", maxBatchBytes}} {
		if !r.isSet(source.input) {
			continue
		}
		b := []byte(r.raw(source.input))
		if source.limit > 0 {
			var err error
			if b, err = r.readFile(r.get(source.input), source.limit); err != nil {
				r.problemf(source.input, "%v", err)
				continue
			}
		}
		if strings.HasPrefix(source.input, "secrets") {
			values = append(values, r.batch(source.input, b)...)
		} else {
			values = append(values, value{input: source.input, bytes: b})
		}
	}
	for _, v := range values {
		if !r.result.Masks.Add(v.bytes) && len(v.bytes) > 0 {
			r.warnf("%s: too short, or not UTF-8, for the runner to mask: it can appear in logs", v.label())
		}
	}
	return values
}

// entries checks each plaintext and returns it with the secret it is for.
func (r *reader) entries(values []value, trim bool) []Entry {
	var name secret.Name
	switch {
	case !r.isSet("secrets") && !r.isSet("secrets_file"):
		name = r.oneName() // even without a value: all problems are reported at once
	case r.isSet("secret_name") && !r.isSet("secret_value") && !r.isSet("secret_file"):
		r.problemf("secret_name", "not used with secrets or secrets_file, in which each secret has its name")
	}
	var entries []Entry
	seen := map[secret.Name]string{}
	for _, v := range values {
		if trim {
			v.bytes = trimNewline(v.bytes)
		}
		r.checkValue(v, trim)
		e := Entry{Name: name, Value: secret.NewValue(v.bytes)}
		if v.name != "" {
			e.Name, _ = secret.ParseName(v.name) // an invalid one is a problem already, with its position
			// batch reports equal names.
			if first, ok := seen[e.Name]; ok && e.Name != "" && first != v.name {
				r.problemf(v.input, "%s and %s are the same secret (names are case-insensitive)", first, v.name)
			}
			seen[e.Name] = v.name
		}
		entries = append(entries, e)
	}
	return entries
}

// trimNewline drops one newline, LF or CR LF, from the end.
func trimNewline(b []byte) []byte {
	if trimmed, ok := bytes.CutSuffix(b, []byte("\n")); ok {
		return bytes.TrimSuffix(trimmed, []byte("\r"))
	}
	return b
}

// checkValue reports what cannot be meant to be stored.
func (r *reader) checkValue(v value, trim bool) {
	subject := ""
	if v.name != "" {
		subject = v.name + " "
	}
	b := v.bytes
	isFile := v.input == "secret_file"
	switch trimmed := bytes.TrimSpace(b); {
	case len(b) == 0 && isFile:
		r.problemf(v.input, "the file is empty")
	case len(b) == 0 && v.name != "":
		r.problemf(v.input, "%s is %s", v.name, emptyValue)
	case len(b) == 0:
		r.problemf(v.input, "%s", emptyValue)
	case string(trimmed) == "***":
		r.problemf(v.input, `%sis "***": the value was masked before it reached this action`, subject)
	case isExpression(trimmed):
		r.problemf(v.input, "%sis an unevaluated expression: ${{ }} is evaluated only in workflow files", subject)
	case len(b) > secret.MaxValueBytes && isFile:
		r.problemf(v.input, "the file is larger than the 49,152 bytes (48 KB) that GitHub stores")
	case len(b) > secret.MaxValueBytes:
		r.problemf(v.input, "%s%s bytes; GitHub stores at most 49,152 (48 KB)", subject, secret.FormatCount(len(b)))
	case len(trimmed) == 0:
		r.warnf("%s contains only whitespace, which is stored as it is", v.label())
	case !trim && b[len(b)-1] == '\n':
		r.warnf("%s ends in a newline, which is stored with it; trim_trailing_newline: true drops it", v.label())
	}
}

// isExpression reports whether text is one ${{ … }} and nothing else.
func isExpression(text []byte) bool {
	return bytes.HasPrefix(text, []byte("${{")) && bytes.HasSuffix(text, []byte("}}")) &&
		bytes.Count(text, []byte("${{")) == 1
}

// oneName reads secret_name if one value has one name.
func (r *reader) oneName() secret.Name {
	s := r.get("secret_name")
	if r.hasProblem("secret_name") || s == "" && strings.EqualFold(r.get("mode"), string(secret.ModeSeal)) {
		return ""
	}
	if s == "" {
		r.problemf("secret_name", "required: the name of the secret to store")
		return ""
	}
	name, err := secret.ParseName(s)
	if err != nil && len(splitList(s)) > 1 {
		err = fmt.Errorf("%w; one value has one name, use secrets or secrets_file for several", err)
	}
	if err != nil {
		r.problemf("secret_name", "%v", err)
	}
	return name
}

// readFile reads a regular file of at most limit bytes, and one more so that the caller sees that there is more.
// Relative paths start at the workspace.
func (r *reader) readFile(path string, limit int64) ([]byte, error) {
	if strings.ContainsAny(path, "\r\n") {
		// Content was given in place of a path: it may be secret.
		r.result.Masks.Add([]byte(path))
		return nil, errors.New("must be a path, not multi-line text; pass the content in secret_value or secrets")
	}
	full := path
	if workspace := r.Getenv("GITHUB_WORKSPACE"); workspace != "" && !filepath.IsAbs(full) {
		full = filepath.Join(workspace, full)
	}
	b, err := r.readRegular(full, limit)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w; this action runs in a container of its own, which has the workspace and runner.temp "+
			"and no other folder of the runner: use a path relative to the workspace, or ${{ runner.temp }}/NAME", err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", quote(path), err)
	}
	return b, nil
}

func (r *reader) readRegular(full string, limit int64) ([]byte, error) {
	f, err := r.Open(full)
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, pathErr.Err // the caller names the path
	} else if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	return io.ReadAll(io.LimitReader(f, limit+1))
}
