package fakerunner

import (
	"regexp"
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

// The separators. The runner ignores invisible characters inside them, because it searches with .NET's
// culture-sensitive String.IndexOf(string): control characters other than whitespace, and format characters such as
// U+200B and U+00AD. From a separator on, it counts characters as if there were none.
// https://learn.microsoft.com/dotnet/standard/base-types/string-comparison-net-5-plus
const invisible = `[\x00-\x08\x0e-\x1f\x7f-\x{84}\x{86}-\x{9f}\p{Cf}]*`

var (
	colons   = regexp.MustCompile(":" + invisible + ":")
	brackets = regexp.MustCompile("#" + invisible + "#" + invisible + `\[`)
)

// parseCommand returns the command of a line, and whether there is one whose name is known: one with colons at the
// start of the line, or else one in brackets anywhere. Text before the brackets is dropped.
// Runner.Worker/ActionCommandManager.cs, TryProcessCommand.
func parseCommand(line string, known func(name string) bool) (command, bool) {
	if c, ok := parseColons(line); ok && known(c.name) {
		return c, true
	}
	c, ok := parseBrackets(line)
	return c, ok && known(c.name)
}

// parseColons parses "::name key=value,key=value::data" after optional whitespace.
// Runner.Common/ActionCommand.cs, TryParseV2.
func parseColons(line string) (command, bool) {
	rest, ok := strings.CutPrefix(strings.TrimLeftFunc(line, unicode.IsSpace), "::")
	end := colons.FindStringIndex(rest)
	if !ok || end == nil {
		return command{}, false
	}
	name, properties, _ := strings.Cut(rest[:end[0]], " ")
	return command{
		name:       strings.ToLower(name),
		properties: parseProperties(strings.TrimSpace(properties), ",", unescapeProperty),
		data:       unescapeData.Replace(skip(rest[end[0]:], 2)),
	}, true
}

// parseBrackets parses "##[name key=value;key=value]data". Only the first ##[ of a line counts.
// Runner.Common/ActionCommand.cs, TryParse.
func parseBrackets(line string) (command, bool) {
	start := brackets.FindStringIndex(line)
	if start == nil {
		return command{}, false
	}
	info, data, ok := strings.Cut(line[start[0]:], "]")
	name, properties, _ := strings.Cut(skip(info, 3), " ")
	return command{
		name:       strings.ToLower(name),
		properties: parseProperties(properties, ";", unescapeBracket),
		data:       unescapeBracket.Replace(data),
	}, ok
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

// skip drops the first n characters.
func skip(s string, n int) string { return string([]rune(s)[n:]) }
