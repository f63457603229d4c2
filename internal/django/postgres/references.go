package postgres

import (
	"cmp"
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"ldapsync/internal/django"
)

// references are the columns that refer to the users' table and aren't Django's own, with what becomes of their rows. They are read for
// each transaction: a project's migrations add tables while a store is open.
type references struct {
	*tx
	keys  []django.ForeignKey
	rules map[django.Referrer]django.Rule
}

// foreignKeys are the columns that refer to a table, in every schema.
func foreignKeys(ctx context.Context, db querier, relation string) ([]django.ForeignKey, error) {
	const find = `SELECT n.nspname, c.relname, a.attname, ra.attname, NOT a.attnotnull, k.conrelid = k.confrelid FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
JOIN pg_catalog.pg_attribute ra ON ra.attrelid = k.confrelid AND ra.attnum = k.confkey[1]
WHERE k.contype = 'f' AND k.confrelid = $1::regclass AND cardinality(k.conkey) = 1 AND k.conparentid = 0 ORDER BY 1, 2, 3`
	rows, err := db.Query(ctx, find, relation)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (django.ForeignKey, error) {
		var k django.ForeignKey
		err := row.Scan(&k.Schema, &k.Name, &k.Column, &k.Target, &k.Nullable, &k.Self)
		return k, err
	})
}

// checkReferences compares the settings with the tables that refer to users.
func (s *Store) checkReferences(ctx context.Context) error {
	if len(s.cfg.Settings.References) == 0 {
		return nil
	}
	keys, err := foreignKeys(ctx, s.pool, s.users.name)
	if err != nil {
		return err
	}
	_, found := s.model.ReferenceRules(s.cfg.Settings.References, keys)
	s.findings = append(s.findings, found...)
	return nil
}

func (w *work) references(ctx context.Context) (*references, error) {
	all, err := foreignKeys(ctx, w.tx.tx, w.store.users.name)
	if err != nil {
		return nil, err
	}
	r := &references{tx: w.tx}
	r.rules, _ = w.store.model.ReferenceRules(w.store.cfg.Settings.References, all)
	for _, k := range all {
		if r.rules[k.Referrer] != "" {
			r.keys = append(r.keys, k)
		}
	}
	return r, nil
}

// inTheWay returns, for keys to which a table refers whose rule is to refuse, or whose rows would go and are referred to themselves, why
// they can't be deleted.
func (r *references) inTheWay(ctx context.Context, pks []string) (map[string]string, error) {
	found := map[string]string{}
	u := r.store.users
	note := func(query, reason string) error {
		rows, err := r.tx.tx.Query(ctx, query, u.keys(pks))
		if err != nil {
			return err
		}
		held, err := pgx.CollectRows(rows, pgx.RowTo[string])
		for _, pk := range held {
			found[pk] = cmp.Or(found[pk], reason)
		}
		return err
	}
	for _, k := range r.keys {
		rows := "SELECT DISTINCT u." + u.key + "::text FROM " + u.name + " u JOIN " + quoteTable(k.Referrer) + " r ON r." + quote(k.Column) + " = u." + quote(k.Target)
		those := " WHERE u." + u.key + " = ANY (" + u.keyArray(1) + ")"
		switch r.rules[k.Referrer] {
		case django.Refuse:
			if err := note(rows+those, k.InTheWay()); err != nil {
				return nil, err
			}
		case django.Cascade:
			behind, err := foreignKeys(ctx, r.tx.tx, quoteTable(k.Referrer))
			if err != nil {
				return nil, err
			}
			for _, b := range behind {
				query := rows + " JOIN " + quoteTable(b.Referrer) + " x ON x." + quote(b.Column) + " = r." + quote(b.Target) + those + r.unlessGoing(b.Referrer)
				if err := note(query, b.BehindCascade(k.Name)); err != nil {
					return nil, err
				}
			}
		}
	}
	return found, nil
}

// unlessGoing is a condition that leaves out rows x of a table that go with the same user u themselves.
func (r *references) unlessGoing(of django.Referrer) string {
	condition := ""
	for _, k := range r.keys {
		if k.Schema == of.Schema && k.Name == of.Name && r.rules[k.Referrer] == django.Cascade {
			condition += " AND (x." + quote(k.Column) + " = u." + quote(k.Target) + ") IS NOT TRUE"
		}
	}
	return condition
}

// carryOut deletes the rows that go with users, and unties those that stay. They may refer to each other: constraints are checked behind them.
func (r *references) carryOut(ctx context.Context, pks []string) error {
	u := r.store.users
	if !slices.ContainsFunc(r.keys, func(k django.ForeignKey) bool { return r.rules[k.Referrer] != django.Refuse }) {
		return nil
	}
	if _, err := r.tx.tx.Exec(ctx, "SET CONSTRAINTS ALL DEFERRED"); err != nil {
		return err
	}
	for _, k := range r.keys {
		column := quote(k.Column)
		those := " WHERE " + column + " IN (SELECT u." + quote(k.Target) + " FROM " + u.name + " u WHERE u." + u.key + " = ANY (" + u.keyArray(1) + "))"
		statement := ""
		switch r.rules[k.Referrer] {
		case django.Cascade:
			statement = "DELETE FROM " + quoteTable(k.Referrer) + those
		case django.SetNull:
			statement = "UPDATE " + quoteTable(k.Referrer) + " SET " + column + " = NULL" + those
		default:
			continue
		}
		if _, err := r.tx.tx.Exec(ctx, statement, u.keys(pks)); err != nil {
			return err
		}
	}
	_, err := r.tx.tx.Exec(ctx, "SET CONSTRAINTS ALL IMMEDIATE")
	return err
}
