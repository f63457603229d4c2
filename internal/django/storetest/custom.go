package storetest

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/internal/django"
	"ldapsync/proto"
)

// PeopleSettings are those of a user model of the project's own: the table people_person with a UUID as key.
func PeopleSettings() django.Settings {
	return django.Settings{
		Users: django.Users{
			Table: "people_person", UsernameField: "login", Columns: []string{"full_name", "employee_number"},
		},
		Groups:     django.Groups{Membership: true},
		References: map[string]string{"shop_order.owner_id": "cascade", "shop_review.author": "set_null"},
	}
}

// RunCustom tries what depends on the users' table with a model of the project's own. The database has its tables; uuid is the type of its keys.
func RunCustom(t *testing.T, uuid string, env func(*testing.T) Env) {
	for _, name := range slices.Sorted(maps.Keys(customCases)) {
		try := customCases[name]
		t.Run(name, func(t *testing.T) {
			s := &suite{T: t, Env: env(t)}
			s.DB.Exec(`CREATE TABLE shop_order (id integer PRIMARY KEY, owner_id ` + uuid + ` NOT NULL REFERENCES people_person (id) DEFERRABLE INITIALLY DEFERRED)`)
			s.DB.Exec(`CREATE TABLE shop_review (id integer PRIMARY KEY, author varchar(40) NULL REFERENCES people_person (login) DEFERRABLE INITIALLY DEFERRED)`)
			s.Store = s.openWith(PeopleSettings())
			if err := s.Store.Migrate(s.Context()); err != nil {
				t.Fatal(err)
			}
			try(s)
		})
	}
}

// person is the change that makes one.
func (s *suite) person(name string) string {
	s.Helper()
	return s.write(proto.KindUser, s.create(proto.KindUser, name, name, map[string]any{"full_name": name, "employee_number": int64(1)}))[0].PK
}

var customCases = map[string]func(*suite){
	"ScanKnowsUUIDs": func(s *suite) {
		ada, dev := s.person("ada"), s.found("dev")["dev"]
		c := s.set(proto.KindUser, "ada", ada, nil)
		c.Link, c.Join = link(proto.KindUser, "ada", ada, "ada"), []string{dev}
		s.write(proto.KindUser, c)
		v := s.scan(everything())
		if got := v.lines["members"]; !slices.Equal(got, []string{ada + " " + dev}) {
			s.Errorf("members: %q", got)
		}
		s.wantScannedRows(v, proto.KindUser, []string{ada})
	},
	"AUUIDIsDeactivatedRestoredAndDeleted": func(s *suite) {
		u := map[string]string{"ada": s.person("ada"), "bob": s.person("bob")}
		s.write(proto.KindUser, missing("ada", u["ada"], 8), missing("bob", u["bob"], 8))
		accounts := s.absent("ada", "bob")
		s.wantOutcomes(s.Store.Deactivate, accounts, callbacks.Deactivated, callbacks.Deactivated)
		s.wantOutcomes(s.restore, accounts[:1], callbacks.Restored)
		if a := s.find(callbacks.FindQuery{Usernames: []string{"Ada"}}, "ada")["ada"]; !a.Active || a.PK != u["ada"] || a.Username != "ada" {
			s.Errorf("%+v", a)
		}
		s.DB.Exec("INSERT INTO shop_order SELECT 1, id FROM people_person WHERE login = 'bob'")
		s.DB.Exec("INSERT INTO shop_review VALUES (1, 'bob'), (2, 'ada')")
		gone := s.longGone(u, "bob", "sync", 2*month)
		s.wantDueLater("bob")
		s.wantOutcomes(s.deleteLater, []callbacks.Account{gone}, callbacks.Removed)
		s.want("SELECT login FROM people_person", "ada")
		s.want("SELECT count(*) FROM shop_order", "0")
		s.want("SELECT count(*), count(author) FROM shop_review", "2 | 1")
	},
	"OrphansAndProfilesWithoutDateJoined": func(s *suite) {
		ada := s.person("ada")
		s.found("x")
		s.DB.Exec("INSERT INTO people_person_groups (person_id, group_id) SELECT p.id, g.id FROM people_person p, auth_group g")
		bob := s.person("bob")
		s.write(proto.KindUser, gone("bob", bob, 9))
		list := s.orphans(s.Store)
		if len(list) != 1 || list[0].PK != bob || list[0].Username != "bob" || !list[0].DateJoined.IsZero() || list[0].State != "gone" {
			s.Errorf("%+v", list)
		}
		p, err := s.Store.Profiles(s.Context(), source, proto.KindUser, []string{"ada"})
		if err != nil || len(p) != 1 || p[0].PK != ada || !slices.Equal(p[0].Groups, []string{"x"}) {
			s.Errorf("%+v, %v", p, err)
		}
	},
	"AccountsWithoutLinks": func(s *suite) {
		ada, bob := s.person("ada"), s.person("bob")
		tomb := link(proto.KindUser, "bob", "", "bob")
		tomb.State = applier.Deleted
		s.write(proto.KindUser, touch(tomb))
		s.view(func(r applier.Reader) error {
			rows, all, err := r.ListUnlinked(s.Context())
			if len(rows) != 1 || rows[0].PK != bob || rows[0].Name != "bob" || all != 2 {
				s.Errorf("%+v of %d; bob is %s, ada %s", rows, all, bob, ada)
			}
			return err
		})
	},
}

// poorCases run on a users' table without any of the columns that Django's has beside the name.
var poorCases = map[string]func(*suite){
	"ATableWithoutActive": func(s *suite) {
		pk := s.write(proto.KindUser, s.create(proto.KindUser, "ada", "ada", nil))[0].PK
		s.DB.Exec("INSERT INTO auth_user (password, username, first_name, last_name, email) VALUES ('', 'hand', '', '', '')")
		s.write(proto.KindUser, missing("ada", pk, 9))
		s.wantRefused(s.Store.Deactivate, s.absent("ada"))
		s.write(proto.KindUser, gone("ada", pk, 10))
		accounts := s.dueAccounts(callbacks.Delete, day)
		s.wantRefused(s.restore, accounts)
		s.wantDueLater()
		list := s.orphans(s.Store)
		if len(list) != 2 || !list[0].Active || list[0].Superuser || !list[0].LastLogin.Equal(time.Time{}) || list[1].Username != "hand" {
			s.Errorf("%+v", list)
		}
		s.view(func(r applier.Reader) error {
			rows, all, err := r.ListUnlinked(s.Context())
			if len(rows) != 1 || rows[0].Privileged || all != 2 {
				s.Errorf("%+v of %d", rows, all)
			}
			return err
		})
		if p, err := s.Store.Profiles(s.Context(), source, proto.KindUser, []string{"ada"}); err != nil || len(p) != 1 {
			s.Errorf("%+v, %v", p, err)
		}
		s.find(callbacks.FindQuery{}, "ada")
		s.wantOutcomes(s.deleteNow, accounts, callbacks.Removed)
	},
}

// wantRefused wants that a table without a column for it can't be written.
func (s *suite) wantRefused(do acting, accounts []callbacks.Account) {
	s.Helper()
	if why := s.wantOutcomes(do, accounts, callbacks.Refused); !strings.Contains(why[0], "users.columns.active") {
		s.Errorf("reasons: %q", why)
	}
}

// runPoor runs poorCases.
func runPoor(t *testing.T, env func(*testing.T) Env) {
	for name, try := range poorCases {
		t.Run(name, func(t *testing.T) {
			s := &suite{T: t, Env: env(t)}
			for _, column := range []string{"is_active", "is_staff", "is_superuser", "last_login", "date_joined"} {
				s.DB.Exec("ALTER TABLE auth_user DROP COLUMN " + column)
			}
			s.Store = s.openWith(django.Settings{Users: django.Users{Columns: []string{"first_name"}}, Groups: django.Groups{Membership: true}})
			if err := s.Store.Migrate(s.Context()); err != nil {
				t.Fatal(err)
			}
			try(s)
		})
	}
}
