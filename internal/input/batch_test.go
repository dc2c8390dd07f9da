package input

import (
	"strings"
	"testing"
)

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
