package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ldapsync/applier"
	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/extractor"
	"ldapsync/internal/bus"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

func (a *app) heldCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "held",
		Short: "List, show, approve or reject what is held",
		Long: `When a pass would take away more than the limits allow (sources.….limits), when the directory answers empty, or when the source's question
has changed, ldapsync holds that part: new people and harmless changes flow on, and the rest waits until a person has looked. What
the directory itself mends dissolves with the next pass, without anybody's doing.`,
		Example: "  ldapsync held list\n  ldapsync held show 3f2a9c1d\n  ldapsync held approve 3f2a9c1d --reason \"the Kraków branch is closed\"",
		Args:    cobra.ArbitraryArgs,
		RunE:    group,
	}
	c.AddCommand(a.heldList(), a.heldShow(),
		a.heldDecide(decision{verdict: proto.Decision_DECISION_APPROVE, row: applier.Approved, use: "approve", done: "approved",
			short: "Let it happen: exactly what was shown, and nothing that has changed since",
			long: `Lets happen what is held under these hashes: for exactly those entries that are still as "held show" showed them. A service that is active
carries it out at once; otherwise the next "ldapsync run" does. Who decided, when and why is published in the source's stream.`}),
		a.heldDecide(decision{verdict: proto.Decision_DECISION_REJECT, row: applier.Rejected, use: "reject", done: "rejected",
			short: "Keep it from happening, and be asked no more until the directory says something else",
			long: `Keeps the entries under these hashes as they are, and asks no more about them: exit code 4 goes away, "held list" still names them. They are
free again when the directory says something else about them, or when somebody approves.`}))
	return c
}

// holder is a command about what is held.
type holder struct {
	*app
	cfg     *config.Config
	logger  *slog.Logger
	bus     *bus.Bus // nil: there is no stream yet
	sources []*config.Source
	targets []*config.Target
	stores  map[string]store // of the targets that answer
}

// openHolder opens what is selected. A database that doesn't answer doesn't keep people from what a source holds.
func (a *app) openHolder(ctx context.Context, sel selection) (_ *holder, err error) {
	h := &holder{app: a, logger: a.logger(slog.LevelWarn), stores: map[string]store{}}
	if h.cfg, err = a.load(); err != nil {
		return nil, err
	}
	if h.sources, err = sel.sourcesOf(h.cfg); err != nil {
		return nil, err
	}
	if len(h.cfg.Targets) > 0 {
		if h.targets, err = sel.targetsOf(h.cfg); err != nil {
			return nil, err
		}
	}
	if h.cfg.NATS.URL.IsSet() || bus.HasStore(h.cfg.State) {
		if h.bus, err = h.stream(ctx); err != nil {
			return nil, err
		}
	}
	for _, t := range h.targets {
		st, err := openStore(ctx, h.cfg, t, 10*time.Second, h.logger)
		if err != nil {
			_, hint := fault.Of(err)
			h.logger.Warn("the database can't be asked: its accounts and what it holds are left out", "target", t.Name, "error", oneLine(err.Error()), "hint", hint)
			continue
		}
		h.stores[t.Name] = st
	}
	return h, nil
}

// stream opens the bus. A run that keeps the stream to itself is waited for, but not as long as another run would.
func (h *holder) stream(ctx context.Context) (*bus.Bus, error) {
	c, err := h.busConfig(h.cfg, patience(h.sources), h.logger)
	if err != nil {
		return nil, err
	}
	c.LockWait = 10 * time.Second
	b, err := bus.Open(ctx, c)
	if c.URL == "" && err != nil && ctx.Err() == nil && !fault.IsPermanent(err) {
		return nil, fault.Passing(fault.Stream, "a run ends by itself: then try again", "%w", err)
	}
	return b, err
}

func (h *holder) close() {
	if h.bus != nil {
		if err := h.bus.Close(); err != nil {
			h.logger.Warn("closing the stream", "error", err)
		}
	}
	for _, st := range h.stores {
		_ = st.Close()
	}
}

// foundHold is a hold with what it takes to show it.
type foundHold struct {
	holdView
	state *extractor.Held // of a source
	row   *applier.Held   // of a target; nil: a source's
}

// all reads what is held by the sources, then by the targets, the open ones before the rejected.
func (h *holder) all(ctx context.Context) ([]foundHold, error) {
	var list []foundHold
	for _, s := range h.sources {
		of, err := h.ofSource(ctx, s.Name)
		if err != nil {
			return nil, err
		}
		list = append(list, of...)
	}
	for _, t := range h.targets {
		of, err := h.ofTarget(ctx, t)
		if err != nil {
			return nil, err
		}
		list = append(list, of...)
	}
	slices.SortStableFunc(list, func(a, b foundHold) int {
		switch {
		case a.Rejected == b.Rejected:
			return 0
		case b.Rejected:
			return -1
		}
		return 1
	})
	return list, nil
}

func (h *holder) ofSource(ctx context.Context, source string) ([]foundHold, error) {
	if h.bus == nil {
		return nil, nil
	}
	log, err := h.bus.OpenLog(ctx, source)
	if errors.Is(err, proto.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	state, err := extractor.ReadHeld(ctx, log)
	if err != nil || len(state.Holds) == 0 {
		return nil, err
	}
	pending, err := h.bus.Pending(ctx, source)
	if err != nil {
		return nil, err
	}
	var list []foundHold
	for _, hold := range state.Holds {
		v := newHoldView(source, hold)
		if v.Since == nil {
			v.Since = &state.Time
		}
		for _, r := range pending.Requests {
			for _, verdict := range r.GetVerdicts() {
				if len(verdict.GetHash()) >= leastHash && strings.HasPrefix(hold.Hash, strings.ToLower(verdict.GetHash())) {
					v.Asked = &askedView{decisionName(verdict.GetDecision()), verdict.GetBy(), verdict.GetReason()}
				}
			}
		}
		list = append(list, foundHold{holdView: v, state: state})
	}
	return list, nil
}

func (h *holder) ofTarget(ctx context.Context, t *config.Target) ([]foundHold, error) {
	st := h.stores[t.Name]
	if st == nil {
		return nil, nil
	}
	ready, err := st.Migrated(ctx)
	if err != nil || !ready {
		return nil, err
	}
	rows, err := st.HeldRows(ctx)
	if err != nil {
		return nil, err
	}
	var list []foundHold
	for _, row := range rows {
		v := newRowView(t.Name, row)
		if row.Decision == applier.Approved {
			v.Asked = &askedView{"approve", row.By, row.Why}
		}
		list = append(list, foundHold{holdView: v, row: &row})
	}
	return list, nil
}

// newRowView is what a target holds.
func newRowView(target string, row applier.Held) holdView {
	return holdView{
		Source: row.Source, Target: target, Hash: row.Hash, Kind: proto.KindUser, Change: row.Change, Count: row.Count, Of: row.Of,
		Reason: row.Reason, Rejected: row.Decision == applier.Rejected, Since: known(row.Since),
	}
}

// leastHash is how many digits of a hash say which one is meant.
const leastHash = 8

// pick finds the hold of a hash, or of its first digits.
func pick(list []foundHold, hash string) (*foundHold, error) {
	given := strings.ToLower(strings.TrimSpace(hash))
	if len(given) < leastHash {
		return nil, usage("ldapsync held list shows them", "%q: a hash has 32 digits, of which the first %d are enough", hash, leastHash)
	}
	var match *foundHold
	for i := range list {
		switch {
		case !strings.HasPrefix(list[i].Hash, given):
		case match != nil && match.Hash != list[i].Hash:
			return nil, usage("give more digits", "%s: stands for several holds", hash)
		case match == nil:
			match = &list[i]
		}
	}
	if match == nil {
		return nil, fault.New(fault.Failed, heldNow(list), "nothing is held under %s: it has changed since it was shown, has dissolved, or was decided", hash)
	}
	return match, nil
}

// heldNow names what is held, for a hint.
func heldNow(list []foundHold) string {
	if len(list) == 0 {
		return "nothing is held now"
	}
	var names []string
	for i, h := range list {
		if i == 5 {
			names = append(names, "…: ldapsync held list")
			break
		}
		names = append(names, h.short()+" ("+h.what()+")")
	}
	return "held now: " + strings.Join(names, ", ")
}
