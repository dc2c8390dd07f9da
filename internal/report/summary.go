package report

import (
	"cmp"
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

// add appends the text, or counts it as omitted if it does not fit.
func (l *limitedText) add(text string) {
	if len(text) > l.budget {
		l.omitted++
		return
	}
	l.budget -= len(text)
	l.WriteString(text)
}

// markdown returns the job summary: a heading; failures, with a script that stores their sealed values; changes of
// access; and a row for each other secret, of a check first those that are due. If not all of it fits, the rows get at
// least half of the room and what the rest leaves, the reasons of failures a quarter, and sealed values that are not in
// the outputs come before the others. What is missing is counted. Each entry notes if its value is in the summary only.
func (r *Reporter) markdown(run Run, entries []*entry) string {
	head, foot := r.summaryHead(run), links(run)
	left := maxSummaryBytes - len(head) - len(foot) - 4*noteBytes
	body := &limitedText{budget: left - min(r.rowsBytes(run, entries), maxSummaryBytes/2)}
	reasons := &limitedText{budget: min(r.failuresBytes(run, entries), maxSummaryBytes/4)}
	script := &limitedText{budget: body.budget - reasons.budget}
	r.addScript(script, run, entries, script.budget)
	r.addFailures(reasons, run, entries)
	body.budget -= reasons.Len() + script.Len()
	r.addChanges(body, run, entries)
	review := &limitedText{budget: body.budget}
	if run.ListRepositories {
		r.addReview(review, run.Results)
	}
	if omitted := body.omitted + review.omitted; omitted > 0 {
		fmt.Fprintf(body, "%s omitted (summary size limit); see the log and the output `results`.\n\n",
			count(omitted, "more entry"))
	}
	before := head + reasons.String() + script.String() + body.String()
	urgent, rest := r.tables(run, entries, left-len(before)+len(head)-review.Len())
	return strings.TrimRight(before+urgent+review.String()+rest+foot, "\n") + "\n"
}

// summaryHead returns the heading and why a run was refused.
func (r *Reporter) summaryHead(run Run) string {
	text := fmt.Sprintf("### %s\n\n", r.escapeMarkdown(heading(run)))
	const longestEscape = len("`` ` `` ") / len("` ") // a lone backtick
	for _, reason := range r.firstProblems(run.Refused, maxSummaryBytes/longestEscape-noteBytes) {
		text += fmt.Sprintf("- %s\n", r.escapeMarkdown(reason))
	}
	hasBar := func(result secret.Result) bool {
		return result.Check != nil && ageBar(result.Check.Age, run.MaxAge) != ""
	}
	if slices.ContainsFunc(run.Results, hasBar) {
		text += "In a bar, ten blocks are " + durationText(run.MaxAge) + ".\n\n"
	}
	return text
}

// links returns links to the pages on which an organization's owners see its secrets.
func links(run Run) string {
	if run.APIURL == "" || len(run.Results) == 0 {
		return ""
	}
	var list []string
	for _, page := range []struct {
		store secret.Store
		title string
	}{{secret.Actions, "Actions"}, {secret.Dependabot, "Dependabot"}, {secret.Codespaces, "Codespaces"}} {
		isUsed := func(result secret.Result) bool { return result.Store == page.store }
		if slices.ContainsFunc(run.Results, isUsed) {
			list = append(list, fmt.Sprintf("[%s secrets of %s](https://%s/organizations/%s/settings/secrets/%s)",
				page.title, run.Org, hostname(run), url.PathEscape(run.Org), page.store))
		}
	}
	if len(list) == 0 {
		return ""
	}
	return strings.Join(list, " · ") + "\n\n"
}

// failureHeader has two columns: with a third, a phone shows ten characters in a line of each.
const failureHeader = "| Secret | Why, and what to do |\n| --- | --- |\n"

// namedInFailures is how many names a failure lists before it counts the others, which then have a row of their own.
const namedInFailures = 10

// failuresBytes returns how long the table of failures can get.
func (r *Reporter) failuresBytes(run Run, entries []*entry) int {
	n := 0
	inStores := severalStores(run.Results)
	for _, g := range groupFailures(run, entries) {
		// The group may yet be divided by where its values are saved.
		n += 4 * (len(r.failureRow(run, g, inStores)) + noteBytes)
	}
	return n
}

// addFailures adds a row for each group of failures, those whose values are saved nowhere first. Entries note if they
// are named in one.
func (r *Reporter) addFailures(body *limitedText, run Run, entries []*entry) {
	groups := groupFailures(run, entries)
	rank := func(i int) int {
		if groups[i].entries[0].saved == nowhere {
			return 0
		}
		return 1
	}
	inStores := severalStores(run.Results)
	var rows []string
	size := 2*len(failureHeader) + 2*noteBytes
	for _, i := range secret.SortedIndices(len(groups), func(a, b int) int { return cmp.Compare(rank(a), rank(b)) }) {
		g := groups[i]
		row := r.failureRow(run, g, inStores)
		if size += len(row); size > body.budget {
			break
		}
		rows = append(rows, row)
		for i, e := range g.entries {
			e.named = i < namedInFailures
		}
	}
	if len(rows) > 0 {
		addFolded(body, "Failures", failureHeader, rows)
	}
	if more := len(groups) - len(rows); more > 0 {
		fmt.Fprintf(body, "%s omitted (summary size limit); see the log and the output `results`.\n\n",
			count(more, "more reason"))
	}
}

// failureRow returns the row of a group: who, why, and what to do.
func (r *Reporter) failureRow(run Run, g *group, inStores bool) string {
	var names []string
	for _, e := range g.entries[:min(len(g.entries), namedInFailures)] {
		names = append(names, r.secretCell(e.Result, inStores))
	}
	who := strings.Join(names, ", ")
	if more := len(g.entries) - len(names); more > 0 {
		who += " and " + secret.FormatCount(more) + " more"
	}
	sign := "⚠️"
	switch g.entries[0].Operation {
	case secret.Failed:
		sign = "❌"
	case secret.Unknown:
		sign = "❓"
	}
	parts := []string{"**" + strings.TrimSpace(r.cell(g.problem)) + "**"}
	for _, why := range []string{g.cause, g.result} {
		if why != "" {
			parts = append(parts, r.adviceCell(why))
		}
	}
	parts = append(parts, "**What to do:** "+r.adviceCell(g.whatToDo(run)))
	if id, ok := strings.CutPrefix(g.requestIDs, requestID); ok {
		parts = append(parts, requestID+r.nameCell(id))
	} else if g.requestIDs != "" {
		parts = append(parts, r.cell(g.requestIDs))
	}
	return fmt.Sprintf("| %s %s | %s |\n", sign, who, strings.Join(parts, "<br>"))
}

// secretCell names a secret, and its store if there are several.
func (r *Reporter) secretCell(result secret.Result, inStores bool) string {
	switch {
	case result.Name == "":
		return string(result.Store) + " secrets"
	case inStores:
		return r.nameCell(string(result.Name)) + " in " + string(result.Store)
	}
	return r.nameCell(string(result.Name))
}

// addChanges adds who gains and who loses access, once for all secrets of a store that change alike.
func (r *Reporter) addChanges(body *limitedText, run Run, entries []*entry) {
	var texts []string
	names := map[string][]string{}
	for _, e := range entries {
		lines := changeLines(e.Change)
		if len(lines) == 0 || !mayHaveChanged(e.Result) {
			continue
		}
		text := r.changeText(run, e.Result, lines)
		if names[text] == nil {
			texts = append(texts, text)
		}
		names[text] = append(names[text], codeSpan(r.sanitizeLine(string(e.Name))))
	}
	for _, text := range texts {
		body.add("Access changes for " + firstNames(names[text]) + text)
	}
}

// changeText lists who gains and who loses access, as a diff: in a list the signs would be bullets.
func (r *Reporter) changeText(run Run, result secret.Result, lines []string) string {
	note := ""
	switch {
	case run.DryRun:
		note = " (dry run)"
	case result.Operation == secret.Unknown:
		note = " (not confirmed)"
	}
	text := fmt.Sprintf(" in %s%s:\n\n```diff\n", result.Store, note)
	for _, line := range lines {
		if rest, ok := strings.CutPrefix(line, "−"); ok {
			line = "-" + rest
		}
		text += r.sanitizeLine(line) + "\n"
	}
	return text + "```\n\n"
}

// rowHeader returns the header of the table of a mode.
func rowHeader(run Run) string {
	switch run.Mode {
	case secret.ModeSeal:
		return "| Secret | Key |\n| --- | --- |\n"
	case secret.ModeCheck:
		return "| Secret | Age, last updated | Who may read it |\n| --- | --- | --- |\n"
	}
	return "| Secret | Result | Who may read it |\n| --- | --- | --- |\n"
}

// row returns the row of a result.
func (r *Reporter) row(run Run, result secret.Result, inStores bool) string {
	name := r.secretCell(result, inStores)
	switch run.Mode {
	case secret.ModeSeal:
		key := r.cell(result.KeyID)
		if result.Err != nil {
			key = string(result.Operation)
		}
		return fmt.Sprintf("| %s | %s |\n", name, key)
	case secret.ModeCheck:
		return r.checkRow(result, run.MaxAge, name)
	}
	access := ""
	if result.Access.Visibility != "" && result.Err == nil {
		access = r.cell(accessText(result))
	}
	return fmt.Sprintf("| %s | %s | %s |\n", name, result.Operation, access)
}

func (r *Reporter) checkRow(result secret.Result, maxAge time.Duration, name string) string {
	c, age, access := result.Check, string(result.Operation), string(result.Access.Visibility)
	switch {
	case c == nil:
		name = "❌ " + name
	case !c.Exists:
		age = "missing"
	default:
		age = daysText(c.Age) + ", " + c.UpdatedAt.UTC().Format(time.DateOnly)
		if bar := ageBar(c.Age, maxAge); bar != "" {
			age += "<br><sub>" + bar + "</sub>"
		}
		if c.Listed {
			access = secret.FormatCount(len(result.Access.IDs())+result.Hidden) + " selected"
		}
	}
	if c != nil && c.Due {
		name = "🔴 " + name
	}
	return fmt.Sprintf("| %s | %s | %s |\n", name, age, r.cell(access))
}

// rowsBytes returns how long the rows of all results are.
func (r *Reporter) rowsBytes(run Run, entries []*entry) int {
	n := 2*len(rowHeader(run)) + 2*noteBytes
	inStores := severalStores(run.Results)
	for _, e := range entries {
		n += len(r.row(run, e.Result, inStores))
	}
	return n
}

// tables returns tables with a row for each entry that is not named among the failures: those that a check finds due,
// which are never folded, and the rest. The rest is folded if it is long or if something else matters more. If they
// would exceed budget bytes, the last rows are left out.
func (r *Reporter) tables(run Run, entries []*entry, budget int) (urgentTable, restTable string) {
	order := make([]int, 0, len(entries))
	for _, i := range resultOrder(run) {
		if !entries[i].named {
			order = append(order, i)
		}
	}
	header, inStores := rowHeader(run), severalStores(run.Results)
	urgent, rest := &limitedText{}, &limitedText{}
	budget -= 2*len(header) + 2*noteBytes
	shown, urgentShown := 0, 0
	for _, i := range order {
		row := r.row(run, entries[i].Result, inStores)
		if budget -= len(row); budget < 0 {
			break
		}
		shown++
		if isUrgent(run, entries[i].Result) {
			urgentShown++
			urgent.WriteString(row)
		} else {
			rest.WriteString(row)
		}
	}
	if urgentShown > 0 {
		urgentTable = header + urgent.String() + "\n"
	}
	title := ""
	if shown < len(order) {
		title = fmt.Sprintf("The first %s of %s (summary size limit; the log has every row)",
			secret.FormatCount(shown), count(len(order), "row"))
	}
	fold := title != "" || shown > foldRows || urgentShown > 0 || len(order) < len(entries)
	switch n := shown - urgentShown; {
	case n == 0 && title != "":
		restTable = title + "\n\n"
	case n == 0:
	case !fold:
		restTable = header + rest.String() + "\n"
	default:
		if title == "" {
			title = restTitle(run, entries, order[urgentShown:])
		}
		restTable = fmt.Sprintf("<details><summary>%s</summary>\n\n%s%s\n</details>\n\n", title, header, rest.String())
	}
	return urgentTable, restTable
}

// restTitle says what the rows of a folded table are.
func restTitle(run Run, entries []*entry, order []int) string {
	if run.Mode == secret.ModeCheck {
		if run.MaxAge > 0 {
			return fmt.Sprintf("🟢 %s within %s", secret.FormatCount(len(order)), durationText(run.MaxAge))
		}
		return "🟢 " + count(len(order), "secret")
	}
	run.Results = nil
	for _, i := range order {
		run.Results = append(run.Results, entries[i].Result)
	}
	c := countResults(run)
	parts := others([]int{c.done, c.unchanged, c.failed, c.unknown},
		[]string{verb(run), "unchanged", "failed", "unknown"})
	sign := "✅ "
	if c.failed+c.unknown > 0 {
		sign = ""
	}
	return sign + strings.TrimPrefix(parts, ", ")
}

// isUrgent reports whether a row of a check is never folded: the lookup failed, or the secret is due.
func isUrgent(run Run, result secret.Result) bool {
	return run.Mode == secret.ModeCheck && (result.Check == nil || result.Check.Due)
}

// resultOrder returns the indices of the results in the order of their rows.
func resultOrder(run Run) []int {
	if run.Mode == secret.ModeCheck {
		return orderByAge(run.Results)
	}
	order := make([]int, len(run.Results))
	for i := range order {
		order[i] = i
	}
	return order
}

// byAge sorts failed lookups first, then missing secrets, then the oldest.
func byAge(results []secret.Result) []secret.Result {
	sorted := make([]secret.Result, len(results))
	for i, index := range orderByAge(results) {
		sorted[i] = results[index]
	}
	return sorted
}

func orderByAge(results []secret.Result) []int {
	age := func(i int) time.Duration {
		switch check := results[i].Check; {
		case check == nil:
			return math.MaxInt64
		case !check.Exists:
			return math.MaxInt64 - 1
		default:
			return check.Age
		}
	}
	return secret.SortedIndices(len(results), func(a, b int) int { return cmp.Compare(age(b), age(a)) })
}

// ageBar draws an age as blocks, ten for max_age and at most twenty. It needs no axis and looks the same wherever
// Markdown is rendered. On a phone it has two lines, so that each is max_age.
func ageBar(age, maxAge time.Duration) string {
	const unit, most = 10, 20
	if maxAge <= 0 {
		return ""
	}
	bar := strings.Repeat("█", int(min(unit*age/maxAge, most)))
	if unit*age/maxAge > most {
		bar = strings.TrimSuffix(bar, "█") + "…"
	}
	if line := len("█") * unit; len(bar) > line {
		bar = bar[:line] + "<wbr>" + bar[line:]
	}
	return bar
}
