package storetest

import (
	"fmt"
	"slices"
	"strings"

	"ldapsync/applier"
	"ldapsync/proto"
)

// scanned are the lines that Scan's visitor writes down, sorted within each of its parts.
type scanned struct {
	parts []string // in the order in which they came
	lines map[string][]string
}

func (v *scanned) note(part, line string) {
	if !slices.Contains(v.parts, part) {
		v.parts = append(v.parts, part)
	} else if v.parts[len(v.parts)-1] != part {
		line += " (out of turn)"
	}
	v.lines[part] = append(v.lines[part], line)
}

func (v *scanned) VisitLink(l *applier.Link) {
	written := "-"
	if l.ActiveWritten != nil {
		written = fmt.Sprint(*l.ActiveWritten)
	}
	v.note("links", fmt.Sprint(l.Kind, " ", l.ID, " ", l.PK, " ", l.Name, " ", l.State, " ", l.Digest[0], " ", l.Mapping, " ", written, " ", l.DeactivatedBy))
}

func (v *scanned) VisitLetter(kind proto.Kind, id string) {
	v.note("letters", string(kind)+" "+id)
}

func (v *scanned) VisitRow(kind proto.Kind, pk string, values []any) {
	v.note(string(kind)+"s", fmt.Sprintf("%s %#v", pk, values))
}

func (v *scanned) VisitMembership(user, group string) {
	v.note("members", user+" "+group)
}

// scan reads the tables once.
func (s *suite) scan(q applier.ScanQuery) *scanned {
	s.Helper()
	v := &scanned{lines: map[string][]string{}}
	if err := s.Store.Scan(s.Context(), q, v); err != nil {
		s.Fatalf("scan: %v", err)
	}
	for _, lines := range v.lines {
		slices.Sort(lines)
	}
	return v
}

func everything() applier.ScanQuery {
	return applier.ScanQuery{Source: source, Kinds: []proto.Kind{proto.KindGroup, proto.KindUser}, Memberships: true}
}

var scanCases = map[string]func(*suite){
	"ScanHandsOutEachTableOnce": func(s *suite) {
		g := s.found("dev", "ops")
		u := s.hire("ada", "bob", "eve", "kim")
		local := s.byHand("root", true, true)
		ada, bob, eve := link(proto.KindUser, "ada", u["ada"], "ada"), link(proto.KindUser, "bob", u["bob"], "bob"), link(proto.KindUser, "eve", u["eve"], "eve")
		ada.Mapping, ada.ActiveWritten, ada.DeactivatedBy = "m2", no(), "sync"
		bob.State, bob.ActiveWritten, bob.Digest[0] = applier.Missing, yes(), 9
		eve.State = applier.Gone
		other := link(proto.KindUser, "other", u["kim"], "kim")
		other.Source = "lab"
		s.write(proto.KindUser, touch(ada), touch(bob), touch(eve), touch(other))
		for _, l := range []applier.Letter{{Source: source, Kind: proto.KindUser, ID: "kim"}, {Source: source, Kind: proto.KindGroup, ID: "nogroup"},
			{Source: "lab", Kind: proto.KindUser, ID: "ada"}} {
			s.write(l.Kind, applier.Change{Action: applier.Skip, Source: l.Source, ID: l.ID, Letter: &l})
		}
		s.DB.Exec("INSERT INTO auth_user_groups (user_id, group_id) SELECT u.id, g.id FROM auth_user u, auth_group g WHERE u.username = 'root' OR g.name = 'dev' AND u.username = 'ada'")

		v := s.scan(everything())
		if got := strings.Join(v.parts, " "); got != "links letters groups users members" {
			s.Errorf("in the order %s", got)
		}
		for part, want := range map[string][]string{
			"links": {"group dev " + g["dev"] + " dev present 1 m1 - ", "group ops " + g["ops"] + " ops present 1 m1 - ",
				"user ada " + u["ada"] + " ada present 1 m2 false sync", "user bob " + u["bob"] + " bob missing 9 m1 true ",
				"user kim " + u["kim"] + " kim present 1 m1 - "},
			"letters": {"group nogroup", "user kim"},
			"members": {u["ada"] + " " + g["dev"], local + " " + g["dev"], local + " " + g["ops"]},
		} {
			slices.Sort(want)
			if !slices.Equal(v.lines[part], want) {
				s.Errorf("%s:\n got %q\nwant %q", part, v.lines[part], want)
			}
		}
		for kind, pks := range map[proto.Kind][]string{proto.KindGroup: {g["dev"], g["ops"]}, proto.KindUser: {u["ada"], u["bob"], u["eve"], u["kim"], local}} {
			s.wantScannedRows(v, kind, pks)
		}
	},
	"ScanReadsValuesAsRowsDoes": func(s *suite) {
		c := s.create(proto.KindUser, "zoe", "Zoë", map[string]any{"first_name": "Zoë 李", "email": "", "is_staff": true, "last_login": day})
		made := s.write(proto.KindUser, c, s.create(proto.KindUser, "kim", "kim", map[string]any{"last_login": nil}))
		s.wantScannedRows(s.scan(everything()), proto.KindUser, []string{made[0].PK, made[1].PK})
	},
	"ScanHandsOutWhatIsAskedFor": func(s *suite) {
		s.found("dev")
		u := s.hire("ada")
		v := s.scan(applier.ScanQuery{Source: source, Kinds: []proto.Kind{proto.KindUser}})
		if fmt.Sprint(v.parts) != "[links users]" || fmt.Sprint(v.lines["links"]) != "[user ada "+u["ada"]+" ada present 1 m1 - ]" {
			s.Errorf("%v", v)
		}
		if v := s.scan(applier.ScanQuery{Source: "lab", Kinds: []proto.Kind{proto.KindGroup}}); fmt.Sprint(v.parts) != "[groups]" {
			s.Errorf("%v", v)
		}
	},
}

// wantScannedRows compares rows with those that are looked up.
func (s *suite) wantScannedRows(v *scanned, kind proto.Kind, pks []string) {
	s.Helper()
	var want []string
	s.view(func(r applier.Reader) error {
		rows, err := r.Rows(s.Context(), kind, pks)
		for _, row := range rows {
			want = append(want, fmt.Sprintf("%s %#v", row.PK, row.Values))
		}
		return err
	})
	slices.Sort(want)
	if got := v.lines[string(kind)+"s"]; len(want) != len(pks) || !slices.Equal(got, want) {
		s.Errorf("%ss:\n got %q\nwant %q", kind, got, want)
	}
}
