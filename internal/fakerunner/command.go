package fakerunner

import (
	"strings"
	"unicode"
)

// command is a parsed workflow command. Its name and the names of its properties are case-insensitive, and in
// lowercase here.
type command struct {
	name       string
	properties map[string]string
	data       string
}

// The runner decodes %25 last, so %250A becomes %0A. One pass gives the same, because no decoded character starts
// an escape. Runner.Common/ActionCommand.cs, three escape tables.
var (
	unescapeData     = strings.NewReplacer("%0D", "\r", "%0A", "\n", "%25", "%")
	unescapeProperty = strings.NewReplacer("%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",", "%25", "%")
	unescapeBracket  = strings.NewReplacer("%3B", ";", "%0D", "\r", "%0A", "\n", "%5D", "]", "%25", "%")
)

// parseCommand returns the command of a line, and whether there is one whose name is known: one with colons at the
// start of the line, or else one in brackets anywhere. Text before the brackets is dropped.
// Runner.Worker/ActionCommandManager.cs, TryProcessCommand.
func parseCommand(line string, known func(name string) bool) (command, bool) {
	if c, ok := parseColons(line, known); ok {
		return c, true
	}
	return parseBrackets(line, known)
}

// parseColons parses "::name key=value,key=value::data" after optional whitespace.
// Runner.Common/ActionCommand.cs, TryParseV2.
func parseColons(line string, known func(name string) bool) (command, bool) {
	rest, ok := strings.CutPrefix(strings.TrimLeftFunc(line, unicode.IsSpace), "::")
	if !ok {
		return command{}, false
	}
	i := indexLoose(rest, "::")
	if i < 0 {
		return command{}, false
	}
	name, properties, _ := strings.Cut(rest[:i], " ")
	if name = strings.ToLower(name); !known(name) {
		return command{}, false
	}
	return command{
		name:       name,
		properties: parseProperties(strings.TrimSpace(properties), ",", unescapeProperty),
		data:       unescapeData.Replace(skip(rest[i:], 2)),
	}, true
}

// parseBrackets parses "##[name key=value;key=value]data". Only the first ##[ of a line counts.
// Runner.Common/ActionCommand.cs, TryParse.
func parseBrackets(line string, known func(name string) bool) (command, bool) {
	i := indexLoose(line, "##[")
	if i < 0 {
		return command{}, false
	}
	info, data, ok := strings.Cut(line[i:], "]")
	if !ok {
		return command{}, false
	}
	name, properties, _ := strings.Cut(skip(info, 3), " ")
	if name = strings.ToLower(name); !known(name) {
		return command{}, false
	}
	return command{
		name:       name,
		properties: parseProperties(properties, ";", unescapeBracket),
		data:       unescapeBracket.Replace(data),
	}, true
}

// parseProperties parses pairs of name and value. Equal signs before a name or a value are skipped, a pair with an
// empty value is dropped, and the last pair of a name wins.
func parseProperties(s, separator string, unescape *strings.Replacer) map[string]string {
	properties := map[string]string{}
	for pair := range strings.SplitSeq(s, separator) {
		name, value, _ := strings.Cut(strings.TrimLeft(pair, "="), "=")
		if value = strings.TrimLeft(value, "="); value != "" {
			properties[strings.ToLower(name)] = unescape.Replace(value)
		}
	}
	return properties
}

// indexLoose returns the index of the separator in s, or -1. It ignores invisible characters inside the separator,
// as .NET's culture-sensitive String.IndexOf(string) does
// (https://learn.microsoft.com/dotnet/standard/base-types/string-comparison-net-5-plus). From that index on, the
// runner counts characters as if there were none.
func indexLoose(s, separator string) int {
next:
	for i := range s {
		rest := s[i:]
		for j := range len(separator) {
			if j > 0 {
				rest = strings.TrimLeftFunc(rest, ignorable)
			}
			var ok bool
			if rest, ok = strings.CutPrefix(rest, separator[j:j+1]); !ok {
				continue next
			}
		}
		return i
	}
	return -1
}

// ignorable reports whether a comparison ignores a character: control characters other than whitespace, and format
// characters such as U+200B, U+200D, U+00AD.
func ignorable(c rune) bool {
	return unicode.In(c, unicode.Cc, unicode.Cf) && !unicode.IsSpace(c)
}

// skip drops the first n characters.
func skip(s string, n int) string { return string([]rune(s)[n:]) }
