package action

import (
	"context"

	"set-org-secret/internal/secret"
	"set-org-secret/internal/upsert"
)

func (s *session) set(ctx context.Context) []secret.Result {
	c := s.config
	var items []upsert.Item
	for _, e := range c.Entries {
		for _, store := range c.Stores {
			items = append(items, upsert.Item{Store: store, Name: e.Name, Value: e.Value})
		}
	}
	for _, row := range c.Sealed {
		items = append(items, upsert.Item{Store: row.Store, Name: row.Name, Sealed: row.Sealed, Done: row.Done})
	}
	return s.upsert(ctx, upsert.Job{Items: items})
}

// upsert runs a job and logs each result as it completes.
func (s *session) upsert(ctx context.Context, job upsert.Job) []secret.Result {
	c := s.config
	for _, item := range job.Items {
		s.report.FitColumn(item.Name)
	}
	job.GitHub, job.Rand, job.DryRun, job.Log, job.Warn = s.github, s.Rand, c.DryRun, s.report.Event, s.report.Warn
	job.Visibility, job.Selection = c.Visibility, c.Selection
	job.OnResult = func(result secret.Result) { s.report.Results(result) }
	return job.Run(ctx)
}
