package sqlite

import (
	"context"
	"crypto/rand"
	"strings"

	"ldapsync/applier"
	"ldapsync/internal/django"
)

// placeholders gives the rows that get another name one that nobody has: UNIQUE holds at once, and names may be swapped.
func (t *tx) placeholders(ctx context.Context, table *table, changes []applier.Change) error {
	for i := range changes {
		c := &changes[i]
		if !c.Rename || c.Action == applier.Create {
			continue
		}
		key, _ := keyValue(table.Key, c.PK)
		err := t.exec(ctx, `UPDATE `+table.name+` SET `+table.columns[0]+` = ? WHERE `+table.key+` = ?`, placeholder(table), key)
		if err != nil {
			return err
		}
	}
	return nil
}

// placeholder is a name of 128 random bits, which a short column may cut.
func placeholder(table *table) string {
	name := "~" + rand.Text()
	if n := table.NameColumn().MaxLength; n > 0 && n < len(name) {
		return name[:n]
	}
	return name
}

// updateRows writes the columns that differ.
func (t *tx) updateRows(ctx context.Context, table *table, changes []applier.Change) error {
	for i := range changes {
		c := &changes[i]
		if len(c.Set) == 0 || c.Values == nil || c.Action == applier.Create {
			continue
		}
		var set []string
		var args []any
		for _, n := range c.Set {
			if _, keep := c.Values[n].(applier.Keep); keep {
				continue
			}
			if err := fits(table.Columns[n], c.Values[n]); err != nil {
				return err
			}
			set = append(set, table.columns[n]+" = ?")
			args = append(args, toColumn(table.Columns[n], c.Values[n]))
		}
		if len(set) == 0 {
			continue
		}
		key, _ := keyValue(table.Key, c.PK)
		err := t.exec(ctx, `UPDATE `+table.name+` SET `+strings.Join(set, ", ")+` WHERE `+table.key+` = ?`, append(args, key)...)
		if err != nil {
			return err
		}
	}
	return nil
}

// createRows makes the rows of entries that have none, and notes their primary keys.
func (t *tx) createRows(ctx context.Context, table *table, changes []applier.Change) error {
	quick := context.WithoutCancel(ctx)
	for i := range changes {
		c := &changes[i]
		if c.Action != applier.Create || c.Values == nil {
			continue
		}
		if i%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		pk, err := t.createRow(quick, table, c.Values)
		if err != nil {
			return err
		}
		c.PK = pk
		if c.Link != nil {
			c.Link.PK = pk
		}
	}
	return nil
}

func (t *tx) createRow(ctx context.Context, table *table, values []any) (pk string, err error) {
	now := t.store.cfg.Now()
	var columns []string
	var args []any
	put := func(c django.Column, v any) {
		columns = append(columns, quote(c.Name))
		args = append(args, toColumn(c, v))
	}
	for n, c := range table.Columns {
		v := values[n]
		if _, keep := v.(applier.Keep); keep {
			usual, ok := table.Usual(n, now)
			if !ok {
				continue
			}
			v = usual
		}
		if err := fits(c, v); err != nil {
			return "", err
		}
		put(c, v)
	}
	for _, f := range table.fillers {
		put(f.Column, f.Value(now))
	}
	if table.Key.Type == django.UUID {
		pk = django.RandomUUID()
		put(table.Key, pk)
	}
	_, rowid, err := t.run(ctx, `INSERT INTO `+table.name+` (`+strings.Join(columns, ", ")+`) VALUES (?`+
		strings.Repeat(", ?", len(args)-1)+`)`, args...)
	if err != nil || pk != "" {
		return pk, err
	}
	var key any
	if table.Key.Type == django.Int {
		key = rowid // an integer primary key is the rowid
	} else if _, err := t.one(ctx, []any{&key}, `SELECT +`+table.key+` FROM `+table.name+` WHERE rowid = ?`, rowid); err != nil {
		return "", err
	}
	return keyText(table.Key, key), nil
}
