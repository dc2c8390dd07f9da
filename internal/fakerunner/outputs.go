package fakerunner

import (
	"fmt"
	"strings"
)

// ParseOutputs reads the file behind GITHUB_OUTPUT, and returns its outputs and
// their names in order of first appearance. Where the file is at fault it returns
// what came before the fault as well: the runner has set those outputs by then,
// and fails the step. Case of names does not count; the first spelling and the
// last value stay.
//
// Only LF ends a line on Linux: the CR of a CRLF stays in the value, and in the
// delimiter. A delimiter line must match exactly, and may be the last without a
// newline. Empty lines between outputs are passed over.
// Runner.Worker/FileCommandManager.cs, EnvFileKeyValuePairs; Runner.Worker/ExecutionContext.cs,
// SetOutput; Sdk/DTPipelines/Pipelines/ContextData/DictionaryContextData.cs.
func ParseOutputs(fileContent string) (outputs map[string]string, order []string, err error) {
	outputs = map[string]string{}
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
				return outputs, order, fmt.Errorf("file command output: Invalid format %q: name and delimiter must not be empty", line)
			}
			if value, text, err = heredocValue(text, delimiter); err != nil {
				return outputs, order, fmt.Errorf("file command output: %w, for %q", err, name)
			}
		default:
			return outputs, order, fmt.Errorf("file command output: Invalid format %q", line)
		}
		// The file's parser lets "=value" pass; setting the output does not.
		if name == "" {
			return outputs, order, fmt.Errorf("file command output: Value cannot be null: the output in %q has no name", line)
		}
		spelled := name
		for _, seen := range order {
			if strings.EqualFold(seen, name) {
				spelled = seen
			}
		}
		if _, seen := outputs[spelled]; !seen {
			order = append(order, spelled)
		}
		outputs[spelled] = value
	}
	return outputs, order, nil
}

// heredocValue returns the text up to the delimiter's line, without the newline
// before it, and what follows that line.
func heredocValue(text, delimiter string) (value, rest string, err error) {
	end := 0 // of the value, its last newline included
	for {
		line, after, newline := strings.Cut(text[end:], "\n")
		switch {
		case end == len(text):
			return "", "", fmt.Errorf("invalid value: Matching delimiter not found %q", delimiter)
		case line == delimiter:
			return strings.TrimSuffix(text[:end], "\n"), after, nil
		case !newline:
			return "", "", fmt.Errorf("invalid value: EOF marker missing new line, %q stands where %q should", line, delimiter)
		}
		end += len(line) + 1
	}
}
