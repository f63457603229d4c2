package postgres

import (
	"testing"

	"ldapsync/internal/django/storetest"
	"ldapsync/internal/testenv"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Env {
		dsn := testenv.Postgres(t)
		testenv.DjangoTables(t, dsn)
		return storetest.Env{
			Open: func(t *testing.T) storetest.Store {
				s, err := Open(t.Context(), Config{DSN: dsn, Settings: storetest.Settings()})
				if err != nil {
					t.Fatal(err)
				}
				return s
			},
			DB: testenv.DB(t, dsn),
		}
	})
}
