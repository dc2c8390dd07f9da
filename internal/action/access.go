package action

import (
	"context"

	"set-org-secret/internal/secret"
	"set-org-secret/internal/upsert"
)

// access replaces the lists of selected repositories, or adds to them or removes from them, without the values.
func (s *session) access(ctx context.Context) []secret.Result {
	c := s.config
	var items []upsert.Item
	for _, name := range c.Names {
		for _, store := range c.Stores {
			items = append(items, upsert.Item{Store: store, Name: name})
		}
	}
	return s.upsert(ctx, upsert.Job{Items: items, Change: c.Change})
}
