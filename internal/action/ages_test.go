package action

import (
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/secret"
)

// ages are times that GitHub, or something in its place, may send: the first and the last that RFC 3339 can write, the
// ends of Unix time and of Go's durations, and times around the beginning of simulated time.
var ages = []string{
	"0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "1677-09-21T00:12:43Z", "1707-09-22T00:12:43Z", "1969-12-31T23:59:59Z",
	"1970-01-01T00:00:00Z", "1999-12-01T00:00:00+23:59", "1999-12-31T23:59:59Z", "2000-01-01T00:00:00Z", "2000-01-01T00:00:01Z",
	"2038-01-19T03:14:08Z", "2262-04-11T23:47:17Z", "9999-12-31T23:59:59Z",
}

// TestAges checks secrets of every age, and tokens that expire then, by clocks that are decades off: no age is negative,
// the age alone decides which secrets are due, and the report is whole.
func TestAges(t *testing.T) {
	const day = 24 * time.Hour
	for _, date := range []string{
		"", "soon", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1990-06-01T00:00:00Z", "2060-01-01T00:00:00Z",
		"9999-12-31T23:59:59Z",
	} {
		for _, updated := range ages {
			for text, maxAge := range map[string]time.Duration{"": 0, "30d": 30 * day, "2562047h47m16.854775807s": math.MaxInt64} {
				t.Run(fmt.Sprintf("%s at %s, max_age %s", updated, date, text), func(t *testing.T) {
					testAge(t, updated, date, text, maxAge)
				})
			}
		}
	}
}

func testAge(t *testing.T, updated, date, text string, maxAge time.Duration) {
	at, err := time.Parse(time.RFC3339, updated)
	if err != nil {
		t.Fatal(err)
	}
	headers := map[string]string{"GitHub-Authentication-Token-Expiration": at.UTC().Format("2006-01-02 15:04:05 UTC")}
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	if clock, err := time.Parse(time.RFC3339, date); err == nil {
		now = now.Add(clock.Sub(now)) // by at most 292 years
		date = clock.Format(http.TimeFormat)
	}
	if date != "" {
		headers["Date"] = date
	}
	body := `{"name": "OLD", "visibility": "all", "created_at": "2000-01-01T00:00:00Z", "updated_at": "` + updated + `"}`
	server := newGitHub(t, fakegithub.World{Faults: []fakegithub.Fault{
		{Path: "/OLD", Status: 200, Headers: headers, Body: body, Times: -1}, {Headers: headers, Times: -1},
	}})
	r := stepRun{with: map[string]string{"mode": "check", "secret_name": "OLD", "max_age": text}}.simulate(t, server)
	r.wantCode(t, 0)
	age := max(now.Sub(at), 0)
	days := int(age / (24 * time.Hour))
	shown := secret.Count(days, "day")
	wantContains(t, "the log", r.logText(), shown+" old")
	wantContains(t, "the summary", r.summary, shown+", ")
	wantEqual(t, "age_days", r.outputs["age_days"], strconv.Itoa(days))
	wantEqual(t, "updated_at", r.outputs["updated_at"], at.UTC().Format(time.RFC3339))
	wantEqual(t, "due", r.outputs["due"], strconv.FormatBool(maxAge > 0 && age > maxAge))
	isExpiring := !at.IsZero() && at.Sub(now) < 7*24*time.Hour
	wantEqual(t, "warns of the token", strings.Contains(r.logText(), "the token expires on "), isExpiring)
	all := r.logText() + r.summary + r.raw
	if negative := regexp.MustCompile(`-[0-9.,]+ (?:day|h|min|s)\b`).FindString(all); negative != "" {
		t.Errorf("got the time %q, want none that is negative:\n%s", negative, all)
	}
}
