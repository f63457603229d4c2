package testenv

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// Written is what a database itself says about the writes that it has seen so far. Two of them tell whether a run wrote.
type Written struct {
	tables map[string]string // table or sequence → what changes with every write to it
	lsn    int64             // PostgreSQL's position in the WAL of the whole cluster, in bytes; else 0
}

// Writes asks the database what it has seen: PostgreSQL for its statistics (rows inserted, updated, deleted per table, rolled
// back ones too), the state of its sequences and the WAL's position; SQLite for the change counter of its file and the tables' content.
//
// PostgreSQL hears of a session's writes at once only when the session ends. So Writes waits for the other sessions
// of the database to end, and ends those that are still there after a second: a pool connects again.
func Writes(t testing.TB, dsn string) Written {
	t.Helper()
	if path, ok := SQLitePath(dsn); ok {
		return sqliteWrites(t, path)
	}
	return postgresWrites(t, dsn)
}

// Since names what was written between before and now, one line for each table or sequence: "" means nothing was.
func (w Written) Since(before Written) string {
	names := maps.Clone(w.tables)
	maps.Copy(names, before.tables)
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if was, is := before.tables[name], w.tables[name]; was != is {
			fmt.Fprintf(&b, "%s: %s, was %s\n", name, orNone(is), orNone(was))
		}
	}
	return b.String()
}

// WAL is how many bytes of WAL the whole cluster wrote between before and now: tests that run in parallel and PostgreSQL's
// own housekeeping count too. It is 0 on SQLite.
func (w Written) WAL(before Written) int64 { return w.lsn - before.lsn }

func orNone(s string) string {
	if s == "" {
		return "not there"
	}
	return s
}

func postgresWrites(t testing.TB, dsn string) Written {
	t.Helper()
	db := DB(t, dsn)
	endSessions(t, db)
	w := Written{tables: map[string]string{}}
	for _, row := range db.Rows(`SELECT schemaname || '.' || relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables`) {
		w.tables[row[0].(string)] = fmt.Sprintf("%d inserted, %d updated, %d deleted", row[1:]...)
	}
	for _, row := range db.Rows(`SELECT schemaname || '.' || sequencename, coalesce(last_value, 0) FROM pg_sequences`) {
		w.tables[row[0].(string)] = fmt.Sprintf("at %d", row[1])
	}
	w.lsn = db.Int(`SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint`)
	return w
}

// endSessions returns when the asking session is the only one of its database.
func endSessions(t testing.TB, db *Database) {
	t.Helper()
	const others = ` FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`
	start := time.Now()
	for db.Int("SELECT count(*)"+others) > 0 {
		switch waited := time.Since(start); {
		case waited > 30*time.Second:
			t.Fatalf("sessions don't end: %s", db.Text("SELECT pid, state, query"+others))
		case waited > time.Second:
			db.Rows("SELECT pg_terminate_backend(pid)" + others)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func sqliteWrites(t testing.TB, path string) Written {
	t.Helper()
	db := DB(t, path)
	w := Written{tables: map[string]string{}}
	for _, row := range db.Rows(`SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE '%WITHOUT ROWID%'`) {
		name := row[0].(string)
		content := db.Text(`SELECT rowid, * FROM "` + name + `" ORDER BY rowid`)
		sum := sha256.Sum256([]byte(content))
		w.tables[name] = fmt.Sprintf("%d rows, digest %x", strings.Count(content, "\n"), sum[:4])
	}
	for _, row := range db.Rows(`SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%WITHOUT ROWID%'`) {
		name := row[0].(string)
		content := db.Text(`SELECT * FROM "` + name + `"`) // in the order of the primary key
		sum := sha256.Sum256([]byte(content))
		w.tables[name] = fmt.Sprintf("%d rows, digest %x", strings.Count(content, "\n"), sum[:4])
	}
	w.tables["the file"] = fmt.Sprintf("written %d times", changeCounter(t, path))
	return w
}

// changeCounter is the number in a database file's header that every writing transaction increments, while the journal isn't
// a WAL (https://www.sqlite.org/fileformat2.html, 1.3.6).
func changeCounter(t testing.TB, path string) uint32 {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var counter [4]byte
	if _, err := f.ReadAt(counter[:], 24); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return binary.BigEndian.Uint32(counter[:])
}
