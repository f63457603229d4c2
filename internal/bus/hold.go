package bus

import (
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// How durables deliver: the server repeats a message after redelivery[0] without a word from here, and later and later from then on,
// for ever. Whoever works on a message says so every holdEvery.
var (
	redelivery = []time.Duration{30 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}
	holdEvery  = 10 * time.Second
)

// holdMessages keeps messages from being delivered again, for as long as the work on them takes, until the function it returns is called.
func holdMessages(messages []jetstream.Msg) (release func()) {
	end := make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() {
		tick := time.NewTicker(holdEvery)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
				for _, m := range messages {
					_ = m.InProgress() // where it fails, the message comes again: no harm
				}
			}
		}
	})
	return sync.OnceFunc(func() { close(end); ended.Wait() })
}
