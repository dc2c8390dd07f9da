package fakegithub

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// World is what a Server starts with. It reads from JSON, so that a scenario or
// another process can describe one.
type World struct {
	Orgs   []Org   `json:"orgs"`
	Tokens []Token `json:"tokens,omitempty"` // none: any token is an owner's
	Faults []Fault `json:"faults,omitempty"`

	BasePath string `json:"base_path,omitempty"` // such as /api/v3
	// GHES leaves out the stores that a GitHub Enterprise Server lacks.
	GHES bool `json:"ghes,omitempty"`
	// NumericKeyIDs sends key ids as numbers, as old GHES do.
	NumericKeyIDs bool `json:"numeric_key_ids,omitempty"`
	// MaxWritesPerMinute refuses the write after that many to arrive in any
	// rolling 60 seconds; 0 refuses none.
	MaxWritesPerMinute int `json:"max_writes_per_minute,omitempty"`
	// HideRetryAfter leaves Retry-After out of such a refusal.
	HideRetryAfter bool `json:"hide_retry_after,omitempty"`
}

// Org is an organization.
type Org struct {
	Login        string       `json:"login"`
	Repositories []Repository `json:"repositories,omitempty"`
	// RepositoryCount adds repositories repo-0001, repo-0002, … with the ids
	// 10001, 10002, ….
	RepositoryCount int      `json:"repository_count,omitempty"`
	Secrets         []Secret `json:"secrets,omitempty"`
	// SecretCount adds secrets S0001, S0002, … to the actions store.
	SecretCount int `json:"secret_count,omitempty"`
}

// Repository is a repository of an organization.
type Repository struct {
	ID          int64  `json:"id"`
	Name        string `json:"name"`
	Private     bool   `json:"private,omitempty"`
	RenamedFrom string `json:"renamed_from,omitempty"`
	// MovedTo is the owner that the repository was transferred to.
	MovedTo string `json:"moved_to,omitempty"`
}

// Secret is an organization secret with its value opened.
type Secret struct {
	Store      string `json:"store"`
	Name       string `json:"name"`
	Value      string `json:"value"`
	Visibility string `json:"visibility"`
	// Repositories are the selected ones by name; null where there is no list.
	Repositories []string  `json:"repositories,omitempty"`
	CreatedAt    time.Time `json:"created_at,omitzero"`
	UpdatedAt    time.Time `json:"updated_at,omitzero"`
	KeyID        string    `json:"key_id,omitempty"`
}

// Token is a credential and what it may do.
type Token struct {
	Value string `json:"value"`
	Kind  string `json:"kind"` // classic, fine-grained, app or workflow
	// Scopes are a classic token's.
	Scopes []string `json:"scopes,omitempty"`
	// Permissions are a fine-grained token's or an App's, such as
	// organization_secrets: write.
	Permissions map[string]string `json:"permissions,omitempty"`
	// NotOwner is a classic token of somebody who owns no organization.
	NotOwner  bool      `json:"not_owner,omitempty"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	ValidFrom time.Time `json:"valid_from,omitzero"` // 401 before: replication
	// SSO is the address at which the token has to be authorized first.
	SSO string `json:"sso,omitempty"`
	// Outside is a token that can't see the organization at all.
	Outside bool `json:"outside,omitempty"`
	// Repositories that a fine-grained token or an App sees; null is all.
	Repositories []string `json:"repositories,omitempty"`
}

// Fault is one thing that goes wrong, in the order of the list: the first that
// matches a request and is not used up takes it.
type Fault struct {
	Method string `json:"method,omitempty"`
	// Path is matched against the end of the request's path; * stands for any
	// characters.
	Path  string `json:"path,omitempty"`
	After int    `json:"after,omitempty"` // matching requests to let pass first
	Times int    `json:"times,omitempty"` // 0 is once, -1 for ever

	Status  int               `json:"status,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`
	// Drop closes the connection "before" or "after" the request took effect.
	Drop string `json:"drop,omitempty"`
	// Cut sends half of the answer; Endless never stops sending.
	Cut     bool `json:"cut,omitempty"`
	Endless bool `json:"endless,omitempty"`
	// Delay comes before all else, such as "40ms".
	Delay Duration `json:"delay,omitempty"`
	// Then the world may change under the request, which is then served.
	RotateKey bool    `json:"rotate_key,omitempty"`
	Change    *Secret `json:"change,omitempty"`
	// Hook runs after all that; it is for tests in the same process.
	Hook func() `json:"-"`
}

// Duration is a time.Duration that reads from JSON as text.
type Duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// ParseWorld reads a World from JSON, strictly.
func ParseWorld(text []byte) (World, error) {
	var w World
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w); err != nil {
		return World{}, fmt.Errorf("world: %w", err)
	}
	return w, nil
}
