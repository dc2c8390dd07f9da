package fakegithub

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// World is the initial state of a [Server]. It can be read from JSON, for scenarios.
type World struct {
	Orgs   []Org   `json:"orgs"`
	Tokens []Token `json:"tokens,omitempty"` // if empty, every token is an organization owner's
	Faults []Fault `json:"faults,omitempty"`

	BasePath string `json:"base_path,omitempty"` // for example /api/v3
	// GHES omits the stores that GitHub Enterprise Server does not have.
	GHES bool `json:"ghes,omitempty"`
	// NumericKeyIDs sends key ids as JSON numbers, as old versions of GHES do.
	NumericKeyIDs bool `json:"numeric_key_ids,omitempty"`
	// MaxWritesPerMinute is the write limit over a sliding window of 60 seconds. A write over it gets 403. 0 is none.
	MaxWritesPerMinute int `json:"max_writes_per_minute,omitempty"`
	// HideRetryAfter omits the Retry-After header from that 403.
	HideRetryAfter bool `json:"hide_retry_after,omitempty"`
	// Lag is how old the copies of a store are at most that answer reads of its key, its secrets and their lists. One
	// copy does not lag; writes see the newest state.
	Lag Duration `json:"lag,omitempty"`
	// DateSkew is how far the Date of each response is off, as that of a proxy may be; NoDate omits it.
	DateSkew Duration `json:"date_skew,omitempty"`
	NoDate   bool     `json:"no_date,omitempty"`
	// StrictVersions omits the store agents from every API version but the newest; see
	// google/go-github#4533.
	StrictVersions bool `json:"strict_versions,omitempty"`
	// ForgetBodies leaves Request.Body empty, for measurements of memory in the same process.
	ForgetBodies bool `json:"-"`
	// Rand is the source of key pairs and key ids; nil is crypto/rand.
	Rand io.Reader `json:"-"`
}

// Org is an organization.
type Org struct {
	Login        string       `json:"login"`
	Repositories []Repository `json:"repositories,omitempty"`
	// RepositoryCount adds repositories repo-0001, repo-0002, … with the ids 10001, 10002, ….
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
	// MovedTo is the new owner of a repository that was transferred.
	MovedTo string `json:"moved_to,omitempty"`
}

// Secret is an organization secret with its value decrypted.
type Secret struct {
	Store      string `json:"store"`
	Name       string `json:"name"`
	Value      string `json:"value"`
	Visibility string `json:"visibility"`
	// Repositories are the names of the selected repositories; null unless Visibility is selected.
	Repositories []string `json:"repositories,omitempty"`
	// A secret of a World that has neither time was created a day before the server's start; one that has one of
	// them was never updated.
	CreatedAt time.Time `json:"created_at,omitzero"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
	KeyID     string    `json:"key_id,omitempty"`
	// Extra are properties that the API shows as well, such as those of a later version of GitHub. A write keeps them.
	Extra map[string]any `json:"extra,omitempty"`
}

// Token is a token with its rights.
type Token struct {
	Value string `json:"value"`
	Kind  string `json:"kind"` // classic, fine-grained, app or workflow
	// Scopes of a classic token.
	Scopes []string `json:"scopes,omitempty"`
	// Permissions of a fine-grained token or an App, for example organization_secrets: write.
	Permissions map[string]string `json:"permissions,omitempty"`
	// NotOwner marks a classic token whose user is not an organization owner.
	NotOwner  bool      `json:"not_owner,omitempty"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	ValidFrom time.Time `json:"valid_from,omitzero"` // 401 before: not replicated yet
	// SSO is the URL at which the token must be authorized; if set, the organization returns 403.
	SSO string `json:"sso,omitempty"`
	// Outside marks a token without access to the organization: 404.
	Outside bool `json:"outside,omitempty"`
	// Repositories that a fine-grained token or an App can read; null is all.
	Repositories []string `json:"repositories,omitempty"`
}

// Fault injects a failure or a change. Of a list, each request gets the first fault that matches it and is not used
// up.
type Fault struct {
	Method string `json:"method,omitempty"`
	// Path matches the end of the request's path; * matches any characters.
	Path  string `json:"path,omitempty"`
	After int    `json:"after,omitempty"` // number of matching requests to skip
	Times int    `json:"times,omitempty"` // 0 is once, -1 is unlimited

	// Status and Body replace the response. Headers are set in it, or without a Status in the server's own; an empty
	// value removes one.
	Status  int               `json:"status,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`
	// Applied lets the request take effect before Status is returned, as a gateway may that fails afterwards.
	Applied bool `json:"applied,omitempty"`
	// StoreAfter lets a request take effect that long after it arrived, whether or not anybody waits for it, as a
	// server does behind a gateway that gave up. It is checked then. The response is Status, 502 if that is 0, unless
	// Drop or Hang is set.
	StoreAfter Duration `json:"store_after,omitempty"`
	// Drop closes the connection "before" or "after" the request took effect, and Hang keeps it open without a
	// response.
	Drop string `json:"drop,omitempty"`
	Hang string `json:"hang,omitempty"`
	// NoLast leaves the link to the last page of a list out.
	NoLast bool `json:"no_last,omitempty"`
	// Cut sends half of the response body; Endless sends 64 MiB.
	Cut     bool `json:"cut,omitempty"`
	Endless bool `json:"endless,omitempty"`
	// Delay is the time to wait first, for example "40ms".
	Delay Duration `json:"delay,omitempty"`
	// RotateKey, Remove and Change modify the store before the request is served: its key is rotated, the secret of
	// that name is deleted, and that secret is put. At page 2 of a list, the last two shift it and keep its length.
	RotateKey bool    `json:"rotate_key,omitempty"`
	Remove    string  `json:"remove,omitempty"`
	Change    *Secret `json:"change,omitempty"`
	// Hook runs before the response is sent. It is for tests in the same process.
	Hook func() `json:"-"`
}

// Duration is a [time.Duration] that is text in JSON, for example "40ms".
type Duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// ParseWorld parses a World from JSON. It returns an error if a field is unknown.
func ParseWorld(text []byte) (World, error) {
	var w World
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w); err != nil {
		return World{}, fmt.Errorf("world: %w", err)
	}
	return w, nil
}
