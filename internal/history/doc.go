// Package history reads a source's stream as history: which snapshots there are, what the directory looked like at each of them, what
// came, went and changed between two, and what happened to one entry in the course of time.
//
// Open reads the brackets of the snapshots alone, and tells about each of them (snapshot.go). Resolve finds the one that a person means:
// by number, by age, by time (reference.go). State, Diff and Life read entries (history.go, diff.go, life.go); 35 bytes an entry are
// held for a state, 60 for a difference, and never the entries themselves. Search finds a few of a state, and decodes only these (search.go).
//
// Promised: a stream that is cut while it is read is an error, a proto.ErrCut, and never a smaller state; whoever opens it anew finds what is
// left. Times are the stream's. Not promised: that the history reaches back to the first snapshot (retention cuts it, before a full snapshot), or
// that what is published after Open is seen.
//
// It decides nothing and publishes nothing.
package history
