package main

import (
	"testing"
	"time"

	"ldapsync/cmd/ldapsync/internal/config"
)

// What is cut off is forgotten by the limits, too: their window stays, however little is to be kept.
func TestHistoryKeepsWhatLimitsLookBackAt(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct{ keep, window, want time.Duration }{
		{30 * day, day, 30 * day}, {time.Hour, day, day}, {time.Hour, 0, time.Hour}, {0, day, 0},
	} {
		s := &config.Source{History: config.History{Keep: c.keep}, Limits: config.Limits{Window: c.window}}
		if got := kept(s); got != c.want {
			t.Errorf("keep %s, window %s: %s, wanted %s", c.keep, c.window, got, c.want)
		}
	}
}
