package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"set-org-secret/internal/secret"
)

// The script is passed to bash, so that it can be pasted into any shell: a failure does not close that shell, and a
// comment is no command in it. It goes on after a secret that fails, since each is a write of its own, and then names
// it.
const (
	scriptStart = "```bash\nbash <<'SCRIPT'\nfailed=\n"
	scriptEnd   = `[ -z "$failed" ] && echo 'All of them are stored.' || { echo "Not stored:$failed" >&2; exit 1; }` +
		"\nSCRIPT\n```\n\n</details>\n\n"
	scriptBytes = 1500 // room for all that is said about it
)

// addScript adds where the sealed values are saved and one folded script that stores them. Those that are not in the
// outputs come first, as long as budget bytes last; the script has them in input order.
func (r *Reporter) addScript(body *limitedText, run Run, entries []*entry, budget int) {
	commands := map[*entry]string{}
	budget -= scriptBytes + len(scriptStart) + len(scriptEnd)
	for _, first := range []bool{true, false} {
		for _, e := range entries {
			if (e.saved == nowhere) != first || e.saved == notNeeded {
				continue
			}
			if !inScript(run, e) {
				e.noCommand = true
				continue
			}
			command := manualCommand(run, e.Result)
			if len(command) > budget {
				e.noCommand = true
				continue
			}
			budget -= len(command)
			commands[e] = command
			if first {
				e.saved = inSummary
			}
		}
	}
	note := savedNote(run, entries)
	if len(commands) == 0 {
		body.add(note)
		return
	}
	var script strings.Builder
	withheld := 0
	for _, e := range entries {
		script.WriteString(commands[e])
		if commands[e] != "" && e.Access.Visibility == "" {
			withheld++
		}
	}
	body.add(note + scriptHead(run, len(commands), withheld) + scriptStart + script.String() + scriptEnd)
}

// inScript reports whether a sealed value belongs in the script. A dry run may have been given any value. Names are
// checked long before; here it matters that none of them can add a command.
func inScript(run Run, e *entry) bool {
	unsafe := func(c rune) bool { return !isAlphanumeric(c) && !strings.ContainsRune("_-.:", c) }
	return run.Mode == secret.ModeSet && !run.DryRun && e.Err != nil && e.storableLater() &&
		!strings.ContainsFunc(hostname(run)+run.Org+string(e.Store)+string(e.Name), unsafe)
}

// scriptHead returns the title of the script and what to know before it is run. withheld is how many of its values it
// does not store.
func scriptHead(run Run, values, withheld int) string {
	title := "Script that stores the " + count(values, "sealed value")
	if values == 1 {
		title = "Script that stores the sealed value"
	}
	access := "The access is what this run would have written."
	switch withheld {
	case 0:
	case values:
		title += " after an edit"
		access = "Who may read the secret is not known: nothing is stored until you set `visibility` in the script."
	default:
		title += ", " + secret.FormatCount(withheld) + " of them after an edit"
		access = "The access is what this run would have written. Where a line says that it is not known, the secret " +
			"is not stored until you set `visibility` there."
	}
	return fmt.Sprintf("<details><summary>%s</summary>\n\n"+
		"Run it where `gh` is logged in to %s as an owner of the organization, with the scope `admin:org`. "+
		"The values are sealed: only GitHub can open them. %s "+
		"Do not run it if a later run has stored these secrets, or if who may read them has changed since. "+
		"A secret that fails does not stop the others; the last line names those that were not stored.\n\n",
		title, codeSpan(hostname(run)), access)
}

// hostname returns the host of the website, which gh has to be told: without it, gh uses the one that it is logged in
// to. That of a GitHub Enterprise Server is the API's, whose path is /api/v3.
func hostname(run Run) string {
	u, err := url.Parse(run.APIURL)
	if err != nil || u.Host == "" {
		return "github.com"
	}
	host := strings.ToLower(u.Host)
	if strings.HasPrefix(u.Path, "/api/") {
		return host
	}
	return strings.TrimPrefix(host, "api.")
}

// manualCommand returns the command that stores a sealed value. If the access is unknown, each of its lines is a
// comment: any guess could change who may read an existing secret.
func manualCommand(run Run, result secret.Result) string {
	body := struct {
		EncryptedValue string            `json:"encrypted_value"`
		KeyID          string            `json:"key_id"`
		Visibility     secret.Visibility `json:"visibility"`
		IDs            *[]int64          `json:"selected_repository_ids,omitempty"`
	}{EncryptedValue: result.EncryptedValue, KeyID: result.KeyID, Visibility: result.Access.Visibility}
	if body.Visibility == "" {
		body.Visibility = "all, private or selected" // not a visibility, so GitHub would refuse it too
	}
	if body.Visibility == secret.Selected {
		ids := result.Access.IDs()
		body.IDs = &ids
	}
	text, _ := json.Marshal(body)
	place := string(result.Store) + "/" + string(result.Name)
	failed := fmt.Sprintf("failed=\"$failed %s\"\n", place)
	lines := []string{
		fmt.Sprintf("gh api --silent --method PUT --hostname %s orgs/%s/%s/secrets/%s --input - <<'JSON' || ",
			hostname(run), run.Org, result.Store, result.Name) + failed,
		string(text) + "\n", "JSON\n",
	}
	if result.Access.Visibility != "" {
		return strings.Join(lines, "")
	}
	return fmt.Sprintf("## Who may read %s is not known. To store it, set visibility below (selected also needs\n"+
		"## selected_repository_ids), delete the line failed=, and the single # before gh, { and JSON.\n%s#%s",
		place, failed, strings.Join(lines, "#"))
}

// savedNote says where the sealed values of failures are, and what to do with them.
func savedNote(run Run, entries []*entry) string {
	if run.DryRun {
		return ""
	}
	places := []string{
		"in this step's outputs and in the script below", "only in this step's outputs", "only in the script below",
	}
	var numbers [3]int
	saved, lost := 0, 0
	for _, e := range entries {
		place := 0
		switch {
		case e.Err == nil || e.saved == notNeeded || errors.Is(e.Err, secret.ErrCannotOpen):
			continue
		case e.saved == nowhere:
			lost++
			continue
		case e.saved == inSummary:
			place = 2
		case e.noCommand:
			place = 1
		}
		numbers[place]++
		saved++
	}
	text := ""
	if saved > 0 {
		where := ": " + strings.TrimPrefix(others(numbers[:], places), ", ")
		for i, n := range numbers {
			if n == saved {
				where = " " + places[i]
			}
		}
		finish := "run the script, or pass the output `results` to another run as `sealed`"
		switch saved {
		case numbers[1]:
			finish = "pass the output `results` to another run as `sealed`"
		case numbers[2]:
			finish = "run the script"
		}
		values := "values are"
		if saved == 1 {
			values = "value is"
		}
		text = fmt.Sprintf("**The sealed %s saved**%s; you do not need to rotate again. To finish, %s.\n\n",
			values, where, finish)
	}
	if lost > 0 {
		are := "are"
		if lost == 1 {
			are = "is"
		}
		text += fmt.Sprintf("**%s %s saved nowhere** (size limits of outputs and summary; the log has the names). "+
			"Rotate these again, in smaller batches.\n\n", count(lost, "sealed value"), are)
	}
	return text
}
