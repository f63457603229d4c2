package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	_ "modernc.org/sqlite" // the driver that sql.Open names

	"ldapsync/internal/demo"
	"ldapsync/internal/fault"
)

func (a *app) demoCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show a synchronization: a company, a stream and Django's tables, all made here",
		Long: `Starts an LDAP server with a company of 1,000 people inside the process and makes an SQLite database with Django's tables; synchronizes,
lets a day pass in the company, synchronizes again, and shows the rows before and after. Nothing else is needed or touched. The database
is left for you to look at.`,
		Args: arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			a.interruptible = true
			return a.demo(c.Context(), dir)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "`directory` for the database and the stream (default: a new temporary one)")
	return c
}

func (a *app) demo(ctx context.Context, dir string) error {
	dir, err := demoDir(dir)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "db.sqlite3")
	if err := demo.CreateDatabase(ctx, path); err != nil {
		return err
	}
	company := demo.NewDirectory(1)
	uri, stop, err := company.Serve(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer stop()
	inner := &app{environ: demoEnvironment(uri, dir, path), stdout: a.stdout, stderr: a.stderr, verbose: a.verbose, logJSON: a.logJSON}
	w := &lines{w: a.stdout}
	w.line("A company of 1,000 people at %s; Django's tables in %s.", uri, path)
	w.line("\n$ ldapsync migrate")
	if err := inner.migrate(ctx, selection{}); err != nil {
		return err
	}
	w.line("\n$ ldapsync run")
	if err := inner.run(ctx, runOptions{}); err != nil {
		return err
	}
	if err := demoDay(ctx, w, inner, company, path); err != nil {
		return err
	}
	w.line("\nLook around:  sqlite3 %s 'SELECT * FROM auth_user LIMIT 5'", path)
	w.line("Remove it:    rm -r %s", dir)
	return w.err
}

// demoDay changes the directory and synchronizes again.
func demoDay(ctx context.Context, w *lines, inner *app, company *demo.Directory, path string) error {
	changes, err := company.Change()
	if err != nil {
		return err
	}
	var usernames []string
	w.line("\nA day later:")
	for _, c := range changes {
		w.line("  %s.", c.Text)
		usernames = append(usernames, c.Usernames()...)
	}
	w.line("\nThe rows before:")
	if err := demoRows(ctx, w, path, usernames); err != nil {
		return err
	}
	w.line("\n$ ldapsync run --dry-run")
	if err := inner.dryRun(ctx, runOptions{dryRun: true}); err != nil && err != exit(codeDifference) {
		return err
	}
	w.line("\n$ ldapsync run")
	if err := inner.run(ctx, runOptions{}); err != nil {
		return err
	}
	w.line("\nThe rows after:")
	return demoRows(ctx, w, path, usernames)
}

func demoDir(dir string) (string, error) {
	if dir == "" {
		dir, err := os.MkdirTemp("", "ldapsync-demo-")
		if err != nil {
			return "", fault.New(fault.Failed, "name a directory with --dir", "demo: %w", err)
		}
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fault.New(fault.Failed, "name another directory with --dir", "demo: %w", err)
	}
	return filepath.Abs(dir)
}

// demoEnvironment is all the configuration that the demonstration has.
func demoEnvironment(uri, dir, path string) []string {
	return []string{
		"LDAPSYNC_CONFIG=" + os.DevNull,
		"LDAPSYNC_STATE_DIR=" + filepath.Join(dir, "state"),
		"LDAP_SYNC_URI=" + uri,
		"LDAP_SYNC_BASE=" + demo.Base,
		"LDAP_SYNC_BASE_USER=" + demo.BindDN,
		"LDAP_SYNC_BASE_PASS=" + demo.BindPassword,
		"LDAP_SYNC_USER_FILTER=" + demo.UserFilter,
		`LDAP_SYNC_USER_ATTRIBUTES={"uid": "username", "givenName": "first_name", "sn": "last_name", "mail": "email"}`,
		"LDAP_SYNC_GROUP_FILTER=" + demo.GroupFilter,
		`LDAP_SYNC_GROUP_ATTRIBUTES={"cn": "name"}`,
		"LDAP_SYNC_USER_CALLBACKS=active-directory-enabled",
		"LDAP_SYNC_REMOVED_USER_CALLBACKS=deactivate",
		`LDAP_SYNC_FLAGS={"staff": "` + demo.StaffGroup + `"}`,
		"DATABASE_URL=sqlite:///" + path,
	}
}

// demoRows prints users with their groups.
func demoRows(ctx context.Context, w *lines, path string, usernames []string) error {
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: "mode=ro"}).String())
	if err != nil {
		return err
	}
	defer db.Close()
	const query = `SELECT u.id, u.username, u.first_name, u.last_name, u.email, u.is_active,
	COALESCE((SELECT group_concat(name, ', ') FROM (SELECT g.name FROM auth_user_groups m JOIN auth_group g ON g.id = m.group_id WHERE m.user_id = u.id ORDER BY g.name)), '')
FROM auth_user u WHERE u.username IN (%s) ORDER BY u.id`
	args := make([]any, len(usernames))
	for i, name := range usernames {
		args[i] = name
	}
	rows, err := db.QueryContext(ctx, fmt.Sprintf(query, strings.TrimSuffix(strings.Repeat("?, ", len(args)), ", ")), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	w.line("  %4s  %-22s %-26s %-34s %-8s %s", "id", "username", "name", "email", "active", "groups")
	for rows.Next() {
		var id int64
		var username, first, last, email, groups string
		var active bool
		if err := rows.Scan(&id, &username, &first, &last, &email, &active, &groups); err != nil {
			return err
		}
		shown := "yes"
		if !active {
			shown = "no"
		}
		w.line("  %4d  %-22s %-26s %-34s %-8s %s", id, username, first+" "+last, email, shown, groups)
	}
	return rows.Err()
}
