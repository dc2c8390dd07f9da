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

	"set-org-secret/internal/mask"
	"set-org-secret/internal/secret"
)

type output struct{ name, value string }

type row struct {
	Store          string `json:"store"`
	SecretName     string `json:"secret_name"`
	Operation      string `json:"operation"`
	Visibility     string `json:"visibility"`
	KeyID          string `json:"key_id"`
	EncryptedValue string `json:"encrypted_value,omitempty"`
	PublicKey      string `json:"public_key,omitempty"` // only with EncryptedValue
	Error          string `json:"error,omitempty"`
	Exists         *bool  `json:"exists,omitempty"`
	UpdatedAt      string `json:"updated_at,omitempty"`
	AgeDays        *int   `json:"age_days,omitempty"`
	Due            *bool  `json:"due,omitempty"`

	AddedIDs      []int64  `json:"added_repository_ids,omitzero"` // nil if the run does not add
	RemovedIDs    []int64  `json:"removed_repository_ids,omitzero"`
	SelectedIDs   []int64  `json:"selected_repository_ids,omitzero"` // nil if the list was not read
	SelectedNames []string `json:"selected_repositories,omitzero"`
	Hidden        *int     `json:"hidden_repositories,omitempty"`
}

func newRow(result secret.Result) row {
	out := row{
		Store: string(result.Store), SecretName: string(result.Name), Operation: string(result.Operation),
		KeyID: result.KeyID, AddedIDs: result.Added, RemovedIDs: result.Removed,
	}
	if result.EncryptedValue != "" {
		out.EncryptedValue, out.PublicKey = result.EncryptedValue, result.PublicKey
	}
	if result.Operation != secret.Failed && result.Operation != secret.Unknown {
		out.Visibility = string(result.Access.Visibility)
	}
	if result.Err != nil {
		err := secret.AsError(result.Err)
		out.Error = err.Error()
		if err.RequestID != "" {
			out.Error += " (request id " + err.RequestID + ")"
		}
	}
	if c := result.Check; c != nil {
		if c.Listed {
			out.SelectedIDs, out.SelectedNames = result.Access.IDs(), repositoryNames(result)
			out.Hidden = &result.Hidden
		}
		out.Exists, out.Due = &c.Exists, &c.Due
		if c.Exists {
			out.AgeDays, out.UpdatedAt = new(days(c.Age)), c.UpdatedAt.UTC().Format(time.RFC3339)
		}
	}
	return out
}

func repositoryNames(result secret.Result) []string {
	names := convert(result.Access.Repositories, func(repo secret.Repository) string { return repo.FullName })
	slices.Sort(names)
	return names
}

// size returns how many UTF-16 code units a row adds to the output results.
func (r row) size() int { return mask.UTF16Len(encode([]row{r})) - len("[]") + len(",") }

func outputs(d document) []output { return append(sharedOutputs(d), output{"results", results(d)}) }

func results(d document) string {
	withRow := filter(d.entries, func(e *entry) bool { return e.hasRow })
	return encode(convert(withRow, func(e *entry) row { return e.row }))
}

// sharedOutputs returns all outputs except results. A value is an output if all rows share it.
func sharedOutputs(d document) []output {
	value := func(text func(*entry) string) string { return shared(d.entries, text, "") }
	worst := map[severity]secret.Operation{failed: secret.Failed, unknown: secret.Unknown}[d.worst()]
	all := []output{
		{"operation", cmp.Or(string(worst), value(func(e *entry) string { return e.row.Operation }))},
		{"secret_name", value(func(e *entry) string { return e.row.SecretName })},
		{"visibility", value(func(e *entry) string { return e.row.Visibility })},
		{"key_id", value(func(e *entry) string { return e.row.KeyID })},
		{"public_key", value(func(e *entry) string { return e.PublicKey })},
		{"encrypted_value", value(func(e *entry) string { return e.EncryptedValue })},
		{"exists", value(func(e *entry) string { return formatOptional(e.row.Exists) })},
		{"updated_at", value(func(e *entry) string { return e.row.UpdatedAt })},
		{"age_days", value(func(e *entry) string { return formatOptional(e.row.AgeDays) })},
		{"due", dueOutput(d)},
	}
	return filter(all, func(o output) bool { return o.value != "" })
}

// dueOutput returns whether any secret is due, or "" in other modes than check and if a failed read leaves that open.
func dueOutput(d document) string {
	anyDue := slices.ContainsFunc(d.entries, func(e *entry) bool { return e.severity == due })
	if d.Mode != secret.ModeCheck || !anyDue && d.worst() == failed {
		return ""
	}
	return strconv.FormatBool(anyDue)
}

func formatOptional[T any](value *T) string {
	if value == nil {
		return ""
	}
	return fmt.Sprint(*value)
}

func encode(rows []row) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(rows) // strings, numbers and booleans always encode
	return strings.TrimSuffix(b.String(), "\n")
}
