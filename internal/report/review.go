package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"set-org-secret/internal/secret"
)

// namedInReview is how many names a line of the review lists before it counts the others.
const namedInReview = 10

// addReview adds who may read the secrets of a check that read their lists: first those that every repository may read,
// or none, then each repository with how many secrets it can read, most first, and each secret with its repositories.
func (r *Reporter) addReview(body *limitedText, results []secret.Result) {
	var everyone, private, nobody []string
	var selected []secret.Result
	readers := map[string][]string{} // secrets by repository
	inStores := severalStores(results)
	for _, result := range results {
		name := r.secretCell(result, inStores)
		switch {
		case result.Check == nil || !result.Check.Exists:
		case result.Access.Visibility == secret.All:
			everyone = append(everyone, name)
		case result.Access.Visibility == secret.Private:
			private = append(private, name)
		case result.Check.Listed:
			selected = append(selected, result)
			if len(result.Access.Repositories) == 0 && result.Hidden == 0 {
				nobody = append(nobody, name)
			}
			for _, repo := range result.Access.Repositories {
				readers[repo.FullName] = append(readers[repo.FullName], name)
			}
		}
	}
	if len(everyone)+len(private)+len(selected) == 0 {
		return
	}
	body.add("#### Who may read what\n\n")
	for _, line := range []struct {
		who   string
		names []string
	}{
		{"⚠️ **Every repository, public ones included,**", everyone},
		{"**Every private and internal repository**", private},
		{"**No repository**", nobody},
	} {
		if len(line.names) > 0 {
			secrets := count(len(line.names), "secret")
			body.add(fmt.Sprintf("%s may read %s: %s\n\n", line.who, secrets, firstNames(line.names)))
		}
	}
	r.addReaders(body, readers)
	r.addSelections(body, selected, inStores)
}

// addReaders adds a table of repositories.
func (r *Reporter) addReaders(body *limitedText, readers map[string][]string) {
	names := slices.Sorted(maps.Keys(readers))
	mostFirst := func(a, b int) int { return cmp.Compare(len(readers[names[b]]), len(readers[names[a]])) }
	var rows []string
	for _, i := range secret.SortedIndices(len(names), mostFirst) {
		name := names[i]
		rows = append(rows, fmt.Sprintf("| %s | %s | %s |\n",
			r.nameCell(name), secret.FormatCount(len(readers[name])), firstNames(readers[name])))
	}
	const header = "| Repository | Secrets | Selected by |\n| --- | ---: | --- |\n"
	addFolded(body, "Repositories", header, rows)
}

// addSelections adds a table of secrets whose visibility is selected.
func (r *Reporter) addSelections(body *limitedText, selected []secret.Result, inStores bool) {
	var rows []string
	for _, result := range selected {
		var names []string
		for _, repo := range result.Access.Repositories {
			names = append(names, repo.FullName)
		}
		slices.Sort(names)
		for i, name := range names {
			names[i] = r.nameCell(name)
		}
		text := firstNames(names)
		switch {
		case result.Hidden > 0:
			text = strings.TrimPrefix(fmt.Sprintf("%s and %s that this token cannot see",
				text, count(result.Hidden, "repository")), " and ")
		case len(names) == 0:
			text = "**none**"
		}
		rows = append(rows, fmt.Sprintf("| %s | %s |\n", r.secretCell(result, inStores), text))
	}
	const header = "| Secret | Selected repositories |\n| --- | --- |\n"
	addFolded(body, "Secrets with a list", header, rows)
}

// addFolded adds a table whose rows after the first foldRows are folded.
func addFolded(body *limitedText, title, header string, rows []string) {
	if len(rows) == 0 {
		return
	}
	shown := min(len(rows), foldRows)
	body.add(header + strings.Join(rows[:shown], "") + "\n")
	if rest := rows[shown:]; len(rest) > 0 {
		body.add(fmt.Sprintf("<details><summary>%s: %s more</summary>\n\n%s%s\n</details>\n\n",
			title, secret.FormatCount(len(rest)), header, strings.Join(rest, "")))
	}
}

// firstNames joins the first names and counts the others.
func firstNames(names []string) string {
	if len(names) <= namedInReview {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %s more", strings.Join(names[:namedInReview], ", "),
		secret.FormatCount(len(names)-namedInReview))
}
