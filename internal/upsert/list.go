package upsert

import (
	"cmp"
	"context"

	"set-org-secret/internal/github"
	"set-org-secret/internal/secret"
)

type list struct {
	*executor
	item Item
}

func (l *list) prepare() error { return nil }

func (l *list) next(ctx context.Context, b *github.Budget) (p plan, err error) {
	p.before, err = l.snapshots[l.item.Store].get(ctx, b, l.item.Name)
	if err = cmp.Or(err, checkSelected(p.before)); err != nil {
		return p, err
	}
	if p.access, err = l.desired.accessFor(p.before); err != nil {
		return p, err
	}
	p.unchanged = p.before.Hidden == 0 && p.before.Access.Equal(p.access)
	p.request = l.GitHub.SetRepositories(l.item.Store, l.item.Name, p.access.IDs())
	return p, nil
}

func (l *list) refused(_ context.Context, _ *write, err error) (bool, error) { return false, err }

func (l *list) compare(w *write, now secret.Existing) (shown string, applied bool) {
	if now.Access.Equal(w.before.Access) && now.Hidden == w.before.Hidden {
		return "GitHub still has the list from before", false
	}
	return "GitHub now has another list than before", true
}

func (l *list) complete(i int, w *write) {
	l.results[i].Change, l.results[i].Access = w.change(), w.plan.access
	l.record(i, w.operation(), w.err)
}
