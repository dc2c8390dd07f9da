package upsert

import (
	"cmp"
	"context"
	"slices"

	"set-org-secret/internal/github"
	"set-org-secret/internal/secret"
)

// list is the target of a write that replaces the list of repositories of a secret.
type list struct {
	*executor
	item Item
}

// lists returns the writes that replace the lists of all items.
func (e *executor) lists(ctx context.Context) (tasks []*task) {
	for i, item := range e.Items {
		w := newWrite(&list{e, item})
		tasks = append(tasks, &task{i: i, writes: []*write{w}, finish: func() {
			e.finish(i, e.operation(w), w.err, func(r *secret.Result) {
				r.Change, r.Access = w.change(), w.plan.access
			})
		}})
	}
	e.prefetch(ctx, tasks)
	for _, t := range tasks {
		t.writes[0].err = cmp.Or(e.resolveErr, t.writes[0].err)
	}
	return tasks
}

func (l *list) op() string { return "writing the selected repositories" }

func (l *list) next(ctx context.Context, b *github.Budget) (p plan, err error) {
	if p.before, err = l.snapshots[l.item.Store].get(ctx, b, l.item.Name); err != nil {
		return p, err
	}
	if err = checkSelected(p.before); err != nil {
		return p, err
	}
	if p.access, err = l.desired.accessFor(p.before); err != nil {
		return p, err
	}
	p.unchanged = !secret.Diff(p.before, p.access).Any()
	p.request = l.GitHub.SetRepositories(l.item.Store, l.item.Name, p.access.IDs())
	return p, nil
}

func (l *list) refused(_ context.Context, _ *write, err error) (bool, error) { return false, err }

func (l *list) compare(w *write, now secret.Existing) (shown string, applied bool) {
	if slices.Equal(now.Access.IDs(), w.before.Access.IDs()) && now.Hidden == w.before.Hidden {
		return "GitHub still has the list from before", false
	}
	return "GitHub now has another list than before", true
}
