// Package upsert stores sealed values without changing who may read them.
//
// A run resolves repository names, fetches public keys and reads existing secrets (prefetch), then seals all values,
// so that none is lost if its write fails, and then writes each item in one loop over its attempts. Access to be
// preserved is read at most maxSnapshotAge before its write (snapshot.go); pure functions decide the access to write
// (plan.go). Writes whose outcome is unknown are settled by one read at the end (settle.go). Adding repositories to a
// list and removing them is in change.go. Retries and the write rate limit are in package github.
package upsert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"set-org-secret/internal/seal"
	"set-org-secret/internal/secret"
)

const (
	// maxConcurrentWrites follows GitHub's advice against many concurrent writes.
	maxConcurrentWrites = 4
	// maxReads is how many times a snapshot is read if it is too old on arrival.
	maxReads = 3
	// maxReseals limits sealing again if GitHub returns a new key each time.
	maxReseals = 3
)

// Attempts ranges over the attempts at a write; see github.Attempts.
type Attempts = iter.Seq2[func(seal.Sealed, secret.Access) (created bool, err error), error]

// GitHub is the part of github.Client that a Job needs.
type GitHub interface {
	Finder
	WithRetryBudget(context.Context) context.Context
	WithoutRetry(context.Context) (context.Context, context.CancelFunc)
	Now() time.Time
	PublicKey(context.Context, secret.Store) (seal.PublicKey, error)
	Secret(context.Context, secret.Store, secret.Name) (secret.Existing, error)
	Secrets(ctx context.Context, store secret.Store, limit int) (list []secret.Existing, complete bool, err error)
	SelectedRepositories(context.Context, secret.Store, secret.Name) (list []secret.Repository, hidden int, err error)
	Put(context.Context, secret.Store, secret.Name) Attempts
	VisibleRepositories(context.Context, secret.Store, secret.Name) (list []secret.Repository, hidden int, err error)
	SetRepositories(context.Context, secret.Store, secret.Name) Attempts
	AddRepository(ctx context.Context, store secret.Store, name secret.Name, id int64) Attempts
	RemoveRepository(ctx context.Context, store secret.Store, name secret.Name, id int64) Attempts
}

// Item is one secret in one store. It has a Value, a Sealed value, or a Stored result.
type Item struct {
	Store secret.Store
	Name  secret.Name

	Value  secret.Value
	Sealed seal.Sealed
	// Stored is the result of an earlier run that stored the item, or nil.
	Stored *secret.Result
}

// isSealed reports whether there is no plaintext to seal again.
func (i Item) isSealed() bool { return i.Sealed.EncryptedValue != "" }

// Job describes a run.
type Job struct {
	GitHub GitHub
	Rand   io.Reader
	Items  []Item // in input order
	// Visibility is empty if existing secrets keep their access.
	Visibility secret.Visibility
	// Selection is the repositories that replace the existing list; nil if none are given. If it cannot be resolved,
	// nothing is written.
	Selection *secret.Selection
	// ListOnly writes the lists of selected repositories and nothing else.
	ListOnly bool
	// Change is how the lists change, if ListOnly; empty for [secret.ListReplace].
	Change secret.ListChange
	DryRun bool
	// WritesPerMinute and MaxConcurrentReads are package github's limits.
	WritesPerMinute, MaxConcurrentReads int
	// Log and Warn receive one line about each unusual event.
	Log, Warn func(string)
	// OnResult is called with each result as it completes. Calls are serialized.
	OnResult func(secret.Result)
}

// executor is a Job that is running.
type executor struct {
	Job
	desired   desired
	keys      map[secret.Store]*publicKeyCache
	snapshots map[secret.Store]*snapshotCache
	sealed    []seal.Sealed
	mu        sync.Mutex
	results   []secret.Result
	unsettled []*write
	progress  func(secret.Result)
}

// Run seals every item, then stores them, a few at a time. The results are in input order, one for each item.
func (j Job) Run(ctx context.Context) []secret.Result {
	e := &executor{
		Job: j, desired: desired{visibility: j.Visibility, listOnly: j.ListOnly},
		keys: map[secret.Store]*publicKeyCache{}, snapshots: map[secret.Store]*snapshotCache{},
		sealed: make([]seal.Sealed, len(j.Items)), results: make([]secret.Result, len(j.Items)),
		progress: progress(len(j.Items), j.WritesPerMinute, j.Log),
	}
	if j.Change == secret.ListAdd || j.Change == secret.ListRemove {
		for i, item := range j.Items {
			e.results[i] = secret.Result{Store: item.Store, Name: item.Name}
		}
		e.changeLists(ctx)
		return e.results
	}
	budgets := make([]context.Context, len(j.Items))
	for i, item := range j.Items {
		budgets[i] = j.GitHub.WithRetryBudget(ctx)
		e.results[i] = secret.Result{Store: item.Store, Name: item.Name}
		if stored := item.Stored; stored != nil {
			e.results[i].KeyID, e.results[i].Access = stored.KeyID, stored.Access
			continue
		}
		if e.keys[item.Store] == nil {
			e.keys[item.Store] = &publicKeyCache{github: j.GitHub, store: item.Store, log: j.Log, fetching: newLock()}
			e.snapshots[item.Store] = &snapshotCache{
				github: j.GitHub, store: item.Store, writesPerMinute: j.WritesPerMinute,
				lock: newLock(), byName: map[secret.Name]snapshot{},
			}
		}
		e.snapshots[item.Store].pending.Add(1)
	}
	resolveErr := e.prefetch(ctx, budgets)
	sealErrs := e.sealAll()

	group := errgroup.Group{}
	group.SetLimit(maxConcurrentWrites)
	for i, item := range j.Items {
		err := sealErrs[i]
		if err == nil {
			err = resolveErr
		}
		switch {
		case item.Stored != nil:
			e.finish(i, e.storedOperation(item), plan{}, nil)
		case err != nil:
			e.finish(i, secret.Failed, plan{}, err)
		default:
			group.Go(func() error { //nolint:contextcheck // the context is ctx with the item's retry budget
				e.store(budgets[i], i)
				return nil
			})
		}
	}
	_ = group.Wait()
	e.settle(ctx)
	return e.results
}

// storedOperation returns the operation of an item that an earlier run stored. In a dry run it is the conditional form.
func (e *executor) storedOperation(item Item) secret.Operation {
	switch {
	case e.DryRun && item.Stored.Operation == secret.Created:
		return secret.WouldCreate
	case e.DryRun:
		return secret.WouldUpdate
	}
	return item.Stored.Operation
}

var errSkipped = &secret.Error{Problem: "skipped: the run was cancelled", Is: []error{secret.ErrInterrupted}}

// prefetch requests concurrently all that is needed before the first write: the repositories, each store's key and
// the first existing secrets. It returns why the repositories could not be resolved; other errors are returned for
// each item.
func (e *executor) prefetch(ctx context.Context, budgets []context.Context) (resolveErr error) {
	var group errgroup.Group
	needsExisting := e.desired.needsExisting() || e.DryRun
	if e.Selection != nil {
		group.Go(func() error {
			r := resolver{github: e.GitHub, selection: *e.Selection, maxConcurrent: e.MaxConcurrentReads}
			r.log, r.warn = e.Log, e.Warn
			list, err := r.resolve(e.GitHub.WithRetryBudget(ctx))
			if resolveErr = err; err == nil {
				e.desired.replace, e.desired.repositories = true, list
			}
			return nil
		})
	}
	for store := range e.keys {
		if e.needsKey(store) {
			group.Go(func() error {
				e.keys[store].fetch(e.GitHub.WithRetryBudget(ctx))
				return nil
			})
		}
		if needsExisting {
			group.Go(func() error { //nolint:contextcheck // as above
				i := slices.IndexFunc(e.Items, func(it Item) bool { return it.Store == store && it.Stored == nil })
				// This fills the cache. If it fails, the item reads again.
				_, _, _ = e.snapshots[store].get(budgets[i], e.Items[i].Name)
				return nil
			})
		}
	}
	_ = group.Wait()
	return resolveErr
}

// needsKey reports whether any item of the store must be sealed, or, in a dry run, its key checked.
func (e *executor) needsKey(store secret.Store) bool {
	return !e.ListOnly && slices.ContainsFunc(e.Items, func(item Item) bool {
		return item.Store == store && item.Stored == nil && (!item.isSealed() || e.DryRun)
	})
}

// sealAll seals every value before the first write, so that none is lost.
func (e *executor) sealAll() []error {
	errs := make([]error, len(e.Items))
	access, _ := e.desired.fixed()
	for i, item := range e.Items {
		if item.Stored != nil || e.ListOnly {
			continue
		}
		sealed := item.Sealed
		if !item.isSealed() {
			key, err := e.keys[item.Store].fetched()
			if err == nil {
				sealed, err = seal.Seal(e.Rand, key, item.Value)
			}
			errs[i] = err
		}
		e.recordSealed(i, sealed)
		e.results[i].Access = access // if known, for storing it manually
	}
	return errs
}

// recordSealed sets the sealed value to send, also in the result.
func (e *executor) recordSealed(i int, sealed seal.Sealed) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sealed[i] = sealed
	r := &e.results[i]
	r.KeyID, r.PublicKey, r.EncryptedValue = sealed.KeyID, sealed.PublicKey, sealed.EncryptedValue
}

// finish completes a result and passes it on.
func (e *executor) finish(i int, op secret.Operation, p plan, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := &e.results[i]
	r.Operation, r.Change, r.Err = op, p.change, err
	if p.access.Visibility != "" {
		r.Access = p.access
	}
	if err == nil || r.Stored() {
		r.EncryptedValue = ""
	}
	if e.OnResult != nil {
		e.OnResult(*r)
	}
	e.progress(*r)
}

// store writes one item, or in a dry run makes the same plan and sends nothing. A write whose operation only a read can
// tell is left for settle.
func (e *executor) store(ctx context.Context, i int) {
	switch {
	case ctx.Err() != nil:
		e.finish(i, secret.Failed, plan{}, errSkipped)
	case e.DryRun:
		p, op, err := e.dryRun(ctx, i)
		e.finish(i, op, p, err)
	default:
		w := &write{i: i}
		w.err = e.write(ctx, w)
		e.snapshots[e.Items[i].Store].pending.Add(-1)
		if e.needsRead(w) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.unsettled = append(e.unsettled, w)
			return
		}
		e.finishWrite(w)
	}
}

func (e *executor) dryRun(ctx context.Context, i int) (plan, secret.Operation, error) {
	item := e.Items[i]
	p, err := e.plan(ctx, item)
	if err == nil && item.isSealed() {
		var key seal.PublicKey
		if key, err = e.keys[item.Store].fetched(); err == nil && key.ID() != item.Sealed.KeyID {
			err = keyRotated(item.Store, item.Sealed.KeyID, key.ID())
		}
	}
	switch {
	case err != nil:
		return p, secret.Failed, err
	case e.ListOnly && !p.change.Any():
		return p, secret.Unchanged, nil
	case p.existing.Exists:
		return p, secret.WouldUpdate, nil
	}
	return p, secret.WouldCreate, nil
}

// write is the state of one item's write.
type write struct {
	i    int // the item's index
	plan plan
	// existing is the secret before the first attempt that GitHub may have applied.
	existing secret.Existing
	// firstAttempt is when that was sent; zero if none was.
	firstAttempt time.Time
	created      bool // GitHub confirmed the write with 201
	unchanged    bool // nothing had to be written
	unconfirmed  bool // GitHub may have applied an attempt other than the one that it confirmed
	cutOff       bool // GitHub may still apply one
	err          error
}

// write makes attempts until one succeeds or none is left: wait, read the access, send.
func (e *executor) write(ctx context.Context, w *write) (err error) {
	var last error // of an attempt
	item, reseals := e.Items[w.i], 0
	attempts := e.GitHub.Put
	if e.ListOnly {
		attempts = e.GitHub.SetRepositories
	}
	for put, final := range attempts(ctx, item.Store, item.Name) {
		if final != nil {
			return final
		}
		next, planErr := e.plan(ctx, item)
		if planErr != nil {
			return w.notSentAgain(last, planErr)
		}
		if sealErr := e.sealToCurrentKey(w.i); sealErr != nil {
			return w.notSentAgain(last, sealErr)
		}
		if e.ListOnly && !w.unconfirmed && !next.change.Any() {
			w.plan, w.unchanged = next, true
			return nil
		}
		e.noteAttempt(w, next)
		w.created, err = put(e.sealed[w.i], next.access)
		last = err
		w.unconfirmed = w.unconfirmed || errors.Is(err, secret.ErrOutcomeUnknown)
		w.cutOff = w.cutOff || errors.Is(err, secret.ErrCutOff)
		if errors.Is(err, secret.ErrUnprocessable) {
			resealed := false
			if reseals++; reseals <= maxReseals && !e.ListOnly {
				resealed, err = e.reseal(ctx, w.i, err)
			}
			if !resealed {
				return err
			}
		}
	}
	return err
}

// noteAttempt notes the plan of an attempt. The change of access is that against the secret before any attempt that
// GitHub may have applied.
func (e *executor) noteAttempt(w *write, next plan) {
	if !w.unconfirmed {
		w.existing, w.firstAttempt = next.existing, time.Now()
	}
	if e.desired.needsExisting() {
		next.change = secret.Diff(w.existing, next.access)
	}
	w.plan = next
}

// notSentAgain returns the error of a write whose next attempt could not be prepared. last is the error of the attempt
// before, which matters if GitHub may have applied the write.
func (w *write) notSentAgain(last, err error) error {
	e, ok := errors.AsType[*secret.Error](last)
	if !ok || !w.unconfirmed {
		return err
	}
	combined, cause := *e, secret.AsError(err)
	why := cause.Fact()
	combined.Cause, combined.Hint = cause.Cause, cause.Hint
	if errors.Is(err, secret.ErrInterrupted) {
		why = "the run was interrupted"
	}
	combined.Problem += "; not sent again: " + why
	return &combined
}

// sealToCurrentKey seals a value again if the store's key has changed since, so that it is not refused first.
func (e *executor) sealToCurrentKey(i int) error {
	item, key := e.Items[i], e.keys[e.Items[i].Store].current()
	if e.ListOnly || item.isSealed() || key.ID() == e.sealed[i].KeyID && key.Base64() == e.sealed[i].PublicKey {
		return nil
	}
	sealed, err := seal.Seal(e.Rand, key, item.Value)
	if err == nil {
		e.recordSealed(i, sealed)
	}
	return err
}

// reseal fetches the store's key after GitHub refused a value, and seals the value again if the key has changed. A
// value that is already sealed cannot be; the error says so and names both keys. Otherwise refused is returned.
func (e *executor) reseal(ctx context.Context, i int, refused error) (resealed bool, err error) {
	item, old := e.Items[i], e.sealed[i]
	key, err := e.keys[item.Store].newerThan(ctx, refusal{keyID: old.KeyID, text: secret.AsError(refused).Problem})
	switch {
	case err != nil: // GitHub's 422 matters more than why the key could not be fetched
		return false, refused
	case key.ID() == old.KeyID && (item.isSealed() || key.Base64() == old.PublicKey):
		return false, refused
	case item.isSealed():
		return false, keyRotated(item.Store, old.KeyID, key.ID())
	}
	err = e.sealToCurrentKey(i)
	return err == nil, err
}

func keyRotated(store secret.Store, sealedTo, current string) error {
	return &secret.Error{
		Problem: fmt.Sprintf("the value is sealed with key %s, but the current key for %s secrets is %s",
			sealedTo, store, current),
		Cause: "GitHub rotated the key since the value was sealed, and only the plaintext can be sealed again.",
		Hint:  "Seal the value again, in the job that seals.",
		Is:    []error{secret.ErrCannotOpen},
	}
}

// plan is a write that is decided and not sent.
type plan struct {
	existing secret.Existing
	access   secret.Access
	change   secret.Change
}

// plan decides a write, based on a snapshot at most maxSnapshotAge old.
func (e *executor) plan(ctx context.Context, item Item) (p plan, err error) {
	if !e.desired.needsExisting() && !e.DryRun {
		p.access, err = e.desired.accessFor(p.existing)
		p.change.To = p.access.Visibility
		return p, err
	}
	for range maxReads {
		var readAt time.Time
		if p.existing, readAt, err = e.snapshots[item.Store].get(ctx, item.Name); err != nil {
			return p, err
		}
		if time.Since(readAt) <= maxSnapshotAge {
			if p.access, err = e.desired.accessFor(p.existing); err == nil {
				p.change = secret.Diff(p.existing, p.access)
			}
			return p, err
		}
	}
	return p, &secret.Error{
		Problem: "reading the current access took more than a minute, so it may be out of date", Hint: setExplicitly,
	}
}

const setExplicitly = "Set visibility and selected_repositories explicitly."

// progress returns a function that counts the results of total writes, of which perMinute are sent in a minute, and
// logs how far a batch has come that takes longer than a minute.
func progress(total, perMinute int, log func(string)) func(secret.Result) {
	ended, failed, loggedAt := 0, 0, time.Now()
	return func(result secret.Result) {
		ended++
		if result.Failed() {
			failed++
		}
		if total <= perMinute || ended == total || time.Since(loggedAt) < 20*time.Second {
			return
		}
		loggedAt = time.Now()
		text := countOf(ended-failed, total) + " done"
		if failed > 0 {
			text += fmt.Sprintf(", %s failed or unknown", secret.FormatCount(failed))
		}
		left := time.Duration(total-ended) * time.Minute / time.Duration(perMinute)
		if left >= time.Minute {
			left = left.Round(time.Minute)
		}
		log(fmt.Sprintf("%s, %d a minute, about %s left", text, perMinute, secret.FormatDuration(left)))
	}
}
