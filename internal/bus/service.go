package bus

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
)

// serviceTimeout is how long a service may take to say that it is active.
const serviceTimeout = 2 * time.Second

func serviceSubject(role, name string) string { return "ldapsync.service." + role + "." + name }

// Announce says to whoever asks that this process does a role (extractor, applier, callbacks) for a source or target, until stop is
// called or the bus closed. Nothing is stored: a process that is gone is inactive.
func (b *Bus) Announce(ctx context.Context, role, name string) (stop func(), err error) {
	who := []byte(b.cfg.Name)
	sub, err := b.nc.Subscribe(serviceSubject(role, name), func(m *nats.Msg) { _ = m.Respond(who) })
	if err != nil {
		return nil, b.fault("announcing "+role+" "+name, err)
	}
	stop = func() { _ = sub.Unsubscribe() }
	if err := b.retry(ctx, "announcing "+role+" "+name, b.nc.FlushWithContext); err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

// Active tells whether a process does a role for a source or target now, and its Config.Name. One that is there and doesn't answer
// in time is active too, and nameless.
func (b *Bus) Active(ctx context.Context, role, name string) (who string, active bool, err error) {
	err = b.retry(ctx, "asking for "+role+" "+name, func(ctx context.Context) error {
		short, cancel := context.WithTimeout(ctx, serviceTimeout)
		defer cancel()
		reply, err := b.nc.RequestWithContext(short, serviceSubject(role, name), nil)
		switch {
		case err == nil:
			who, active = string(reply.Data), true
		case errors.Is(err, nats.ErrNoResponders):
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil && b.nc.IsConnected():
			active = true
		default:
			return err
		}
		return nil
	})
	return who, active, err
}
