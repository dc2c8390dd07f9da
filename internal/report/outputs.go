package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/sethvargo/go-githubactions"

	"set-org-secret/internal/secret"
)

// maxOutputUnits keeps below the 1 MB of outputs that GitHub takes of a job,
// counted as UTF-16, with room for the outputs of other steps.
//
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idoutputs
const maxOutputUnits = 500_000

// OutputNames lists every output that a run may write.
var OutputNames = []string{
	"operation", "secret_name", "visibility", "key_id", "public_key", "encrypted_value",
	"exists", "updated_at", "age_days", "due", "results",
}

// Output is one output of the step.
type Output struct{ Name, Value string }

// row is one row of the output results.
type row struct {
	Store          string `json:"store"`
	SecretName     string `json:"secret_name"`
	Operation      string `json:"operation"`
	Visibility     string `json:"visibility"`
	KeyID          string `json:"key_id"`
	EncryptedValue string `json:"encrypted_value,omitempty"`
	Error          string `json:"error,omitempty"`
	Exists         *bool  `json:"exists,omitempty"`
	UpdatedAt      string `json:"updated_at,omitempty"`
	AgeDays        *int   `json:"age_days,omitempty"`
	Due            *bool  `json:"due,omitempty"`
}

func (r *Reporter) row(o secret.Result) row {
	out := row{
		Store: string(o.Store), SecretName: string(o.Name), Operation: string(o.Operation),
		KeyID: o.KeyID, EncryptedValue: o.EncryptedValue,
	}
	if o.Operation != secret.Failed && o.Operation != secret.Unknown {
		out.Visibility = string(o.Access.Visibility)
	}
	if o.Err != nil {
		out.Error = r.line(full(o.Err))
	}
	if a := o.Check; a != nil {
		out.Exists, out.Due = &a.Exists, &a.Due
		if a.Exists {
			days := Days(a.Age)
			out.AgeDays, out.UpdatedAt = &days, a.UpdatedAt.UTC().Format(time.RFC3339)
		}
	}
	return out
}

// Days is a duration in whole days of 24 hours.
func Days(d time.Duration) int { return int(d / (24 * time.Hour)) }

// outputs makes the step's outputs. Sealed values are kept in input order as
// long as they fit; left are the outcomes whose value did not.
func (r *Reporter) outputs(run Run) (outputs []Output, left []secret.Result) {
	outcomes, failed := run.Outcomes, len(run.Refused) > 0
	rows := make([]row, len(outcomes))
	for i, o := range outcomes {
		rows[i] = r.row(o)
	}
	set := func(name, value string) {
		if value != "" {
			outputs = append(outputs, Output{name, value})
		}
	}
	agree := func(name string, of func(row) string) {
		if len(rows) == 0 {
			return
		}
		first := of(rows[0])
		for _, row := range rows[1:] {
			if of(row) != first {
				return
			}
		}
		set(name, first)
	}

	anyDue := false
	for _, row := range rows {
		failed = failed || row.Operation == string(secret.Failed)
		anyDue = anyDue || row.Due != nil && *row.Due
	}
	if failed {
		set("operation", string(secret.Failed))
	} else {
		agree("operation", func(row row) string { return row.Operation })
	}
	agree("secret_name", func(row row) string { return row.SecretName })
	agree("visibility", func(row row) string { return row.Visibility })
	agree("key_id", func(row row) string { return row.KeyID })
	i := 0
	agree("public_key", func(row) string { i++; return outcomes[i-1].PublicKey })
	agree("encrypted_value", func(row row) string { return row.EncryptedValue })
	agree("exists", func(row row) string { return boolText(row.Exists) })
	agree("updated_at", func(row row) string { return row.UpdatedAt })
	agree("age_days", func(row row) string {
		if row.AgeDays == nil {
			return ""
		}
		return strconv.Itoa(*row.AgeDays)
	})

	// A look that failed does not say that nothing is due.
	if run.Mode == "check" && (anyDue || !failed) {
		set("due", strconv.FormatBool(anyDue))
	}

	used := 0
	for _, o := range outputs {
		used += units(o.Name) + units(o.Value)
	}
	results, left := fit(rows, outcomes, maxOutputUnits-used)
	set("results", results)
	return outputs, left
}

func boolText(b *bool) string {
	if b == nil {
		return ""
	}
	return strconv.FormatBool(*b)
}

// fit writes rows as JSON in at most budget UTF-16 units.
func fit(rows []row, outcomes []secret.Result, budget int) (results string, left []secret.Result) {
	full := encode(rows)
	if units(full) <= budget {
		return full, nil
	}
	bare := append([]row(nil), rows...)
	for i := range bare {
		bare[i].EncryptedValue = ""
	}
	if used := units(encode(bare)); used > budget {
		// Thousands of rows with an error each: the summary has the long text.
		for i := range bare {
			if text := []rune(bare[i].Error); len(text) > 40 {
				bare[i].Error = string(text[:40]) + "…"
			}
		}
	}
	budget -= units(encode(bare))
	for i, row := range rows {
		if row.EncryptedValue == "" {
			continue
		}
		budget -= len(row.EncryptedValue) + len(`,"encrypted_value":""`)
		if budget < 0 {
			left = append(left, outcomes[i])
			continue
		}
		bare[i].EncryptedValue = row.EncryptedValue
	}
	return encode(bare), left
}

func encode(rows []row) string {
	if len(rows) == 0 {
		return "[]"
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(rows) // strings, numbers and booleans always encode
	return strings.TrimSuffix(b.String(), "\n")
}

// units counts as GitHub does.
func units(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// write appends the outputs to GITHUB_OUTPUT, and prints them where no workflow
// would read them.
func (r *Reporter) write(outputs []Output) error {
	var b strings.Builder
	for _, o := range outputs {
		if r.actions && r.masks.MatchesAny(o.Value) {
			r.Warn(fmt.Sprintf("the output %s holds text that is masked as a secret: the runner leaves it out of job outputs", o.Name))
		}
		// githubactions.SetOutput has a fixed delimiter, which a value could hold.
		fmt.Fprintf(&b, "%s<<%s\n%s\n%s\n", o.Name, r.delim, o.Value, r.delim)
		if !r.actions {
			r.Line(o.Name + "=" + o.Value)
		}
	}
	if r.getenv("GITHUB_OUTPUT") == "" {
		return nil
	}
	return r.file("output", strings.TrimSuffix(b.String(), "\n"))
}

// file appends to a command file. githubactions panics where it can't.
func (r *Reporter) file(name, text string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the %s file can't be written: %v", name, p)
		}
	}()
	r.gha.IssueFileCommand(&githubactions.Command{Name: name, Message: text})
	return nil
}
