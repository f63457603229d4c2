package applier

import (
	"context"
	"errors"
)

// Updater is a Store's Update, or what stands for it.
type Updater func(ctx context.Context, fn func(Tx) error) error

// Hurrier is a Store that can commit without waiting for the disk each time.
type Hurrier interface {
	// Hurry runs fn, which updates by nothing but update. What that has committed is seen by others, but on disk for sure only when Hurry returns nil. An
	// UnsureError says that the database may have crashed meanwhile, and that some of the last commits may be lost then.
	Hurry(ctx context.Context, fn func(update Updater) error) error
}

// UnsureError says that what was committed in a hurry may be lost. It doesn't wrap what made it unsure: to try that again isn't enough.
type UnsureError struct{ Err error }

func (e *UnsureError) Error() string { return "what was committed last may be lost: " + e.Err.Error() }

// hurry runs fn with an update that doesn't wait for the disk, if there is one; where something may be lost, once more and without hurry. fn must find
// out what is done already. It is for what leaves the checkpoint where it is, so that nobody takes for done what may be lost yet: the position that is
// mirrored is the old one, and whoever acts by committing something, as callbacks do, has all commits before his own on disk with it. Outcomes
// leave the database as soon as they are committed; where they are wanted there is no hurry.
func (a *Applier) hurry(ctx context.Context, fn func(update Updater) error) error {
	h, ok := a.store.(Hurrier)
	if !ok || a.cfg.Outcomes != "" {
		return fn(a.store.Update)
	}
	err := h.Hurry(ctx, fn)
	if unsure := (*UnsureError)(nil); !errors.As(err, &unsure) {
		return err
	}
	a.cfg.Logger.Warn("what was written last may be lost: looking at all of it again", "target", a.cfg.Target, "source", a.cfg.Source, "error", err)
	return fn(a.store.Update)
}
