// Package input reads, checks and masks the inputs of the action, and returns a Config. It sends nothing, and reports
// all problems at once, each with the name of its input. A problem quotes the text of a public input. Of a secret input
// it gives only the position.
//
// A new input needs a row in Inputs, a field in Config and a line in Read. A test compares the documents with the rows.
package input

import (
	"cmp"
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

// Input is one input of the action.
type Input struct {
	Name    string
	Default string        // as action.yml has it
	modes   []secret.Mode // the modes that use the input; empty means all
	// isSource is true if the input holds values, or the path of a file with values. Exactly one source may be set.
	isSource bool
	isValue  bool  // the input holds plaintext, which is read byte for byte
	maxFile  int64 // the bytes to read of a plaintext in a file (see readFile); 0 if the input is not such a path
	// rejectsEmpty rejects an empty text under Actions: with the default, the run could write elsewhere.
	rejectsEmpty bool
	fallback     string // the default if the expression in Default has no value
}

// context returns the expression in the default, such as github.api_url, or "" if there is none.
func (in Input) context() string {
	if !strings.HasPrefix(in.Default, "${{") {
		return ""
	}
	return strings.Trim(in.Default, "${ }")
}

var (
	setOrSeal   = []secret.Mode{secret.ModeSet, secret.ModeSeal}
	onlySet     = []secret.Mode{secret.ModeSet}
	onlyAccess  = []secret.Mode{secret.ModeAccess}
	onlyCheck   = []secret.Mode{secret.ModeCheck}
	setOrAccess = []secret.Mode{secret.ModeSet, secret.ModeAccess}
)

// Inputs lists every input, in the order in which problems are reported.
var Inputs = []Input{
	{Name: "mode", Default: "set", rejectsEmpty: true},
	{Name: "org", Default: "${{ github.repository_owner }}", rejectsEmpty: true},
	{Name: "stores", Default: "actions", rejectsEmpty: true},
	{Name: "secret_name"},
	{Name: "secret_value", modes: setOrSeal, isSource: true, isValue: true},
	{Name: "secret_file", modes: setOrSeal, isSource: true, maxFile: secret.MaxValueBytes + 2},
	{Name: "secrets", modes: setOrSeal, isSource: true, isValue: true},
	{Name: "secrets_file", modes: setOrSeal, isSource: true, maxFile: maxBatchBytes},
	{Name: "secrets_format", Default: "auto", modes: setOrSeal},
	{Name: "encrypted_value", modes: onlySet, isSource: true},
	{Name: "key_id", modes: setOrSeal},
	{Name: "sealed", modes: onlySet, isSource: true},
	{Name: "trim_trailing_newline", Default: "false", modes: setOrSeal},
	{Name: "visibility", modes: onlySet},
	{Name: "selected_repository_ids", modes: setOrAccess},
	{Name: "selected_repositories", modes: setOrAccess},
	{Name: "change", modes: onlyAccess},
	{Name: "list_repositories", Default: "false", modes: onlyCheck},
	{Name: "token"},
	{Name: "api_url", Default: "${{ github.api_url }}", rejectsEmpty: true, fallback: "https://api.github.com"},
	{Name: "ca_certificate"},
	{Name: "timeout", Default: "5m"},
	{Name: "dry_run", Default: "false"},
	{Name: "max_age", modes: onlyCheck},
	{Name: "public_key", modes: setOrSeal},
}

// Config has the validated inputs.
type Config struct {
	Mode   secret.Mode
	Org    string
	Stores []secret.Store

	Entries     []Entry  // to seal, in the modes set and seal
	Sealed      []Sealed // in mode set
	Names       []secret.Name
	EverySecret bool // mode check with the name *

	Visibility       secret.Visibility // empty to preserve the visibility of an existing secret
	Selection        *secret.Selection // nil if no repositories are given
	Change           secret.ListChange
	ListRepositories bool

	Token          string
	APIURL         *url.URL // with a trailing slash
	CACertificates []*x509.Certificate
	Timeout        time.Duration
	DryRun         bool
	MaxAge         time.Duration  // 0 if not set
	PublicKey      seal.PublicKey // mode seal: the key in the inputs; zero to read GitHub's keys
}

// Entry is one plaintext and the name of its secret. In mode seal the name may be empty: a later job can choose it.
type Entry struct {
	Name  secret.Name
	Value secret.Value
}

// Sealed is one given value, which an earlier job sealed, for one store.
type Sealed struct {
	Store  secret.Store
	Name   secret.Name
	Sealed secret.Sealed
	Done   bool // the row says that an earlier run stored the value
}

// Problem is one mistake in one input.
type Problem struct{ Input, Text string }

func (p Problem) Error() string { return p.Input + ": " + p.Text }

// Result is the result of Read. Masks is always complete, Config only if there are no Problems.
type Result struct {
	Config   Config
	Masks    mask.Set
	Warnings []string
	Notes    []string // for the log
	Problems []Problem
}

// Source is where inputs come from.
type Source struct {
	Getenv func(string) string
	// Environ returns the environment as NAME=value. If Environ is nil, unknown and empty inputs are not detected.
	Environ func() []string
	// GetInput returns an input, trimmed; see githubactions.Action.GetInput.
	GetInput func(string) string
	Open     func(string) (fs.File, error)
}

// Read reads and validates every input.
func Read(src Source) Result {
	r := &reader{Source: src, explained: map[string]bool{}}
	c := &r.result.Config
	r.checkEnvironment()
	r.checkNotation()
	c.Mode = parseInput(r, "mode", parseMode)
	r.rejectUnused(c.Mode)
	c.Org = r.org()
	c.Stores = r.stores()
	r.names(c)
	c.Entries = r.entries(r.values(c.Names), parseInput(r, "trim_trailing_newline", parseBool))
	c.Token = r.token()
	r.sealed(c)
	r.access(c)
	c.MaxAge = parseInput(r, "max_age", parseDuration)
	c.ListRepositories = parseInput(r, "list_repositories", parseBool)
	offline := c.Mode == secret.ModeSeal && r.isSet("public_key")
	if c.Token == "" && !r.hasProblem("token") && !offline {
		r.problemf("token", "required. %s. GITHUB_TOKEN cannot access organization secrets: use an App installation "+
			"token with the organization permission for the store, or a personal token with admin:org", lostInput)
	}
	c.APIURL = parseInput(r, "api_url", parseAPIURL)
	c.CACertificates = parseInput(r, "ca_certificate", r.caCertificates)
	c.Timeout = parseInput(r, "timeout", parseDuration)
	c.DryRun = parseInput(r, "dry_run", parseBool)

	// Problems are in the order of Inputs, after the problems of unknown inputs.
	slices.SortStableFunc(r.result.Problems, func(a, b Problem) int {
		return cmp.Compare(inputIndex(a.Input), inputIndex(b.Input))
	})
	return r.result
}

func inputIndex(name string) int {
	return slices.IndexFunc(Inputs, func(i Input) bool { return i.Name == name })
}

type reader struct {
	Source
	result Result
	// explained has the inputs with a problem that explains all further ones, which are therefore not added.
	explained map[string]bool
}

// raw returns a value byte for byte; GetInput would trim it.
func (r *reader) raw(name string) string { return r.Getenv("INPUT_" + strings.ToUpper(name)) }

// get returns an input, trimmed, or its default if it is empty.
func (r *reader) get(name string) string {
	if s := r.GetInput(name); s != "" {
		return s
	}
	in := Inputs[inputIndex(name)]
	context := in.context()
	if context == "" {
		return in.Default
	}
	variable := strings.ToUpper(strings.ReplaceAll(context, ".", "_")) // GITHUB_API_URL
	return cmp.Or(strings.TrimSpace(r.Getenv(variable)), in.fallback)
}

// isSet reports whether an input has a text other than its default. The runner fills in the default by itself.
func (r *reader) isSet(name string) bool {
	in := Inputs[inputIndex(name)]
	if in.isValue {
		return r.raw(name) != ""
	}
	s := r.GetInput(name)
	return s != "" && !strings.EqualFold(s, in.Default)
}

// problemf adds a problem, unless the input has one that explains it.
func (r *reader) problemf(input, format string, args ...any) {
	if !r.explained[input] {
		r.result.Problems = append(r.result.Problems, Problem{input, fmt.Sprintf(format, args...)})
	}
}

// explain adds a problem after which the input gets no others.
func (r *reader) explain(input, text string) {
	r.problemf(input, "%s", text)
	r.explained[input] = true
}

func (r *reader) reject(input string, err error) {
	if err != nil {
		r.problemf(input, "%v", err)
	}
}

func (r *reader) hasProblem(input string) bool {
	return slices.ContainsFunc(r.result.Problems, func(p Problem) bool { return p.Input == input })
}

func (r *reader) warnf(format string, args ...any) {
	r.result.Warnings = append(r.result.Warnings, fmt.Sprintf(format, args...))
}

// rejectUnused rejects inputs that a valid mode does not use, as their only problem, and checks the sources of values.
func (r *reader) rejectUnused(mode secret.Mode) {
	for _, in := range Inputs {
		if mode == "" || len(in.modes) == 0 || slices.Contains(in.modes, mode) || !r.isSet(in.Name) {
			continue
		}
		uses := make([]string, len(in.modes))
		for i, m := range in.modes {
			uses[i] = string(m)
		}
		r.explain(in.Name, fmt.Sprintf("not used in mode %s, only in mode %s", mode, strings.Join(uses, " or ")))
	}
	if slices.Contains(setOrSeal, mode) {
		r.requireOneSource(mode)
	}
}

func (r *reader) hasKey() bool { return r.isSet("key_id") || r.isSet("public_key") }

// sealed reads given values, or the key to seal to.
func (r *reader) sealed(c *Config) {
	value, id, key := r.get("encrypted_value"), r.get("key_id"), r.get("public_key")
	var err error
	switch {
	case c.Mode == secret.ModeSeal && r.hasKey():
		c.PublicKey, err = seal.ParsePublicKey(id, key)
	case c.Mode == secret.ModeSet && (value != "" || r.hasKey()):
		var sealed secret.Sealed
		sealed, err = r.parseSealed(secret.Sealed{KeyID: id, PublicKey: key, EncryptedValue: value})
		c.Sealed = []Sealed{{Store: cmp.Or(c.Stores...), Name: cmp.Or(c.Names...), Sealed: sealed}}
	default:
		if r.isSet("sealed") {
			c.Sealed = r.sealedRows(c.Stores, c.Names)
		}
		return
	}
	if len(c.Stores) > 1 {
		r.problemf("stores", "must be one store with key_id, because each store has its own key")
	}
	e, ok := errors.AsType[*seal.Error](err) // Field is the name of an input
	switch {
	case ok && !r.isSet(e.Field):
		r.problemf(e.Field, "required: encrypted_value goes with key_id in mode set, public_key with it in mode seal; "+
			"for a plaintext in mode set remove them")
	case ok:
		r.problemf(e.Field, "%s", e.Text)
	}
}

// access reads the inputs that decide who may read the secrets.
func (r *reader) access(c *Config) {
	c.Visibility = parseInput(r, "visibility", secret.ParseVisibility)
	c.Selection = r.selection(c.Org)
	c.Change = cmp.Or(parseInput(r, "change", secret.ParseListChange), secret.ListReplace)
	isNone := strings.EqualFold(r.get("selected_repositories"), "none")
	switch {
	case c.Selection == nil && c.Mode == secret.ModeAccess:
		r.problemf("selected_repositories",
			"required in mode access, or selected_repository_ids; use none for an empty list")
	case c.Selection == nil:
	case isNone && c.Change != secret.ListReplace:
		r.problemf("selected_repositories", "none cannot be used with change: %s; name the repositories, or use "+
			"change: replace for an empty list", c.Change)
	case c.Visibility == secret.All || c.Visibility == secret.Private:
		r.problemf("visibility", "cannot be %s if repositories are given; remove it or use selected", c.Visibility)
	case c.Mode == secret.ModeSet:
		c.Visibility = secret.Selected
	}
}

func (r *reader) stores() []secret.Store {
	stores := parseList(r, "stores", secret.ParseStore)
	if len(stores) == 0 && !r.hasProblem("stores") {
		r.problemf("stores", "at least one store is required")
	}
	return stores
}

// names reads secret_name. If it has a problem, c.Names stays empty, so that every value of a batch is masked.
func (r *reader) names(c *Config) {
	const input = "secret_name"
	if c.EverySecret = c.Mode == secret.ModeCheck && r.get(input) == "*"; c.EverySecret {
		return
	}
	names := parseList(r, input, parseName)
	isOne := slices.Contains(setOrSeal, c.Mode) && !r.isBatch() && !r.isSet("sealed")
	switch {
	case r.hasProblem(input):
	case isOne && len(names) > 1:
		r.problemf(input, "must be one name, because there is one value; use secrets or secrets_file for several")
	case len(names) > 0:
		c.Names = names
	case c.Mode == secret.ModeCheck:
		r.problemf(input, "required: the names of the secrets, or * for every secret of the chosen stores")
	case c.Mode == secret.ModeSet && !r.isBatch(), c.Mode == secret.ModeAccess:
		r.problemf(input, "required: the name of the secret")
	}
}

func (r *reader) isBatch() bool { return r.isSet("secrets") || r.isSet("secrets_file") }

// requireOneSource requires exactly one source of values. It rejects a secrets_format that is unknown or not used.
func (r *reader) requireOneSource(mode secret.Mode) {
	var sources []string
	for _, in := range Inputs {
		if in.isSource && slices.Contains(in.modes, mode) {
			sources = append(sources, in.Name)
		}
	}
	set := slices.DeleteFunc(slices.Clone(sources), func(name string) bool { return !r.isSet(name) })
	switch {
	case len(set) > 1:
		last := len(set) - 1
		r.problemf(set[last], "cannot be combined with %s; set exactly one of them", strings.Join(set[:last], ", "))
	case len(set) == 0 && (mode == secret.ModeSeal || !r.hasKey()):
		r.problemf(sources[0], "empty, and so are %s%s", strings.Join(sources[1:], ", "), adviceIfEmpty(sources[0]))
	}
	parseInput(r, "secrets_format", secret.OneOf("auto", "dotenv"))
	if r.isDotenv() && !r.isBatch() {
		r.problemf("secrets_format", "used only with secrets or secrets_file; remove it")
	}
}
