package sqlite

import (
	"context"
	"slices"
	"sync"

	"ldapsync/applier"
	"ldapsync/proto"
)

// nameCache knows the folded names of the rows that no link tells: those without a link, and those that were renamed since their link was
// written. SQLite has no index for names without case beyond ASCII, and looking through the table for each batch would be quadratic.
//
// It is read once, and then only told of rows that are new since: rowids grow. What it says is a hint: the reader looks at each row, so
// that an entry too many costs nothing. A row that was renamed in place is missed until drop.
type nameCache struct {
	mu            sync.Mutex
	users, groups foldedNames
}

// foldedNames are those of one table: the primary keys of each folded name, of rows up to rowid last.
type foldedNames struct {
	last int64
	pks  map[string][]string
}

func (n *nameCache) of(kind proto.Kind) *foldedNames {
	if kind == proto.KindGroup {
		return &n.groups
	}
	return &n.users
}

func (n *nameCache) drop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.users, n.groups = foldedNames{}, foldedNames{}
}

// mark is up to where rows were read.
type mark struct{ users, groups int64 }

func (n *nameCache) mark() mark {
	n.mu.Lock()
	defer n.mu.Unlock()
	return mark{n.users.last, n.groups.last}
}

// rewind follows a database that undid what was written behind m: other rows will get those rowids.
func (n *nameCache) rewind(m mark) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.users.last = min(n.users.last, m.users)
	n.groups.last = min(n.groups.last, m.groups)
}

// find returns the primary keys of rows that may have one of these folded names.
func (n *nameCache) find(ctx context.Context, r *reader, t *table, folded []string) ([]string, error) {
	var last int64 // asked first: who waits for a writer to finish mustn't keep those waiting for whom the writer waits
	if _, err := r.one(ctx, []any{&last}, `SELECT coalesce(max(rowid), 0) FROM `+t.name); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	f := n.of(t.Kind)
	if err := f.read(ctx, r, t, last); err != nil {
		return nil, err
	}
	var pks []string
	for _, name := range folded {
		pks = append(pks, f.pks[name]...)
	}
	return pks, nil
}

// read takes in the rows behind f.last, up to last.
func (f *foldedNames) read(ctx context.Context, r *reader, t *table, last int64) error {
	if f.pks == nil {
		f.pks = map[string][]string{}
	}
	if last <= f.last {
		return nil
	}
	query := `SELECT +t.` + t.key + `, +t.` + t.columns[0] + `, NULL FROM ` + t.name + ` AS t WHERE t.rowid > ?`
	args := []any{f.last}
	if r.migrated {
		// lower knows ASCII only: it gives some rows too many, which Fold below leaves out.
		query = `SELECT +t.` + t.key + `, +t.` + t.columns[0] + `, l.name FROM ` + t.name + ` AS t
			LEFT JOIN ldapsync_link AS l ON l.kind = ? AND l.pk <> '' AND l.pk = ` + textSQL(t.Key, "t."+t.key) + `
			WHERE t.rowid > ? AND (l.pk IS NULL OR l.name <> lower(t.` + t.columns[0] + `))`
		args = []any{t.Kind, f.last}
	}
	err := r.each(ctx, func(scan func(...any) error) error {
		var pk any
		var name string
		var told *string
		if err := scan(&pk, &name, &told); err != nil {
			return wrap(err)
		}
		folded := applier.Fold(name)
		if key := keyText(t.Key, pk); (told == nil || *told != folded) && !slices.Contains(f.pks[folded], key) {
			f.pks[folded] = append(f.pks[folded], key)
		}
		return nil
	}, query, args...)
	if err == nil {
		f.last = last
	}
	return err
}
