package extractor

import (
	"testing"
	"time"
)

func TestDurationsAreForPeople(t *testing.T) {
	for d, want := range map[time.Duration]string{
		24 * time.Hour: "24 hours", 7 * 24 * time.Hour: "7 days", 36 * time.Hour: "36 hours", time.Hour: "1 hour", 90 * time.Minute: "90 minutes",
		time.Minute: "1 minute", 90 * time.Second: "1m30s",
	} {
		if got := span(d); got != want {
			t.Errorf("%v: %q, wanted %q", d, got, want)
		}
	}
}
