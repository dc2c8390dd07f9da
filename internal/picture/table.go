package picture

import (
	"fmt"
	"math"
	"slices"

	"github.com/yuin/goldmark/ast"
	tables "github.com/yuin/goldmark/extension/ast"
)

const (
	cellSize    = 13 // of the font
	cellPadding = 8
	cellBorder  = 1
)

// cell is a cell of a table. wide is its width on one line, narrow that of its widest
// word.
type cell struct {
	spans        []span
	anchor       string
	wide, narrow float64
}

// table draws a table that is as wide as it has to be, and at most as the page.
func (s *summary) table(table *tables.Table) error {
	var rows [][]cell
	for row := table.FirstChild(); row != nil; row = row.NextSibling() {
		_, isHeader := row.(*tables.TableHeader)
		var cells []cell
		for node := row.FirstChild(); node != nil; node = node.NextSibling() {
			c, err := s.cell(node, isHeader)
			if err != nil {
				return err
			}
			cells = append(cells, c)
		}
		rows = append(rows, cells)
	}
	widths := columnWidths(rows)
	s.y += gap
	top := s.y
	var edges string
	for i, row := range rows {
		edges += fmt.Sprintf("M%d %d.5h%d", margin, s.y, sum(widths))
		s.row(row, widths, i > 0 && i%2 == 0)
	}
	edges += fmt.Sprintf("M%d %d.5h%d", margin, s.y, sum(widths))
	for i := range len(widths) + 1 {
		edges += fmt.Sprintf("M%d.5 %dv%d", margin+sum(widths[:i]), top, s.y-top+1)
	}
	s.shape(`<path class="edge" d="%s"/>`, edges)
	return nil
}

func (s *summary) cell(node ast.Node, isHeader bool) (c cell, err error) {
	if c.spans, err = s.inlines(node); err != nil {
		return c, err
	}
	switch node.(*tables.TableCell).Alignment {
	case tables.AlignRight:
		c.anchor = "end"
	case tables.AlignCenter:
		c.anchor = "middle"
	case tables.AlignLeft:
	case tables.AlignNone:
		if isHeader {
			c.anchor = "middle"
		}
	}
	if isHeader {
		c.spans = restyle(c.spans, bold)
	}
	c.wide, c.narrow = widest(c.spans, cellSize)
	return c, nil
}

// row draws a row.
func (s *summary) row(row []cell, widths []int, shaded bool) {
	lines := make([][][]span, len(row))
	height := 1
	for i, c := range row {
		lines[i] = wrap(c.spans, cellSize, float64(widths[i]-2*cellPadding-cellBorder), 0)
		height = max(height, len(lines[i]))
	}
	bottom := s.y + height*rowHeight + 10
	if shaded {
		s.shape(`<rect class="soft" x="%d" y="%d" width="%d" height="%d"/>`, margin, s.y, sum(widths), bottom-s.y)
	}
	for i, c := range row {
		at := place{x: margin + sum(widths[:i]) + cellPadding, size: cellSize, class: "t", anchor: c.anchor}
		switch c.anchor {
		case "middle":
			at.x = margin + sum(widths[:i]) + widths[i]/2
		case "end":
			at.x = margin + sum(widths[:i+1]) - cellPadding
		}
		for j, line := range lines[i] {
			at.y = s.y + j*rowHeight + 19
			s.line(line, at)
		}
	}
	s.y = bottom
}

// columnWidths returns the width of each column. If the page is too narrow, columns are
// first narrowed to their widest word, in proportion, and then the widest ones further.
func columnWidths(rows [][]cell) []int {
	wide, narrow := make([]float64, len(rows[0])), make([]float64, len(rows[0]))
	for _, row := range rows {
		for i, c := range row {
			const frame = 2*cellPadding + cellBorder + 1
			wide[i], narrow[i] = max(wide[i], c.wide+frame), max(narrow[i], c.narrow+frame)
		}
	}
	const page = textWidth - cellBorder
	for sum(narrow) > page {
		widestColumn := slices.Index(narrow, slices.Max(narrow))
		narrow[widestColumn]--
		wide[widestColumn] = narrow[widestColumn]
	}
	share := 1.0
	if sum(wide) > page {
		share = (page - sum(narrow)) / (sum(wide) - sum(narrow))
	}
	widths := make([]int, len(wide))
	for i := range widths {
		widths[i] = int(math.Floor(narrow[i] + share*(wide[i]-narrow[i])))
	}
	return widths
}

func sum[T int | float64](numbers []T) (total T) {
	for _, n := range numbers {
		total += n
	}
	return total
}
