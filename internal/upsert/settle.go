package upsert

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"set-org-secret/internal/secret"
)

// needsRead reports whether only a read after the last attempt can tell the operation of a write.
func (e *executor) needsRead(w *write) bool {
	existed := e.desired.needsExisting() && w.existing.Exists
	return w.unconfirmed && (w.err != nil || !w.created && !existed)
}

// settle reads once, without retries, the secrets whose operation only a read can tell, and completes their
// results. After a signal, which cancels ctx, nothing is read.
func (e *executor) settle(ctx context.Context) {
	byStore := map[secret.Store][]*write{}
	for _, w := range e.unsettled {
		store := e.Items[w.i].Store
		byStore[store] = append(byStore[store], w)
	}
	var group errgroup.Group
	for store, writes := range byStore {
		group.Go(func() error {
			found := e.readAfter(ctx, store, writes)
			for _, w := range writes {
				if existing, ok := found[w]; ok {
					e.settleWrite(w, existing)
				}
				e.finishWrite(w)
			}
			return nil
		})
	}
	_ = group.Wait()
}

// readAfter returns the secrets of a store after their writes, as far as they can be read.
func (e *executor) readAfter(ctx context.Context, store secret.Store, writes []*write) map[*write]secret.Existing {
	ctx, cancel := e.GitHub.WithoutRetry(ctx)
	defer cancel()
	found := map[*write]secret.Existing{}
	switch {
	case e.ListOnly:
		for _, w := range writes {
			list, hidden, err := e.GitHub.SelectedRepositories(ctx, store, e.Items[w.i].Name)
			if errors.Is(err, secret.ErrNotFound) || errors.Is(err, secret.ErrConflict) {
				continue
			}
			if err != nil {
				break // a server that does not respond costs one request
			}
			access := secret.Access{Visibility: secret.Selected, Repositories: list}
			found[w] = secret.Existing{Exists: true, Access: access, Hidden: hidden}
		}
	// A token that lost its access, and some gateways, get 404 for everything, but no list.
	case len(writes) == 1 && !isAny(writes[0].err, secret.ErrNotFound, secret.ErrNotFromAPI):
		if existing, err := e.GitHub.Secret(ctx, store, e.Items[writes[0].i].Name); err == nil {
			found[writes[0]] = existing
		}
	default:
		list, complete, _ := e.GitHub.Secrets(ctx, store, len(writes))
		byName := map[secret.Name]secret.Existing{}
		for _, existing := range list {
			byName[existing.Name] = existing
		}
		for _, w := range writes {
			if existing := byName[e.Items[w.i].Name]; existing.Exists || complete {
				found[w] = existing
			}
		}
	}
	return found
}

func isAny(err error, targets ...error) bool {
	return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
}

// settleWrite decides the operation of a write by the secret after it.
func (e *executor) settleWrite(w *write, now secret.Existing) {
	// Seconds, the resolution of GitHub's times, by GitHub's clock.
	first := e.GitHub.Now().Add(-time.Since(w.firstAttempt)).Truncate(time.Second)
	if w.err == nil { // confirmed with 204, which an earlier attempt may explain
		w.created = now.Exists && !now.CreatedAt.Before(first)
		w.unconfirmed = !now.Exists
		return
	}
	var text string
	var applied bool
	switch before := w.existing; {
	case e.ListOnly:
		same := slices.Equal(now.Access.IDs(), before.Access.IDs()) && now.Hidden == before.Hidden
		text, applied = "GitHub now has another list than before", !same
		if same {
			text = "GitHub still has the list from before"
		}
	case !now.Exists:
		text, applied = "GitHub shows no such secret", before.Exists
	default:
		applied = !now.UpdatedAt.Before(first)
		when := "before this run began writing"
		switch {
		case now.UpdatedAt.After(first):
			when = "after this run began writing"
		case applied:
			when = "in the second in which this run began writing"
		}
		at := now.UpdatedAt.UTC().Format("2006-01-02 15:04:05 UTC")
		text = "GitHub shows an update at " + at + ", " + when
	}
	w.err = withShown(w.err, text)
	// An attempt that was cut off may still be applied.
	w.unconfirmed = applied || w.cutOff
}

// withShown adds the state at GitHub after the last attempt to an error.
func withShown(err error, text string) error {
	e, ok := errors.AsType[*secret.Error](err)
	if !ok {
		return err
	}
	shown := *e
	shown.Shown = text
	return &shown
}

// finishWrite completes the result of a write.
func (e *executor) finishWrite(w *write) {
	switch {
	case w.err != nil && w.unconfirmed:
		e.finish(w.i, secret.Unknown, w.plan, w.err)
	case w.err != nil:
		e.finish(w.i, secret.Failed, w.plan, w.err)
	case w.unchanged:
		e.finish(w.i, secret.Unchanged, w.plan, nil)
	case w.created, w.unconfirmed && e.isNew(w):
		e.finish(w.i, secret.Created, w.plan, nil)
	case e.isNew(w):
		e.finish(w.i, secret.Updated, w.plan, e.overwritten(w))
	default:
		e.finish(w.i, secret.Updated, w.plan, nil)
	}
}

// isNew reports whether this run looked for the secret before its write and did not find it.
func (e *executor) isNew(w *write) bool { return e.desired.needsExisting() && !w.existing.Exists }

// overwritten returns the error for an existing secret that was overwritten because this run had not found it. If the
// inputs give the access, it only warns.
func (e *executor) overwritten(w *write) error {
	item, access := e.Items[w.i], w.plan.access
	if _, ok := e.desired.fixed(); ok {
		e.Warn(fmt.Sprintf("%s in %s: this run did not find the secret, but GitHub updated an existing one. "+
			"Its access is now as the inputs say.", item.Name, item.Store))
		return nil
	}
	return &secret.Error{
		Problem: "an existing secret was overwritten that this run had not found, and its access is now " +
			string(access.Visibility),
		Cause: "GitHub returned 404 for it before the write, and 204, which is an update, to the write: it was " +
			"created in between, or this token could not see it. Every private and internal repository can now " +
			"read the value.",
		Hint: "The value is stored: do not rotate again. If fewer should read it, change that on the page of the " +
			"organization's secrets.",
	}
}
