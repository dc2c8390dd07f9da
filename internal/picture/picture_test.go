package picture

import (
	"encoding/xml"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// drawnLines reads an SVG and returns the lines of text in it and those of its
// description.
func drawnLines(t *testing.T, svg []byte) (lines, description []string) {
	t.Helper()
	var file struct {
		Desc string `xml:"desc"`
		Text []struct {
			Inner string `xml:",innerxml"`
		} `xml:"text"`
	}
	if err := xml.Unmarshal(svg, &file); err != nil {
		t.Fatalf("got error %v, want XML:\n%s", err, svg)
	}
	for _, text := range file.Text {
		inner := tspan.ReplaceAllString(text.Inner, "")
		lines = append(lines, html.UnescapeString(strings.ReplaceAll(inner, "\u00a0", " ")))
	}
	return lines, strings.Split(file.Desc, "\n")
}

var tspan = regexp.MustCompile(`</?tspan[^>]*>`)

func wantLines(t *testing.T, what string, got []string, want string) {
	t.Helper()
	if text := strings.Join(got, "\n"); text != strings.Trim(want, "\n") {
		t.Errorf("%s: got\n%s\nwant\n%s", what, text, want)
	}
}

// TestLog checks that columns are kept, and that a long line goes on in the next one.
func TestLog(t *testing.T) {
	svg := Log("Store", true, 3*time.Second, []string{
		"A   actions   <updated>", "Error: A: " + strings.Repeat("word ", 20), "  Hint", strings.Repeat("x", 100),
	})
	lines, description := drawnLines(t, svg)
	const want = `
Store
3s
A   actions   <updated>
Error: A: word word word word word word word word word word word word
word word word word word word word word
Hint
xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
xxxxxxxxxxxxxxxxxxxxxxxxxxx`
	wantLines(t, "the lines", lines, want)
	wantLines(t, "the description", description, strings.Replace(want, "Store", "❌ Store", 1))
	for _, want := range []string{`<tspan class="c e">Error:</tspan>`, signs['❌'], `textLength="165.6">A`, `<text x="28"`} {
		if !strings.Contains(string(svg), want) {
			t.Errorf("the picture lacks %s:\n%s", want, svg)
		}
	}
}

// TestWrap checks that no line is longer than asked for and no character is lost.
func TestWrap(t *testing.T) {
	spans := []span{
		{"Error:", code | failure},
		{" a few words,   ", code},
		{"A_LONG_NAME_OF_A_SECRET_", code},
		{"WITHOUT_A_SPACE, then more", code | warning},
	}
	for columns := 1; columns < 90; columns++ {
		var text strings.Builder
		for i, line := range wrap(spans, columns, 4) {
			most := columns
			if i > 0 {
				most = max(columns-4, 1)
			}
			got := plain(line)
			if n := utf8.RuneCountInString(got); n > most || n == 0 || strings.Trim(got, " ") != got {
				t.Errorf("%d columns: got the line %q, want at most %d columns and no space around", columns, got, most)
			}
			text.WriteString(got)
		}
		got, want := strings.ReplaceAll(text.String(), " ", ""), strings.ReplaceAll(plain(spans), " ", "")
		if got != want {
			t.Fatalf("%d columns: got the text %q, want %q", columns, got, want)
		}
	}
}
