package picture

import "strings"

// style is how a span of text looks.
type style int

const (
	bold style = 1 << iota
	code
	muted
	failure // the first word of an error in the log
	warning
)

// span is text of one style.
type span struct {
	text  string
	style style
}

// class returns the classes of the stylesheet.
func (s span) class() string {
	var classes []string
	for _, c := range []struct {
		style style
		class string
	}{{bold, "w"}, {code, "c"}, {muted, "m"}, {failure, "e"}, {warning, "o"}} {
		if s.style&c.style != 0 {
			classes = append(classes, c.class)
		}
	}
	return strings.Join(classes, " ")
}

// plain returns the text of spans.
func plain(spans []span) string {
	var text strings.Builder
	for _, s := range spans {
		text.WriteString(s.text)
	}
	return text.String()
}

// wrap breaks spans into lines of at most so many columns, fewer by hang for all lines
// but the first. Spaces around a break are dropped. A word that is longer is split.
func wrap(spans []span, columns, hang int) (lines [][]span) {
	var rest []span // of one character each
	for _, s := range spans {
		for _, r := range s.text {
			rest = append(rest, span{string(r), s.style})
		}
	}
	isSpace := func(i int) bool { return rest[i].text == " " }
	for {
		end := len(rest)
		if end > columns {
			for end = columns; end > 0 && !isSpace(end); end-- {
			}
			if end <= 0 {
				end = max(columns, 1)
			}
		}
		next := end
		for end > 0 && isSpace(end-1) {
			end--
		}
		for next < len(rest) && isSpace(next) {
			next++
		}
		if len(lines) == 0 {
			columns -= hang
		}
		lines, rest = append(lines, join(rest[:end])), rest[next:]
		if len(rest) == 0 {
			return lines
		}
	}
}

// join joins neighbors of the same style.
func join(spans []span) (joined []span) {
	for _, s := range spans {
		if last := len(joined) - 1; last >= 0 && joined[last].style == s.style {
			joined[last].text += s.text
			continue
		}
		joined = append(joined, s)
	}
	return joined
}
