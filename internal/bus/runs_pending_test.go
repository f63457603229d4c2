package bus

import (
	"fmt"
	"testing"

	"ldapsync/proto"
)

func pending(t *testing.T, b *Bus, source string) *Pending {
	t.Helper()
	p, err := b.Pending(soon(t), source)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *Pending) ids() (ids []string) {
	for _, request := range p.Requests {
		ids = append(ids, request.GetId())
	}
	return ids
}

func TestPendingRequests(t *testing.T) {
	dir := t.TempDir()
	b := embedded(t, dir)
	none := pending(t, b, "corp")
	if none.Requests != nil || none.Done(t.Context()) != nil {
		t.Errorf("nobody has asked, but %v waits", none.ids())
	}
	if _, err := b.info(t.Context(), proto.RunsStream); err == nil {
		t.Error("looking has made the stream")
	}
	verdict := &proto.Verdict{Hash: "0123456789abcdef", Decision: proto.Decision_DECISION_APPROVE, By: "ada", Reason: "the branch is closed"}
	if err := b.Trigger(t.Context(), "corp", &proto.RunRequest{Id: "1", Verdicts: []*proto.Verdict{verdict}}); err != nil {
		t.Fatal(err)
	}
	trigger(t, b, "other", "x")
	trigger(t, b, "corp", "2")
	if p := pending(t, b, "corp"); fmt.Sprint(p.ids()) != "[1 2]" || p.Requests[0].GetVerdicts()[0].GetReason() != verdict.GetReason() {
		t.Errorf("%v wait", p.Requests)
	}
	// Who fails before Done has taken nothing, whatever becomes of its process and of the server.
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = embedded(t, dir)
	p := pending(t, b, "corp")
	trigger(t, b, "corp", "3")
	if err := p.Done(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(p.ids(), pending(t, b, "corp").ids(), pending(t, b, "other").ids()); got != "[1 2] [3] [x]" {
		t.Errorf("answered, still waiting, of others: %s", got)
	}
}

// TestPendingRequestsAndService: what a service took and didn't answer is there for a run, and what both answered is answered once.
func TestPendingRequestsAndService(t *testing.T) {
	b := embedded(t, t.TempDir())
	trigger(t, b, "corp", "1")
	r, err := b.Requests(t.Context(), "corp")
	if err != nil {
		t.Fatal(err)
	}
	_, ack, err := r.Next(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	p := pending(t, b, "corp")
	if got := fmt.Sprint(p.ids()); got != "[1]" {
		t.Errorf("%s wait", got)
	}
	if err := ack(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.Done(t.Context()); err != nil {
		t.Errorf("answered by two: %v", err)
	}
	trigger(t, b, "corp", "2")
	if got := fmt.Sprint(next(t, r, true)); got != "[2]" {
		t.Errorf("requests %s", got)
	}
}
