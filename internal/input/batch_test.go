package input

import (
	"fmt"
	"strings"
	"testing"
)

// describe returns each entry of a document as NAME="value", or its fault.
func describe(d document) string {
	var list []string
	for _, e := range d.entries {
		text := fmt.Sprintf("%s=%q", e.name, e.value)
		if e.fault != nil {
			text = strings.Replace(e.fault.text, place, places([]position{e.at}), 1)
		}
		list = append(list, text)
	}
	return strings.Join(list, " | ")
}

// parseTest is a text, and the beginning of what describe returns for it.
type parseTest struct{ text, want string }

func testParse(t *testing.T, parse func(string) document, tests []parseTest) {
	t.Helper()
	for _, test := range tests {
		if got := describe(parse(test.text)); got != test.want {
			t.Errorf("%q: got\n%s, want\n%s", test.text, got, test.want)
		}
	}
}

// TestParseLines has each kind of line that is rejected in the environment-file format, and texts like it that are
// literal.
func TestParseLines(t *testing.T) {
	const (
		noEquals = ": no =; write NAME=value, or a value of several lines as NAME<<DELIMITER"
		base64   = " looks like the end of a base64 value; pass an unnamed value in secret_value or secret_file"
	)
	testParse(t, parseLines, []parseTest{
		{"A=1\n\nB=2\n", `A="1" | B="2"`},
		{"A=1 = 2#x", `A="1 = 2#x"`},
		{"A=", `A=""`},
		{"# A=x\nB=y", `line 1: a comment | B="y"`},
		{"# A", "line 1: a comment"},
		{"# A<<E", "line 1: a comment"},
		{"export A=x", "line 1: export before the name"},
		{" A=x", "line 1: a space at the start"},
		{"\tA=x", "line 1: a space at the start"},
		{"\u00A0A=x", "line 1: a space at the start"},
		{"A=x\n \nB=y", `A="x" | line 2: a space at the start | B="y"`},
		{"A =x", "line 1: a space before the ="},
		{"A =", `A =""`},
		{"A= x", "line 1: a space after the ="},
		{"A=x ", "line 1: a space at the end of the line"},
		{"A=#x", "line 1: a # that starts a comment elsewhere"},
		{"A=x #y", "line 1: a # that starts a comment elsewhere"},
		{"A=x\t#y", "line 1: a # that starts a comment elsewhere"},
		{`A="x"`, "line 1: a quote before the value"},
		{`A= 'x'`, "line 1: a quote before the value"},
		{"A=`x`", "line 1: a quote before the value"},
		{`A="x\"`, "line 1: a quote that does not close on the line"},
		{"A=\"x\nB=y\"", `line 1: a quote that does not close on the line | B="y\""`},
		{"A=x\r\n\r\nB", "line 1: a CR, as in the line ends of Windows | line 2: a CR, as in the line ends of Windows | line 3" + noEquals},
		{"A=x\ry", "line 1: " + aCR},
		{"A\r=x", "line 1: " + aCR},
		{"A=\rx", "line 1: " + aCR},
		{"A=x\r\r\n", "line 1: " + aCR},
		{`A=x"y"`, `A="x\"y\""`},
		{"A=x'y", `A="x'y"`},
		{"A=x`y", "A=\"x`y\""},
		{"A=x#y", `A="x#y"`},
		{"A=${x}", `A="${x}"`},
		{"A=$x", `A="$x"`},
		{`A=\n`, `A="\\n"`},
		{"A=x=#", `A="x=#"`},
		{"A=x<<y", `A="x<<y"`},
		{"=x", `="x"`},
		{"c2VjcmV0IHRleHQ==", "line 1" + base64},

		{"A<<E\n# x\n\"x\r\n\nE\nB=y", `A="# x\n\"x\r\n" | B="y"`},
		{"A<<E\nE", `A=""`},
		{"A<<E\n=\nE", `A="="`},
		{"A<<x=y\nv\nx=y", `A="v"`},
		{"export A<<E\nx=1\nE", "line 1: export before the name"},
		{"export A<<E\nx", "line 1: export before the name | line 1: the closing delimiter is missing"},
		{"A<<E\r\nx\r\nE\r\nB=y", `line 1: a CR, as in the line ends of Windows | B="y"`},
		{"A<<E\nx\nE\r\nB=y", `line 3: a CR, as in the line ends of Windows | B="y"`},
		{"A<<E\rF\nx\nE\rF\nB=y", "line 1: " + aCR + ` | B="y"`},
		{"A\r<<E\nx\nE\nB=y", "line 1: " + aCR + ` | B="y"`},
		{"A<<E\nx\ry\nE", `A="x\ry"`},
		{"A<<\nx\nB=y", "line 1: no delimiter after <<"},
		{"A<<E\nx\nB=y", "line 1: the closing delimiter is missing"},
	})
}

// TestParseDotenv has what is read of a .env file, and what is rejected.
func TestParseDotenv(t *testing.T) {
	const (
		expands = `line 1: a ${, $( or \$, which some readers expand`
		escape  = `line 1: a backslash that does not begin \n, \r, \" or \\`
		lone    = "line 1: a CR that no LF follows, which some readers take for a line end"
	)
	testParse(t, parseDotenv, []parseTest{
		{"A=x", `A="x"`},
		{"\n# c\n  # d\n\nA=x\n", `A="x"`},
		{"export A=x", `A="x"`},
		{"export\t A = x \r\n", `A="x"`},
		{"exportA=x", `exportA="x"`},
		{"A=x y  # c", `A="x y"`},
		{"A=x=y", `A="x=y"`},
		{"A=x $y \\n", `A="x $y \\n"`},
		{`A="x y # ' z" # c`, `A="x y # ' z"`},
		{`A='x "${y}" # \n' # c`, `A="x \"${y}\" # \\n"`},
		{`A="\" \\ \\n \n \r"`, `A="\" \\ \\n \n \r"`},
		{`A="x\\$y"`, `A="x\\$y"`},
		{`A='x\$(y) ${z} \q'`, `A="x\\$(y) ${z} \\q"`},
		{"A=x\ty", `A="x\ty"`},
		{"A=😀 # c\r\n# c\r\n\r\nB='x'\r\n", `A="😀" | B="x"`},
		{"A=é # c", `A="é"`},
		{"A=\"é\" # c", `A="é"`},
		{`A="="`, `A="="`},
		{"A=", `A=""`},
		{"A=# c", `A=""`},
		{`A=""`, `A=""`},

		{"A=x#y", "line 1: a # without a space before it"},
		{"A=x#y # c", "line 1: a # without a space before it"},
		{`A=x"y"`, "line 1: a quote within the value"},
		{"A=x'y", "line 1: a quote within the value"},
		{"A=x`y", "line 1: a quote within the value"},
		{"A=`x`", "line 1: a backquote around the value"},
		{`A="x"y`, "line 1: text after the closing quote"},
		{`A="x"#y`, "line 1: text after the closing quote"},
		{`A='x' 'y'`, "line 1: text after the closing quote"},
		{"A=x\nB='y\nz=1'", `A="x" | line 2: a quote that does not close on the line | line 3: a quote within the value`},
		{`A="x\"`, "line 1: a quote that does not close on the line"},
		{"A=${x}", expands},
		{`A="x${y}"`, expands},
		{"A=$(x)", expands},
		{`A="x$(y)"`, expands},
		{`A=x\$y`, expands},
		{`A="\x41"`, escape},
		{`A="CORP\bob"`, escape},
		{`A="x\ty"`, escape},
		{`A="\u00e9"`, escape},
		{`A="x\/"`, escape},
		{`A="x\$y"`, escape},
		{`A="\\\x"`, escape},
		{"A=x\x00y", "line 1: a control character"},
		{"A='x\x1by'", "line 1: a control character"},
		{"A=x\r", lone},
		{"A=x\r\r\nB=y", lone + ` | B="y"`},
		{"A=x\rB=y\n", lone},
		{"# c\rA=x\n", lone},
		{"\rA=x", lone},
		{"A='x\ry'", lone},
		{"A=x\n\r", `A="x" | ` + strings.Replace(lone, "1", "2", 1)},
		{"A=x\nB", `A="x" | line 2: no =; write NAME=value`},
		{"A==", "line 1 looks like the end of a base64 value; pass an unnamed value in secret_value or secret_file"},
	})
}

// TestParseJSON has what is read of a JSON object, and where it is broken.
func TestParseJSON(t *testing.T) {
	const notString = " is not a string, and only an object of strings can be stored"
	testParse(t, parseJSON, []parseTest{
		{`{"A": "1\n", "b": "=#'\""}`, `A="1\n" | b="=#'\""`},
		{`{"A": "\ud83d\ude00 \ufffd"}`, `A="😀 ` + "\uFFFD" + `"`},
		{`{"A": "x", "A": "y", "": ""}`, `A="x" | A="y" | =""`},
		{"{\n\"A\": 12345,\n \"B\": \"x\", \"C\": null}", "the value at line 2, column 4" + notString + ` | B="x" | ` +
			"the value at line 3, column 15" + notString},
		{`{"A": "\ud83d x"}`, "the value at line 1, column 5 contains an invalid Unicode escape (unpaired surrogate)"},
		{`{"A": "x`, "invalid JSON at line 1, column 8"},
		{`{"A": "x", B: "y"}`, "invalid JSON at line 1, column 12"},
		{"{\"A\": \"x\",\n\"B\": \"y\" \"C\"}", "invalid JSON at line 2, column 10"},
		{`{"A": "x"`, "invalid JSON at line 1, column 9"},
		{`{"A": "x"} {}`, "invalid JSON at line 1, column 12"},
	})
}

// TestParseBatch has the documents that are rejected whole, and the choice of the format.
func TestParseBatch(t *testing.T) {
	auto := func(text string) document { return parseBatch(text, false) }
	testParse(t, auto, []parseTest{
		{"A=x", `A="x"`},
		{` {"A": "x"}`, `A="x"`},
		{" \n", "contains no secrets"},
		{"{}", "contains no secrets"},
		{"null", "is null, as jq and toJSON write a missing value; check the names that it looks up"},
		{" ***\n", `is "***", which the runner shows for a masked text; pass the value itself`},
		{"${{ toJSON(steps.x.outputs) }}", "is " + expression + "; " + expressionAdvice},
		{"\u200B\n", "is only white space; check the command that writes it"},
		{"\x00GITCRYPT\x00\xff", "is encrypted by git-crypt; run git-crypt unlock in an earlier step"},
		{"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "is a pointer of Git LFS; set lfs: true for actions/checkout"},
		{"{{ op://v/i/f }}", "is a template for 1Password; pass the output of op inject"},
		{"NULL=x", `NULL="x"`},
		{`["a"]`, "must be a JSON object of strings"},
		{`"a"`, "must be a JSON object of strings"},
		{
			"A=1\nB=\uFFFD\xff",
			"not UTF-8 at line 2, column 6; pass binary values one at a time in secret_file, or as base64",
		},
	})
	testParse(t, func(text string) document { return parseBatch(text, true) }, []parseTest{
		{"A='x'", `A="x"`},
		{`{"A": "x"}`, "a JSON object, not a .env file; remove secrets_format: dotenv"},
		{`{"A": "x"`, "line 1: no =; write NAME=value"},
		{"A=\xff\"b", "not UTF-8 at line 1, column 3; pass binary values one at a time in secret_file, or as base64"},
	})
}

// TestDepth checks that JSON that is nested deeper than 100 is rejected even if the
// nested value is left out, and that depth counts outside of strings only.
func TestDepth(t *testing.T) {
	nest := func(open, value, end string, depth int) string {
		return `{"A": "x", "B": ` + strings.Repeat(open, depth-1) + value + strings.Repeat(end, depth-1) + "}"
	}
	for _, text := range []string{
		nest("[", `"[[{{\"["`, "]", 100), nest(`{"C":`, "1", "}", 100), nest("[", strings.Repeat("[],{},", 200)+"2", "]", 2),
	} {
		wantEntries(t, text, read(t, with{"secrets": text, "secret_name": "A"}), "A=x")
	}
	for _, text := range []string{nest("[", "1", "]", 101), nest(`{"C":`, "{}", "}", 100), nest("[", "", "", 200_000)} {
		r := read(t, with{"secrets": text, "secret_name": "A"})
		wantProblem(t, text[:20], r, "secrets: nested deeper than 100, and only an object of strings can be stored")
	}
}

// TestFaults checks how the faults of several entries are reported: equal ones together, and those with the same advice
// as one problem.
func TestFaults(t *testing.T) {
	const (
		lines  = ". Other tools parse these lines differently. Write NAME<<DELIMITER, the value and DELIMITER on "
		readme = "lines of their own that end in LF: this form takes any value; for a .env file set secrets_format: dotenv\n"
		quotes = ". Common readers disagree on these. Write the value in single quotes; or in double quotes, with the " +
			`escapes \n, \r, \" and \\ only and without ${ and $(; or all secrets as a JSON object, without secrets_format` + "\n"
	)
	for _, test := range []struct{ text, format, want string }{
		{"A='x'\nB=y\nC=\"z\"", "auto", "lines 1 and 3: a quote before the value" + lines + readme},
		{"A=x\r\n\r\nB=y\r\n", "auto", "lines 1, 2 and 3: a CR, as in the line ends of Windows" + lines + readme},
		{
			"A='x'\nB= y\nC='z'", "auto",
			"lines 1 and 3: a quote before the value; line 2: a space after the =" + lines + readme,
		},
		{
			"A=x\n" + strings.Repeat("# x\n", 8) + "B=y", "auto",
			"lines 2, 3, 4, 5, 6 and 3 more: a comment" + lines + readme,
		},
		{
			"A=x#y\nB='z", "dotenv",
			"line 1: a # without a space before it; line 2: a quote that does not close on the line" + quotes,
		},
		{"A<<E\nx\nE", "dotenv", "lines 1, 2 and 3: no =; write NAME=value\n"},
		{"a.b=x\nA=y", "dotenv", "line 1: must have a secret name before = or <<: " +
			"letters, digits and _; no leading digit; no GITHUB_ prefix; a long one in upper case\n"},
		{"A=x\nA=y", "dotenv", "A is listed twice, at line 1 and line 2\n"},
		{
			"A=x\nB==", "auto",
			"line 2 looks like the end of a base64 value; pass an unnamed value in secret_value or secret_file\n",
		},
		{`{"A": 1, "B": true}`, "auto", "the value at line 1, column 5 (and 1 more) is not a string, and only an object of " +
			"strings can be stored. It is flat, with numbers or booleans: the page nested-json.md in this action's documents " +
			"has the command that flattens it\n"},
	} {
		r := read(t, map[string]string{"secrets": test.text, "secrets_format": test.format})
		if got, want := texts(r), "secrets: "+test.want; got != want {
			t.Errorf("%q: got the problems\n%s, want\n%s", test.text, got, want)
		}
	}
}

// TestVariables checks that one warning names all lines with a $ that other readers
// expand, of the secrets that are stored.
func TestVariables(t *testing.T) {
	const text = "A=x$B\nB=\"$_c\"\nC='$D'\nD=5$ $5 $$\nE=$f # $g"
	for _, test := range []struct{ format, listed, want string }{
		{"dotenv", "", "secrets: lines 1, 2 and 5: a $ before a letter or _ is stored as it is, as Doppler means it; gh, " +
			"Docker Compose and a shell would expand it: for those, write the expanded value"},
		{"dotenv", "B, C", "secrets: line 2: a $"},
		{"dotenv", "C, D", ""},
	} {
		r := read(t, with{"secrets": text, "secrets_format": test.format, "secret_name": test.listed})
		wantWarning(t, test.listed, r, test.want)
	}
	r := read(t, with{"secrets": "A=$B"})
	wantEntries(t, "auto", r, "A=$B")
	wantWarning(t, "auto", r, "")
}

// TestExposed checks that a value with lines that the runner cannot mask is warned of, and that lines are named by their
// numbers only.
func TestExposed(t *testing.T) {
	const tooShort, tooFew = "too short for the runner to mask: it can appear in logs", "too few letters or digits for the runner to mask in "
	for value, want := range map[string]string{
		"Correct-Horse":               "",
		"abc":                         tooShort,
		"ab\ncd":                      tooShort,
		"admin\n#9!$%&/()=?x^\n":      tooFew + "line 2 of the value, which can appear in logs",
		"#9!$%&?\nadmin\n}\n!$%&?x\n": tooFew + "lines 1 and 4 of the value, which can appear in logs",
		"admin\n}\n":                  "",
		"admin\n!$%&\xff":             "",
		"***":                         "",
	} {
		for label, r := range map[string]Result{
			"secret_value": read(t, with{"secret_value": value}), "A in secrets": read(t, with{"secrets": "A<<E\n" + value + "\nE"}),
		} {
			var got []string
			for _, warning := range r.Warnings {
				if strings.Contains(warning, "for the runner to mask") {
					got = append(got, warning)
				}
			}
			if all := strings.Join(got, "\n"); all != map[bool]string{true: label + ": " + want}[want != ""] {
				t.Errorf("%q: got the warnings %q, want %q of %s", value, got, want, label)
			}
		}
	}
}

// TestOneCredential checks that a file that is one credential is not stored as several
// secrets, unless secret_name chooses members of it.
func TestOneCredential(t *testing.T) {
	for text, kind := range map[string]string{
		`{"type": "service_account", "private_key": "Correct-Horse"}`: "a Google service account key",
		`{"type": "authorized_user", "client_id": "x"}`:               "a Google user's credential",
		`{"type": "external_account", "credential_source": {}}`:       "a Google workload identity",
		`{"n": "Correct-Horse", "kty": "RSA", "key_ops": ["sign"]}`:   "a JSON Web Key",
	} {
		r := read(t, with{"secrets": text})
		wantProblem(t, text, r, "secrets: one credential, "+kind+", and not several secrets; pass it in secret_file or "+
			"secret_value, with its name in secret_name")
		if strings.Contains(text, "Correct") && r.Masks.Redact("Correct-Horse") != "***" {
			t.Errorf("%s: got the masks %q, want one for the value", text, r.Masks.Lines())
		}
		wantEntries(t, text, read(t, with{"secret_value": text}), "DB_PASSWORD="+text)
	}
	r := read(t, with{"secrets": `{"type": "service_account", "private_key": "x"}`, "secret_name": "PRIVATE_KEY"})
	wantEntries(t, "chosen", r, "PRIVATE_KEY=x")
	for _, text := range []string{`{"type": "password", "A": "x"}`, `{"KTY": "x", "A": "y"}`, "type=service_account\nA=x"} {
		if r := read(t, with{"secrets": text}); len(r.Problems) > 0 || len(r.Config.Entries) != 2 {
			t.Errorf("%s: got the entries %q and the problems %s, want two entries", text, names(r), texts(r))
		}
	}
}

// TestFolded checks that lines that YAML has folded into one are warned of.
func TestFolded(t *testing.T) {
	const warning = "secrets: one line with several NAME=, which is one value. Write secrets: | in the workflow, which " +
		"keeps the lines, and not >"
	for text, want := range map[string]string{
		"A=x B=y": warning, "A=x y z_1 DB_PASSWORD=y\n": warning,
		"A=x b=y": "", "A=host=x user=y": "", "A=x B y": "", "A=x\nC=y B=z": "", `{"A": "x B=y"}`: "", "A=xB=y": "",
	} {
		r := read(t, with{"secrets": text})
		if len(r.Problems) > 0 {
			t.Errorf("%s: got problems, want none:\n%s", text, texts(r))
		}
		wantWarning(t, text, r, want)
	}
}
