package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"ldapsync/applier"
	"ldapsync/internal/django"
)

// placeholders gives every row whose name changes a name that nobody has, so that swaps and chains don't meet: UNIQUE is checked row by row.
func (t *tx) placeholders(ctx context.Context, of *table, changes []*applier.Change) error {
	var pks, names []string
	for _, c := range changes {
		if c.Rename && c.PK != "" && c.Action != applier.Create {
			pks = append(pks, c.PK)
		}
	}
	if len(pks) < 2 {
		return nil // nobody to meet
	}
	slices.Sort(pks)
	for _, pk := range pks {
		names = append(names, placeholder(pk, of.NameColumn().MaxLength))
	}
	query := fmt.Sprintf("UPDATE %s t SET %s = v.name FROM unnest(%s, $2::text[]) AS v(pk, name) WHERE t.%s = v.pk AND t.%[4]s = ANY (%[3]s)",
		of.name, quote(of.NameColumn().Name), of.keyArray(1), of.key)
	keys, err := of.allKeys(pks)
	if err == nil {
		_, err = t.tx.Exec(ctx, query, keys, names)
	}
	return err
}

// placeholder is unique for each key and fits length characters; 0 is no limit.
func placeholder(pk string, length int) string {
	name := "~ldapsync~" + pk
	if length == 0 || len(name) <= length {
		return name
	}
	h := fnv.New64a()
	h.Write([]byte(pk))
	name = "~" + strconv.FormatUint(h.Sum64(), 36)
	return name[:min(len(name), length)]
}

// updateRows writes the columns that differ, one statement for each set of columns.
func (t *tx) updateRows(ctx context.Context, of *table, changes []*applier.Change) error {
	sets := map[string][]*applier.Change{}
	for _, c := range changes {
		if c.Action != applier.Create && c.PK != "" && c.Values != nil && len(c.Set) > 0 {
			k := fmt.Sprint(c.Set)
			sets[k] = append(sets[k], c)
		}
	}
	order := make([]string, 0, len(sets))
	for k := range sets {
		order = append(order, k)
	}
	slices.Sort(order)
	for _, k := range order {
		if err := t.updateSet(ctx, of, sets[k]); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) updateSet(ctx context.Context, of *table, changes []*applier.Change) error {
	slices.SortFunc(changes, func(a, b *applier.Change) int { return byKey(a.PK, b.PK) })
	pks := make([]string, len(changes))
	for i, c := range changes {
		pks[i] = c.PK
	}
	keys, err := of.allKeys(pks)
	if err != nil {
		return err
	}
	args := []any{keys}
	var assign, aliases, arrays []string
	for _, column := range changes[0].Set {
		a := newArray(of.Columns[column], len(changes))
		for _, c := range changes {
			if err := a.add(c.Values[column]); err != nil {
				return err
			}
		}
		args = append(args, a.data)
		alias := "c" + strconv.Itoa(column)
		aliases = append(aliases, alias)
		arrays = append(arrays, fmt.Sprintf("$%d::%s", len(args), a.cast))
		assign = append(assign, quote(a.column.Name)+" = "+fmt.Sprintf(a.get, "v."+alias))
	}
	query := fmt.Sprintf("UPDATE %s t SET %s FROM unnest(%s, %s) AS v(pk, %s) WHERE t.%s = v.pk AND t.%[6]s = ANY (%[3]s)",
		of.name, strings.Join(assign, ", "), of.keyArray(1), strings.Join(arrays, ", "), strings.Join(aliases, ", "), of.key)
	tag, err := t.tx.Exec(ctx, query, args...)
	if err != nil {
		return err
	}
	if n := int(tag.RowsAffected()); n != len(changes) {
		return &applier.DataError{Err: fmt.Errorf("%d of %d rows of %s aren't there any more", len(changes)-n, len(changes), of)}
	}
	return nil
}

// byKey orders keys: numbers by their value, where they are numbers.
func byKey(a, b string) int {
	if len(a) != len(b) {
		return cmp.Compare(len(a), len(b))
	}
	return strings.Compare(a, b)
}

// createRows makes rows and fills in their keys. A column that one change keeps gets its usual value; where the database knows that alone, the rows
// are made by a statement of their own, without the column.
func (t *tx) createRows(ctx context.Context, of *table, changes []*applier.Change) error {
	now := t.store.cfg.Now()
	sets := map[string][]*applier.Change{}
	for _, c := range changes {
		if c.Action == applier.Create && c.Values != nil {
			k := omitted(of, c, now)
			sets[k] = append(sets[k], c)
		}
	}
	order := make([]string, 0, len(sets))
	for k := range sets {
		order = append(order, k)
	}
	slices.Sort(order)
	for _, k := range order {
		if err := t.createSet(ctx, of, sets[k], now); err != nil {
			return err
		}
	}
	return nil
}

// omitted names the columns of a new row that are left to the database.
func omitted(of *table, c *applier.Change, now time.Time) string {
	var out []string
	for i, v := range c.Values {
		if _, keep := v.(applier.Keep); keep {
			if _, ok := of.Usual(i, now); !ok {
				out = append(out, strconv.Itoa(i))
			}
		}
	}
	return strings.Join(out, ",")
}

func (t *tx) createSet(ctx context.Context, of *table, changes []*applier.Change, now time.Time) error {
	// In the order of the index on names: there may be two such, and rows are found in the order of their keys anyway.
	slices.SortFunc(changes, func(a, b *applier.Change) int { return strings.Compare(a.Name, b.Name) })
	if err := t.rehearse(ctx, of, changes, now); err != nil {
		return err
	}
	pks, err := t.newKeys(ctx, of, len(changes))
	if err == nil {
		err = t.insert(ctx, of, changes, pks, now)
	}
	if err != nil {
		return err
	}
	for i, c := range changes {
		c.PK = pks[i]
		if c.Link != nil {
			c.Link.PK = pks[i]
		}
	}
	return nil
}

var errRehearsed = errors.New("rehearsed")

// rehearse makes the rows under keys that aren't the sequence's, and undoes that: an entry that the database has refused, and refuses again
// with every pass, must not take an id each time.
func (t *tx) rehearse(ctx context.Context, of *table, changes []*applier.Change, now time.Time) error {
	if of.nextKey == "" || of.Key.Max != 0 && of.Key.Max < math.MaxInt32 || !slices.ContainsFunc(changes, func(c *applier.Change) bool { return c.DropLetter }) {
		return nil
	}
	pks := make([]string, len(changes))
	for i := range pks {
		pks[i] = strconv.Itoa(math.MaxInt32 - i)
	}
	err := t.Savepoint(ctx, func() error {
		if err := t.insert(ctx, of, changes, pks, now); err != nil {
			return err
		}
		return errRehearsed
	})
	if errors.Is(err, errRehearsed) {
		return nil
	}
	return err
}

// insert makes rows that keep the same columns.
func (t *tx) insert(ctx context.Context, of *table, changes []*applier.Change, pks []string, now time.Time) error {
	columns := []string{of.key}
	var mapped []int // of the table's Columns
	usual := make([]any, len(of.Columns))
	for i, column := range of.Columns {
		var known bool
		if usual[i], known = of.Usual(i, now); !known && changes[0].Values[i] == (applier.Keep{}) {
			continue
		}
		mapped, columns = append(mapped, i), append(columns, quote(column.Name))
	}
	fillers := of.Fillers()
	for _, f := range fillers {
		columns = append(columns, quote(f.Column.Name))
	}
	return t.copyIn(ctx, of.name, columns, len(changes), func(l *line, row int) error {
		l.text(pks[row])
		for _, i := range mapped {
			v := changes[row].Values[i]
			if v == (applier.Keep{}) {
				v = usual[i]
			}
			if err := l.value(v, of.Columns[i]); err != nil {
				return err
			}
		}
		for i := range fillers {
			if err := l.value(fillers[i].Value(now), fillers[i].Column); err != nil {
				return err
			}
		}
		return nil
	})
}

// newKey is a key that was taken from a table's sequence.
type newKey struct {
	of *table
	pk string
}

// newKeys returns n keys for new rows: those that an undone savepoint left over, then as many from the sequence as are really needed.
func (t *tx) newKeys(ctx context.Context, of *table, n int) ([]string, error) {
	pks := make([]string, 0, n)
	if of.nextKey == "" {
		if of.Key.Type != django.UUID {
			return nil, fmt.Errorf("%s.%s has no default", of, of.Key.Name)
		}
		for range n {
			pks = append(pks, django.RandomUUID())
		}
		return pks, nil
	}
	t.spare = slices.DeleteFunc(t.spare, func(k newKey) bool {
		use := k.of == of && len(pks) < n
		if use {
			pks = append(pks, k.pk)
		}
		return use
	})
	if missing := n - len(pks); missing > 0 {
		var fresh []string
		if err := t.tx.QueryRow(ctx, "SELECT array_agg(("+of.nextKey+")::text) FROM generate_series(1, $1)", missing).Scan(&fresh); err != nil {
			return nil, err
		}
		pks = append(pks, fresh...)
	}
	for _, pk := range pks {
		t.taken = append(t.taken, newKey{of, pk})
	}
	return pks, nil
}
