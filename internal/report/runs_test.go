package report

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"set-org-secret/internal/fakerunner"
	"set-org-secret/internal/golden"
	"set-org-secret/internal/secret"
)

// TestRuns reports the runs of testdata/runs.txtar.
func TestRuns(t *testing.T) {
	golden.CompareRows(t, "runs.txtar", func(section, given string) string {
		run, room := parseRun(t, given)
		d := decide(run, room)
		switch section {
		case "titles":
			if line := lastLine(d); !strings.HasPrefix(line, d.title) {
				t.Errorf("%s: the log ends with %q, want the title %q", given, line, d.title)
			}
			return " " + d.sign + " " + d.title
		case "next steps":
			return " " + nextStepOf(d)
		case "outputs":
			return " " + outputsOf(d)
		case "annotations":
			return indented(strings.Join(annotationsOf(t, run), "\n"))
		case "script":
			return indented(script(d))
		}
		r, stdout, _ := newReporter(t)
		if section == "log" {
			r.Results(run.Results...)
			return indented(stdout.String())
		}
		return indented(r.summary(d))
	})
}

func indented(text string) string {
	return strings.TrimRight("\n\t"+strings.ReplaceAll(text, "\n", "\n\t"), "\n\t")
}

// TestReviewInStores checks that a review of several stores warns about one, once, and counts the secrets of all in its
// table; review-over-100.txtar has the other warnings.
func TestReviewInStores(t *testing.T) {
	text := "check, review:"
	for _, store := range []string{"dependabot", "actions"} {
		text += strings.Repeat(" A checked days=1 all "+store+";", 1001) + " B checked days=1 selected to=web " + store + ";"
	}
	run, _ := parseRun(t, text)
	r, stdout, env := newReporter(t)
	if err := r.Finish(run); err != nil {
		t.Fatal(err)
	}
	const warning = "::warning::Every repository, public ones included, may read 1,001 actions secrets of acme, "
	if got := stdout.String(); strings.Count(got, "::warning::") != 1 || !strings.Contains(got, warning) {
		t.Errorf("got %q, want one warning, %q", got, warning)
	}
	const row = "<tr><td><code>acme/web</code></td><td>2,004</td>"
	if got := readFile(t, env["GITHUB_STEP_SUMMARY"]); !strings.Contains(got, row) {
		t.Errorf("the summary lacks %q:\n%s", row, got)
	}
}

// nextStepOf returns the next step of the first failure, or of a rejected run, and where the value is.
func nextStepOf(d document) string {
	if len(d.Problems) > 0 {
		return d.problemsStep
	}
	return strings.TrimSpace(d.failures[0].step + "\n\t" + d.failures[0].saved)
}

// outputsOf returns the outputs, of which results is shown only if it is empty.
func outputsOf(d document) string {
	var list []string
	for _, o := range outputs(d) {
		if o.name == "results" && o.value != "[]" {
			o.value = "…"
		}
		list = append(list, o.name+"="+o.value)
	}
	return strings.Join(list, " ")
}

// annotationsOf returns the annotations of a step, and checks that the summary has the lines of each, in order.
func annotationsOf(t *testing.T, run Run) (list []string) {
	t.Helper()
	r, stdout, env := newReporter(t)
	if err := r.Finish(run); err != nil && !strings.Contains(err.Error(), "not saved") {
		t.Errorf("got error %v, want none", err)
	}
	summary := plainText(readFile(t, env["GITHUB_STEP_SUMMARY"]))
	for _, e := range run.Results {
		isUnknown := e.Operation == secret.Unknown
		if got := strings.Contains(summary, "\n❓ "+string(e.Name)+": "); got != isUnknown {
			t.Errorf("%s: the sign of an unknown result: %v, want %v", e.Name, got, isUnknown)
		}
	}
	for _, annotation := range fakerunner.New().Process(stdout.String()).Annotations {
		list = append(list, strings.ReplaceAll(annotation.Message, "\n  ", " | "))
		for line := range strings.SplitSeq(annotation.Message, "\n  ") {
			_, rest, ok := strings.Cut(summary, strings.ReplaceAll(line, "`", "")+"\n")
			if !ok {
				t.Errorf("no %q in the rest of the summary:\n%s", line, summary)
			}
			summary = rest
		}
	}
	return list
}

// parseRun parses "MODE, OPTION: NAME OPERATION WORD...; NAME ...". Unless words say otherwise, a secret is in actions,
// and the error of a failure is x. The name - is none, and _ is a space.
func parseRun(t *testing.T, text string) (run Run, room limits) {
	t.Helper()
	head, results, _ := strings.Cut(text, ":")
	options := strings.Split(head, ", ")
	run, room = Run{Mode: secret.Mode(options[0]), Org: "acme", Where: "in the inputs"}, roomy
	for _, option := range options[1:] {
		name, value, _ := strings.Cut(option, "=")
		switch name {
		case "org":
			run.Org = value
		case "host":
			run.APIURL.Host = value
		case "3 requests":
			run.Requests = 3
		case "dry run":
			run.DryRun = true
		case "days":
			run.MaxAge = daysOf(t, value)
		case "review":
			run.ListRepositories = true
		case "rejected":
			run.Problems = []string{"x"}
		case "no outputs":
			room.outputs = 0
		case "no summary":
			room.summary = 0
		case "100 bytes of summary":
			room.summary = 100
		default:
			t.Fatalf("unknown option %q", option)
		}
	}
	for result := range strings.SplitSeq(results, ";") {
		if words := strings.Fields(result); len(words) > 0 {
			run.Results = append(run.Results, parseResult(t, run, words))
		}
	}
	return run, room
}

var (
	stores       = []secret.Store{secret.Actions, secret.Dependabot, secret.Codespaces, secret.Agents}
	visibilities = []secret.Visibility{secret.All, secret.Private, secret.Selected}
	sentinels    = map[string]error{"cannot-open": secret.ErrCannotOpen, "foreign-key": secret.ErrForeignKey, "inputs": secret.ErrInputs}
)

func daysOf(t *testing.T, number string) time.Duration {
	t.Helper()
	n, err := strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(n) * 24 * time.Hour
}

var updatedAt = time.Date(2026, 7, 28, 23, 0, 0, 0, time.UTC)

func parseResult(t *testing.T, run Run, words []string) secret.Result {
	t.Helper()
	r := secret.Result{Name: secret.Name(strings.Trim(words[0], "-")), Store: secret.Actions, Operation: secret.Operation(words[1])}
	err := &secret.Error{Elapsed: 10 * time.Second}
	texts := map[string]*string{"error": &err.Problem, "cause": &err.Cause, "hint": &err.Hint, "id": &err.RequestID}
	for _, word := range words[2:] {
		name, value, _ := strings.Cut(word, "=")
		number, _ := strconv.Atoi(value)
		switch {
		case slices.Contains(stores, secret.Store(word)):
			r.Store = secret.Store(word)
		case slices.Contains(visibilities, secret.Visibility(word)):
			r.Access.Visibility = secret.Visibility(word)
		case word == "value":
			r = sealed(r)
		case word == "partly":
			r.Added = []int64{1}
		case word[0] == '+':
			r.Change.Added = append(r.Change.Added, secret.Repository{ID: 1, FullName: "acme/" + word[1:]})
		case word[0] == '-':
			r.Change.Removed = append(r.Change.Removed, secret.Repository{ID: 3})
		case name == "hidden":
			r.Hidden, r.Change.Hidden = number, number
		case word == "listed":
			r.Check.Listed = true
		case name == "to":
			if r.Check != nil {
				r.Check.Listed = true
			}
			repo := secret.Repository{ID: int64(value[0]), FullName: "acme/" + value, Private: value[0] == 'x'}
			r.Access.Repositories = append(r.Access.Repositories, repo)
		case word == "missing":
			r.Check = &secret.Check{Due: true}
		case name == "days":
			age := daysOf(t, value)
			r.Check = &secret.Check{Existing: secret.Existing{Exists: true, UpdatedAt: updatedAt.Add(-age)}, Age: age, Due: run.MaxAge > 0 && age > run.MaxAge}
		case name == "key":
			r.KeyID, r.PublicKey = strings.ReplaceAll(value, "_", " "), "public-"+value
		case name == "attempts":
			err.Attempts = number
		case texts[name] != nil:
			*texts[name] = strings.ReplaceAll(value, "_", " ")
		case sentinels[word] != nil:
			err.Is = append(err.Is, sentinels[word])
		default:
			t.Fatalf("unknown word %q", word)
		}
	}
	if len(r.Change.Added)+len(r.Change.Removed) > 0 {
		r.Change.From, r.Change.To = secret.Selected, secret.Selected
	}
	if r.Failed() || err.Problem+err.Hint != "" {
		err.Problem = cmp.Or(err.Problem, "x")
		r.Err = err
	}
	return r
}
