package applier

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// differences are what Verify tells, a line each.
func (e *env) differences(repair bool) (lines []string) {
	e.t.Helper()
	each := func(kind proto.Kind, c Change) {
		line := fmt.Sprintf("%s %s %s", c.Action, kind, c.ID)
		for _, i := range c.Set {
			line += fmt.Sprintf(" %v→%v", c.Before[i], c.Values[i])
		}
		lines = append(lines, line+fmt.Sprintf(" +%d -%d", len(c.Join), len(c.Leave)))
	}
	if _, err := New(e.cfg, e.memory, e.stream).Verify(e.t.Context(), VerifyOptions{Repair: repair}, each); err != nil {
		e.t.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}

func TestVerifyFindsWhatWasChangedByHandAndRepairsIt(t *testing.T) {
	e := newEnv(t)
	e.group("dev", "ops")
	e.upsert("ada mail=a@x in dev", "bob in dev ops", "eve")
	e.commitSnapshot()
	e.mustApply()
	if got := e.differences(false); got != nil {
		t.Fatalf("nothing was changed: %q", got)
	}
	if writes := e.writes; e.differences(true) != nil || e.writes != writes {
		t.Errorf("%d writes to repair nothing", e.writes-writes)
	}

	links := e.over.links[proto.KindUser]
	ada, bob, eve := links["id-ada"].PK, links["id-bob"].PK, links["id-eve"].PK
	dev := e.over.links[proto.KindGroup]["gid-dev"].PK
	row := e.over.rows[proto.KindUser][ada]
	row.Values = slices.Clone(row.Values)
	row.Values[1] = "mallory@x"
	e.over.rows[proto.KindUser][ada] = row
	e.over.joined[bob][dev] = false
	e.over.member(eve, []string{dev}, true)

	want := []string{"update user id-ada mallory@x→a@x +0 -0", "update user id-bob +1 -0", "update user id-eve +0 -1"}
	if got := e.differences(false); !slices.Equal(got, want) {
		t.Fatalf("found %q, not %q", got, want)
	}
	if got := e.differences(true); !slices.Equal(got, want) {
		t.Errorf("repaired %q, not %q", got, want)
	}
	if got := e.differences(false); got != nil {
		t.Errorf("left: %q", got)
	}
	e.want("3 ada a@x in dev", "4 bob in dev ops", "5 eve")
}

// What was published behind the checkpoint is no difference.
func TestVerifyKeepsToTheCheckpoint(t *testing.T) {
	e := newEnv(t)
	e.upsert("ada mail=a@x")
	e.commitSnapshot()
	e.mustApply()
	e.upsert("ada mail=b@x", "bob")
	e.commitSnapshot()
	if got := e.differences(false); got != nil {
		t.Errorf("%q", got)
	}
	e.want("1 ada a@x")
}

// Entries that couldn't be applied are no differences, even where the next attempt would succeed.
func TestVerifyLeavesLettersAlone(t *testing.T) {
	e := newEnv(t)
	e.upsert("1:ada", "2:ADA", "3:bob")
	e.commitSnapshot()
	e.mustApply()
	e.wantLetters(`2 parked=false "ADA" is taken by uid=ada`)
	found, err := New(e.cfg, e.memory, e.stream).Verify(t.Context(), VerifyOptions{}, nil)
	if err != nil || found.Differences() != 0 || found.Users != 3 {
		t.Errorf("%+v, %v", found, err)
	}
}

// Of many differences the first are told and all are counted.
func TestVerifyTellsTheFirstAndCountsAll(t *testing.T) {
	e := newEnv(t)
	e.upsert("ada", "bob", "eve")
	e.commitSnapshot()
	e.mustApply()
	for pk, row := range e.over.rows[proto.KindUser] {
		row.Values = slices.Clone(row.Values)
		row.Values[1] = "by@hand"
		e.over.rows[proto.KindUser][pk] = row
	}
	told := 0
	found, err := New(e.cfg, e.memory, e.stream).Verify(t.Context(), VerifyOptions{Most: 2}, func(proto.Kind, Change) { told++ })
	if err != nil || found.Differences() != 3 || told != 2 {
		t.Errorf("%+v, %d told, %v", found, told, err)
	}
	updates := e.updates
	if found, err = New(e.cfg, e.memory, e.stream).Verify(t.Context(), VerifyOptions{Repair: true}, nil); err != nil || found.Differences() != 3 {
		t.Errorf("repaired: %+v, %v", found, err)
	}
	if found, err = New(e.cfg, e.memory, e.stream).Verify(t.Context(), VerifyOptions{Repair: true}, nil); err != nil || found.Differences() != 0 || e.updates != updates+1 {
		t.Errorf("again: %+v in %d transactions, %v", found, e.updates-updates, err)
	}
}

// A history that begins in the middle of what the target has seen doesn't tell who was there: nobody is swept for it.
func TestVerifyOfWhatWasCutOffIsRefused(t *testing.T) {
	e := newEnv(t)
	e.upsert("ada", "bob")
	e.full(1)
	e.mustApply()
	e.upsert("ada")
	e.mustApply() // in the middle of the next full snapshot
	e.upsert("bob")
	e.full(3)
	e.upsert("ada", "bob")
	e.full(6)
	e.stream.cut = 3
	if _, err := New(e.cfg, e.memory, e.stream).Verify(t.Context(), VerifyOptions{Repair: true}, nil); err == nil {
		t.Error("verified")
	}
	e.wantPresent("id-ada", "id-bob")
}

// The end of a snapshot alone doesn't move a checkpoint. What lies before the last full one isn't needed then, and may have been cut off.
func TestVerifyReadsFromTheLastFullSnapshot(t *testing.T) {
	e := newEnv(t)
	e.cfg.BatchEntries = 1
	e.upsert("ada")
	e.full(1)
	e.mustApply()
	e.upsert("ada", "bob")
	e.full(3)
	e.mustApply()
	for range 3 { // passes that find nothing
		e.publish(proto.TypeSnapshotStarted, &proto.SnapshotStarted{})
		e.publish(proto.TypeSnapshotCommitted, &proto.SnapshotCommitted{FullSequence: 3})
	}
	e.mustApply()
	if e.checkpoint.Sequence != 3 {
		t.Fatalf("at %d", e.checkpoint.Sequence)
	}
	for _, cut := range []uint64{0, 3} {
		e.stream.cut = cut
		s := since{e.stream, 99}
		found, err := New(e.cfg, e.memory, &s).Verify(t.Context(), VerifyOptions{}, nil)
		if err != nil || found.Users != 2 || found.Differences() != 0 || s.first != 3 {
			t.Errorf("cut %d: read from %d, %+v, %v", cut, s.first, found, err)
		}
	}
}

// since notes where a stream was read from.
type since struct {
	*stream
	first uint64
}

func (s *since) Read(ctx context.Context, from, to uint64) iter.Seq2[proto.Event, error] {
	s.first = min(s.first, from)
	return s.stream.Read(ctx, from, to)
}

// A link whose entry the stream doesn't have is one that should be gone.
func TestVerifyFindsLinksOfNobody(t *testing.T) {
	e := newEnv(t)
	e.group("dev")
	e.upsert("ada", "bob")
	e.full(1)
	e.mustApply()
	l := e.link("id-bob")
	l.ID, l.PK = "id-nobody", e.local("nobody", false)
	e.over.links[proto.KindUser]["id-nobody"] = l
	want := []string{"remove user id-nobody +0 -0"}
	for _, repair := range []bool{false, true} {
		if got := e.differences(repair); !slices.Equal(got, want) {
			t.Errorf("repair %v: %q", repair, got)
		}
	}
	if got := e.differences(true); got != nil {
		t.Errorf("left: %q", got)
	}
	e.wantPresent("id-ada", "id-bob")
}

// What the last active superuser keeps differs from the directory, and no repair mends that.
func TestLastSuperuserIsNoDifference(t *testing.T) {
	e := newEnv(t)
	e.cfg.Adopt.Privileged = true
	pk := e.local("root", true)
	e.upsert("root inactive", "ada")
	e.full(1)
	m := &supers{e.memory, pk}
	if err := New(e.cfg, m, e.stream).Run(t.Context()); !errors.Is(err, errEnd) {
		t.Fatal(err)
	}
	e.want("1 root", "2 ada")
	for _, repair := range []bool{false, true, false} {
		done, err := New(e.cfg, m, e.stream).Verify(t.Context(), VerifyOptions{Repair: repair}, nil)
		if err != nil || done.Differences() != 0 {
			t.Errorf("repair %v: %d differences, %v", repair, done.Differences(), err)
		}
	}
}

// supers is a memory with one active superuser.
type supers struct {
	*memory
	pk string
}

func (s *supers) View(ctx context.Context, fn func(Reader) error) error {
	return s.memory.View(ctx, func(r Reader) error { return fn(superReader{r, s.pk}) })
}
func (s *supers) Update(ctx context.Context, fn func(Tx) error) error {
	return s.memory.Update(ctx, func(tx Tx) error { return fn(superTx{tx, s.pk}) })
}

type superReader struct {
	Reader
	pk string
}

func (s superReader) ActiveSuperusers(context.Context) ([]string, error) { return []string{s.pk}, nil }

type superTx struct {
	Tx
	pk string
}

func (s superTx) ActiveSuperusers(context.Context) ([]string, error) { return []string{s.pk}, nil }

// busy is a memory that is written to all the time.
type busy struct {
	*memory
	calls int
}

func (b *busy) Checkpoint(ctx context.Context, s string) (*Checkpoint, error) {
	if b.calls++; b.calls%2 == 0 {
		b.memory.checkpoint = &Checkpoint{Source: "corp", StreamID: "s1", Sequence: b.memory.checkpoint.Sequence + 1, Mapping: b.memory.checkpoint.Mapping, Mode: "live"}
	}
	return b.memory.checkpoint, nil
}

func TestVerifyOfABusyTargetSaysSo(t *testing.T) {
	e := newEnv(t)
	e.upsert("ada", "bob")
	e.full(1)
	e.mustApply()
	for range 8 {
		e.upsert("ada", "bob")
	}
	_, err := New(e.cfg, &busy{memory: e.memory}, e.stream).Verify(t.Context(), VerifyOptions{}, nil)
	if class, hint := fault.Of(err); !errors.Is(err, ErrMoved) || class != fault.Database || hint == "" || fault.IsPermanent(err) {
		t.Errorf("class %v, hint %q: %v", class, hint, err)
	}
}

// viewed counts the read-only transactions.
type viewed struct {
	*memory
	views int
}

func (v *viewed) View(ctx context.Context, fn func(Reader) error) error {
	v.views++
	return v.memory.View(ctx, fn)
}

// A long read-only transaction would keep SQLite's other writers waiting. What agrees needs none at all.
func TestVerifyLooksUpOnlyWhatDiffers(t *testing.T) {
	e := newEnv(t)
	e.cfg.BatchEntries = 1
	e.upsert("ada", "bob", "eve", "kim")
	e.full(1)
	e.mustApply()
	v := &viewed{memory: e.memory}
	for _, want := range []int{0, 3} {
		found, err := New(e.cfg, v, e.stream).Verify(t.Context(), VerifyOptions{}, nil)
		if err != nil || v.views != want || found.Differences() != want || found.Summary.Users.Unchanged != 4-want {
			t.Errorf("%d transactions, %+v, %v", v.views, found, err)
		}
		for _, id := range []string{"id-ada", "id-bob", "id-eve"} {
			row := e.over.rows[proto.KindUser][e.link(id).PK]
			row.Values = []any{row.Name, "by@hand", true}
			e.over.rows[proto.KindUser][row.PK] = row
		}
	}
}
