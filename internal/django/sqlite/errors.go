package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"ldapsync/applier"
	"ldapsync/internal/fault"
)

// primary is the part of an extended result code that names its class (https://sqlite.org/rescode.html).
const primary = 0xff

// wrap gives an error of the driver its meaning: a *applier.DataError where the data are refused, else a fault.
func wrap(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & primary {
	case lib.SQLITE_INTERRUPT: // only a context that is done interrupts
		return fmt.Errorf("%w (%w)", context.Canceled, err)
	case lib.SQLITE_CONSTRAINT, lib.SQLITE_TOOBIG, lib.SQLITE_MISMATCH:
		return &applier.DataError{Err: err}
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		return fault.Passing(fault.Database, "another program holds the database; if it holds it for long, stop it, or use PostgreSQL",
			"the database is locked: %w", err)
	case lib.SQLITE_READONLY, lib.SQLITE_PERM, lib.SQLITE_CANTOPEN, lib.SQLITE_AUTH:
		return fault.New(fault.Database, "this user must be allowed to write the file and the directory that holds it",
			"the database can't be opened for writing: %w", err)
	case lib.SQLITE_FULL, lib.SQLITE_IOERR:
		return fault.Passing(fault.Database, "look at the disk that holds the database", "the database can't be written: %w", err)
	case lib.SQLITE_NOTADB, lib.SQLITE_CORRUPT:
		return fault.New(fault.Database, "check the path; sqlite3's .recover may help", "not a sound SQLite database: %w", err)
	}
	if strings.Contains(err.Error(), "no such table: ldapsync_") {
		return fault.New(fault.Database, hintMigrate, "ldapsync's tables aren't there: %w", err)
	}
	if strings.Contains(err.Error(), "no such table") || strings.Contains(err.Error(), "no such column") {
		return fault.New(fault.Database, "run Django's migrations on it (manage.py migrate)", "not Django's tables: %w", err)
	}
	return fault.New(fault.Database, "", "the database answered: %w", err)
}

const hintMigrate = "run: ldapsync migrate"
