package input

import (
	"cmp"
	"strings"

	"github.com/hashicorp/go-envparse"
)

// parseDotenv reads a .env file, a value a line. Quotes and escapes are go-envparse's. It gets one value at a time, so
// that order, line numbers and equal names are known, and without comments, since it cuts the last character before
// one if that is not ASCII. Ambiguous lines are rejected before: go-envparse joins quoted pieces,
// and takes any # for a comment.
func parseDotenv(text string) document {
	d := document{advice: dotenv.advice}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, isPair := strings.Cut(line, "=")
		if after, ok := strings.CutPrefix(name, "export"); ok && startsWithSpace(after) {
			name = after
		}
		e := entry{name: strings.TrimSpace(name), at: position{line: i + 1}}
		e.fault = cmp.Or(ambiguous(name, value, dotenv), base64End(value, e.at))
		switch {
		case !isPair:
			e.fault = &fault{text: place + ": no =; write NAME=value", always: true}
		case e.fault == nil:
			e.value, e.fault = unquoteDotenv(takeApart(name, value).text)
		}
		d.entries = append(d.entries, e)
	}
	return d
}

// unquoteDotenv returns the value that a text in quotes, or without, stands for.
func unquoteDotenv(text string) (string, *fault) {
	values, err := envparse.Parse(strings.NewReader("V=" + text + "\n"))
	if err != nil { // it may quote the text
		const reason = ": an escape that JSON does not have, a control character, or more than 64 KiB"
		return "", &fault{text: place + reason, isAdvised: true}
	}
	if unpairedSurrogate(text, values["V"]) {
		return "", &fault{text: place + ": an invalid Unicode escape (unpaired surrogate)", isAdvised: true}
	}
	return values["V"], nil
}
