package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Postgres returns the DSN of a new, empty database, postgres://postgres@127.0.0.1:port/name, whose owner is a superuser
// who needs no password. The database is dropped when the test ends. All databases of a process live in one cluster, which
// the first call starts.
func Postgres(t testing.TB) string {
	t.Helper()
	c := thePostgres(t)
	name := fmt.Sprintf("test_%d", c.databases.Add(1))
	c.mustExec(t, "CREATE DATABASE "+name)
	t.Cleanup(func() {
		if err := c.exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)"); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return c.dsn(name)
}

// NeedsPassword is the name of the one role that, once a test has made it (CREATE ROLE … LOGIN PASSWORD …; roles belong to the cluster,
// not to a database), must show a password.
const NeedsPassword = "needs_password"

// cluster is the process's PostgreSQL.
type cluster struct {
	*server
	port      int
	databases atomic.Int64
	mu        sync.Mutex
	dumps     map[bool]string // by user model, see djangoDump
}

var startPostgres = sync.OnceValues(func() (*cluster, error) {
	c, err := newCluster()
	for errors.Is(err, errPortTaken) {
		c, err = newCluster()
	}
	if err == nil {
		atExit(c.stop)
	}
	return c, err
})

func thePostgres(t testing.TB) *cluster {
	t.Helper()
	c, err := startPostgres()
	if err != nil {
		t.Fatalf("PostgreSQL: %v", err)
	}
	return c
}

// newCluster makes a cluster without durability and starts it.
func newCluster() (*cluster, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	as, err := postgresUser()
	if err != nil {
		return nil, err
	}
	dir, err := serverDir("postgres", as)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if err := run(as, dir, filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	access := "host all " + NeedsPassword + " 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\nlocal all all trust\n"
	if err := os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte(access), 0o600); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	port, err := freePort()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return startCluster(bin, dir, port, as)
}

// errPortTaken says that somebody was faster between looking for a free port and listening on it.
var errPortTaken = errors.New("the port was taken meanwhile")

// startCluster starts a server on the cluster in dir/data. When it fails, dir is gone.
func startCluster(bin, dir string, port int, as *syscall.Credential) (*cluster, error) {
	data := filepath.Join(dir, "data")
	// SIGQUIT: end at once, without a last checkpoint of data that is thrown away.
	s, err := startServer(dir, "QUIT", as, filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(port), "-k", dir,
		"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200", "-c", "log_line_prefix=%m %d ",
		"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off",
		"-c", "shared_buffers=64MB", "-c", "max_wal_size=2GB", "-c", "autovacuum=off", "-c", "timezone=UTC")
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	c := &cluster{server: s, port: port, dumps: map[bool]string{}}
	if err := c.awaitReady(data, time.Minute); err != nil {
		err = fmt.Errorf("the server doesn't answer: %w\n%s", err, c.tail())
		c.stop()
		return nil, err
	}
	return c, nil
}

// awaitReady connects until it works: PostgreSQL tells its readiness in no other portable way. Who answers must have our data.
func (c *cluster) awaitReady(data string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for {
		switch directory, err := c.dataDirectory(ctx); {
		case err == nil && directory == data:
			return nil
		case err == nil || strings.Contains(c.tail(), "could not bind"):
			return errPortTaken
		case ctx.Err() != nil:
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (c *cluster) dataDirectory(ctx context.Context) (directory string, err error) {
	conn, err := pgx.Connect(ctx, c.dsn("postgres"))
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, "SHOW data_directory").Scan(&directory)
	return directory, err
}

func (c *cluster) dsn(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", c.port, database)
}

// owns tells whether dsn names a database of this cluster.
func (c *cluster) owns(dsn string) bool {
	u, err := url.Parse(dsn)
	return err == nil && u.Port() == strconv.Itoa(c.port)
}

func (c *cluster) exec(statement string) error { return execute(c.dsn("postgres"), statement) }

// execute runs statements, one or several, in a session of their own.
func execute(dsn, statements string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.PgConn().Exec(ctx, statements).ReadAll()
	return err
}

func (c *cluster) mustExec(t testing.TB, statement string) {
	t.Helper()
	if err := c.exec(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
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
	return "", errors.New("no server under /usr/lib/postgresql and no initdb in PATH; " + installHint)
}

func major(bin string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
	return n
}

// postgresUser is the user to run as: root may not, so Debian's postgres does it for root.
func postgresUser() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL doesn't run as root: %w; %s", err, installHint)
	}
	return credential(u.Uid, u.Gid)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
