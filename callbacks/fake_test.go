package callbacks_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"ldapsync/callbacks"
)

// person is one link of the fake with its row.
type person struct {
	callbacks.Account
	gone    bool
	active  bool
	row     bool
	handled map[string]bool
	letters map[string]*letter
	refuse  string // why the database refuses her
	poison  error  // what fails a whole transaction that she is in
}

type letter struct {
	attempts int
	reason   string
	next     time.Time
}

// accounts is callbacks.Accounts by hand.
type accounts struct {
	t      *testing.T
	mu     sync.Mutex
	people map[callbacks.Key]*person

	down         error                        // what every method answers
	before       func(callback string, n int) // called, unlocked, at the start of each transaction
	batches      []int                        // the size of each transaction that was begun
	asks         []callbacks.DueQuery
	looks        int                                           // how often Due was asked from the start
	deletesAfter time.Duration                                 // what Delete was told last
	position     map[string]uint64                             // by source
	asked        func(source string)                           // called, unlocked, for each Position
	answer       func(r []callbacks.Result) []callbacks.Result // what a faulty store makes of its results
}

var _ callbacks.Accounts = (*accounts)(nil)

func newAccounts(t *testing.T) *accounts {
	return &accounts{t: t, people: make(map[callbacks.Key]*person), position: make(map[string]uint64)}
}

// left adds n people who left, and returns the last one.
func (a *accounts) left(n int) *person {
	a.mu.Lock()
	defer a.mu.Unlock()
	var p *person
	for range n {
		i := len(a.people)
		p = &person{gone: true, active: true, row: true, handled: map[string]bool{}, letters: map[string]*letter{}}
		p.Account = callbacks.Account{
			Key: callbacks.Key{Source: "corp", ID: fmt.Sprintf("id-%06d", i)}, PK: fmt.Sprint(i), GoneSequence: 7,
			Username: fmt.Sprintf("user%d", i), DN: fmt.Sprintf("uid=user%d,dc=example,dc=com", i),
		}
		a.people[p.Key] = p
	}
	return p
}

func (a *accounts) enter(callback string, n int) error {
	if a.before != nil {
		a.before(callback, n)
	}
	a.mu.Lock()
	return a.down
}

func (a *accounts) Due(_ context.Context, q callbacks.DueQuery) ([]callbacks.Account, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asks = append(a.asks, q)
	if q.Behind == (callbacks.Key{}) {
		a.looks++
	}
	if a.down != nil {
		return nil, a.down
	}
	var page []callbacks.Account
	for _, p := range a.people {
		l := p.letters[q.Callback]
		if !p.gone || p.handled[q.Callback] || compare(p.Key, q.Behind) <= 0 || l != nil && l.next.After(q.Now) {
			continue
		}
		due := p.Account
		if l != nil {
			due.Attempts = l.attempts
		}
		page = append(page, due)
	}
	slices.SortFunc(page, func(x, y callbacks.Account) int { return compare(x.Key, y.Key) })
	return page[:min(q.Limit, len(page))], nil
}

func compare(x, y callbacks.Key) int {
	return cmp.Or(cmp.Compare(x.Source, y.Source), cmp.Compare(x.ID, y.ID))
}

func (a *accounts) Deactivate(_ context.Context, list []callbacks.Account) ([]callbacks.Result, error) {
	return a.transact(callbacks.Deactivate, list, func(p *person) callbacks.Outcome {
		if !p.active {
			return callbacks.Inactive
		}
		p.active = false
		return callbacks.Deactivated
	})
}

func (a *accounts) Delete(_ context.Context, list []callbacks.Account, after time.Duration) ([]callbacks.Result, error) {
	a.deletesAfter = after
	return a.transact(callbacks.Delete, list, func(p *person) callbacks.Outcome {
		p.row = false
		return callbacks.Removed
	})
}

func (a *accounts) transact(callback string, list []callbacks.Account, do func(*person) callbacks.Outcome) ([]callbacks.Result, error) {
	err := a.enter(callback, len(list))
	defer a.mu.Unlock()
	a.batches = append(a.batches, len(list))
	if err != nil {
		return nil, err
	}
	for _, item := range list {
		if p := a.people[item.Key]; p.poison != nil {
			return nil, p.poison
		}
	}
	var results []callbacks.Result
	for _, item := range list {
		p, r := a.people[item.Key], callbacks.Result{Account: item}
		switch {
		case !p.gone || p.GoneSequence != item.GoneSequence:
			r.Outcome = callbacks.Returned
		case p.refuse != "":
			r.Outcome, r.Reason = callbacks.Refused, p.refuse
		case !p.row:
			r.Outcome, p.handled[callback] = callbacks.Vanished, true
		default:
			r.Outcome, p.handled[callback] = do(p), true
		}
		results = append(results, r)
	}
	if a.answer != nil {
		results = a.answer(results)
	}
	return results, nil
}

func (a *accounts) Fail(_ context.Context, callback string, item callbacks.Account, reason string, next time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.down != nil {
		return a.down
	}
	p := a.people[item.Key]
	if p.letters[callback] == nil {
		p.letters[callback] = new(letter)
	}
	l := p.letters[callback]
	l.attempts, l.reason, l.next = l.attempts+1, reason, next
	return nil
}

func (a *accounts) NextDue(_ context.Context, q callbacks.DueQuery) (time.Time, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var next time.Time
	for _, p := range a.people {
		if l := p.letters[q.Callback]; l != nil && p.gone && !p.handled[q.Callback] && (next.IsZero() || l.next.Before(next)) {
			next = l.next
		}
	}
	return next, a.down
}

func (a *accounts) Position(_ context.Context, source string) (uint64, error) {
	if a.asked != nil {
		a.asked(source)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.position[source], a.down
}

// set changes the fake under its lock.
func (a *accounts) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

// looked is how often the service has looked for work so far.
func (a *accounts) looked() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.looks
}
