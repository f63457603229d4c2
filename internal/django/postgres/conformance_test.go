package postgres

import (
	"testing"

	"ldapsync/internal/django"
	"ldapsync/internal/django/storetest"
	"ldapsync/internal/testenv"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Env {
		dsn := testenv.Postgres(t)
		testenv.DjangoTables(t, dsn)
		return storetest.Env{
			Open: func(t *testing.T, settings django.Settings) (storetest.Store, error) {
				return Open(t.Context(), Config{DSN: dsn, Settings: settings})
			},
			DB: testenv.DB(t, dsn),
		}
	})
}

func TestStoreOfACustomModel(t *testing.T) {
	storetest.RunCustom(t, "uuid", func(t *testing.T) storetest.Env {
		dsn := testenv.Postgres(t)
		testenv.DjangoCustom(t, dsn)
		return storetest.Env{
			Open: func(t *testing.T, settings django.Settings) (storetest.Store, error) {
				return Open(t.Context(), Config{DSN: dsn, Settings: settings})
			},
			DB: testenv.DB(t, dsn),
		}
	})
}
