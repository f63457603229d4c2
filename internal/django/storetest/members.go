package storetest

import (
	"ldapsync/applier"
	"ldapsync/proto"
)

const memberships = `SELECT u.username, g.name FROM auth_user_groups m JOIN auth_user u ON u.id = m.user_id
	JOIN auth_group g ON g.id = m.group_id ORDER BY u.username, g.name`

// move writes which groups a user joins and leaves, and which she waits for.
func (s *suite) move(id, pk string, join, leave, pending []string) {
	s.Helper()
	s.write(proto.KindUser, applier.Change{
		Action: applier.Update, Source: source, ID: id, PK: pk, Join: join, Leave: leave, Pending: pending, Link: link(proto.KindUser, id, pk, id),
	})
}

func (s *suite) joinByHand(user, group string) {
	s.Helper()
	s.DB.Exec("INSERT INTO auth_user_groups (user_id, group_id) SELECT u.id, g.id FROM auth_user u, auth_group g WHERE u.username = $1 AND g.name = $2", user, group)
}

// leaveGroup is the change of a group that is gone.
func leaveGroup(id, pk string, deleteRow bool) applier.Change {
	l := link(proto.KindGroup, id, pk, id)
	l.State, l.GoneSequence, l.GoneReason = applier.Gone, 9, "not found"
	return applier.Change{Action: applier.Remove, Source: source, ID: id, PK: pk, Link: l, DeleteRow: deleteRow}
}

var memberCases = map[string]func(*suite){
	"JoinAndLeave": func(s *suite) {
		u, g := s.hire("ada", "bob"), s.found("x", "y", "z")
		s.move("ada", u["ada"], []string{g["x"], g["y"]}, nil, nil)
		s.move("bob", u["bob"], []string{g["y"]}, nil, nil)
		s.want(memberships, "ada | x", "ada | y", "bob | y")
		s.move("ada", u["ada"], []string{g["z"]}, []string{g["y"]}, nil)
		s.want(memberships, "ada | x", "ada | z", "bob | y")
	},
	"JoiningTwiceIsNoError": func(s *suite) {
		u, g := s.hire("ada"), s.found("x")
		s.joinByHand("ada", "x")
		s.move("ada", u["ada"], []string{g["x"], g["x"]}, nil, nil)
		s.want(memberships, "ada | x")
		// A person made it: the group's removal leaves it.
		s.write(proto.KindGroup, leaveGroup("x", g["x"], false))
		s.want(memberships, "ada | x")
	},
	"ANewUserJoinsInTheSameWrite": func(s *suite) {
		g := s.found("x")
		c := s.create(proto.KindUser, "ada", "ada", nil)
		c.Join = []string{g["x"]}
		s.write(proto.KindUser, c)
		s.want(memberships, "ada | x")
	},
	"MembershipsTellsOnlyManagedGroups": func(s *suite) {
		u, g := s.hire("ada", "bob"), s.found("x", "gone")
		s.DB.Exec("INSERT INTO auth_group (name) VALUES ('byhand')")
		s.write(proto.KindGroup, leaveGroup("gone", g["gone"], false))
		for _, name := range []string{"x", "gone", "byhand"} {
			s.joinByHand("ada", name)
		}
		s.joinByHand("bob", "x")
		s.view(func(r applier.Reader) error {
			got, err := r.Memberships(s.Context(), source, []string{u["ada"], u["ada"], "999999"})
			if len(got) != 1 || got[0] != (applier.Membership{User: u["ada"], Group: g["x"]}) {
				s.Errorf("memberships: %v", got)
			}
			other, err2 := r.Memberships(s.Context(), "lab", []string{u["ada"]})
			if len(other) != 0 || err2 != nil {
				s.Errorf("of another source: %v, %v", other, err2)
			}
			return err
		})
	},
	"PendingMembershipsAreTakenUp": func(s *suite) {
		u := s.hire("ada", "bob", "eve")
		s.move("ada", u["ada"], nil, nil, []string{"later", "never"})
		s.move("bob", u["bob"], nil, nil, []string{"later"})
		s.move("eve", u["eve"], nil, nil, []string{"later"})
		s.move("bob", u["bob"], nil, nil, nil)                             // the whole set: he waits no more
		s.write(proto.KindUser, gone("eve", u["eve"], 9))                  // she is gone meanwhile
		s.write(proto.KindUser, applier.Change{ID: "ada", Source: source}) // without a link nothing is said
		s.write(proto.KindUser, applier.Change{Action: applier.Update, ID: "ada", Source: source, PK: u["ada"],
			Link: link(proto.KindUser, "ada", u["ada"], "ada"), KeepGroups: true}) // her groups aren't known
		g := s.found("later")
		s.want(memberships, "ada | later")
		// Sync made it.
		s.write(proto.KindGroup, leaveGroup("later", g["later"], false))
		s.want(memberships)
	},
	"PendingMembershipsAreTakenUpByAdoption": func(s *suite) {
		u := s.hire("ada")
		s.move("ada", u["ada"], nil, nil, []string{"later"})
		s.DB.Exec("INSERT INTO auth_group (name) VALUES ('Later')")
		c := s.set(proto.KindGroup, "later", s.pk("auth_group", "name", "Later"), map[string]any{"name": "later"})
		c.Action = applier.Adopt
		s.write(proto.KindGroup, c)
		s.want(memberships, "ada | later")
	},
	"AGroupThatIsGoneKeepsWhatPeopleMade": func(s *suite) {
		u, g := s.hire("ada", "bob"), s.found("x", "y")
		s.move("ada", u["ada"], []string{g["x"], g["y"]}, nil, nil)
		s.joinByHand("bob", "x")
		s.write(proto.KindGroup, leaveGroup("x", g["x"], false))
		s.want(memberships, "ada | y", "bob | x")
		s.want("SELECT name FROM auth_group ORDER BY name", "x", "y")
		if l := s.links(proto.KindGroup, "x")["x"]; l.State != applier.Gone || l.GoneSequence != 9 {
			s.Errorf("link: %+v", l)
		}
	},
	"AGroupThatReturnsHasItsMembersAgain": func(s *suite) {
		u, g := s.hire("ada", "bob", "eve"), s.found("x")
		for _, name := range []string{"ada", "bob", "eve"} {
			s.move(name, u[name], []string{g["x"]}, nil, nil)
		}
		s.write(proto.KindUser, gone("eve", u["eve"], 8))
		s.write(proto.KindGroup, leaveGroup("x", g["x"], false))
		s.want(memberships)
		s.move("bob", u["bob"], nil, nil, nil) // his entry came meanwhile, and doesn't name the group
		c := s.set(proto.KindGroup, "x", g["x"], map[string]any{"name": "x"})
		c.Action = applier.Update
		s.write(proto.KindGroup, c)
		s.want(memberships, "ada | x")
	},
	"AGroupsRowGoesWhereAsked": func(s *suite) {
		u, g := s.hire("ada", "bob"), s.found("x", "y")
		s.move("ada", u["ada"], []string{g["x"], g["y"]}, nil, nil)
		s.joinByHand("bob", "x")
		s.DB.Exec("INSERT INTO auth_group_permissions (group_id, permission_id) SELECT g.id, min(p.id) FROM auth_group g, auth_permission p GROUP BY g.id")
		s.write(proto.KindGroup, leaveGroup("x", g["x"], true), s.create(proto.KindGroup, "2", "x2", nil))
		s.want(memberships, "ada | y")
		s.want("SELECT name FROM auth_group ORDER BY name", "x2", "y")
		s.want("SELECT count(*) FROM auth_group_permissions", "1")
	},
	"ADeletedGroupsNameIsFree": func(s *suite) {
		g := s.found("x")
		s.write(proto.KindGroup, s.create(proto.KindGroup, "2", "x", nil), leaveGroup("x", g["x"], true))
		if pk := s.pk("auth_group", "name", "x"); pk == g["x"] || pk == "" {
			s.Errorf("group x is row %q", pk)
		}
	},
	"SourcesManageTheirOwnMemberships": func(s *suite) {
		u, g := s.hire("ada", "bob"), s.found("x")
		l := link(proto.KindGroup, "x@lab", g["x"], "x")
		l.Source = "lab"
		s.write(proto.KindGroup, touch(l))
		s.move("ada", u["ada"], []string{g["x"]}, nil, nil)
		b := link(proto.KindUser, "bob", u["bob"], "bob")
		b.Source = "lab"
		s.write(proto.KindUser, applier.Change{Action: applier.Update, Source: "lab", ID: "bob", PK: u["bob"], Join: []string{g["x"]}, Link: b})
		s.want(memberships, "ada | x", "bob | x")
		s.write(proto.KindGroup, leaveGroup("x", g["x"], false))
		s.want(memberships, "bob | x")
	},
}
