package applier

import (
	"context"
	"slices"

	"ldapsync/proto"
)

// Scan hands out everything, in the order of maps.
func (m *memory) Scan(_ context.Context, q ScanQuery, v Visitor) error {
	for _, kind := range q.Kinds {
		for _, l := range m.over.links[kind] {
			if l.Source == q.Source && (l.State == Present || l.State == Missing) {
				v.VisitLink(&Link{Kind: l.Kind, ID: l.ID, PK: l.PK, Name: l.Name, State: l.State, Digest: l.Digest, Mapping: l.Mapping,
					ActiveWritten: l.ActiveWritten, DeactivatedBy: l.DeactivatedBy})
			}
		}
	}
	for _, kind := range q.Kinds {
		for id, l := range m.over.letters[kind] {
			if l != nil && l.Source == q.Source {
				v.VisitLetter(kind, id)
			}
		}
	}
	for _, kind := range []proto.Kind{proto.KindGroup, proto.KindUser} {
		for pk, row := range m.over.rows[kind] {
			if q.Wants(kind) {
				v.VisitRow(kind, pk, row.Values)
			}
		}
	}
	for user, groups := range m.over.joined {
		for group, is := range groups {
			if is && q.Memberships {
				v.VisitMembership(user, group)
			}
		}
	}
	return nil
}

// Memberships leaves out those in groups that the source doesn't manage.
func (t memoryTx) Memberships(ctx context.Context, source string, users []string) ([]Membership, error) {
	members, err := t.overlay.Memberships(ctx, source, users)
	return slices.DeleteFunc(members, func(m Membership) bool {
		for id := range t.overlay.owned[proto.KindGroup][m.Group] {
			if l := t.overlay.links[proto.KindGroup][id]; l.Source == source && l.State == Present {
				return false
			}
		}
		return true
	}), err
}
