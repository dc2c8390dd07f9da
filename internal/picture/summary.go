package picture

import (
	"fmt"
	"html"
	"regexp"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	tables "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// Summary draws the job summary of a job as GitHub renders its Markdown. It returns an
// error for Markdown that it cannot draw.
func Summary(job, markdown string) ([]byte, error) {
	title := job + " summary"
	p := newPage(title, "", "")
	s := summary{page: p, source: []byte(markdown)}
	parser := goldmark.New(goldmark.WithExtensions(extension.Table)).Parser()
	if err := s.blocks(parser.Parse(text.NewReader(s.source))); err != nil {
		return nil, err
	}
	if s.folded > 0 {
		return nil, fmt.Errorf("%d <details> without an end", s.folded)
	}
	p.y += margin / 2
	return p.svg(title), nil
}

// summary is a job summary on its way to a page.
type summary struct {
	*page
	source []byte
	folded int // the number of details that are open in the source
}

// gap is the space above a block.
const gap = 14

// blocks draws the blocks in a node.
func (s *summary) blocks(parent ast.Node) error {
	for node := parent.FirstChild(); node != nil; node = node.NextSibling() {
		if err := s.block(node); err != nil {
			return err
		}
	}
	return nil
}

func (s *summary) block(node ast.Node) error {
	if block, ok := node.(*ast.HTMLBlock); ok {
		return s.html(block)
	}
	if s.folded > 0 {
		return nil
	}
	switch node := node.(type) {
	case *ast.Heading:
		return s.paragraph(node, place{size: 18, class: "h"})
	case *ast.Paragraph:
		return s.paragraph(node, place{size: textSize})
	case *ast.FencedCodeBlock:
		s.code(string(node.Language(s.source)), node.Lines())
		return nil
	case *tables.Table:
		return s.table(node)
	}
	return fmt.Errorf("a picture cannot show the %s that starts with %.60q", node.Kind(), s.from(node))
}

// from returns the source from the first line of a block, as far as it has lines.
func (s *summary) from(node ast.Node) string {
	for ; node != nil; node = node.FirstChild() {
		if node.Type() != ast.TypeInline && node.Lines() != nil && node.Lines().Len() > 0 {
			return string(s.source[node.Lines().At(0).Start:])
		}
	}
	return ""
}

func (s *summary) paragraph(node ast.Node, at place) error {
	spans, err := s.inlines(node)
	if err != nil {
		return err
	}
	if at.class != "" {
		spans = restyle(spans, bold)
	}
	s.y += gap
	s.text(spans, at)
	return nil
}

// text draws spans over the whole width of the page.
func (s *summary) text(spans []span, at place) {
	for _, line := range wrap(spans, at.size, textWidth, 0) {
		s.y += max(rowHeight, at.size*4/3)
		s.line(line, place{x: margin, y: s.y - 5, size: at.size, class: at.class})
	}
}

// restyle adds a style to spans.
func restyle(spans []span, add style) []span {
	for i := range spans {
		spans[i].style |= add
	}
	return spans
}

// code draws a fenced block. In a diff, lines are colored by their sign.
func (s *summary) code(language string, lines *text.Segments) {
	s.y += gap
	first := s.y
	var drawn []func()
	s.y += 6
	for i := range lines.Len() {
		source := strings.TrimRight(string(s.source[lines.At(i).Start:lines.At(i).Stop]), "\n")
		class, background := "c", ""
		if language == "diff" && strings.HasPrefix(source, "+") {
			class, background = "c add", "addbg"
		}
		if language == "diff" && strings.HasPrefix(source, "-") {
			class, background = "c del", "delbg"
		}
		for _, part := range split(span{source, code}, codeSize, textWidth-2*margin) {
			y := s.y
			drawn = append(drawn, func() {
				if background != "" {
					s.shape(`<rect class="%s" x="%d" y="%d" width="%d" height="18"/>`, background, margin, y, textWidth)
				}
				s.line([]span{part}, place{x: 2 * margin, y: y + 13, size: codeSize, class: class, columns: true})
			})
			s.y += 18
		}
	}
	s.y += 6
	s.shape(`<rect class="soft" x="%d" y="%d" width="%d" height="%d" rx="4"/>`, margin, first, textWidth, s.y-first)
	for _, draw := range drawn {
		draw()
	}
}

var detailsLine = regexp.MustCompile(`^<details><summary>(.*)</summary>$`)

// html draws the line of details, of which the rest is folded, and skips to their end.
func (s *summary) html(block *ast.HTMLBlock) error {
	for i := range block.Lines().Len() {
		at := block.Lines().At(i)
		line := strings.TrimSpace(string(s.source[at.Start:at.Stop]))
		m := detailsLine.FindStringSubmatch(line)
		switch {
		case line == "</details>" && s.folded > 0:
			s.folded--
		case m != nil:
			if s.folded++; s.folded > 1 {
				continue
			}
			spans, err := htmlSpans(m[1])
			if err != nil {
				return err
			}
			s.y += gap
			s.text(append([]span{{text: "▸ "}}, spans...), place{size: textSize})
		case s.folded > 0 && line == "":
		default:
			return fmt.Errorf("a picture cannot show the HTML %q", line)
		}
	}
	return nil
}

var tag = regexp.MustCompile(`<[^>]*>`)

// htmlSpans returns the spans of HTML in which Markdown is not rendered.
func htmlSpans(source string) (spans []span, err error) {
	var now style
	add := func(text string) {
		if text != "" {
			spans = append(spans, span{html.UnescapeString(text), now})
		}
	}
	start := 0
	for _, at := range tag.FindAllStringIndex(source, -1) {
		add(source[start:at[0]])
		start = at[1]
		var text string
		if text, now, err = applyTag(source[at[0]:at[1]], now); err != nil {
			return nil, err
		}
		if text != "" {
			spans = append(spans, span{text, now})
		}
	}
	add(source[start:])
	return spans, nil
}

// applyTag returns the text that a tag of HTML stands for and the style after it.
func applyTag(tag string, now style) (text string, after style, err error) {
	switch tag {
	case "<br>", "<br/>", "<br />":
		return "\n", now, nil
	case "<wbr>":
		return string(zeroWidthSpace), now, nil
	case "<code>":
		return "", now | code, nil
	case "</code>":
		return "", now &^ code, nil
	case "<b>", "<strong>":
		return "", now | bold, nil
	case "</b>", "</strong>":
		return "", now &^ bold, nil
	}
	return "", now, fmt.Errorf("a picture cannot show the HTML %q", tag)
}

// inlines returns the spans of a block.
func (s *summary) inlines(parent ast.Node) (spans []span, err error) {
	var now style // from tags of HTML
	for node := parent.FirstChild(); node != nil; node = node.NextSibling() {
		var inner []span
		switch node := node.(type) {
		case *ast.Text:
			inner = []span{{text: unescape(node.Value(s.source))}}
			if node.SoftLineBreak() {
				inner = append(inner, span{text: " "})
			}
			if node.HardLineBreak() {
				inner = append(inner, span{text: "\n"})
			}
		case *ast.String:
			inner = []span{{text: string(node.Value)}}
		case *ast.CodeSpan:
			inner = []span{{text: s.raw(node), style: code}}
		case *ast.Emphasis:
			if node.Level == 2 {
				inner, err = s.inlines(node)
				inner = restyle(inner, bold)
			} else {
				err = fmt.Errorf("a picture cannot show emphasis: %q", s.raw(node))
			}
		case *ast.Link:
			inner, err = s.inlines(node)
			inner = restyle(inner, link)
		case *ast.RawHTML:
			var text string
			text, now, err = applyTag(string(node.Segments.Value(s.source)), now)
			inner = []span{{text: text}}
		default:
			err = fmt.Errorf("a picture cannot show the %s in %.60q", node.Kind(), s.from(parent))
		}
		if err != nil {
			return nil, err
		}
		spans = append(spans, restyle(inner, now)...)
	}
	return spans, nil
}

// raw returns the source of the texts in a node.
func (s *summary) raw(node ast.Node) string {
	var raw strings.Builder
	for child := node.FirstChild(); child != nil; child = child.NextSibling() {
		if t, ok := child.(*ast.Text); ok {
			raw.Write(t.Value(s.source))
		}
	}
	return raw.String()
}

// unescape resolves the escapes of Markdown, which the renderer to HTML would.
func unescape(source []byte) string {
	return string(util.UnescapePunctuations(util.ResolveEntityNames(util.ResolveNumericReferences(source))))
}
