package report

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"set-org-secret/internal/secret"
)

// maxSummaryBytes keeps below the 1 MiB that GitHub takes of one step.
//
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#adding-a-job-summary
const maxSummaryBytes = 1_000_000

// foldRows is how long a table may be before it is folded away.
const foldRows = 25

// summary writes the job summary, where the runner takes one. left are the
// outcomes whose sealed value the outputs have no room for, lost those of them
// that end up nowhere.
func (r *Reporter) summary(run Run, left []secret.Result) (lost []secret.Result, err error) {
	if r.getenv("GITHUB_STEP_SUMMARY") == "" {
		return left, nil
	}
	text, lost := r.markdown(run, left)
	if err := r.file("step-summary", text); err != nil {
		return left, err
	}
	return lost, nil
}

// markdown is the job summary: failures first with what finishes them, then
// changes of access, then a row for each secret. Where not all of it fits, the
// table stays whole, and the sealed values that the outputs have no room for
// (left) come before the others; lost are those that find no place here either.
func (r *Reporter) markdown(run Run, left []secret.Result) (text string, lost []secret.Result) {
	var b strings.Builder
	title := done(run)
	if run.Org != "" && len(run.Outcomes) > 0 {
		title += " in " + run.Org
	}
	if run.Mode == "set" || run.Mode == "access" {
		title = strings.Replace(title, "secret", "organization secret", 1)
	}
	fmt.Fprintf(&b, "### %s\n\n", r.md(strings.ToUpper(title[:1])+title[1:]))
	for _, text := range run.Refused {
		fmt.Fprintf(&b, "- %s\n", r.md(text))
	}
	if run.Mode == "check" {
		b.WriteString(chart(run))
	}
	table := r.table(run)
	const note = 200 // for the line about what does not fit
	budget := maxSummaryBytes - b.Len() - len(table) - note

	var urgent, failed []secret.Result
	var changes []section
	for _, o := range run.Outcomes {
		switch {
		case has(left, o) && run.Mode == "seal":
			lost = append(lost, o) // nothing failed, so there is nothing to finish by hand
		case has(left, o):
			urgent = append(urgent, o)
		case o.Err != nil:
			failed = append(failed, o)
		default:
			if lines := changeLines(o.Change); len(lines) > 0 {
				changes = append(changes, section{o, r.change(run, o, lines)})
			}
		}
	}
	cut := 0
	for _, s := range slices.Concat(r.failed(run, urgent), r.failed(run, failed), changes) {
		if budget -= len(s.text); budget < 0 {
			budget += len(s.text)
			cut++
			if has(left, s.outcome) {
				lost = append(lost, s.outcome)
			}
			continue
		}
		b.WriteString(s.text)
	}
	if cut > 0 {
		fmt.Fprintf(&b, "%s more to tell would not fit here: see the log and the output `results`.\n\n", count(cut, "matter"))
	}
	b.WriteString(table)
	return b.String(), lost
}

// section is what the summary tells of one secret beside its row.
type section struct {
	outcome secret.Result
	text    string
}

// change tells who gains and who loses access to one secret.
func (r *Reporter) change(run Run, o secret.Result, lines []string) string {
	text := fmt.Sprintf("Access to `%s` in %s%s:\n\n", o.Name, o.Store, map[bool]string{true: ", if it were written"}[run.DryRun])
	for _, line := range lines {
		text += "- " + r.md(line) + "\n"
	}
	return text + "\n"
}

// md makes text from outside harmless in Markdown and its tables.
func (r *Reporter) md(text string) string {
	text = r.line(text)
	var b strings.Builder
	for _, c := range text {
		switch c {
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '&':
			b.WriteString("&amp;")
		case '\\', '`', '*', '_', '[', ']', '|', '#', '!', '~', '@':
			b.WriteByte('\\')
			b.WriteRune(c)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// failed tells what went wrong, once for all that say the same, and how to finish
// each.
func (r *Reporter) failed(run Run, outcomes []secret.Result) (sections []section) {
	for _, group := range alike(outcomes, func(o secret.Result) string {
		return strings.Join([]string{string(o.Operation), fact(o.Err), causeOf(o.Err), adviceOf(o.Err)}, "\n")
	}) {
		first := group[0]
		text := fmt.Sprintf("**%s: %s**\n\n", r.md(headings(group)), first.Operation)
		for _, line := range []string{full(first.Err), causeOf(first.Err), adviceOf(first.Err)} {
			if line != "" {
				text += r.md(line) + "\n\n"
			}
		}
		for _, o := range group {
			if usable(run, o) {
				text += byHand(run, o)
			}
			sections = append(sections, section{o, text})
			text = ""
		}
	}
	return sections
}

// usable reports whether there is a sealed value that somebody can still store.
func usable(run Run, o secret.Result) bool {
	return run.Mode == "set" && o.EncryptedValue != "" && !errors.Is(o.Err, secret.ErrKeyRotated)
}

// byHand is the folded command that stores what is sealed already.
func byHand(run Run, o secret.Result) string {
	body := struct {
		EncryptedValue string            `json:"encrypted_value"`
		KeyID          string            `json:"key_id"`
		Visibility     secret.Visibility `json:"visibility"`
		IDs            *[]int64          `json:"selected_repository_ids,omitempty"`
	}{EncryptedValue: o.EncryptedValue, KeyID: o.KeyID, Visibility: o.Access.Visibility}
	note := "The value is sealed: only GitHub can open it. Access is as this run would have written it."
	if body.Visibility == "" {
		// Any guess would change who may read a secret that stands.
		body.Visibility = "all, private or selected"
		note = "The value is sealed: only GitHub can open it. Who may read the secret was not known, and GitHub refuses the command until you set `visibility` (for `selected` also `selected_repository_ids`) to what stands."
	}
	if body.Visibility == secret.Selected {
		ids := o.Access.IDs()
		body.IDs = &ids
	}
	text, _ := json.MarshalIndent(body, "", "  ")
	host := ""
	if u, err := url.Parse(run.APIURL); err == nil && u.Hostname() != "api.github.com" {
		host = " --hostname " + strings.TrimPrefix(u.Host, "api.")
	}
	return fmt.Sprintf("<details><summary>Finish by hand: %s</summary>\n\n%s\n\n```sh\ngh api --method PUT%s /orgs/%s/%s/secrets/%s --input - <<'JSON'\n%s\nJSON\n```\n\n</details>\n\n",
		heading(o), note, host, run.Org, o.Store, o.Name, text)
}

// table has a row for each secret, or says that there is none.
func (r *Reporter) table(run Run) string {
	if len(run.Outcomes) == 0 {
		return ""
	}
	var b strings.Builder
	outcomes := run.Outcomes
	switch run.Mode {
	case "check":
		outcomes = ByAge(outcomes)
		b.WriteString("| Secret | Store | Last updated | Age | |\n| --- | --- | --- | ---: | --- |\n")
	case "seal":
		b.WriteString("| Secret | Store | What happened | Key |\n| --- | --- | --- | --- |\n")
	default:
		b.WriteString("| Secret | Store | What happened | Access | Key |\n| --- | --- | --- | --- | --- |\n")
	}
	for _, o := range outcomes {
		name := string(o.Name)
		if name != "" {
			name = "`" + name + "`"
		}
		if run.Mode == "check" {
			updated, age, note := "", "", ""
			if a := o.Check; a != nil {
				note = "missing"
				if a.Exists {
					updated, age, note = a.UpdatedAt.UTC().Format("2006-01-02 15:04 UTC"), count(Days(a.Age), "day"), ""
				}
				if a.Due {
					note = strings.TrimPrefix(note+", **due**", ", ")
				}
			} else {
				note = string(o.Operation)
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", name, o.Store, updated, age, note)
			continue
		}
		if run.Mode == "seal" {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, o.Store, o.Operation, o.KeyID)
			continue
		}
		access := ""
		if o.Access.Visibility != "" && o.Err == nil {
			access = r.md(accessText(o))
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", name, o.Store, o.Operation, access, o.KeyID)
	}
	if len(outcomes) <= foldRows {
		return b.String()
	}
	return fmt.Sprintf("<details><summary>All %s</summary>\n\n%s\n</details>\n", count(len(outcomes), "row"), b.String())
}

// ByAge sorts what is missing first, then the oldest.
func ByAge(outcomes []secret.Result) []secret.Result {
	rank := func(o secret.Result) (int, float64) {
		switch {
		case o.Check == nil:
			return 0, 0
		case !o.Check.Exists:
			return 1, 0
		}
		return 2, -o.Check.Age.Seconds()
	}
	sorted := slices.Clone(outcomes)
	slices.SortStableFunc(sorted, func(a, b secret.Result) int {
		ka, ageA := rank(a)
		kb, ageB := rank(b)
		return cmp.Or(cmp.Compare(ka, kb), cmp.Compare(ageA, ageB))
	})
	return sorted
}

// chart draws ages against max_age for two secrets or more, the 30 oldest.
func chart(run Run) string {
	const most = 30
	var names, days, limit []string
	for _, o := range ByAge(run.Outcomes) {
		if o.Check == nil || !o.Check.Exists || len(names) == most {
			continue
		}
		names = append(names, fmt.Sprintf("%q", o.Name))
		days = append(days, fmt.Sprint(Days(o.Check.Age)))
		limit = append(limit, fmt.Sprint(Days(run.MaxAge)))
	}
	if len(names) < 2 {
		return ""
	}
	text := fmt.Sprintf("```mermaid\nxychart-beta horizontal\n  title \"Days since the last update\"\n  x-axis [%s]\n  y-axis \"days\"\n  bar [%s]\n", strings.Join(names, ", "), strings.Join(days, ", "))
	if run.MaxAge > 0 {
		text += fmt.Sprintf("  line [%s]\n", strings.Join(limit, ", "))
	}
	return text + "```\n\n"
}
