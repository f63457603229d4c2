package proto

import (
	"fmt"
	"regexp"
	"strings"
)

// Type is the kind of an event: the tail of its subject and of its ce-type.
type Type string

// The types of events, and of requests.
const (
	TypeUserUpserted      Type = "user.upserted"
	TypeUserReplaced      Type = "user.replaced"
	TypeUserMissing       Type = "user.missing"
	TypeUserRemoved       Type = "user.removed"
	TypeGroupUpserted     Type = "group.upserted"
	TypeGroupRemoved      Type = "group.removed"
	TypeSnapshotStarted   Type = "snapshot.started"
	TypeSnapshotCommitted Type = "snapshot.committed"
	TypeSnapshotHeld      Type = "snapshot.held"
	TypeSnapshotDecided   Type = "snapshot.decided"
	TypeSnapshotForgot    Type = "snapshot.forgot"
	TypeSnapshotAborted   Type = "snapshot.aborted"
)

// EventTypes are all types that the stream of a source carries.
var eventTypes = []Type{
	TypeUserUpserted, TypeUserReplaced, TypeUserMissing, TypeUserRemoved, TypeGroupUpserted, TypeGroupRemoved,
	TypeSnapshotStarted, TypeSnapshotCommitted, TypeSnapshotHeld, TypeSnapshotDecided, TypeSnapshotForgot, TypeSnapshotAborted,
}

// EventTypes returns all types that the stream of a source carries.
func EventTypes() []Type { return append([]Type(nil), eventTypes...) }

// Entry tells whether events of this type say how entries are; the others are brackets around them. A replacement isn't one: it repeats what
// an event before it said, in whose place readers of history put it.
func (t Type) Entry() bool {
	return t != TypeUserReplaced && (strings.HasPrefix(string(t), "user.") || strings.HasPrefix(string(t), "group."))
}

// Name is what the names of sources and targets look like: they are subject tokens and parts of stream names.
var name = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// ValidName tells whether s can name a source or a target: [a-z0-9][a-z0-9_-]{0,62}.
func ValidName(s string) bool { return name.MatchString(s) }

const (
	eventsPrefix = "ldapsync.events."
	runsPrefix   = "ldapsync.runs."
)

// Subject is the subject of the source's events of one type: ldapsync.events.<source>.<type>.
func Subject(source string, t Type) string { return eventsPrefix + source + "." + string(t) }

// SubjectAll matches all events of a source.
func SubjectAll(source string) string { return eventsPrefix + source + ".>" }

// RunsSubject is where passes over a source are asked for: ldapsync.runs.<source>, with a RunRequest.
func RunsSubject(source string) string { return runsPrefix + source }

// StreamName is the name of the stream of a source's events: LDAPSYNC_<source>.
func StreamName(source string) string { return "LDAPSYNC_" + source }

// RunsStream is the name of the stream that keeps the requests for passes.
const RunsStream = "LDAPSYNC_RUNS"

// ParseSubject splits a subject of an event into source and type.
func ParseSubject(subject string) (source string, t Type, err error) {
	rest, ok := strings.CutPrefix(subject, eventsPrefix)
	if ok {
		source, tail, found := strings.Cut(rest, ".")
		for _, known := range eventTypes {
			if found && ValidName(source) && tail == string(known) {
				return source, known, nil
			}
		}
	}
	return "", "", fmt.Errorf("subject %q: not an event of ldapsync", subject)
}

// Kind is the kind of an entry.
type Kind string

// The kinds of entries.
const (
	KindUser  Kind = "user"
	KindGroup Kind = "group"
)
