package bus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"

	"ldapsync/proto"
)

// history is a stream of batches, for tests of what is put in their places.
type history struct {
	*testing.T
	log  *Log
	last uint64
}

// newHistory publishes a bracket, sequence 1, and batches that carry these ids, separated by commas, from sequence 2 on.
func newHistory(t *testing.T, b *Bus, batches ...string) *history {
	t.Helper()
	h := &history{T: t, log: openLog(t, b, "corp")}
	h.log.Begin(0)
	h.add(proto.Event{Type: proto.TypeSnapshotStarted}, &proto.SnapshotStarted{Snapshot: 1})
	for _, ids := range batches {
		h.batch(ids)
	}
	return h
}

func (h *history) add(e proto.Event, m proto.Message) uint64 {
	h.Helper()
	var err error
	e.ContentType, e.ID = proto.ContentTypeProtobuf, fmt.Sprintf("history/%s/%d", h.log.id, h.last+1)
	if e.Data, err = proto.Marshal(e.ContentType, m); err != nil {
		h.Fatal(err)
	}
	if _, err = h.log.Publish(soon(h.T), e); err == nil {
		h.last, err = h.log.Flush(soon(h.T))
	}
	if err != nil {
		h.Fatal(err)
	}
	return h.last
}

func (h *history) batch(ids string) uint64 {
	return h.add(proto.Event{Type: proto.TypeUserUpserted}, &proto.UserUpserted{Ids: strings.Split(ids, ",")})
}

// replace publishes what stands in a place from now on.
func (h *history) replace(place uint64, ids string) uint64 {
	h.Helper()
	was, err := h.log.Get(soon(h.T), place)
	if err != nil {
		h.Fatal(err)
	}
	return h.add(proto.Event{Type: proto.TypeUserReplaced, Replaces: place},
		&proto.UserReplaced{Ids: strings.Split(ids, ","), Replaces: place, Time: proto.Timestamp(was.Time)})
}

func (h *history) erase(sequences ...uint64) {
	h.Helper()
	if err := h.log.Erase(soon(h.T), sequences...); err != nil {
		h.Fatal(err)
	}
}

// told is an event as tests compare it: its sequence, and the ids that it carries.
func told(e proto.Event) string {
	var m proto.UserUpserted
	if e.Type != proto.TypeUserUpserted {
		return fmt.Sprintf("%d %s", e.Sequence, e.Type)
	} else if err := proto.Unmarshal(e, &m); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %s", e.Sequence, strings.Join(m.GetIds(), ","))
}

func (h *history) wants(events iter.Seq2[proto.Event, error], want ...string) {
	h.Helper()
	var got []string
	for e, err := range events {
		if err != nil {
			h.Fatal(err)
		}
		got = append(got, told(e))
	}
	if !slices.Equal(got, want) {
		h.Errorf("told %q, want %q", got, want)
	}
}

func TestReplacementsAreReadInTheirPlaces(t *testing.T) {
	b := embedded(t, t.TempDir())
	h := newHistory(t, b, "ada,bob", "bob", "ada", "eve,ada,kim", "eve") // 2 to 6
	other, err := b.Log(soon(t), "corp")                                 // has read none before
	if err != nil {
		t.Fatal(err)
	}
	h.wants(h.log.Read(soon(t), 1, 6), "1 snapshot.started", "2 ada,bob", "3 bob", "4 ada", "5 eve,ada,kim", "6 eve")
	first, last := h.replace(2, "bob"), h.replace(5, "eve,kim")
	all := []string{"1 snapshot.started", "2 bob", "3 bob", "4 ada", "5 eve,kim", "6 eve"}
	h.wants(h.log.Read(soon(t), 1, last), all...) // what is replaced is still there
	h.erase(2, 4, 5)
	h.erase(4) // twice is as good as once
	all = slices.Delete(all, 3, 4)
	end := h.add(proto.Event{Type: proto.TypeSnapshotCommitted}, &proto.SnapshotCommitted{})
	for _, l := range []*Log{h.log, other} {
		h.wants(l.Read(soon(t), 1, end), append(slices.Clone(all), "9 snapshot.committed")...)
		h.wants(l.Read(soon(t), 1, 6), all...)
		h.wants(l.Read(soon(t), 4, 5), "5 eve,kim")
		h.wants(l.Read(soon(t), 3, 4), "3 bob")
		h.wants(l.Read(soon(t), first, last))
		h.wants(l.Since(soon(t), time.Time{}, proto.TypeUserUpserted), all[1:]...)
		h.wants(l.Since(soon(t), time.Time{}, proto.TypeSnapshotStarted), all[0])
		h.wants(l.Stored(soon(t), proto.TypeUserUpserted, proto.TypeUserReplaced), "3 bob", "6 eve", "7 user.replaced", "8 user.replaced")
		if e, err := l.Get(soon(t), 5); err != nil || told(e) != "5 eve,kim" {
			t.Errorf("%s, %v", told(e), err)
		}
		for _, sequence := range []uint64{4, first} {
			if e, err := l.Get(soon(t), sequence); !errors.Is(err, proto.ErrNotFound) {
				t.Errorf("sequence %d: %s, %v", sequence, told(e), err)
			}
		}
	}
}

// A replacement has the time of what it replaces: who reads from a time on gets what was said then.
func TestReplacementsKeepTheirTimes(t *testing.T) {
	h := newHistory(t, embedded(t, t.TempDir()), "ada,bob", "bob", "ada,eve", "eve")
	was := map[uint64]time.Time{}
	for e, err := range h.log.Read(soon(t), 1, h.last) {
		if was[e.Sequence] = e.Time; err != nil {
			t.Fatal(err)
		}
	}
	h.replace(2, "bob")
	h.replace(4, "eve")
	h.erase(2, 4)
	for e, err := range h.log.Read(soon(t), 1, h.last) {
		if err != nil || !e.Time.Equal(was[e.Sequence]) {
			t.Errorf("%s: %s, was %s, %v", told(e), e.Time, was[e.Sequence], err)
		}
	}
	h.wants(h.log.Since(soon(t), was[3]), "3 bob", "4 eve", "5 eve")
	h.wants(h.log.Since(soon(t), was[4], proto.TypeUserUpserted), "4 eve", "5 eve")
}

// Of several replacements of one event the last counts, whatever of the others is there still.
func TestTheLastReplacementCounts(t *testing.T) {
	h := newHistory(t, embedded(t, t.TempDir()), "ada,bob,eve")
	early := h.replace(2, "bob,eve")
	h.wants(h.log.Read(soon(t), 2, 2), "2 bob,eve")
	late := h.replace(2, "eve")
	h.wants(h.log.Read(soon(t), 2, 2), "2 eve")
	h.erase(2, early)
	h.wants(h.log.Read(soon(t), 2, 2), "2 eve")
	h.erase(late) // nobody is left
	h.wants(h.log.Read(soon(t), 1, h.last), "1 snapshot.started")
	if e, err := h.log.Get(soon(t), 2); !errors.Is(err, proto.ErrNotFound) {
		t.Errorf("%s, %v", told(e), err)
	}
}

// What is erased while somebody reads isn't missed: a replacement is there before the hole is.
func TestErasedWhileItIsRead(t *testing.T) {
	h := newHistory(t, embedded(t, t.TempDir()), slices.Repeat([]string{"ada,bob"}, 100)...)
	from := []iter.Seq2[proto.Event, error]{h.log.Read(soon(t), 1, h.last), h.log.Follow(soon(t), 1)}
	for i, events := range from {
		place := uint64(90 + i)
		n := 0
		for e, err := range events {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == 2 { // the next messages are on their way already, but not so many
				h.replace(place, "bob")
				h.erase(place)
			}
			if e.Sequence != uint64(n) {
				t.Fatalf("the %dth event is %s", n, told(e))
			}
			if want := fmt.Sprintf("%d bob", place); e.Sequence == place && told(e) != want {
				t.Errorf("%s, want %s", told(e), want)
			}
			if n == 101 {
				break
			}
		}
	}
	err := error(nil)
	n := 0
	for _, failed := range h.log.Since(soon(t), time.Time{}, proto.TypeUserUpserted) { // can't tell a hole from what it doesn't read
		if err = failed; n == 2 {
			h.replace(95, "bob")
			h.erase(95)
		}
		n++
	}
	if err == nil || !strings.Contains(err.Error(), "somebody was erased while it was read") {
		t.Errorf("%d events, %v", n, err)
	}
}

func TestFollowPutsReplacementsInTheirPlaces(t *testing.T) {
	h := newHistory(t, embedded(t, t.TempDir()), "ada,bob", "ada")
	h.replace(2, "bob")
	h.erase(2, 3)
	h.add(proto.Event{Type: proto.TypeSnapshotCommitted}, &proto.SnapshotCommitted{})
	ctx, cancel := context.WithCancel(soon(t))
	defer cancel()
	want := []string{"1 snapshot.started 2", "2 bob 2", "5 snapshot.committed 0", "6 eve 0"}
	for e, err := range h.log.Follow(ctx, 1) {
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%s %d", told(e), e.Pending); got != want[0] {
			t.Errorf("%s, want %s", got, want[0])
		}
		if want = want[1:]; len(want) == 0 {
			break
		}
		if e.Type == proto.TypeSnapshotCommitted {
			h.replace(2, "bob") // says nothing to who follows
			h.batch("eve")
			want[0] = "7 eve 0"
		}
	}
}

func TestReplacementsGoWithTheHistory(t *testing.T) {
	h := newHistory(t, embedded(t, t.TempDir()), "ada,bob", "eve")
	h.replace(2, "bob")
	h.erase(2)
	h.wants(h.log.Read(soon(t), 1, h.last), "1 snapshot.started", "2 bob", "3 eve")
	if err := h.log.Cut(soon(t), 3); err != nil {
		t.Fatal(err)
	}
	h.wants(h.log.Read(soon(t), 1, h.last), "3 eve")
	h.wants(h.log.Since(soon(t), time.Time{}), "3 eve")
	if e, err := h.log.Get(soon(t), 2); !errors.Is(err, proto.ErrNotFound) {
		t.Errorf("%s, %v", told(e), err)
	}
}

// Nothing of what was erased is in the server's files, in the block that is being written or in one that is full, and compressed.
func TestErasedBytesAreGone(t *testing.T) {
	for name, filler := range map[string]int{"last block": 0, "full block": 100} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			b := embedded(t, dir)
			h := newHistory(t, b, "ada-lovelace,bob", "ada-lovelace", "eve")
			for range filler {
				h.batch(strings.Repeat("someone ", 16<<10))
			}
			h.replace(2, "bob")
			if !found(t, dir, "ada-lovelace") || !found(t, dir, "eve") {
				t.Fatal("the test doesn't find what is there")
			}
			h.erase(2, 3)
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			if found(t, dir, "ada-lovelace") {
				t.Error("the files still tell who was erased")
			}
			if !found(t, dir, "bob") || !found(t, dir, "eve") {
				t.Error("others were erased, too")
			}
			h = &history{T: t, log: openLog(t, embedded(t, dir), "corp")}
			h.wants(h.log.Read(soon(t), 1, 4), "1 snapshot.started", "2 bob", "4 eve")
		})
	}
}

// found tells whether a text is in one of the files of a directory, as it stands or in a compressed block of a stream.
func found(t *testing.T, dir, text string) bool {
	t.Helper()
	there := false
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		there = there || bytes.Contains(data, []byte(text))
		// A compressed block: "cmp", the algorithm, the length as a varint, the S2 stream, and a checksum (CompressionInfo of the server).
		for skip := 5; bytes.HasPrefix(data, []byte("cmp")) && skip < min(len(data), 16); skip++ {

			block, _ := io.ReadAll(s2.NewReader(bytes.NewReader(data[skip:])))
			there = there || bytes.Contains(block, []byte(text))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return there
}
