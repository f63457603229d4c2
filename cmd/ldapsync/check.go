package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/internal/fault"
)

func (a *app) checkCommand() *cobra.Command {
	var sel selection
	var asJSON bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Try the configuration, the directory, the stream and the databases",
		Long: `Tries everything that a run needs and tells, for each thing that is wrong or doubtful, what to do about it. Changes nothing. The exit code is
that of the first thing that is wrong; warnings don't count.`,
		Args: arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			a.interruptible = true
			return a.check(c.Context(), sel, asJSON)
		},
	}
	sel.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

// finding is one thing that check found.
type finding struct {
	Subject string `json:"subject"` // such as "source corp"
	Level   level  `json:"level"`
	What    string `json:"what"`
	Hint    string `json:"hint,omitempty"`

	class fault.Class
}

type level string

const (
	fine    level = "ok"
	doubt   level = "warning"
	problem level = "problem"
)

// checker collects findings.
type checker struct {
	*app
	cfg      *config.Config
	logger   *slog.Logger
	findings []finding
}

func (c *checker) fine(subject, what string) {
	c.findings = append(c.findings, finding{Subject: subject, Level: fine, What: what})
}

func (c *checker) doubt(subject, hint, what string) {
	c.findings = append(c.findings, finding{Subject: subject, Level: doubt, What: what, Hint: hint})
}

func (c *checker) problem(subject string, err error) {
	class, hint := fault.Of(err)
	c.findings = append(c.findings, finding{Subject: subject, Level: problem, What: oneLine(err.Error()), Hint: hint, class: class})
}

func (a *app) check(ctx context.Context, sel selection, asJSON bool) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	c := &checker{app: a, cfg: cfg, logger: a.logger(slog.LevelError)}
	c.configuration()
	sources, err := sel.sourcesOf(cfg)
	if err != nil {
		return err
	}
	for _, s := range sources {
		c.source(ctx, s)
	}
	c.stream(ctx, sources)
	targets, err := sel.targetsOf(cfg)
	if err != nil {
		c.problem("targets", err)
	}
	for _, t := range targets {
		c.target(ctx, t)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return c.print(asJSON)
}

func (c *checker) print(asJSON bool) error {
	var first *finding
	for i, f := range c.findings {
		if f.Level == problem && first == nil {
			first = &c.findings[i]
		}
	}
	if asJSON {
		if err := writeJSON(c.stdout, c.findings); err != nil {
			return err
		}
	} else {
		w := &lines{w: c.stdout}
		for _, f := range c.findings {
			w.line("%-8s %s: %s", f.Level, f.Subject, printable(f.What))
			if f.Hint != "" {
				w.line("         hint: %s", printable(f.Hint))
			}
		}
		if w.err != nil {
			return w.err
		}
	}
	if first != nil {
		return exit(codeOf(first.class))
	}
	return nil
}

func (c *checker) configuration() {
	if c.cfg.File == "" {
		c.fine("configuration", "from the environment alone")
		return
	}
	c.fine("configuration", c.cfg.File)
}

// checkPatience is how long check tries to reach a server.
const checkPatience = 5 * time.Second

func (c *checker) target(ctx context.Context, t *config.Target) {
	subject := "target " + t.Name
	db, err := database(t)
	if err != nil {
		c.problem(subject, err)
		return
	}
	list, err := inspectStore(ctx, c.cfg, t, checkPatience)
	if err != nil {
		c.problem(subject, err)
		return
	}
	c.versions(ctx, subject, db)
	refused := false
	for _, f := range list {
		if f.Warning {
			c.doubt(subject, f.Hint, f.What)
			continue
		}
		refused = true
		c.problem(subject, fault.New(fault.Database, f.Hint, "%s", f.What))
	}
	if !refused {
		c.usable(ctx, subject, db, t)
	}
	if len(t.Removal.Callbacks) == 0 {
		c.doubt(subject, "removal.callbacks: [deactivate] (LDAP_SYNC_REMOVED_USER_CALLBACKS)", "no removal callback: nothing is done to the accounts of those who leave")
	}
}

// usable opens the database as run does.
func (c *checker) usable(ctx context.Context, subject string, db config.Database, t *config.Target) {
	st, err := openStore(ctx, c.cfg, t, checkPatience, c.logger)
	if err != nil {
		c.problem(subject, err)
		return
	}
	defer st.Close()
	ready, err := st.Migrated(ctx)
	switch {
	case err != nil:
		c.problem(subject, err)
		return
	case !ready:
		c.problem(subject, unmigrated(t))
		return
	}
	for _, s := range sourcesOf(c.cfg, t) {
		if _, err := application(c.cfg, t, s, st, c.logger); err != nil {
			c.problem(subject, err)
			return
		}
	}
	c.fine(subject, db.Shown+", users in "+st.Users().String())
}

func sourcesOf(cfg *config.Config, t *config.Target) []*config.Source {
	var list []*config.Source
	for _, name := range t.Sources {
		if s := cfg.Source(name); s != nil {
			list = append(list, s)
		}
	}
	return list
}

var errNothingToRead = errors.New("neither a user filter nor a group filter is set: nothing is read")
