package callbacks_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"ldapsync/callbacks"
	"ldapsync/internal/fault"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func config(names ...string) callbacks.Config {
	return callbacks.Config{Target: "default", Callbacks: names, Now: func() time.Time { return noon }}
}

func look(t *testing.T, a *accounts, cfg callbacks.Config) *callbacks.Summary {
	t.Helper()
	sum, err := callbacks.New(cfg, a).RunOnce(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func TestEveryAccountThenDueIsAttemptedOnceInSmallTransactions(t *testing.T) {
	a := newAccounts(t)
	a.left(450)
	var seen []callbacks.Result
	cfg := config(callbacks.Deactivate)
	cfg.OnResult = func(r callbacks.Result) { seen = append(seen, r) }
	sum := look(t, a, cfg)
	if sum.Deactivated != 450 || sum.Handled() != 450 || len(seen) != 450 {
		t.Errorf("deactivated %d of %d, reported %d; want 450", sum.Deactivated, sum.Handled(), len(seen))
	}
	if got := a.batches; len(got) != 3 || got[0] != 200 || got[1] != 200 || got[2] != 50 {
		t.Errorf("transactions of %v accounts; want 200, 200, 50", got)
	}
	if n := len(sum.Named[callbacks.Deactivated]); n != callbacks.MaxNamed {
		t.Errorf("%d are named; want %d", n, callbacks.MaxNamed)
	}
	if r := seen[0]; r.Username != "user0" || r.DN == "" {
		t.Errorf("the first result doesn't name its account: %+v", r)
	}
	if again := look(t, a, cfg); again.Handled() != 0 {
		t.Errorf("a second look handled %d; want 0", again.Handled())
	}
}

func TestCallbacksActInTheirOrder(t *testing.T) {
	a := newAccounts(t)
	a.left(3)
	var order []string
	a.before = func(callback string, _ int) { order = append(order, callback) }
	cfg := config(callbacks.Deactivate, callbacks.Delete)
	cfg.Batch = 2
	sum := look(t, a, cfg)
	if got := strings.Join(order, " "); got != "deactivate deactivate delete delete" {
		t.Errorf("order: %s", got)
	}
	if sum.Deactivated != 3 || sum.Deleted != 3 {
		t.Errorf("%+v; want 3 deactivated, 3 deleted", sum)
	}
}

func TestWithoutCallbacksNothingIsDone(t *testing.T) {
	a := newAccounts(t)
	p := a.left(1)
	if sum := look(t, a, config()); sum.Handled() != 0 || !p.active || !p.row {
		t.Errorf("%+v, active %v", sum, p.active)
	}
}

func TestWhoReturnedIsUntouched(t *testing.T) {
	a := newAccounts(t)
	returned, again := a.left(1), a.left(1)
	a.before = func(string, int) { // between the page and the transaction
		a.set(func() { returned.gone = false; again.GoneSequence++ })
	}
	sum := look(t, a, config(callbacks.Deactivate))
	if sum.Returned != 2 || sum.Deactivated != 0 {
		t.Errorf("%+v; want 2 returned", sum)
	}
	if !returned.active || !again.active || len(returned.letters) != 0 {
		t.Error("who returned was touched")
	}
}

func TestRefusedDoesNotStopTheOthers(t *testing.T) {
	a := newAccounts(t)
	a.left(2)
	boss := a.left(1)
	boss.refuse = "the last active\nsuperuser"
	a.left(2)
	var log bytes.Buffer
	cfg := config(callbacks.Deactivate)
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	sum := look(t, a, cfg)
	if sum.Deactivated != 4 || sum.Refused != 1 {
		t.Fatalf("%+v; want 4 deactivated, 1 refused", sum)
	}
	if r := sum.Named[callbacks.Refused][0]; r.ID != boss.ID || r.Reason != "the last active superuser" {
		t.Errorf("refused is named %+v", r)
	}
	if l := boss.letters[callbacks.Deactivate]; l == nil || l.attempts != 1 || l.reason != "the last active superuser" {
		t.Errorf("letter: %+v", l)
	}
	if want := boss.letters[callbacks.Deactivate].next; !sum.NextDue.Equal(want) {
		t.Errorf("next due %s; want %s", sum.NextDue, want)
	}
	if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), boss.DN) {
		t.Errorf("the log doesn't warn of the refusal:\n%s", &log)
	}
}

func TestAPoisonedAccountIsFoundByHalving(t *testing.T) {
	a := newAccounts(t)
	a.left(13)
	bad := a.left(1)
	bad.poison = errors.New(`violates foreign key constraint "shop_order_user_id" (SQLSTATE 23503)`)
	a.left(50)
	sum := look(t, a, config(callbacks.Delete))
	if sum.Deleted != 63 || sum.Refused != 1 || !bad.row {
		t.Fatalf("%+v; want 63 deleted, 1 refused", sum)
	}
	if l := bad.letters[callbacks.Delete]; l == nil || !strings.Contains(l.reason, "shop_order_user_id") {
		t.Errorf("letter: %+v", l)
	}
	if len(a.batches) > 2*7 {
		t.Errorf("%d transactions; want O(log n)", len(a.batches))
	}
}

var locked = fault.Passing(fault.Database, "an application holds locks on these rows", "database: canceling statement due to lock timeout")

func TestALockedRowDoesNotStopTheOthers(t *testing.T) {
	a := newAccounts(t)
	a.left(150)
	held := a.left(1)
	held.poison = locked
	a.left(150)
	sum := look(t, a, config(callbacks.Deactivate))
	if sum.Deactivated != 300 || sum.Refused != 1 || held.letters[callbacks.Deactivate] == nil {
		t.Errorf("%+v; want 300 deactivated, the locked one to be tried again", sum)
	}
}

func TestALockedTableIsTheDatabases(t *testing.T) {
	a := newAccounts(t)
	a.left(400)
	for _, p := range a.people {
		p.poison = locked
	}
	sum, err := callbacks.New(config(callbacks.Deactivate), a).RunOnce(t.Context())
	if !errors.Is(err, locked) || len(a.batches) > 25 {
		t.Errorf("%v after %d transactions; want the lock to end the look soon", err, len(a.batches))
	}
	if sum.Refused > 20 {
		t.Errorf("%d accounts are blamed for it", sum.Refused)
	}
}

func TestMissingRightsBlameNobody(t *testing.T) {
	a := newAccounts(t)
	a.left(3).poison = fault.New(fault.Database, "GRANT UPDATE", "permission denied for table auth_user")
	sum, err := callbacks.New(config(callbacks.Deactivate), a).RunOnce(t.Context())
	if class, _ := fault.Of(err); class != fault.Database || !fault.IsPermanent(err) || sum.Handled() != 0 || len(a.batches) != 1 {
		t.Errorf("%+v, %v after %d transactions", sum, err, len(a.batches))
	}
}

func TestAnAccountWithoutAnswerIsRefused(t *testing.T) {
	a := newAccounts(t)
	a.left(3)
	a.answer = func(r []callbacks.Result) []callbacks.Result { return r[1:] }
	if sum := look(t, a, config(callbacks.Deactivate)); sum.Refused != 1 || sum.Deactivated != 2 {
		t.Errorf("%+v; want 2 deactivated, 1 refused", sum)
	}
}

func TestRetriesComeEverMoreRarelyUpToAnHour(t *testing.T) {
	a := newAccounts(t)
	p := a.left(1)
	p.refuse = "referred to by shop_order"
	now := noon
	cfg := config(callbacks.Delete)
	cfg.Now = func() time.Time { return now }
	service := callbacks.New(cfg, a)
	var last time.Duration
	for attempt := range 20 {
		if sum, err := service.RunOnce(t.Context()); err != nil || sum.Refused != 1 {
			t.Fatalf("attempt %d: %+v, %v", attempt, sum, err)
		}
		l := p.letters[callbacks.Delete]
		wait := l.next.Sub(now)
		middle := min(30*time.Second<<min(attempt, 10), time.Hour)
		if wait > time.Hour || wait < middle*8/10 || wait > middle*12/10 {
			t.Errorf("attempt %d: waits %s; want about %s, at most an hour", attempt+1, wait, middle)
		}
		if wait == last && wait < time.Hour {
			t.Errorf("attempt %d: no jitter", attempt+1)
		}
		last = wait
		now = l.next.Add(-time.Nanosecond)
		if sum, _ := service.RunOnce(t.Context()); sum.Handled() != 0 || !sum.NextDue.Equal(l.next) {
			t.Errorf("attempt %d: tried again too early, or the summary forgets it: %+v", attempt+1, sum)
		}
		now = l.next
	}
	p.refuse = ""
	if sum := look(t, a, cfg); sum.Deleted != 1 || !sum.NextDue.IsZero() {
		t.Errorf("when the obstacle is gone: %+v", sum)
	}
}

func TestADatabaseThatFailsEndsTheLook(t *testing.T) {
	missing := fault.New(fault.Database, "run ldapsync migrate", "table ldapsync.link isn't there")
	for _, test := range []struct {
		name string
		err  error
		hint string
	}{{"with a class", missing, "run ldapsync migrate"}, {"bare", errors.New("connection reset by peer"), ""}} {
		t.Run(test.name, func(t *testing.T) {
			a := newAccounts(t)
			a.left(5)
			pages := 0
			a.before = func(string, int) {
				if pages++; pages == 2 {
					a.set(func() { a.down = test.err })
				}
			}
			cfg := config(callbacks.Deactivate)
			cfg.Batch = 2
			sum, err := callbacks.New(cfg, a).RunOnce(t.Context())
			if !errors.Is(err, test.err) {
				t.Fatalf("error %v; want %v", err, test.err)
			}
			if class, hint := fault.Of(err); class != fault.Database || hint != test.hint {
				t.Errorf("class %v, hint %q", class, hint)
			}
			if fault.IsPermanent(err) != fault.IsPermanent(test.err) || !strings.Contains(err.Error(), "target default") {
				t.Errorf("%v: permanent %v", err, fault.IsPermanent(err))
			}
			if sum.Deactivated != 2 || sum.Refused != 0 {
				t.Errorf("%+v; want the 2 that were committed, nobody refused", sum)
			}
		})
	}
}

func TestCancelledLookBlamesNobody(t *testing.T) {
	a := newAccounts(t)
	a.left(4)
	ctx, cancel := context.WithCancel(t.Context())
	a.before = func(string, int) {
		cancel()
		a.set(func() { a.down = context.Canceled })
	}
	sum, err := callbacks.New(config(callbacks.Deactivate), a).RunOnce(ctx)
	if !errors.Is(err, context.Canceled) || sum.Handled() != 0 || len(a.batches) != 1 {
		t.Errorf("%+v, %v after %d transactions", sum, err, len(a.batches))
	}
	if class, _ := fault.Of(err); class == fault.Database {
		t.Error("the database is blamed for an interrupt")
	}
}

func TestWrongSettingsAreRefused(t *testing.T) {
	for name, cfg := range map[string]callbacks.Config{
		"callback": {Callbacks: []string{"deactivate", "shred"}},
		"batch":    {Batch: 201},
		"negative": {Interval: -1},
	} {
		for method, do := range map[string]func(*callbacks.Service) error{
			"RunOnce": func(s *callbacks.Service) error { _, err := s.RunOnce(t.Context()); return err },
			"Run":     func(s *callbacks.Service) error { return s.Run(t.Context(), nil) },
		} {
			if class, _ := fault.Of(do(callbacks.New(cfg, newAccounts(t)))); class != fault.Usage {
				t.Errorf("%s: %s doesn't refuse it", name, method)
			}
		}
	}
	if !callbacks.Known("deactivate") || !callbacks.Known("delete") || callbacks.Known("Delete") || callbacks.Known("") {
		t.Error("Known")
	}
}

func TestACallbackAsksForWhomItActsOn(t *testing.T) {
	a := newAccounts(t)
	a.left(1)
	cfg := config(callbacks.Deactivate, callbacks.Delete)
	cfg.Missing, cfg.DeleteAfter, cfg.Batch = callbacks.Deactivate, 720*time.Hour, 7
	look(t, a, cfg)
	want := map[string]callbacks.DueQuery{
		callbacks.Deactivate: {Callback: callbacks.Deactivate, Missing: true, Now: noon, Limit: 7},
		callbacks.Delete:     {Callback: callbacks.Delete, After: 720 * time.Hour, Now: noon, Limit: 7},
	}
	seen := map[string]bool{}
	for _, q := range a.asks {
		q.Behind, seen[q.Callback] = callbacks.Key{}, true
		if q != want[q.Callback] {
			t.Errorf("%+v, want %+v", q, want[q.Callback])
		}
	}
	if len(seen) != 2 || a.deletesAfter != cfg.DeleteAfter {
		t.Errorf("asked for %v; deletes after %s", seen, a.deletesAfter)
	}
	if q := config().Query(callbacks.Deactivate, noon); q.Missing || q.Limit != callbacks.MaxBatch {
		t.Errorf("by default: %+v", q)
	}
}

func TestSettingsOfRemovalThatDoNotFitAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  callbacks.Config
		want string
	}{
		"unknown":          {callbacks.Config{Missing: "remove"}, "removal.missing"},
		"missing, nothing": {callbacks.Config{Missing: callbacks.Deactivate, Callbacks: []string{callbacks.Delete}}, "removal.missing"},
		"delete, never":    {callbacks.Config{DeleteAfter: time.Hour, Callbacks: []string{callbacks.Delete}}, "removal.delete.after"},
		"negative":         {callbacks.Config{DeleteAfter: -time.Hour}, "delay of delete"},
	} {
		if err := c.cfg.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	fine := callbacks.Config{Missing: callbacks.Keep, DeleteAfter: time.Hour, Callbacks: []string{callbacks.Delete, callbacks.Deactivate}}
	if err := fine.Validate(); err != nil {
		t.Error(err)
	}
}

func TestWhoCanBeRestored(t *testing.T) {
	seen := map[string]bool{}
	for _, by := range []string{"", "other", "restored"} {
		why := callbacks.CantRestore(by)
		if why == "" || seen[why] {
			t.Errorf("%q: %q", by, why)
		}
		seen[why] = true
	}
	if why := callbacks.CantRestore("sync"); why != "" {
		t.Error(why)
	}
}
