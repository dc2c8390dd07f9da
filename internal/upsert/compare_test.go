package upsert

import (
	"testing"
	"time"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/secret"
)

// TestSameUpdate checks when an update that is the one from before does not prove that
// no attempt took effect: it was made just before it was read, by GitHub's clock, and
// the first attempt was sent at once, by ours.
func TestSameUpdate(t *testing.T) {
	updated := time.Date(2000, 1, 1, 12, 0, 0, 0, time.UTC)
	received := updated.Add(-time.Hour) // our clock may be off
	for _, test := range []struct {
		name    string
		date    time.Duration // of the response, since the update
		sent    time.Duration // the first attempt, since the response
		applied bool
	}{
		{"updated just before, and sent at once", maxDateSkew, 999 * time.Millisecond, true},
		{"the clock of a proxy is behind", -maxDateSkew, 0, true},
		{"updated earlier", maxDateSkew + time.Second, 0, false},
		{"a clock that is far behind", -maxDateSkew - time.Second, 0, false},
		{"sent later", 0, time.Second, false},
	} {
		w := &write{firstAttempt: received.Add(test.sent), before: secret.Existing{
			Exists: true, UpdatedAt: updated,
			Reading: secret.Reading{
				Date: updated.Add(test.date), ReadAt: received.Add(-time.Minute), ReceivedAt: received,
			},
		}}
		_, applied := (&value{}).compare(w, secret.Existing{Exists: true, UpdatedAt: updated})
		wantEqual(t, test.name, applied, test.applied)
	}
	w := &write{before: secret.Existing{Exists: true, UpdatedAt: updated}}
	_, applied := (&value{}).compare(w, secret.Existing{Exists: true, UpdatedAt: updated.Add(-time.Hour)})
	wantEqual(t, "an earlier update, from a copy that lags", applied, true)
}

// TestSettleTime checks when the read is sent that settles two writes: once, 15 s after
// the last attempt that nothing proves, and at once if both were confirmed.
func TestSettleTime(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int // of the last attempts
		want   time.Duration
	}{
		{"lost and refused, the second 20 s later", 403, 20*time.Second + settleDelay},
		{"lost and confirmed", 0, 22 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			withGitHub(t, fakegithub.Org{}, func(t *testing.T, g *testGitHub) {
				g.AddFault(fakegithub.Fault{Method: "PUT", Path: "/S1", Drop: "after"})
				g.AddFault(fakegithub.Fault{
					Method: "PUT", Path: "/S2", Status: 503, Headers: map[string]string{"Retry-After": "20"},
				})
				g.AddFault(fakegithub.Fault{Method: "PUT", Path: "/S2", Drop: "after"})
				if test.status != 0 {
					g.AddFault(fakegithub.Fault{Method: "PUT", Path: "*", Status: test.status, Times: -1})
				}
				start := time.Now()
				g.job(2, "").Run(t.Context())
				wantEqual(t, "time", time.Since(start), test.want)
			})
		})
	}
}

// TestServerErrorProvesNothing has a 500 after which GitHub has stored the value.
func TestServerErrorProvesNothing(t *testing.T) {
	withGitHub(t, fakegithub.Org{}, func(t *testing.T, g *testGitHub) {
		g.AddFault(fakegithub.Fault{Method: "PUT", Path: "*", Status: 500, Applied: true})
		g.AddFault(fakegithub.Fault{Method: "PUT", Path: "*", Status: 403})
		r := g.job(1, secret.All).Run(t.Context())[0]
		wantEqual(t, "operation", r.Operation, secret.Unknown)
	})
}
