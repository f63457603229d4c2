package proto_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"ldapsync/proto"
)

func outcomesSample() proto.Message {
	return &proto.Outcomes{Id: "00112233445566778899aabbccddeeff", Type: string(proto.OutcomeUserUpdated), Target: "default", Source: "corp", Sequence: 1 << 60,
		StreamId: "Zk9nq3", By: "restore", Person: "grace", Time: timestamppb.New(time.Date(2026, 11, 20, 1, 2, 3, 4000, time.UTC)),
		Outcomes: []*proto.Outcome{{Id: leaver().Id, Dn: leaver().Dn, Pk: "42", Name: "grace", Columns: []string{"email", "is_staff"},
			Joined: []string{"3"}, Left: []string{"1", "2"}, Reason: "why"}}}
}

func TestOutcomesAreBatchedByTypeAndSize(t *testing.T) {
	head := &proto.Outcomes{Source: "corp", By: "apply"}
	b := proto.OutcomeBatches{Head: head, Time: time.Unix(1, 0)}
	const n = 3000
	for i := range n {
		b.Add(proto.OutcomeUserCreated, &proto.Outcome{Id: fmt.Sprint(i), Dn: strings.Repeat("x", 200)})
	}
	b.Add(proto.OutcomeUserRefused, &proto.Outcome{Id: "refused"})
	b.Add(proto.OutcomeUserCreated, &proto.Outcome{Id: fmt.Sprint(n)})
	ids, next := map[string]bool{}, 0
	for _, m := range b.Messages() {
		ids[m.GetId()] = true
		if proto.Size(m) > 129<<10 || len(m.GetOutcomes()) == 0 || m.GetSource() != "corp" || m.GetBy() != "apply" || m.GetTime().AsTime().Unix() != 1 {
			t.Errorf("%d bytes, %d outcomes, %s", proto.Size(m), len(m.GetOutcomes()), m.GetSource())
		}
		for _, o := range m.GetOutcomes() {
			if m.GetType() == string(proto.OutcomeUserCreated) {
				if o.GetId() != fmt.Sprint(next) {
					t.Fatalf("%s in the place of %d", o.GetId(), next)
				}
				next++
			} else if m.GetType() != string(proto.OutcomeUserRefused) || o.GetId() != "refused" {
				t.Errorf("%s: %v", m.GetType(), o)
			}
		}
	}
	if next != n+1 || len(ids) != len(b.Messages()) || len(ids) < 3 || head.GetId() != "" {
		t.Errorf("%d outcomes in %d messages with %d ids", next, len(b.Messages()), len(ids))
	}
}

func TestOutcomesTellOfAUser(t *testing.T) {
	b := proto.OutcomeBatches{Head: &proto.Outcomes{Source: "corp"}}
	b.Add(proto.OutcomeUserCreated, &proto.Outcome{Id: "ada"})
	b.Add(proto.OutcomeUserCreated, &proto.Outcome{Id: "bob"})
	b.Add(proto.OutcomeGroupCreated, &proto.Outcome{Id: "ada"})
	users, groups := b.Messages()[0], b.Messages()[1]
	for _, c := range []struct {
		m          *proto.Outcomes
		source, id string
		want       bool
	}{{users, "corp", "ada", true}, {users, "corp", "bob", true}, {users, "lab", "ada", false}, {users, "corp", "ad", false}, {groups, "corp", "ada", false}} {
		if got := proto.TellsOf(c.m, c.source, c.id); got != c.want {
			t.Errorf("%s tells of %s of %s: %v", c.m.GetType(), c.id, c.source, got)
		}
	}
	if proto.ForgetOutcomes(users, "ada"); len(users.GetOutcomes()) != 1 || users.GetOutcomes()[0].GetId() != "bob" {
		t.Errorf("%v", users)
	}
}
