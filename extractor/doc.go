// Package extractor is the first stage: it reads a directory, compares it with what the stream says, and publishes the difference.
//
// A pass folds the stream into the baseline (baseline.go, fold.go), lists groups and then users (Directory), normalizes each
// entry (normalize.go), publishes additions while it reads, keeps changes in a spool (spool.go), looks a second time at whoever
// is missing, lets a Judge decide about removals, and closes the snapshot (pass.go).
//
// Promised: removals are concluded only from a complete listing and a second look; any error aborts the snapshot, which then has
// published nothing but true additions; memory is bounded by the baseline (64 bytes an entry) and the memberships (20 bytes
// each), never by the entries; there is one writer, and a rival ends the pass. Not promised: that a pass sees one state of the
// directory. A paged search is no snapshot; the next pass sees what this one missed.
//
// One Extractor serves one source and runs one pass at a time.
package extractor
