// Package proto is the contract between the stages of ldapsync and for every other consumer: what is published, under which
// subjects, with which headers and in which encodings.
//
// The schema is ldapsync/v1/events.proto; events.pb.go is generated from it. Around it stand the parts of the contract that a
// schema can't say: subjects and stream names (subject.go), the CloudEvents headers (event.go), the two encodings (codec.go),
// the digest (digest.go), and the index by which a reader learns what a batch carries without decoding it (index.go).
//
// Promised: every entry event tells the whole state of each entry it carries and is true when published; events of one source
// are totally ordered by their stream sequence; a field's number and meaning never change. Not promised: dense sequences
// (erasure leaves holes), the number of entries in a batch, or that a snapshot that was started is ever committed.
//
// The package depends on the protobuf runtime alone, and everything else may depend on it.
package proto
