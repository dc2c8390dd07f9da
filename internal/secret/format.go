package secret

import (
	"strconv"
	"time"
)

// FormatCount writes a number with commas between thousands: 1,234.
func FormatCount(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// FormatDuration rounds to what a reader needs: 1.5s, 42s, 4m58s.
func FormatDuration(d time.Duration) string {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
