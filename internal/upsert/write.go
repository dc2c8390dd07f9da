package upsert

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"set-org-secret/internal/github"
	"set-org-secret/internal/secret"
)

// target is a value, a list of repositories or one repository on a list.
type target interface {
	// next plans the next attempt, based on the present state at GitHub.
	next(context.Context, *github.Budget) (plan, error)
	// refused handles a 404 or 422. It reports whether to try again. If not, it returns the error; nil if all is done.
	refused(ctx context.Context, w *write, err error) (retry bool, _ error)
	// compare describes the state at GitHub after the write, and reports whether an attempt may have taken effect.
	compare(w *write, now secret.Existing) (shown string, applied bool)
}

// itemTarget is the target of an item's only write.
type itemTarget interface {
	target
	// prepare does the work that needs no list of repositories, before the first write of the run.
	prepare() error
	// complete completes the result of item i.
	complete(i int, w *write)
}

// plan is an attempt that is decided and not sent yet.
type plan struct {
	before    secret.Existing // the secret as read for this attempt; the zero value if it was not read
	access    secret.Access
	unchanged bool // nothing has to change at GitHub
	request   *github.Request
}

// write is a write to a target, and its effect as far as it is known.
type write struct {
	target
	op     string // names it in errors
	budget *github.Budget
	plan   plan // of the last attempt
	// before is the secret before the first attempt that GitHub may have applied; firstAttempt is when that was sent.
	before       secret.Existing
	firstAttempt time.Time
	created      bool      // the write created the secret; in a dry run, it would
	endedAt      time.Time // when the last attempt ended
	unplanned    bool      // the last attempt could not be planned, so that plan is out of date
	unprovenAt   time.Time // when the last unproven attempt was sent; zero if there is none, or if a read settled it
	err          error
}

func newWrite(t target, op string) *write {
	return &write{target: t, op: op, budget: github.NewBudget()}
}

// isNew reports whether this run looked for the secret before its write and did not find it.
func (w *write) isNew() bool { return !w.before.ReadAt.IsZero() && !w.before.Exists }

func (w *write) isUnproven() bool { return !w.unprovenAt.IsZero() }

// needsRead reports whether only a read after the last attempt can tell the result.
func (w *write) needsRead() bool {
	return w.isUnproven() && (w.err != nil || !w.created && !w.before.Exists)
}

// appliedAt returns the time after which GitHub no longer applies the unproven attempts.
func (w *write) appliedAt() time.Time { return w.unprovenAt.Add(settleDelay) }

// change returns how the write changes access. If the secret was not fully read, it has only the new visibility.
func (w *write) change() secret.Change {
	if w.before.ReadAt.IsZero() || w.before.Err != nil {
		return secret.Change{To: w.plan.access.Visibility}
	}
	return secret.Diff(w.before, w.plan.access)
}

// setPlan sets the plan of the next attempt. After an unproven one, GitHub's state may be its effect: before stays, and
// nothing counts as unchanged.
func (w *write) setPlan(p plan) {
	if w.isUnproven() {
		p.unchanged = false
	} else {
		w.before, w.firstAttempt = p.before, time.Now()
	}
	w.plan = p
}

// task has the writes for one item, which are made one after the other.
type task struct {
	i        int // the item's index
	writes   []*write
	complete func() // completes the result
}

// end completes the result and frees the memory: a batch may have thousands of sealed values.
func (t *task) end() {
	t.complete()
	*t = task{}
}

// tasks reads repositories, keys and existing secrets. It returns a task with one write for each item to be written.
func (e *executor) tasks(ctx context.Context) (tasks []*task) {
	var targets []itemTarget
	var group sync.WaitGroup
	for _, i := range e.pending {
		item := e.Items[i]
		var t itemTarget = &value{executor: e, item: item, sealed: item.Sealed}
		op := "writing the secret"
		if e.Change != "" {
			t, op = &list{e, item}, "writing the selected repositories"
		}
		w := newWrite(t, op)
		targets = append(targets, t)
		tasks = append(tasks, &task{i: i, writes: []*write{w}, complete: func() { t.complete(i, w) }})
		snapshots := e.snapshots[item.Store]
		if item.Name != snapshots.names[0] {
			continue
		}
		if e.Change == "" {
			group.Go(func() { e.keys[item.Store].fetch(ctx, w.budget) })
		}
		group.Go(func() { // fills the cache
			if _, err := snapshots.get(ctx, w.budget, item.Name); !snapshots.optional {
				w.err = err
			}
		})
	}
	if e.Selection != nil {
		group.Go(func() { e.desired.Repositories, e.resolveErr = (&resolver{Job: e.Job}).resolve(ctx) })
	}
	group.Wait()
	for k, t := range targets {
		w := tasks[k].writes[0]
		w.err = cmp.Or(t.prepare(), e.resolveErr, w.err)
	}
	return tasks
}

// execute runs tasks, a few at a time.
func (e *executor) execute(ctx context.Context, tasks []*task) {
	if !e.DryRun && e.Change != secret.ListReplace { // the number is not known: unchanged lists are not written
		e.logWrites(tasks)
	}
	github.Concurrently(maxConcurrentWrites, len(tasks), func(i int) { e.run(ctx, tasks[i]) })
}

// run makes the writes of a task, or plans them in a dry run. It goes on after a 404 or 422: the others may succeed.
func (e *executor) run(ctx context.Context, t *task) {
	var stopped error
	for _, w := range t.writes {
		w.err = cmp.Or(w.err, stopped)
		switch {
		case w.err != nil: // it could not be prepared, or an earlier write failed
		case e.DryRun:
			var p plan
			if p, w.err = w.next(ctx, w.budget); w.err == nil {
				w.setPlan(p)
				w.created = w.isNew()
			}
		default:
			e.send(ctx, w)
		}
		if !secret.IsAny(w.err, secret.ErrNotFound, secret.ErrUnprocessable) {
			stopped = w.err
		}
	}
	if slices.ContainsFunc(t.writes, (*write).needsRead) {
		e.mu.Lock()
		defer e.mu.Unlock()
		store := e.Items[t.i].Store
		e.unsettled[store] = append(e.unsettled[store], t)
		return
	}
	t.end()
}

// send makes attempts until one succeeds or none is left. It plans each after its wait.
func (e *executor) send(ctx context.Context, w *write) {
	var last error // of the last attempt
	for attempt, final := range e.GitHub.Attempts(ctx, w.budget, w.op) {
		if w.err = final; final != nil {
			return
		}
		next, err := w.next(ctx, w.budget)
		if err != nil {
			w.err, w.unplanned = w.notSentAgain(last, err), true
			return
		}
		if w.isUnproven() && !next.access.Equal(w.plan.access) { // GitHub may still apply the older access
			if github.Sleep(ctx, time.Until(w.appliedAt())); ctx.Err() != nil {
				w.err = w.notSentAgain(last, errInterrupted)
				return
			}
		}
		w.setPlan(next)
		if w.plan.unchanged {
			return
		}
		w.created, w.err = attempt.Send(ctx, next.request)
		last, w.endedAt = w.err, time.Now()
		w.unprovenAt = attempt.UnprovenAt()
		if secret.IsAny(w.err, secret.ErrUnprocessable, secret.ErrNotFound) {
			var retry bool
			if retry, w.err = w.refused(ctx, w, w.err); !retry {
				return
			}
		}
	}
}

// notSentAgain returns the error of a write that err ends: err, or after an unproven attempt last, with err as a note.
func (w *write) notSentAgain(last, err error) error {
	if !w.isUnproven() {
		return err
	}
	attempt, cause := secret.AsError(last), secret.AsError(err)
	e := attempt.With("not sent again: " + cause.Fact())
	e.Cause, e.Hint = cause.Cause, cause.Hint
	return e
}

// settle decides the writes that only a read can settle, by reads after all writes; after a signal it reads nothing.
func (e *executor) settle(ctx context.Context) {
	var group sync.WaitGroup
	for store, tasks := range e.unsettled {
		group.Go(func() {
			found := e.readAfter(ctx, store, tasks)
			for _, t := range tasks {
				now, ok := found[e.Items[t.i].Name]
				for _, w := range t.writes {
					if ok && w.needsRead() {
						w.settle(now)
					}
				}
				t.end()
			}
		})
	}
	group.Wait()
}

// readAfter returns the secrets of a store after their writes, as far as they can be read.
func (e *executor) readAfter(ctx context.Context, store secret.Store, tasks []*task) github.Found {
	var at time.Time
	var names []secret.Name
	lookUp := e.GitHub.Lookup
	for _, t := range tasks {
		names = append(names, e.Items[t.i].Name)
		for _, w := range t.writes {
			if w.err != nil && w.appliedAt().After(at) { // a confirmed write needs no delay
				at = w.appliedAt()
			}
			if secret.IsAny(w.err, secret.ErrNotFound, secret.ErrNotFromAPI) {
				lookUp = e.GitHub.LookupInList // with a revoked token or behind a gateway, any secret gets 404
			}
		}
	}
	b := e.GitHub.SendOnce(ctx, "read whether a failed write took effect", at)
	if e.Change == "" {
		found, _ := lookUp(ctx, b, store, names...)
		return found
	}
	after := github.Found{}
	for _, t := range tasks {
		now, err := e.readList(ctx, b, e.Items[t.i])
		if err != nil {
			return after // a server that does not respond costs one request
		}
		if now.Listed {
			after[now.Name] = now
		}
	}
	return after
}

// settle decides the result of a write by the secret after it.
func (w *write) settle(now secret.Existing) {
	var applied bool
	if w.err == nil { // confirmed with 204: this attempt updated a secret that an earlier one may have created
		// All attempts were applied within this time after the first.
		took := w.endedAt.Sub(w.firstAttempt) + settleDelay
		w.created = now.Exists && now.UpdatedAt.Sub(now.CreatedAt) <= took
		applied = !now.Exists
	} else {
		var shown string
		shown, applied = w.compare(w, now)
		w.err = secret.AsError(w.err).With(shown)
	}
	if !applied {
		w.unprovenAt = time.Time{}
	}
}

// operation returns the result of a write.
func (w *write) operation() secret.Operation {
	switch {
	case w.err != nil && w.isUnproven():
		return secret.Unknown
	case w.err != nil:
		return secret.Failed
	case w.plan.unchanged:
		return secret.Unchanged
	case w.created, w.isNew() && w.isUnproven():
		return secret.Created
	}
	return secret.Updated
}
