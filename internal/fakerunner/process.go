package fakerunner

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// Kind is the kind of an annotation.
type Kind string

// The kinds of annotations.
const (
	Error   Kind = "error"
	Warning Kind = "warning"
	Notice  Kind = "notice"
)

// Annotation is an error, warning or notice of a step. Only its message is
// masked: the title is uploaded as it came.
type Annotation struct {
	Kind           Kind
	Title, Message string
}

// Log is what became of a step's standard output.
type Log struct {
	// Lines are the log's as the website shows them, masked.
	Lines []string
	// Annotations are those kept, at most AnnotationsPerKind of each kind.
	Annotations []Annotation
	// Masks are the values registered, in order, in plaintext and without their
	// encoded forms.
	Masks []string
	// Commands are the names, in lower case, of every command that was acted on.
	// The token that ends stop-commands is not among them.
	Commands []string
	// Failed says that a command failed the step, whatever its exit code.
	Failed bool
}

// step is the state that a step's output is read with.
type step struct {
	*Runner
	Log
	echo  bool
	stop  string // the token that ends stop-commands, in lower case
	known map[string]bool
	count map[Kind]int
}

// Process reads all that one step printed, and returns its log. A mask covers
// what comes after it, and nothing before. Stopped commands and echo end with the
// step, masks do not.
func (r *Runner) Process(stdout string) Log {
	s := &step{Runner: r, echo: r.Debug, count: map[Kind]int{}, known: map[string]bool{}}
	// Runner.Common/ExtensionManager.cs. A plugin's internal-set-repo-path is
	// not registered while an action runs.
	for _, name := range []string{
		"add-mask", "add-matcher", "add-path", "debug", "echo", "endgroup", "error", "group", "notice",
		"remove-matcher", "save-state", "set-env", "set-output", "stop-commands", "warning",
	} {
		s.known[name] = true
	}
	for _, line := range splitLines(decode(stdout)) {
		handled, fatal := s.tryCommand(line)
		if fatal != nil {
			// It escapes the output's reader and ends the step, so that nothing
			// printed later is read.
			s.issue(Error, "", fatal.Error())
			s.Failed = true
			break
		}
		if !handled {
			// Runner.Worker/Handlers/OutputManager.cs: the runner's own markers can't be forged.
			s.print(strings.NewReplacer("##[start-action", `##[\start-action`, "##[end-action", `##[\end-action`).Replace(line))
		}
	}
	return s.Log
}

// tryCommand reports whether a line was a command and is done with.
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
		delete(s.known, s.stop)
		s.stop = ""
		return true, nil
	}
	s.Commands = append(s.Commands, c.name)
	if c.name == "stop-commands" {
		token := strings.ToLower(c.data)
		if token == "" || token == "pause-logging" || s.known[token] {
			return true, fmt.Errorf("the token for stop-commands must be neither empty, pause-logging nor a command")
		}
		s.stop, s.known[token] = token, true
		if units16(c.data) > 6 {
			s.addMask(c.data)
		}
		s.print(line)
		return true, nil
	}
	// Those that say something on their own are never echoed.
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

// run acts on a command. Runner.Worker/ActionCommandManager.cs, one class each.
func (s *step) run(c command) error {
	switch c.name {
	case "error", "warning", "notice":
		s.issue(Kind(c.name), c.properties["title"], c.data)
	case "add-mask":
		if strings.TrimSpace(c.data) == "" {
			s.issue(Warning, "", "add-mask was given nothing to mask")
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
			return fmt.Errorf("echo takes on or off, not %q", c.data)
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

// issue annotates and logs a message: masked, then cut, then, in the log, masked
// again with its tag. Runner.Worker/ExecutionContext.cs, AddIssue.
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

// print logs a message, masked as a whole, and renders each of its lines as the
// website does: that is no part of the runner, and was seen there.
// Runner.Worker/ExecutionContext.cs, Write.
func (s *step) print(message string) {
	message = strings.ReplaceAll(s.masks.mask(message), "\r\n", "\n")
	for line := range strings.SplitSeq(message, "\n") {
		if line == "##[endgroup]" {
			continue // closes a fold
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
