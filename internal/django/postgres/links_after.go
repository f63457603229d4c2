package postgres

import (
	"context"

	"ldapsync/applier"
	"ldapsync/proto"
)

// linksAfter follows the primary key, whose order is that of the bytes.
const linksAfter = `SELECT ` + linkColumns + ` FROM ldapsync.link
WHERE source = $1 AND kind = $2 AND id COLLATE "C" > $3 AND state NOT IN ('gone', 'deleted') ORDER BY id COLLATE "C" LIMIT $4`

// LinksAfter returns the links of a source whose entries aren't gone, in the order of their ids: those behind after, at most limit.
func (r *reader) LinksAfter(ctx context.Context, source string, kind proto.Kind, after string, limit int) ([]applier.Link, error) {
	return r.links(ctx, linksAfter, limit, source, string(kind), after, limit)
}
