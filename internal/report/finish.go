package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"set-org-secret/internal/secret"
)

// Run is what is to be told of a run at its end.
type Run struct {
	Mode     string
	Org      string
	APIURL   string // for the command that finishes by hand
	Outcomes []secret.Result
	// Refused says why, where the run ended before there were outcomes to tell.
	Refused  []string
	MaxAge   time.Duration
	Requests int
	Took     time.Duration
	DryRun   bool
}

// Finish writes outputs, summary and annotations. It reports whether all that
// was asked for has been done and told.
func (r *Reporter) Finish(run Run) bool {
	outputs, left := r.outputs(run)
	ok := len(run.Refused) == 0
	for _, o := range run.Outcomes {
		ok = ok && o.Operation != secret.Failed && o.Operation != secret.Unknown && o.Err == nil
	}
	if err := r.write(outputs); err != nil {
		r.annotate("error", err.Error())
		ok = false
	}
	lost, err := r.summary(run, left)
	if err != nil {
		r.annotate("error", err.Error())
		ok = false
	}
	ok = r.overflow(run, left, lost) && ok
	r.failures(run, left, lost)
	r.Line(closing(run))
	return ok
}

// overflow names the sealed values that the outputs have no room for: left are
// those, lost the ones among them that the summary has no room for either.
func (r *Reporter) overflow(run Run, left, lost []secret.Result) (ok bool) {
	if len(left) == 0 {
		return true
	}
	for _, o := range left {
		where := "in the job summary alone"
		if has(lost, o) {
			where = "nowhere"
		}
		r.Line(fmt.Sprintf("%s: its sealed value is kept %s", heading(o), where))
	}
	fact := fmt.Sprintf("the outputs hold at most 1 MB: %s not among them, each named in the log", count(len(left), "sealed value")+areOrIs(len(left)))
	switch {
	case run.Mode == "seal":
		r.annotate("error", fact, "Seal in several steps, with fewer secrets each.")
	case len(lost) > 0:
		r.annotate("error", fact, fmt.Sprintf("The job summary has no room for %s of them either: hand these over again from where they were made.", number(len(lost))))
	default:
		r.Warn(fact + ", all in the job summary")
		return true
	}
	return false
}

func areOrIs(n int) string {
	if n == 1 {
		return " is"
	}
	return " are"
}

func has(list []secret.Result, o secret.Result) bool {
	return slices.ContainsFunc(list, func(l secret.Result) bool { return l.Name == o.Name && l.Store == o.Store })
}

// Row tells one outcome in the log, as it comes. width is the longest name's.
func (r *Reporter) Row(o secret.Result, width int) {
	text := fmt.Sprintf("%-*s  %-10s  %-12s", min(max(width, 8), 40), o.Name, o.Store, o.Operation)
	switch {
	case o.Err != nil:
		text += "  " + r.reason(o)
	case o.Check != nil:
		text += "  " + ageText(*o.Check)
	case o.Operation == secret.SealedOnly:
		text += "  to key " + o.KeyID
	default:
		text += "  " + accessText(o)
	}
	r.Line(strings.TrimRight(text, " "))
	for _, line := range changeLines(o.Change) {
		if o.Err == nil {
			r.Line("  " + line)
		}
	}
}

func ageText(a secret.Check) string {
	text := "missing"
	if a.Exists {
		text = "less than a day"
		if days := Days(a.Age); days > 0 {
			text = count(days, "day")
		}
		text += " old, of " + a.UpdatedAt.UTC().Format(time.DateOnly)
	}
	if a.Due {
		text += ", due"
	}
	return text
}

// accessText says who may read a secret now, and that this is as before.
func accessText(o secret.Result) string {
	text := string(o.Access.Visibility)
	if o.Access.Visibility == secret.Selected {
		text += ", " + count(len(o.Access.IDs()), "repository")
	}
	c := o.Change
	switch {
	case c.From == "":
	case c.From != c.To:
		text += fmt.Sprintf(" (was %s)", c.From)
	case !c.Any():
		text += " as before"
	}
	return text
}

// changeLines tells who gains and who loses access to a secret that stood. A
// long list is cut: it stands whole in the organization's settings.
func changeLines(c secret.Change) []string {
	if c.From == "" {
		return nil
	}
	const most = 100
	var lines []string
	for _, side := range []struct {
		sign string
		list []secret.Repository
	}{{"+", c.Added}, {"−", c.Removed}} {
		for i, repo := range side.list {
			if i == most {
				lines = append(lines, fmt.Sprintf("%s and %s more", side.sign, number(len(side.list)-i)))
				break
			}
			lines = append(lines, side.sign+" "+cmp.Or(repo.FullName, fmt.Sprintf("repository %d", repo.ID)))
		}
	}
	if c.Hidden > 0 {
		lines = append(lines, "− "+count(c.Hidden, "repository")+" that this token can't see")
	}
	return lines
}

// Progress tells how far a long run has come.
func (r *Reporter) Progress(done, total int, left time.Duration) {
	about := count(int(left.Round(time.Minute)/time.Minute), "minute")
	if left < time.Minute {
		about = count(int(left.Round(time.Second)/time.Second), "second")
	}
	r.Line(fmt.Sprintf("%s of %s done, pace 80 a minute, about %s left", number(done), number(total), about))
}

// tally counts what became of the outcomes.
type tally struct {
	stored, failed, unknown, due, missing int
	secrets                               int            // names, whatever their stores
	stores                                []secret.Store // where anything is stored
}

func tallyOf(outcomes []secret.Result) tally {
	var t tally
	names := map[secret.Name]bool{}
	for _, o := range outcomes {
		switch o.Operation {
		case secret.Failed:
			t.failed++
		case secret.Unknown:
			t.unknown++
		default:
			t.stored++
			names[o.Name] = true
			if !slices.Contains(t.stores, o.Store) {
				t.stores = append(t.stores, o.Store)
			}
		}
		if o.Check != nil && o.Check.Due {
			t.due++
		}
		if o.Check != nil && !o.Check.Exists {
			t.missing++
		}
	}
	t.secrets = len(names)
	return t
}

// done says in a few words what the run as a whole came to.
func done(run Run) string {
	t := tallyOf(run.Outcomes)
	in := ""
	if len(t.stores) > 1 {
		in = " in " + count(len(t.stores), "store")
	}
	var text string
	switch {
	case len(run.Refused) > 0:
		return "nothing was sent to GitHub"
	case run.Mode == "check":
		text = count(t.stored, "secret") + " checked" + in
		if t.due > 0 {
			text += fmt.Sprintf(", %s due", number(t.due))
		}
	case run.Mode == "seal":
		text = count(t.secrets, "value") + " sealed"
		if in != "" {
			text += " for" + strings.TrimPrefix(in, " in")
		}
	case run.DryRun:
		text = count(t.secrets, "secret") + " would be stored" + in
		if run.Mode == "access" {
			text = "access to " + count(t.secrets, "secret") + " would be replaced" + in
		}
	case run.Mode == "access":
		text = "access to " + count(t.secrets, "secret") + " replaced" + in
	default:
		text = count(t.secrets, "secret") + " stored" + in
	}
	if t.failed > 0 {
		text += fmt.Sprintf(", %s failed", number(t.failed))
	}
	if t.unknown > 0 {
		text += fmt.Sprintf(", %s of unknown fate", number(t.unknown))
	}
	return text
}

// closing is the last line of the log.
func closing(run Run) string {
	text := done(run)
	text = strings.ToUpper(text[:1]) + text[1:]
	if len(run.Refused) > 0 {
		return text + "."
	}
	text += fmt.Sprintf(": %s, %.1f s.", count(run.Requests, "request"), run.Took.Seconds())
	if run.Mode != "set" && run.Mode != "seal" || run.DryRun {
		return text
	}
	var keys []string
	for _, o := range run.Outcomes {
		key := fmt.Sprintf("%s (%s)", o.KeyID, o.Store)
		if o.KeyID != "" && o.Err == nil && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	switch {
	case len(keys) == 1:
		text += " Sealed to key " + keys[0] + "."
	case len(keys) > 1 && len(keys) <= 8:
		text += " Sealed to keys " + strings.Join(keys, ", ") + "."
	}
	return text
}
