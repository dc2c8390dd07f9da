package report

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// sanitizeLine makes a text safe to print: as one line of the log that is not a workflow command.
func (r *Reporter) sanitizeLine(text string) string {
	quoted := strconv.Quote(r.masks.Redact(text)) // escapes unprintable characters
	text = printable.Replace(quoted[1 : len(quoted)-1])
	text = strings.ReplaceAll(text, "##[", "# #[") // the older form of a workflow command
	if strings.HasPrefix(strings.TrimLeft(text, " "), "::") {
		text = strings.Replace(text, "::", ": :", 1)
	}
	return text
}

// cut shortens a sanitized text between words, because the runner does not mask a part of a masked word.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return text[:strings.LastIndexAny(text[:most], " \n")+1] + "…"
}

// printable undoes the two escapes of [strconv.Quote] for printable characters.
var printable = strings.NewReplacer(`\\`, `\`, `\"`, `"`)

// escaper is the only escape of the summary. The runner finds a masked text also if it is escaped with these entities:
// https://github.com/actions/runner/blob/main/src/Sdk/DTLogging/Logging/ValueEncoders.cs
var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;")

func (r *Reporter) html(text string) string { return escaper.Replace(r.sanitizeLine(text)) }

// markup matches code in backticks, and an https address at the start of a word, without the punctuation after it.
var markup = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile("`[^`]*`|(?:^| )https://[^ `]*[^ `.,;:)]")
})

// prose makes a sentence safe to show in the summary, with its code and its links.
func (r *Reporter) prose(text string) string {
	return markup().ReplaceAllStringFunc(r.html(text), func(match string) string {
		if code, ok := strings.CutPrefix(match, "`"); ok {
			return "<code>" + strings.TrimSuffix(code, "`") + "</code>"
		}
		address := strings.TrimPrefix(match, " ")
		return strings.TrimSuffix(match, address) + fmt.Sprintf(`<a href="%s">%s</a>`, address, address)
	})
}

// maxShown is how many characters of a name are shown. GitHub allows 255.
const maxShown = 100

// maxUnbroken is the most characters of a name without a possible break: two such columns and a date fit on a phone.
const maxUnbroken = 10

// unbroken matches the next characters of a name between two possible breaks, of which one is after each separator.
var unbroken = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(fmt.Sprintf(`[^-_./: ]{0,%d}[-_./: ]|.{1,%d}`, maxUnbroken-1, maxUnbroken))
})

// code shows the name of a secret or a repository. <wbr> lets browsers break it, and is not copied with it.
func (r *Reporter) code(name string) string {
	name = r.sanitizeLine(name)
	if runes := []rune(name); len(runes) > maxShown {
		name = string(runes[:maxShown-20]) + "…" + string(runes[len(runes)-20:])
	}
	parts := []string{name}
	if len(name) > maxUnbroken {
		parts = unbroken().FindAllString(name, -1)
	}
	return "<code>" + strings.Join(convert(parts, escaper.Replace), "<wbr>") + "</code>"
}
