package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"ldapsync/applier"
	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/internal/django"
	"ldapsync/proto"
)

// explainedAccount is what there is to say about a user's account in one target.
type explainedAccount struct {
	Target      string           `json:"target"`
	Failed      string           `json:"failed,omitempty"`
	Table       string           `json:"table,omitempty"`
	PK          string           `json:"pk,omitempty"` // "" if there is no row
	Name        string           `json:"name,omitempty"`
	How         applier.How      `json:"how,omitempty"` // the link: created, adopted or relinked; "" if there is none
	State       string           `json:"state,omitempty"`
	Reason      string           `json:"reason,omitempty"` // why it is gone
	Deactivated string           `json:"deactivated_by,omitempty"`
	When        *time.Time       `json:"deactivated_at,omitempty"`
	Sequence    uint64           `json:"sequence,omitempty"` // of the event that the row was last written for
	Columns     []columnView     `json:"columns"`
	Refused     string           `json:"refused,omitempty"` // why the entry can't be mapped
	Next        []planned        `json:"next"`              // what the next run would do, if the directory stays as it is
	Letters     []explainedAwait `json:"letters"`
}

// columnView is where a column gets its value from.
type columnView struct {
	Column string `json:"column"`
	From   string `json:"from"`
	Wanted any    `json:"wanted,omitempty"` // what the entry comes to; absent where the column is left alone
	Is     any    `json:"is,omitempty"`     // what the row holds; absent without a row
	Kept   bool   `json:"kept,omitempty"`   // the column is left alone
	hasRow bool
}

// explainedAwait is a dead letter of the account.
type explainedAwait struct {
	Stage  string    `json:"stage"`
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
}

func (a *app) explainAccount(ctx context.Context, p past, t *config.Target, x *explained) (*explainedAccount, error) {
	account := &explainedAccount{Target: t.Name, Columns: []columnView{}, Next: []planned{}, Letters: []explainedAwait{}}
	logger := a.logger(slog.LevelWarn)
	st, err := openStore(ctx, p.cfg, t, 30*time.Second, logger)
	if err != nil {
		return account, err
	}
	defer st.Close()
	if ready, err := st.Migrated(ctx); err != nil || !ready {
		if err == nil {
			err = unmigrated(t)
		}
		return account, err
	}
	c, err := application(p.cfg, t, p.source, st, logger)
	if err != nil {
		return account, err
	}
	account.Table = st.Users().String()
	if err := account.read(ctx, st, c, t, x); err != nil {
		return account, err
	}
	letters, err := st.Letters(ctx, django.LetterFilter{Source: x.Source, Kind: proto.KindUser, ID: x.Entry.ID}, 0)
	if err != nil {
		return account, err
	}
	for _, l := range letters {
		account.Letters = append(account.Letters, explainedAwait{l.Stage, l.Reason, l.Since})
	}
	return account, account.plan(ctx, st, c, t, x)
}

// read reads the link and the row, and compares them with what the entry is mapped to.
func (v *explainedAccount) read(ctx context.Context, st store, c applier.Config, t *config.Target, x *explained) error {
	var row *applier.Row
	err := st.View(ctx, func(r applier.Reader) error {
		row = nil
		links, err := r.Links(ctx, x.Source, proto.KindUser, []string{x.Entry.ID})
		if err != nil || len(links) == 0 {
			return err
		}
		v.link(links[0])
		rows, err := r.Rows(ctx, proto.KindUser, []string{links[0].PK})
		if err == nil && len(rows) > 0 {
			row = &rows[0]
		}
		return err
	})
	if err != nil || c.Users == nil {
		return err
	}
	if row != nil {
		v.PK, v.Name = row.PK, row.Name
	}
	wanted, err := c.Users.Values(x.user)
	if err != nil {
		v.Refused = oneLine(err.Error())
		return nil
	}
	for i, column := range c.Users.Columns() {
		view := columnView{Column: column, From: origin(t, st.Users(), i, column, x), Wanted: wanted[i], Kept: wanted[i] == applier.Keep{}, hasRow: row != nil}
		if view.Kept {
			view.Wanted = nil
		}
		if row != nil && i < len(row.Values) {
			view.Is = row.Values[i]
		}
		v.Columns = append(v.Columns, view)
	}
	return nil
}

func (v *explainedAccount) link(l applier.Link) {
	v.PK, v.How, v.State, v.Reason, v.Sequence = l.PK, l.How, string(l.State), l.GoneReason, l.Sequence
	v.Deactivated, v.When = l.DeactivatedBy, timeOrNil(l.DeactivatedAt)
}

// origin says where a column gets its value from.
func origin(t *config.Target, table *django.Table, i int, column string, x *explained) string {
	from := t.Users.Attributes.For(column)
	switch {
	case i == table.ActiveColumn() && x.user.Active == nil:
		return "the callbacks alone: the source has no active rule"
	case i == table.ActiveColumn():
		return "the source's active rule, and the callbacks"
	case len(from) == 0 && column == t.Users.Columns.StaffOrDefault():
		return "the source's staff rule"
	case len(from) == 0 && column == t.Users.Columns.SuperuserOrDefault():
		return "the source's superuser rule"
	case len(from) == 0:
		return "nothing"
	}
	for _, name := range from {
		for _, a := range x.user.GetAttributes() {
			if strings.EqualFold(a.GetName(), name) && len(a.GetValues()) > 0 && strings.TrimSpace(a.GetValues()[0]) != "" {
				return a.GetName()
			}
		}
	}
	return strings.Join(from, " or ") + ", which the entry lacks"
}

// plan asks the applier what it would do for this entry alone, as the stream has it.
func (v *explainedAccount) plan(ctx context.Context, st store, c applier.Config, t *config.Target, x *explained) error {
	event, err := x.event()
	if err != nil {
		return err
	}
	d := &describer{target: t, store: st, config: c, groups: map[string]string{}}
	feed := func(apply func(proto.Event) error) error { return apply(event) }
	list, _, err := d.planned(ctx, applier.New(c, st, nil), feed)
	for _, p := range list {
		if p.Kind == proto.KindUser && p.ID == x.Entry.ID {
			v.Next = append(v.Next, p)
		}
	}
	return err
}

// event is what says of this entry alone what the stream says last.
func (x *explained) event() (proto.Event, error) {
	e := proto.Event{ContentType: proto.ContentTypeProtobuf, Sequence: x.Published.Sequence}
	var m proto.Message
	switch x.State {
	case "removed":
		e.Type, m = proto.TypeUserRemoved, &proto.UserRemoved{User: x.user, Reason: x.Reason}
	case "missing":
		e.Type, m = proto.TypeUserMissing, &proto.UserMissing{User: x.user, Reason: x.Reason}
	default:
		digest := proto.DigestUser(x.user)
		e.Type = proto.TypeUserUpserted
		m = &proto.UserUpserted{DigestVersion: proto.DigestVersion, Ids: []string{x.user.GetId()}, Digests: digest[:], Users: []*proto.User{x.user}}
	}
	var err error
	e.Data, err = proto.Marshal(e.ContentType, m)
	return e, err
}
