// Package extractor is the first stage: it reads a directory, compares it with what the stream says, and publishes the difference.
//
// A pass folds the stream into the baseline (baseline.go, fold.go), lists groups and then users (Directory), normalizes each
// entry (normalize.go), publishes additions while it reads, keeps changes in a spool (spool.go), and looks a second time at whoever
// is missing (missing.go). Then it weighs what would be lost: changed users are compared with what the stream last said of them (weigh.go,
// losses.go), losses are counted in each respect and put to the limits, alone and with those of the last day (judge.go, window.go), and what is
// over a limit is held (settle.go, held.go, unread.go) until it heals or a person decides (verdicts.go). The rest is published (changes.go,
// removals.go, grace.go), and the snapshot closed (pass.go, extractor.go); then whoever is to be forgotten is erased from what lies before (forget.go).
//
// Promised: removals are concluded only from a complete listing and a second look; any error aborts the snapshot, which then has published
// nothing but true additions; what was held stays held, whatever the limits say later, and an approval releases only what was shown, as it was
// shown, and never what was rejected in another respect; memory is bounded by the baseline (64 bytes an entry), the memberships (20 bytes
// each) and what is held (32 bytes an entry, twice while a pass judges it), never by the entries; there is one writer, and a rival ends the
// pass. Not promised: that a pass sees one state of the directory. A paged search is no snapshot; the next pass sees what this one missed.
//
// One Extractor serves one source and runs one pass at a time.
package extractor
