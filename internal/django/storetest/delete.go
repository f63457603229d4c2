package storetest

import (
	"strings"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/proto"
)

// attach gives a user a row in each of Django's own tables that refer to users.
func (s *suite) attach(username, group string) {
	s.Helper()
	s.joinByHand(username, group)
	s.DB.Exec(`INSERT INTO auth_user_user_permissions (user_id, permission_id)
		SELECT u.id, min(p.id) FROM auth_user u, auth_permission p WHERE u.username = $1 GROUP BY u.id`, username)
	s.DB.Exec(`INSERT INTO django_admin_log (action_time, object_repr, change_message, action_flag, user_id)
		SELECT '2024-01-02 03:04:05', 'x', 'x', 1, id FROM auth_user WHERE username = $1`, username)
}

var deleteCases = map[string]func(*suite){
	"DeleteTakesDjangosOwnRowsAlong": func(s *suite) {
		u, g := s.hire("ada", "bob"), s.found("x")
		s.attach("ada", "x")
		s.attach("bob", "x")
		s.move("ada", u["ada"], nil, nil, []string{"later"})
		accounts := s.leave(u, 9, "ada")
		s.fail(callbacks.Delete, "ada", day)
		s.wantOutcomes(s.deleteNow, accounts, callbacks.Removed)
		s.want("SELECT username FROM auth_user", "bob")
		s.want(memberships, "bob | x")
		s.want("SELECT count(*) FROM auth_user_user_permissions", "1")
		s.want("SELECT count(*) FROM django_admin_log", "1")
		s.want("SELECT name FROM auth_group", "x")
		if l := s.links(proto.KindUser, "ada")["ada"]; l.State != applier.Deleted || l.PK != "" || l.DN == "" {
			s.Errorf("the tombstone: %+v", l)
		}
		s.wantDue(callbacks.Delete, day)
		s.wantDue(callbacks.Deactivate, day)
		s.wantListed0()
		s.wantOutcomes(s.deleteNow, accounts, callbacks.Returned)
		// Nothing waits for the group any more, and what sync made in it is forgotten.
		s.found("later")
		s.write(proto.KindGroup, leaveGroup("x", g["x"], false))
		s.want(memberships, "bob | x")
	},
	"WhomSyncDeletedMayReturn": func(s *suite) {
		u := s.hire("ada")
		s.wantOutcomes(s.deleteNow, s.leave(u, 9, "ada"), callbacks.Removed)
		s.wantNamed(s.named(proto.KindUser, "ada"))
		back := s.create(proto.KindUser, "ada", "ada", nil)
		back.NewLink = false // the tombstone is there
		back.Pending = []string{"later"}
		pk := s.write(proto.KindUser, back)[0].PK
		if l := s.links(proto.KindUser, "ada")["ada"]; l.State != applier.Present || l.PK != pk || pk == u["ada"] {
			s.Errorf("link: %+v, row was %s", l, u["ada"])
		}
		// A row that Django deleted by hand comes back without the groups that it waited for.
		s.DB.Exec("DELETE FROM auth_user WHERE username = 'ada'")
		back = s.create(proto.KindUser, "ada", "ada", nil)
		back.NewLink = false
		s.write(proto.KindUser, back)
		s.found("later")
		s.want(memberships)
	},
	"Rule2ASuperuserIsNeverDeleted": func(s *suite) {
		u := s.hire("ada", "bob")
		s.byHand("root", true, true)
		s.DB.Exec("UPDATE auth_user SET is_superuser = TRUE WHERE username = 'ada'")
		reasons := s.wantOutcomes(s.deleteNow, s.leave(u, 9, "ada", "bob"), callbacks.Refused, callbacks.Removed)
		if !strings.Contains(reasons[0], "superuser") {
			s.Errorf("reason: %q", reasons[0])
		}
		s.want("SELECT username FROM auth_user ORDER BY username", "ada", "root")
		s.wantDue(callbacks.Delete, day, "ada")
	},
	"WhoIsReferredToIsNotDeleted": func(s *suite) {
		// A migration made it while the store was open.
		s.DB.Exec(`CREATE TABLE shop_order (id integer PRIMARY KEY, owner_id integer NOT NULL REFERENCES auth_user (id) DEFERRABLE INITIALLY DEFERRED)`)
		u := s.hire("ada", "bob", "eve")
		s.found("x")
		s.attach("bob", "x")
		s.DB.Exec("INSERT INTO shop_order (id, owner_id) SELECT 1, id FROM auth_user WHERE username = 'bob'")
		accounts := s.leave(u, 9, "ada", "bob", "eve")
		reasons := s.wantOutcomes(s.deleteNow, accounts, callbacks.Removed, callbacks.Refused, callbacks.Removed)
		if !strings.Contains(reasons[1], "shop_order") {
			s.Errorf("reason: %q", reasons[1])
		}
		s.want("SELECT username FROM auth_user", "bob")
		s.want(memberships, "bob | x")
		s.want("SELECT count(*) FROM django_admin_log", "1")
		if l := s.links(proto.KindUser, "bob")["bob"]; l.State != applier.Gone || l.PK != u["bob"] {
			s.Errorf("link: %+v", l)
		}
		s.DB.Exec("DELETE FROM shop_order")
		s.wantOutcomes(s.deleteNow, accounts[1:2], callbacks.Removed)
	},
	"WhatSyncMadeGoesWithItsUser": func(s *suite) {
		u, g := s.hire("ada"), s.found("x")
		s.move("ada", u["ada"], []string{g["x"]}, nil, nil)
		s.wantOutcomes(s.deleteNow, s.leave(u, 9, "ada"), callbacks.Removed)
		s.want("SELECT user_id FROM auth_user_groups")
		s.write(proto.KindGroup, leaveGroup("x", g["x"], false))
	},
}
