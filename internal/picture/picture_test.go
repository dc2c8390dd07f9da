package picture

import (
	"encoding/xml"
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
		spans, err := htmlSpans(strings.NewReplacer(`</tspan>`, "", "\u00a0", " ").Replace(tspan(text.Inner)))
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, plain(spans))
	}
	return lines, strings.Split(file.Desc, "\n")
}

// tspan drops the start tags of spans.
func tspan(inner string) string {
	for {
		before, rest, ok := strings.Cut(inner, "<tspan ")
		if !ok {
			return inner
		}
		_, after, _ := strings.Cut(rest, ">")
		inner = before + after
	}
}

func wantLines(t *testing.T, what string, got []string, want string) {
	t.Helper()
	if text := strings.Join(got, "\n"); text != strings.Trim(want, "\n") {
		t.Errorf("%s: got\n%s\nwant\n%s", what, text, want)
	}
}

// TestSummary checks what is drawn of each construct of a job summary.
func TestSummary(t *testing.T) {
	svg, err := Summary("rotate", "### ⚠️ acme: 4 of 5 secrets stored, 1 failed\n\n"+
		"| | Secret | Why |\n| --- | --- | ---: |\n"+
		"| ❌ | <code>PAYMENT_<wbr>KEY</code> | no \\*response\\* &amp; 5 attempts<br>**Run again** |\n"+
		"| ❓ | `A\\|B` | |\n\n"+
		"<details><summary>One script, &amp; <code>gh</code></summary>\n\n- folded\n\n```sh\ngh api\n```\n\n"+
		"<details><summary>Folded, too</summary>\n\n</details>\n\n</details>\n\n"+
		"Access changes for `DEPLOY_KEY`:\n\n```diff\n+ acme/web\n- acme/api\n  acme/docs\n```\n\n"+
		"[Secrets](https://github.com/organizations/acme/settings/secrets/actions) in GitHub's settings\n")
	if err != nil {
		t.Fatal(err)
	}
	lines, description := drawnLines(t, svg)
	wantLines(t, "the lines", lines, `
rotate summary
acme: 4 of 5 secrets stored, 1 failed
Secret
Why
PAYMENT_KEY
no *response* & 5 attempts
Run again
A|B
One script, & gh
Access changes for DEPLOY_KEY:
+ acme/web
- acme/api
  acme/docs
Secrets in GitHub's settings`)
	for _, want := range []string{"⚠️ acme: 4 of 5 secrets stored, 1 failed", "❌", "▸ One script, & gh"} {
		if !strings.Contains("\n"+strings.Join(description, "\n")+"\n", "\n"+want+"\n") {
			t.Errorf("the description lacks %q: %q", want, description)
		}
	}
	for _, want := range []string{
		signs['⚠'], signs['❌'], signs['❓'], signs['▸'],
		`class="addbg"`, `class="delbg"`, `<tspan class="w">Run again</tspan>`, `<tspan class="l">Secrets</tspan>`,
		`<tspan class="c">DEPLOY_KEY</tspan>`, `text-anchor="end"`,
	} {
		if !strings.Contains(string(svg), want) {
			t.Errorf("the picture lacks %s:\n%s", want, svg)
		}
	}
}

// TestSummaryRefuses checks that nothing of a summary is dropped without an error.
func TestSummaryRefuses(t *testing.T) {
	for _, test := range []struct{ markdown, want string }{
		{"- a list\n", `the List that starts with "a list`},
		{"> a quote\n", `the Blockquote that starts with "a quote`},
		{"    indented code\n", `the CodeBlock that starts with "indented`},
		{"---\n", "the ThematicBreak"},
		{"*emphasis*\n", `emphasis: "emphasis"`},
		{"![image](a.png)\n", "the Image"},
		{"<https://github.com>\n", "the AutoLink"},
		{"a <sub>b</sub>\n", `the HTML "<sub>"`},
		{"| a |\n| --- |\n| <sub>b</sub> |\n", `the HTML "<sub>"`},
		{"<div>\n", `the HTML "<div>"`},
		{"<details><summary><i>a</i></summary>\n\n</details>\n", `the HTML "<i>"`},
		{"<details>\n<summary>a</summary>\n\n</details>\n", `the HTML "<details>"`},
		{"</details>\n", `the HTML "</details>"`},
		{"<details><summary>a</summary>\n\nb\n", "1 <details> without an end"},
	} {
		if _, err := Summary("rotate", test.markdown); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: got error %v, want one with %q", test.markdown, err, test.want)
		}
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

// TestWrap checks that no line is wider than asked for and no character is lost.
func TestWrap(t *testing.T) {
	spans := []span{
		{"a few words and a", 0},
		{"LONG_NAME_OF_A_SECRET_WITHOUT_A_SPACE", code},
		{", then bold", bold},
		{"\nand ZERO\u200bWIDTH\u200bSPACES", 0},
	}
	join := strings.NewReplacer(" ", "", "\n", "", "\u200b", "")
	for width := 20.0; width < 700; width++ {
		var text strings.Builder
		for i, line := range wrap(spans, textSize, width, 5) {
			got, most := 0.0, width
			if i > 0 {
				most = width - 5
			}
			for _, s := range line {
				got += s.width(textSize)
				text.WriteString(s.text)
			}
			if got > most && utf8.RuneCountInString(plain(line)) > 1 {
				t.Errorf("width %v: a line is %v wide, want at most %v: %q", width, got, most, plain(line))
			}
		}
		if got, want := join.Replace(text.String()), join.Replace(plain(spans)); got != want {
			t.Fatalf("width %v: got the text %q, want %q", width, got, want)
		}
	}
}

// TestColumnWidths checks that a table is never wider than the page, and not wider than
// it has to be.
func TestColumnWidths(t *testing.T) {
	column := func(wide, narrow float64) cell { return cell{wide: wide, narrow: narrow} }
	for _, test := range []struct {
		name string
		row  []cell
		want int
	}{
		{"short", []cell{column(50, 50), column(100, 80)}, 50 + 100 + 2*18},
		{"long texts", []cell{column(50, 50), column(900, 80), column(700, 90)}, textWidth - 1},
		{"long words", []cell{column(50, 50), column(900, 800), column(700, 600)}, textWidth - 1},
	} {
		got := sum(columnWidths([][]cell{test.row}))
		if got > test.want || got < test.want-len(test.row) {
			t.Errorf("%s: got a table of %d, want %d", test.name, got, test.want)
		}
	}
}
