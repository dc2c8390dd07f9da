// Package input turns the action's with: inputs into a Config.
//
// It owns what an input means, every default, every guard and the masks. It
// tells all faults of the input at once, each naming its input, and sends
// nothing anywhere. Text of a public input is quoted in a fault; text of a
// secret one never is, only its place.
//
// A new input is a row in Inputs, a field in Config and a line in Read; a test
// holds action.yml and the README to the rows.
package input

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"time"

	"set-org-secret/internal/mask"
	"set-org-secret/internal/seal"
	"set-org-secret/internal/secret"
)

// Input is one row of the action's interface.
type Input struct {
	Name    string
	Default string // as action.yml has it
	// env is the variable that the default's expression stands for, so that
	// the program has the same default where no runner filled it in.
	env string
	// fallback is the default where env is empty too.
	fallback string
	// modes are those that use the input; empty means all of them.
	modes []secret.Mode
}

// Inputs lists every input, in the order in which faults are told.
var Inputs = []Input{
	{Name: "mode", Default: "set", fallback: "set"},
	{Name: "org", Default: "${{ github.repository_owner }}", env: "GITHUB_REPOSITORY_OWNER"},
	{Name: "stores", Default: "actions", fallback: "actions"},
	{Name: "secret_name"},
	{Name: "secret_value", modes: []secret.Mode{secret.ModeSet, secret.ModeSeal}},
	{Name: "secret_file", modes: []secret.Mode{secret.ModeSet, secret.ModeSeal}},
	{Name: "secrets", modes: []secret.Mode{secret.ModeSet, secret.ModeSeal}},
	{Name: "secrets_file", modes: []secret.Mode{secret.ModeSet, secret.ModeSeal}},
	{Name: "encrypted_value", modes: []secret.Mode{secret.ModeSet}},
	{Name: "key_id", modes: []secret.Mode{secret.ModeSet, secret.ModeSeal}},
	{Name: "sealed", modes: []secret.Mode{secret.ModeSet}},
	{Name: "trim_trailing_newline", Default: "false", fallback: "false"},
	{Name: "visibility", modes: []secret.Mode{secret.ModeSet}},
	{Name: "selected_repository_ids", modes: []secret.Mode{secret.ModeSet, secret.ModeAccess}},
	{Name: "selected_repositories", modes: []secret.Mode{secret.ModeSet, secret.ModeAccess}},
	{Name: "token"},
	{Name: "api_url", Default: "${{ github.api_url }}", env: "GITHUB_API_URL", fallback: "https://api.github.com"},
	{Name: "ca_certificate"},
	{Name: "timeout", Default: "5m", fallback: "5m"},
	{Name: "dry_run", Default: "false", fallback: "false"},
	{Name: "max_age", modes: []secret.Mode{secret.ModeCheck}},
	{Name: "public_key", modes: []secret.Mode{secret.ModeSeal}},
}

// Config is what a run was asked to do, validated.
type Config struct {
	Mode   secret.Mode
	Org    string
	Stores []secret.Store

	// Entries are the plaintexts to seal: in mode seal, and in mode set.
	Entries []Entry
	// Sealed are the values that came sealed, in mode set.
	Sealed []Sealed
	// Names are the secrets to look at, in the modes check and access.
	Names []secret.Name
	// EverySecret says that mode check was asked for "*".
	EverySecret bool

	// Visibility is empty where a secret that stands keeps what it has.
	Visibility secret.Visibility
	// Selection is nil where no repositories were named.
	Selection *secret.Selection

	Token          string
	APIURL         *url.URL
	CACertificates []*x509.Certificate
	Timeout        time.Duration
	DryRun         bool
	MaxAge         time.Duration // 0 where none was given
	// PublicKey is what mode seal seals to without asking GitHub.
	PublicKey seal.PublicKey
}

// Entry is one plaintext and the secret it is for. The name may be empty in
// mode seal, where one value can be sealed for a name chosen later.
type Entry struct {
	Name  secret.Name
	Value secret.Value
}

// Sealed is one value that came sealed, for one store.
type Sealed struct {
	Store  secret.Store
	Name   secret.Name
	Sealed seal.Sealed
	// Done is set where an earlier run stored it already.
	Done       secret.Operation
	Visibility secret.Visibility // what the earlier run told, where Done
}

// Fault is one thing wrong with one input.
type Fault struct{ Input, Text string }

func (f Fault) Error() string { return f.Input + ": " + f.Text }

// Result is what Read found. Config is whole only where Faults is empty; Masks
// is whole always, so that they can be printed before anything else.
type Result struct {
	Config   Config
	Masks    mask.Set
	Warnings []string
	Faults   []Fault
}

// Source is where inputs come from.
type Source struct {
	Getenv func(string) string
	Open   func(string) (fs.File, error)
}

// Read reads and validates every input.
func Read(src Source) Result {
	r := &reader{Source: src}
	c := &r.result.Config
	// Values come first: whatever else is wrong, they have to be masked.
	values := r.values()
	c.Token = r.token()

	c.Mode = r.mode()
	r.unused(c.Mode)
	c.Org = r.org()
	c.Stores = parseList(r, "stores", secret.ParseStore)
	if len(c.Stores) == 0 && !r.faulty("stores") {
		r.fault("stores", "no store is named")
	}
	trim := r.boolean("trim_trailing_newline")
	switch c.Mode {
	case secret.ModeSet:
		r.set(c, values, trim)
	case secret.ModeSeal:
		r.seal(c, values, trim)
	case secret.ModeCheck:
		r.check(c)
	case secret.ModeAccess:
		r.names(c)
		c.Selection = r.selection(c.Org)
		if c.Selection == nil && !r.faulty("selected_repositories") && !r.faulty("selected_repository_ids") {
			r.fault("selected_repositories", "mode access replaces the list of repositories: name them here or in selected_repository_ids, or say none")
		}
	}
	if c.Token == "" && !r.faulty("token") && (c.Mode != secret.ModeSeal || c.PublicKey.IsZero() && r.get("public_key") == "") {
		r.fault("token", "missing. GITHUB_TOKEN can't reach organization secrets: give an App installation token with the organization permission for the store, or a personal token with admin:org")
	}
	c.APIURL = r.apiURL()
	c.CACertificates = r.caCertificate()
	if c.Timeout = r.duration("timeout"); c.Timeout <= 0 && !r.faulty("timeout") {
		r.fault("timeout", "must be more than nothing, such as 5m")
	}
	c.DryRun = r.boolean("dry_run")

	slices.SortStableFunc(r.result.Faults, func(a, b Fault) int { return inputIndex(a.Input) - inputIndex(b.Input) })
	return r.result
}

func inputIndex(name string) int {
	return slices.IndexFunc(Inputs, func(i Input) bool { return i.Name == name })
}

type reader struct {
	Source
	result Result
}

// raw returns an input as it came, byte for byte; githubactions.GetInput trims.
func (r *reader) raw(name string) string {
	return r.Getenv("INPUT_" + strings.ToUpper(name))
}

// get returns an input trimmed, or its default where it is empty.
func (r *reader) get(name string) string {
	if s := strings.TrimSpace(r.raw(name)); s != "" {
		return s
	}
	in := Inputs[inputIndex(name)]
	if in.env != "" {
		if s := strings.TrimSpace(r.Getenv(in.env)); s != "" {
			return s
		}
	}
	return in.fallback
}

// given reports whether the workflow set the input to anything.
func (r *reader) given(name string) bool {
	if valueInputs[name] {
		return r.raw(name) != ""
	}
	return strings.TrimSpace(r.raw(name)) != ""
}

func (r *reader) fault(input, format string, args ...any) {
	r.result.Faults = append(r.result.Faults, Fault{input, fmt.Sprintf(format, args...)})
}

func (r *reader) faulty(input string) bool {
	return slices.ContainsFunc(r.result.Faults, func(f Fault) bool { return f.Input == input })
}

func (r *reader) warn(format string, args ...any) {
	r.result.Warnings = append(r.result.Warnings, fmt.Sprintf(format, args...))
}

func (r *reader) mode() secret.Mode {
	mode, err := secret.ParseMode(r.get("mode"))
	if err != nil {
		r.fault("mode", "%v", err)
	}
	return mode
}

// unused refuses what the mode does not use, so that a typo or a left-over
// never passes silently. Inputs with a default are set by the runner always.
func (r *reader) unused(mode secret.Mode) {
	if mode == "" {
		return
	}
	for _, in := range Inputs {
		if in.Default == "" && len(in.modes) > 0 && !slices.Contains(in.modes, mode) && r.given(in.Name) {
			uses := make([]string, len(in.modes))
			for i, m := range in.modes {
				uses[i] = string(m)
			}
			r.fault(in.Name, "not used in mode %s, only in mode %s", mode, strings.Join(uses, " or "))
		}
	}
}

// set reads what mode set needs: values from exactly one source, and access.
func (r *reader) set(c *Config, values []value, trim bool) {
	r.oneSource("secret_value", "secret_file", "secrets", "secrets_file", "encrypted_value", "sealed")
	switch {
	case r.given("sealed"):
		r.names(c)
		c.Sealed = r.sealed(c.Stores, c.Names)
	case r.given("encrypted_value") || r.given("key_id"):
		c.Sealed = r.encryptedValue(c.Stores)
	default:
		c.Entries = r.entries(values, trim)
	}
	if r.given("visibility") {
		v, err := secret.ParseVisibility(r.get("visibility"))
		if err != nil {
			r.fault("visibility", "%v", err)
		}
		c.Visibility = v
	}
	c.Selection = r.selection(c.Org)
	if c.Selection != nil {
		if c.Visibility == secret.All || c.Visibility == secret.Private {
			r.fault("visibility", "%s contradicts the repositories that are named; leave it out or say selected", c.Visibility)
		}
		c.Visibility = secret.Selected
	}
}

func (r *reader) seal(c *Config, values []value, trim bool) {
	r.oneSource("secret_value", "secret_file", "secrets", "secrets_file")
	c.Entries = r.entries(values, trim)
	switch key, id := r.get("public_key"), r.get("key_id"); {
	case key == "" && id == "":
	case key == "":
		r.fault("public_key", "missing beside key_id: to seal without asking GitHub both are needed")
	case id == "":
		r.fault("key_id", "missing beside public_key: to seal without asking GitHub both are needed")
	default:
		var err error
		if c.PublicKey, err = seal.ParsePublicKey(id, key); err != nil {
			r.sealFault(err)
		}
		if len(c.Stores) > 1 {
			r.fault("stores", "each store has a key of its own, and one public_key is given: name one store")
		}
	}
}

func (r *reader) check(c *Config) {
	if r.get("secret_name") == "*" {
		c.EverySecret = true
	} else {
		r.names(c)
	}
	if r.given("max_age") {
		if c.MaxAge = r.duration("max_age"); c.MaxAge <= 0 && !r.faulty("max_age") {
			r.fault("max_age", "must be more than nothing, such as 30d")
		}
	}
}

// sealFault names the input that is wrong: they are called as the API's fields.
func (r *reader) sealFault(err error) {
	var wrong *seal.Error
	if errors.As(err, &wrong) {
		r.fault(wrong.Field, "%s", wrong.Text)
	}
}

// names reads secret_name where it is a list.
func (r *reader) names(c *Config) {
	c.Names = parseList(r, "secret_name", secret.ParseName)
	if len(c.Names) == 0 && !r.faulty("secret_name") {
		text := "missing: name the secrets"
		if c.Mode == secret.ModeCheck {
			text += ", or say * for every secret of the chosen stores"
		}
		if c.Mode == secret.ModeSet {
			text += " that may be stored; the job that sealed must not choose them"
		}
		r.fault("secret_name", "%s", text)
	}
}

func (r *reader) oneSource(names ...string) {
	var given []string
	for _, name := range names {
		if r.given(name) {
			given = append(given, name)
		}
	}
	switch {
	case len(given) > 1:
		r.fault(given[0], "given together with %s: exactly one source of values is wanted", strings.Join(given[1:], ", "))
	case len(given) == 0 && !r.given("key_id"), len(given) == 0 && r.given("public_key"):
		r.fault("secret_value", "%s", emptyValue)
	}
}
