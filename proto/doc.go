// Package proto is the contract between the stages of ldapsync and for every other consumer: what is published, under which
// subjects, with which headers and in which encodings.
//
// The schema is ldapsync/v1/events.proto; events.pb.go is generated from it. Around it stand the parts of the contract that a
// schema can't say: subjects and stream names (subject.go), the CloudEvents headers (event.go), the two encodings (codec.go),
// the digest (digest.go), the index by which a reader learns what a batch carries without decoding it (index.go), picking single entries
// out of a batch (pick.go), looking for entries by what is in them (scan.go), and what names the entries of a hold (hold.go).
//
// Promised: every entry event tells the whole state of each entry it carries and is true when published; events of one source
// are totally ordered by their stream sequence; a field's number and meaning never change. Not promised: dense sequences
// (erasure leaves holes), the number of entries in a batch, or that a snapshot that was started is ever committed.
//
// # For integrators: missing, held, decided
//
// A consumer that only wants the directory as it is follows user.upserted, user.removed, group.upserted and group.removed, and may ignore
// every other event. Nothing that is held has happened: it isn't in the entry events, and needs no handling. The rest is for those who want
// to act earlier, or to show what waits.
//
// user.missing comes only from sources with a grace. She isn't found in the directory any more, and is still to be kept: her user.removed
// follows when the grace is over, or a user.upserted without a retained mark if she returns, even if nothing about her changed. Missing since:
// `since`, and where that is absent the stream's own time of the event. Every full snapshot carries the last-known user with the mark
// RETAINED_MISSING, then user.missing again with `since`: a repetition, not news. A user who was never said to be missing may be removed.
//
// retained marks in a batch say that the entry wasn't read in this pass as it stands there: HELD (what the directory says about it now waits for
// a person), MISSING, SKIPPED. The entry is true as last known; keep it.
//
// snapshot.held is a state, not an increment: it replaces everything that an earlier one said. Until all its parts are there,
// 1 to `parts` of one snapshot, the one before it holds. Without a hold it says that nothing waits any more. A hold that isn't in the next
// state was released by a person, or dissolved because the directory healed. It names entries by EntryKey, not by id, so that it stays short:
// hash the ids you know, and compare. A hold longer than a message goes on in the next part, with the same hash. The same entry may be
// in several holds, and is published when it is in none. What is `rejected` waits for nobody, and is still held.
//
// HoldHash stands for exactly these entries with exactly these changes: another entry, or another change of one of them, is another hash and
// needs another approval. A program approves by a RunRequest with a Verdict. The answer is snapshot.decided, in the snapshot whose
// SnapshotStarted.requests names the request, before the entry events that follow from it. A decision without a hold, or for fewer entries than
// were shown, says in `note` why. `approved`, of what is then removed or missing, is the hash of that hold.
//
// # For integrators: erasure
//
// A person who is gone can be erased from the history. Each user.upserted that carried her is repeated without her, as user.replaced, at the end of the
// stream; then the first one is deleted, as are her user.removed and user.missing: their sequences become holes. Who follows the stream live ignores
// user.replaced: it says nothing new. Neither does it matter to who begins with the last committed full snapshot, as erasing comes with one that is
// published before anything is deleted. Who reads further back puts each user.replaced in the place of the sequence that it replaces, the last one
// where there are several, even if the first event is still there; the header ce-replaces is enough to know them all beforehand. One that replaces a
// sequence before the beginning of the stream counts for nothing. Whoever keeps a copy of the stream erases there what the stream doesn't have any more:
// snapshot.forgot says when, and names the person by EntryKey alone. A RunRequest with a Forget asks for it; a snapshot.forgot with a note
// says why it wasn't done.
//
// # For integrators: outcomes
//
// Where a target has outcomes switched on, what was done to its rows is told on a stream of its own, ldapsync.outcomes.<target>.<type>, as Outcomes. A
// message holds outcomes of one type and one transaction, at most 128 KiB as protobuf; a larger transaction makes several. Each is published once,
// after its transaction, and transactions that met the same row in their order. They are news, kept for 30 days, and no state: who needs that reads
// the stream of the source, or the database. When somebody is forgotten, the messages that tell of her are deleted as they are, with what they tell of
// others, once every durable consumer has acknowledged them; nothing stands in their place. So their sequences become holes, and who reads without a
// durable, or makes one later, misses what they told.
//
// # Losses
//
// `losses` count what went without a person's approval, and only limits need them.
//
// The package depends on the protobuf runtime alone, and everything else may depend on it.
package proto
