package applier

import (
	"context"

	"ldapsync/proto"
)

// Brief is a Store in which nobody can write while somebody reads. Who plans at length looks in many short transactions there, and the application
// writes in between.
type Brief interface {
	// Brief does nothing.
	Brief()
}

// look calls fn with something to read that may be read for long: one state of the database throughout, or for a Brief store what each question finds.
func (a *Applier) look(ctx context.Context, fn func(Reader) error) error {
	if _, brief := a.store.(Brief); brief {
		return fn(glances{a.store})
	}
	return a.store.View(ctx, fn)
}

// lookFrom is look for who goes by a checkpoint. In a Brief store it ends with an ErrMoved if the checkpoint isn't there any more afterwards.
func (a *Applier) lookFrom(ctx context.Context, cp *Checkpoint, fn func(Reader) error) error {
	err := a.look(ctx, fn)
	if _, brief := a.store.(Brief); !brief || err != nil {
		return err
	}
	now, err := a.store.Checkpoint(ctx, a.cfg.Source)
	if err == nil && ((now == nil) != (cp == nil) || now != nil && *now != *cp) {
		err = ErrMoved
	}
	return err
}

// glances asks each question in a transaction of its own.
type glances struct{ store Store }

var _ Reader = glances{}

// glance asks one question.
func glance[T any](ctx context.Context, store Store, ask func(Reader) (T, error)) (answer T, err error) {
	err = store.View(ctx, func(r Reader) error {
		answer, err = ask(r)
		return err
	})
	return answer, err
}

func (g glances) Links(ctx context.Context, source string, kind proto.Kind, ids []string) ([]Link, error) {
	return glance(ctx, g.store, func(r Reader) ([]Link, error) { return r.Links(ctx, source, kind, ids) })
}

func (g glances) LinksAfter(ctx context.Context, source string, kind proto.Kind, after string, limit int) ([]Link, error) {
	return glance(ctx, g.store, func(r Reader) ([]Link, error) { return r.LinksAfter(ctx, source, kind, after, limit) })
}

func (g glances) LinksOf(ctx context.Context, kind proto.Kind, pks []string) ([]Link, error) {
	return glance(ctx, g.store, func(r Reader) ([]Link, error) { return r.LinksOf(ctx, kind, pks) })
}

func (g glances) Rows(ctx context.Context, kind proto.Kind, pks []string) ([]Row, error) {
	return glance(ctx, g.store, func(r Reader) ([]Row, error) { return r.Rows(ctx, kind, pks) })
}

func (g glances) Named(ctx context.Context, kind proto.Kind, names []string) ([]Row, error) {
	return glance(ctx, g.store, func(r Reader) ([]Row, error) { return r.Named(ctx, kind, names) })
}

func (g glances) Memberships(ctx context.Context, source string, users []string) ([]Membership, error) {
	return glance(ctx, g.store, func(r Reader) ([]Membership, error) { return r.Memberships(ctx, source, users) })
}

func (g glances) Letters(ctx context.Context, q LetterQuery) ([]Letter, error) {
	return glance(ctx, g.store, func(r Reader) ([]Letter, error) { return r.Letters(ctx, q) })
}

func (g glances) ActiveSuperusers(ctx context.Context) ([]string, error) {
	return glance(ctx, g.store, func(r Reader) ([]string, error) { return r.ActiveSuperusers(ctx) })
}

func (g glances) HeldRows(ctx context.Context) ([]Held, error) {
	return glance(ctx, g.store, func(r Reader) ([]Held, error) { return r.HeldRows(ctx) })
}

func (g glances) Complete(ctx context.Context) ([]string, error) {
	return glance(ctx, g.store, func(r Reader) ([]string, error) { return r.Complete(ctx) })
}

func (g glances) ListUnlinked(ctx context.Context) (rows []Row, all int, err error) {
	err = g.store.View(ctx, func(r Reader) error {
		rows, all, err = r.ListUnlinked(ctx)
		return err
	})
	return rows, all, err
}
