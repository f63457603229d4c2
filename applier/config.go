package applier

import (
	"log/slog"
	"strings"
	"time"

	"ldapsync/internal/limit"
	"ldapsync/proto"
)

// Config says how one source's stream is applied to one target.
type Config struct {
	// Target and Source are their names. Required.
	Target, Source string
	// Users maps users; nil: users aren't applied.
	Users *Mapping
	// Groups maps groups; nil: groups aren't applied, and nobody is in one.
	Groups *Mapping
	// Memberships tells to keep the users' memberships in the source's groups. Default: false.
	Memberships bool
	// DeleteGroups deletes the row of a group that is gone, if sync created it. Default: false, its row and its permissions stay.
	DeleteGroups bool
	// Adopt says which accounts that are there already may be taken over by name.
	Adopt Adoption
	// Scope says which accounts are the directory's: those that a link ties to it (ScopeLinked), or all that Django has (ScopeAll): then
	// those that no entry of any source stands behind count as removed, at the end of a committed snapshot. Default: ScopeLinked.
	Scope Scope
	// Sources are all sources of the target, in their order: accounts are judged by the applier of the first one, once all of them were
	// applied as a whole. Default: Source alone.
	Sources []string
	// Exclude are usernames, without case, or patterns (path.Match) of accounts that ScopeAll leaves alone. Default: none. Staff and superusers
	// are left alone unless Adopt.Privileged.
	Exclude []string
	// Limit is that of users removed: ScopeAll holds more accounts than that until a person approves them. Default: off.
	Limit limit.Limit
	// Limits are those of what else a replay takes: beyond one of them, or of Limit, nothing is written until a person approves it. Default: off.
	Limits Limits
	// AcceptStream takes a stream with another identity than the one applied so far for the same source. Default: false, it is refused.
	AcceptStream bool
	// Uncovered says that the stream's entries weren't asked for all that the mapping takes: Preview, then, must be fed the full snapshot that brings it,
	// and clears no column for what the entries before that lack. Run must wait until that snapshot is committed. Default: false.
	Uncovered bool
	// BatchEntries is how many entries one transaction takes, about. Default: 2000.
	BatchEntries int
	// RetryFor is how long a database that fails is tried again before Run gives up. Default: 0, for ever.
	RetryFor time.Duration
	// Outcomes is what is said to have done it in the outcomes that each transaction writes into the target's outbox, such as "apply".
	// Default: "", no outcomes are written.
	Outcomes string
	// OnProgress, if set, is called after each transaction with the number of entries applied since the start.
	OnProgress func(entries uint64)
	// OnChange, if set, is called after each transaction for every change in it but Unchanged and Touch.
	OnChange func(proto.Kind, Change)
	// Logger. Default: discards.
	Logger *slog.Logger
	// Now gives the times in dead letters. Default: time.Now.
	Now func() time.Time

	evict bool // also active rows of entries that are gone give up their names to those that are there
	every bool // entries whose links say that they are applied are compared, too
	known bool // who is missing, and whom the target doesn't know, needs no account
}

// Scope is which accounts are the directory's.
type Scope string

// The scopes.
const (
	ScopeLinked Scope = "linked"
	ScopeAll    Scope = "all"
)

// Adoption says which accounts that are there already, without a link, may be taken over by an entry of the same name.
type Adoption struct {
	Existing   bool // any, on any run
	Privileged bool // also staff and superusers
}

func (c Config) withDefaults() Config {
	if c.BatchEntries == 0 {
		c.BatchEntries = 2000
	}
	if len(c.Sources) == 0 {
		c.Sources = []string{c.Source}
	}
	if c.OnProgress == nil {
		c.OnProgress = func(uint64) {}
	}
	if c.OnChange == nil {
		c.OnChange = func(proto.Kind, Change) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// mapping of a kind; nil if that kind isn't applied.
func (c Config) mapping(kind proto.Kind) *Mapping {
	if kind == proto.KindGroup {
		return c.Groups
	}
	return c.Users
}

// hash identifies everything by which the same entries would be applied otherwise.
func (c Config) hash() string {
	var parts []string
	for _, kind := range []proto.Kind{proto.KindUser, proto.KindGroup} {
		if c.mapping(kind) != nil {
			parts = append(parts, string(kind)+":"+c.settings(kind).hash)
		}
	}
	return strings.Join(parts, " ")
}

func (c Config) settings(kind proto.Kind) settings {
	s := settings{
		source: c.Source, kind: kind, mapping: c.mapping(kind), adopt: c.Adopt,
		memberships: c.Memberships && c.Groups != nil, deleteRows: c.DeleteGroups, every: c.every, evict: c.evict, known: c.known,
	}
	if s.mapping != nil {
		s.hash = s.mapping.Hash()
	}
	if kind == proto.KindUser && s.memberships {
		s.hash += "+groups"
	}
	return s
}
