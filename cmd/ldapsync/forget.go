package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"ldapsync/applier"
	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/extractor"
	"ldapsync/internal/bus"
	"ldapsync/internal/django"
	"ldapsync/internal/fault"
	"ldapsync/internal/history"
	"ldapsync/proto"
)

// forgetOptions are the flags of forget.
type forgetOptions struct {
	selection
	reason, by       string
	yes, dry, asJSON bool
}

func (a *app) forgetCommand() *cobra.Command {
	var o forgetOptions
	c := &cobra.Command{
		Use:   "forget ID|DN|USERNAME... --reason TEXT",
		Short: "Erase people who are gone from the history",
		Long: `Erases people from the history of the directory, from the outcomes, and from ldapsync's own tables: those who are no longer in the directory, and whose removal every
target has seen. Their accounts in Django are the application's: one that is still there is named and left alone, with exit code 4. The history stays
replayable for everyone else. It can't be undone. An active service does it at once; without one, the next ldapsync run does.`,
		Args: arguments(1, 1000, "an id, a DN or a username"),
		RunE: func(c *cobra.Command, args []string) error {
			a.interruptible = true
			if o.reason = oneLine(o.reason); o.reason == "" {
				return usage("ldapsync forget "+args[0]+" --reason \"…\": it is published, so it mustn't say who she was", "%s: --reason is missing", c.CommandPath())
			}
			if o.by = oneLine(o.by); o.by == "" {
				o.by = a.person()
			}
			return a.forget(c.Context(), o, args)
		},
	}
	o.selection.flags(c)
	c.Flags().StringVar(&o.reason, "reason", "", "why, for those who ask later (`text`); it is published, without her name. Required")
	c.Flags().StringVar(&o.by, "by", "", "who asks for it (`name`; default: $SUDO_USER, $USER)")
	c.Flags().BoolVar(&o.yes, "yes", false, "don't ask")
	c.Flags().BoolVar(&o.dry, "dry-run", false, "only show what would be erased")
	c.Flags().BoolVar(&o.asJSON, "json", false, "as JSON")
	return c
}

// forgotten is a person who is to be erased from what one source has said, as --json prints it.
type forgotten struct {
	Source    string            `json:"source"`
	ID        string            `json:"id"`
	DN        string            `json:"dn,omitempty"`
	Key       string            `json:"key"`                // by which events name her: the beginning of the SHA-256 of her id
	Events    int               `json:"events"`             // that carry her
	Snapshots int               `json:"snapshots"`          // to which these belong
	Snapshot  uint64            `json:"snapshot,omitempty"` // that carried it out
	Erased    uint64            `json:"erased"`             // messages
	Waiting   bool              `json:"waiting"`            // for the next run
	Refused   string            `json:"refused,omitempty"`
	Targets   []forgottenTarget `json:"targets"`

	key  [16]byte
	last uint64 // the last of the events
}

// forgottenTarget is what a target keeps of her.
type forgottenTarget struct {
	Target  string `json:"target"`
	Account string `json:"account,omitempty"` // in Django: it stays
	Letters int64  `json:"dead_letters"`      // of hers; afterwards those that were dropped
	Link    bool   `json:"link"`              // there is one; afterwards it was dropped
	// Messages of the target's outcomes that tell of her; afterwards those that were erased, or that she was taken out of before they were told.
	Outcomes int `json:"outcomes"`

	present bool // her link is, as far as the target knows
}

// forgetter forgets.
type forgetter struct {
	*app
	cfg    *config.Config
	o      forgetOptions
	bus    *bus.Bus // nil if there is no stream
	stores map[string]store
}

func (a *app) forget(ctx context.Context, o forgetOptions, names []string) error {
	f := &forgetter{app: a, o: o, stores: map[string]store{}}
	defer f.close()
	sources, err := f.open(ctx)
	if err != nil {
		return err
	}
	var people []*forgotten
	for _, name := range names {
		found := 0
		for _, s := range sources {
			p, err := f.find(ctx, s, name)
			if err != nil {
				return err
			}
			if p == nil {
				continue
			}
			if found++; !slices.ContainsFunc(people, func(q *forgotten) bool { return q.Source == p.Source && q.ID == p.ID }) {
				people = append(people, p)
			}
		}
		if found == 0 {
			return fault.New(fault.Failed, "give the id, as ldapsync explain or an earlier forget shows it", "%s: neither in the history nor in a target", printable(name))
		}
	}
	if !o.asJSON {
		if err := f.printPlan(people); err != nil {
			return err
		}
	}
	if o.dry {
		return f.tell(people)
	}
	if err := a.confirm(o.yes, "Erase this for good?"); err != nil {
		return err
	}
	for _, p := range people {
		if err := f.awaitOutcomes(ctx, p); err != nil {
			return err
		}
	}
	for _, s := range sources {
		if err := f.eraseFrom(ctx, s, people); err != nil {
			return err
		}
	}
	for _, p := range people {
		if err := f.forgetIn(ctx, p); err != nil {
			return err
		}
	}
	return f.tell(people)
}

// open opens the stream, and the targets of the sources that are selected.
func (f *forgetter) open(ctx context.Context) ([]*config.Source, error) {
	var err error
	if f.cfg, err = f.load(); err != nil {
		return nil, err
	}
	sources, err := f.o.sourcesOf(f.cfg)
	if err != nil {
		return nil, err
	}
	logger := f.logger(slog.LevelWarn)
	if f.cfg.NATS.URL.IsSet() || bus.HasStore(f.cfg.State) {
		if f.bus, err = f.openBus(ctx, f.cfg, patience(sources), logger); err != nil {
			return nil, err
		}
	}
	for _, s := range sources {
		for _, t := range f.cfg.TargetsOf(s.Name) {
			if f.stores[t.Name] != nil {
				continue
			}
			if f.stores[t.Name], err = openStore(ctx, f.cfg, t, 30*time.Second, logger); err != nil {
				delete(f.stores, t.Name)
				return nil, fmt.Errorf("target %s: %w", t.Name, err)
			}
		}
	}
	return sources, nil
}

func (f *forgetter) close() {
	for _, st := range f.stores {
		_ = st.Close()
	}
	if f.bus != nil {
		_ = f.bus.Close()
	}
}

// find finds what there is of a person in the history of a source and in its targets; nil if there is nothing. Who is still in the directory is an
// error.
func (f *forgetter) find(ctx context.Context, s *config.Source, name string) (*forgotten, error) {
	p := &forgotten{Source: s.Name, ID: name, Targets: []forgottenTarget{}}
	if f.bus != nil {
		log, err := f.bus.OpenLog(ctx, s.Name)
		if err == nil {
			err = f.lookAgain(ctx, func() error { return f.findInHistory(ctx, s, log, p) })
		}
		if err != nil && !errors.Is(err, proto.ErrNotFound) {
			return nil, err
		}
	}
	p.key = proto.EntryKey(p.ID)
	p.Key = hex.EncodeToString(p.key[:])
	there := p.Events > 0
	for _, t := range f.cfg.TargetsOf(s.Name) {
		held, err := f.findInTarget(ctx, t, p)
		if err != nil {
			return nil, fmt.Errorf("target %s: %w", t.Name, err)
		}
		p.Targets = append(p.Targets, held)
		there = there || held.Account != "" || held.Letters > 0 || held.Link || held.Outcomes > 0
	}
	if !there {
		return nil, nil
	}
	return p, nil
}

// findInHistory finds who is meant, by id, DN or username, and the events that carry her.
func (f *forgetter) findInHistory(ctx context.Context, s *config.Source, log *bus.Log, p *forgotten) error {
	h, err := history.Open(ctx, log)
	if err != nil {
		return blame(s.Name, err)
	}
	state, err := h.State(ctx, h.Now())
	if err != nil {
		return err
	}
	who := finder{name: p.ID, usernames: usernames(f.cfg, s.Name), rank: byUsername}
	for e, err := range state.Entries(ctx, proto.KindUser) {
		if err != nil {
			return err
		}
		who.look(e)
	}
	for e, err := range h.Removed(ctx, nil) {
		if err != nil {
			return err
		}
		who.look(e)
	}
	entry, err := who.found()
	if err != nil {
		return err
	}
	if entry != nil {
		p.ID, p.DN = entry.ID(), entry.DN()
	}
	if state.Contains(proto.KindUser, p.ID) {
		return fault.New(fault.Failed, "remove her there, or change the source's filter, and run; once she is removed she can be forgotten",
			"source %s: %s is still in the directory, or kept as last known", s.Name, printable(p.DN))
	}
	places, err := extractor.Trace(ctx, log, p.ID)
	if p.Events = len(places); p.Events > 0 {
		p.last = places[p.Events-1]
	}
	snapshots := map[uint64]bool{}
	for _, place := range places {
		if at := h.At(place); at != nil {
			snapshots[at.Number] = true
		}
	}
	p.Snapshots = len(snapshots)
	return err
}

func (f *forgetter) findInTarget(ctx context.Context, t *config.Target, p *forgotten) (forgottenTarget, error) {
	found := forgottenTarget{Target: t.Name}
	st := f.stores[t.Name]
	ready, err := st.Migrated(ctx)
	if err != nil || !ready {
		return found, err
	}
	accounts, err := st.Profiles(ctx, p.Source, proto.KindUser, []string{p.ID})
	if err != nil {
		return found, err
	}
	if len(accounts) > 0 {
		found.Account = accounts[0].Username
	}
	letters, err := st.Letters(ctx, django.LetterFilter{Source: p.Source, Kind: proto.KindUser, ID: p.ID}, 0)
	if err != nil {
		return found, err
	}
	found.Letters = int64(len(letters))
	if found.Outcomes, err = f.outcomesOf(ctx, t, p); err != nil {
		return found, err
	}
	err = st.View(ctx, func(r applier.Reader) error {
		links, err := r.Links(ctx, p.Source, proto.KindUser, []string{p.ID})
		if found.Link = len(links) > 0; found.Link {
			p.DN, found.present = cmp.Or(p.DN, links[0].DN), links[0].State == applier.Present
		}
		return err
	})
	return found, err
}

// forgetIn drops what the targets keep of a person, unless the history goes on knowing her.
func (f *forgetter) forgetIn(ctx context.Context, p *forgotten) error {
	if p.Refused != "" {
		return nil
	}
	for i := range p.Targets {
		t := &p.Targets[i]
		if t.Letters > 0 || t.Link {
			done, err := f.stores[t.Target].Forget(ctx, p.Source, p.ID)
			if err != nil {
				return fmt.Errorf("target %s: %w", t.Target, err)
			}
			t.Letters, t.Link = done.Letters, done.Link
		}
		if err := f.eraseOutcomes(ctx, t, p); err != nil { // behind all that could still be done to her account
			return err
		}
	}
	return nil
}
