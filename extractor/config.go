package extractor

import (
	"log/slog"
	"time"

	"ldapsync/proto"
)

// Config says how one source is read and published.
type Config struct {
	// Source is the source's name, part of every subject. Required.
	Source string
	// Username are the attributes that may hold the username: a user with none of them is skipped and reported. The first one that
	// is there is the id where the directory has none. Required if users are read.
	Username []string
	// GroupName is the same for groups. Required if groups are read.
	GroupName []string
	// Users and Groups tell which kinds are read. A kind that isn't read removes nothing.
	Users, Groups bool
	// Nested makes the members of a group that is a member of another group members of that one, too. Default: false.
	Nested bool
	// Flags are the rules for active, staff and superuser. Default: none.
	Flags Flags
	// ContentType is the encoding of what is published. Default: proto.ContentTypeProtobuf.
	ContentType string
	// SpoolDir is where changes wait that don't fit into memory. Default: the system's directory for temporary files.
	SpoolDir string
	// SpoolMemory is how many bytes of changes wait in memory. Default: 8 MiB.
	SpoolMemory int
	// MaxMessage is the longest message the stream takes, in bytes; an entry that is longer is skipped. Default: 1 MiB.
	MaxMessage int
	// FullEvery is the time between two full snapshots, by the stream's clock. Default: 24 h.
	FullEvery time.Duration
	// Limits say how much may go at once before a person has to look. Default: none; DefaultLimits has good ones.
	Limits Limits
	// Grace is how long a user who is gone is missing before she is removed, by the stream's clock. Default: 0, she is removed at once.
	Grace time.Duration
	// Version is published with every snapshot.
	Version string
	// OnProgress, if set, is called from time to time during a pass, from the pass's goroutine.
	OnProgress func(Progress)
	// Logger. Default: discards.
	Logger *slog.Logger
	// Now is the clock for ce-time and for how long a pass took: nothing else. Default: time.Now.
	Now func() time.Time
}

// Flags are the rules by which users get their flags. A nil rule says nothing: the flag stays absent.
type Flags struct{ Active, Staff, Superuser *Flag }

// The numbers of the flags in arrays.
const (
	flagActive = iota
	flagStaff
	flagSuperuser
)

var flagNames = [...]string{"active", "staff", "superuser"}

func (f Flags) rules() [3]*Flag { return [3]*Flag{f.Active, f.Staff, f.Superuser} }

// Flag is one rule: either Group, or Attribute with one of the others.
type Flag struct {
	Group     string   // DN: the members of this group have the flag. A group that doesn't exist aborts the pass
	Attribute string   // name of an attribute that is asked for
	Equals    []string // the flag is set if one of the values is among these, without case
	Bit       uint64   // the flag is set if the first value, a number, has one of these bits
	NotBit    uint64   // the flag is set if it has none of these bits (2 for AD's userAccountControl: not disabled)
}

// Progress is how far a pass is.
type Progress struct {
	Read      uint64 // entries read, users and groups
	Published uint64 // entries published
}

func (c Config) withDefaults() Config {
	if c.ContentType == "" {
		c.ContentType = proto.ContentTypeProtobuf
	}
	if c.SpoolMemory == 0 {
		c.SpoolMemory = 8 << 20
	}
	if c.MaxMessage == 0 {
		c.MaxMessage = 1 << 20
	}
	if c.FullEvery == 0 {
		c.FullEvery = 24 * time.Hour
	}
	if c.OnProgress == nil {
		c.OnProgress = func(Progress) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}
