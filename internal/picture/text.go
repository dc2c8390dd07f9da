package picture

import (
	"strings"
	"unicode"
)

// style is how a span of text looks.
type style int

const (
	bold style = 1 << iota
	code
	link
	muted
	failure // the first word of an error in the log
	warning
)

// span is text of one style. In it a newline is a line break, and zeroWidthSpace a
// place where a line may break.
type span struct {
	text  string
	style style
}

const zeroWidthSpace = '\u200b'

// class returns the classes of the stylesheet.
func (s span) class() string {
	var classes []string
	for _, c := range []struct {
		style style
		class string
	}{{bold, "w"}, {code, "c"}, {link, "l"}, {muted, "m"}, {failure, "e"}, {warning, "o"}} {
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

const (
	// columnWidth is the width of a character in a line that keeps its columns.
	columnWidth = 0.6 * codeSize
	// widestColumn is that of the widest monospaced font, for a size of 1.
	widestColumn = 0.62
	// signWidth is the width of a sign and the space after it, for a size of 1.
	signWidth = 1.5
)

// asciiWidths are the widths of the characters from space to tilde in DejaVu Sans, in
// hundredths of the size of the font. It is wider than the other common fonts.
var asciiWidths = [...]float64{
	32, 41, 46, 84, 64, 96, 78, 28, 40, 40, 50, 84, 32, 37, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64,
	64, 64, 34, 34, 84, 84, 84, 54, 100, 69, 69, 70, 78, 64, 58, 78, 76, 30, 30, 66, 56, 87, 75, 79,
	61, 79, 70, 64, 62, 74, 69, 99, 69, 62, 69, 40, 34, 40, 84, 50, 50, 62, 64, 55, 64, 62, 36, 64,
	64, 28, 28, 58, 28, 98, 64, 62, 64, 64, 42, 53, 40, 64, 60, 82, 60, 60, 53, 64, 34, 64, 84,
}

// width estimates the width of a span, for a font of this size.
func (s span) width(size int) (sum float64) {
	for _, r := range s.text {
		em := 100.0
		switch {
		case r == zeroWidthSpace || r == '\uFE0F' || r == '\n':
			continue
		case s.style&code != 0:
			sum += widestColumn * codeSize
			continue
		case signs[r] != "":
			em = signWidth * 100
		case r >= ' ' && int(r-' ') < len(asciiWidths):
			em = asciiWidths[r-' ']
		case r <= unicode.MaxLatin1:
			em = 64
		}
		if s.style&bold != 0 {
			em *= 1.13
		}
		sum += em / 100 * float64(size)
	}
	return sum
}

// token is what a line cannot break in; or a space or a line break between two.
type token struct {
	spans []span
	width float64
	// isSpace marks spaces, which are left out at the end of a line, and isBreak a line
	// break.
	isSpace, isBreak bool
}

// tokens splits spans at spaces, line breaks and where a line may break.
func tokens(spans []span, size int) (list []token) {
	open := false // whether the last token is a word that may go on
	add := func(s span, isSpace, isBreak bool) {
		list = append(list, token{[]span{s}, s.width(size), isSpace, isBreak})
		open = !isSpace && !isBreak
	}
	for _, s := range spans {
		for part := range splitAfter(s.text) {
			piece := span{part, s.style}
			switch {
			case part == "\n":
				add(piece, false, true)
			case part == " ":
				add(piece, true, false)
			case part == string(zeroWidthSpace):
				open = false
			case open:
				last := &list[len(list)-1]
				last.spans, last.width = append(last.spans, piece), last.width+piece.width(size)
			default:
				add(piece, false, false)
			}
		}
	}
	return list
}

// splitAfter returns words, and single spaces, line breaks and zero width spaces.
func splitAfter(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for text != "" {
			end := strings.IndexAny(text, " \n\u200b")
			switch end {
			case -1:
				end = len(text)
			case 0:
				end = len(string([]rune(text)[:1]))
			}
			if !yield(text[:end]) {
				return
			}
			text = text[end:]
		}
	}
}

// wrap breaks spans into lines of at most this width, which is less by hang for all
// lines but the first. A word that is wider is split.
func wrap(spans []span, size int, width, hang float64) (lines [][]span) {
	var line []span
	used := 0.0
	flush := func() {
		if len(lines) == 0 {
			width -= hang
		}
		for len(line) > 0 && line[len(line)-1].text == " " {
			line = line[:len(line)-1]
		}
		lines, line, used = append(lines, join(line)), nil, 0
	}
	for _, t := range tokens(spans, size) {
		switch {
		case t.isBreak:
			flush()
			continue
		case t.isSpace && used == 0 && len(lines) > 0:
			continue
		case !t.isSpace && used > 0 && used+t.width > width:
			flush()
		}
		for _, s := range t.spans {
			for _, part := range split(s, size, width) {
				if w := part.width(size); !t.isSpace && used > 0 && used+w > width {
					flush()
				}
				line, used = append(line, part), used+part.width(size)
			}
		}
	}
	flush()
	return lines
}

// split splits a span into parts that are at most this wide.
func split(s span, size int, width float64) (parts []span) {
	part := span{style: s.style}
	for _, r := range s.text {
		longer := span{part.text + string(r), s.style}
		if part.text != "" && longer.width(size) > width {
			parts, longer.text = append(parts, part), string(r)
		}
		part = longer
	}
	return append(parts, part)
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

// widest returns the width of the widest line if lines break only where they must, and
// that of the widest word.
func widest(spans []span, size int) (line, word float64) {
	used := 0.0
	for _, t := range tokens(spans, size) {
		if t.isBreak {
			used = 0
			continue
		}
		used += t.width
		line, word = max(line, used), max(word, t.width)
	}
	return line, word
}
