package testenv

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Fragile is a PostgreSQL of a test's own that can crash. What is committed waits for the disk, unless a transaction says otherwise; then it stays
// in memory for seconds, and a crash takes it.
type Fragile struct {
	t testing.TB
	c *cluster
}

// NewFragile starts one. It ends with the test.
func NewFragile(t testing.TB) *Fragile {
	t.Helper()
	c, err := newCluster()
	if err != nil {
		t.Fatalf("PostgreSQL: %v", err)
	}
	t.Cleanup(c.stop)
	c.mustExec(t, "CREATE DATABASE fragile")
	c.mustExec(t, "ALTER DATABASE fragile SET synchronous_commit = on")
	c.mustExec(t, "ALTER SYSTEM SET wal_writer_delay = '10s'")
	c.mustExec(t, "SELECT pg_reload_conf()")
	return &Fragile{t, c}
}

// DSN is that of its database.
func (f *Fragile) DSN() string { return f.c.dsn("fragile") }

// Crash kills a backend, so that the server forgets what it has in memory and recovers. It returns when the server answers again.
func (f *Fragile) Crash() {
	f.t.Helper()
	ctx := context.Background()
	var victim, witness *pgx.Conn
	for _, conn := range []**pgx.Conn{&victim, &witness} {
		var err error
		if *conn, err = pgx.Connect(ctx, f.DSN()); err != nil {
			f.t.Fatal(err)
		}
		defer (*conn).Close(ctx)
	}
	if err := syscall.Kill(int(victim.PgConn().PID()), syscall.SIGKILL); err != nil {
		f.t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		err := errors.New("it goes on")
		if witness.Ping(ctx) != nil { // the server has ended everybody
			err = execute(f.DSN(), "SELECT 1")
		}
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("the server doesn't recover: %v", err)
		}
	}
}
