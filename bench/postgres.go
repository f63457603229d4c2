package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	store "ldapsync/internal/django/postgres"
)

//go:embed django.sql
var djangoSQL string

// postgres is a PostgreSQL cluster of its own, with default settings, those of durability too: what is committed is on disk.
type postgres struct {
	*server
	bin  string
	dir  string // its user can write here
	port int
	site *pgx.Conn // to the database postgres
}

// templateDB is the database that others are copies of: Django's tables and ours, empty.
const templateDB = "site"

// startPostgres makes a cluster below dir, and the template in it. settings go to the server in addition.
func startPostgres(ctx context.Context, dir string, settings ...string) (*postgres, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	as, err := postgresUser()
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	if as != nil {
		if err := os.Chown(dir, int(as.Uid), int(as.Gid)); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(dir, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
	initdb.Dir, initdb.SysProcAttr = dir, &syscall.SysProcAttr{Credential: as}
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	p := &postgres{bin: bin, dir: dir}
	if p.port, err = freePort(); err != nil {
		return nil, err
	}
	argv := []string{filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(p.port)}
	for _, setting := range append(settings, "unix_socket_directories=", "listen_addresses=127.0.0.1") {
		argv = append(argv, "-c", setting)
	}
	// SIGQUIT: no last checkpoint of data that is thrown away.
	if p.server, err = startServer(dir, as, syscall.SIGQUIT, argv...); err != nil {
		return nil, err
	}
	if err := p.await(ctx, func() (err error) {
		p.site, err = pgx.Connect(ctx, p.dsn("postgres"))
		return err
	}); err != nil {
		p.stop()
		return nil, err
	}
	return p, p.makeTemplate(ctx)
}

func (p *postgres) makeTemplate(ctx context.Context) error {
	if err := p.exec(ctx, "CREATE DATABASE "+templateDB); err != nil {
		return err
	}
	return p.in(ctx, templateDB, djangoSQL, store.Migrations())
}

func (p *postgres) stop() {
	if p != nil && p.server != nil {
		p.server.stop()
	}
}

func (p *postgres) cpu() float64 {
	if p == nil {
		return 0
	}
	return p.server.cpu()
}

func (p *postgres) dsn(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", p.port, database)
}

func (p *postgres) exec(ctx context.Context, statement string) error {
	_, err := p.site.Exec(ctx, statement)
	return err
}

// in runs scripts in a database.
func (p *postgres) in(ctx context.Context, database string, scripts ...string) error {
	c, err := pgx.Connect(ctx, p.dsn(database))
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	for _, script := range scripts {
		if _, err := c.PgConn().Exec(ctx, script).ReadAll(); err != nil {
			return fmt.Errorf("%s: %w", database, err)
		}
	}
	return nil
}

// create makes a database like the template in place of one that may be there, and writes back what earlier ones left.
func (p *postgres) create(ctx context.Context, database string) error {
	for _, statement := range []string{
		"DROP DATABASE IF EXISTS " + database + " WITH (FORCE)", "CREATE DATABASE " + database + " TEMPLATE " + templateDB, "CHECKPOINT",
	} {
		if err := p.exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// settle does what autovacuum would do sooner or later, so that it doesn't happen while something is measured.
func (p *postgres) settle(ctx context.Context, database string) error {
	if err := p.in(ctx, database, "VACUUM ANALYZE"); err != nil {
		return err
	}
	return p.exec(ctx, "CHECKPOINT")
}

// written returns how many rows were ever inserted, updated or deleted in a database, by PostgreSQL's own statistics. A backend
// reports to them when it ends: they are awaited.
func (p *postgres) written(ctx context.Context, database string) (int64, error) {
	const busy = `SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend'`
	for n := 1; n > 0; {
		if err := p.site.QueryRow(ctx, busy, database).Scan(&n); err != nil {
			return 0, err
		}
		time.Sleep(10 * time.Millisecond)
	}
	c, err := pgx.Connect(ctx, p.dsn(database))
	if err != nil {
		return 0, err
	}
	defer c.Close(ctx)
	var rows int64
	err = c.QueryRow(ctx, "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint FROM pg_stat_user_tables").Scan(&rows)
	return rows, err
}

// filled are the tables that a first load fills.
var filled = []string{"public.auth_user", "public.auth_group", "public.auth_user_groups", "ldapsync.link", "ldapsync.membership"}

func (p *postgres) file(table string) string { return filepath.Join(p.dir, table+".copy") }

// save writes the rows of a loaded database to files, for the floor, and says how many there are.
func (p *postgres) save(ctx context.Context, database string) (rows int64, err error) {
	c, err := pgx.Connect(ctx, p.dsn(database))
	if err != nil {
		return 0, err
	}
	defer c.Close(ctx)
	for _, table := range filled {
		tag, err := c.Exec(ctx, fmt.Sprintf("COPY %s TO '%s' (FORMAT binary)", table, p.file(table)))
		if err != nil {
			return 0, err
		}
		rows += tag.RowsAffected()
	}
	return rows, nil
}

// empty prepares a database for the floor of writing: an empty copy of each filled table, with its indexes and without its foreign
// keys. With checked, Django's own tables are the ones to fill, with their foreign keys.
func (p *postgres) empty(ctx context.Context, database string, checked bool) error {
	if err := p.create(ctx, database); err != nil || checked {
		return err
	}
	script := "CREATE SCHEMA floor;"
	for _, table := range filled {
		script += fmt.Sprintf("CREATE TABLE %s (LIKE %s INCLUDING ALL);", floorTable(table), table)
	}
	if err := p.in(ctx, database, script); err != nil {
		return err
	}
	return p.exec(ctx, "CHECKPOINT")
}

// copyIn is the floor of writing: psql copies the same rows into such tables, in one transaction and nothing else.
func (p *postgres) copyIn(ctx context.Context, database string, checked bool) *exec.Cmd {
	args := []string{"-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-d", p.dsn(database)}
	for _, table := range filled {
		to := table
		if !checked {
			to = floorTable(table)
		}
		args = append(args, "-c", fmt.Sprintf(`\copy %s FROM '%s' (FORMAT binary)`, to, p.file(table)))
	}
	return exec.CommandContext(ctx, filepath.Join(p.bin, "psql"), args...)
}

func floorTable(table string) string {
	_, name, _ := strings.Cut(table, ".")
	return "floor." + name
}

// postgresBin finds the newest installed server's programs.
func postgresBin() (string, error) {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(dirs, func(a, b string) int { return major(b) - major(a) })
	if path, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("PostgreSQL isn't installed: make servers")
}

func major(bin string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
	return n
}

// postgresUser is who PostgreSQL runs as: it refuses root.
func postgresUser() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL doesn't run as root: %w", err)
	}
	id, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	group, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(id), Gid: uint32(group)}, err
}
