package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"set-org-secret/internal/secret"
)

// counts counts the results of a run: each secret in each store once.
type counts struct {
	total, done, unchanged, failed, unknown int
	withError                               int // done, and something is to be said about it
	older, missing                          int // of a check: due
	unread                                  []string
	names, stores                           int // distinct ones
	open                                    int // of a check: secrets that every repository may read
}

func countResults(run Run) counts {
	c := counts{total: len(run.Results)}
	names, stores := map[secret.Name]bool{}, map[secret.Store]bool{}
	for _, result := range run.Results {
		names[result.Name], stores[result.Store] = true, true
		switch {
		case result.Name == "" && run.Mode == secret.ModeCheck: // the list of a store
			c.total--
			c.unread = append(c.unread, string(result.Store))
		case result.Operation == secret.Failed:
			c.failed++
		case result.Operation == secret.Unknown:
			c.unknown++
		case result.Operation == secret.Unchanged:
			c.unchanged++
		default:
			c.done++
		}
		if result.Err != nil && result.Operation != secret.Failed && result.Operation != secret.Unknown {
			c.withError++
		}
		switch check := result.Check; {
		case check == nil:
		case !check.Exists:
			c.missing++
		case check.Due:
			c.older++
		}
		if result.Access.Visibility == secret.All {
			c.open++
		}
	}
	c.names, c.stores = len(names), len(stores)
	return c
}

// heading says in one line whose secrets they are and what the run did, after a sign for how it ended.
func heading(run Run) string {
	sign, text := outcome(run)
	if run.Org != "" && len(run.Refused) == 0 {
		text = run.Org + ": " + text
	}
	return sign + " " + text
}

// outcome says in a few words what the run did, "24 of 30 secrets stored, 5 failed, 1 unknown", and has a sign for
// how it ended. The log and the job summary say the same.
func outcome(run Run) (sign, text string) {
	if len(run.Refused) > 0 {
		return "❌", "Nothing was sent to GitHub"
	}
	c := countResults(run)
	sign = "✅"
	if run.Mode == secret.ModeCheck {
		sign, text = checkOutcome(run, c)
	} else {
		text = writeOutcome(run, c)
		switch {
		case c.failed+c.unknown == c.total && c.failed > 0:
			sign = "❌"
		case c.failed+c.unknown+c.withError > 0:
			sign = "⚠️"
		}
	}
	if run.DryRun {
		text += " (dry run, nothing was written)"
	}
	return sign, text
}

// writeOutcome is for all modes but check. If a secret that is in several stores failed in some of them, what is
// counted are the stores of each secret.
func writeOutcome(run Run, c counts) string {
	noun, in, verb := "secret", "in", verb(run)
	if run.Mode == secret.ModeSeal {
		noun, in = "value", "for"
	}
	done, unchanged := c.done, c.unchanged
	if run.Mode == secret.ModeAccess && done == 0 && unchanged == c.total {
		verb, done, unchanged = "unchanged", unchanged, 0
	}
	number, after := ofTotal(done, c.total, noun), ""
	if c.stores > 1 {
		where := fmt.Sprintf(" %s %s", in, count(c.stores, "store"))
		if done == c.total && c.names*c.stores == c.total {
			number, after = count(c.names, noun), where
		} else {
			number, _, _ = strings.Cut(number, " "+noun)
			after = fmt.Sprintf(" (%s%s)", count(c.names, noun), where)
		}
	}
	text := number + " " + verb + after
	if run.Mode == secret.ModeAccess {
		text = "access to " + text
	}
	return text + others([]int{unchanged, c.failed, c.unknown, c.withError},
		[]string{"unchanged", "failed", "unknown", "with an error"})
}

// verb is what a run that writes or seals did to the secrets that did not fail.
func verb(run Run) string {
	text := "stored"
	switch run.Mode {
	case secret.ModeSeal:
		text = "sealed"
	case secret.ModeAccess:
		text = "changed"
	}
	if run.DryRun {
		text = "would be " + text
	}
	return text
}

// checkOutcome says how many secrets are due, and why.
func checkOutcome(run Run, c counts) (sign, text string) {
	in := ""
	if c.stores > 1 {
		in = " in " + count(c.stores, "store")
	}
	are := func(n int) string {
		if n == 1 {
			return " is "
		}
		return " are "
	}
	checked := c.done
	sign = "🟢"
	switch {
	case c.older > 0:
		sign, text = "🔴", ofAll(c.older, c.total, "secret")+in+are(c.older)+"older than "+durationText(run.MaxAge)
		if c.missing > 0 {
			text += ", " + secret.FormatCount(c.missing) + are(c.missing) + "missing"
		}
	case c.missing > 0:
		sign, text = "🔴", ofAll(c.missing, c.total, "secret")+in+are(c.missing)+"missing"
	case checked > 0 && checked == c.total && run.MaxAge > 0:
		text = count(checked, "secret") + in + are(checked) + "within " + durationText(run.MaxAge)
	case c.total > 0:
		text = ofTotal(checked, c.total, "secret") + in + " checked"
	case len(c.unread) == 0:
		text = "there are no secrets"
	}
	if run.ListRepositories {
		text += others([]int{c.open}, []string{"open to every repository"})
	}
	text += others([]int{c.failed}, []string{"failed"})
	if len(c.unread) > 0 {
		text = strings.TrimPrefix(text+", the secrets of "+strings.Join(c.unread, " and ")+" could not be read", ", ")
	}
	if failed := c.failed + len(c.unread); failed > 0 && sign == "🟢" {
		sign = "⚠️"
		if checked == 0 {
			sign = "❌"
		}
	}
	return sign, text
}

// ofTotal returns "24 of 30 secrets", or "30 secrets" for all of them.
func ofTotal(n, total int, noun string) string {
	if n == total {
		return count(n, noun)
	}
	return ofAll(n, total, noun)
}

func ofAll(n, total int, noun string) string {
	return secret.FormatCount(n) + " of " + count(total, noun)
}

// others lists the numbers that are not 0: ", 5 failed, 1 unknown".
func others(numbers []int, what []string) (text string) {
	for i, n := range numbers {
		if n > 0 {
			text += fmt.Sprintf(", %s %s", secret.FormatCount(n), what[i])
		}
	}
	return text
}

// durationText returns a duration in days or hours, if it is a whole number of them.
func durationText(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d%day == 0:
		return count(int(d/day), "day")
	case d%time.Hour == 0:
		return count(int(d/time.Hour), "hour")
	}
	return secret.FormatDuration(d)
}

// severalStores reports whether a row has to name its store.
func severalStores(results []secret.Result) bool {
	isOther := func(result secret.Result) bool { return result.Store != results[0].Store }
	return slices.ContainsFunc(results, isOther)
}
