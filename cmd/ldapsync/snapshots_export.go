package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"ldapsync/cmd/ldapsync/internal/export"
	"ldapsync/internal/fault"
	"ldapsync/internal/history"
)

func (a *app) snapshotsExport() *cobra.Command {
	var sel selection
	var file, format string
	var raw bool
	c := &cobra.Command{
		Use:   "export SNAPSHOT",
		Short: "Write the directory as it was at a snapshot",
		Long: `Writes the directory as it was at a snapshot, with everything that was read from it.

ldif   for LDAP programs, and to be read back as a source: users are (objectClass=ldapsyncUser) there, groups (objectClass=ldapsyncGroup), users
       name their groups as memberOf, and the flags are ldapsyncActive, ldapsyncStaff and ldapsyncSuperuser, TRUE or FALSE
jsonl  a line for each entry
csv    a row for each user; several values in a cell are separated by ; and what a spreadsheet would take for a formula has a ' before it (not with --raw)

It holds personal data: a file is readable for its owner alone.`,
		Example: "  ldapsync snapshots export latest --format csv -o people.csv\n  ldapsync snapshots export 2026-11-20 --format ldif | gpg -e -r me > people.ldif.gpg",
		Args:    arguments(1, 1, "a snapshot"),
		RunE: func(c *cobra.Command, args []string) error {
			a.interruptible = true
			if !slices.Contains(export.Formats(), export.Format(format)) {
				return usage(fmt.Sprintf("one of %v", export.Formats()), "--format: %q is none", format)
			}
			return a.onePast(c.Context(), sel, func(p past) error {
				s, err := p.Committed(args[0], time.Now())
				if err != nil {
					return err
				}
				return a.exportSnapshot(c.Context(), p, s, export.Config{Format: export.Format(format), Raw: raw}, file)
			})
		},
	}
	sel.sourceFlag(c)
	c.Flags().StringVar(&format, "format", string(export.LDIF), "`FORMAT`: ldif, jsonl or csv")
	c.Flags().StringVarP(&file, "output", "o", "-", "`FILE`; - is standard output")
	c.Flags().BoolVar(&raw, "raw", false, "csv: leave values as they are")
	return c
}

func (a *app) exportSnapshot(ctx context.Context, p past, s *history.Snapshot, c export.Config, file string) error {
	c.IDAttribute, c.GroupName = s.Question.GetIdAttribute(), groupNames(p.cfg, p.source.Name)
	c.Comment = fmt.Sprintf("source %s, snapshot %d, committed %s, sequence %d", p.source.Name, s.Number, s.Ended.UTC().Format(time.RFC3339), s.Last)
	state, err := p.State(ctx, p.Point(s))
	if err != nil {
		return err
	}
	if file == "-" {
		_, err := export.Write(ctx, a.stdout, c, state)
		return err
	}
	var n export.Written
	err = replaceFile(file, func(w io.Writer) (err error) {
		n, err = export.Write(ctx, w, c, state)
		return err
	})
	if err != nil {
		return err
	}
	w := &lines{w: a.stdout}
	what := fmt.Sprintf("%d users, %d groups", n.Users, n.Groups)
	if c.Format == export.CSV {
		what = fmt.Sprintf("%d users", n.Users)
	}
	w.line("source %s: snapshot %d written to %s: %s", p.source.Name, s.Number, file, what)
	if n.Missing > 0 && c.Format == export.LDIF {
		w.line("  not in it: %d who are missing from the directory and wait for the end of their grace", n.Missing)
	} else if n.Missing > 0 {
		w.line("  and %d who are missing from the directory and wait for the end of their grace", n.Missing)
	}
	return w.err
}

// replaceFile puts what write writes in the place of a file, readable for its owner alone, or leaves what was there.
func replaceFile(file string, write func(io.Writer) error) error {
	temporary, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*") // 0600
	if err != nil {
		return fault.New(fault.Usage, "--output: the directory must exist and be writable", "%w", err)
	}
	defer os.Remove(temporary.Name())
	err = write(temporary)
	if err == nil {
		err = temporary.Sync()
	}
	if closed := temporary.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(temporary.Name(), file)
}
