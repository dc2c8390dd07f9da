package secret

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Quote quotes a text, or describes a long or unprintable one: the runner does not mask a cut text or Go's own escapes.
func Quote(s string) string {
	unprintable := func(r rune) bool { return !strconv.IsPrint(r) && r != '\n' && r != '\r' && r != '\t' }
	switch n := utf8.RuneCountInString(s); {
	case n > 80:
		return "a text of " + FormatCount(n) + " characters"
	case !utf8.ValidString(s), strings.ContainsFunc(s, unprintable), strings.Contains(s, "##["):
		return "a text with characters that cannot be shown"
	}
	return strconv.Quote(s)
}

// FormatCount writes a number with commas between thousands: 1,234.
func FormatCount(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Count writes a number with its noun: "1 secret", "1,000 secrets", "2 repositories".
func Count(n int, noun string) string {
	if n != 1 {
		if stem, ok := strings.CutSuffix(noun, "ry"); ok {
			noun = stem + "rie"
		}
		noun += "s"
	}
	return FormatCount(n) + " " + noun
}

// FirstOf returns the first items of a list, as many as most allows, and the number of the others.
func FirstOf[T any](list []T, most int) (first []T, more int) {
	n := min(len(list), max(most, 0))
	return list[:n:n], len(list) - n
}

// FirstTexts returns the first texts of a list, as many as most allows, and then the number of the others: "9 more".
func FirstTexts(texts []string, most int) []string {
	first, more := FirstOf(texts, most)
	if more > 0 {
		first = append(first, FormatCount(more)+" more")
	}
	return first
}

// FormatTime writes a time to the second, in UTC: 2006-01-02 15:04:05 UTC.
func FormatTime(t time.Time) string { return t.UTC().Format(time.DateTime + " UTC") }

// FormatDuration rounds to at most two units: 1.5 s, 42 s, 4 min 58 s, 5 min, 1 h 30 min, 30 days.
func FormatDuration(d time.Duration) string {
	switch day := 24 * time.Hour; {
	case d >= day && d%day == 0:
		return Count(int(d/day), "day")
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Round(100*time.Millisecond).Seconds(), 'f', -1, 64) + " s"
	case d < time.Hour-time.Second/2:
		d = d.Round(time.Second)
	default:
		d = d.Round(time.Minute)
	}
	return spacedUnits.Replace(d.String())
}

// spacedUnits writes the units of [time.Duration.String], and leaves out those that are 0: 1h0m0s is 1 h.
var spacedUnits = strings.NewReplacer("h0m0s", " h", "m0s", " min", "h", " h ", "m", " min ", "s", " s")
