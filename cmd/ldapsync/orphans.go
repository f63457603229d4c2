package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/internal/django"
)

func (a *app) orphansCommand() *cobra.Command {
	var active, asJSON bool
	c := &cobra.Command{
		Use:   "orphans [TARGET...]",
		Short: "List the accounts that no directory entry stands behind",
		Long: `Lists the accounts that no entry of a directory stands behind: those that sync neither made nor adopted (nothing is ever done to them, unless
removal.scope is all), and those whose entry is missing or gone.`,
		Args: arguments(0, 1000, ""),
		RunE: func(c *cobra.Command, args []string) error {
			return a.orphans(c.Context(), args, active, asJSON)
		},
	}
	c.Flags().BoolVar(&active, "active", false, "only accounts that are active")
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

// orphanView is an account that nobody stands behind, as --json prints it.
type orphanView struct {
	Target    string     `json:"target"`
	PK        string     `json:"pk"`
	Name      string     `json:"name"`
	Active    bool       `json:"active"`
	Staff     bool       `json:"staff"`
	Superuser bool       `json:"superuser"`
	LastLogin *time.Time `json:"last_login,omitempty"`
	Joined    *time.Time `json:"date_joined,omitempty"`
	State     string     `json:"state"` // unlinked, missing or gone
	Source    string     `json:"source,omitempty"`
	ID        string     `json:"id,omitempty"`
	DN        string     `json:"dn,omitempty"`
	Reason    string     `json:"reason,omitempty"`
	Since     *time.Time `json:"since,omitempty"`
}

// unlinked is the state of an account that sync doesn't know.
const unlinked = "unlinked"

func newOrphanView(target string, o django.Orphan) orphanView {
	v := orphanView{
		Target: target, PK: o.PK, Name: o.Username, Active: o.Active, Staff: o.Staff, Superuser: o.Superuser,
		LastLogin: known(o.LastLogin), Joined: known(o.DateJoined), State: o.State, Source: o.Source, ID: o.ID, DN: o.DN, Reason: o.Reason, Since: known(o.Since),
	}
	if v.State == "" {
		v.State = unlinked
	}
	return v
}

// known is nil for a time that isn't.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (a *app) orphans(ctx context.Context, names []string, active, asJSON bool) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	targets, err := (&selection{targets: names}).targetsOf(cfg)
	if err != nil {
		return err
	}
	views := []orphanView{}
	w := &lines{w: a.stdout}
	for _, t := range targets {
		list, err := a.orphansOf(ctx, cfg, t, active)
		if err != nil {
			return err
		}
		if views = append(views, list...); !asJSON {
			printOrphans(w, t, list, len(targets) > 1)
		}
	}
	if asJSON {
		return writeJSON(a.stdout, views)
	}
	return w.err
}

func (a *app) orphansOf(ctx context.Context, cfg *config.Config, t *config.Target, active bool) ([]orphanView, error) {
	st, err := openStore(ctx, cfg, t, 30*time.Second, a.logger(slog.LevelWarn))
	if err != nil {
		return nil, err
	}
	defer st.Close()
	var list []orphanView
	for o, err := range st.Orphans(ctx) {
		if err != nil {
			return nil, fmt.Errorf("target %s: %w", t.Name, err)
		}
		if o.Active || !active {
			list = append(list, newOrphanView(t.Name, o))
		}
	}
	return list, nil
}

func printOrphans(w *lines, t *config.Target, list []orphanView, several bool) {
	if several {
		w.line("target %s:", t.Name)
	}
	if len(list) == 0 {
		w.line("an entry of the directory stands behind every account")
		return
	}
	table := newColumns(w)
	table.row("ACCOUNT", "", "LAST LOGIN", "WHY")
	for _, o := range list {
		account := shownAccount{PK: o.PK, Active: o.Active, Staff: o.Staff, Superuser: o.Superuser, LastLogin: o.LastLogin}
		table.row(o.Name, account.standing(), account.login(), o.why())
	}
	table.print()
	w.line("%s", summary(t, list))
}

// why says why nobody stands behind an account.
func (o orphanView) why() string {
	if o.State == unlinked {
		return "sync neither made nor adopted it"
	}
	var b strings.Builder
	b.WriteString(o.State)
	if o.Since != nil {
		fmt.Fprintf(&b, " since %s", o.Since.Format(time.DateOnly))
	}
	if o.Reason != "" {
		fmt.Fprintf(&b, ": %s", printable(o.Reason))
	}
	return b.String()
}

// summary counts the accounts, and says what happens to those that sync doesn't know.
func summary(t *config.Target, list []orphanView) string {
	n := 0
	for _, o := range list {
		if o.State == unlinked {
			n++
		}
	}
	text := plural(len(list), "account", "accounts")
	switch {
	case n == 0:
		return text
	case t.Removal.Scope == config.ScopeAll:
		return fmt.Sprintf("%s; removal.scope is all: the %d that sync doesn't know count as removed with the next run, within the limits and but for removal.exclude", text, n)
	}
	return fmt.Sprintf("%s; the %d that sync doesn't know stay as they are (removal.scope: linked)", text, n)
}
