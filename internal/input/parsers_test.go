package input

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"set-org-secret/internal/golden"
	"set-org-secret/internal/secret"
)

// TestParsers gives each text of testdata/parsers.txtar to the parser of its section.
func TestParsers(t *testing.T) {
	golden.CompareTexts(t, "parsers.txtar", map[string]func(text string) string{
		"lines":           func(text string) string { return describe(parseLines(text)) },
		"dotenv":          func(text string) string { return describe(parseDotenv(text)) },
		"JSON":            func(text string) string { return describe(parseJSON(text)) },
		"batch":           func(text string) string { return describe(parseBatch(text, false)) },
		"batch as dotenv": func(text string) string { return describe(parseBatch(text, true)) },
		"hint of a JSON document": func(text string) string {
			return cmp.Or(strings.TrimPrefix(adviceToFlatten(text), ". "), "none")
		},
		"unknown input": func(text string) string { return cmp.Or(resembled(text), "none") },
		"api_url":       func(text string) string { return parsed(parseAPIURL(text)) },
		"duration":      func(text string) string { return parsed(parseDuration(text)) },
		"list":          func(text string) string { return parsed(splitList(text)) },
		"repository": func(text string) string {
			p, isExcluded, err := parseRepository(text, "acme")
			return parsed(map[bool]string{true: "not "}[isExcluded]+p.Glob, err)
		},
	})
}

func parsed(value any, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	return fmt.Sprint(value)
}

// describe returns each entry of a batch as NAME="value", or its rejection.
func describe(entries []entry) string {
	var list []string
	for _, e := range entries {
		text := fmt.Sprintf("%s=%q", e.name, e.value)
		if e.rejection != nil {
			text = e.rejection.text
			if e.at.line > 0 {
				text = places([]position{e.at}) + ": " + text
			}
		}
		list = append(list, text)
	}
	return strings.Join(list, " | ")
}

// TestRanges checks that each valid range matches a character exactly if it has that character in either case.
func TestRanges(t *testing.T) {
	const characters = "-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
	valid := 0
	for i, first := range characters {
		for _, last := range characters[i:] {
			p, _, err := parseRepository(fmt.Sprintf("[%c-%c]", first, last), "acme")
			if err != nil {
				continue
			}
			valid++
			for _, c := range characters {
				has := func(c rune) bool { return first <= c && c <= last }
				if got, want := p.Match(secret.Repository{FullName: string(c)}), has(unicode.ToLower(c)) || has(unicode.ToUpper(c)); got != want {
					t.Errorf("%s matches %c: got %v, want %v", p.Glob, c, got, want)
				}
			}
		}
	}
	if want := 10*11/2 + 2*26*27/2; valid != want {
		t.Errorf("got %d valid ranges, want %d: of two digits, and of two letters of one case", valid, want)
	}
}
