package github

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	perPage = 100 // GitHub's maximum
	// maxListReads is how many times a list is read if its total does not match.
	maxListReads = 3
	// maxPages is ten times the longest list of the largest organizations.
	maxPages = 10_000
)

// list is a list that is read page by page.
type list[T any] struct {
	client *Client
	budget *Budget
	call   *call
	// parse returns the entries of a page and the total that it reports; 0 if it reports none.
	parse func(body []byte) (entries []T, total int, err error)
}

// pages is a list that was read.
type pages[T any] struct {
	entries   []T
	total     int  // the largest that a page reports; 0 if none does
	truncated bool // there are more pages than the limit; entries has the first
	shifted   bool // pages report different totals
	count     int  // of pages
	readAt    time.Time
}

// matchesTotal reports whether the list has as many entries as GitHub counts.
func (p pages[T]) matchesTotal() bool { return !p.shifted && len(p.entries) == p.total }

// unique drops duplicate entries, which a list has if its pages shift while they are read.
func unique[T any, K comparable](entries []T, key func(T) K) []T {
	seen := make(map[K]bool, len(entries))
	return slices.DeleteFunc(entries, func(v T) bool {
		k := key(v)
		isDuplicate := seen[k]
		seen[k] = true
		return isDuplicate
	})
}

// readWhole reads a list that reports its total. It reads up to so many times if the total does not match, since pages
// shift if the list changes while it is read.
func readWhole[T any, K comparable](
	ctx context.Context, l list[T], reads, limit int, key func(T) K,
) (all pages[T], err error) {
	for range reads {
		if all, err = l.read(ctx, limit); err != nil {
			return pages[T]{}, err
		}
		if all.entries = unique(all.entries, key); all.truncated || all.matchesTotal() {
			break
		}
	}
	return all, nil
}

// page is one page of a list, with the total that it reports, or 0.
type page[T any] struct {
	response
	entries []T
	total   int
}

// isLast reports whether a page proves that no other follows it: it has no link to a next one. A full page without any
// links proves nothing, unless the list has a total.
func (p page[T]) isLast() bool {
	return p.nextPage == 0 && (p.hasLinks || p.total > 0 || len(p.entries) < perPage)
}

// read reads page 1, the pages that it announces concurrently, and then one by one any that follow. It stops if there
// are more than limit.
func (l list[T]) read(ctx context.Context, limit int) (pages[T], error) {
	readAt := time.Now()
	first, err := l.readPage(ctx, 1)
	if err != nil {
		return pages[T]{}, err
	}
	truncated := pages[T]{entries: first.entries, total: first.total, truncated: true, readAt: readAt}
	tooLong := unreadable(l.call, first.response, fmt.Errorf("a list of more than %d pages", maxPages))
	limit = min(limit, maxPages+1) // maxPages+1 is no limit
	last := max(first.lastPage, (first.total+perPage-1)/perPage, 1)
	switch {
	case last > maxPages && limit > maxPages:
		return pages[T]{}, tooLong
	case last > limit:
		return truncated, nil
	}
	all := make([]page[T], last)
	all[0] = first
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(MaxConcurrentReads)
	for i := 1; i < last; i++ {
		group.Go(func() (err error) {
			all[i], err = l.readPage(groupCtx, i+1)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return pages[T]{}, err
	}
	for !all[len(all)-1].isLast() {
		switch {
		case len(all) == maxPages:
			return pages[T]{}, tooLong
		case len(all) == limit:
			return truncated, nil
		}
		next, err := l.readPage(ctx, len(all)+1)
		if err != nil {
			return pages[T]{}, err
		}
		all = append(all, next)
	}
	whole := pages[T]{count: len(all), readAt: readAt}
	for _, p := range all {
		whole.entries = append(whole.entries, p.entries...)
		whole.total, whole.shifted = max(whole.total, p.total), whole.shifted || p.total != first.total
	}
	return whole, nil
}

func (l list[T]) readPage(ctx context.Context, number int) (p page[T], err error) {
	call := *l.call
	call.query += fmt.Sprintf("per_page=%d", perPage)
	if number > 1 {
		call.query += fmt.Sprintf("&page=%d", number)
	}
	p.response, err = l.client.do(ctx, l.budget, &call, func(body []byte) (err error) {
		p.entries, p.total, err = l.parse(body)
		return err
	})
	return p, err
}
