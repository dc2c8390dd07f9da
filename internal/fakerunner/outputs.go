package fakerunner

import (
	"fmt"
	"strings"
)

// ParseOutputs parses the file GITHUB_OUTPUT. It returns the outputs and their names in order of first appearance.
// If the file has an error, which fails the step, it returns the outputs before the error as well, because the
// runner has set them. Names are case-insensitive: the first spelling and the last value are used.
//
// On Linux only LF ends a line: the CR of a CRLF is part of the value or the delimiter. The line of a delimiter
// must match exactly; at the end of the file it needs no newline. Empty lines between outputs are skipped.
// Runner.Worker/FileCommandManager.cs, EnvFileKeyValuePairs; Runner.Worker/ExecutionContext.cs, SetOutput;
// Sdk/DTPipelines/Pipelines/ContextData/DictionaryContextData.cs.
func ParseOutputs(fileContent string) (outputs map[string]string, order []string, err error) {
	outputs = map[string]string{}
	fail := func(format string, args ...any) (map[string]string, []string, error) {
		return outputs, order, fmt.Errorf("file command output: "+format, args...)
	}
	for text := decode(fileContent); text != ""; {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		if line == "" {
			continue
		}
		equals, heredoc := strings.Index(line, "="), strings.Index(line, "<<")
		var name, value string
		switch {
		case equals >= 0 && (heredoc < 0 || equals < heredoc):
			name, value = line[:equals], line[equals+1:]
		case heredoc >= 0:
			name = line[:heredoc]
			delimiter := line[heredoc+2:]
			if name == "" || delimiter == "" {
				return fail("Invalid format %q: name and delimiter must not be empty", line)
			}
			if value, text, err = heredocValue(text, delimiter); err != nil {
				return fail("%w, for %q", err, name)
			}
		default:
			return fail("Invalid format %q", line)
		}
		// The parser of the file accepts "=value", but setting the output fails.
		if name == "" {
			return fail("Value cannot be null: the output in %q has no name", line)
		}
		for _, earlier := range order {
			if strings.EqualFold(earlier, name) {
				name = earlier
			}
		}
		if _, exists := outputs[name]; !exists {
			order = append(order, name)
		}
		outputs[name] = value
	}
	return outputs, order, nil
}

// heredocValue returns the text before the delimiter's line, without the newline before that line, and the text
// after it.
func heredocValue(text, delimiter string) (value, rest string, err error) {
	end := 0 // of the value, including its last newline
	for {
		line, after, newline := strings.Cut(text[end:], "\n")
		switch {
		case end == len(text):
			return "", "", fmt.Errorf("invalid value: Matching delimiter not found %q", delimiter)
		case line == delimiter:
			return strings.TrimSuffix(text[:end], "\n"), after, nil
		case !newline:
			return "", "", fmt.Errorf("invalid value: EOF marker missing new line: got %q, want %q", line, delimiter)
		}
		end += len(line) + 1
	}
}
