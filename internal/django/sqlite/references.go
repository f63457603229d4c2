package sqlite

import (
	"context"

	"ldapsync/internal/django"
	"ldapsync/proto"
)

// references are the columns that refer to a table of Django's and aren't Django's own, with what becomes of their rows. They are read when rows
// are to be deleted: a project's migrations add tables while a store is open. Whether SQLite enforces foreign keys doesn't matter.
type references struct {
	*conn
	of    *table
	keys  []django.ForeignKey
	rules map[django.Referrer]django.Rule
}

// foreignKeys are the columns that refer to a table. A key of several columns counts as one for each: it may stand in the way where it
// needn't.
func (c *conn) foreignKeys(ctx context.Context, table string) ([]django.ForeignKey, error) {
	var found []django.ForeignKey
	err := c.each(ctx, func(scan func(...any) error) error {
		var k django.ForeignKey
		err := scan(&k.Name, &k.Column, &k.Target, &k.Nullable, &k.Self, &k.Part)
		found = append(found, k)
		return wrap(err)
	}, `SELECT m.name, f."from", coalesce(f."to", (SELECT p.name FROM pragma_table_info(?1) AS p WHERE p.pk = 1), ''),
			coalesce((SELECT NOT p."notnull" FROM pragma_table_info(m.name) AS p WHERE p.name = f."from" COLLATE NOCASE), 0), m.name = ?1 COLLATE NOCASE,
			(SELECT count(*) FROM pragma_foreign_key_list(m.name) AS o WHERE o.id = f.id) > 1
		FROM sqlite_master AS m JOIN pragma_foreign_key_list(m.name) AS f
		WHERE m.type = 'table' AND f."table" = ?1 COLLATE NOCASE ORDER BY m.name, f."from"`, table)
	return found, err
}

// references reads what refers to users. The settings say what becomes of it.
func (c *conn) references(ctx context.Context, s *Store) (*references, error) {
	users := s.tables[proto.KindUser]
	all, err := c.foreignKeys(ctx, users.Name)
	if err != nil {
		return nil, err
	}
	r := &references{conn: c, of: users}
	r.rules, _ = s.model.ReferenceRules(s.cfg.Settings.References, all)
	r.keep(all)
	return r, nil
}

// groupReferences reads what refers to groups, all of which is in the way but Django's own.
func (c *conn) groupReferences(ctx context.Context, groups *table) (*references, error) {
	all, err := c.foreignKeys(ctx, groups.Name)
	if err != nil {
		return nil, err
	}
	r := &references{conn: c, of: groups, rules: map[django.Referrer]django.Rule{}}
	for _, k := range all {
		r.rules[k.Referrer] = django.Refuse
	}
	for _, own := range groups.own {
		delete(r.rules, own)
	}
	r.keep(all)
	return r, nil
}

// keep takes the keys that have a rule.
func (r *references) keep(all []django.ForeignKey) {
	for _, k := range all {
		if r.rules[k.Referrer] != "" {
			r.keys = append(r.keys, k)
		}
	}
}

// inTheWay says which rows keep a row from being deleted, "" if none do: those whose rule is to refuse, and those behind rows that would go.
func (r *references) inTheWay(ctx context.Context, key any) (string, error) {
	for _, k := range r.keys {
		rows := `SELECT 1 FROM ` + r.of.name + ` AS t JOIN ` + quote(k.Name) + ` AS r ON r.` + quote(k.Column) + ` = t.` + quote(k.Target)
		those := ` WHERE t.` + r.of.key + ` = ?`
		switch r.rules[k.Referrer] {
		case django.Refuse:
			if found, err := r.one(ctx, []any{new(int)}, rows+those+` LIMIT 1`, key); err != nil || found {
				return k.InTheWay(), err
			}
		case django.Cascade:
			behind, err := r.foreignKeys(ctx, k.Name)
			if err != nil {
				return "", err
			}
			for _, b := range behind {
				query := rows + ` JOIN ` + quote(b.Name) + ` AS x ON x.` + quote(b.Column) + ` = r.` + quote(b.Target) + those + r.unlessGoing(b.Name)
				if found, err := r.one(ctx, []any{new(int)}, query+` LIMIT 1`, key); err != nil || found {
					return b.BehindCascade(k.Name), err
				}
			}
		}
	}
	return "", nil
}

// unlessGoing is a condition that leaves out rows x of a table that go with the same row t themselves.
func (r *references) unlessGoing(of string) string {
	condition := ""
	for _, k := range r.keys {
		if k.Name == of && r.rules[k.Referrer] == django.Cascade {
			condition += ` AND (x.` + quote(k.Column) + ` = t.` + quote(k.Target) + `) IS NOT 1`
		}
	}
	return condition
}

// carryOut deletes the rows that go with a row, and unties those that stay.
func (r *references) carryOut(ctx context.Context, key any) error {
	for _, k := range r.keys {
		those := ` WHERE ` + quote(k.Column) + ` IN (SELECT t.` + quote(k.Target) + ` FROM ` + r.of.name + ` AS t WHERE t.` + r.of.key + ` = ?)`
		statement := ""
		switch r.rules[k.Referrer] {
		case django.Cascade:
			statement = `DELETE FROM ` + quote(k.Name) + those
		case django.SetNull:
			statement = `UPDATE ` + quote(k.Name) + ` SET ` + quote(k.Column) + ` = NULL` + those
		default:
			continue
		}
		if err := r.exec(ctx, statement, key); err != nil {
			return err
		}
	}
	return nil
}
