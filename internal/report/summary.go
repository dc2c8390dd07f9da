package report

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"set-org-secret/internal/secret"
)

// The summary is HTML, as that of actions/toolkit: Markdown has no escape that leaves a text as the runner masks it.
// It has no empty line, after which GitHub would read Markdown.
//
// https://github.com/actions/toolkit/blob/main/packages/core/src/summary.ts

const (
	// foldRows is the number of rows above which a table is folded.
	foldRows = 25
	// maxNames and maxCellNames are how many characters of names are listed before the others are counted.
	maxNames, maxCellNames = 250, 110
	// noteBytes is room for the note that counts the omitted items.
	noteBytes = 300
)

// page is HTML of a limited size.
type page struct {
	strings.Builder
	left int
}

// add appends HTML if it fits.
func (p *page) add(html string) {
	if len(html) < p.left {
		p.left -= len(html) + 1
		p.WriteString(html + "\n")
	}
}

// list appends items between a start and an end, as many as fit into so many bytes, and counts the others.
func (p *page) list(room int, start string, items []string, end, noun string) {
	room = min(room, p.left) - len(start) - len(end) - noteBytes
	n := 0
	for n < len(items) && len(items[n]) < room {
		room -= len(items[n]) + 1
		n++
	}
	if n > 0 {
		p.add(start + strings.Join(items[:n], "\n") + end)
	}
	if more := len(items) - n; more > 0 {
		p.add("<p>" + secret.Count(more, "more "+noun) + " (size limit of the summary; see the log)</p>")
	}
}

// table appends a table, folded if it has a title.
func (p *page) table(title string, header, rows []string) {
	start, end := "<table>\n<tr><th>"+strings.Join(header, "</th><th>")+"</th></tr>\n", "\n</table>"
	if title != "" {
		start, end = "<details><summary>"+title+"</summary>\n"+start, end+"\n</details>"
	}
	if len(rows) > 0 {
		p.list(p.left, start, rows, end, "row")
	}
}

// tableRow returns a row of a table from the HTML of its cells.
func tableRow(cells ...string) string {
	return "<tr><td>" + strings.Join(cells, "</td><td>") + "</td></tr>"
}

// summary returns the job summary: the title, failures with the script that stores their sealed values, changes of
// access, and a row for each other secret.
func (r *Reporter) summary(d document) string {
	p := &page{left: d.room.summary}
	p.add("<h3>" + d.sign + " " + r.html(d.title) + "</h3>")
	if len(d.Refused) > 0 {
		p.add("<p><b>" + todo + "</b>" + r.prose(d.refusedStep) + "</p>")
		var items []string
		for _, problem := range firstProblems(d.Refused) {
			items = append(items, "<li>"+r.html(problem)+"</li>")
		}
		p.list(p.left, "<ul>\n", items, "\n</ul>", "problem")
		return strings.TrimSuffix(p.String(), "\n")
	}
	var blocks []string
	for _, f := range d.failures {
		blocks = append(blocks, r.failureBlock(d, f))
	}
	p.list(int(float64(d.room.summary)*failureShare), "", blocks, "", "failure")
	if text := script(d); text != "" {
		p.add(r.scriptBlock(d, text))
	}
	if rows := d.summaryTexts(inRows); len(rows) > 0 {
		p.add("<details open><summary><b>Rows to pass to <code>sealed</code></b></summary>\n<pre lang=\"json\"><code>" +
			escaper.Replace("["+strings.Join(rows, ",\n")+"]") + "</code></pre>\n</details>")
	}
	r.addChanges(p, d)
	if d.ListRepositories {
		r.addOpen(p, d)
	}
	r.addRows(p, d)
	if d.ListRepositories {
		r.addReaders(p, d)
	}
	r.addLinks(p, d)
	return strings.TrimSuffix(p.String(), "\n")
}

// name names the secret of an entry, and its store if the run has several.
func (d *document) name(e entry) string {
	switch {
	case e.Name == "":
		return string(e.Store) + " secrets"
	case d.inStores:
		return fmt.Sprintf("%s in %s", e.Name, e.Store)
	}
	return string(e.Name)
}

func (d *document) names(entries []entry) (names []string) {
	for _, e := range entries {
		names = append(names, d.name(e))
	}
	return names
}

// firstOf lists the first names and counts the others. At least one is listed, and at most so many characters.
func firstOf(names []string, most int, show func(name string) string) string {
	var shown []string
	for _, name := range names {
		if most -= min(len(name), maxShown) + len(", "); most < 0 && len(shown) > 0 {
			break
		}
		shown = append(shown, show(name))
	}
	text := strings.Join(shown, ", ")
	if more := len(names) - len(shown); more > 0 {
		text += " and " + secret.FormatCount(more) + " more"
	}
	return text
}

// list lists the first entries in the summary.
func (r *Reporter) list(d document, entries []entry, most int) string {
	return firstOf(d.names(entries), most, r.code)
}

// failureBlock tells a failure: the secrets, the fact, the reason, the next step, and where the values are.
func (r *Reporter) failureBlock(d document, f failure) string {
	sign := signs[f.entries[0].severity]
	lines := []string{fmt.Sprintf("%s <b>%s</b>: %s", sign, r.list(d, f.entries, maxNames), r.html(f.fact))}
	if f.reason != "" {
		lines = append(lines, r.html(f.reason))
	}
	lines = append(lines, "<b>"+todo+"</b>"+r.prose(f.step))
	if f.saved != "" {
		lines = append(lines, "<sub>"+r.html(f.saved)+"</sub>")
	}
	return "<p>" + strings.Join(lines, "<br>\n") + "</p>"
}

// scriptBlock shows the script, unfolded, after the conditions for running it.
func (r *Reporter) scriptBlock(d document, script string) string {
	last := "If GitHub answers 422, it has another key by now: the values have to be sealed again."
	isOutside := func(e entry) bool { return e.place.has(hasValue) && !e.place.has(inScript) }
	if outside := filter(d.entries, isOutside); len(outside) > 0 {
		last = "It does not store " + r.list(d, outside, maxNames) + "; see above."
	}
	return "<details open><summary><b>Script that stores the sealed values</b></summary>\n<ul>\n" +
		"<li>Do not run it if a later run has stored these secrets, or if who may read them has changed since.</li>\n" +
		"<li>Run it where <code>gh</code> is logged in to <code>" + r.html(hostname(d.Run)) + "</code> as an owner " +
		"of the organization, with the scope <code>admin:org</code>.</li>\n" +
		"<li>" + last + "</li>\n</ul>\n" +
		"<pre lang=\"bash\"><code>" + escaper.Replace(script) + "</code></pre>\n</details>"
}

// sealedRow is the row of a sealed value that the script cannot store.
func sealedRow(e entry) string {
	e.row.Error = ""
	return strings.Trim(encode([]row{e.fullRow()}), "[]")
}

// addChanges adds who gains and who loses access, once for all secrets that change alike.
func (r *Reporter) addChanges(p *page, d document) {
	var texts []string
	entries := map[string][]entry{}
	for _, e := range d.entries {
		lines := changeLines(e.Result)
		if len(lines) == 0 {
			continue
		}
		note := ""
		switch {
		case d.DryRun:
			note = " (dry run)"
		case e.Operation == secret.Unknown && len(e.Added)+len(e.Removed) == 0:
			note = " (not confirmed)"
		}
		for i, line := range lines {
			lines[i] = r.html(line)
		}
		text := note + ":</p>\n<pre lang=\"diff\"><code>" + strings.Join(lines, "\n") + "</code></pre>"
		if entries[text] == nil {
			texts = append(texts, text)
		}
		entries[text] = append(entries[text], e)
	}
	for i, text := range texts {
		texts[i] = "<p>Access changes for " + r.list(d, entries[text], maxNames) + text
	}
	p.list(p.left, "", texts, "", "change")
}

// addOpen adds which secrets of a review every repository may read, or every private one.
func (r *Reporter) addOpen(p *page, d document) {
	for _, open := range []struct {
		to  secret.Visibility
		who string
	}{
		{secret.All, "⚠️ <b>Every repository, public ones included,</b>"},
		{secret.Private, "<b>Every private and internal repository</b>"},
	} {
		isOpen := func(e entry) bool { return e.Access.Visibility == open.to }
		if list := filter(d.entries, isOpen); len(list) > 0 {
			secrets := secret.Count(len(list), "secret")
			p.add(fmt.Sprintf("<p>%s may read %s: %s</p>", open.who, secrets, r.list(d, list, maxNames)))
		}
	}
}

// addRows adds a row for each secret that did not fail. A check has those that are due first, which are never folded.
func (r *Reporter) addRows(p *page, d document) {
	var urgent, rest []string
	header := []string{"Secret", "Result", "Who may read it"}
	switch d.Mode {
	case secret.ModeCheck:
		header[1] = "Age, last updated"
	case secret.ModeSeal:
		header = header[:2]
		if !d.inStores { // each store has its own key
			p.add("<p>Sealed to key <code>" + r.html(d.entries[0].KeyID) + "</code></p>")
		}
	}
	entries := filter(d.entries, func(e entry) bool { return e.Err == nil })
	if d.Mode == secret.ModeCheck {
		entries = byAge(entries)
	}
	for _, e := range entries {
		name := r.code(d.name(e))
		switch {
		case d.Mode == secret.ModeSeal:
			rest = append(rest, tableRow(name, e.Operation.Text()))
		case d.Mode != secret.ModeCheck:
			rest = append(rest, tableRow(name, e.Operation.Text(), r.html(accessText(e.Result))))
		case e.Check.Due:
			urgent = append(urgent, tableRow("🔴 "+name, shortAge(*e.Check), r.readers(e)))
		default:
			rest = append(rest, tableRow(name, shortAge(*e.Check), r.readers(e)))
		}
	}
	title := ""
	if len(urgent)+len(rest) <= foldRows {
		urgent, rest = append(urgent, rest...), nil
	} else if title = signs[fine] + " " + secret.Count(len(rest), "secret"); d.Mode != secret.ModeAccess {
		title += " " + done(d.Run)
	}
	p.table("", header, urgent)
	p.table(title, header, rest)
}

// shortAge is the age of a secret in a cell. A date with hyphens would be broken after them.
func shortAge(c secret.Check) string {
	if !c.Exists {
		return "missing"
	}
	return daysText(c.Age) + ", " + strings.ReplaceAll(c.UpdatedAt.UTC().Format("2 Jan 2006"), " ", "&nbsp;")
}

// readers says who may read a secret of a check: the visibility, or the repositories if their list was read.
func (r *Reporter) readers(e entry) string {
	if !e.Check.Listed {
		return r.html(string(e.Access.Visibility))
	}
	text := firstOf(repositoryNames(e.Result), maxCellNames, r.code)
	switch {
	case e.Hidden > 0:
		text += fmt.Sprintf(" and %s that this token cannot see", secret.FormatCount(e.Hidden))
		text = strings.TrimPrefix(text, " and ")
	case text == "":
		text = "<b>none</b>"
	}
	return text
}

// addReaders adds a table of the repositories of a review with the secrets that select them, most first.
func (r *Reporter) addReaders(p *page, d document) {
	readers := map[string][]entry{} // by repository
	for _, e := range d.entries {
		if e.Check == nil || !e.Check.Listed {
			continue
		}
		for _, repo := range e.Access.Repositories {
			readers[repo.FullName] = append(readers[repo.FullName], e)
		}
	}
	names := slices.Sorted(maps.Keys(readers))
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(len(readers[b]), len(readers[a])) })
	var rows []string
	for _, name := range names {
		number := secret.FormatCount(len(readers[name]))
		rows = append(rows, tableRow(r.code(name), number, r.list(d, readers[name], maxCellNames)))
	}
	title := "By repository: " + secret.Count(len(rows), "repository")
	p.table(title, []string{"Repository", "Secrets", "Selected by"}, rows)
}

// addLinks adds links to the pages on which an organization's owners see its secrets. GitHub has none for agents.
func (r *Reporter) addLinks(p *page, d document) {
	var links []string
	for _, store := range []secret.Store{secret.Actions, secret.Dependabot, secret.Codespaces} {
		isUsed := func(e entry) bool { return e.Store == store }
		if d.APIURL != "" && slices.ContainsFunc(d.entries, isUsed) {
			page := "https://" + hostname(d.Run) + "/organizations/" + url.PathEscape(d.Org) + "/settings/secrets/"
			links = append(links, fmt.Sprintf(`<a href="%s%s">Open the %s secrets of %s</a>`,
				r.html(page), store, store, r.html(d.Org)))
		}
	}
	if len(links) > 0 {
		p.add("<p>" + strings.Join(links, " · ") + "</p>")
	}
}

// byAge sorts entries of a check: missing secrets first, and then the oldest.
func byAge(entries []entry) []entry {
	sorted := slices.Clone(entries)
	age := func(e entry) time.Duration {
		if !e.Check.Exists {
			return math.MaxInt64
		}
		return e.Check.Age
	}
	slices.SortStableFunc(sorted, func(a, b entry) int { return cmp.Compare(age(b), age(a)) })
	return sorted
}
