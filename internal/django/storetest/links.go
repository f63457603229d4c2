package storetest

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"ldapsync/applier"
	"ldapsync/proto"
)

func yes() *bool { b := true; return &b }
func no() *bool  { b := false; return &b }

// touch writes a link alone.
func touch(l *applier.Link) applier.Change {
	return applier.Change{Action: applier.Touch, Source: l.Source, ID: l.ID, PK: l.PK, Link: l}
}

var linkCases = map[string]func(*suite){
	"LinksComeBackWhole": func(s *suite) {
		full := &applier.Link{
			Source: source, Kind: proto.KindUser, ID: "id/with \"quotes\", ünïcode\\", PK: "4711", DN: "cn=Zoë,dc=example", Name: "zoë",
			State: applier.Gone, GoneSequence: 1 << 60, GoneReason: "not found", Digest: proto.Digest{0, 0xff, 1}, Mapping: "m", Sequence: 1 << 61,
			How: applier.Relinked, ActiveWritten: yes(), DeactivatedBy: "sync", DeactivatedAt: day,
		}
		plain := link(proto.KindUser, "plain", "12", "Plain")
		tomb := link(proto.KindUser, "tomb", "", "tomb")
		tomb.State, tomb.How, tomb.ActiveWritten, tomb.DeactivatedBy = applier.Deleted, applier.Adopted, no(), "other"
		s.write(proto.KindUser, touch(full), touch(plain), touch(tomb))
		s.wantLinks(full, plain, tomb)

		full.State, full.GoneSequence, full.GoneReason, full.ActiveWritten = applier.Present, 0, "", nil
		full.DeactivatedBy, full.DeactivatedAt, full.PK, full.Digest = "", time.Time{}, "4712", proto.Digest{9}
		plain.Mapping, plain.Sequence, plain.DN, plain.Name = "m2", 8, "cn=new", "new"
		s.write(proto.KindUser, touch(full), touch(plain))
		s.wantLinks(full, plain, tomb)
	},
	"LinksOfKindsAndSourcesAreApart": func(s *suite) {
		user, group := link(proto.KindUser, "1", "5", "a"), link(proto.KindGroup, "1", "5", "b")
		other := link(proto.KindUser, "1", "5", "c")
		other.Source = "lab"
		s.write(proto.KindUser, touch(user), touch(other))
		s.write(proto.KindGroup, touch(group))
		s.wantLinks(user)
		s.view(func(r applier.Reader) error {
			of, err := r.LinksOf(s.Context(), proto.KindUser, []string{"5", "6", "5"})
			sources := []string{}
			for _, l := range of {
				sources = append(sources, l.Source+" "+l.Name)
			}
			slices.Sort(sources)
			if fmt.Sprint(sources) != "[corp a lab c]" {
				s.Errorf("links of row 5: %v", sources)
			}
			return err
		})
	},
	"LinksAreListedInPages": func(s *suite) {
		gone := link(proto.KindUser, "b", "2", "b")
		gone.State = applier.Gone
		other := link(proto.KindUser, "bb", "7", "bb")
		other.Source = "lab"
		var changes []applier.Change
		for _, l := range []*applier.Link{link(proto.KindUser, "a", "1", "a"), gone, link(proto.KindUser, "B", "3", "c"), link(proto.KindUser, "é", "4", "d"),
			link(proto.KindUser, "c-1", "5", "e"), link(proto.KindUser, "c", "6", "f"), other} {
			changes = append(changes, touch(l))
		}
		s.write(proto.KindUser, changes...)
		s.write(proto.KindGroup, touch(link(proto.KindGroup, "aa", "1", "aa")))
		s.view(func(r applier.Reader) error {
			var pages [][]string
			for after := ""; ; {
				page, err := r.LinksAfter(s.Context(), source, proto.KindUser, after, 2)
				if err != nil || len(page) == 0 {
					if fmt.Sprint(pages) != "[[B a] [c c-1] [é]]" {
						s.Errorf("pages: %v", pages)
					}
					return err
				}
				ids := []string{}
				for _, l := range page {
					ids, after = append(ids, l.ID), l.ID
				}
				pages = append(pages, ids)
			}
		})
	},
	"NobodyOwnsATombstone": func(s *suite) {
		tomb := link(proto.KindUser, "tomb", "", "tomb")
		tomb.State = applier.Deleted
		s.write(proto.KindUser, touch(tomb))
		s.view(func(r applier.Reader) error {
			of, err := r.LinksOf(s.Context(), proto.KindUser, []string{"", "1"})
			if len(of) != 0 {
				s.Errorf("links of no row: %v", of)
			}
			return err
		})
	},
	"KeysMayRepeatAndBeMissing": func(s *suite) {
		s.hire("ada", "bob")
		if got := s.links(proto.KindUser, "ada", "nobody", "ada", ""); len(got) != 1 || got["ada"].Name != "ada" {
			s.Errorf("links: %v", got)
		}
	},
}

// wantLinks compares links of one kind, in every field.
func (s *suite) wantLinks(want ...*applier.Link) {
	s.Helper()
	var ids []string
	for _, l := range want {
		ids = append(ids, l.ID)
	}
	got := s.links(want[0].Kind, ids...)
	for _, l := range want {
		g := got[l.ID]
		g.DeactivatedAt = g.DeactivatedAt.UTC()
		if !reflect.DeepEqual(g, *l) {
			s.Errorf("link %s:\n got %+v\nwant %+v", l.ID, g, *l)
		}
	}
}
