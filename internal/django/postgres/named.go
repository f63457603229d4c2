package postgres

import (
	"cmp"
	"context"
	"hash/maphash"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"

	"ldapsync/applier"
	"ldapsync/proto"
)

// unlinked remembers the names of rows without any link, so that one of them is found without case and without an index for that. It holds
// 24 bytes and the key for each; a hash that two names share costs a row read in vain.
type unlinked struct {
	mu    sync.Mutex
	seed  maphash.Seed
	names map[proto.Kind][]unlinkedName // by hash
}

type unlinkedName struct {
	hash uint64
	pk   string
}

// Refresh forgets the names of rows without links: they are read again when they are needed next. Call it where a pass ends, so that the
// next one finds accounts that Django has made meanwhile.
func (s *Store) Refresh() {
	s.unlinked.mu.Lock()
	s.unlinked.names = nil
	s.unlinked.mu.Unlock()
	s.memory.Store(nil)
}

// Named returns the rows whose name equals one of names without case: by the unique index where the case is the same, by the links, and by what
// unlinked remembers.
func (r *reader) Named(ctx context.Context, kind proto.Kind, names []string) ([]applier.Row, error) {
	t, err := r.store.table(kind)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	folded := make(map[string]bool, len(names)) // whether a row made or linked since unlinked was read may have it
	var ask []string
	for _, n := range names {
		f := applier.Fold(n)
		if folded[f] = r.known.may(aName, kind, f); folded[f] {
			ask = append(ask, n)
		}
	}
	pks, err := r.candidates(ctx, t, folded)
	if err != nil || len(ask) == 0 && len(pks) == 0 {
		return nil, err
	}
	name := "t." + quote(t.NameColumn().Name)
	query := t.selection + " WHERE " + name + " = ANY (" + t.nameArray(1) + ")"
	args := []any{ask}
	if len(pks) > 0 {
		query += " UNION " + t.selection + " WHERE t." + t.key + " = ANY (" + t.keyArray(2) + ")"
		args = append(args, t.keys(pks))
	}
	rows, err := r.db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	found, err := t.scanRows(rows, make([]applier.Row, 0, len(names)))
	return slices.DeleteFunc(found, func(row applier.Row) bool { _, wanted := folded[applier.Fold(row.Name)]; return !wanted }), err
}

// candidates returns keys of rows that may have one of the folded names.
func (r *reader) candidates(ctx context.Context, t *table, folded map[string]bool) ([]string, error) {
	var pks []string
	list := make([]string, 0, len(folded))
	for n, may := range folded {
		if may {
			list = append(list, n)
		}
	}
	if r.ours && len(list) > 0 {
		rows, err := r.db.Query(ctx, pksByName, string(t.Kind), list)
		if err != nil {
			return nil, err
		}
		if pks, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			return nil, err
		}
	}
	u := &r.store.unlinked
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, loaded := u.names[t.Kind]; !loaded {
		if err := r.loadUnlinked(ctx, t); err != nil {
			return nil, err
		}
	}
	all := u.names[t.Kind]
	for name := range folded {
		h := maphash.String(u.seed, name)
		i, _ := slices.BinarySearchFunc(all, h, func(n unlinkedName, h uint64) int { return cmp.Compare(n.hash, h) })
		for ; i < len(all) && all[i].hash == h; i++ {
			pks = append(pks, all[i].pk)
		}
	}
	slices.Sort(pks)
	return slices.Compact(pks), nil
}

// loadUnlinked reads the table once.
func (r *reader) loadUnlinked(ctx context.Context, t *table) error {
	u := &r.store.unlinked
	r.loadedUnlinked = true
	if u.names == nil {
		u.seed, u.names = maphash.MakeSeed(), map[proto.Kind][]unlinkedName{}
	}
	query := "SELECT t." + t.key + "::text, t." + quote(t.NameColumn().Name) + "::text FROM " + t.name + " t"
	if r.ours {
		query += " WHERE NOT EXISTS (SELECT FROM ldapsync.link l WHERE l.kind = " + literal(string(t.Kind)) + " AND l.pk = t." + t.key + `::text COLLATE "C")`
	}
	rows, err := r.db.Query(ctx, query)
	if err != nil {
		return err
	}
	var all []unlinkedName
	var pk, name string
	if _, err := pgx.ForEachRow(rows, []any{&pk, &name}, func() error {
		all = append(all, unlinkedName{maphash.String(u.seed, applier.Fold(name)), pk})
		return nil
	}); err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b unlinkedName) int { return cmp.Compare(a.hash, b.hash) })
	u.names[t.Kind] = all
	return nil
}
