package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"ldapsync/applier"
	"ldapsync/proto"
)

var _ applier.GroupReader = (*tx)(nil)

// reader is an applier.Reader on one transaction.
type reader struct {
	store          *Store
	db             querier
	ours           bool // our tables are there
	loadedUnlinked bool
	known          *memory // nil: nothing is, and everything is looked up
}

const linkColumns = `source, kind, id, pk, dn, name, state, gone_seq, gone_reason, digest, mapping, seq, how, active_written, deactivated_by, deactivated_at`

// The lookups below go by an index once for each key, whatever the planner believes: before the first ANALYZE it believes the table to be
// small, and would read all of it for each batch of a first load. OFFSET 0 keeps it from turning them into a join.
const (
	linksByID = `SELECT l.* FROM unnest($3::text[]) k(id) CROSS JOIN LATERAL
	(SELECT ` + linkColumns + ` FROM ldapsync.link WHERE source = $1 AND kind = $2 AND id = k.id OFFSET 0) l`
	linksByPK = `SELECT l.* FROM unnest($2::text[]) k(pk) CROSS JOIN LATERAL
	(SELECT ` + linkColumns + ` FROM ldapsync.link WHERE kind = $1 AND pk = k.pk AND pk <> '' OFFSET 0) l`
	pksByName = `SELECT l.pk FROM unnest($2::text[]) k(name) CROSS JOIN LATERAL
	(SELECT pk FROM ldapsync.link WHERE kind = $1 AND name = k.name AND pk <> '' OFFSET 0) l`
)

// distinct returns each key once, in order.
func distinct(keys []string) []string {
	keys = slices.Clone(keys)
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Links returns the links of these entries.
func (r *reader) Links(ctx context.Context, source string, kind proto.Kind, ids []string) ([]applier.Link, error) {
	ids = distinct(r.known.among(source, kind, ids))
	return r.links(ctx, linksByID, len(ids), source, string(kind), ids)
}

// LinksOf returns the links of every source to these rows.
func (r *reader) LinksOf(ctx context.Context, kind proto.Kind, pks []string) ([]applier.Link, error) {
	return r.links(ctx, linksByPK, len(pks), string(kind), distinct(pks))
}

func (r *reader) links(ctx context.Context, query string, most int, args ...any) ([]applier.Link, error) {
	if !r.ours || most == 0 {
		return nil, nil
	}
	rows, err := r.db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	found := make([]applier.Link, 0, most)
	var l applier.Link
	var kind, state, how string
	var gone, sequence int64
	var digest []byte
	var active *bool
	var at *time.Time
	_, err = pgx.ForEachRow(rows, []any{&l.Source, &kind, &l.ID, &l.PK, &l.DN, &l.Name, &state, &gone, &l.GoneReason, &digest, &l.Mapping, &sequence, &how,
		&active, &l.DeactivatedBy, &at}, func() error {
		l.Kind, l.State, l.How = proto.Kind(kind), applier.LinkState(state), applier.How(how)
		l.GoneSequence, l.Sequence, l.ActiveWritten = uint64(gone), uint64(sequence), active
		l.Digest, l.DeactivatedAt = proto.Digest{}, time.Time{}
		copy(l.Digest[:], digest)
		if at != nil {
			l.DeactivatedAt = at.UTC()
		}
		found = append(found, l)
		return nil
	})
	return found, err
}

// Rows returns Django's rows with these primary keys.
func (r *reader) Rows(ctx context.Context, kind proto.Kind, pks []string) ([]applier.Row, error) {
	t, err := r.store.table(kind)
	if err != nil || len(pks) == 0 {
		return nil, err
	}
	rows, err := r.db.Query(ctx, t.selection+" WHERE t."+t.key+" = ANY ("+t.keyArray(1)+")", t.keys(pks))
	if err != nil {
		return nil, err
	}
	return t.scanRows(rows, make([]applier.Row, 0, len(pks)))
}

// Memberships returns the memberships that these users have in the groups that source manages.
func (r *reader) Memberships(ctx context.Context, source string, users []string) ([]applier.Membership, error) {
	j := r.store.model.Membership
	if !r.ours || j == nil || len(users) == 0 {
		return nil, nil
	}
	t := r.store.users
	query := "SELECT m." + quote(j.User) + "::text, m." + quote(j.Group) + "::text FROM " + quote(j.Schema, j.Name) + " m WHERE m." + quote(j.User) +
		" = ANY (" + t.keyArray(1) + `) AND EXISTS (SELECT FROM ldapsync.link g WHERE g.kind = 'group' AND g.pk = m.` + quote(j.Group) +
		`::text COLLATE "C" AND g.source = $2 AND g.state = 'present')`
	rows, err := r.db.Query(ctx, query, t.keys(users), source)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[applier.Membership])
}

// Letters returns dead letters and parked entries of stage "apply".
func (r *reader) Letters(ctx context.Context, q applier.LetterQuery) ([]applier.Letter, error) {
	q.IDs = r.known.among(q.Source, q.Kind, q.IDs)
	if !r.ours || !q.All && len(q.IDs) == 0 && len(q.Names) == 0 {
		return nil, nil
	}
	const query = `SELECT id, dn, parked, name, reason, seq, entry, since FROM ldapsync.letter WHERE source = $1 AND kind = $2 AND stage = 'apply'`
	args := []any{q.Source, string(q.Kind)}
	condition := ` AND id COLLATE "C" > $3 ORDER BY id COLLATE "C" LIMIT NULLIF($4::bigint, 0)`
	if q.All {
		args = append(args, q.After, q.Limit)
	} else {
		condition = " AND (id = ANY ($3::text[]) OR name = ANY ($4::text[]) AND name <> '')"
		args = append(args, q.IDs, q.Names)
	}
	rows, err := r.db.Query(ctx, query+condition, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (applier.Letter, error) {
		l := applier.Letter{Source: q.Source, Kind: q.Kind}
		var sequence int64
		err := row.Scan(&l.ID, &l.DN, &l.Parked, &l.Name, &l.Reason, &sequence, &l.Entry, &l.Since)
		l.Sequence, l.Since = uint64(sequence), l.Since.UTC()
		return l, err
	})
}

// ActiveSuperusers returns the keys of all users who are active and superusers; none where the table has no such columns.
func (r *reader) ActiveSuperusers(ctx context.Context) ([]string, error) {
	return r.activeSuperusers(ctx, "")
}

// ActiveSuperusers also keeps them as they are until the transaction ends: of two that would each leave the other one as the last, the second
// is run again.
func (t *tx) ActiveSuperusers(ctx context.Context) ([]string, error) {
	return t.activeSuperusers(ctx, " FOR NO KEY UPDATE OF t")
}

func (r *reader) activeSuperusers(ctx context.Context, lock string) ([]string, error) {
	query := r.store.activeSuperusers()
	if query == "" {
		return nil, nil
	}
	rows, err := r.db.Query(ctx, query+lock)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// activeSuperusers is the query for their keys, "" where the table has no such columns.
func (s *Store) activeSuperusers() string {
	u := s.users
	if u.Superuser == "" || u.ActiveColumn() < 0 {
		return ""
	}
	return "SELECT t." + u.key + "::text FROM " + u.name + " t WHERE t." + quote(u.Superuser) + " AND t." + quote(u.Columns[u.ActiveColumn()].Name) +
		" ORDER BY t." + u.key
}
