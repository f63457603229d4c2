package storetest

import (
	"errors"
	"strings"

	"ldapsync/callbacks"
	"ldapsync/internal/django"
	"ldapsync/internal/fault"
)

const to = " REFERENCES auth_user (id) DEFERRABLE INITIALLY DEFERRED"

// shop makes a project's tables: orders with lines, reviews, and who is whose manager.
func (s *suite) shop() {
	s.Helper()
	s.DB.Exec(`CREATE TABLE shop_order (id integer PRIMARY KEY, owner_id integer NOT NULL` + to + `)`)
	s.DB.Exec(`CREATE TABLE shop_line (id integer PRIMARY KEY, order_id integer NOT NULL REFERENCES shop_order (id) DEFERRABLE INITIALLY DEFERRED,
		added_by_id integer` + to + `)`)
	s.DB.Exec(`CREATE TABLE shop_review (id integer PRIMARY KEY, author_id integer NULL` + to + `, answer_to_id integer NULL
		REFERENCES shop_review (id) DEFERRABLE INITIALLY DEFERRED)`)
	s.DB.Exec(`ALTER TABLE auth_user ADD COLUMN manager_id integer NULL` + to)
}

// with opens the store again, with rules for references.
func (s *suite) with(references map[string]string) {
	s.Helper()
	settings := Settings()
	settings.References = references
	s.Store = s.openWith(settings)
}

// refused opens the store with rules that are refused, and returns why.
func (s *suite) refused(references map[string]string) string {
	s.Helper()
	settings := Settings()
	settings.References = references
	store, err := s.Open(s.T, settings)
	var why *django.RefusedError
	if !errors.As(err, &why) {
		s.Errorf("%v: %v", references, err)
		if err == nil {
			store.Close()
		}
		return ""
	}
	_, hint := fault.Of(err)
	return err.Error() + " (" + hint + ")"
}

var referenceCases = map[string]func(*suite){
	"RowsOfOtherTablesGoOrStayAsTheSettingsSay": func(s *suite) {
		s.shop()
		s.with(map[string]string{"shop_order.owner_id": "cascade", "shop_review.author_id": "set_null", "auth_user.manager_id": "set_null"})
		u := s.hire("ada", "bob", "eve")
		s.DB.Exec("INSERT INTO shop_order SELECT id, id FROM auth_user WHERE username <> 'eve'")
		s.DB.Exec("INSERT INTO shop_review SELECT id, id, NULL FROM auth_user")
		s.DB.Exec("UPDATE auth_user SET manager_id = (SELECT id FROM auth_user WHERE username = 'ada')")
		s.wantOutcomes(s.deleteNow, s.leave(u, 9, "ada"), callbacks.Removed)
		s.want("SELECT o.owner_id FROM shop_order o", u["bob"])
		s.want("SELECT count(*), count(author_id) FROM shop_review", "3 | 2")
		s.want("SELECT username, coalesce(manager_id, 0) FROM auth_user ORDER BY username", "bob | 0", "eve | 0")
	},
	"UnnamedTablesAndRefuseStandInTheWay": func(s *suite) {
		s.shop()
		s.with(map[string]string{"shop_order.owner_id": "refuse", "auth_user.manager_id": "set_null"})
		u := s.hire("ada", "bob", "eve")
		s.DB.Exec("INSERT INTO shop_order SELECT 1, id FROM auth_user WHERE username = 'ada'")
		s.DB.Exec("INSERT INTO shop_review SELECT 1, id, NULL FROM auth_user WHERE username = 'bob'")
		reasons := s.wantOutcomes(s.deleteNow, s.leave(u, 9, "ada", "bob", "eve"), callbacks.Refused, callbacks.Refused, callbacks.Removed)
		if !strings.Contains(reasons[0], "shop_order") || !strings.Contains(reasons[0], "owner_id") || !strings.Contains(reasons[1], "shop_review") {
			s.Errorf("reasons: %q", reasons)
		}
		s.want("SELECT count(*) FROM shop_order", "1")
	},
	"WhatACascadeWouldTakeAlongStandsInTheWay": func(s *suite) {
		s.shop()
		s.with(map[string]string{"shop_order.owner_id": "cascade", "shop_review.author_id": "cascade"})
		u := s.hire("ada", "bob", "eve", "kim")
		s.DB.Exec("INSERT INTO shop_order SELECT id, id FROM auth_user")
		s.DB.Exec("INSERT INTO shop_line SELECT 1, id, NULL FROM auth_user WHERE username = 'ada'")
		// Her own answer to her own review goes with it; somebody else's doesn't.
		s.DB.Exec("INSERT INTO shop_review SELECT id, id, NULL FROM auth_user")
		s.DB.Exec("INSERT INTO shop_review SELECT 1000, id, id FROM auth_user WHERE username = 'bob'")
		s.DB.Exec("INSERT INTO shop_review SELECT 1001, (SELECT id FROM auth_user WHERE username = 'kim'), id FROM auth_user WHERE username = 'eve'")
		reasons := s.wantOutcomes(s.deleteNow, s.leave(u, 9, "ada", "bob", "eve"), callbacks.Refused, callbacks.Removed, callbacks.Refused)
		if !strings.Contains(reasons[0], "shop_line") || !strings.Contains(reasons[2], "shop_review") {
			s.Errorf("reasons: %q", reasons)
		}
		s.want("SELECT count(*) FROM shop_order", "3")
		s.want("SELECT count(*) FROM shop_review", "4")
		s.want("SELECT count(*) FROM shop_line", "1")
	},
	"CascadesMayMeet": func(s *suite) {
		s.shop()
		s.with(map[string]string{"shop_order.owner_id": "cascade", "shop_line.added_by_id": "cascade"})
		u := s.hire("ada", "bob")
		s.DB.Exec("INSERT INTO shop_order SELECT id, id FROM auth_user")
		s.DB.Exec("INSERT INTO shop_line SELECT id, id, id FROM auth_user WHERE username = 'ada'")
		s.DB.Exec("INSERT INTO shop_line SELECT id, id, (SELECT id FROM auth_user WHERE username = 'ada') FROM auth_user WHERE username = 'bob'")
		s.wantOutcomes(s.deleteNow, s.leave(u, 9, "ada"), callbacks.Removed)
		s.want("SELECT count(*) FROM shop_line", "0")
		s.want("SELECT owner_id FROM shop_order", u["bob"])
	},
	"CascadesMayMeetInAnyOrder": func(s *suite) {
		s.DB.Exec(`CREATE TABLE a_thread (id integer PRIMARY KEY, owner_id integer NOT NULL` + to + `)`)
		s.DB.Exec(`CREATE TABLE b_post (id integer PRIMARY KEY, author_id integer NOT NULL` + to + `,
			thread_id integer NOT NULL REFERENCES a_thread (id) DEFERRABLE INITIALLY DEFERRED)`)
		s.with(map[string]string{"a_thread.owner_id": "cascade", "b_post.author_id": "cascade"})
		u := s.hire("ada")
		s.DB.Exec("INSERT INTO a_thread SELECT 1, id FROM auth_user")
		s.DB.Exec("INSERT INTO b_post SELECT 1, id, 1 FROM auth_user")
		s.wantOutcomes(s.deleteNow, s.leave(u, 9, "ada"), callbacks.Removed)
		s.want("SELECT count(*) FROM b_post", "0")
	},
	"RulesThatCannotBeFollowedAreRefused": func(s *suite) {
		s.shop()
		for rule, want := range map[string]string{
			"shop_order.owner=cascade":          "did you mean shop_order.owner_id?",
			"nothing.like_it=refuse":            "auth_user.manager_id, shop_line.added_by_id, shop_order.owner_id, shop_review.author_id",
			"shop_order.owner_id=set_null":      "NOT NULL",
			"shop_order.owner_id=nothing":       "cascade, set_null and refuse",
			"auth_user.manager_id=cascade":      "other accounts",
			"django_admin_log.user_id=set_null": "Django's own",
			"shop_line.order_id=cascade":        "no column shop_line.order_id refers to",
		} {
			name, value, _ := strings.Cut(rule, "=")
			if got := s.refused(map[string]string{name: value}); !strings.Contains(got, want) || !strings.Contains(got, "removal.delete.references") {
				s.Errorf("%s: %s; want %q", rule, got, want)
			}
		}
	},
}
