package proto_test

import (
	"fmt"

	"pgregory.net/rapid"

	"ldapsync/proto"
)

// What rapid draws: entries and batches as an extractor makes them, and odder ones.

func attributes() *rapid.Generator[[]*proto.Attribute] {
	text := rapid.Custom(func(t *rapid.T) *proto.Attribute {
		return &proto.Attribute{Values: rapid.SliceOfN(rapid.String(), 1, 5).Draw(t, "values")}
	})
	binary := rapid.Custom(func(t *rapid.T) *proto.Attribute {
		return &proto.Attribute{Binary: rapid.SliceOfN(rapid.SliceOf(rapid.Byte()), 1, 5).Draw(t, "binary")}
	})
	return rapid.Custom(func(t *rapid.T) []*proto.Attribute {
		all := rapid.SliceOfN(rapid.OneOf(text, binary), 0, 6).Draw(t, "attributes")
		for i, a := range all {
			a.Name = fmt.Sprintf("%sAttr%d", rapid.StringMatching(`[a-zA-Z]{0,5}`).Draw(t, "name"), i)
		}
		return all
	})
}

func rules() *rapid.Generator[*bool] { return rapid.Ptr(rapid.Bool(), true) }

func users() *rapid.Generator[*proto.User] {
	return rapid.Custom(func(t *rapid.T) *proto.User {
		return &proto.User{
			Id: rapid.StringN(1, 36, -1).Draw(t, "id"), Dn: rapid.String().Draw(t, "dn"), Attributes: attributes().Draw(t, "attributes"),
			GroupIds: rapid.SliceOfN(rapid.String(), 0, 5).Draw(t, "groups"), GroupsUnknown: rapid.Bool().Draw(t, "unknown"),
			Active: rules().Draw(t, "active"), Staff: rules().Draw(t, "staff"), Superuser: rules().Draw(t, "superuser"),
		}
	})
}

func groups() *rapid.Generator[*proto.Group] {
	return rapid.Custom(func(t *rapid.T) *proto.Group {
		return &proto.Group{
			Id: rapid.StringN(1, 36, -1).Draw(t, "id"), Dn: rapid.String().Draw(t, "dn"), Attributes: attributes().Draw(t, "attributes"),
		}
	})
}

func retained(n int) *rapid.Generator[[]proto.Retained] {
	reason := rapid.Map(rapid.Int32Range(0, 3), func(n int32) proto.Retained { return proto.Retained(n) })
	return rapid.OneOf(rapid.Just[[]proto.Retained](nil), rapid.SliceOfN(reason, n, n))
}

func userBatches() *rapid.Generator[*proto.UserUpserted] {
	return rapid.Custom(func(t *rapid.T) *proto.UserUpserted {
		m := &proto.UserUpserted{
			Snapshot: rapid.Uint64().Draw(t, "snapshot"), DigestVersion: rapid.Uint32().Draw(t, "version"),
			Users: rapid.SliceOfN(users(), 0, 4).Draw(t, "users"),
		}
		for _, u := range m.Users {
			d := proto.DigestUser(u)
			m.Ids, m.Digests = append(m.Ids, u.Id), append(m.Digests, d[:]...)
		}
		m.Retained = retained(len(m.Ids)).Draw(t, "retained")
		m.Losses = rapid.SliceOfN(losses(), 0, 3).Draw(t, "losses")
		return m
	})
}

func losses() *rapid.Generator[*proto.Loss] {
	return rapid.Custom(func(t *rapid.T) *proto.Loss {
		return &proto.Loss{
			Kind:   rapid.SampledFrom([]string{"", "user", "group"}).Draw(t, "kind"),
			Change: rapid.SampledFrom([]string{"", proto.ChangeRemoved, proto.ChangeMembership, proto.ChangeAttribute}).Draw(t, "change"),
			Key:    rapid.String().Draw(t, "key"), Count: rapid.Uint64().Draw(t, "count"),
		}
	})
}

func groupBatches() *rapid.Generator[*proto.GroupUpserted] {
	return rapid.Custom(func(t *rapid.T) *proto.GroupUpserted {
		m := &proto.GroupUpserted{
			Snapshot: rapid.Uint64().Draw(t, "snapshot"), DigestVersion: rapid.Uint32().Draw(t, "version"),
			Groups: rapid.SliceOfN(groups(), 0, 4).Draw(t, "groups"),
		}
		for _, g := range m.Groups {
			d := proto.DigestGroup(g)
			m.Ids, m.Digests = append(m.Ids, g.Id), append(m.Digests, d[:]...)
		}
		m.Retained = retained(len(m.Ids)).Draw(t, "retained")
		return m
	})
}

var encodings = []string{proto.ContentTypeProtobuf, proto.ContentTypeJSON}
