package fakerunner

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// Kind is the severity of an annotation.
type Kind string

// The kinds of annotations.
const (
	Error   Kind = "error"
	Warning Kind = "warning"
	Notice  Kind = "notice"
)

// Annotation is an error, warning or notice of a step. Its message is masked, its title is not.
type Annotation struct {
	Kind           Kind
	Title, Message string
}

// Log is the result of processing the standard output of a step.
type Log struct {
	// Lines are the lines of the log as the website shows them, masked.
	Lines []string
	// Annotations has at most annotationsPerKind annotations of each kind.
	Annotations []Annotation
	// Masks are the values that the step masked: in plaintext, in order, without their encoded forms.
	Masks []string
	// Commands are the lowercase names of the commands that were executed, without the token that ends
	// stop-commands.
	Commands []string
	// Failed is true if a command failed the step, regardless of its exit code.
	Failed bool
}

// step is the state while the output of a step is processed.
type step struct {
	*Runner
	Log
	stop  string // the token that ends stop-commands, in lowercase; empty while commands are enabled
	count map[Kind]int
}

// Process processes the standard output of one step. A mask applies to later lines and later steps, stop-commands
// until the end of the step.
func (r *Runner) Process(stdout string) Log {
	s := &step{Runner: r, count: map[Kind]int{}}
	for _, line := range splitLines(decode(stdout)) {
		c, isCommand := parseCommand(line, s.known)
		switch {
		case !isCommand, s.stop != "" && c.name != s.stop:
			s.print(escapeMarkers.Replace(line))
		case s.stop != "":
			s.stop = ""
			s.print(line)
		default:
			s.Commands = append(s.Commands, c.name)
			if err := s.run(c, line); err != nil {
				// The runner's exception ends the step; later output is not read.
				s.issue(Error, "", err.Error())
				s.Failed = true
				return s.Log
			}
		}
	}
	return s.Log
}

// commands are the names of all commands. A plugin's internal-set-repo-path is not registered while an action runs.
// Runner.Common/ExtensionManager.cs.
var commands = strings.Fields(`add-mask add-matcher add-path debug echo endgroup error group notice remove-matcher
	save-state set-env set-output stop-commands warning`)

// known reports whether a name is that of a command, or the token that ends stop-commands.
func (s *step) known(name string) bool {
	return slices.Contains(commands, name) || s.stop != "" && name == s.stop
}

// escapeMarkers prevents a step from forging the runner's own markers.
// Runner.Worker/Handlers/OutputManager.cs.
var escapeMarkers = strings.NewReplacer("##[start-action", `##[\start-action`, "##[end-action", `##[\end-action`)

// run executes a command. It returns an error if that ends the step.
// Runner.Worker/ActionCommandManager.cs, TryProcessCommand, and one class each.
func (s *step) run(c command, line string) error {
	switch c.name {
	case "error", "warning", "notice":
		s.issue(Kind(c.name), c.properties["title"], c.data)
	case "add-mask":
		if strings.TrimSpace(c.data) == "" {
			s.issue(Warning, "", "add-mask has no value to mask")
			break
		}
		s.addMask(c.data)
		for _, line := range maskLines(c.data) {
			s.addMask(line)
		}
	case "group":
		s.print("##[group]" + c.data)
	case "endgroup":
		s.print("##[endgroup]")
	case "stop-commands":
		token := strings.ToLower(c.data)
		if token == "" || token == "pause-logging" || s.known(token) {
			return errors.New("the token for stop-commands must not be empty, pause-logging or a command name")
		}
		s.stop = token
		if utf16Len(c.data) > 6 {
			s.addMask(c.data)
		}
		s.print(line)
	case "set-env", "add-path": // are disabled
		s.issue(Error, "", fmt.Sprintf("Unable to process command '%s'", line))
		s.Failed = true
	}
	return nil
}

func (s *step) addMask(value string) {
	if s.masks.add(value) {
		s.Masks = append(s.Masks, value)
	}
}

// issue adds an annotation and logs its message. The message is masked and cut; the log then masks it again, with
// its tag. Runner.Worker/ExecutionContext.cs, AddIssue.
func (s *step) issue(kind Kind, title, message string) {
	message = s.masks.mask(message)
	if units := utf16.Encode([]rune(message)); len(units) > annotationLength {
		message = string(utf16.Decode(units[:annotationLength]))
	}
	if s.count[kind] < annotationsPerKind {
		s.count[kind]++
		s.Annotations = append(s.Annotations, Annotation{kind, title, message})
	}
	if message != "" {
		s.print(fmt.Sprintf("##[%s]%s", kind, message))
	}
}

// print logs a message, masked as a whole. Each line is shown as on the website, which is not part of the runner
// and was observed.
// Runner.Worker/ExecutionContext.cs, Write.
func (s *step) print(message string) {
	message = strings.ReplaceAll(s.masks.mask(message), "\r\n", "\n")
	for line := range strings.SplitSeq(message, "\n") {
		if line == "##[endgroup]" {
			continue // ends a group
		}
		for _, tag := range [][2]string{
			{"##[error]", "Error: "}, {"##[warning]", "Warning: "}, {"##[notice]", "Notice: "}, {"##[group]", "▸ "},
		} {
			if rest, ok := strings.CutPrefix(line, tag[0]); ok {
				line = tag[1] + rest
				break
			}
		}
		s.Lines = append(s.Lines, line)
	}
}
