package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"set-org-secret/internal/secret"
)

// maxSummaryBytes is below the 1 MiB to which GitHub limits the summary of a step.
//
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#adding-a-job-summary
const maxSummaryBytes = 1_000_000

// noteBytes is room for a note about what does not fit.
const noteBytes = 200

// foldRows is the number of rows above which a table is folded.
const foldRows = 25

// writeSummary appends the job summary, if the runner has one.
func (r *Reporter) writeSummary(run Run, entries []*entry) (err error) {
	hasSummary := r.getenv("GITHUB_STEP_SUMMARY") != ""
	if hasSummary {
		err = r.appendTo("step-summary", r.markdown(run, entries))
	}
	if hasSummary && err == nil {
		return nil
	}
	for _, e := range entries {
		e.noCommand = true
		if e.saved == inSummary {
			e.saved = nowhere
		}
	}
	return err
}

// limitedText is text that does not grow beyond a budget of bytes.
type limitedText struct {
	strings.Builder
	budget, omitted int
}

// add reports whether the text fitted.
func (l *limitedText) add(text string) bool {
	if len(text) > l.budget {
		l.omitted++
		return false
	}
	l.budget -= len(text)
	l.WriteString(text)
	return true
}

// markdown returns the job summary: failures with the commands that store their sealed values, changes of access, and
// a row for each secret. If not all of it fits, sealed values that are not in the outputs come before the others, and
// the table gets at least half of the room and what failures and changes leave. What is missing is counted. Each entry
// notes if its value is in the summary only.
func (r *Reporter) markdown(run Run, entries []*entry) string {
	head, table := r.summaryHead(run)+links(run), r.table(run, maxSummaryBytes)
	body := &limitedText{budget: maxSummaryBytes - len(head) - min(len(table), maxSummaryBytes/2) - noteBytes}
	r.addFailures(body, run, entries)
	for _, e := range entries {
		if lines := changeLines(e.Change); mayHaveChanged(e.Result) && len(lines) > 0 {
			body.add(r.changeText(run, e.Result, lines))
		}
	}
	if run.ListRepositories {
		r.addReview(body, run.Results)
	}
	if body.omitted > 0 {
		fmt.Fprintf(body, "%s omitted (summary size limit); see the log and the output `results`.\n\n",
			count(body.omitted, "more entry"))
	}
	if left := maxSummaryBytes - len(head) - body.Len(); len(table) > left {
		table = r.table(run, left)
	}
	return head + body.String() + table
}

// summaryHead returns the heading and why a run was refused.
func (r *Reporter) summaryHead(run Run) string {
	noun := "secret"
	if run.Mode.Writes() {
		noun = "organization secret"
	}
	heading := headline(run, noun)
	if run.Org != "" && len(run.Results) > 0 {
		heading += " in " + run.Org
	}
	text := fmt.Sprintf("### %s\n\n", r.escapeMarkdown(heading))
	const longestEscape = len("`` ` `` ") / len("` ") // a lone backtick
	for _, reason := range r.firstProblems(run.Refused, maxSummaryBytes/longestEscape-noteBytes) {
		text += fmt.Sprintf("- %s\n", r.escapeMarkdown(reason))
	}
	return text
}

// links returns links to the pages on which an organization's owners see its secrets.
func links(run Run) string {
	u, err := url.Parse(run.APIURL)
	if err != nil || u.Host == "" || len(run.Results) == 0 {
		return ""
	}
	var list []string
	for _, store := range []secret.Store{secret.Actions, secret.Dependabot, secret.Codespaces} {
		isUsed := func(result secret.Result) bool { return result.Store == store }
		if slices.ContainsFunc(run.Results, isUsed) {
			list = append(list, fmt.Sprintf("[%s](https://%s/organizations/%s/settings/secrets/%s)",
				store, strings.TrimPrefix(u.Host, "api."), url.PathEscape(run.Org), store))
		}
	}
	if len(list) == 0 {
		return ""
	}
	return "In GitHub's settings: " + strings.Join(list, ", ") + "\n\n"
}

// addFailures adds each group of failures, those that are saved nowhere first.
func (r *Reporter) addFailures(body *limitedText, run Run, entries []*entry) {
	groups := groupFailures(run, entries)
	rank := func(g *group) int {
		if g.entries[0].saved == nowhere {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(groups, func(a, b *group) int { return cmp.Compare(rank(a), rank(b)) })
	for _, g := range groups {
		heading := r.failureText(g)
		for _, e := range g.entries {
			command := ""
			if e.storableLater() {
				command = manualCommand(run, e.Result)
			}
			if !body.add(heading + command) {
				e.noCommand = true
				continue
			}
			heading = ""
			if e.saved == nowhere {
				e.saved = inSummary
			}
		}
	}
}

// failureText explains what all entries of a group have in common.
func (r *Reporter) failureText(g *group) string {
	text := fmt.Sprintf("**%s: %s**\n\n", r.escapeMarkdown(g.title), g.entries[0].Operation)
	for _, line := range append([]string{g.problem}, g.details()...) {
		text += r.escapeMarkdown(line) + "\n\n"
	}
	return text
}

// changeText lists who gains and who loses access to one secret, as a diff: in a list the signs would be bullets.
func (r *Reporter) changeText(run Run, result secret.Result, lines []string) string {
	note := ""
	switch {
	case run.DryRun:
		note = " (dry run)"
	case result.Operation == secret.Unknown:
		note = " (not confirmed)"
	}
	name := codeSpan(r.sanitizeLine(string(result.Name)))
	text := fmt.Sprintf("Access changes for %s in %s%s:\n\n```diff\n", name, result.Store, note)
	for _, line := range lines {
		if rest, ok := strings.CutPrefix(line, "−"); ok {
			line = "-" + rest
		}
		text += r.sanitizeLine(line) + "\n"
	}
	return text + "```\n\n"
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

// table returns a table with a row for each result, or "" if there is none. If it would exceed budget bytes, the last
// rows are left out.
func (r *Reporter) table(run Run, budget int) string {
	if len(run.Results) == 0 {
		return ""
	}
	var header string
	var rows []string
	urgent := 0
	switch run.Mode {
	case secret.ModeCheck:
		header, rows = r.checkTable(run.Results, run.MaxAge)
		urgent = urgentRows(run.Results)
	case secret.ModeSeal:
		header, rows = r.sealTable(run.Results)
	default:
		header, rows = r.storeTable(run.Results)
	}
	text := &limitedText{budget: budget - noteBytes - len(header)}
	text.add(header)
	shown := 0
	for shown < len(rows) && text.add(rows[shown]) {
		shown++
	}
	if shown == len(rows) && (len(rows) <= foldRows || urgent == len(rows)) {
		return text.String()
	}
	plain := header + strings.Join(rows[:min(shown, urgent)], "") + "\n"
	title := "All " + count(len(rows), "row")
	if urgent == 0 {
		plain = ""
	} else {
		title = "The other " + count(len(rows)-min(shown, urgent), "row")
	}
	if shown < len(rows) {
		title = fmt.Sprintf("The first %s of %s (summary size limit; the log has every row)",
			secret.FormatCount(shown), count(len(rows), "row"))
	}
	if shown <= urgent {
		return plain + title + "\n"
	}
	folded := header + strings.Join(rows[urgent:shown], "")
	return fmt.Sprintf("%s<details><summary>%s</summary>\n\n%s\n</details>\n", plain, title, folded)
}

// urgentRows returns how many rows of a check are never folded: those that failed, and those that are due. byAge has
// them first.
func urgentRows(results []secret.Result) (n int) {
	for _, result := range results {
		if result.Check == nil || result.Check.Due {
			n++
		}
	}
	return n
}

func (r *Reporter) checkTable(results []secret.Result, maxAge time.Duration) (header string, rows []string) {
	for _, result := range byAge(results) {
		var updated, age string
		access := string(result.Access.Visibility)
		var notes []string
		c := result.Check
		switch {
		case c == nil:
			notes = append(notes, string(result.Operation))
		case !c.Exists:
			notes = append(notes, "missing")
		default:
			updated, age = c.UpdatedAt.UTC().Format("2006-01-02 15:04 UTC"), count(days(c.Age), "day")
			notes = append(notes, ageBar(c.Age, maxAge))
		}
		if c != nil && c.Due {
			notes = append(notes, "**due**")
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s | %s | %s |\n",
			r.codeCell(string(result.Name)), result.Store, r.cell(access), updated, age,
			strings.TrimSpace(strings.Join(notes, " "))))
	}
	return "| Secret | Store | Access | Last updated | Age | |\n| --- | --- | --- | --- | ---: | --- |\n", rows
}

func (r *Reporter) sealTable(results []secret.Result) (header string, rows []string) {
	for _, result := range results {
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s |\n",
			r.codeCell(string(result.Name)), result.Store, result.Operation, r.cell(result.KeyID)))
	}
	return "| Secret | Store | Result | Key |\n| --- | --- | --- | --- |\n", rows
}

func (r *Reporter) storeTable(results []secret.Result) (header string, rows []string) {
	for _, result := range results {
		access := ""
		if result.Access.Visibility != "" && result.Err == nil {
			access = r.cell(accessText(result))
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s | %s |\n",
			r.codeCell(string(result.Name)), result.Store, result.Operation, access, r.cell(result.KeyID)))
	}
	return "| Secret | Store | Result | Access | Key |\n| --- | --- | --- | --- | --- |\n", rows
}

// byAge sorts failed lookups first, then missing secrets, then the oldest.
func byAge(results []secret.Result) []secret.Result {
	age := func(result secret.Result) time.Duration {
		switch {
		case result.Check == nil:
			return math.MaxInt64
		case !result.Check.Exists:
			return math.MaxInt64 - 1
		}
		return result.Check.Age
	}
	// Indices are sorted as in fitToBudget: another element type would add 15 KB to the binary.
	order := make([]int, len(results))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(age(results[b]), age(results[a])) })
	sorted := make([]secret.Result, len(results))
	for i, index := range order {
		sorted[i] = results[index]
	}
	return sorted
}

// ageBar draws an age as blocks, ten for max_age and at most thirty. It needs no axis and looks the same wherever
// Markdown is rendered.
func ageBar(age, maxAge time.Duration) string {
	if maxAge <= 0 {
		return ""
	}
	return strings.Repeat("█", int(min(10*age/maxAge, 30)))
}
