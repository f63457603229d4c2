package sqlite_test

import (
	"testing"

	"ldapsync/internal/django"
	"ldapsync/internal/django/sqlite"
	"ldapsync/internal/django/storetest"
	"ldapsync/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// fresh returns the path of a database with Django's tables.
func fresh(t *testing.T) string {
	t.Helper()
	dsn := testenv.SQLite(t)
	testenv.DjangoTables(t, dsn)
	path, _ := testenv.SQLitePath(dsn)
	return path
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Env {
		path := fresh(t)
		return storetest.Env{
			DB: testenv.DB(t, path),
			Open: func(t *testing.T, settings django.Settings) (storetest.Store, error) {
				return sqlite.Open(t.Context(), sqlite.Config{Path: path, Settings: settings})
			},
		}
	})
}

func TestStoreOfACustomModel(t *testing.T) {
	storetest.RunCustom(t, "char(32)", func(t *testing.T) storetest.Env {
		dsn := testenv.SQLite(t)
		testenv.DjangoCustom(t, dsn)
		path, _ := testenv.SQLitePath(dsn)
		return storetest.Env{
			Open: func(t *testing.T, settings django.Settings) (storetest.Store, error) {
				return sqlite.Open(t.Context(), sqlite.Config{Path: path, Settings: settings})
			},
			DB: testenv.DB(t, path),
		}
	})
}
