package main

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// looks is how often what is read is looked at anew because it changes meanwhile: a history that is cut, or entries that are erased from it; for a
// plan also a target that a live applier moves.
const looks = 5

// lookAgain calls fn, which reads a history and prints what it finds, again where that changes meanwhile. What was printed already can't be taken back: it is
// an error then.
func (a *app) lookAgain(ctx context.Context, fn func() error) error {
	out := &heard{Writer: a.stdout}
	a.stdout = out
	defer func() { a.stdout = out.Writer }()
	for n := 1; ; n++ {
		err := fn()
		switch {
		case !errors.Is(err, proto.ErrCut) || ctx.Err() != nil:
			return err
		case out.any:
			return fault.Passing(fault.Stream, "give the command again: it begins with what is left", "what was printed isn't all: %w", err)
		case n == looks:
			return err
		}
		a.logger(slog.LevelWarn).Info("the history changed while it was read; looking again", "because", err)
	}
}

// heard notes whether something was written.
type heard struct {
	io.Writer
	any bool
}

// Write writes.
func (p *heard) Write(b []byte) (int, error) {
	p.any = p.any || len(b) > 0
	return p.Writer.Write(b)
}
