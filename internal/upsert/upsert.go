// Package upsert carries sealed values to GitHub without changing who may read
// them.
//
// It owns the order of things: names are resolved, keys fetched and all values
// sealed before the first write; what is kept is read at most a minute before
// its write; a value sealed to a key that has been rotated is sealed again. How
// long to wait for a fault, and how fast to write, is GitHub's side: package
// github. Outcomes carry no Value.
package upsert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"set-org-secret/internal/seal"
	"set-org-secret/internal/secret"
)

const (
	// writesAtOnce follows GitHub's advice against many writes side by side.
	writesAtOnce = 4
	// fresh is how old what is kept may be when it is written back.
	fresh = time.Minute
	// maxReads bounds reading again what took too long to read.
	maxReads = 3
	// maxReseals bounds a server that tells another key after every write.
	maxReseals = 3
)

// GitHub is what upsert needs of package github's Client.
type GitHub interface {
	PublicKey(context.Context, secret.Store) (seal.PublicKey, error)
	Secret(context.Context, secret.Store, secret.Name) (secret.Existing, error)
	Secrets(ctx context.Context, store secret.Store, maxPages int) (list []secret.Existing, complete bool, err error)
	SelectedRepositories(context.Context, secret.Store, secret.Name) (list []secret.Repository, hidden int, err error)
	Put(ctx context.Context, store secret.Store, name secret.Name, prepare func(context.Context) (seal.Sealed, secret.Access, error)) (created bool, err error)
	SetRepositories(ctx context.Context, store secret.Store, name secret.Name, prepare func(context.Context) (secret.Access, error)) error
}

// Want is the access that was asked for.
type Want struct {
	// Visibility is empty where what stands is kept, and a new secret private.
	Visibility secret.Visibility
	// Replace says that Repositories take the place of the standing list.
	Replace      bool
	Repositories []secret.Repository
}

// known is the access that a write gives whatever stands, and whether it is such.
func (w Want) known() (secret.Access, bool) {
	switch {
	case w.Visibility == secret.Selected && w.Replace:
		return secret.Access{Visibility: secret.Selected, Repositories: w.Repositories}, true
	case w.Visibility == secret.All, w.Visibility == secret.Private:
		return secret.Access{Visibility: w.Visibility}, true
	}
	return secret.Access{}, false
}

// keeps reports whether what stands has to be known before a write: to keep it,
// or to tell what the write changes.
func (w Want) keeps() bool { return w.Visibility == "" || w.Visibility == secret.Selected }

// decide says which access a write gives to a secret that stands like that.
func (w Want) decide(standing secret.Existing) (secret.Access, error) {
	if access, ok := w.known(); ok {
		return access, nil
	}
	switch {
	case w.Visibility == secret.Selected && !standing.Exists:
		return secret.Access{}, &refusal{
			fact:   "visibility selected was asked for without a list, and the secret does not exist yet",
			advice: "Name the repositories in selected_repositories, or say none for the empty list.",
		}
	case w.Visibility == secret.Selected && standing.Access.Visibility != secret.Selected:
		return secret.Access{}, &refusal{
			fact:   fmt.Sprintf("visibility selected was asked for without a list, and the secret that stands is %s, so it has none to keep", standing.Access.Visibility),
			advice: "Name the repositories in selected_repositories, or say none for the empty list.",
		}
	case !standing.Exists:
		return secret.Access{Visibility: secret.Private}, nil
	case standing.Hidden != 0:
		return secret.Access{}, &refusal{
			fact:   fmt.Sprintf("GitHub counts %d selected repositories and shows %d to this token; writing those back would take the others away", len(standing.Access.Repositories)+standing.Hidden, len(standing.Access.Repositories)),
			cause:  "A classic token needs the scope repo to see private repositories; a fine-grained or App token sees those it was given.",
			advice: "Use a token that sees every selected repository, or name the whole list in selected_repositories.",
		}
	}
	return standing.Access, nil
}

// refusal is a write that we do not make.
type refusal struct {
	fact, cause, advice string
	kind                error // one of package secret's, or nil
}

func (r *refusal) Error() string  { return "not written: " + r.fact }
func (r *refusal) Unwrap() error  { return r.kind }
func (r *refusal) Cause() string  { return r.cause }
func (r *refusal) Advice() string { return r.advice }

// Item is one secret in one store. It has a Value, or it came sealed, or an
// earlier run has Done it.
type Item struct {
	Store secret.Store
	Name  secret.Name

	Value  secret.Value
	Sealed seal.Sealed

	Done           secret.Operation
	DoneVisibility secret.Visibility
}

// cameSealed reports whether there is no plaintext to seal again.
func (i Item) cameSealed() bool { return i.Sealed.EncryptedValue != "" }

// Job is a run's worth of items.
type Job struct {
	GitHub GitHub
	Rand   io.Reader
	Items  []Item // in input order
	// Resolve says what access is wanted, looking names up. It runs beside the
	// key fetch, and where it fails nothing is written.
	Resolve func(context.Context) (Want, error)
	// NeedsStanding tells, before Resolve has run, that what stands will be read.
	NeedsStanding bool
	DryRun        bool
	// AccessOnly replaces the lists of selected repositories and nothing else.
	AccessOnly bool
	// Note takes a line about what is out of the ordinary.
	Note func(string)
	// Told is called with each outcome as it comes, one at a time.
	Told func(secret.Result)
}

// run is a Job under way.
type run struct {
	Job
	want     Want
	keys     map[secret.Store]*keyring
	shelves  map[secret.Store]*shelf
	sealed   []seal.Sealed
	mu       sync.Mutex
	outcomes []secret.Result
}

// Run seals every item, then stores them a few at a time. The outcomes are in
// input order, one for each item whatever happened.
func (j Job) Run(ctx context.Context) []secret.Result {
	r := &run{
		Job: j, keys: map[secret.Store]*keyring{}, shelves: map[secret.Store]*shelf{},
		sealed: make([]seal.Sealed, len(j.Items)), outcomes: make([]secret.Result, len(j.Items)),
	}
	for i, item := range j.Items {
		r.outcomes[i] = secret.Result{Store: item.Store, Name: item.Name, Operation: secret.Failed}
		if item.Done != "" {
			continue
		}
		if r.keys[item.Store] == nil {
			r.keys[item.Store] = &keyring{github: j.GitHub, store: item.Store, lock: newLock()}
			r.shelves[item.Store] = newShelf(j.GitHub, item.Store)
		}
		r.shelves[item.Store].left++
	}
	resolveErr := r.lookUp(ctx)
	sealErrs := r.sealAll()

	group := errgroup.Group{}
	group.SetLimit(writesAtOnce)
	for i, item := range j.Items {
		if item.Done != "" {
			r.tell(i, func(o *secret.Result) {
				o.Operation, o.KeyID, o.Access.Visibility = item.Done, item.Sealed.KeyID, item.DoneVisibility
			})
			continue
		}
		if err := firstError(sealErrs[i], resolveErr); err != nil {
			r.tell(i, func(o *secret.Result) { o.Err = err })
			continue
		}
		group.Go(func() error {
			if ctx.Err() != nil {
				r.tell(i, func(o *secret.Result) { o.Err = errNotTried })
			} else if j.DryRun {
				r.rehearse(ctx, i)
			} else {
				r.store(ctx, i)
			}
			return nil
		})
	}
	_ = group.Wait()
	return r.outcomes
}

var errNotTried = fmt.Errorf("%w: not tried, since the run was told to end", secret.ErrInterrupted)

// lookUp asks for all that has to be known before the first write, side by side:
// the names, each store's key, and what stands.
func (r *run) lookUp(ctx context.Context) (resolveErr error) {
	var group errgroup.Group
	group.Go(func() error {
		if r.want, resolveErr = r.Resolve(ctx); resolveErr != nil {
			r.want = Want{} // half of what was asked for is nothing to go by
		}
		return nil
	})
	for store := range r.keys {
		if r.needsKey(store) {
			group.Go(func() error {
				_, _ = r.keys[store].get(ctx) // an error is kept for each item
				return nil
			})
		}
		if r.NeedsStanding || r.DryRun {
			group.Go(func() error {
				for _, item := range r.Items {
					if item.Store == store && item.Done == "" {
						_, _, _ = r.shelves[store].get(ctx, item.Name) // it is asked again where it matters
						break
					}
				}
				return nil
			})
		}
	}
	_ = group.Wait()
	return resolveErr
}

func (r *run) needsKey(store secret.Store) bool {
	return !r.AccessOnly && slices.ContainsFunc(r.Items, func(item Item) bool {
		return item.Store == store && item.Done == "" && (!item.cameSealed() || r.DryRun)
	})
}

// sealAll seals every value, so that none is lost whatever happens to its write.
func (r *run) sealAll() []error {
	errs := make([]error, len(r.Items))
	for i, item := range r.Items {
		switch {
		case item.Done != "" || r.AccessOnly:
			continue
		case item.cameSealed():
			r.sealed[i] = item.Sealed
		default:
			key, err := r.keys[item.Store].known()
			if err == nil {
				r.sealed[i], err = seal.Seal(r.Rand, key, item.Value)
			}
			errs[i] = err
		}
		r.keep(i)
	}
	return errs
}

// keep copies what is sealed to the outcome, until it is stored, and what access
// it was to get as far as that is known by now.
func (r *run) keep(i int) {
	o := &r.outcomes[i]
	o.Access, _ = r.want.known()
	o.KeyID, o.PublicKey, o.EncryptedValue = r.sealed[i].KeyID, r.sealed[i].PublicKey, r.sealed[i].EncryptedValue
}

// tell completes an outcome and passes it on.
func (r *run) tell(i int, change func(*secret.Result)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.outcomes[i])
	if r.Told != nil {
		r.Told(r.outcomes[i])
	}
}

// store writes one item, sealing again where the key was rotated in between.
func (r *run) store(ctx context.Context, i int) {
	item := r.Items[i]
	var access secret.Access
	var change secret.Change
	prepare := func(ctx context.Context) (sealed seal.Sealed, _ secret.Access, err error) {
		access, change, err = r.access(ctx, item)
		return r.sealed[i], access, err
	}
	for reseals := 0; ; reseals++ {
		var created bool
		var err error
		if r.AccessOnly {
			err = r.GitHub.SetRepositories(ctx, item.Store, item.Name, func(ctx context.Context) (secret.Access, error) {
				_, access, err := prepare(ctx)
				return access, err
			})
		} else {
			created, err = r.GitHub.Put(ctx, item.Store, item.Name, prepare)
		}
		if !r.AccessOnly && errors.Is(err, secret.ErrUnprocessable) && reseals < maxReseals {
			again, keyErr := r.sealAgain(ctx, i)
			if again {
				continue
			}
			if keyErr != nil {
				err = keyErr
			}
		}
		r.shelves[item.Store].wrote()
		r.tell(i, func(o *secret.Result) {
			if o.Change, o.Err = change, err; access.Visibility != "" {
				o.Access = access
			}
			switch {
			case errors.Is(err, secret.ErrOutcomeUnknown):
				o.Operation = secret.Unknown
			case err != nil:
				o.Operation = secret.Failed
			case created:
				o.Operation, o.EncryptedValue = secret.Created, ""
			default:
				o.Operation, o.EncryptedValue = secret.Updated, ""
			}
		})
		return
	}
}

// sealAgain looks whether the store's key is another by now, after GitHub did
// not take what was sealed. What came sealed can't be sealed again; the error
// says so and names both keys.
func (r *run) sealAgain(ctx context.Context, i int) (again bool, err error) {
	item, old := r.Items[i], r.sealed[i]
	key, err := r.keys[item.Store].after(ctx, old)
	if err != nil {
		// GitHub's 422 is the news; that the key could not be asked for is not.
		return false, nil
	}
	if item.cameSealed() {
		if key.ID() == old.KeyID {
			return false, nil
		}
		return false, keyMismatch(item.Store, old.KeyID, key.ID())
	}
	if key.ID() == old.KeyID && key.Base64() == old.PublicKey {
		return false, nil
	}
	sealed, err := seal.Seal(r.Rand, key, item.Value)
	if err != nil {
		return false, err
	}
	r.Note(fmt.Sprintf("the key of %s secrets was rotated; %s is sealed again, to key %s", item.Store, item.Name, key.ID()))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sealed[i] = sealed
	r.keep(i)
	return true, nil
}

func keyMismatch(store secret.Store, sealedTo, now string) error {
	return &refusal{
		fact:   fmt.Sprintf("the value is sealed to key %s, and the key of %s secrets is %s by now", sealedTo, store, now),
		cause:  "GitHub has rotated the key since the value was sealed; without the plaintext it can't be sealed again here.",
		advice: "This sealed value can't be used any more: run the job that seals once more, and store what it gives.",
		kind:   secret.ErrKeyRotated,
	}
}

// rehearse does all of store but the write.
func (r *run) rehearse(ctx context.Context, i int) {
	item := r.Items[i]
	standing, _, err := r.shelves[item.Store].get(ctx, item.Name)
	var access secret.Access
	if err == nil {
		access, err = r.decide(standing)
	}
	if err == nil && item.cameSealed() {
		var key seal.PublicKey
		if key, err = r.keys[item.Store].known(); err == nil && key.ID() != item.Sealed.KeyID {
			err = keyMismatch(item.Store, item.Sealed.KeyID, key.ID())
		}
	}
	r.tell(i, func(o *secret.Result) {
		o.Access, o.Err = access, err
		switch {
		case err != nil:
			return
		case standing.Exists:
			o.Operation = secret.WouldUpdate
		default:
			o.Operation = secret.WouldCreate
		}
		o.Change, o.EncryptedValue = secret.Diff(standing, access), ""
	})
}

// access says who may read an item, from what stands now or stood less than a
// minute ago.
func (r *run) access(ctx context.Context, item Item) (secret.Access, secret.Change, error) {
	if !r.want.keeps() && !r.AccessOnly {
		access, err := r.want.decide(secret.Existing{})
		return access, secret.Change{To: access.Visibility}, err
	}
	for range maxReads {
		standing, readAt, err := r.shelves[item.Store].get(ctx, item.Name)
		if err != nil {
			return secret.Access{}, secret.Change{}, err
		}
		if time.Since(readAt) <= fresh {
			access, err := r.decide(standing)
			return access, secret.Diff(standing, access), err
		}
	}
	return secret.Access{}, secret.Change{}, &refusal{
		fact:   "reading its access takes GitHub longer than a minute, so that what would be written back is out of date",
		advice: "Run again when GitHub is faster, or say in visibility and selected_repositories who may read the secret.",
	}
}

// decide says which access a write gives, and refuses where only the list may
// change and there is none.
func (r *run) decide(standing secret.Existing) (secret.Access, error) {
	if !r.AccessOnly {
		return r.want.decide(standing)
	}
	switch {
	case !standing.Exists:
		return secret.Access{}, &refusal{
			fact:   "the secret does not exist, or this token can't see it",
			advice: "Store it first, in mode set with visibility: selected.",
		}
	case standing.Access.Visibility != secret.Selected:
		return secret.Access{}, &refusal{
			fact:   fmt.Sprintf("the secret's visibility is %s, so it has no list of repositories", standing.Access.Visibility),
			advice: "Store it in mode set with visibility: selected and the list; that takes its value once.",
		}
	}
	return secret.Access{Visibility: secret.Selected, Repositories: r.want.Repositories}, nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
