package fakerunner

import (
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
	// Annotations has at most AnnotationsPerKind annotations of each kind.
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
	echo  bool
	stop  string // the token that ends stop-commands, in lowercase; empty while commands are enabled
	count map[Kind]int
}

// Process processes the standard output of one step. A mask applies to later lines and later steps. stop-commands
// and echo apply until the end of the step.
func (r *Runner) Process(stdout string) Log {
	s := &step{Runner: r, echo: r.Debug, count: map[Kind]int{}}
	for _, line := range splitLines(decode(stdout)) {
		handled, fatal := s.tryCommand(line)
		if fatal != nil {
			// The runner's exception ends the step; later output is not read.
			s.issue(Error, "", fatal.Error())
			s.Failed = true
			break
		}
		if !handled {
			s.print(escapeMarkers.Replace(line))
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

// tryCommand executes the command of a line. It returns false if the line must be logged as text, and an error if
// the command ends the step.
// Runner.Worker/ActionCommandManager.cs, TryProcessCommand.
func (s *step) tryCommand(line string) (handled bool, fatal error) {
	c, ok := parseCommand(line, s.known)
	if !ok {
		return false, nil
	}
	if s.stop != "" {
		if c.name != s.stop {
			return false, nil
		}
		s.print(line)
		s.stop = ""
		return true, nil
	}
	s.Commands = append(s.Commands, c.name)
	if c.name == "stop-commands" {
		token := strings.ToLower(c.data)
		if token == "" || token == "pause-logging" || s.known(token) {
			return true, fmt.Errorf("the token for stop-commands must not be empty, pause-logging or a command name")
		}
		s.stop = token
		if utf16Len(c.data) > 6 {
			s.addMask(c.data)
		}
		s.print(line)
		return true, nil
	}
	// Commands that mask or log a message are never echoed.
	quiet := c.name == "add-mask" || c.name == "debug" || Kind(c.name).valid()
	if s.echo && !quiet {
		s.print(line)
	}
	if err := s.run(c); err != nil {
		if quiet {
			line = c.name
		}
		s.issue(Error, "", fmt.Sprintf("Unable to process command '%s'", line))
		s.issue(Error, "", err.Error())
		s.Failed = true
	}
	return true, nil
}

func (k Kind) valid() bool { return k == Error || k == Warning || k == Notice }

// run executes a command. Runner.Worker/ActionCommandManager.cs, one class each.
func (s *step) run(c command) error {
	switch c.name {
	case "error", "warning", "notice":
		s.issue(Kind(c.name), c.properties["title"], c.data)
	case "add-mask":
		if strings.TrimSpace(c.data) == "" {
			s.issue(Warning, "", "add-mask has no value to mask")
			break
		}
		if s.echo {
			s.print("::add-mask::***")
		}
		s.addMask(c.data)
		for _, line := range maskLines(c.data) {
			s.addMask(line)
		}
	case "debug":
		if s.Debug {
			for line := range strings.SplitSeq(strings.ReplaceAll(c.data, "\r\n", "\n"), "\n") {
				s.print("##[debug]" + line)
			}
		}
	case "group":
		s.print("##[group]" + c.data)
	case "endgroup":
		s.print("##[endgroup]")
	case "echo":
		switch strings.ToLower(strings.TrimSpace(c.data)) {
		case "on":
			s.echo = true
		case "off":
			s.echo = false
		default:
			return fmt.Errorf("echo must be on or off, not %q", c.data)
		}
	case "set-env", "add-path":
		return fmt.Errorf("the %q command is disabled: use an environment file", c.name)
	case "set-output", "save-state":
		s.issue(Warning, "", fmt.Sprintf("The `%s` command is deprecated: use an environment file", c.name))
		if c.properties["name"] == "" {
			return fmt.Errorf("%s needs a name", c.name)
		}
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
	if units := utf16.Encode([]rune(message)); len(units) > AnnotationLength {
		message = string(utf16.Decode(units[:AnnotationLength]))
	}
	if s.count[kind] < AnnotationsPerKind {
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
