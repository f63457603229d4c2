package applier

import (
	"context"
	"errors"
	"time"

	"ldapsync/proto"
)

// Store is a target's database: Django's tables and ours beside them. internal/django/postgres and internal/django/sqlite are
// the two, and pass one conformance suite.
//
// Primary keys are text here, whatever the column's type. Names (usernames, names of groups) are matched by Fold.
type Store interface {
	// Checkpoint returns the position reached in a source's stream; nil if there is none yet.
	Checkpoint(ctx context.Context, source string) (*Checkpoint, error)
	// Update runs fn in one read-write transaction and commits it if fn returns nil. fn may be run again from the start after a
	// deadlock or a serialization failure; it must not keep what it learnt in an earlier run.
	Update(ctx context.Context, fn func(Tx) error) error
	// View runs fn in one read-only transaction that sees one state of the database throughout.
	View(ctx context.Context, fn func(Reader) error) error
	// Scan reads each table once, from one end to the other, without looking anything up: first the links, then the letters, the groups' rows, the users'
	// rows and the memberships, in no order. No writer waits for it for longer than for a transaction of ours, so that it may see no, or half, of
	// what is written meanwhile: who acts on it looks again.
	Scan(ctx context.Context, q ScanQuery, v Visitor) error
	// Refresh lets the store forget what it remembers of rows without links, so that accounts which Django made meanwhile are found by
	// name without case. It is called whenever a snapshot has ended.
	Refresh()
}

// Checkpoint is how far a source's stream is applied to a target.
type Checkpoint struct {
	Source   string
	StreamID string
	Sequence uint64 // of the last event applied
	Mapping  string // the hash of the mapping that every link of the source has been brought to
	Mode     string // "live"; "pinned" is for replay
}

// ErrMoved is returned by Advance when the checkpoint isn't where it was: another applier moved it. Start over.
var ErrMoved = errors.New("another applier moved the checkpoint")

// Reader is what a plan may ask. Every method takes any number of keys, in any order, repeated or not; answers come in no order,
// and what isn't there is left out.
type Reader interface {
	// Links returns the links of these entries.
	Links(ctx context.Context, source string, kind proto.Kind, ids []string) ([]Link, error)
	// LinksAfter returns the links of a source whose entries aren't gone, in the order of their ids: those behind after, at most limit.
	LinksAfter(ctx context.Context, source string, kind proto.Kind, after string, limit int) ([]Link, error)
	// LinksOf returns the links of every source to these rows.
	LinksOf(ctx context.Context, kind proto.Kind, pks []string) ([]Link, error)
	// Rows returns Django's rows with these primary keys.
	Rows(ctx context.Context, kind proto.Kind, pks []string) ([]Row, error)
	// Named returns Django's rows whose name equals one of names without case. It must not scan the table for each call.
	Named(ctx context.Context, kind proto.Kind, names []string) ([]Row, error)
	// Memberships returns the memberships that these users have in the groups that source manages: those with a present link.
	Memberships(ctx context.Context, source string, users []string) ([]Membership, error)
	// Letters returns dead letters and parked entries of stage "apply".
	Letters(ctx context.Context, q LetterQuery) ([]Letter, error)
	// ActiveSuperusers returns the primary keys of all users who are active and superusers; none where the table has no such columns.
	ActiveSuperusers(ctx context.Context) ([]string, error)
	// ListUnlinked returns the users' rows that no link of any source belongs to, by primary key and without their Values, and how many
	// rows there are in all.
	ListUnlinked(ctx context.Context) (rows []Row, all int, err error)
	// HeldRows returns what waits for a decision, or was rejected, the oldest first.
	HeldRows(ctx context.Context) ([]Held, error)
	// Complete returns the sources that SetComplete was called for since their checkpoints got their streams.
	Complete(ctx context.Context) ([]string, error)
}

// GroupReader is a Reader that may remember groups: every batch of users asks for the same ones.
type GroupReader interface {
	// Groups returns the present links of these groups, as far as their rows are there. A row that was deleted since the store last saw it
	// may be taken for there; Write refuses it then.
	Groups(ctx context.Context, source string, ids []string) ([]Link, error)
}

// Tx is a read-write transaction.
type Tx interface {
	Reader
	// Advance moves the checkpoint from its state prev (nil: there is none) to next, as the first statement of the transaction.
	// ErrMoved if it isn't at prev.
	Advance(ctx context.Context, prev *Checkpoint, next Checkpoint) error
	// Savepoint runs fn and undoes what it wrote if it returns an error, which it passes on.
	Savepoint(ctx context.Context, fn func() error) error
	// Write carries changes out, set by set, whatever their number. It fills PK and Link.PK of those that create a row. For groups,
	// it takes up the pending memberships of those that get a row, and for those with Remove deletes the memberships that sync
	// made. A *DataError says that the database refuses a value; after any error only undoing to a savepoint is possible.
	Write(ctx context.Context, kind proto.Kind, changes []Change) error
	// PutHeld writes what is held, and replaces what has its source, change and hash.
	PutHeld(ctx context.Context, h Held) error
	// DropHeld deletes what has its source, change and hash.
	DropHeld(ctx context.Context, h Held) error
	// PutOutcomes writes messages into the outbox, in their order, each a row: they are published once this is committed.
	PutOutcomes(ctx context.Context, messages []*proto.Outcomes) error
	// SetComplete notes at the source's checkpoint that a committed snapshot was applied as a whole.
	SetComplete(ctx context.Context, source string) error
}

// DataError says that the database refused the data themselves (SQLSTATE classes 22 and 23), not the connection or the rights.
type DataError struct{ Err error }

func (e *DataError) Error() string { return e.Err.Error() }

// Unwrap returns the database's error.
func (e *DataError) Unwrap() error { return e.Err }

// Link ties an entry to a row of Django's.
type Link struct {
	Source string
	Kind   proto.Kind
	ID     string
	PK     string // "" when the row was deleted by a callback
	DN     string // as last known, for people
	Name   string // Fold of the row's name, as we last wrote it
	State  LinkState

	GoneSequence uint64 // of the event that made it gone
	GoneReason   string

	Digest   proto.Digest
	Mapping  string // hash of the mapping that was applied
	Sequence uint64 // of the event that was last written: provenance, not order
	How      How

	ActiveWritten *bool // what the active rule last made the row's active column; nil: never
	// "sync": the deactivate callback did; "other": it found the account inactive; "restored": it did, and a person took it back; "":
	// neither.
	DeactivatedBy string
	DeactivatedAt time.Time
}

// LinkState is what became of a link's entry.
type LinkState string

// The states of a link.
const (
	Present LinkState = "present"
	Missing LinkState = "missing" // not in the directory, and its source's grace isn't over: it returns or will be gone
	Gone    LinkState = "gone"    // removed from the directory; the callbacks' work item
	Deleted LinkState = "deleted" // gone, and the delete callback deleted its row; a tombstone
)

// How a link came to be.
type How string

// The ways a link comes to be.
const (
	Created  How = "created"  // sync made the row
	Adopted  How = "adopted"  // the row was there, without any link
	Relinked How = "relinked" // the row belonged to an entry that is gone; the account was deleted and made again
	Swept    How = "orphan"   // no entry ever stood behind the row, and the target's scope is all accounts
)

// Row is a row of auth_user or auth_group, or what stands for them.
type Row struct {
	PK         string
	Name       string
	Privileged bool // staff or superuser
	Superuser  bool
	Values     []any // one for each column of the table's Columns, as Table.Convert gives them
}

// Membership is a row of auth_user_groups.
type Membership struct{ User, Group string }

// Letter is an entry that could not be applied: parked while another row holds its name, dead otherwise. One for each entry.
type Letter struct {
	Source   string
	Kind     proto.Kind
	ID       string
	DN       string
	Parked   bool
	Name     string // Fold of the name it wants; "" if it didn't get so far
	Reason   string // one line
	Sequence uint64 // of the event
	Entry    []byte // the proto.User or proto.Group, as protobuf
	Since    time.Time
}

// LetterQuery selects letters of one source and kind: those with one of these ids or names, or All, in the order of their ids: behind
// After, at most Limit if that isn't 0.
type LetterQuery struct {
	Source string
	Kind   proto.Kind
	IDs    []string
	Names  []string
	All    bool
	After  string
	Limit  int
}

// Keep is a value in Change.Values that leaves a column as it is; a row that is created gets the column's usual default.
type Keep struct{}

// Change is what is to be done for one entry. It is data: a dry run prints it, Write carries it out.
type Change struct {
	Action Action
	Source string
	ID     string
	DN     string
	Name   string // the name as it will be
	Reason string // why it is skipped, parked or gone
	Note   string // what a person should know

	PK     string // of the row; "" for Create until Write has made it
	Values []any  // wanted, for each of the table's Columns; nil where no row is written
	Before []any  // the row's values as they are; nil for Create
	Set    []int  // the columns that differ: what an update writes
	Rename bool   // the name column is among Set: Write gives placeholders first, so that swaps and chains end right

	Link       *Link    // as it is to be written; nil: leave the link alone
	NewLink    bool     // there is no link of this entry yet
	Join       []string // primary keys of the groups that the user joins
	Leave      []string // and of those that she leaves
	Pending    []string // ids of her groups that have no row yet: her whole set of pending memberships, where Link is set
	KeepGroups bool     // her groups aren't known: what is pending stays
	Letter     *Letter  // to be written
	DropLetter bool     // a letter of this entry exists and is to be deleted
	DeleteRow  bool     // of a group that is gone: its row goes too, not only the memberships that sync made

	Deactivate bool // what Set does to the active column, for people
	Reactivate bool

	Privileged     bool // the row is that of a staff member or superuser, before the change
	Superuser      bool
	LosesSuperuser bool // Set makes an active superuser inactive, or no superuser

	along bool // it is made for the sake of the change before it
}

// Action is the kind of a change.
type Action string

// The actions.
const (
	Create    Action = "create"
	Adopt     Action = "adopt"
	Relink    Action = "relink"
	Update    Action = "update"    // the row or its memberships differ
	Touch     Action = "touch"     // only the link differs
	Unchanged Action = "unchanged" // nothing is written
	Miss      Action = "missing"   // the link becomes missing, until its source's grace is over
	Remove    Action = "remove"    // the link becomes gone; callbacks do the rest
	Skip      Action = "skip"      // a dead letter
	Park      Action = "park"      // a parked entry
)
