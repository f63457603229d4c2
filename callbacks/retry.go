package callbacks

import (
	"time"

	"github.com/cenkalti/backoff/v4"
)

// schedule doubles from first to most, give or take jitter (0 to 1, a share), and never ends.
func schedule(first, most time.Duration, jitter float64) *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(min(first, most)),
		backoff.WithMaxInterval(most),
		backoff.WithMultiplier(2),
		backoff.WithRandomizationFactor(jitter),
		backoff.WithMaxElapsedTime(0),
	)
}

// maxDoublings is more than any first wait needs to reach any cap: an hour is 2^42 nanoseconds.
const maxDoublings = 62

// delay is how long an account waits that failed again after so many failed attempts. The jitter keeps accounts that failed together
// from coming up together for ever; the cap holds with it.
func (c Config) delay(failed int) time.Duration {
	b := schedule(c.Backoff, c.BackoffMax, 0.2)
	for range min(failed, maxDoublings) {
		b.NextBackOff()
	}
	return min(b.NextBackOff(), c.BackoffMax)
}
