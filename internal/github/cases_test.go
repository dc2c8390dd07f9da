package github

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"set-org-secret/internal/golden"
)

// testCase is a paragraph of a file in testdata: its name, a line "key: value" for each thing that is given, a line
// "< response" for each response, and the expected outcome, lines "=> text".
type testCase struct {
	name      string
	input     string // the paragraph without its outcome
	want      string
	given     map[string]string
	responses []string
}

// readCases reads a file of testdata. Its first paragraph is about the file.
func readCases(t *testing.T, file string) (about string, cases []testCase) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	about, rest, _ := strings.Cut(strings.TrimSuffix(string(text), "\n"), "\n\n")
	for paragraph := range strings.SplitSeq(rest, "\n\n") {
		test := testCase{given: map[string]string{}}
		test.input, test.want, _ = strings.Cut(paragraph, "\n=> ")
		test.want = strings.ReplaceAll(test.want, "\n=> ", "\n")
		lines := strings.Split(test.input, "\n")
		test.name = lines[0]
		for _, line := range lines[1:] {
			response, isResponse := strings.CutPrefix(line, "< ")
			key, value, isGiven := strings.Cut(line, ": ")
			switch {
			case isResponse:
				test.responses = append(test.responses, response)
			case isGiven:
				test.given[key] = value
			default:
				t.Fatalf("%s, %s: got the line %q, want a response or what is given", file, test.name, line)
			}
		}
		cases = append(cases, test)
	}
	return about, cases
}

// runCases compares the outcome of each case of a file with the expected one.
func runCases(t *testing.T, file string, outcome func(*testing.T, testCase) string) {
	t.Helper()
	about, cases := readCases(t, file)
	paragraphs := []string{about}
	for _, test := range cases {
		got := test.want
		t.Run(test.name, func(t *testing.T) { got = outcome(t, test) })
		paragraphs = append(paragraphs, test.input+"\n=> "+strings.ReplaceAll(got, "\n", "\n=> "))
	}
	golden.Compare(t, file, strings.Join(paragraphs, "\n\n")+"\n")
}
