package fakerunner

import (
	"strings"
	"unicode"
)

// command is a parsed workflow command. Its name and its properties' names are
// in lower case, since case does not count in either.
type command struct {
	name       string
	properties map[string]string
	data       string
}

// Escapes are undone one after the other, %25 last, so that %250A is %0A.
// Runner.Common/ActionCommand.cs, three escape tables.
var (
	unescapeData     = [][2]string{{"%0D", "\r"}, {"%0A", "\n"}, {"%25", "%"}}
	unescapeProperty = [][2]string{{"%0D", "\r"}, {"%0A", "\n"}, {"%3A", ":"}, {"%2C", ","}, {"%25", "%"}}
	unescapeBracket  = [][2]string{{"%3B", ";"}, {"%0D", "\r"}, {"%0A", "\n"}, {"%5D", "]"}, {"%25", "%"}}
)

func unescape(s string, table [][2]string) string {
	for _, escape := range table {
		s = strings.ReplaceAll(s, escape[0], escape[1])
	}
	return s
}

// parseCommand finds the command that a line holds, if its name is known: one
// that starts the line, else one in brackets anywhere. What stands before the
// brackets is lost with the line.
// Runner.Worker/ActionCommandManager.cs, TryProcessCommand.
func parseCommand(line string, known map[string]bool) (command, bool) {
	if c, ok := parseColons(line, known); ok {
		return c, true
	}
	return parseBrackets(line, known)
}

// parseColons reads "::name key=value,key=value::data" behind white space.
// Runner.Common/ActionCommand.cs, TryParseV2.
func parseColons(line string, known map[string]bool) (command, bool) {
	rest, ok := strings.CutPrefix(strings.TrimLeftFunc(line, unicode.IsSpace), "::")
	if !ok {
		return command{}, false
	}
	i := indexLoose(rest, "::")
	if i < 0 {
		return command{}, false
	}
	name, properties, _ := strings.Cut(rest[:i], " ")
	if name = strings.ToLower(name); !known[name] {
		return command{}, false
	}
	return command{
		name:       name,
		properties: parseProperties(strings.TrimSpace(properties), ",", unescapeProperty),
		data:       unescape(skip(rest[i:], 2), unescapeData),
	}, true
}

// parseBrackets reads "##[name key=value;key=value]data". Only the first ##[ of
// a line counts. Runner.Common/ActionCommand.cs, TryParse.
func parseBrackets(line string, known map[string]bool) (command, bool) {
	i := indexLoose(line, "##[")
	if i < 0 {
		return command{}, false
	}
	info, data, ok := strings.Cut(line[i:], "]")
	if !ok {
		return command{}, false
	}
	name, properties, _ := strings.Cut(skip(info, 3), " ")
	if name = strings.ToLower(name); !known[name] {
		return command{}, false
	}
	return command{
		name:       name,
		properties: parseProperties(properties, ";", unescapeBracket),
		data:       unescape(data, unescapeBracket),
	}, true
}

// parseProperties reads pairs. Equal signs before a name and before a value are
// passed over; a pair without either part is dropped; the last of two wins.
func parseProperties(s, separator string, table [][2]string) map[string]string {
	properties := map[string]string{}
	for pair := range strings.SplitSeq(s, separator) {
		name, value, _ := strings.Cut(strings.TrimLeft(pair, "="), "=")
		if value = strings.TrimLeft(value, "="); value != "" {
			properties[strings.ToLower(name)] = unescape(value, table)
		}
	}
	return properties
}

// indexLoose finds the separator in s with any invisible characters between its
// own: .NET's String.IndexOf(string) compares by culture, which ignores them
// (https://learn.microsoft.com/dotnet/standard/base-types/string-comparison-net-5-plus),
// while the runner goes on from the index as if nothing stood between.
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

// ignorable reports characters without weight in a comparison: controls that are
// no white space, and formatting such as U+200B, U+200D, U+00AD.
func ignorable(c rune) bool {
	return unicode.In(c, unicode.Cc, unicode.Cf) && !unicode.IsSpace(c)
}

// skip drops the first n characters.
func skip(s string, n int) string { return string([]rune(s)[n:]) }
