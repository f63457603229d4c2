package bus

import (
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// pace is how patient the bus is: how durables deliver what isn't acknowledged, and how long a new leader is waited for.
type pace struct {
	redelivery []time.Duration // without a word from here: after the first, and later and later, for ever
	hold       time.Duration   // how often somebody who works on a message says so; well below the first redelivery
	again      time.Duration   // after which a message comes again that was given back
	catchUp    time.Duration   // less than requestTimeout
}

func usualPace() pace {
	return pace{
		redelivery: []time.Duration{30 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour},
		hold:       10 * time.Second,
		again:      10 * time.Second,
		catchUp:    3 * time.Second,
	}
}

// keep keeps messages from being delivered again, for as long as the work on them takes, until release is called.
func (p pace) keep(messages []jetstream.Msg) (release func()) {
	end := make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() {
		tick := time.NewTicker(p.hold)
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
