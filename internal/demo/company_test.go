package demo_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"ldapsync/internal/demo"
)

// everything is a directory's entries by DN, without what the clock says.
func everything(t *testing.T, d *demo.Directory) map[string]demo.Attributes {
	t.Helper()
	found, err := d.Find("(objectClass=*)")
	must(t, err)
	all := map[string]demo.Attributes{}
	for _, dn := range found {
		a, ok := d.Get(dn)
		if !ok {
			t.Fatalf("%s was found and isn't there", dn)
		}
		delete(a, "createTimestamp")
		delete(a, "modifyTimestamp")
		all[dn] = a
	}
	return all
}

func TestTheCompanyIsTheSameForTheSameSeed(t *testing.T) {
	one, same, other := demo.NewDirectory(7), demo.NewDirectory(7), demo.NewDirectory(8)
	for range 5 {
		a, errA := one.Change()
		b, errB := same.Change()
		if errA != nil || errB != nil || !reflect.DeepEqual(a, b) {
			t.Fatalf("%v, %v: %v, %v", a, b, errA, errB)
		}
	}
	if !reflect.DeepEqual(everything(t, one), everything(t, same)) {
		t.Error("the same seed made two companies")
	}
	if reflect.DeepEqual(everything(t, one), everything(t, other)) {
		t.Error("two seeds made the same company")
	}
}

func TestTheCompanyHasWhatIsPromised(t *testing.T) {
	for seed := range uint64(5) {
		d := demo.NewDirectory(seed)
		groups, err := d.Find(demo.GroupFilter)
		must(t, err)
		users, err := d.Find(demo.UserFilter)
		must(t, err)
		disabled, err := d.Find("(&" + demo.UserFilter + "(userAccountControl:1.2.840.113556.1.4.803:=2))")
		must(t, err)
		if len(users) != 1000 || len(groups) != 40 || len(disabled) != 5 {
			t.Errorf("seed %d: %d users, %d groups, %d disabled", seed, len(users), len(groups), len(disabled))
		}
		seen := map[string]string{}
		accents, scripts := 0, map[*unicode.RangeTable]int{}
		for _, dn := range users {
			a, _ := d.Get(dn)
			for _, name := range []string{"uid", "mail", "entryUUID", "employeeNumber"} {
				if len(a[name]) != 1 || seen[name+a[name][0]] != "" {
					t.Fatalf("%s: %s %q, as of %s", dn, name, a[name], seen[name+a[name][0]])
				}
				seen[name+a[name][0]] = dn
			}
			for _, name := range []string{"givenName", "sn", "cn", "displayName", "title", "department", "l", "userAccountControl"} {
				if len(a[name]) == 0 || a[name][0] == "" {
					t.Errorf("%s has no %s", dn, name)
				}
			}
			if strings.ContainsFunc(a["uid"][0], func(r rune) bool { return r != '.' && !unicode.IsDigit(r) && (r < 'a' || r > 'z') }) ||
				strings.HasPrefix(a["uid"][0], ".") || strings.HasSuffix(a["uid"][0], ".") {
				t.Errorf("username %q", a["uid"][0])
			}
			if strings.ContainsFunc(a["sn"][0], func(r rune) bool { return unicode.Is(unicode.Latin, r) && r > unicode.MaxASCII }) {
				accents++
			}
			for _, script := range []*unicode.RangeTable{unicode.Han, unicode.Greek, unicode.Cyrillic} {
				if unicode.Is(script, []rune(a["sn"][0])[0]) {
					scripts[script]++
				}
			}
			if len(a["memberOf"]) < 2 {
				t.Errorf("%s is in %q only", dn, a["memberOf"])
			}
		}
		if accents < 50 || len(scripts) != 3 {
			t.Errorf("seed %d: %d surnames with accents, %d scripts of their own", seed, accents, len(scripts))
		}
		for _, dn := range groups {
			a, _ := d.Get(dn)
			if len(a["member"]) < 2 {
				t.Errorf("seed %d: %s has %d members", seed, dn, len(a["member"]))
			}
			for _, m := range a["member"] {
				if _, ok := d.Get(m); !ok {
					t.Errorf("%s: member %s isn't there", dn, m)
				}
			}
		}
	}
}

// TestADayInTheCompany holds every change equal to what it says of itself.
func TestADayInTheCompany(t *testing.T) {
	d := demo.NewDirectory(3)
	touched := map[string]bool{}
	for range 10 {
		before := everything(t, d)
		changes, err := d.Change()
		must(t, err)
		after := everything(t, d)
		var kinds []demo.Kind
		for _, c := range changes {
			kinds = append(kinds, c.Kind)
			was, is := before["uid="+c.Before+","+demo.PeopleBase], after["uid="+c.After+","+demo.PeopleBase]
			if touched[c.Before] && c.Before != "" {
				t.Errorf("%s: chosen twice", c.Before)
			}
			touched[c.Before], touched[c.After] = true, true
			switch c.Kind {
			case demo.Joined:
				if was != nil || is == nil || c.Before != "" || len(is["memberOf"]) != 2 {
					t.Errorf("%s: %v, %v", c.Text, was, is)
				}
			case demo.Left:
				if was == nil || is != nil || c.After != "" {
					t.Errorf("%s: %v, %v", c.Text, was, is)
				}
			case demo.Moved:
				if c.Before != c.After || slices.Equal(was["memberOf"], is["memberOf"]) || len(was["memberOf"]) != len(is["memberOf"]) ||
					slices.Equal(was["manager"], is["manager"]) || !slices.Equal(was["sn"], is["sn"]) {
					t.Errorf("%s: %v, %v", c.Text, was, is)
				}
			case demo.Married:
				if c.Before == c.After || !slices.Equal(was["entryUUID"], is["entryUUID"]) || slices.Equal(was["sn"], is["sn"]) || len(is["uid"]) != 1 ||
					is["mail"][0] != c.After+"@kestrel.example" || !slices.Equal(was["memberOf"], is["memberOf"]) || before["uid="+c.After+","+demo.PeopleBase] != nil {
					t.Errorf("%s: %v, %v", c.Text, was, is)
				}
			}
			if len(c.Usernames()) != len(slices.Compact(slices.DeleteFunc([]string{c.Before, c.After}, func(s string) bool { return s == "" }))) {
				t.Errorf("%+v concerns %q", c, c.Usernames())
			}
		}
		if !slices.Equal(kinds, []demo.Kind{demo.Joined, demo.Married, demo.Moved, demo.Left}) {
			t.Errorf("what happened: %q", kinds)
		}
		wantUntouched(t, before, after, changes)
	}
}

// wantUntouched expects that people who aren't in the changes stay as they were, and that no group names somebody who is gone.
func wantUntouched(t *testing.T, before, after map[string]demo.Attributes, changes []demo.Change) {
	t.Helper()
	concerned := map[string]bool{}
	for _, c := range changes {
		for _, u := range c.Usernames() {
			concerned["uid="+u+","+demo.PeopleBase] = true
		}
	}
	for dn := range maps.Keys(before) {
		if strings.HasPrefix(dn, "uid=") && !concerned[dn] && !reflect.DeepEqual(before[dn], after[dn]) {
			t.Errorf("%s changed: %v, %v", dn, before[dn], after[dn])
		}
	}
	for dn, a := range after {
		for _, m := range a["member"] {
			if after[m] == nil {
				t.Errorf("%s: member %s isn't there", dn, m)
			}
		}
	}
}

func TestNothingHappensInADirectoryWithoutCompany(t *testing.T) {
	if changes, err := empty(t, "o=nobody").Change(); err == nil {
		t.Errorf("%v happened", changes)
	}
}
