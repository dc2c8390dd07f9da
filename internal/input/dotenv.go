package input

import (
	"strconv"
	"strings"
)

// parseDotenv reads a .env file with one value per line. It rejects lines that common readers read differently.
func parseDotenv(text string) (entries []entry) {
	for i, line := range strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		trimmed := strings.TrimSpace(line)
		if isSkipped := trimmed == "" || trimmed[0] == '#'; isSkipped && !strings.Contains(line, "\r") {
			continue
		}
		p := takeApart(line)
		e := entry{at: position{line: i + 1}, rejection: dotenv.check(p)}
		e.name, e.isExpanded = strings.TrimSpace(p.name), p.quote != "'" && variable().MatchString(p.text)
		if after, ok := strings.CutPrefix(e.name, "export"); ok && startsWithSpace(after) {
			e.name = strings.TrimSpace(after)
		}
		e.value = strings.Trim(p.text, p.quote) // a text in single quotes has no single quote within
		if p.quote == `"` {
			e.value, _ = strconv.Unquote(p.text) // Go has every escape that the rules allow
		}
		entries = append(entries, e)
	}
	return entries
}

// variable matches a reference that gh, Docker Compose and a shell expand.
var variable = re(`\$[A-Za-z_]`)

// onlyEscapes matches texts in which every backslash begins an escape that common readers agree on.
var onlyEscapes = re(`^(?:[^\\]|\\[nr"\\])*$`)
