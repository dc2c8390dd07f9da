package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"set-org-secret/internal/secret"
)

// maxSummaryBytes is below the 1 MiB to which GitHub limits the summary of a step.
//
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#adding-a-job-summary
const maxSummaryBytes = 1_000_000

// foldRows is the number of rows above which a table is folded.
const foldRows = 25

// writeSummary appends the job summary, if the runner has one.
func (r *Reporter) writeSummary(run Run, entries []*entry) error {
	if r.getenv("GITHUB_STEP_SUMMARY") == "" {
		return nil
	}
	err := r.appendTo("step-summary", r.markdown(run, entries))
	for _, e := range entries {
		if err != nil && e.saved == inSummary {
			e.saved = nowhere
		}
	}
	return err
}

// markdown returns the job summary: failures with the commands that store their
// sealed values, changes of access, and a row for each secret. If not all of it
// fits, the table stays whole, and sealed values that are not in the outputs come
// before the others. Each entry notes that its value is in the summary only.
func (r *Reporter) markdown(run Run, entries []*entry) string {
	var b strings.Builder
	noun := "secret"
	if run.Mode.Writes() {
		noun = "organization secret"
	}
	heading := headline(run, noun)
	if run.Org != "" && len(entries) > 0 {
		heading += " in " + run.Org
	}
	fmt.Fprintf(&b, "### %s\n\n", r.escapeMarkdown(heading))
	for _, text := range run.Refused {
		fmt.Fprintf(&b, "- %s\n", r.escapeMarkdown(text))
	}
	if run.Mode == secret.ModeCheck {
		b.WriteString(chart(run))
	}
	table := r.table(run)
	const omissionNote = 200 // bytes
	budget, omitted := maxSummaryBytes-b.Len()-len(table)-omissionNote, 0
	add := func(text string) bool {
		if len(text) > budget {
			omitted++
			return false
		}
		budget -= len(text)
		b.WriteString(text)
		return true
	}
	groups := groupFailures(run, entries)
	slices.SortStableFunc(groups, func(a, b *group) int {
		switch aFirst, bFirst := a.entries[0].saved == nowhere, b.entries[0].saved == nowhere; {
		case aFirst == bFirst:
			return 0
		case aFirst:
			return -1
		}
		return 1
	})
	for _, g := range groups {
		heading := r.failureText(g)
		for _, e := range g.entries {
			command := ""
			if e.storableLater() {
				command = manualCommand(run, e.Result)
			}
			if !add(heading + command) {
				continue
			}
			heading = ""
			if e.saved == nowhere {
				e.saved = inSummary
			}
		}
	}
	for _, e := range entries {
		if lines := changeLines(e.Change); e.Err == nil && len(lines) > 0 {
			add(r.changeText(run, e.Result, lines))
		}
	}
	if omitted > 0 {
		fmt.Fprintf(&b, "%s omitted (summary size limit); see the log and the output `results`.\n\n",
			count(omitted, "more entry"))
	}
	return b.String() + table
}

// failureText explains what all entries of a group have in common.
func (r *Reporter) failureText(g *group) string {
	text := fmt.Sprintf("**%s: %s**\n\n", r.escapeMarkdown(g.title), g.entries[0].Operation)
	for _, line := range append([]string{g.problem}, g.details()...) {
		text += r.escapeMarkdown(line) + "\n\n"
	}
	return text
}

// changeText lists who gains and who loses access to one secret.
func (r *Reporter) changeText(run Run, result secret.Result, lines []string) string {
	dryRun := ""
	if run.DryRun {
		dryRun = " (dry run)"
	}
	text := fmt.Sprintf("Access changes for `%s` in %s%s:\n\n", result.Name, result.Store, dryRun)
	for _, line := range lines {
		text += "- " + r.escapeMarkdown(line) + "\n"
	}
	return text + "\n"
}

// manualCommand returns the folded command that stores a sealed value.
func manualCommand(run Run, result secret.Result) string {
	body := struct {
		EncryptedValue string            `json:"encrypted_value"`
		KeyID          string            `json:"key_id"`
		Visibility     secret.Visibility `json:"visibility"`
		IDs            *[]int64          `json:"selected_repository_ids,omitempty"`
	}{EncryptedValue: result.EncryptedValue, KeyID: result.KeyID, Visibility: result.Access.Visibility}
	note := "The access is what this run would have written."
	if body.Visibility == "" {
		// Any guess could change who may read an existing secret.
		body.Visibility = "all, private or selected"
		note = "The current access is unknown. Set `visibility` (and `selected_repository_ids` for `selected`) " +
			"before running the command; GitHub rejects it otherwise."
	}
	if body.Visibility == secret.Selected {
		ids := result.Access.IDs()
		body.IDs = &ids
	}
	text, _ := json.MarshalIndent(body, "", "  ")
	host := ""
	if u, err := url.Parse(run.APIURL); err == nil && u.Hostname() != "api.github.com" {
		host = " --hostname " + strings.TrimPrefix(u.Host, "api.")
	}
	return fmt.Sprintf("<details><summary>Store manually: %s</summary>\n\n"+
		"The value is sealed: only GitHub can open it. %s\n\n"+
		"```sh\ngh api --method PUT%s /orgs/%s/%s/secrets/%s --input - <<'JSON'\n%s\nJSON\n```\n\n</details>\n\n",
		title(result), note, host, run.Org, result.Store, result.Name, text)
}

// table returns a table with a row for each result, or "" if there is none.
func (r *Reporter) table(run Run) string {
	if len(run.Results) == 0 {
		return ""
	}
	var text string
	switch run.Mode {
	case secret.ModeCheck:
		text = checkTable(run.Results)
	case secret.ModeSeal:
		text = sealTable(run.Results)
	default:
		text = r.storeTable(run.Results)
	}
	if len(run.Results) <= foldRows {
		return text
	}
	return fmt.Sprintf("<details><summary>All %s</summary>\n\n%s\n</details>\n", count(len(run.Results), "row"), text)
}

func checkTable(results []secret.Result) string {
	var b strings.Builder
	b.WriteString("| Secret | Store | Last updated | Age | |\n| --- | --- | --- | ---: | --- |\n")
	for _, result := range byAge(results) {
		var updated, age string
		var notes []string
		if c := result.Check; c == nil {
			notes = append(notes, string(result.Operation))
		} else {
			if c.Exists {
				updated, age = c.UpdatedAt.UTC().Format("2006-01-02 15:04 UTC"), count(days(c.Age), "day")
			} else {
				notes = append(notes, "missing")
			}
			if c.Due {
				notes = append(notes, "**due**")
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", codeSpan(result.Name), result.Store, updated, age,
			strings.Join(notes, ", "))
	}
	return b.String()
}

func sealTable(results []secret.Result) string {
	var b strings.Builder
	b.WriteString("| Secret | Store | Result | Key |\n| --- | --- | --- | --- |\n")
	for _, result := range results {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", codeSpan(result.Name), result.Store, result.Operation, result.KeyID)
	}
	return b.String()
}

func (r *Reporter) storeTable(results []secret.Result) string {
	var b strings.Builder
	b.WriteString("| Secret | Store | Result | Access | Key |\n| --- | --- | --- | --- | --- |\n")
	for _, result := range results {
		access := ""
		if result.Access.Visibility != "" && result.Err == nil {
			access = r.escapeMarkdown(accessText(result))
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", codeSpan(result.Name), result.Store, result.Operation, access,
			result.KeyID)
	}
	return b.String()
}

func codeSpan(name secret.Name) string {
	if name == "" {
		return ""
	}
	return "`" + string(name) + "`"
}

// byAge sorts failed lookups first, then missing secrets, then the oldest.
func byAge(results []secret.Result) []secret.Result {
	rank := func(result secret.Result) int {
		switch {
		case result.Check == nil:
			return 0
		case !result.Check.Exists:
			return 1
		}
		return 2
	}
	sorted := slices.Clone(results)
	slices.SortStableFunc(sorted, func(a, b secret.Result) int {
		if order := cmp.Compare(rank(a), rank(b)); order != 0 || rank(a) < 2 {
			return order
		}
		return cmp.Compare(b.Check.Age, a.Check.Age)
	})
	return sorted
}

// chart draws the ages of the 30 oldest secrets against max_age, or "" if there
// are fewer than two.
func chart(run Run) string {
	const most = 30
	var names, ages, limit []string
	for _, result := range byAge(run.Results) {
		if result.Check == nil || !result.Check.Exists || len(names) == most {
			continue
		}
		names = append(names, fmt.Sprintf("%q", result.Name))
		ages = append(ages, fmt.Sprint(days(result.Check.Age)))
		limit = append(limit, fmt.Sprint(days(run.MaxAge)))
	}
	if len(names) < 2 {
		return ""
	}
	text := fmt.Sprintf("```mermaid\nxychart-beta horizontal\n  title \"Days since the last update\"\n"+
		"  x-axis [%s]\n  y-axis \"days\"\n  bar [%s]\n", strings.Join(names, ", "), strings.Join(ages, ", "))
	if run.MaxAge > 0 {
		text += fmt.Sprintf("  line [%s]\n", strings.Join(limit, ", "))
	}
	return text + "```\n\n"
}
