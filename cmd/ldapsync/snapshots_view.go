package main

import (
	"strings"
	"time"

	"ldapsync/internal/history"
	"ldapsync/proto"
)

// snapshotView is a snapshot as --json prints it.
type snapshotView struct {
	Source    string         `json:"source"`
	Snapshot  uint64         `json:"snapshot"`
	Full      bool           `json:"full"`
	Status    history.Status `json:"status"`
	Reason    string         `json:"reason,omitempty"` // why it was aborted
	Started   *time.Time     `json:"started,omitempty"`
	Ended     *time.Time     `json:"ended,omitempty"`
	Server    string         `json:"server,omitempty"`
	Version   string         `json:"version,omitempty"`
	Question  *questionView  `json:"question,omitempty"`
	Users     *sourceCounts  `json:"users,omitempty"`
	Groups    *sourceCounts  `json:"groups,omitempty"`
	HoldsTold bool           `json:"holds_told"` // it says what waits from here on; else what the one before it says goes on
	Held      []heldView     `json:"held"`
	Decided   []decisionView `json:"decided"`
	Forgot    []forgotView   `json:"forgot"` // people erased from what lies before it
	First     uint64         `json:"first_sequence"`
	Last      uint64         `json:"last_sequence,omitempty"`
	FullFirst uint64         `json:"full_sequence,omitempty"` // where the last full snapshot begins
}

type questionView struct {
	Bases         []string `json:"bases"`
	Scope         string   `json:"scope,omitempty"`
	UserFilter    string   `json:"user_filter,omitempty"`
	GroupFilter   string   `json:"group_filter,omitempty"`
	Attributes    []string `json:"attributes"`
	NamingContext string   `json:"naming_context,omitempty"`
	IDAttribute   string   `json:"id_attribute,omitempty"`
	UserNames     []string `json:"user_names,omitempty"`  // the attributes that names are taken from, where the name is the id
	GroupNames    []string `json:"group_names,omitempty"` // likewise
}

type heldView struct {
	Hash     string     `json:"hash,omitempty"`
	Kind     string     `json:"kind"`
	Change   string     `json:"change"`
	Name     string     `json:"name,omitempty"`
	Count    uint64     `json:"count"`
	Of       uint64     `json:"of"`
	Reason   string     `json:"reason"`
	Rejected bool       `json:"rejected,omitempty"`
	Since    *time.Time `json:"since,omitempty"`
}

type decisionView struct {
	Decision string    `json:"decision"`
	Hash     string    `json:"hash"`
	By       string    `json:"by"`
	Reason   string    `json:"reason,omitempty"`
	Entries  uint64    `json:"entries"`
	Note     string    `json:"note,omitempty"`
	Hold     *heldView `json:"hold,omitempty"`
}

func (p past) view(s *history.Snapshot) snapshotView {
	v := snapshotView{
		Source: p.source.Name, Snapshot: s.Number, Full: s.Full, Status: s.Status, Reason: s.Reason, Started: timeOrNil(s.Started), Ended: timeOrNil(s.Ended),
		Server: s.Server, Version: s.Version, Users: countsView(s.Users), Groups: countsView(s.Groups),
		HoldsTold: s.HoldsTold, Held: []heldView{}, Decided: []decisionView{}, Forgot: []forgotView{}, First: s.First, Last: s.Last, FullFirst: s.FullSequence,
	}
	if s.Question != nil {
		v.Question = viewQuestion(s.Question)
	}
	for _, h := range s.Held {
		v.Held = append(v.Held, viewHeld(h))
	}
	for _, d := range s.Decided {
		v.Decided = append(v.Decided, viewDecision(d))
	}
	for _, m := range s.Forgot {
		v.Forgot = append(v.Forgot, newForgotView(m))
	}
	return v
}

func viewQuestion(q *proto.Question) *questionView {
	return &questionView{Bases: q.GetBases(), Scope: q.GetScope(), UserFilter: q.GetUserFilter(), GroupFilter: q.GetGroupFilter(),
		Attributes: q.GetAttributes(), NamingContext: q.GetNamingContext(), IDAttribute: q.GetIdAttribute(),
		UserNames: q.GetUserNames(), GroupNames: q.GetGroupNames()}
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func countsView(c *proto.Counts) *sourceCounts {
	if c == nil {
		return nil
	}
	return &sourceCounts{Read: c.GetRead(), Added: c.GetAdded(), Changed: c.GetChanged(), Unchanged: c.GetUnchanged(),
		Removed: c.GetRemoved(), Skipped: c.GetSkipped(), Held: c.GetHeld()}
}

func viewHeld(h *proto.Hold) heldView {
	v := heldView{Hash: h.GetHash(), Kind: h.GetKind(), Change: h.GetChange(), Name: h.GetName(), Count: h.GetCount(), Of: h.GetOf(),
		Reason: h.GetReason(), Rejected: h.GetRejected()}
	if h.GetSince() != nil {
		v.Since = timeOrNil(h.GetSince().AsTime())
	}
	return v
}

func viewDecision(d *proto.SnapshotDecided) decisionView {
	v := decisionView{
		Decision: strings.ToLower(strings.TrimPrefix(d.GetVerdict().GetDecision().String(), "DECISION_")), Hash: d.GetVerdict().GetHash(),
		By: d.GetVerdict().GetBy(), Reason: d.GetVerdict().GetReason(), Entries: d.GetEntries(), Note: d.GetNote(),
	}
	if d.GetHold() != nil {
		h := viewHeld(d.GetHold())
		v.Hold, v.Hash = &h, h.Hash
	}
	return v
}
