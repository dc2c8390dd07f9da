package action

import (
	"context"
	"time"

	"set-org-secret/internal/github"
	"set-org-secret/internal/secret"
	"set-org-secret/internal/upsert"
)

// set seals the plaintexts, or takes what came sealed, and stores all of it.
func (r *session) set(ctx context.Context) []secret.Result {
	c := r.config
	var items []upsert.Item
	for _, e := range c.Entries {
		for _, store := range c.Stores {
			items = append(items, upsert.Item{Store: store, Name: e.Name, Value: e.Value})
		}
	}
	for _, s := range c.Sealed {
		items = append(items, upsert.Item{Store: s.Store, Name: s.Name, Sealed: s.Sealed, Stored: s.Stored})
	}
	return r.upsert(ctx, upsert.Job{Items: items})
}

// upsert runs a job and reports each result as it completes.
func (r *session) upsert(ctx context.Context, job upsert.Job) []secret.Result {
	c := r.config
	columns := width(job.Items, func(i upsert.Item) secret.Name { return i.Name })
	progress := progress{total: len(job.Items), last: time.Now()}
	job.GitHub, job.Rand, job.DryRun, job.Log, job.Warn = r.github, r.Rand, c.DryRun, r.report.Line, r.report.Warn
	job.Visibility, job.Selection = c.Visibility, c.Selection
	job.WritesPerMinute, job.MaxConcurrentReads = github.WritesPerMinute, github.MaxConcurrentReads
	job.OnResult = func(result secret.Result) {
		r.report.Row(result, columns)
		if left, ok := progress.step(time.Now()); ok {
			r.report.Progress(progress.done, progress.total, left)
		}
	}
	return job.Run(ctx)
}

// progress says when a long run is worth a line about how far it has come.
type progress struct {
	total, done int
	last        time.Time
}

const progressEvery = 20 * time.Second

// step counts one more as done, and estimates from the pace what is left.
func (p *progress) step(now time.Time) (left time.Duration, tell bool) {
	p.done++
	if p.total <= github.WritesPerMinute || p.done == p.total || now.Sub(p.last) < progressEvery {
		return 0, false
	}
	p.last = now
	return time.Duration(p.total-p.done) * time.Minute / github.WritesPerMinute, true
}
