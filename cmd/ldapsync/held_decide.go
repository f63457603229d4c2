package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ldapsync/applier"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// decision is held approve or held reject.
type decision struct {
	verdict     proto.Decision
	row         applier.Decision
	use, done   string
	short, long string
	reason, by  string
}

func (a *app) heldDecide(d decision) *cobra.Command {
	var sel selection
	var asJSON bool
	c := &cobra.Command{
		Use:   d.use + " HASH... --reason TEXT",
		Short: d.short,
		Long:  d.long,
		Args:  arguments(1, 1000, "the hash of a hold"),
		RunE: func(c *cobra.Command, args []string) error {
			a.interruptible = true
			if d.reason = oneLine(d.reason); d.reason == "" {
				return usage(fmt.Sprintf("ldapsync held %s %s --reason \"…\": it is published with your name", d.use, args[0]), "%s: --reason is missing", c.CommandPath())
			}
			if d.by = oneLine(d.by); d.by == "" {
				d.by = a.person()
			}
			h, err := a.openHolder(c.Context(), sel)
			if err != nil {
				return err
			}
			defer h.close()
			return h.decide(c.Context(), args, d, asJSON)
		},
	}
	sel.flags(c)
	c.Flags().StringVar(&d.reason, "reason", "", "why, for those who ask later (`text`); required")
	c.Flags().StringVar(&d.by, "by", "", "who decides (`name`; default: $SUDO_USER, $USER)")
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

// person names who types the command.
func (a *app) person() string {
	for _, variable := range []string{"SUDO_USER", "USER"} {
		for _, pair := range a.environ {
			if name, ok := strings.CutPrefix(pair, variable+"="); ok && name != "" {
				return name
			}
		}
	}
	return requester()
}

// outcome is what became of one decision, as --json prints it.
type outcome struct {
	holdView
	Decision string       `json:"decision"`
	By       string       `json:"by"`
	Why      string       `json:"why"`
	Snapshot uint64       `json:"snapshot,omitempty"` // that carried it out; 0: the next one will
	Decided  *decidedView `json:"decided,omitempty"`  // what that did
	Waiting  bool         `json:"waiting"`            // for the next pass, or for Next
	Next     string       `json:"next,omitempty"`     // the command that carries it out, where no pass does
}

// decide decides about holds: all of them must be there, or nothing is done.
func (h *holder) decide(ctx context.Context, hashes []string, d decision, asJSON bool) error {
	list, err := h.all(ctx)
	if err != nil {
		return err
	}
	var chosen []*foundHold
	for _, hash := range hashes {
		f, err := pick(list, hash)
		if err != nil {
			return err
		}
		if !slices.Contains(chosen, f) {
			chosen = append(chosen, f)
		}
	}
	if d.verdict == proto.Decision_DECISION_APPROVE {
		if err := h.approvable(ctx, chosen); err != nil {
			return err
		}
	}
	var outcomes []outcome
	for _, f := range chosen {
		if f.row == nil {
			continue
		}
		o, err := h.decideRow(ctx, f, d)
		if err != nil {
			return err
		}
		outcomes = append(outcomes, o)
	}
	for _, s := range h.sources {
		var of []*foundHold
		for _, f := range chosen {
			if f.row == nil && f.Source == s.Name {
				of = append(of, f)
			}
		}
		if len(of) == 0 {
			continue
		}
		done, err := h.decideSource(ctx, s.Name, of, d)
		if err != nil {
			return err
		}
		outcomes = append(outcomes, done...)
	}
	return h.tell(outcomes, d, asJSON)
}

// decideRow notes a decision in a target, and asks the service for a pass, at whose end it is carried out.
func (h *holder) decideRow(ctx context.Context, f *foundHold, d decision) (outcome, error) {
	o := outcome{holdView: f.holdView, Decision: d.use, By: d.by, Why: d.reason, Waiting: d.row == applier.Approved}
	found, err := h.stores[f.Target].DecideHeld(ctx, f.Hash, d.row, d.by, d.reason)
	if err != nil {
		return o, err
	}
	if !found {
		return o, fault.New(fault.Failed, "ldapsync held list shows what there is now", "nothing is held under %s any more: it has changed, or dissolved, just now", f.short())
	}
	if d.row != applier.Approved {
		return o, nil
	}
	if o.Next, err = h.replayOf(ctx, f); err != nil || o.Next != "" || h.bus == nil {
		return o, err
	}
	_, active, err := h.bus.Active(ctx, roleExtractor, f.Source)
	if err != nil || !active {
		return o, err
	}
	return o, h.bus.Trigger(ctx, f.Source, &proto.RunRequest{RequestedBy: d.by})
}

// replayOf returns the command that carries a decision out where no pass does: about a replay, or about a target which is pinned to a snapshot, as its
// applier leaves it alone. "" for what else is held in one that follows the stream.
func (h *holder) replayOf(ctx context.Context, f *foundHold) (string, error) {
	several := false
	if t := h.cfg.Target(f.Target); t != nil {
		several = len(t.Sources) > 1
	}
	if f.isReplay() {
		return replayCommand(*f.row, f.Target, several), nil
	}
	cp, err := h.stores[f.Target].Checkpoint(ctx, f.Source)
	if err != nil {
		return "", err
	}
	snapshot, pinned := cp.Pinned()
	if !pinned {
		return "", nil
	}
	return replayCommand(applier.Held{Source: f.Source, Change: applier.ChangeReplay + " " + snapshot}, f.Target, several), nil
}

// replayCommand is the command whose replay, or release, is held.
func replayCommand(row applier.Held, target string, several bool) string {
	command := "ldapsync replay --release"
	if snapshot, _ := row.Replay(); snapshot != "" {
		command = "ldapsync replay --snapshot " + snapshot
	}
	command += " --to " + target
	if several {
		command += " --source " + row.Source
	}
	return command
}

// decideSource asks for a pass that carries decisions out. An active service is waited for.
func (h *holder) decideSource(ctx context.Context, source string, of []*foundHold, d decision) ([]outcome, error) {
	request := &proto.RunRequest{RequestedBy: d.by}
	outcomes := make([]outcome, len(of))
	for i, f := range of {
		outcomes[i] = outcome{holdView: f.holdView, Decision: d.use, By: d.by, Why: d.reason, Waiting: true}
		request.Verdicts = append(request.Verdicts, &proto.Verdict{Hash: f.Hash, Decision: d.verdict, By: d.by, Reason: d.reason})
	}
	_, active, err := h.bus.Active(ctx, roleExtractor, source)
	if err != nil {
		return nil, err
	}
	if !active {
		return outcomes, h.bus.Trigger(ctx, source, request)
	}
	log, err := h.bus.OpenLog(ctx, source)
	if err != nil {
		return nil, err
	}
	answer, err := triggerAndWait(ctx, h.bus, log, source, request, max(leastPatience, h.cfg.Source(source).Retry.For))
	if err != nil {
		return nil, err
	}
	for i := range outcomes {
		o := &outcomes[i]
		o.Waiting, o.Snapshot = false, answer.committed.GetSnapshot()
		for _, decided := range answer.decided {
			if v := newDecidedView(source, decided); v.Hash == o.Hash && v.Decision == o.Decision {
				o.Decided = &v
			}
		}
	}
	return outcomes, nil
}

// tell prints what became of the decisions, and fails if one of them came too late. One that had no effect on anything ends with exit code 4: it is held still.
func (h *holder) tell(outcomes []outcome, d decision, asJSON bool) error {
	var late *outcome
	idle := false
	for i, o := range outcomes {
		switch {
		case o.Waiting || o.Decided == nil:
		case o.Decided.Hold == nil:
			late = &outcomes[i]
		case o.Decided.Entries == 0 && o.Decided.Note != "":
			idle = true
		}
	}
	if asJSON {
		if err := writeJSON(h.stdout, outcomes); err != nil {
			return err
		}
	} else {
		w := &lines{w: h.stdout}
		for _, o := range outcomes {
			w.line("%s", o.line(d))
		}
		if w.err != nil {
			return w.err
		}
	}
	if late != nil {
		return fault.New(fault.Failed, "ldapsync held list shows what there is now", "%s has changed, or dissolved, since it was shown", late.short())
	}
	if idle {
		return exit(codeLeftovers)
	}
	return nil
}

// line says what became of a decision.
func (o outcome) line(d decision) string {
	switch {
	case o.Decided != nil:
		return fmt.Sprintf("%s: snapshot %d: %s", o.where(), o.Snapshot, o.Decided.line())
	case o.Target != "" && !o.Waiting:
		return fmt.Sprintf("%s %s: %s: they stay as they are", d.done, o.short(), o.what())
	case o.Next != "" && o.isReplay():
		return fmt.Sprintf("%s %s: %s: %s carries it out", d.done, o.short(), o.what(), o.Next)
	case o.Next != "":
		return fmt.Sprintf("%s %s: %s: the target is pinned, and %s carries it out", d.done, o.short(), o.what(), o.Next)
	case o.Waiting && d.row == applier.Rejected:
		return fmt.Sprintf("%s %s: %s: the next pass notes it (ldapsync run)%s", d.done, o.short(), o.what(), o.instead())
	case o.Waiting:
		return fmt.Sprintf("%s %s: %s: the next pass carries it out (ldapsync run)%s", d.done, o.short(), o.what(), o.instead())
	}
	return fmt.Sprintf("%s %s: snapshot %d", d.done, o.short(), o.Snapshot)
}

// instead names the decision that waited for the next pass, and whose place this one takes; "" if there was none.
func (o outcome) instead() string {
	if o.Asked == nil || o.Target != "" {
		return ""
	}
	return fmt.Sprintf("; it takes the place of %s by %s (%s)", o.Asked.Decision, o.Asked.By, o.Asked.Reason)
}
