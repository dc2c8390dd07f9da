package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"set-org-secret/internal/secret"
)

// The script starts bash, so that it works when pasted into any shell. If the script fails, that shell stays open.
const (
	scriptStart = "bash <<'SCRIPT'\nfailed=\n"
	scriptEnd   = `[ -z "$failed" ] && echo 'All values of this script are stored.' ||
  { echo "Not stored:$failed" >&2; exit 1; }
SCRIPT`
)

func script(d document) string {
	commands := d.manual[inScript]
	if len(commands) == 0 {
		return ""
	}
	return scriptStart + strings.Join(commands, "") + scriptEnd
}

// command returns the command that stores a sealed value with the access that the run would have written. It returns ""
// if the access is unknown, if GitHub would refuse the request again, or if a name could add a command.
func command(run Run, result secret.Result) string {
	names := hostname(run) + run.Org + string(result.Store) + string(result.Name)
	if result.Access.Visibility == "" || errors.Is(result.Err, secret.ErrInputs) || !secret.HasOnly(names, "-.:") {
		return ""
	}
	body := struct {
		EncryptedValue string            `json:"encrypted_value"`
		KeyID          string            `json:"key_id"`
		Visibility     secret.Visibility `json:"visibility"`
		IDs            []int64           `json:"selected_repository_ids,omitzero"` // only with visibility selected
	}{EncryptedValue: result.EncryptedValue, KeyID: result.KeyID, Visibility: result.Access.Visibility}
	if body.Visibility == secret.Selected {
		body.IDs = result.Access.IDs()
	}
	text, _ := json.Marshal(body)
	return fmt.Sprintf("gh api --silent --method PUT --hostname %s \\\n  orgs/%s/%s/secrets/%s --input - "+
		"<<'JSON' || failed=\"$failed %s/%s\"\n%s\nJSON\n",
		hostname(run), run.Org, result.Store, result.Name, result.Store, result.Name, text)
}

// hostname returns the host of the website, for gh. An Enterprise Server has its API on the same host, under /api/v3.
func hostname(run Run) string {
	host := strings.ToLower(run.APIURL.Host)
	if strings.HasPrefix(run.APIURL.Path, "/api/") {
		return host
	}
	return strings.TrimPrefix(host, "api.")
}
