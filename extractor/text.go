package extractor

import (
	"fmt"
	"time"
)

// counted is "1 entry has" or "3 entries have".
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// there is "was 1" or "were 3".
func there(n int) string {
	if n == 1 {
		return "was 1"
	}
	return fmt.Sprintf("were %d", n)
}

// span is a duration as people say it, in the largest unit of which it is a whole number: "24 hours", "7 days".
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d > day && d%day == 0:
		return counted(int(d/day), "day", "days")
	case d >= time.Hour && d%time.Hour == 0:
		return counted(int(d/time.Hour), "hour", "hours")
	case d >= time.Minute && d%time.Minute == 0:
		return counted(int(d/time.Minute), "minute", "minutes")
	}
	return d.String()
}
