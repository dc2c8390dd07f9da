package picture

import (
	"fmt"
	"strings"
	"time"
)

// Log draws the log of a step: the lines that a log viewer shows. A line that is too
// long goes on in the next one, indented more.
func Log(step string, failed bool, took time.Duration, lines []string) []byte {
	sign := "✅"
	if failed {
		sign = "❌"
	}
	p := newPage(step, sign, fmt.Sprintf("%.0fs", took.Seconds()))
	p.y += margin / 2
	for _, text := range lines {
		p.logLine(text)
	}
	return p.svg("The log of the step " + step)
}

func (p *page) logLine(text string) {
	body := strings.TrimLeft(text, " ")
	indent := float64(len(text)-len(body)) * columnWidth
	spans := []span{{body, code}}
	for tag, s := range map[string]style{"Error:": failure, "Warning:": warning} {
		if rest, ok := strings.CutPrefix(body, tag); ok {
			spans = []span{{tag, code | s}, {rest, code}}
		}
	}
	hang := 4 // columns
	for i, line := range wrap(spans, int((textWidth-indent)/columnWidth), hang) {
		p.y += 18
		at := place{x: margin + int(indent), y: p.y, size: codeSize, class: "c", columns: true}
		if i > 0 {
			at.x += int(float64(hang) * columnWidth)
		}
		p.line(line, at)
	}
}
