package input

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"set-org-secret/internal/mask"
	"set-org-secret/internal/secret"
)

// lostInput has the causes of an empty input, the common ones first.
const lostInput = "A misspelled secret name gives an empty value, and so does a step or an output that does not " +
	"exist: check the names in the expression. A secret is empty, too, if it is not shared with this repository, or " +
	"withheld from forks and Dependabot"

// adviceIfEmpty returns the text after "empty". A value in a file does not come from an expression.
func adviceIfEmpty(input string) string {
	if strings.HasSuffix(input, "_file") {
		return "; write a value, or leave it out"
	}
	return ". " + lostInput + ". Last, a job output that GitHub masked is empty in the next job: store the value in " +
		"the job that makes it, or seal it there (mode: seal)"
}

// maxBatchBytes has room for all secrets of an organization, 1,000 of 48 KB, with escapes.
const maxBatchBytes = 64 << 20

// value is one plaintext as it was given.
type value struct {
	input string
	name  secret.Name
	shown string // the name as it was given, in a batch
	text  string // any bytes
	// standIn is the first stand-in in the text, or nil. Trimming the text does not change standIn.
	standIn *standIn
}

// label is how messages name a value: the input, and the secret in a batch.
func (v value) label() string {
	if v.shown == "" {
		return v.input
	}
	return v.shown + " in " + v.input
}

// values reads every source of plaintext that is set, even if there are too many: each must be masked.
func (r *reader) values(names []secret.Name) (values []value) {
	for _, in := range Inputs {
		isPlaintext := in.isValue || in.maxFile > 0
		if !isPlaintext || !r.isSet(in.Name) {
			continue
		}
		text := r.raw(in.Name)
		if in.maxFile > 0 {
			b, err := r.readFile(r.get(in.Name), in.maxFile)
			if err != nil {
				r.reject(in.Name, err)
				continue
			}
			text = string(b)
		}
		if strings.HasPrefix(in.Name, "secrets") {
			values = append(values, r.batch(in.Name, text, names)...)
		} else {
			v := value{in.Name, cmp.Or(names...), "", text, findStandIn(text, false)}
			r.mask(v)
			values = append(values, v)
		}
	}
	return values
}

func (r *reader) mask(v value) {
	if v.standIn.isNothing() {
		return
	}
	hidden, exposed := r.result.Masks.Add(v.text)
	var at []position
	for _, line := range exposed {
		at = append(at, position{line: line})
	}
	switch {
	case !utf8.ValidString(v.text): // has a warning of its own
	case len(at) > 0:
		r.warnf("%s: too few letters or digits for the runner to mask in %s of the value, which can appear in logs",
			v.label(), places(at))
	case !hidden:
		r.warnf("%s: too short for the runner to mask: it can appear in logs", v.label())
	}
}

// entries checks each plaintext and returns it with the name of its secret.
func (r *reader) entries(values []value, trim bool) (entries []Entry) {
	var tokenForms []string
	if token := r.get("token"); len(token) >= minRun { // a shorter token is a mistake of its own
		tokenForms = mask.Forms(token)
	}
	for _, v := range values {
		if trim {
			v.text = trimNewline(v.text)
		}
		r.checkValue(v, trim, tokenForms)
		entries = append(entries, Entry{Name: v.name, Value: secret.NewValue([]byte(v.text))})
	}
	return entries
}

// trimNewline drops one newline, LF or CR LF, from the end.
func trimNewline(s string) string {
	if trimmed, ok := strings.CutSuffix(s, "\n"); ok {
		return strings.TrimSuffix(trimmed, "\r")
	}
	return s
}

// checkValue rejects values that are almost certainly mistakes, and warns about suspicious ones.
func (r *reader) checkValue(v value, trim bool, tokenForms []string) {
	text, problem := v.text, ""
	switch {
	case text == "" && v.input == "secret_file":
		problem = "the file is empty; check the command that writes it"
	case text == "":
		problem = "is empty" + adviceIfEmpty(v.input)
	case v.standIn.isNothing():
		problem = "is " + v.standIn.is + "; " + v.standIn.advice
	case len(text) > secret.MaxValueBytes:
		problem = "is larger than the 49,152 bytes (48 KB) that GitHub stores"
	case slices.ContainsFunc(tokenForms, func(form string) bool { return strings.Contains(text, form) }):
		problem = "contains the token of this step, as it is or in base64, with which each reader of the secret " +
			"could change all others; pass the new credential"
	default:
		if v.standIn != nil {
			r.warnf("%s is %s; it is stored as it is. If that is not meant, %s",
				v.label(), v.standIn.is, v.standIn.advice)
		}
		r.warnAboutText(v.label(), text, trim)
		return
	}
	if v.shown != "" {
		problem = v.shown + " " + problem
	}
	r.problemf(v.input, "%s", problem)
}

// warnAboutText warns about bytes that are seldom meant. They are stored unchanged.
func (r *reader) warnAboutText(label, text string, trim bool) {
	hasLines := strings.ContainsAny(strings.TrimSpace(text), "\r\n")
	switch {
	case isUTF16(text):
		r.warnf("%s is UTF-16, which is stored as it is; "+writeUTF8, label)
	case !utf8.ValidString(text):
		r.warnf("%s is not UTF-8, and the runner cannot mask it: a job gets secrets as text, so these bytes do not "+
			"come back; store base64", label)
	case strings.HasSuffix(text, "\r"), strings.Contains(text, "\r\n") && (hasLines || trim):
		r.warnf("%s: lines end in CR LF or CR, which is stored with them; was it written on Windows?", label)
	case strings.HasSuffix(text, "\n") && !hasLines && !trim:
		r.warnf("%s ends in a newline, which is stored with it; trim_trailing_newline: true drops it", label)
	}
}

// parseName validates the name of a secret. It also rejects a legal name that looks generated, such as a GitHub token:
// names are shown in upper case, and the runner does not mask a text in another case.
func parseName(s string) (secret.Name, error) {
	name, err := secret.ParseName(s)
	isToken := len(s) > 20 && strings.HasPrefix(s, "gh") && strings.HasPrefix(s[3:], "_")
	isRandom := len(s) >= 32 && !strings.Contains(s, "_") && strings.ContainsAny(s, "0123456789") &&
		s != strings.ToUpper(s)
	if err == nil && (isToken || isRandom) {
		return "", errors.New("looks like a value; are name and value swapped? Write a long name in upper case")
	}
	return name, err
}

// readFile reads at most limit+1 bytes of a regular file. The extra byte shows the caller that the file is too long.
func (r *reader) readFile(path string, limit int64) ([]byte, error) {
	full := path
	if workspace := r.Getenv("GITHUB_WORKSPACE"); workspace != "" && !filepath.IsAbs(full) {
		full = filepath.Join(workspace, full)
	}
	b, err := r.readRegular(full, limit)
	isMissing := errors.Is(err, fs.ErrNotExist)
	switch {
	case strings.ContainsAny(path, "\r\n"), isMissing && strings.ContainsAny(path, "={\""),
		isMissing && looksGenerated(path), err != nil && len(path) > 1000:
		r.maskContent(path)
		return nil, errors.New("must be the path of an existing file, not its content")
	case errors.Is(err, fs.ErrPermission):
		err = fmt.Errorf("%w: root in the container of this action is another user for the runner's Docker (rootless, "+
			"or userns-remap; chmod o+r lets it read the file), or SELinux forbids it (chcon -t container_file_t)", err)
	case isMissing:
		err = fmt.Errorf("%w; this action runs in a container of its own, which has the workspace and runner.temp "+
			"and no other folder of the runner: use a path relative to the workspace, or ${{ runner.temp }}/NAME", err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", secret.Quote(path), err)
	}
	return b, nil
}

// looksGenerated reports whether a path may be a value: at least 16 letters and digits, some of each, and no / or dot.
func looksGenerated(path string) bool {
	isOther := func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) }
	text := strings.Join(strings.FieldsFunc(path, isOther), "")
	return utf8.RuneCountInString(text) >= 16 && strings.ContainsFunc(text, unicode.IsLetter) &&
		strings.ContainsFunc(text, unicode.IsDigit) && !strings.ContainsAny(path, "/.")
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
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("not a regular file")
	case info.Size() == 0: // true of the kernel's own files too, such as /proc/self/environ, which has tokens
		return nil, nil
	}
	return io.ReadAll(io.LimitReader(f, limit+1))
}
