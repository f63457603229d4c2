//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package bus

import (
	"context"
	"io/fs"
	"time"

	"ldapsync/internal/fault"
)

type lock struct{}

// acquire always fails: without flock, two servers could write to one store, and one message in two would be lost.
func acquire(context.Context, string, time.Duration, func(int) bool) (*lock, error) {
	return nil, fault.New(fault.Stream, "set the URL of a NATS server", "the embedded server needs flock, which this system doesn't have")
}

func (*lock) release() error { return nil }

// readPrivate is never called: nobody holds a lock here.
func readPrivate(string, string) ([]byte, error) { return nil, fs.ErrNotExist }
