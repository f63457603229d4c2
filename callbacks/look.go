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
// is an error, which is the database's own (class Database), ctx's, or the configuration's (class Usage): accounts that are refused
// are no error.
func (s *Service) RunOnce(ctx context.Context) (*Summary, error) {
	sum := new(Summary)
	if err := s.cfg.Validate(); err != nil {
		return sum, err
	}
	now := s.cfg.Now()
	for _, name := range s.cfg.Callbacks {
		if err := s.look(ctx, name, now, sum); err != nil {
			return sum, s.blame(ctx, name, err)
		}
	}
	for _, name := range s.cfg.Callbacks {
		due, err := s.accounts.NextDue(ctx, name)
		if err != nil {
			return sum, s.blame(ctx, name, err)
		}
		if !due.IsZero() && (sum.NextDue.IsZero() || due.Before(sum.NextDue)) {
			sum.NextDue = due
		}
	}
	return sum, nil
}

// look goes once through what was due at now, page by page. What it notes as failed is due later than that: nobody comes up twice.
func (s *Service) look(ctx context.Context, callback string, now time.Time, sum *Summary) error {
	var after Key
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		page, err := s.accounts.Due(ctx, callback, now, after, s.cfg.Batch)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return nil
		}
		if err := s.attempt(ctx, callback, page, sum); err != nil {
			return err
		}
		after = page[len(page)-1].Key
	}
}

// attempt handles accounts in one transaction. If their data are to blame for its failure, it halves them until the culprit is alone.
func (s *Service) attempt(ctx context.Context, callback string, accounts []Account, sum *Summary) error {
	results, err := s.act(ctx, callback, accounts)
	switch {
	case err == nil:
		return s.settle(ctx, callback, accounts, results, sum)
	case ctx.Err() != nil || isDatabase(err):
		return err
	case len(accounts) == 1:
		return s.note(ctx, callback, Result{Account: accounts[0], Outcome: Refused, Reason: err.Error()}, sum)
	}
	half := len(accounts) / 2
	if err := s.attempt(ctx, callback, accounts[:half], sum); err != nil {
		return err
	}
	return s.attempt(ctx, callback, accounts[half:], sum)
}

func (s *Service) act(ctx context.Context, callback string, accounts []Account) ([]Result, error) {
	if callback == Delete {
		return s.accounts.Delete(ctx, accounts)
	}
	return s.accounts.Deactivate(ctx, accounts)
}

// settle notes what became of each account. One without an answer counts as refused, so that it isn't lost in silence.
func (s *Service) settle(ctx context.Context, callback string, accounts []Account, results []Result, sum *Summary) error {
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
		if err := s.note(ctx, callback, r, sum); err != nil {
			return err
		}
	}
	return nil
}

// note counts and reports one result, after its failure, if it is one, is in the database.
func (s *Service) note(ctx context.Context, callback string, r Result, sum *Summary) error {
	attrs := []any{"target", s.cfg.Target, "callback", callback, "source", r.Source, "id", r.ID, "dn", r.DN, "username", r.Username}
	level := slog.LevelInfo
	if r.Outcome == Refused {
		r.Reason = oneLine(r.Reason)
		next := s.cfg.Now().Add(s.cfg.delay(r.Attempts))
		if err := s.accounts.Fail(ctx, callback, r.Account, r.Reason, next); err != nil {
			return err
		}
		attrs = append(attrs, "reason", r.Reason, "attempt", r.Attempts+1, "next", next.Format(time.RFC3339))
		if level = slog.LevelWarn; r.Attempts > 0 {
			level = slog.LevelDebug // was warned of; the dead letter stays listed
		}
	}
	sum.add(r)
	s.cfg.Logger.Log(ctx, level, "account "+string(r.Outcome), attrs...)
	s.cfg.OnResult(r)
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
