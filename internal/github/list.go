package github

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"set-org-secret/internal/secret"
)

const (
	perPage = 100 // GitHub's maximum
	// maxListReads is how many times a list of several pages is read if the readings differ.
	maxListReads = 3
	// maxPages allows 20,000 entries, more than an organization has. It stops a list that never ends.
	maxPages = 200
)

// list describes a list at GitHub and how to read its pages.
type list[T any] struct {
	client  *Client
	budget  *Budget
	request *Request // without its query
	query   string   // before per_page, with a & at its end
	// parse returns the entries of a page, and the total that the page reports or 0.
	parse func(body []byte) (entries []T, total int, err error)
	// key identifies an entry. If pages shift while they are read, an entry comes twice.
	key func(T) any
	// isWanted selects the entries on which two readings have to agree; nil for all entries and the total.
	isWanted func(T) bool
}

// pages is a list that was read, or one page of it.
type pages[T any] struct {
	entries []T
	total   int  // the largest that a page reports; 0 if none does
	count   int  // of pages, according to the last one read
	agreed  bool // it has one page, or two readings agreed
	partial bool // GitHub left out items that the token is not authorized for
	secret.Reading
}

// isComplete reports whether the list has every entry that GitHub counts and shows: any other does not exist.
func (p pages[T]) isComplete() bool { return p.agreed && !p.partial && len(p.entries) == p.total }

// unique drops duplicate entries.
func unique[T any](entries []T, key func(T) any) []T {
	seen := make(map[any]bool, len(entries))
	return slices.DeleteFunc(entries, func(v T) bool {
		k := key(v)
		isDuplicate := seen[k]
		seen[k] = true
		return isDuplicate
	})
}

// read reads a list. It reads several pages again until two readings in a row agree: two changes between pages can hide
// an entry and leave the total right. After maxListReads readings it returns the last one with an error.
func (l list[T]) read(ctx context.Context) (all pages[T], err error) {
	var last any
	for range maxListReads {
		if all, err = l.readOnce(ctx); err != nil {
			return all, err
		}
		var answer any = pages[T]{entries: all.entries, total: all.total}
		if l.isWanted != nil {
			answer = slices.DeleteFunc(slices.Clone(all.entries), func(entry T) bool { return !l.isWanted(entry) })
		}
		if all.agreed = all.count == 1 || reflect.DeepEqual(answer, last); all.agreed {
			return all, nil
		}
		last = answer
	}
	return all, &secret.Error{
		Op: l.request.op, Problem: fmt.Sprintf("the list changed each time it was read (%d times)", maxListReads),
		Hint: "Wait until nobody else changes it.",
	}
}

// readOnce reads page 1, and then all further pages concurrently, as many as the last page read announces.
func (l list[T]) readOnce(ctx context.Context) (pages[T], error) {
	var all []pages[T]
	for count := 1; len(all) < count; count = all[len(all)-1].count {
		from := len(all)
		all = append(all, make([]pages[T], count-from)...)
		group, groupCtx := errgroup.WithContext(ctx)
		group.SetLimit(MaxConcurrentReads)
		for i := from; i < count; i++ {
			group.Go(func() (err error) {
				all[i], err = l.readPage(groupCtx, i+1)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return pages[T]{}, err
		}
	}
	whole := pages[T]{count: len(all), Reading: all[0].Reading}
	whole.ReceivedAt = all[len(all)-1].ReceivedAt
	for _, p := range all {
		whole.entries = append(whole.entries, p.entries...)
		whole.total = max(whole.total, p.total)
		whole.partial = whole.partial || p.partial
	}
	whole.entries = unique(whole.entries, l.key)
	return whole, nil
}

func (l list[T]) readPage(ctx context.Context, number int) (p pages[T], err error) {
	r := *l.request
	r.path += fmt.Sprintf("?%sper_page=%d", l.query, perPage)
	if number > 1 {
		r.path += fmt.Sprintf("&page=%d", number)
	}
	_, err = l.client.do(ctx, l.budget, &r, func(resp response) (err error) {
		p.Reading, p.partial = resp.Reading, strings.HasPrefix(resp.Header.Get(ssoHeader), "partial-results")
		if p.entries, p.total, err = l.parse(resp.body); err != nil {
			return err
		}
		// A full page without any links may be followed by another, unless the list has a total.
		if resp.NextPage > 0 || resp.Header.Get("Link") == "" && p.total == 0 && len(p.entries) == perPage {
			number++
		}
		p.count = max(number, resp.LastPage, (p.total+perPage-1)/perPage)
		switch {
		case len(p.entries) > perPage:
			return fmt.Errorf("a page of more than %d entries", perPage)
		case p.count > maxPages:
			return fmt.Errorf("a list of more than %d pages", maxPages)
		}
		return nil
	})
	return p, err
}
