package upsert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"set-org-secret/internal/seal"
	"set-org-secret/internal/secret"
)

// listWrite is one secret to whose list repositories are added, or from which they are removed.
type listWrite struct {
	i      int // the item's index
	before []secret.Repository
	hidden int // repositories on the list that the token cannot see
	writes []*repositoryWrite
	notes  []string
	err    error // why nothing is written
}

// repositoryWrite is the write of one repository.
type repositoryWrite struct {
	repo                repository
	wasListed           bool
	confirmed           bool
	unconfirmed, cutOff bool
	err                 error
}

type repository = secret.Repository

// changeLists adds repositories to the lists of secrets, or removes them, one request each, and leaves the rest of each
// list alone: a token that cannot see all of it takes nothing away, and concurrent runs do not undo each other.
func (e *executor) changeLists(ctx context.Context) {
	r := &resolver{
		github: e.GitHub, selection: *e.Selection, maxConcurrent: e.MaxConcurrentReads, log: e.Log, warn: e.Warn,
		fromList: e.Change == secret.ListRemove,
	}
	var added []repository
	var resolveErr error
	lookUp := e.GitHub.WithRetryBudget(ctx)
	if r.fromList {
		if resolveErr = r.lookUp(lookUp); resolveErr == nil {
			r.warnRenamed()
		}
	} else {
		added, resolveErr = r.resolve(lookUp)
	}
	lists := make([]*listWrite, len(e.Items))
	var group errgroup.Group
	group.SetLimit(e.MaxConcurrentReads)
	for i := range e.Items {
		lists[i] = &listWrite{i: i, err: resolveErr}
		if resolveErr == nil {
			group.Go(func() error {
				lists[i].err = e.planList(e.GitHub.WithRetryBudget(ctx), lists[i], r, added)
				return nil
			})
		}
	}
	_ = group.Wait()
	for _, l := range lists {
		for _, note := range l.notes {
			e.Log(fmt.Sprintf("%s in %s: %s", e.Items[l.i].Name, e.Items[l.i].Store, note))
		}
	}
	if !e.DryRun {
		e.logWrites(lists)
	}
	group = errgroup.Group{}
	group.SetLimit(maxConcurrentWrites)
	for _, l := range lists {
		group.Go(func() error {
			if l.err == nil && !e.DryRun {
				e.writeList(ctx, l)
			}
			e.finishList(l)
			return nil
		})
	}
	_ = group.Wait()
}

// logWrites logs how many writes there will be, and how long the write limiter makes them take.
func (e *executor) logWrites(lists []*listWrite) {
	n := 0
	for _, l := range lists {
		n += len(l.writes)
	}
	text := "writes to send: " + secret.FormatCount(n)
	if minutes := (n - 1) / e.WritesPerMinute; minutes > 0 {
		text += fmt.Sprintf(", at most %d a minute, which takes about %s",
			e.WritesPerMinute, secret.FormatDuration(time.Duration(minutes)*time.Minute))
	}
	if n > 0 {
		e.Log(text)
	}
}

// planList reads a secret's list and decides which writes it takes.
func (e *executor) planList(ctx context.Context, l *listWrite, r *resolver, repos []repository) (err error) {
	item := e.Items[l.i]
	read := e.GitHub.VisibleRepositories
	if r.fromList && len(r.selection.Patterns) > 0 {
		read = e.GitHub.SelectedRepositories // a pattern has to see the whole list
	}
	l.before, l.hidden, err = read(ctx, item.Store, item.Name)
	switch {
	case errors.Is(err, secret.ErrNotFound):
		return errNoSecret
	case errors.Is(err, secret.ErrConflict):
		return errNotSelected("is not selected")
	case err != nil:
		return err
	}
	if e.DryRun || len(l.before) == 0 { // GitHub may return an empty list for a secret that has none
		existing, err := e.GitHub.Secret(ctx, item.Store, item.Name)
		if err != nil {
			return err
		}
		if _, err := e.desired.listFor(existing); err != nil {
			return err
		}
	}
	if r.fromList {
		var matches []int
		if repos, matches, err = r.selectFrom(l.before); err != nil {
			return err
		}
		for i, p := range r.selection.Patterns {
			l.notes = append(l.notes, fmt.Sprintf("%s matches %d of the %d repositories on the list that this token "+
				"can see", p.Text, matches[i], len(l.before)))
		}
	}
	for _, repo := range repos {
		onList := contains(l.before, repo)
		switch {
		case onList == r.fromList, l.hidden != 0 && !onList:
			l.writes = append(l.writes, &repositoryWrite{repo: repo, wasListed: onList})
		case r.fromList:
			l.notes = append(l.notes, repo.String()+" is not on the list")
		}
	}
	return nil
}

// writeList sends the writes of one secret, one after the other. It continues after a refusal that concerns only one
// repository.
func (e *executor) writeList(ctx context.Context, l *listWrite) {
	for i, w := range l.writes {
		if ctx.Err() != nil {
			w.err = errSkipped
			continue
		}
		e.writeRepository(e.GitHub.WithRetryBudget(ctx), e.Items[l.i], w)
		if w.err != nil && !errors.Is(w.err, secret.ErrNotFound) && !errors.Is(w.err, secret.ErrUnprocessable) {
			for _, rest := range l.writes[i+1:] {
				rest.err = w.err
			}
			break
		}
	}
	if slices.ContainsFunc(l.writes, func(w *repositoryWrite) bool { return w.unconfirmed && w.err != nil }) {
		e.settleList(ctx, l)
	}
}

func (e *executor) writeRepository(ctx context.Context, item Item, w *repositoryWrite) {
	attempts := e.GitHub.AddRepository
	if e.Change == secret.ListRemove {
		attempts = e.GitHub.RemoveRepository
	}
	for send, final := range attempts(ctx, item.Store, item.Name, w.repo.ID) {
		if w.err = final; final != nil {
			break
		}
		_, w.err = send(seal.Sealed{}, secret.Access{})
		w.unconfirmed = w.unconfirmed || errors.Is(w.err, secret.ErrOutcomeUnknown)
		w.cutOff = w.cutOff || errors.Is(w.err, secret.ErrCutOff)
		if errors.Is(w.err, secret.ErrUnprocessable) {
			break
		}
	}
	if errors.Is(w.err, secret.ErrNotFound) && e.Change == secret.ListRemove {
		// GitHub does not document the meaning of a 404: a repository that is not on the list is done.
		list, _, err := e.GitHub.VisibleRepositories(ctx, item.Store, item.Name)
		if err == nil && !contains(list, w.repo) {
			w.err, w.confirmed = nil, w.wasListed || w.unconfirmed
		}
		return
	}
	w.confirmed = w.err == nil
}

// settleList reads the list once after writes whose result is unknown.
func (e *executor) settleList(ctx context.Context, l *listWrite) {
	ctx, cancel := e.GitHub.WithoutRetry(ctx)
	defer cancel()
	item := e.Items[l.i]
	list, hidden, err := e.GitHub.VisibleRepositories(ctx, item.Store, item.Name)
	if err != nil {
		return
	}
	for _, w := range l.writes {
		if !w.unconfirmed || w.err == nil {
			continue
		}
		onList := contains(list, w.repo)
		text, applied := "GitHub shows it on the list", e.Change == secret.ListAdd
		if !onList {
			text, applied = "GitHub does not show it on the list", e.Change == secret.ListRemove
		}
		w.err = withShown(w.err, text)
		w.unconfirmed = applied || w.cutOff || hidden != 0 && !onList
	}
}

// finishList completes the result of one secret.
func (e *executor) finishList(l *listWrite) {
	op, err := secret.Unchanged, l.err
	var changed []repository
	failed, unknown := 0, 0
	for _, w := range l.writes {
		switch {
		case w.confirmed, e.DryRun:
			changed = append(changed, w.repo)
		case w.err == nil: // was not on the list
		case w.unconfirmed:
			unknown++
			err = cmp.Or(err, w.err)
		default:
			failed++
			err = cmp.Or(err, w.err)
		}
	}
	hasPattern := e.Change == secret.ListRemove && len(e.Selection.Patterns) > 0
	if err == nil && l.hidden != 0 && hasPattern {
		failed++
		err = &secret.Error{
			Problem: fmt.Sprintf("the token cannot see %s repositories on the list, and a pattern may match them",
				countOf(l.hidden, len(l.before)+l.hidden)),
			Hint: "Use a token that can see all of them, or name the repositories or their ids.",
		}
	}
	switch {
	case l.err != nil, failed > 0 && unknown == 0:
		op = secret.Failed
	case unknown > 0:
		op = secret.Unknown
	case e.DryRun && len(changed) > 0:
		op = secret.WouldUpdate
	case len(changed) > 0:
		op = secret.Updated
	}
	if (failed > 0 || unknown > 0) && len(l.writes) > 1 && !e.DryRun {
		err = partly(err, len(changed), len(l.writes), e.Change)
	}
	e.finishChange(l, op, changed, err)
}

// finishChange records the confirmed changes of a list.
func (e *executor) finishChange(l *listWrite, op secret.Operation, changed []repository, err error) {
	p := plan{change: secret.Change{From: secret.Selected, To: secret.Selected}}
	p.access = secret.Access{Visibility: secret.Selected}
	ids := make([]int64, 0, len(changed))
	for _, repo := range changed {
		ids = append(ids, repo.ID)
	}
	e.mu.Lock()
	result := &e.results[l.i]
	switch result.Hidden = l.hidden; e.Change {
	case secret.ListAdd:
		p.change.Added, result.Added = changed, ids
		p.access.Repositories = uniqueByID(slices.Concat(l.before, changed))
	default:
		p.change.Removed, result.Removed = changed, ids
		p.access.Repositories = slices.DeleteFunc(slices.Clone(l.before), func(repo repository) bool {
			return slices.Contains(ids, repo.ID)
		})
	}
	e.mu.Unlock()
	if l.err != nil {
		p = plan{}
	}
	e.finish(l.i, op, p, err)
}

// partly adds to an error how far a list was changed.
func partly(err error, done, all int, change secret.ListChange) error {
	e, ok := errors.AsType[*secret.Error](err)
	if !ok {
		return err
	}
	verb := map[secret.ListChange]string{secret.ListAdd: "added", secret.ListRemove: "removed"}[change]
	copied := *e
	copied.Shown = fmt.Sprintf("%s; %s repositories were %s", e.Shown, countOf(done, all), verb)
	copied.Shown = strings.TrimPrefix(copied.Shown, "; ")
	return &copied
}

func countOf(n, all int) string { return secret.FormatCount(n) + " of " + secret.FormatCount(all) }

// contains reports whether a repository is on a list.
func contains(list []repository, repo repository) bool {
	return slices.ContainsFunc(list, func(other repository) bool { return other.ID == repo.ID })
}
