package github

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"golang.org/x/sync/errgroup"

	"set-org-secret/internal/secret"
)

const (
	perPage = 100 // GitHub's maximum
	// maxListReads is how many times a list of several pages is read if the readings differ.
	maxListReads = 3
	// maxPages is that of 20,000 entries, more than an organization has. It bounds a list that never ends.
	maxPages = 200
)

// list is a list that is read page by page.
type list[T any] struct {
	client *Client
	budget *Budget
	call   *call
	// parse returns the entries of a page and the total that it reports; 0 if it reports none.
	parse func(body []byte) (entries []T, total int, err error)
	// unique drops duplicate entries, which a list has if its pages shift while they are read.
	unique func([]T) []T
	// isWanted selects the entries on which two readings have to agree. If it is nil, they have to agree on all of
	// them, and on the total.
	isWanted func(T) bool
}

// pages is a list that was read.
type pages[T any] struct {
	entries []T
	total   int  // the largest that a page reports; 0 if none does
	count   int  // of pages
	agreed  bool // two readings of several pages agreed
	partial bool // GitHub left out what the token is not authorized for
	secret.Reading
}

// isSettled reports whether the list did not change while it was read.
func (p pages[T]) isSettled() bool { return p.agreed || p.count == 1 }

// isComplete reports whether an entry that is not on the list is missing at GitHub.
func (p pages[T]) isComplete() bool { return p.isSettled() && len(p.entries) == p.total }

// unique drops duplicate entries.
func unique[T any, K comparable](entries []T, key func(T) K) []T {
	seen := make(map[K]bool, len(entries))
	return slices.DeleteFunc(entries, func(v T) bool {
		k := key(v)
		isDuplicate := seen[k]
		seen[k] = true
		return isDuplicate
	})
}

// readAgreed reads a list. One of several pages is read until two readings in a row agree, at most maxListReads times:
// two changes between pages can leave the total right and hide an entry.
func (l list[T]) readAgreed(ctx context.Context) (all pages[T], err error) {
	var last any
	for range maxListReads {
		if all, err = l.read(ctx); err != nil || all.count == 1 {
			return all, err
		}
		var answer any = pages[T]{entries: all.entries, total: all.total}
		if l.isWanted != nil {
			answer = slices.DeleteFunc(slices.Clone(all.entries), func(entry T) bool { return !l.isWanted(entry) })
		}
		if all.agreed = reflect.DeepEqual(answer, last); all.agreed {
			break
		}
		last = answer
	}
	return all, nil
}

// readSettled is readAgreed, but returns an error if no two readings agree.
func (l list[T]) readSettled(ctx context.Context) (pages[T], error) {
	all, err := l.readAgreed(ctx)
	if err == nil && !all.isSettled() {
		err = &secret.Error{
			Op: l.call.op, Problem: fmt.Sprintf("the list changed each time it was read (%d times)", maxListReads),
			Hint: "Wait until nobody else changes it.",
		}
	}
	return all, err
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

// read reads page 1, the pages that it announces concurrently, and then one by one any that follow.
func (l list[T]) read(ctx context.Context) (pages[T], error) {
	first, err := l.readPage(ctx, 1)
	if err != nil {
		return pages[T]{}, err
	}
	tooLong := unreadable(first.response, fmt.Errorf("a list of more than %d pages", maxPages))
	tooLong.Op, tooLong.RequestID = l.call.op, first.requestID
	last := max(first.lastPage, (first.total+perPage-1)/perPage, 1)
	if last > maxPages {
		return pages[T]{}, tooLong
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
		if len(all) == maxPages {
			return pages[T]{}, tooLong
		}
		next, err := l.readPage(ctx, len(all)+1)
		if err != nil {
			return pages[T]{}, err
		}
		all = append(all, next)
	}
	whole := pages[T]{count: len(all), Reading: first.Reading}
	whole.ReceivedAt = all[len(all)-1].ReceivedAt
	for _, p := range all {
		whole.entries = append(whole.entries, p.entries...)
		whole.total, whole.partial = max(whole.total, p.total), whole.partial || p.partial
	}
	whole.entries = l.unique(whole.entries)
	return whole, nil
}

func (l list[T]) readPage(ctx context.Context, number int) (p page[T], err error) {
	call := *l.call
	call.query += fmt.Sprintf("per_page=%d", perPage)
	if number > 1 {
		call.query += fmt.Sprintf("&page=%d", number)
	}
	p.response, err = l.client.do(ctx, l.budget, &call, func(body []byte) (err error) {
		if p.entries, p.total, err = l.parse(body); err == nil && len(p.entries) > perPage {
			err = fmt.Errorf("a page of more than %d entries", perPage)
		}
		return err
	})
	return p, err
}
