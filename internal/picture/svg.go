// Package picture draws the log of a step as an SVG file, for the documentation. It is
// not part of the shipped binary.
//
// The file has no scripts and refers to nothing outside, so that it works in an image
// element. It follows the color scheme of the reader. Which fonts a reader has is not
// known: lines in the monospaced font are fitted to the width of their columns.
package picture

import (
	"fmt"
	"html"
	"slices"
	"strconv"
	"strings"
)

const (
	pageWidth = 560 // so that the text can be read where the picture is 360 pixels wide
	margin    = 14
	textWidth = pageWidth - 2*margin
	barHeight = 40 // of the title
	textSize  = 14
	codeSize  = 12
	// columnWidth is the width of a character in a line that keeps its columns.
	columnWidth = 0.6 * codeSize
	// signWidth is the width of a sign and the space after it, for a size of 1.
	signWidth = 1.5
)

// stylesheet has the colors of GitHub's two default themes. Texts have the class of
// their font and of their color, rectangles and lines that of their color.
const stylesheet = `
text{font:14px -apple-system,BlinkMacSystemFont,"Segoe UI","Noto Sans",Helvetica,Arial,sans-serif;fill:#1f2328}
.w{font-weight:600}
.c{font-family:ui-monospace,SFMono-Regular,"SF Mono",Menlo,Consolas,"Liberation Mono",monospace;font-size:12px}
.m{fill:#59636e}
.e{fill:#cf222e;font-weight:600}.o{fill:#9a6700;font-weight:600}
.page{fill:#fff}.edge{fill:none;stroke:#d1d9e0}.soft{fill:#f6f8fa}
.red{fill:#cf222e}.green{fill:#1a7f37}.on{fill:none;stroke:#fff}
@media (prefers-color-scheme:dark){
text{fill:#f0f6fc}
.m{fill:#9198a1}
.e{fill:#f85149}.o{fill:#d29922}
.page{fill:#0d1117}.edge{stroke:#3d444d}.soft{fill:#151b23}
.red{fill:#f85149}.green{fill:#3fb950}.on{stroke:#0d1117}
}
`

// page is a picture on its way. y is the lower end of what has been drawn.
type page struct {
	shapes strings.Builder
	texts  []string // what is drawn, line by line, for those who cannot see it
	y      int
}

// newPage returns a page with a title bar, in which a sign of the result comes first.
func newPage(title, sign, right string) *page {
	p := &page{y: barHeight}
	bar := []span{{text: sign + " "}, {text: title, style: bold}}
	p.shape(`<path class="soft" d="M.5 %dV6.5a6 6 0 0 1 6-6H%da6 6 0 0 1 6 6V%dz"/>`, barHeight, pageWidth-7, barHeight)
	p.shape(`<path class="edge" d="M.5 %d.5H%d"/>`, barHeight, pageWidth)
	p.line(bar, place{x: margin, y: 25, size: textSize})
	p.line([]span{{text: right, style: muted}}, place{x: pageWidth - margin, y: 25, size: textSize, anchor: "end"})
	return p
}

// svg returns the file.
func (p *page) svg(title string) []byte {
	height := p.y + margin
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d"`+
		` role="img" aria-labelledby="title desc">
<title id="title">%s</title>
<desc id="desc">%s</desc>
<style>%s</style>
<rect class="page" x=".5" y=".5" width="%d" height="%d" rx="6"/>
%s<rect class="edge" x=".5" y=".5" width="%d" height="%d" rx="6"/>
</svg>
`, pageWidth, height, pageWidth, height, escape(title), escape(strings.Join(p.texts, "\n")), stylesheet,
		pageWidth-1, height-1, p.shapes.String(), pageWidth-1, height-1)
}

func (p *page) shape(format string, args ...any) {
	fmt.Fprintf(&p.shapes, format+"\n", args...)
}

// place is where a line of text is drawn: x is its start or its end, and y its base line.
type place struct {
	x, y   int
	size   int    // of the font
	class  string // of the whole line
	anchor string // "" for start, or end
	// columns is set for a line in the monospaced font that keeps the width of its
	// columns in every font.
	columns bool
}

// line draws a line of text. A sign at its start is drawn as a shape, since not every
// reader has a font with signs.
func (p *page) line(spans []span, at place) {
	p.texts = append(p.texts, plain(spans))
	spans = slices.Clone(spans)
	if len(spans) > 0 && at.anchor == "" {
		if drawn, rest, ok := drawSign(spans[0].text, at); ok {
			p.shapes.WriteString(drawn)
			at.x += int(signWidth * float64(at.size))
			spans[0].text = strings.TrimLeft(rest, " ")
		}
	}
	if strings.TrimSpace(plain(spans)) == "" {
		return
	}
	attributes := fmt.Sprintf(`x="%d" y="%d"`, at.x, at.y)
	if at.class != "" {
		attributes += fmt.Sprintf(` class="%s"`, at.class)
	}
	if at.anchor != "" {
		attributes += fmt.Sprintf(` text-anchor="%s"`, at.anchor)
	}
	if at.columns {
		attributes += fmt.Sprintf(` textLength="%s"`, decimal(float64(len([]rune(plain(spans))))*columnWidth))
	}
	var text strings.Builder
	for _, s := range spans {
		class := s.class()
		if at.columns { // spaces that no reader of SVG drops
			s.text = strings.ReplaceAll(s.text, " ", "\u00a0")
		}
		if class == "" || class == at.class {
			text.WriteString(escape(s.text))
		} else {
			fmt.Fprintf(&text, `<tspan class="%s">%s</tspan>`, class, escape(s.text))
		}
	}
	p.shape(`<text %s>%s</text>`, attributes, text.String())
}

// signs maps each sign that is drawn to its shape in a box of 16 by 16.
var signs = map[rune]string{
	'✅': `<rect class="green" width="16" height="16" rx="3"/><path class="on" stroke-width="2" d="M4 8l3 3 5-6"/>`,
	'❌': `<path class="red" d="M2.5 0L8 5.5 13.5 0 16 2.5 10.5 8 16 13.5` +
		` 13.5 16 8 10.5 2.5 16 0 13.5 5.5 8 0 2.5z"/>`,
}

// drawSign returns the shape of the sign that a text starts with, and what follows it.
func drawSign(text string, at place) (drawn, rest string, ok bool) {
	for sign, shape := range signs {
		if rest, ok = strings.CutPrefix(text, string(sign)); ok {
			scale := decimal(float64(at.size) / 16)
			drawn = fmt.Sprintf("<g transform=\"translate(%d %d) scale(%s)\">%s</g>\n",
				at.x, at.y-at.size*7/8, scale, shape)
			return drawn, rest, true
		}
	}
	return "", text, false
}

// decimal formats a number with at most two decimals.
func decimal(f float64) string {
	return strings.TrimRight(strings.TrimRight(strconv.FormatFloat(f, 'f', 2, 64), "0"), ".")
}

func escape(text string) string { return html.EscapeString(text) }
