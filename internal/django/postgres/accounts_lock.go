package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/proto"
)

// accountRow is what the callbacks look at of a user's row.
type accountRow struct {
	name      string
	active    bool
	superuser bool
}

// linkState is what the callbacks look at of a link.
type linkState struct {
	pk    string
	gone  uint64
	by    string // deactivated_by
	ready bool   // deactivated by sync so long ago that it may be deleted
}

// work is a batch of accounts whose links, and then rows, are locked.
type work struct {
	*tx
	results []callbacks.Result
	links   map[callbacks.Key]linkState
	rows    map[string]accountRow // by key
	todo    []int                 // the results that are still to be decided
}

// lock locks the accounts' links and rows, and decides those that need nothing: who returned, and whose row isn't there any more or belongs to
// another link. Missing accounts are taken as gone if missing is set. after is that of Delete.
func (t *tx) lock(ctx context.Context, accounts []callbacks.Account, missing bool, after time.Duration) (*work, error) {
	w := &work{tx: t, results: make([]callbacks.Result, len(accounts)), links: map[callbacks.Key]linkState{}}
	var sources, ids, pks []string
	for i, a := range accounts {
		w.results[i].Account = a
		sources, ids, pks = append(sources, a.Source), append(ids, a.ID), append(pks, a.PK)
	}
	find := `SELECT k.source, k.id, k.pk, k.gone_seq, k.deactivated_by, coalesce(` + longInactive(after) + `, false)
FROM ldapsync.link k JOIN unnest($1::text[], $2::text[]) AS v(source, id) ON k.source = v.source AND k.id = v.id
WHERE k.kind = 'user' AND (k.state = 'gone' OR $3 AND k.state = 'missing') ORDER BY k.source, k.id FOR UPDATE OF k`
	rows, err := t.tx.Query(ctx, find, sources, ids, missing)
	if err != nil {
		return nil, err
	}
	var key callbacks.Key
	var l linkState
	var sequence int64
	if _, err := pgx.ForEachRow(rows, []any{&key.Source, &key.ID, &l.pk, &sequence, &l.by, &l.ready}, func() error {
		l.gone = uint64(sequence)
		w.links[key] = l
		return nil
	}); err != nil {
		return nil, err
	}
	owned, err := t.ownedByOthers(ctx, pks)
	if err != nil {
		return nil, err
	}
	if w.rows, err = t.lockRows(ctx, pks); err != nil {
		return nil, err
	}
	for i := range w.results {
		r := &w.results[i]
		l, is := w.links[r.Key]
		row, there := w.rows[r.PK]
		switch {
		case !is || l.pk != r.PK || l.gone != r.GoneSequence:
			r.Outcome = callbacks.Returned
		case owned[r.PK]:
			r.Outcome, r.Reason = callbacks.Returned, "its row belongs to another entry now"
		case !there:
			r.Outcome = callbacks.Vanished
		default:
			r.Username = row.name
			w.todo = append(w.todo, i)
		}
	}
	return w, w.bury(ctx, owned)
}

// bury makes tombstones of links that are gone and have no row of their own any more: nothing is due for them.
func (w *work) bury(ctx context.Context, owned map[string]bool) error {
	var dead []callbacks.Account
	for _, r := range w.results {
		if r.Outcome == callbacks.Vanished || r.Outcome == callbacks.Returned && owned[r.PK] {
			dead = append(dead, r.Account)
		}
	}
	return w.tombstones(ctx, dead)
}

// tombstones marks links as deleted, and drops the letters of callbacks.
func (t *tx) tombstones(ctx context.Context, accounts []callbacks.Account) error {
	if len(accounts) == 0 {
		return nil
	}
	sources, ids, sequences := keysOf(accounts)
	const mark = `UPDATE ldapsync.link k SET state = 'deleted', pk = '' FROM unnest($1::text[], $2::text[], $3::bigint[]) AS v(source, id, seq)
WHERE k.source = v.source AND k.kind = 'user' AND k.id = v.id AND k.state IN ('missing', 'gone') AND k.gone_seq = v.seq`
	if _, err := t.tx.Exec(ctx, mark, sources, ids, sequences); err != nil {
		return err
	}
	const forget = `DELETE FROM ldapsync.pending_membership p USING unnest($1::text[], $2::text[]) AS v(source, id) WHERE p.source = v.source AND p.user_id = v.id`
	if _, err := t.tx.Exec(ctx, forget, sources, ids); err != nil {
		return err
	}
	return t.dropLetters(ctx, accounts, "")
}

// dropLetters drops the letters of a callback, or of all callbacks.
func (t *tx) dropLetters(ctx context.Context, accounts []callbacks.Account, stage string) error {
	if len(accounts) == 0 {
		return nil
	}
	sources, ids, _ := keysOf(accounts)
	const drop = `DELETE FROM ldapsync.letter l USING unnest($1::text[], $2::text[]) AS v(source, id)
WHERE l.source = v.source AND l.kind = 'user' AND l.id = v.id AND l.stage <> 'apply' AND ($3 = '' OR l.stage = $3)`
	_, err := t.tx.Exec(ctx, drop, sources, ids, stage)
	return err
}

func keysOf(accounts []callbacks.Account) (sources, ids []string, sequences []int64) {
	for _, a := range accounts {
		sources, ids, sequences = append(sources, a.Source), append(ids, a.ID), append(sequences, int64(a.GoneSequence))
	}
	return sources, ids, sequences
}

// ownedByOthers returns the keys that a present link has.
func (t *tx) ownedByOthers(ctx context.Context, pks []string) (map[string]bool, error) {
	links, err := t.LinksOf(ctx, proto.KindUser, pks)
	owned := map[string]bool{}
	for _, l := range links {
		if l.State == applier.Present {
			owned[l.PK] = true
		}
	}
	return owned, err
}

// lockRows reads and locks users' rows, in the order of their keys.
func (t *tx) lockRows(ctx context.Context, pks []string) (map[string]accountRow, error) {
	u := t.store.users
	active, superuser := u.activeOf("t"), "false"
	if u.Superuser != "" {
		superuser = "coalesce(t." + quote(u.Superuser) + ", false)"
	}
	query := "SELECT t." + u.key + "::text, t." + quote(u.NameColumn().Name) + "::text, " + active + ", " + superuser + " FROM " + u.name + " t WHERE t." +
		u.key + " = ANY (" + u.keyArray(1) + ") ORDER BY t." + u.key + " FOR NO KEY UPDATE"
	rows, err := t.tx.Query(ctx, query, u.keys(slices.DeleteFunc(slices.Clone(pks), func(pk string) bool { return pk == "" })))
	if err != nil {
		return nil, err
	}
	found := make(map[string]accountRow, len(pks))
	var pk string
	var r accountRow
	_, err = pgx.ForEachRow(rows, []any{&pk, &r.name, &r.active, &r.superuser}, func() error {
		found[pk] = r
		return nil
	})
	return found, err
}
