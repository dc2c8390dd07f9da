package upsert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"set-org-secret/internal/github"
	"set-org-secret/internal/secret"
)

// member is the target of a write that adds one repository to the list of a secret, or removes one. It preserves the
// rest of the list, even if the token cannot see all of it, and concurrent runs do not undo each other.
type member struct {
	*memberList
	repo secret.Repository
}

// memberList is one secret, with the repositories to add to its list or to remove from it.
type memberList struct {
	*executor
	item    Item
	before  secret.Existing
	members []*member
	notes   []string
	err     error // why nothing is written, or not every repository that a glob may match
}

// members returns the writes that add repositories to the lists of all items, or remove them.
func (e *executor) members(ctx context.Context) (tasks []*task) {
	r := &resolver{Job: e.Job}
	repos, resolveErr := r.resolve(ctx)
	lists := make([]*memberList, len(e.Items))
	github.Concurrently(github.MaxConcurrentReads, len(lists), func(i int) {
		lists[i] = &memberList{executor: e, item: e.Items[i], err: resolveErr}
		if resolveErr == nil {
			lists[i].err = lists[i].choose(ctx, r, repos)
		}
	})
	for i, l := range lists {
		for _, note := range l.notes {
			e.Log(fmt.Sprintf("%s in %s: %s", l.item.Name, l.item.Store, note))
		}
		t := &task{i: i}
		for _, m := range l.members {
			op := fmt.Sprintf("%s repository %d", verbs[e.Change].present, m.repo.ID)
			t.writes = append(t.writes, newWrite(m, op))
		}
		t.complete = func() { l.complete(i, t.writes) }
		tasks = append(tasks, t)
	}
	return tasks
}

// choose reads the list and decides which repositories to add to it, or to remove from it.
func (l *memberList) choose(ctx context.Context, r *resolver, repos []secret.Repository) (err error) {
	l.before, err = l.readList(ctx, github.NewBudget(), l.item)
	if err = cmp.Or(err, checkSelected(l.before)); err != nil {
		return err
	}
	incomplete := r.partial
	if r.fromList() {
		if repos, l.notes, err = r.selectFrom(l.before.Access.Repositories); err != nil {
			return err
		}
		if len(r.Selection.Patterns) > 0 && l.before.Hidden != 0 {
			incomplete = hiddenError(l.before, ", and a glob may mean the others")
		}
	}
	for _, repo := range repos {
		m := &member{memberList: l, repo: repo}
		switch {
		case m.wasListed() == r.fromList(), l.before.Hidden != 0 && !m.wasListed():
			l.members = append(l.members, m)
		case r.fromList():
			l.notes = append(l.notes, repo.String()+" is not on the list")
		}
	}
	return incomplete
}

// readList returns a secret with its list, if it has one.
func (e *executor) readList(ctx context.Context, b *github.Budget, item Item) (secret.Existing, error) {
	selected := secret.Existing{Name: item.Name, Exists: true, Access: secret.Access{Visibility: secret.Selected}}
	return e.GitHub.WithRepositories(ctx, b, item.Store, selected)
}

func (m *member) wasListed() bool { return contains(m.before.Access.Repositories, m.repo) }

var verbs = map[secret.ListChange]struct{ present, past string }{
	secret.ListAdd: {"adding", "added"}, secret.ListRemove: {"removing", "removed"},
}

func (m *member) next(context.Context, *github.Budget) (plan, error) {
	request := m.GitHub.ChangeRepository(m.Change, m.item.Store, m.item.Name, m.repo.ID)
	return plan{before: m.before, request: request}, nil
}

// refused checks the list after a 404 to a removal, which GitHub does not document: the repository may be off the list,
// or the token may not see it.
func (m *member) refused(ctx context.Context, w *write, err error) (retry bool, _ error) {
	if m.Change != secret.ListRemove || !errors.Is(err, secret.ErrNotFound) {
		return false, err
	}
	now, _ := m.readList(ctx, w.budget, m.item)
	if !now.Listed || now.Hidden != 0 || contains(now.Access.Repositories, m.repo) {
		return false, err
	}
	w.plan.unchanged, m.before = !w.isUnproven(), now
	return false, nil
}

func (m *member) compare(_ *write, now secret.Existing) (shown string, applied bool) {
	isAdded := m.Change == secret.ListAdd
	if contains(now.Access.Repositories, m.repo) {
		return "GitHub shows it on the list", isAdded
	}
	return "GitHub does not show it on the list", !isAdded || now.Hidden != 0
}

func (l *memberList) complete(i int, writes []*write) {
	var changed []secret.Repository
	var ops []secret.Operation
	var err error
	for k, w := range writes {
		op := w.operation()
		if op == secret.Updated {
			changed = append(changed, l.members[k].repo)
		}
		ops, err = append(ops, op), cmp.Or(err, w.err)
	}
	if err = cmp.Or(err, l.err); err != nil && len(writes) > 1 && !l.DryRun {
		err = secret.AsError(err).With(fmt.Sprintf("%s of %s repositories were %s",
			secret.FormatCount(len(changed)), secret.FormatCount(len(writes)), verbs[l.Change].past))
	}
	op := secret.Unchanged
	switch {
	case slices.Contains(ops, secret.Unknown):
		op = secret.Unknown
	case err != nil:
		op = secret.Failed
	case len(changed) > 0:
		op = secret.Updated
	}
	l.recordChanges(&l.results[i], changed)
	l.record(i, op, err)
}

func (l *memberList) recordChanges(r *secret.Result, changed []secret.Repository) {
	r.Hidden, r.Access = l.before.Hidden, l.before.Access
	r.Change = secret.Change{From: r.Access.Visibility, To: r.Access.Visibility}
	ids := secret.Access{Repositories: changed}.IDs()
	if l.Change == secret.ListAdd {
		r.Added, r.Change.Added = ids, changed
		r.Access.Repositories = slices.Concat(r.Access.Repositories, changed)
		return
	}
	r.Removed, r.Change.Removed = ids, changed
	r.Access.Repositories = slices.DeleteFunc(slices.Clone(r.Access.Repositories), func(repo secret.Repository) bool {
		return contains(changed, repo)
	})
}

func contains(list []secret.Repository, repo secret.Repository) bool {
	return slices.ContainsFunc(list, func(other secret.Repository) bool { return other.ID == repo.ID })
}
