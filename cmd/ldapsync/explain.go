package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/cmd/ldapsync/internal/export"
	"ldapsync/internal/fault"
	"ldapsync/internal/history"
	"ldapsync/proto"
)

func (a *app) explainCommand() *cobra.Command {
	var sel selection
	var asJSON bool
	c := &cobra.Command{
		Use:   "explain USER",
		Short: "Explain an account: where it comes from, what happened to it, what the next run would do",
		Long: `Explains an account, for whoever has to answer for it: which entry of which directory stands behind it and how it was found, what happened to
that entry as far back as the history reaches, where each column of the account's row gets its value from, and what the next run would do if the
directory stays as it is. USER is an id, a DN, a username, or any value that the entry has. Nothing is changed, and the directory isn't asked.`,
		Args: arguments(1, 1, "a user"),
		RunE: func(c *cobra.Command, args []string) error {
			a.interruptible = true
			return a.explain(c.Context(), sel, args[0], asJSON)
		},
	}
	sel.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

// explained is what there is to say about a user of one source, as --json prints it.
type explained struct {
	Source    string              `json:"source"`
	State     string              `json:"state"` // present, missing or removed
	Reason    string              `json:"reason,omitempty"`
	Entry     export.Entry        `json:"entry"`
	Question  *questionView       `json:"question,omitempty"`
	Published publication         `json:"published"`           // the event that last carried it
	Confirmed *publication        `json:"confirmed,omitempty"` // the snapshot that last found it so
	Groups    []groupView         `json:"groups"`
	Flags     []flagView          `json:"flags"`
	Held      []heldView          `json:"held"` // what waits for a person and is about this user
	Happened  []happeningView     `json:"happened"`
	Targets   []*explainedAccount `json:"targets"`

	user *proto.User
}

// publication is a place in the stream.
type publication struct {
	Snapshot uint64     `json:"snapshot,omitempty"`
	Sequence uint64     `json:"sequence"`
	Time     *time.Time `json:"time,omitempty"`
	Server   string     `json:"server,omitempty"`
}

type groupView struct {
	ID string `json:"id"`
	DN string `json:"dn,omitempty"` // absent for one that is gone
}

type flagView struct {
	Flag  string `json:"flag"`
	Value bool   `json:"value"`
	Rule  string `json:"rule,omitempty"`
}

type happeningView struct {
	What     history.What `json:"what"`
	Snapshot uint64       `json:"snapshot,omitempty"`
	Sequence uint64       `json:"sequence"`
	Time     time.Time    `json:"time"`
	Reason   string       `json:"reason,omitempty"`
	Approved string       `json:"approved_by,omitempty"`
	Changes  []changeView `json:"changes,omitempty"`

	changes []history.Change
}

func (a *app) explain(ctx context.Context, sel selection, name string, asJSON bool) error {
	list := []*explained{}
	var failed error
	err := a.pasts(ctx, sel, func(p past) error {
		x, err := p.explain(ctx, name)
		if err != nil || x == nil {
			return err
		}
		list = append(list, x)
		for _, t := range p.cfg.TargetsOf(p.source.Name) {
			if len(sel.targets) > 0 && !slices.Contains(sel.targets, t.Name) {
				continue
			}
			account, err := a.explainAccount(ctx, p, t, x)
			if err != nil {
				account.Failed = oneLine(err.Error())
				failed = err
			}
			x.Targets = append(x.Targets, account)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fault.New(fault.Failed, "give an id, a DN or a username; ldapsync snapshots list shows how far back the history reaches", "%s: neither in the directory nor in its history", name)
	}
	if asJSON {
		err = writeJSON(a.stdout, list)
	} else {
		w := &lines{w: a.stdout}
		for _, x := range list {
			x.print(w)
		}
		err = w.err
	}
	if err == nil && failed != nil {
		class, _ := fault.Of(failed)
		return exit(codeOf(class))
	}
	return err
}

// explain finds a user and tells what the stream says; nil if it knows nobody of that name.
func (p past) explain(ctx context.Context, name string) (*explained, error) {
	text := []byte(name)
	hits, err := p.Search(ctx, p.Now(), func(kind proto.Kind, x proto.Encoded) bool { return kind == proto.KindGroup || x.Mentions(text) })
	if err != nil {
		return nil, err
	}
	f := finder{name: name, usernames: usernames(p.cfg, p.source.Name)}
	for e, err := range hits.Entries(ctx, proto.KindUser, nil) {
		if err != nil {
			return nil, err
		}
		f.look(e)
	}
	x := &explained{Source: p.source.Name, State: "present"}
	if f.rank == 0 {
		x.State = "removed"
		for e, err := range p.Removed(ctx, func(x proto.Encoded) bool { return x.Mentions(text) }) {
			if err != nil {
				return nil, err
			}
			f.look(e)
		}
	}
	e, err := f.found()
	if err != nil || e == nil {
		return nil, err
	}
	if e.Missing {
		x.State = "missing"
	}
	groups := map[string]string{}
	for g, err := range hits.Entries(ctx, proto.KindGroup, func(id string) bool { return slices.Contains(e.User.GetGroupIds(), id) }) {
		if err != nil {
			return nil, err
		}
		groups[g.ID()] = g.DN()
	}
	p.describe(x, e, groups)
	if err := p.holding(ctx, x); err != nil {
		return nil, err
	}
	return x, p.happened(ctx, x)
}

// describe fills in what the entry and its snapshots say.
func (p past) describe(x *explained, e *proto.StateEntry, groups map[string]string) {
	x.Entry, x.Reason, x.user = export.View(e), e.Reason, e.User
	x.Groups, x.Flags, x.Held, x.Happened, x.Targets = []groupView{}, []flagView{}, []heldView{}, []happeningView{}, []*explainedAccount{}
	x.Published.Sequence = e.Sequence
	if s := p.At(e.Sequence); s != nil {
		x.Published.Snapshot, x.Published.Time, x.Published.Server = s.Number, timeOrNil(snapshotTime(s)), s.Server
		x.Question = p.view(s).Question
	}
	if s := p.Latest(); s != nil && x.State == "present" && e.Retained == proto.Retained_RETAINED_UNSPECIFIED {
		x.Confirmed = &publication{Snapshot: s.Number, Sequence: s.Last, Time: timeOrNil(s.Ended), Server: s.Server}
	}
	for _, id := range e.User.GetGroupIds() {
		x.Groups = append(x.Groups, groupView{id, groups[id]})
	}
	rules := p.source.Flags
	for _, f := range []struct {
		name  string
		value *bool
		rule  *config.FlagRule
	}{{"active", e.User.Active, rules.Active}, {"staff", e.User.Staff, rules.Staff}, {"superuser", e.User.Superuser, rules.Superuser}} {
		if f.value != nil {
			x.Flags = append(x.Flags, flagView{f.name, *f.value, ruleText(f.rule)})
		}
	}
}

// ruleText is a rule in a person's words.
func ruleText(r *config.FlagRule) string {
	switch {
	case r == nil:
		return ""
	case r.Group != "":
		return "member of " + r.Group
	case len(r.Equals) > 0:
		return r.Attribute + " is " + strings.Join(r.Equals, " or ")
	case r.Bit != 0:
		return fmt.Sprintf("%s has bit %d", r.Attribute, r.Bit)
	}
	return fmt.Sprintf("%s hasn't bit %d", r.Attribute, r.NotBit)
}

// holding finds what waits for a person and names this user.
func (p past) holding(ctx context.Context, x *explained) error {
	if len(p.Snapshots) == 0 {
		return nil
	}
	told := p.Told(&p.Snapshots[len(p.Snapshots)-1])
	if told == nil {
		return nil
	}
	details, err := p.Details(ctx, told)
	if err != nil {
		return err
	}
	key := proto.EntryKey(x.Entry.ID)
	for _, part := range details.Held {
		for _, h := range part.GetHolds() {
			if h.GetKind() == string(proto.KindUser) && names16(h.GetEntries(), key) {
				x.Held = append(x.Held, viewHeld(h))
			}
		}
	}
	return nil
}

// names16 tells whether a key is among keys of 16 bytes each.
func names16(keys []byte, key [16]byte) bool {
	for ; len(keys) >= 16; keys = keys[16:] {
		if [16]byte(keys) == key {
			return true
		}
	}
	return false
}

// happened tells the user's life.
func (p past) happened(ctx context.Context, x *explained) error {
	deciders := map[string]string{} // by the hash of the hold
	for _, s := range p.Snapshots {
		for _, d := range s.Decided {
			deciders[d.GetHold().GetHash()] = d.GetVerdict().GetBy() + ": " + d.GetVerdict().GetReason()
		}
	}
	for one, err := range p.Life(ctx, proto.KindUser, x.Entry.ID) {
		if err != nil {
			return err
		}
		v := happeningView{What: one.What, Snapshot: one.Snapshot, Sequence: one.Sequence, Time: one.Time, Reason: one.Reason}
		if one.Approved != "" {
			v.Approved = one.Approved
			if by := deciders[one.Approved]; by != "" {
				v.Approved = by
			}
		}
		if one.What == history.Changed || one.What == history.Found || one.What == history.Returned {
			v.changes = slices.DeleteFunc(one.Changes(), func(c history.Change) bool { return c.Field == history.FieldMissing })
			v.Changes = viewChanges(v.changes)
		}
		x.Happened = append(x.Happened, v)
	}
	return nil
}
