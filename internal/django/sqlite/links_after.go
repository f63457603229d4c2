package sqlite

import (
	"context"

	"ldapsync/applier"
	"ldapsync/proto"
)

// LinksAfter returns the links of a source whose entries aren't gone, in the order of their ids: those behind after, at most limit.
func (r *reader) LinksAfter(ctx context.Context, source string, kind proto.Kind, after string, limit int) ([]applier.Link, error) {
	if !r.migrated || limit <= 0 {
		return nil, nil
	}
	return r.links(ctx, limit, `SELECT `+linkColumns+` FROM ldapsync_link
		WHERE source = ? AND kind = ? AND id > ? AND state NOT IN ('gone', 'deleted') ORDER BY id LIMIT ?`, source, kind, after, limit)
}
