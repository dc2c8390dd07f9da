package action

import (
	"context"

	"set-org-secret/internal/secret"
	"set-org-secret/internal/upsert"
)

// upsert stores values, or changes lists of repositories without the values. It logs each result as it completes.
func (s *session) upsert(ctx context.Context) []secret.Result {
	c := s.config
	job := upsert.Job{
		GitHub: s.github, Rand: s.Rand, Visibility: c.Visibility, Selection: c.Selection, DryRun: c.DryRun,
		Log: s.report.Event, Warn: s.report.Warn, OnResult: func(result secret.Result) { s.report.Results(result) },
	}
	add := func(item upsert.Item) {
		job.Items = append(job.Items, item)
		s.report.FitColumn(item.Name)
	}
	for _, e := range c.Entries {
		for _, store := range c.Stores {
			add(upsert.Item{Store: store, Name: e.Name, Value: e.Value})
		}
	}
	for _, row := range c.Sealed {
		add(upsert.Item{Store: row.Store, Name: row.Name, Sealed: row.Sealed, Done: row.Done})
	}
	if c.Mode == secret.ModeAccess {
		job.Change, job.Visibility = c.Change, secret.Selected
		for _, name := range c.Names {
			for _, store := range c.Stores {
				add(upsert.Item{Store: store, Name: name})
			}
		}
	}
	return job.Run(ctx)
}
