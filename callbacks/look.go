package callbacks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"ldapsync/internal/fault"
)

// RunOnce attempts once every account that is due now, for each callback in order. The summary tells what was done also when there
// is an error, which is the database's own (class Database), Ready's, ctx's, or the configuration's (class Usage): accounts that are
// refused are no error.
func (s *Service) RunOnce(ctx context.Context) (*Summary, error) {
	sum := new(Summary)
	if err := s.cfg.Validate(); err != nil {
		return sum, err
	}
	if err := s.cfg.Ready(ctx); err != nil {
		return sum, err
	}
	now := s.cfg.Now()
	for _, name := range s.cfg.Callbacks {
		l := &look{Service: s, callback: name, sum: sum}
		if err := l.all(ctx, now); err != nil {
			return sum, s.blame(ctx, name, err)
		}
	}
	for _, name := range s.cfg.Callbacks {
		due, err := s.accounts.NextDue(ctx, s.cfg.Query(name, now))
		if err != nil {
			return sum, s.blame(ctx, name, err)
		}
		if !due.IsZero() && (sum.NextDue.IsZero() || due.Before(sum.NextDue)) {
			sum.NextDue = due
		}
	}
	return sum, nil
}

// look is one callback's part of a look.
type look struct {
	*Service
	callback string
	sum      *Summary
	stuck    int // accounts in a row that the database couldn't get at, though it answers
}

// all goes once through what was due at now, page by page. What it notes as failed is due later than that: nobody comes up twice.
func (l *look) all(ctx context.Context, now time.Time) error {
	q := l.cfg.Query(l.callback, now)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		page, err := l.accounts.Due(ctx, q)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return nil
		}
		if err := l.attempt(ctx, page); err != nil {
			return err
		}
		q.Behind = page[len(page)-1].Key
	}
}

// attempt handles accounts in one transaction. If some of them are to blame for its failure, it halves them until the culprit is alone.
func (l *look) attempt(ctx context.Context, accounts []Account) error {
	results, err := l.act(ctx, accounts)
	switch {
	case err == nil:
		l.stuck = 0
		return l.settle(ctx, accounts, results)
	case ctx.Err() != nil || isDatabase(err) && !l.answers(ctx, err):
		return err
	case len(accounts) == 1:
		return l.note(ctx, Result{Account: accounts[0], Outcome: Refused, Reason: err.Error()})
	}
	half := len(accounts) / 2
	if err := l.attempt(ctx, accounts[:half]); err != nil {
		return err
	}
	return l.attempt(ctx, accounts[half:])
}

func (l *look) act(ctx context.Context, accounts []Account) ([]Result, error) {
	if l.callback == Delete {
		return l.accounts.Delete(ctx, accounts, l.cfg.DeleteAfter)
	}
	return l.accounts.Deactivate(ctx, accounts)
}

// mostStuck is how many transactions in a row may fail as if the database did: halving a full batch takes eight for one account that
// an application holds locked. More of them mean that it is the database after all.
const mostStuck = 20

// answers tells whether the database works after all, so that err, a fault of its own that may pass, is about some of the accounts:
// an application holds locks on their rows.
func (l *look) answers(ctx context.Context, err error) bool {
	if l.stuck++; l.stuck > mostStuck || fault.IsPermanent(err) {
		return false
	}
	_, down := l.accounts.NextDue(ctx, l.cfg.Query(l.callback, l.cfg.Now()))
	return down == nil
}

// settle notes what became of each account. One without an answer counts as refused, so that it isn't lost in silence.
func (l *look) settle(ctx context.Context, accounts []Account, results []Result) error {
	answers := make(map[Key]Result, len(results))
	for _, r := range results {
		answers[r.Key] = r
	}
	for _, a := range accounts {
		r, ok := answers[a.Key]
		if !ok {
			r = Result{Outcome: Refused, Reason: "the database gave no answer for this account"}
		}
		r.Account = a
		if err := l.note(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// note counts and reports one result, after its failure, if it is one, is in the database.
func (l *look) note(ctx context.Context, r Result) error {
	attrs := []any{"target", l.cfg.Target, "callback", l.callback, "source", r.Source, "id", r.ID, "dn", r.DN, "username", r.Username}
	level := slog.LevelInfo
	if r.Outcome == Refused {
		r.Reason = oneLine(r.Reason)
		next := l.cfg.Now().Add(l.cfg.delay(r.Attempts))
		if err := l.accounts.Fail(ctx, l.callback, r.Account, r.Reason, next); err != nil {
			return err
		}
		attrs = append(attrs, "reason", r.Reason, "attempt", r.Attempts+1, "next", next.Format(time.RFC3339))
		if level = slog.LevelWarn; r.Attempts > 0 {
			level = slog.LevelDebug // was warned of; the dead letter stays listed
		}
	}
	l.sum.add(r)
	l.cfg.Logger.Log(ctx, level, "account "+string(r.Outcome), attrs...)
	l.cfg.OnResult(r)
	return nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func isDatabase(err error) bool {
	class, _ := fault.Of(err)
	return class == fault.Database
}

// blame makes an error that ends a look one of class Database, unless ctx ended it.
func (s *Service) blame(ctx context.Context, callback string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var known *fault.Error
	if errors.As(err, &known) && known.Class == fault.Database {
		return fmt.Errorf("target %s, callback %s: %w", s.cfg.Target, callback, err)
	}
	return fault.Passing(fault.Database, "", "target %s, callback %s: %w", s.cfg.Target, callback, err)
}
