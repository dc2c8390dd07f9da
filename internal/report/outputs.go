package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/sethvargo/go-githubactions"

	"set-org-secret/internal/secret"
)

// maxOutputUnits is how long the outputs may be, in UTF-16 code units: GitHub limits the outputs of a job to 1 MB of
// UTF-16, and other steps have some too.
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

	AddedIDs      []int64   `json:"added_repository_ids,omitzero"` // nil if the run does not add
	RemovedIDs    []int64   `json:"removed_repository_ids,omitzero"`
	SelectedIDs   []int64   `json:"selected_repository_ids,omitzero"` // nil if the list was not read
	SelectedNames *[]string `json:"selected_repositories,omitempty"`
	Hidden        *int      `json:"hidden_repositories,omitempty"`

	publicKey string // an output of its own, left out of results
}

// newRow returns the row of a result, with its error as one printable line.
func (r *Reporter) newRow(result secret.Result) row {
	out := row{
		Store: string(result.Store), SecretName: string(result.Name), Operation: string(result.Operation),
		KeyID: result.KeyID, EncryptedValue: result.EncryptedValue, publicKey: result.PublicKey,
	}
	if result.Operation != secret.Failed && result.Operation != secret.Unknown {
		out.Visibility = string(result.Access.Visibility)
	}
	if result.Err != nil {
		err := asError(result.Err)
		text := err.Error()
		if err.RequestID != "" {
			text += " (request id " + err.RequestID + ")"
		}
		out.Error = r.sanitizeLine(text)
	}
	out.AddedIDs, out.RemovedIDs = result.Added, result.Removed
	if c := result.Check; c != nil {
		if c.Listed {
			out.SelectedIDs, out.Hidden = result.Access.IDs(), &result.Hidden
			names := []string{}
			for _, repo := range result.Access.Repositories {
				names = append(names, repo.FullName)
			}
			slices.Sort(names)
			out.SelectedNames = &names
		}
		out.Exists, out.Due = &c.Exists, &c.Due
		if c.Exists {
			age := days(c.Age)
			out.AgeDays, out.UpdatedAt = &age, c.UpdatedAt.UTC().Format(time.RFC3339)
		}
	}
	return out
}

// outputs returns the step's outputs: results, and each value that all rows share. It sets where the sealed value of
// each entry is saved.
func (r *Reporter) outputs(run Run, entries []*entry) (outputs []Output) {
	failed, unknown, anyDue := len(run.Refused) > 0, false, false
	rows := make([]row, len(entries))
	for i, e := range entries {
		rows[i] = r.newRow(e.Result)
		failed = failed || e.Operation == secret.Failed
		unknown = unknown || e.Operation == secret.Unknown
		anyDue = anyDue || e.Check != nil && e.Check.Due
	}
	set := func(name, value string) {
		if value != "" {
			outputs = append(outputs, Output{name, value})
		}
	}
	setShared := func(name string, value func(row) string) {
		if len(rows) > 0 && !slices.ContainsFunc(rows, func(row row) bool { return value(row) != value(rows[0]) }) {
			set(name, value(rows[0]))
		}
	}
	switch {
	case failed:
		set("operation", string(secret.Failed))
	case unknown:
		set("operation", string(secret.Unknown))
	default:
		setShared("operation", func(row row) string { return row.Operation })
	}
	setShared("secret_name", func(row row) string { return row.SecretName })
	setShared("visibility", func(row row) string { return row.Visibility })
	setShared("key_id", func(row row) string { return row.KeyID })
	setShared("public_key", func(row row) string { return row.publicKey })
	setShared("encrypted_value", func(row row) string { return row.EncryptedValue })
	setShared("exists", func(row row) string { return formatOptional(row.Exists) })
	setShared("updated_at", func(row row) string { return row.UpdatedAt })
	setShared("age_days", func(row row) string { return formatOptional(row.AgeDays) })

	// After a lookup failed it is not known that nothing is due.
	if run.Mode == secret.ModeCheck && (anyDue || !failed) {
		set("due", strconv.FormatBool(anyDue))
	}
	used := 0
	for _, o := range outputs {
		used += utf16Len(o.Name) + utf16Len(o.Value)
	}
	set("results", fitToBudget(rows, entries, maxOutputUnits-used))
	return outputs
}

func formatOptional[T any](value *T) string {
	if value == nil {
		return ""
	}
	return fmt.Sprint(*value)
}

// fitToBudget returns rows as JSON of at most budget UTF-16 code units. Sealed values are included in input order as
// long as they fit, and each entry notes whether its value is. If the rows do not fit even without sealed values, it
// leaves rows out, which each entry notes too, until the others fit with them.
func fitToBudget(rows []row, entries []*entry, budget int) string {
	bare := slices.Clone(rows)
	for i := range bare {
		bare[i].EncryptedValue = ""
	}
	size := utf16Len(encode(bare))
	if size > budget {
		// Thousands of rows with an error each: the summary has the whole text.
		for i := range bare {
			bare[i].Error = cut(bare[i].Error, 40)
		}
		size = utf16Len(encode(bare))
	}
	if size > budget {
		for i := range bare {
			bare[i].EncryptedValue = rows[i].EncryptedValue
		}
		return leaveOut(bare, entries, budget)
	}
	budget -= size
	for i, row := range rows {
		if row.EncryptedValue == "" {
			continue
		}
		place := nowhere
		if budget -= len(row.EncryptedValue) + len(`,"encrypted_value":""`); budget >= 0 {
			bare[i].EncryptedValue, place = row.EncryptedValue, inOutputs
		}
		if entries[i].storableLater() {
			entries[i].saved = place
		}
	}
	return encode(bare)
}

// leaveOut returns rows as JSON of at most budget UTF-16 code units. It leaves out the least useful rows, of those the
// last ones first. The other rows keep their sealed values: a value that is not saved has to be rotated again, while
// the log has every row.
func leaveOut(rows []row, entries []*entry, budget int) string {
	const brackets, comma = 2, 1
	size := brackets - comma
	sizes := make([]int, len(rows))
	for i := range rows {
		sizes[i] = utf16Len(encode(rows[i:i+1])) - brackets + comma
		size += sizes[i]
	}
	leastUseful := func(a, b int) int { return cmp.Or(cmp.Compare(entries[a].use(), entries[b].use()), b-a) }
	for _, i := range secret.SortedIndices(len(rows), leastUseful) {
		if size <= budget {
			break
		}
		size -= sizes[i]
		entries[i].leftOut = true
	}
	var left []row
	for i, row := range rows {
		if !entries[i].leftOut {
			left = append(left, row)
		}
		switch {
		case !entries[i].storableLater():
		case entries[i].leftOut:
			entries[i].saved = nowhere
		default:
			entries[i].saved = inOutputs
		}
	}
	return encode(left)
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

// utf16Len returns how many UTF-16 code units s has, the unit of GitHub's limit.
func utf16Len(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// write appends the outputs to GITHUB_OUTPUT. Outside Actions it logs them.
func (r *Reporter) write(outputs []Output) error {
	var b strings.Builder
	for _, o := range outputs {
		if r.actions && r.masks.MatchesAny(o.Value) {
			r.Warn(fmt.Sprintf("the output %s contains text that is masked as a secret; "+
				"the runner does not pass it to other jobs", o.Name))
		}
		// githubactions.SetOutput has a fixed delimiter, which a value could contain.
		fmt.Fprintf(&b, "%s<<%s\n%s\n%s\n", o.Name, r.delimiter, o.Value, r.delimiter)
		if !r.actions {
			r.Line(o.Name + "=" + o.Value)
		}
	}
	if r.getenv("GITHUB_OUTPUT") == "" {
		return nil
	}
	return r.appendTo("output", strings.TrimSuffix(b.String(), "\n"))
}

// appendTo appends text to a command file of the runner.
func (r *Reporter) appendTo(file, text string) (err error) {
	defer func() {
		if p := recover(); p != nil { // githubactions panics if it cannot write
			err = fmt.Errorf("the %s file is not writable: %v", file, p)
		}
	}()
	r.gha.IssueFileCommand(&githubactions.Command{Name: file, Message: text})
	return nil
}
