package demo

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver that sql.Open names

	"ldapsync/internal/fault"
)

//go:embed django.sql
var djangoSQL string

// CreateDatabase makes an SQLite database at path that stands as "manage.py migrate" leaves it in a new Django project: the
// tables of auth, admin, contenttypes and sessions, their content types and permissions, and the record of the migrations, so that
// migrating afterwards finds nothing to do. A file that is there already is refused and left as it is; what couldn't be finished
// is removed.
func CreateDatabase(ctx context.Context, path string) (err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fault.New(fault.Database, "choose another path, or remove it", "%s: there is a file already", path)
	}
	if err != nil {
		return fault.New(fault.Database, "choose a path that can be written", "demo database: %w", err)
	}
	file.Close()
	defer func() {
		if err != nil {
			os.Remove(path)
			err = fault.New(fault.Database, "", "%s: %w", path, err)
		}
	}()
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: absolute}).String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, djangoSQL); err != nil {
		return err
	}
	return tx.Commit()
}
