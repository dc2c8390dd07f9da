// Package upsert stores sealed values and changes lists of repositories. Access not set by the inputs is preserved.
//
// A run resolves repository names, fetches public keys and reads existing secrets. It seals all values before its first
// write, so that none is lost if a write fails. There is one way to write (write.go): wait, read, send, and at the end
// settle. It has three targets: a value (value.go), a list of repositories (list.go) and one repository on a list
// (member.go). Access to be preserved is read at most maxSnapshotAge before its write (snapshot.go); pure functions
// decide the access to write (plan.go). Retries and the write rate limit are in package github.
//
// An attempt is unproven if it was sent and no response shows whether it took effect. Such writes are settled: the
// state at GitHub is read once after all writes, settleDelay after the last unproven attempt, and compared with the
// state before. If the two differ, the result is unknown.
package upsert

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"set-org-secret/internal/github"
	"set-org-secret/internal/secret"
)

const (
	// maxConcurrentWrites follows GitHub's advice against many concurrent writes.
	maxConcurrentWrites = 4
	// maxReads is how many times a snapshot is read if it is too old on arrival.
	maxReads = 3
	// settleDelay is the longest time until GitHub applies an attempt (10 s), plus the lag of copies that are read.
	settleDelay = 15 * time.Second
	// maxDateSkew is how far the Date of a response may be off: a proxy may set it.
	maxDateSkew = 2 * time.Minute
	// maxReseals limits sealing again if GitHub returns a new key each time.
	maxReseals = 3
)

// Item is one secret in one store. It has a Value or a Sealed value, unless it is Done or only its list changes.
type Item struct {
	Store  secret.Store
	Name   secret.Name
	Value  secret.Value
	Sealed secret.Sealed
	Done   bool // an earlier run stored it
}

// isGiven reports whether an earlier job sealed the value. Without plaintext, it cannot be sealed again.
func (i Item) isGiven() bool { return i.Sealed.EncryptedValue != "" }

// Job describes a run.
type Job struct {
	GitHub     *github.Client
	Rand       io.Reader
	Items      []Item            // in input order
	Visibility secret.Visibility // empty if existing secrets keep their access; selected if there is a Selection
	Selection  *secret.Selection // nil if no repositories are given
	Change     secret.ListChange // of the lists of existing secrets; empty if values are stored
	DryRun     bool
	Log, Warn  func(string)        // receive one line about each unusual event
	OnResult   func(secret.Result) // receives each result as it completes; calls are serialized
}

type executor struct {
	Job
	desired    desired
	resolveErr error // why the repositories could not be resolved
	keys       map[secret.Store]*publicKeyCache
	snapshots  map[secret.Store]*snapshotCache
	before     []secret.Existing // each item before its value was written
	pending    []int             // indexes of the items that are not Done

	mu        sync.Mutex
	results   []secret.Result
	unsettled map[secret.Store][]*task
}

// Run makes all writes, a few at a time. The results are in input order, one for each item.
func (j Job) Run(ctx context.Context) []secret.Result {
	e := &executor{
		Job: j, desired: newDesired(j.Visibility, j.Selection),
		keys: map[secret.Store]*publicKeyCache{}, snapshots: map[secret.Store]*snapshotCache{},
		results: make([]secret.Result, len(j.Items)), before: make([]secret.Existing, len(j.Items)),
		unsettled: map[secret.Store][]*task{},
	}
	isOptional := j.Change == "" && !j.DryRun && !e.desired.needsExisting()
	for i, item := range j.Items {
		e.results[i] = secret.Result{Store: item.Store, Name: item.Name}
		if item.Done {
			e.record(i, secret.Skipped, nil)
			continue
		}
		if e.snapshots[item.Store] == nil {
			e.keys[item.Store] = newPublicKeyCache(j.GitHub, item.Store, j.Log)
			e.snapshots[item.Store] = newSnapshotCache(j.GitHub, item.Store, isOptional)
		}
		e.snapshots[item.Store].names = append(e.snapshots[item.Store].names, item.Name)
		e.pending = append(e.pending, i)
	}
	tasks := e.tasks
	if _, ok := verbs[j.Change]; ok {
		tasks = e.members
	}
	e.execute(ctx, tasks(ctx))
	e.settle(ctx)
	e.sealUnstored()
	e.warnOfEffects()
	return e.results
}

// wouldBe has the operations of a dry run.
var wouldBe = map[secret.Operation]secret.Operation{
	secret.Created: secret.WouldCreate, secret.Updated: secret.WouldUpdate,
}

// record completes result i, whose other fields are set.
func (e *executor) record(i int, op secret.Operation, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := &e.results[i]
	if r.Operation, r.Err = op, err; e.DryRun {
		r.Operation = cmp.Or(wouldBe[op], op)
	}
	e.OnResult(*r)
}

// logWrites logs how many writes follow, and how long the write limiter makes them take.
func (e *executor) logWrites(tasks []*task) {
	n := 0
	for _, t := range tasks {
		for _, w := range t.writes {
			if w.err == nil {
				n++
			}
		}
	}
	switch minutes := (n - 1) / github.WritesPerMinute; {
	case minutes > 0:
		e.Log(fmt.Sprintf("writes to send: %s, at most %d a minute, which takes about %s", secret.FormatCount(n),
			github.WritesPerMinute, secret.FormatDuration(time.Duration(minutes)*time.Minute)))
	case n > 0 && e.Change != "":
		e.Log("writes to send: " + secret.FormatCount(n))
	}
}
