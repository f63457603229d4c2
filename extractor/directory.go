package extractor

import (
	"context"
	"iter"

	"ldapsync/proto"
)

// Directory is where entries come from. extractor/ldap is one, extractor/ldif another.
type Directory interface {
	// Open connects to one server, which then serves the whole pass. pinned is the id attribute of the snapshots so far, Username if
	// they used none, "" for the first one: a directory whose configuration names no id attribute uses the pinned one, and
	// only without one chooses.
	Open(ctx context.Context, pinned string) (Session, error)
}

// Session is one pass's connection. Every error it returns means that what was read is not complete.
type Session interface {
	// Info tells which server answers and what the question is.
	Info() Info
	// Groups lists every group that matches the group filter, in batches. The sequence ends with one error, or without any: only
	// then is the listing complete. A batch belongs to the receiver.
	Groups(ctx context.Context) iter.Seq2[[]Record, error]
	// Users lists every user that matches the user filter, likewise.
	Users(ctx context.Context) iter.Seq2[[]Record, error]
	// Lookup reads those of the entries with these ids that are there and match the kind's filter under the source's bases, on the
	// same server. Entries that aren't found are left out. It may be called with any number of ids.
	Lookup(ctx context.Context, kind proto.Kind, ids []string) ([]Record, error)
	// GroupsOf reads the groups (matching the group filter) that name this user as a direct member now.
	GroupsOf(ctx context.Context, user Record) ([]Record, error)
	// Group reads one group by its DN, whether or not it matches the group filter, with its members. proto.ErrNotFound if there is none.
	Group(ctx context.Context, dn string) (Record, error)
	Close() error
}

// Info describes a session.
type Info struct {
	Server   string          // the URI that answers
	Question *proto.Question // what is asked, with the naming context and the id attribute in effect
}

// Record is one entry as the directory gave it. Its strings may be parts of one large string that a whole batch shares: whoever keeps one for
// longer than the batch clones it. The slices may be kept, not changed.
type Record struct {
	ID         string // in its usual text form; "" if the entry has no id attribute
	DN         string
	Attributes []Attribute // those that were asked for and are there, in the configuration's spelling and order

	// Of groups: who is a member.
	Members    []string // DNs (member, uniqueMember)
	MemberUIDs []string // login names (memberUid)
	GroupToken string   // AD's primaryGroupToken

	// Of users: what joins them to groups.
	MemberOf     []string // DNs of groups, where memberOf is asked for
	UID          string   // what memberUid refers to: the first value of uid
	PrimaryGroup string   // AD's primaryGroupID

	// Skip, if not empty, says why this entry alone can't be used; ID and DN are set as far as known.
	Skip string
}

// Attribute is one attribute with its raw values, text or not, in the server's order.
type Attribute struct {
	Name   string
	Values []string
}
