package proto_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"ldapsync/proto"
)

// samples is what -freeze writes: for each type its first sample, then those that came when the message got new fields.
func samples() map[proto.Type][]proto.Message {
	all := map[proto.Type][]proto.Message{}
	for kind, m := range firstSamples() {
		all[kind] = append(all[kind], m)
	}
	for kind, m := range heldSamples() {
		all[kind] = append(all[kind], m)
	}
	for kind, m := range forgetSamples() {
		all[kind] = append(all[kind], m)
	}
	all[proto.TypeSnapshotStarted] = append(all[proto.TypeSnapshotStarted], namesSample())
	all[outcomes] = append(all[outcomes], outcomesSample())
	return all
}

func leaver() *proto.User {
	return &proto.User{Id: "6b5b3b2c-6a39-4d3c-9f0a-0d9d7f1f6d02", Dn: "uid=grace,ou=people,dc=example,dc=com", GroupsUnknown: true,
		Attributes: []*proto.Attribute{{Name: "jpegPhoto", Binary: [][]byte{{0xff, 0xd8, 0, 1}}}}, Active: no(), Staff: yes(), Superuser: no()}
}

func staffGroup() *proto.Group {
	return &proto.Group{Id: "g1", Dn: "cn=Staff,ou=groups,dc=example,dc=com", Attributes: []*proto.Attribute{{Name: "cn", Values: []string{"Staff"}}}}
}

func digestBytes(d proto.Digest) []byte { return d[:] }

// firstSamples are those of the first version of each message.
func firstSamples() map[proto.Type]proto.Message {
	user := plainUser()
	leaver, group := leaver(), staffGroup()
	return map[proto.Type]proto.Message{
		proto.TypeUserUpserted: &proto.UserUpserted{Snapshot: 7, DigestVersion: 1, Ids: []string{user.Id, leaver.Id},
			Digests:  append(digestBytes(proto.DigestUser(user)), digestBytes(proto.DigestUser(leaver))...),
			Retained: []proto.Retained{proto.Retained_RETAINED_UNSPECIFIED, proto.Retained_RETAINED_MISSING}, Users: []*proto.User{user, leaver}},
		proto.TypeUserRemoved: &proto.UserRemoved{Snapshot: 8, Reason: "looked for by entryUUID, not found", User: leaver},
		proto.TypeGroupUpserted: &proto.GroupUpserted{Snapshot: 7, DigestVersion: 1, Ids: []string{group.Id},
			Digests: digestBytes(proto.DigestGroup(group)), Groups: []*proto.Group{group}},
		proto.TypeGroupRemoved: &proto.GroupRemoved{Snapshot: 8, Reason: "looked for by entryUUID, not found", Group: group},
		proto.TypeSnapshotStarted: &proto.SnapshotStarted{Snapshot: 7, StreamId: "Zk9nq3", Full: true, Server: "ldaps://dc1.example.com:636",
			Question: &proto.Question{Bases: []string{"ou=people,dc=example,dc=com", "ou=groups,dc=example,dc=com"}, UserFilter: "(objectClass=person)",
				GroupFilter: "(objectClass=groupOfNames)", Scope: "subtree", Attributes: []string{"cn", "mail", "uid"},
				NamingContext: "dc=example,dc=com", IdAttribute: "entryUUID"},
			Requests: []string{"request-1"}, Version: "v1.0.0"},
		proto.TypeSnapshotCommitted: &proto.SnapshotCommitted{Snapshot: 8, StartedSequence: 1 << 60, FullSequence: 12,
			Users:    &proto.Counts{Read: 1000, Added: 1, Changed: 2, Unchanged: 994, Removed: 4, Skipped: 1, Held: 3},
			Groups:   &proto.Counts{Read: 40, Unchanged: 40},
			Skipped:  []*proto.Skipped{{Dn: "uid=noname,ou=people,dc=example,dc=com", Reason: "no uid"}},
			FullTime: timestamppb.New(time.Date(2026, 11, 23, 4, 5, 6, 789000000, time.UTC))},
		proto.TypeSnapshotHeld: &proto.SnapshotHeld{Snapshot: 8, Holds: []*proto.Hold{{Kind: "user", Change: "removed", Count: 3, Of: 1000,
			Reason: "more than 0.2 % within a day"}}},
		proto.TypeSnapshotAborted: &proto.SnapshotAborted{Snapshot: 9, Reason: "the server cut the listing: sizeLimitExceeded"},
		request:                   &proto.RunRequest{Id: "request-1", RequestedBy: "ada", Full: true},
	}
}

// heldSamples are of the messages that removal safety brought, and of those to which it added fields.
func heldSamples() map[proto.Type]proto.Message {
	user, leaver := plainUser(), leaver()
	since := timestamppb.New(time.Date(2026, 11, 20, 1, 2, 3, 0, time.UTC))
	losses := []*proto.Loss{
		{Kind: "user", Change: proto.ChangeMembership, Key: "g1", Count: 2}, {Kind: "user", Change: proto.ChangeAttribute, Key: "mail", Count: 1},
	}
	key, other := proto.EntryKey(user.Id), proto.EntryKey(leaver.Id)
	digest := proto.DigestUser(user)
	gone := &proto.Hold{Kind: "user", Change: proto.ChangeRemoved, Count: 1, Of: 20, Reason: "1 of 20 users, more than 2 %", Entries: other[:],
		Hash: proto.HoldHash(proto.KindUser, proto.ChangeRemoved, "", other[:], nil), Rejected: true, Since: since}
	changed := &proto.Hold{Kind: "user", Change: proto.ChangeMembership, Count: 1, Of: 2, Reason: "1 of 2 members", Key: "g1", Name: "Staff",
		Entries: key[:], Digests: digest[:], Hash: proto.HoldHash(proto.KindUser, proto.ChangeMembership, "g1", key[:], digest[:])}
	verdict := &proto.Verdict{Hash: changed.Hash[:8], Decision: proto.Decision_DECISION_APPROVE, By: "ada", Reason: "the team was dissolved"}
	return map[proto.Type]proto.Message{
		proto.TypeUserUpserted: &proto.UserUpserted{Snapshot: 10, DigestVersion: 1, Ids: []string{user.Id}, Digests: digestBytes(digest),
			Retained: []proto.Retained{proto.Retained_RETAINED_HELD}, Losses: losses, Users: []*proto.User{user}},
		proto.TypeUserMissing: &proto.UserMissing{Snapshot: 10, Reason: "looked for by entryUUID, not found", User: leaver, Since: since,
			Approved: gone.Hash},
		proto.TypeUserRemoved: &proto.UserRemoved{Snapshot: 10, Reason: "looked for by entryUUID, not found", User: leaver, Approved: gone.Hash},
		proto.TypeGroupUpserted: &proto.GroupUpserted{Snapshot: 10, DigestVersion: 1, Ids: []string{"g1"},
			Digests: digestBytes(proto.DigestGroup(staffGroup())), Retained: []proto.Retained{proto.Retained_RETAINED_SKIPPED}, Groups: []*proto.Group{staffGroup()}},
		proto.TypeGroupRemoved: &proto.GroupRemoved{Snapshot: 10, Reason: "looked for by entryUUID, not found", Group: staffGroup(),
			Approved: changed.Hash},
		proto.TypeSnapshotHeld: &proto.SnapshotHeld{Snapshot: 10, Holds: []*proto.Hold{gone, changed}, Part: 1, Parts: 2},
		proto.TypeSnapshotDecided: &proto.SnapshotDecided{Snapshot: 10, Verdict: verdict, Hold: changed, Entries: 1,
			Note: "1 of 2 entries changed again since they were shown"},
		proto.TypeSnapshotCommitted: &proto.SnapshotCommitted{Snapshot: 10, Full: true, StartedSequence: 40, FullSequence: 40,
			Users: &proto.Counts{Read: 19, Changed: 3, Unchanged: 16, Removed: 1}, Groups: &proto.Counts{Read: 40, Unchanged: 40}, Losses: losses},
		proto.TypeSnapshotAborted: &proto.SnapshotAborted{Snapshot: 11, Reason: "interrupted", Losses: losses},
		request: &proto.RunRequest{Id: "request-2", RequestedBy: "ada", Verdicts: []*proto.Verdict{verdict,
			{Hash: gone.Hash, Decision: proto.Decision_DECISION_REJECT, By: "ada", Reason: "a mistake in the directory"}}},
	}
}

// forgetSamples are of the messages that erasure brought, and of the one to which it added a field.
func forgetSamples() map[proto.Type]proto.Message {
	user, key := plainUser(), proto.EntryKey(leaver().Id)
	forget := &proto.Forget{Key: key[:], By: "grace", Reason: "asked to be forgotten"}
	return map[proto.Type]proto.Message{
		proto.TypeUserReplaced: &proto.UserReplaced{Snapshot: 7, DigestVersion: 1, Ids: []string{user.Id}, Digests: digestBytes(proto.DigestUser(user)),
			Retained: []proto.Retained{proto.Retained_RETAINED_MISSING}, Losses: []*proto.Loss{{Kind: "user", Change: proto.ChangeStaff, Count: 2}},
			Users: []*proto.User{user}, Replaces: 13, Time: timestamppb.New(time.Date(2026, 11, 20, 1, 2, 3, 0, time.UTC))},
		proto.TypeSnapshotForgot: &proto.SnapshotForgot{Snapshot: 12, Forget: forget, Messages: 3, Note: "still in the directory"},
		request:                  &proto.RunRequest{Id: "request-3", RequestedBy: "grace", Forgets: []*proto.Forget{forget}},
	}
}

// namesSample is of a source whose ids are names.
func namesSample() proto.Message {
	return &proto.SnapshotStarted{Snapshot: 13, StreamId: "Zk9nq3", Server: "ldap://ldap.example.com:389",
		Question: &proto.Question{Bases: []string{"dc=example,dc=com"}, UserFilter: "(uid=*)", GroupFilter: "(cn=*)", Scope: "subtree",
			Attributes: []string{"cn", "mail", "uid"}, IdAttribute: "(username)", UserNames: []string{"uid", "mail"}, GroupNames: []string{"cn"}}}
}

// Whoever knows user.upserted can read user.replaced: fields that both have are the same.
func TestReplacementsDecodeAsWhatTheyReplace(t *testing.T) {
	for _, contentType := range encodings {
		replaced := forgetSamples()[proto.TypeUserReplaced].(*proto.UserReplaced)
		data, err := proto.Marshal(contentType, replaced)
		if err != nil {
			t.Fatal(err)
		}
		e := proto.Event{Type: proto.TypeUserUpserted, ContentType: contentType, Data: data, Sequence: 13}
		var m proto.UserUpserted
		if err := proto.Unmarshal(e, &m); err != nil {
			t.Fatal(err)
		}
		ix, err := proto.ReadIndex(e)
		if err != nil || len(ix.IDs) != 1 || ix.IDs[0] != plainUser().Id || len(ix.Losses) != 1 || ix.Retained[0] != proto.Retained_RETAINED_MISSING {
			t.Errorf("%+v, %v", ix, err)
		}
		users, err := proto.PickUsers(e, func(string) bool { return true })
		if err != nil || len(users) != 1 || proto.DigestUser(users[0]) != ix.Digests[0] || m.GetSnapshot() != 7 {
			t.Errorf("%v, %v", users, err)
		}
	}
	was, is := (&proto.UserUpserted{}).ProtoReflect().Descriptor().Fields(), (&proto.UserReplaced{}).ProtoReflect().Descriptor().Fields()
	for i := range was.Len() {
		f := was.Get(i)
		if g := is.ByNumber(f.Number()); g == nil || g.Name() != f.Name() || g.Kind() != f.Kind() || g.Cardinality() != f.Cardinality() {
			t.Errorf("%s: %v in the replacement", f.FullName(), g)
		}
	}
}
