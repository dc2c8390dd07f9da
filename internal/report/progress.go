package report

import (
	"fmt"
	"time"

	"set-org-secret/internal/secret"
)

// progressInterval is the least time between two lines of progress.
const progressInterval = 20 * time.Second

// Progress logs how far a batch has come that takes longer than a minute.
type Progress struct {
	report           *Reporter
	total, perMinute int
	done, failed     int
	loggedAt         time.Time
}

// NewProgress returns the Progress of total writes, of which perMinute are sent
// in a minute.
func (r *Reporter) NewProgress(total, perMinute int) *Progress {
	return &Progress{report: r, total: total, perMinute: perMinute, loggedAt: time.Now()}
}

// Add counts a result and logs a line, unless the last one was logged less than
// 20 seconds ago or the batch is short.
func (p *Progress) Add(result secret.Result) {
	p.done++
	if result.Failed() {
		p.failed++
	}
	if p.total <= p.perMinute || p.done == p.total || time.Since(p.loggedAt) < progressInterval {
		return
	}
	p.loggedAt = time.Now()
	text := fmt.Sprintf("%s of %s stored", secret.FormatCount(p.done-p.failed), secret.FormatCount(p.total))
	if p.failed > 0 {
		text += fmt.Sprintf(", %s failed", secret.FormatCount(p.failed))
	}
	left := time.Duration(p.total-p.done) * time.Minute / time.Duration(p.perMinute)
	about := count(int(left.Round(time.Minute)/time.Minute), "minute")
	if left < time.Minute {
		about = count(int(left.Round(time.Second)/time.Second), "second")
	}
	p.report.Line(fmt.Sprintf("%s, %d a minute, about %s left", text, p.perMinute, about))
}
