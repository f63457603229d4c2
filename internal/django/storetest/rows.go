package storetest

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"

	"ldapsync/applier"
	"ldapsync/proto"
)

var rowCases = map[string]func(*suite){
	"ACreatedUserIsComplete": func(s *suite) {
		before := time.Now().Add(-time.Minute)
		changes := s.write(proto.KindUser,
			s.create(proto.KindUser, "1", "Ada", map[string]any{"first_name": "Ada", "last_name": "Lovelace", "email": "ada@x.org", "is_staff": true, "last_login": day}),
			s.create(proto.KindUser, "2", "zoë", map[string]any{"is_active": false, "last_login": nil}))
		for _, c := range changes {
			if c.PK == "" || c.Link.PK != c.PK || c.PK != s.pk("auth_user", "username", c.Name) {
				s.Errorf("%s: pk %q, link's %q, the row's %q", c.Name, c.PK, c.Link.PK, s.pk("auth_user", "username", c.Name))
			}
			if l := s.links(proto.KindUser, c.ID)[c.ID]; l.PK != c.PK {
				s.Errorf("%s: the stored link has pk %q", c.Name, l.PK)
			}
		}
		s.want(`SELECT username, first_name, last_name, email, CASE WHEN is_staff THEN 'staff' ELSE '' END,
			CASE WHEN is_active THEN 'active' ELSE '' END, CASE WHEN is_superuser THEN 'super' ELSE '' END FROM auth_user ORDER BY id`,
			"Ada | Ada | Lovelace | ada@x.org | staff | active | ", "zoë |  |  |  |  |  | ")
		s.want("SELECT username FROM auth_user WHERE last_login IS NULL", "zoë")
		passwords := strings.Fields(s.DB.Text("SELECT password FROM auth_user"))
		unusable := regexp.MustCompile(`^![a-zA-Z0-9]{40}$`)
		if len(passwords) != 2 || passwords[0] == passwords[1] || !unusable.MatchString(passwords[0]) || !unusable.MatchString(passwords[1]) {
			s.Errorf("passwords aren't Django's unusable ones: %q", passwords)
		}
		joined := strings.Fields(s.DB.Text("SELECT date_joined FROM auth_user LIMIT 1"))
		if len(joined) == 0 || joined[0][:10] < before.UTC().Format(time.DateOnly) {
			s.Errorf("date_joined: %v", joined)
		}
	},
	"RowsComeBackAsConverted": func(s *suite) {
		given := map[string]any{"username": "ada", "first_name": "Ä", "last_name": "", "email": "a@b", "is_staff": true, "last_login": day, "is_active": true}
		pk := s.write(proto.KindUser, s.create(proto.KindUser, "1", "ada", given))[0].PK
		want := s.values(proto.KindUser, given)
		row := s.row(proto.KindUser, pk)
		if row.Name != "ada" || !row.Privileged || row.Superuser || !reflect.DeepEqual(utc(row.Values), want) {
			s.Errorf("row: %+v, want values %v", row, want)
		}
		given["last_login"], given["is_staff"] = nil, false
		pk = s.write(proto.KindUser, s.create(proto.KindUser, "2", "bob", map[string]any{"last_login": nil, "is_staff": false}))[0].PK
		row = s.row(proto.KindUser, pk)
		if i := s.table(proto.KindUser).Index("last_login"); row.Values[i] != nil || row.Privileged {
			s.Errorf("row: %+v", row)
		}
		for column, value := range map[string]string{"last_login": "20260304050607Z", "is_staff": "TRUE", "first_name": "x"} {
			v, err := s.table(proto.KindUser).Convert(column, value)
			if err != nil {
				s.Fatal(err)
			}
			c := s.set(proto.KindUser, "2", pk, map[string]any{column: v})
			s.write(proto.KindUser, c)
			if got := utc(s.row(proto.KindUser, pk).Values)[c.Set[0]]; !reflect.DeepEqual(got, v) {
				s.Errorf("%s: %#v comes back as %#v", column, v, got)
			}
		}
	},
	"SuperusersArePrivileged": func(s *suite) {
		pk := s.byHand("root", true, true)
		s.byHand("idle", true, false)
		s.byHand("ada", false, true)
		if row := s.row(proto.KindUser, pk); !row.Privileged || !row.Superuser {
			s.Errorf("a superuser: %+v", row)
		}
		s.view(func(r applier.Reader) error {
			pks, err := r.ActiveSuperusers(s.Context())
			if len(pks) != 1 || pks[0] != pk {
				s.Errorf("active superusers: %v", pks)
			}
			return err
		})
	},
	"RowsLeavesOutWhatIsNotThere": func(s *suite) {
		pks := s.hire("ada")
		s.view(func(r applier.Reader) error {
			rows, err := r.Rows(s.Context(), proto.KindUser, []string{"999999", pks["ada"], "", pks["ada"]})
			if len(rows) != 1 {
				s.Errorf("rows: %v", rows)
			}
			return err
		})
	},
	"AnUpdateWritesOnlyWhatIsSet": func(s *suite) {
		pk := s.hire("ada")["ada"]
		s.DB.Exec("UPDATE auth_user SET last_name = 'kept', password = 'hash', email = 'kept' WHERE username = 'ada'")
		c := s.set(proto.KindUser, "ada", pk, map[string]any{"first_name": "new"})
		c.Values[s.table(proto.KindUser).Index("email")] = "not in Set"
		s.write(proto.KindUser, c)
		s.want("SELECT username, first_name, last_name, email, password FROM auth_user", "ada | new | kept | kept | hash")
	},
	"DifferentColumnsInOneWrite": func(s *suite) {
		pks := s.hire("ada", "bob", "eve")
		s.write(proto.KindUser,
			s.set(proto.KindUser, "ada", pks["ada"], map[string]any{"first_name": "A"}),
			s.set(proto.KindUser, "bob", pks["bob"], map[string]any{"last_name": "B", "is_active": false}),
			s.set(proto.KindUser, "eve", pks["eve"], map[string]any{"first_name": "E", "email": "e@x"}))
		s.want(`SELECT username, first_name, last_name, email, CASE WHEN is_active THEN 'on' ELSE 'off' END FROM auth_user ORDER BY username`,
			"ada | A |  |  | on", "bob |  | B |  | off", "eve | E |  | e@x | on")
	},
	"AdoptingWritesTheLinkToTheRowThatIsThere": func(s *suite) {
		pk := s.byHand("Ada", false, true)
		c := s.set(proto.KindUser, "1", pk, map[string]any{"username": "ada"})
		c.Action, c.Link.How = applier.Adopt, applier.Adopted
		s.write(proto.KindUser, c)
		s.want("SELECT username, password FROM auth_user", "ada | x")
		if l := s.links(proto.KindUser, "1")["1"]; l.PK != pk || l.How != applier.Adopted {
			s.Errorf("link: %+v", l)
		}
	},
	"GroupsAreMadeToo": func(s *suite) {
		pks := s.found("Staff", "étage")
		s.want("SELECT name FROM auth_group ORDER BY id", "Staff", "étage")
		if row := s.row(proto.KindGroup, pks["Staff"]); row.Name != "Staff" || row.Privileged {
			s.Errorf("row: %+v", row)
		}
	},
	"FiveThousandInOneWrite": func(s *suite) {
		const n = 5000
		groups := s.found("all", "even")
		var changes []applier.Change
		var ids []string
		for i := range n {
			id := fmt.Sprintf("id%d", i)
			ids = append(ids, id)
			c := s.create(proto.KindUser, id, fmt.Sprintf("user%d", i), map[string]any{"first_name": "x"})
			c.Join = []string{groups["all"]}
			if i%2 == 0 {
				c.Join = append(c.Join, groups["even"])
			}
			c.Pending = []string{"later"}
			changes = append(changes, c)
		}
		s.write(proto.KindUser, changes...)
		s.want("SELECT count(*), count(DISTINCT id) FROM auth_user", "5000 | 5000")
		s.want("SELECT count(*) FROM auth_user_groups", "7500")
		links := s.links(proto.KindUser, ids...)
		if len(links) != n {
			s.Fatalf("%d links", len(links))
		}
		var pks, names []string
		for i := range changes {
			if changes[i].PK != links[changes[i].ID].PK {
				s.Fatalf("%s has another primary key than its link", changes[i].ID)
			}
			pks, names = append(pks, changes[i].PK), append(names, strings.ToUpper(changes[i].Name))
			// Everyone gets the next one's name: one long chain.
			c := s.set(proto.KindUser, changes[i].ID, changes[i].PK, map[string]any{"username": fmt.Sprintf("user%d", i+1), "last_name": "y"})
			c.Pending = []string{"later"}
			changes[i] = c
		}
		s.view(func(r applier.Reader) error {
			rows, err := r.Rows(s.Context(), proto.KindUser, pks)
			if len(rows) != n {
				s.Errorf("%d rows", len(rows))
			}
			named, err2 := r.Named(s.Context(), proto.KindUser, names)
			if len(named) != n || err2 != nil {
				s.Errorf("%d named, %v", len(named), err2)
			}
			members, err3 := r.Memberships(s.Context(), source, pks)
			if len(members) != n+n/2 || err3 != nil {
				s.Errorf("%d memberships, %v", len(members), err3)
			}
			return err
		})
		s.write(proto.KindUser, changes...)
		s.want("SELECT count(*) FROM auth_user WHERE first_name = 'x' AND last_name = 'y' AND username LIKE 'user%'", "5000")
		s.want("SELECT count(*) FROM auth_user WHERE username IN ('user0', 'user5000')", "1")
		later := s.create(proto.KindGroup, "later", "later", nil)
		s.write(proto.KindGroup, later)
		s.want("SELECT count(*) FROM auth_user_groups", "12500")
	},
}

// row reads one row, which must be there.
func (s *suite) row(kind proto.Kind, pk string) applier.Row {
	s.Helper()
	var row applier.Row
	s.view(func(r applier.Reader) error {
		rows, err := r.Rows(s.Context(), kind, []string{pk})
		if len(rows) != 1 || rows[0].PK != pk {
			s.Fatalf("row %s: %v, %v", pk, rows, err)
		}
		row = rows[0]
		return err
	})
	return row
}

// utc makes times comparable with ==.
func utc(values []any) []any {
	out := make([]any, len(values))
	for i, v := range values {
		if t, ok := v.(time.Time); ok {
			v = t.UTC()
		}
		out[i] = v
	}
	return out
}
