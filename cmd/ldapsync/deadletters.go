package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/internal/django"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

func (a *app) deadLettersCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "deadletters",
		Short: "List, show, retry or drop entries that could not be applied",
		Long: `A dead letter is an entry that a database refused, one whose name another row holds (parked), or an account that a callback
failed for. Each is a row in the target. They are tried again at the end of every pass, or when they are due.`,
		Args: cobra.ArbitraryArgs,
		RunE: group,
	}
	c.AddCommand(a.lettersList(), a.lettersShow(), a.lettersRetry(), a.lettersDrop())
	return c
}

// letters are the dead letters that a command is about.
type letterQuery struct {
	selection
	kind, stage string
	all         bool
}

func (q *letterQuery) flags(c *cobra.Command) {
	q.selection.flags(c)
	c.Flags().StringVar(&q.kind, "kind", "", "only of this `kind`: user or group")
	c.Flags().StringVar(&q.stage, "stage", "", "only of this `stage`: apply, deactivate or delete")
}

// found is a letter with the store it is in.
type foundLetter struct {
	django.Letter
	target string
	store  store
}

// each opens the targets, and hands the letters that match to fn. id "" matches all.
func (a *app) letters(ctx context.Context, q letterQuery, id string, fn func(foundLetter) error) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	if q.kind != "" && q.kind != string(proto.KindUser) && q.kind != string(proto.KindGroup) {
		return usage("user or group", "--kind: %q is neither", q.kind)
	}
	targets, err := q.targetsOf(cfg)
	if err != nil {
		return err
	}
	for _, t := range targets {
		if err := a.lettersOf(ctx, cfg, t, q, id, fn); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) lettersOf(ctx context.Context, cfg *config.Config, t *config.Target, q letterQuery, id string, fn func(foundLetter) error) error {
	st, err := openStore(ctx, cfg, t, 30*time.Second, a.logger(slog.LevelWarn))
	if err != nil {
		return err
	}
	defer st.Close()
	if err := migrated(ctx, st, t); err != nil {
		return err
	}
	filters := []django.LetterFilter{{Kind: proto.Kind(q.kind), Stage: q.stage}}
	if len(q.sources) > 0 {
		filters = filters[:0]
		for _, s := range q.sources {
			filters = append(filters, django.LetterFilter{Source: s, Kind: proto.Kind(q.kind), Stage: q.stage})
		}
	}
	for _, f := range filters {
		list, err := st.Letters(ctx, f, 0)
		if err != nil {
			return err
		}
		for _, l := range list {
			if id != "" && l.ID != id && l.DN != id {
				continue
			}
			if err := fn(foundLetter{l, t.Name, st}); err != nil {
				return err
			}
		}
	}
	return nil
}

// letterView is a letter as --json prints it.
type letterView struct {
	Target   string     `json:"target"`
	Source   string     `json:"source"`
	Kind     proto.Kind `json:"kind"`
	ID       string     `json:"id"`
	Stage    string     `json:"stage"`
	DN       string     `json:"dn"`
	Name     string     `json:"name,omitempty"`
	Parked   bool       `json:"parked"`
	Reason   string     `json:"reason"`
	Sequence uint64     `json:"sequence"`
	Attempts int        `json:"attempts,omitempty"`
	Since    time.Time  `json:"since"`
	NextAt   *time.Time `json:"next_at,omitempty"`
	Entry    any        `json:"entry,omitempty"`
}

func (l foundLetter) view() letterView {
	v := letterView{
		Target: l.target, Source: l.Source, Kind: l.Kind, ID: l.ID, Stage: l.Stage, DN: l.DN, Name: l.Name, Parked: l.Parked,
		Reason: l.Reason, Sequence: l.Sequence, Attempts: l.Attempts, Since: l.Since,
	}
	if !l.NextAt.IsZero() {
		v.NextAt = &l.NextAt
	}
	return v
}

// state says in a word what a letter waits for.
func (l foundLetter) state() string {
	switch {
	case l.Stage != django.StageApply:
		return l.Stage
	case l.Parked:
		return "parked"
	}
	return "dead"
}

func (a *app) lettersList() *cobra.Command {
	var q letterQuery
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List dead letters and parked entries",
		Args:  arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			views := []letterView{}
			w := &lines{w: a.stdout}
			err := a.letters(c.Context(), q, "", func(l foundLetter) error {
				if asJSON {
					views = append(views, l.view())
					return nil
				}
				w.line("%s %s %s %s  %s: %s", l.target, l.state(), l.Kind, l.ID, printable(l.DN), printable(l.Reason))
				return w.err
			})
			if err == nil && asJSON {
				err = writeJSON(a.stdout, views)
			}
			return err
		},
	}
	q.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

func (a *app) lettersShow() *cobra.Command {
	var q letterQuery
	var asJSON bool
	c := &cobra.Command{
		Use:   "show ID",
		Short: "Show a dead letter with its entry; ID is an id or a DN",
		Args:  arguments(1, 1, "the id or DN of an entry"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.matching(c.Context(), q, args[0], func(l foundLetter) error { return a.showLetter(l, asJSON) })
		},
	}
	q.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

// matching is letters for one id, which must be there.
func (a *app) matching(ctx context.Context, q letterQuery, id string, fn func(foundLetter) error) error {
	found := false
	err := a.letters(ctx, q, id, func(l foundLetter) error {
		found = true
		return fn(l)
	})
	if err == nil && !found && id != "" {
		return fault.New(fault.Failed, "ldapsync deadletters list shows what there is", "no dead letter %s", id)
	}
	return err
}

func (a *app) showLetter(l foundLetter, asJSON bool) error {
	attributes, err := entryAttributes(l.Letter)
	if err != nil {
		return err
	}
	if asJSON {
		v := l.view()
		if attributes != nil {
			v.Entry = attributes
		}
		return writeJSON(a.stdout, v)
	}
	w := &lines{w: a.stdout}
	w.line("target:   %s", l.target)
	w.line("source:   %s", l.Source)
	w.line("%-9s %s", string(l.Kind)+":", l.ID)
	w.line("dn:       %s", printable(l.DN))
	w.line("state:    %s", l.state())
	w.line("reason:   %s", printable(l.Reason))
	w.line("since:    %s", l.Since.Format(time.RFC3339))
	if l.Attempts > 0 {
		w.line("attempts: %d", l.Attempts)
	}
	if !l.NextAt.IsZero() {
		w.line("next:     %s", l.NextAt.Format(time.RFC3339))
	}
	for _, at := range attributes {
		for _, v := range at.Values {
			w.line("  %s: %s", at.Name, printable(v))
		}
	}
	return w.err
}

// shownAttribute is an attribute of a letter's entry; binary values are counted only.
type shownAttribute struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

func entryAttributes(l django.Letter) ([]shownAttribute, error) {
	if len(l.Entry) == 0 {
		return nil, nil
	}
	e := proto.Event{Type: "entry", ContentType: proto.ContentTypeProtobuf, Data: l.Entry}
	var attributes []*proto.Attribute
	if l.Kind == proto.KindGroup {
		m := new(proto.Group)
		if err := proto.Unmarshal(e, m); err != nil {
			return nil, err
		}
		attributes = m.GetAttributes()
	} else {
		m := new(proto.User)
		if err := proto.Unmarshal(e, m); err != nil {
			return nil, err
		}
		attributes = m.GetAttributes()
	}
	list := make([]shownAttribute, len(attributes))
	for i, at := range attributes {
		list[i] = shownAttribute{at.GetName(), at.GetValues()}
		for _, b := range at.GetBinary() {
			list[i].Values = append(list[i].Values, fmt.Sprintf("(%d bytes)", len(b)))
		}
	}
	return list, nil
}

func (a *app) lettersRetry() *cobra.Command {
	return a.lettersChange("retry", "Make dead letters due at once", "due: the next pass tries again", store.RetryLetters)
}

func (a *app) lettersDrop() *cobra.Command {
	return a.lettersChange("drop", "Forget dead letters: their entries are tried again only when the directory changes them", "dropped", store.DropLetters)
}

func (a *app) lettersChange(verb, short, done string, change func(store, context.Context, django.LetterFilter) (int, error)) *cobra.Command {
	var q letterQuery
	c := &cobra.Command{
		Use:   verb + " ID | --all",
		Short: short + "; ID is an id or a DN",
		Args:  arguments(0, 1, "the id or DN of an entry"),
		RunE: func(c *cobra.Command, args []string) error {
			id := ""
			switch {
			case len(args) == 1 && q.all, len(args) == 0 && !q.all:
				return usage("ldapsync deadletters list shows what there is", "deadletters %s: name one by its id or DN, or say --all", verb)
			case len(args) == 1:
				id = args[0]
			}
			w := &lines{w: a.stdout}
			return a.matching(c.Context(), q, id, func(l foundLetter) error {
				n, err := change(l.store, c.Context(), django.LetterFilter(l.LetterKey))
				if err != nil || n == 0 { // 0: somebody was quicker
					return err
				}
				w.line("%s %s %s: %s", l.target, l.Kind, printable(l.DN), done)
				return w.err
			})
		},
	}
	q.flags(c)
	c.Flags().BoolVar(&q.all, "all", false, "all that the other flags select")
	return c
}
