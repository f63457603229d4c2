package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"ldapsync/applier"
	"ldapsync/internal/django"
	"ldapsync/proto"
)

func TestWhateverTextHoldsIsCopiedAsItIs(t *testing.T) {
	e := site(t)
	texts := []string{`\N`, `\.`, "a\tb", "a\nb", "a\r\nb", `C:\new\`, "\b\f\v\x01", "", " ", `"quoted", 'too'`, "日本語", strings.Repeat("\\", 150)}
	var list []applier.Change
	for i, text := range texts {
		u := newUser(string(rune('a' + i)))
		u.Values[1], u.Link.DN, u.NewLink = text, "cn="+text, true
		list = append(list, u)
	}
	made := e.write(proto.KindUser, list...)
	e.view(func(ctx context.Context, r applier.Reader) error {
		for i, text := range texts {
			rows, err := r.Rows(ctx, proto.KindUser, []string{made[i].PK})
			if err != nil || len(rows) != 1 || rows[0].Values[1] != text {
				t.Errorf("%q: %v, %v", text, rows, err)
			}
			links, err := r.Links(ctx, "corp", proto.KindUser, []string{made[i].ID})
			if err != nil || len(links) != 1 || links[0].DN != "cn="+text || links[0].PK != made[i].PK {
				t.Errorf("%q: %v, %v", text, links, err)
			}
		}
		return nil
	})
}

// The driver reads rows in a goroutine of its own, and doesn't wait for that where the connection is lost: meanwhile whoever copies tries again.
func TestNoRowIsMadeOnceCopyingHasEnded(t *testing.T) {
	e := site(t)
	ended := make(chan struct{})
	err := e.store.Update(t.Context(), func(x applier.Tx) error {
		defer close(ended)
		return x.(*tx).copyIn(t.Context(), "auth_group", []string{"name"}, 100, func(l *line, i int) error {
			if l.text(fmt.Sprint(i)); i != 7 {
				return nil
			}
			e.db.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ldapsync' AND datname = current_database() AND state = 'active'")
			select {
			case <-ended:
				t.Error("it has ended, and a row is still being made")
			case <-time.After(300 * time.Millisecond):
			}
			return nil
		})
	})
	if err == nil {
		t.Error("the connection wasn't lost")
	}
}

func TestANewLinkReadsBackAsWritten(t *testing.T) {
	e := site(t)
	active := false
	want := applier.Link{
		Source: "corp", Kind: proto.KindUser, ID: "1", PK: "7", DN: "cn=ada", Name: "ada", State: applier.Gone, GoneSequence: 9, GoneReason: "not there",
		Digest: proto.Digest{0, 1, 0x5c, 0xff}, Mapping: "m", Sequence: 8, How: applier.Adopted, ActiveWritten: &active, DeactivatedBy: "sync",
		DeactivatedAt: time.Date(2026, 11, 23, 3, 46, 33, 123456000, time.UTC),
	}
	given := want
	e.write(proto.KindUser, applier.Change{Action: applier.Touch, Source: "corp", ID: "1", PK: "7", Link: &given, NewLink: true})
	e.view(func(ctx context.Context, r applier.Reader) error {
		got, err := r.Links(ctx, "corp", proto.KindUser, []string{"1"})
		if err != nil || len(got) != 1 || got[0].ActiveWritten == nil || *got[0].ActiveWritten {
			t.Fatalf("%+v, %v", got, err)
		}
		want.ActiveWritten = got[0].ActiveWritten
		if got[0] != want {
			t.Errorf("got  %+v\nwant %+v", got[0], want)
		}
		return nil
	})
}

func TestTimesAreCopiedInUTC(t *testing.T) {
	e := site(t)
	berlin := time.FixedZone("", 3600)
	for in, want := range map[time.Time]string{
		time.Date(2026, 11, 23, 4, 46, 33, 120000000, berlin): "2026-11-23 03:46:33.12+00",
		time.Date(33, 4, 3, 15, 0, 0, 0, time.UTC):            "0033-04-03 15:00:00+00",
		time.Date(0, 2, 29, 0, 0, 0, 0, time.UTC):             "0001-02-29 00:00:00+00 BC",
		time.Date(-43, 3, 15, 12, 0, 0, 0, time.UTC):          "0044-03-15 12:00:00+00 BC",
		time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC):          "12345-01-01 00:00:00+00",
	} {
		var l line
		if err := l.value(in, django.Column{Type: django.Timestamp}); err != nil || strings.TrimSuffix(string(l.b), "\t") != want {
			t.Errorf("%v: %q, %v", in, l.b, err)
		}
		got := strings.TrimSpace(e.db.Text("SELECT ($1::text::timestamptz AT TIME ZONE 'UTC')::text", want))
		if got != strings.Replace(want, "+00", "", 1) {
			t.Errorf("PostgreSQL reads %s as %s", want, got)
		}
	}
}

func TestAValueOfAnotherTypeEndsTheCopy(t *testing.T) {
	e := site(t)
	u := newUser("ada")
	u.Values[1] = int64(1)
	err := e.store.Update(t.Context(), func(tx applier.Tx) error { return tx.Write(t.Context(), proto.KindUser, []applier.Change{u}) })
	if err == nil || !strings.Contains(err.Error(), "first_name: a int64") {
		t.Errorf("got %v", err)
	}
	e.wantText("0", "SELECT count(*) FROM auth_user")
	e.write(proto.KindUser, newUser("ada")) // the connection is still of use
}

func TestCopyingHandsOutWholeRows(t *testing.T) {
	rows := func() *copying {
		return &copying{n: 1000, row: func(l *line, i int) error {
			l.integer(int64(i))
			l.text(strings.Repeat("x", i))
			return nil
		}}
	}
	all, err := io.ReadAll(rows())
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(all), "\n"); n != 1000 || !strings.HasPrefix(string(all), "0\t\n1\tx\n2\txx\n") {
		t.Errorf("%d rows, %.20q", n, all)
	}
	slowly, err := io.ReadAll(iotest.OneByteReader(rows()))
	if err != nil || string(slowly) != string(all) {
		t.Errorf("read by bytes it differs: %d of %d bytes, %v", len(slowly), len(all), err)
	}
	failing := &copying{n: 2, row: func(*line, int) error { return io.ErrNoProgress }}
	if _, err := io.ReadAll(failing); !errors.Is(err, io.ErrNoProgress) || !errors.Is(failing.err, io.ErrNoProgress) {
		t.Errorf("got %v", err)
	}
}
