package report

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"set-org-secret/internal/secret"
)

// The summary is HTML, as in actions/toolkit: the runner would not mask a text that is escaped for Markdown. No line
// of it is empty, because GitHub reads Markdown after an empty line.
// https://github.com/actions/toolkit/blob/main/packages/core/src/summary.ts

const (
	foldRows     = 25  // a longer table is folded
	maxNames     = 250 // characters of names that are listed; the other names are counted
	maxCellNames = 110 // the same in a cell
	noteBytes    = 300 // room for the note that counts the omitted items
)

// htmlBuffer is HTML of a limited size.
type htmlBuffer struct {
	strings.Builder
	left int
}

func (b *htmlBuffer) add(html string) {
	if len(html) < b.left {
		b.left -= len(html) + 1
		b.WriteString(html + "\n")
	}
}

// addList appends as many items as fit into room bytes, between start and end, and counts the others.
func (b *htmlBuffer) addList(room int, start string, items []string, end, noun string) {
	room = min(room, b.left) - len(start) - len(end) - noteBytes
	n := 0
	for n < len(items) && len(items[n]) < room {
		room -= len(items[n]) + 1
		n++
	}
	first, more := secret.FirstOf(items, n)
	if n > 0 {
		b.add(start + strings.Join(first, "\n") + end)
	}
	if more > 0 {
		b.add("<p>" + secret.Count(more, "more "+noun) + " (size limit of the summary; see the log)</p>")
	}
}

// addTable appends a table, folded if it has a title.
func (b *htmlBuffer) addTable(title string, header, rows []string) {
	start, end := "<table>\n<tr><th>"+strings.Join(header, "</th><th>")+"</th></tr>\n", "\n</table>"
	if title != "" {
		start, end = "<details><summary>"+title+"</summary>\n"+start, end+"\n</details>"
	}
	b.addList(b.left, start, rows, end, "row")
}

func tableRow(cells ...string) string {
	return "<tr><td>" + strings.Join(cells, "</td><td>") + "</td></tr>"
}

// codeBlock returns a block of code, unfolded, after a title and notes in HTML.
func codeBlock(title, notes, language, code string) string {
	return "<details open><summary><b>" + title + "</b></summary>\n" + notes +
		"<pre lang=\"" + language + "\"><code>" + escaper.Replace(code) + "</code></pre>\n</details>"
}

// summary returns the job summary: first the failures, and the script that stores their sealed values.
func (r *Reporter) summary(d document) string {
	b := &htmlBuffer{left: d.room.summary}
	b.add("<h3>" + d.sign + " " + r.html(d.title) + "</h3>")
	if len(d.Problems) > 0 {
		b.add("<p><b>" + todo + "</b>" + r.prose(d.problemsStep) + "</p>")
		item := func(problem string) string { return "<li>" + r.html(problem) + "</li>" }
		b.addList(b.left, "<ul>\n", convert(d.Problems, item), "\n</ul>", "problem")
	}
	failures := convert(d.failures, r.failureBlock)
	b.addList(int(float64(d.room.summary)*failureShare), "", failures, "", "failure")
	if text := script(d); text != "" {
		b.add(codeBlock("Script that stores the sealed values", r.scriptNotes(d), "bash", text))
	}
	if rows := d.manual[inRows]; len(rows) > 0 {
		title, text := "Rows to pass to <code>sealed</code>", "["+strings.Join(rows, ",\n")+"]"
		b.add(codeBlock(title, "", "json", text))
	}
	r.addChanges(b, d)
	var kinds, repositories []reader // of a review
	if d.ListRepositories {
		kinds, repositories = readersOf(d.entries)
	}
	r.addOpen(b, kinds)
	r.addResults(b, d)
	r.addReaders(b, repositories)
	r.addLinks(b, d)
	return strings.TrimSuffix(b.String(), "\n")
}

func labels(entries []*entry) []string {
	return convert(entries, func(e *entry) string { return e.label })
}

// listNames lists at least one name, and more names up to most characters in total. It counts the other names.
func listNames(names []string, most int, show func(name string) string) string {
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

func (r *Reporter) list(entries []*entry, most int) string {
	return listNames(labels(entries), most, r.code)
}

// failureBlock returns the HTML of a failure: the secrets, the fact, the reason, the next step, where the values are.
func (r *Reporter) failureBlock(f failure) string {
	names, saved := r.list(f.entries, maxNames), ""
	if f.saved != "" {
		saved = "<sub>" + r.html(f.saved) + "</sub>"
	}
	lines := []string{
		fmt.Sprintf("%s <b>%s</b>: %s", signs[f.entries[0].severity], names, r.html(f.fact)),
		r.html(f.cause), "<b>" + todo + "</b>" + r.prose(f.step), saved,
	}
	return "<p>" + join("<br>\n", lines...) + "</p>"
}

func (r *Reporter) scriptNotes(d document) string {
	last := "If GitHub returns 422, it has another key by now: the values have to be sealed again."
	isOutside := func(e *entry) bool { return e.place.has(hasValue) && !e.place.has(inScript) }
	if outside := filter(d.entries, isOutside); len(outside) > 0 {
		last = "It does not store " + r.list(outside, maxNames) + "; see above."
	}
	return "<ul>\n" +
		"<li>Do not run it if a later run has stored these secrets, or if who may read them has changed since.</li>\n" +
		"<li>Run it where <code>gh</code> is logged in to <code>" + r.html(hostname(d.Run)) + "</code> as an owner " +
		"of the organization, with the scope <code>admin:org</code>.</li>\n" +
		"<li>" + last + "</li>\n</ul>\n"
}

// addChanges adds the repositories that gain and lose access, once for all secrets with the same changes.
func (r *Reporter) addChanges(b *htmlBuffer, d document) {
	diff := func(e *entry) string {
		note := ""
		switch {
		case d.DryRun:
			note = " (dry run)"
		case e.Operation == secret.Unknown && len(e.Added)+len(e.Removed) == 0:
			note = " (not confirmed)"
		}
		lines := strings.Join(convert(changeLines(e.Result), r.html), "\n")
		return note + ":</p>\n<pre lang=\"diff\"><code>" + lines + "</code></pre>"
	}
	var blocks []string
	changed := filter(d.entries, func(e *entry) bool { return len(changeLines(e.Result)) > 0 })
	for _, group := range grouped(changed, diff) {
		blocks = append(blocks, "<p>Access changes for "+r.list(group, maxNames)+diff(group[0]))
	}
	b.addList(b.left, "", blocks, "", "change")
}

// addOpen adds the secrets of a review that every repository of a kind may read.
func (r *Reporter) addOpen(b *htmlBuffer, kinds []reader) {
	for _, kind := range kinds {
		if n := len(kind.open); n > 0 {
			list := r.list(kind.open, maxNames)
			b.add(fmt.Sprintf("<p><b>%s</b> may read %s: %s</p>", kind.name, secret.Count(n, "secret"), list))
		}
	}
}

// addResults adds a table of the secrets that did not fail. Secrets that are due come first and are never folded.
func (r *Reporter) addResults(b *htmlBuffer, d document) {
	entries := filter(d.entries, func(e *entry) bool { return e.Err == nil })
	header := []string{"Secret", "Result", "Who may read it"}
	result := func(e *entry) string { return e.Operation.Text() }
	readers := func(e *entry) string { return r.html(accessText(e.Result)) }
	switch d.Mode {
	case secret.ModeCheck:
		header[1], result, readers, entries = "Age, last updated", shortAge, r.readers, byAge(entries)
	case secret.ModeSeal:
		header = header[:2]
		if len(entries) > 0 && !d.severalStores { // each store has its own key
			b.add("<p>Sealed to key <code>" + r.html(entries[0].KeyID) + "</code></p>")
		}
	}
	var urgent, rest []string
	for _, e := range entries {
		cells := []string{r.code(e.label), result(e), readers(e)}[:len(header)]
		if e.severity == due {
			cells[0] = signs[due] + " " + cells[0]
			urgent = append(urgent, tableRow(cells...))
		} else {
			rest = append(rest, tableRow(cells...))
		}
	}
	title := ""
	if len(urgent)+len(rest) <= foldRows {
		urgent, rest = append(urgent, rest...), nil
	} else if title = signs[fine] + " " + secret.Count(len(rest), "secret"); d.Mode != secret.ModeAccess {
		title += " " + done(d.Run)
	}
	b.addTable("", header, urgent)
	b.addTable(title, header, rest)
}

// shortAge returns the age of a secret for a cell. Browsers would break a date at hyphens or spaces.
func shortAge(e *entry) string {
	if !e.Check.Exists {
		return missing
	}
	return secret.Count(days(e.Check.Age), "day") + ", " + e.Check.UpdatedAt.UTC().Format("2&nbsp;Jan&nbsp;2006")
}

// readers returns who may read a secret of a check: its visibility, or its repositories if their list was read.
func (r *Reporter) readers(e *entry) string {
	if !e.Check.Listed {
		return r.html(string(e.Access.Visibility))
	}
	names := listNames(repositoryNames(e.Result), maxCellNames, r.code)
	return cmp.Or(join(" and ", names, hiddenText(e.Hidden)), "<b>none</b>")
}

// addReaders adds a table of the repositories of a review, those that may read the most secrets first.
func (r *Reporter) addReaders(b *htmlBuffer, repositories []reader) {
	rows := convert(repositories, func(repo reader) string {
		number := secret.FormatCount(repo.count())
		return tableRow(r.code(repo.name), number, r.list(repo.selectedBy, maxCellNames))
	})
	title := "By repository: " + secret.Count(len(rows), "repository")
	b.addTable(title, []string{"Repository", "Secrets it may read", "Of these, for selected repositories only"}, rows)
}

// addLinks adds links to the settings of the organization's secrets. GitHub has no such page for agents.
func (r *Reporter) addLinks(b *htmlBuffer, d document) {
	var links []string
	for _, store := range []secret.Store{secret.Actions, secret.Dependabot, secret.Codespaces} {
		isUsed := func(e *entry) bool { return e.Store == store }
		if d.Requests > 0 && slices.ContainsFunc(d.entries, isUsed) {
			address := "https://" + hostname(d.Run) + "/organizations/" + url.PathEscape(d.Org) + "/settings/secrets/"
			links = append(links, fmt.Sprintf(`<a href="%s%s">Open the %s secrets of %s</a>`,
				r.html(address), store, store, r.html(d.Org)))
		}
	}
	if len(links) > 0 {
		b.add("<p>" + strings.Join(links, " · ") + "</p>")
	}
}

// byAge sorts entries of a check: missing secrets first, because their time is zero, and then the oldest.
func byAge(entries []*entry) []*entry {
	older := func(a, b *entry) int { return a.Check.UpdatedAt.Compare(b.Check.UpdatedAt) }
	return slices.SortedStableFunc(slices.Values(entries), older)
}
