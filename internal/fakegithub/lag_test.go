package fakegithub

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestLag checks for each kind of read of a store how many of 300 answers still show the
// state before a change: those of two copies of three, then of one, then of none.
func TestLag(t *testing.T) {
	const chosen, added = "{secrets}/CHOSEN", "{secrets}/NEW"
	for _, test := range []struct{ path, change, method, body string }{
		{"{secrets}", chosen, "DELETE", ""},
		{chosen, chosen, "DELETE", ""},
		{chosen, chosen, "PUT", `{{sealed},"visibility":"all"}`},
		{added, added, "PUT", `{{sealed},"visibility":"all"}`},
		{chosen + "/repositories", chosen + "/repositories", "PUT", `{"selected_repository_ids":[1]}`},
		{chosen + "/repositories", chosen + "/repositories/5", "PUT", ""},
		{chosen + "/repositories", chosen + "/repositories/1", "DELETE", ""},
		{"{secrets}/public-key", "", "", ""}, // is rotated
	} {
		synctest.Test(t, func(t *testing.T) {
			world := acme()
			world.Lag = Duration(4 * time.Second)
			s := newServer(t, world)
			fill := variables(t, s, "actions").Replace
			read := func() reply { return call(s, "GET", fill(test.path), "") }
			name := test.method + " " + fill(test.change) + ", " + fill(test.path)
			time.Sleep(time.Second)
			before := read().text
			if test.method == "" {
				s.RotateKey("acme", "actions")
			} else if r := call(s, test.method, fill(test.change), fill(test.body)); r.status >= 300 {
				t.Fatalf("%s: got status %d", name, r.status)
			}
			for _, step := range []struct {
				after    time.Duration
				min, max int // answers with the old state
			}{{0, 150, 250}, {2 * time.Second, 50, 150}, {2 * time.Second, 0, 0}} {
				time.Sleep(step.after)
				old := 0
				for range 300 {
					if read().text == before {
						old++
					}
				}
				if old < step.min || old > step.max {
					t.Errorf("%s after %v more: %d of 300 answers are old, want %d to %d", name, step.after, old, step.min, step.max)
				}
			}
		})
	}
}

// TestLagIsRepeatable checks that a run with the same reads gets the same answers.
func TestLagIsRepeatable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var first string
		for run := range 3 {
			world := acme()
			world.Lag = Duration(time.Second)
			s := newServer(t, world)
			s.DeleteSecret("acme", "actions", "OPEN")
			var statuses []int
			for i := range 40 {
				statuses = append(statuses, call(s, "GET", faultPath, "").status)
				if i%(run+2) == 0 {
					call(s, "GET", "/orgs/acme/actions/secrets/CHOSEN", "") // of another path
				}
			}
			if run == 0 {
				first = fmt.Sprint(statuses)
			}
			wantEqual(t, "statuses", fmt.Sprint(statuses), first)
		}
	})
}
