package postgres

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"ldapsync/internal/django"
	"ldapsync/proto"
)

// accountColumns is what Orphans and Profiles read of a users' row: the columns of django.Account. Of its times only those that may be read.
func (t *table) accountColumns(alias string, times []string) string {
	at := func(name string) string {
		if c := t.Timestamp(name); c != nil && slices.Contains(times, name) {
			return read(alias+"."+quote(name), *c)
		}
		return "NULL::timestamptz"
	}
	return alias + "." + t.key + "::text, " + alias + "." + quote(t.NameColumn().Name) + "::text, " + t.activeOf(alias) + ", " + t.flagOf(alias, t.Staff) + ", " +
		t.flagOf(alias, t.Superuser) + ", " + at("last_login") + ", " + at("date_joined")
}

// times returns which of the times of an account the role may read. Nobody has granted them for sync's sake.
func (s *Store) times(ctx context.Context) ([]string, error) {
	var names []string
	for _, name := range []string{"last_login", "date_joined"} {
		if s.users.Timestamp(name) != nil {
			names = append(names, name)
		}
	}
	rows, err := s.pool.Query(ctx, "SELECT c FROM unnest($2::text[]) c WHERE has_column_privilege($1, c, 'SELECT')", s.users.name, names)
	if err != nil {
		return nil, s.fault(err)
	}
	may, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return may, s.fault(err)
}

// scanAccount reads accountColumns, and what follows them.
func scanAccount(row pgx.Row, a *django.Account, rest ...any) error {
	var login, joined *time.Time
	err := row.Scan(append([]any{&a.PK, &a.Username, &a.Active, &a.Staff, &a.Superuser, &login, &joined}, rest...)...)
	a.LastLogin, a.DateJoined = utc(login), utc(joined)
	return err
}

// Orphans hands out the accounts that no entry of a directory stands behind, by username.
func (s *Store) Orphans(ctx context.Context) iter.Seq2[django.Orphan, error] {
	return func(yield func(django.Orphan, error) bool) {
		there, err := s.Migrated(ctx)
		if err != nil {
			yield(django.Orphan{}, err)
			return
		}
		times, err := s.times(ctx)
		if err != nil {
			yield(django.Orphan{}, err)
			return
		}
		u := s.users
		link := ", '', '', '', '', '', NULL::timestamptz FROM " + u.name + " u"
		if there {
			own := " FROM ldapsync.link k WHERE k.kind = 'user' AND k.pk = u." + u.key + `::text COLLATE "C"`
			link = `, coalesce(l.source, ''), coalesce(l.id, ''), coalesce(l.dn, ''), coalesce(l.state, ''), coalesce(l.gone_reason, ''), l.gone_at
FROM ` + u.name + " u LEFT JOIN LATERAL (SELECT k.*" + own + ` ORDER BY k.gone_at DESC NULLS LAST, k.source, k.id LIMIT 1) l ON true
WHERE NOT EXISTS (SELECT` + own + " AND k.state = 'present')"
		}
		rows, err := s.pool.Query(ctx, "SELECT "+u.accountColumns("u", times)+link+" ORDER BY u."+quote(u.NameColumn().Name))
		if err != nil {
			yield(django.Orphan{}, s.fault(err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			var o django.Orphan
			var since *time.Time
			err := scanAccount(rows, &o.Account, &o.Source, &o.ID, &o.DN, &o.State, &o.Reason, &since)
			o.Since = utc(since)
			if !yield(o, s.fault(err)) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(django.Orphan{}, s.fault(err))
		}
	}
}

// Profiles returns the rows behind entries of a source; entries without a row are left out.
func (s *Store) Profiles(ctx context.Context, source string, kind proto.Kind, ids []string) ([]django.Profile, error) {
	there, err := s.Migrated(ctx)
	t, noTable := s.table(kind)
	if err != nil || !there || noTable != nil || len(ids) == 0 {
		return nil, err
	}
	columns, groups := "t."+t.key+"::text, t."+quote(t.NameColumn().Name)+"::text, true, false, false, NULL::timestamptz, NULL::timestamptz", "NULL::text[]"
	if kind == proto.KindUser {
		times, err := s.times(ctx)
		if err != nil {
			return nil, err
		}
		columns = t.accountColumns("t", times)
		if r := s.model.Roster; r != nil {
			readable, err := s.mayRead(ctx, r)
			if err != nil {
				return nil, s.fault(err)
			}
			if readable {
				groups = "(SELECT array_agg(g." + quote(r.GroupNameField) + "::text ORDER BY 1) FROM " + quote(r.Schema, r.Name) + " m JOIN " +
					quote(r.GroupSchema, r.GroupName) + " g ON g." + quote(r.GroupKey) + " = m." + quote(r.Group) + " WHERE m." + quote(r.User) + " = t." + t.key + ")"
			}
		}
	}
	query := "SELECT " + columns + ", k.id, " + groups + " FROM ldapsync.link k JOIN " + t.name + " t ON t." + t.key + " = " + t.fromText("nullif(k.pk, '')") +
		" WHERE k.source = $1 AND k.kind = $2 AND k.id = ANY ($3) ORDER BY k.id"
	rows, err := s.pool.Query(ctx, query, source, string(kind), distinct(ids))
	if err != nil {
		return nil, s.fault(err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (django.Profile, error) {
		var p django.Profile
		err := scanAccount(row, &p.Account, &p.ID, &p.Groups)
		return p, err
	})
	return found, s.fault(err)
}

// mayRead tells whether the role may read who is in which group. Where sync doesn't write that, nobody has granted it.
func (s *Store) mayRead(ctx context.Context, r *django.Roster) (may bool, err error) {
	err = s.pool.QueryRow(ctx, `SELECT has_column_privilege($1, $2, 'SELECT') AND has_column_privilege($1, $3, 'SELECT')
	AND has_column_privilege($4, $5, 'SELECT') AND has_column_privilege($4, $6, 'SELECT')`,
		quote(r.Schema, r.Name), r.User, r.Group, quote(r.GroupSchema, r.GroupName), r.GroupKey, r.GroupNameField).Scan(&may)
	return may, err
}
