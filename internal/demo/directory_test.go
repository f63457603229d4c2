package demo_test

import (
	"reflect"
	"slices"
	"testing"

	"ldapsync/internal/demo"
)

// group is a small directory: two people, a unit inside of theirs, and a group that names them.
func group(t *testing.T) *demo.Directory {
	t.Helper()
	d := empty(t, "dc=x")
	must(t, d.Add("ou=people,dc=x", demo.Attributes{"objectClass": {"organizationalUnit"}}))
	must(t, d.Add("ou=in\\,side,ou=people,dc=x", demo.Attributes{"objectClass": {"organizationalUnit"}}))
	must(t, d.Add("uid=ada,ou=people,dc=x", demo.Attributes{"objectClass": {"person"}, "cn": {"Ada"}}))
	must(t, d.Add("uid=eve+cn=Eve,ou=in\\2cside,ou=people,dc=x", demo.Attributes{"objectClass": {"person"}, "manager": {"uid=ADA,OU=people,dc=x"}}))
	must(t, d.Add("cn=all,dc=x", demo.Attributes{"member": {"uid=ada,ou=people,dc=x", "cn=eve+uid=eve,ou=in\\,side,ou=people,dc=x"}}))
	return d
}

func get(t *testing.T, d *demo.Directory, dn, name string) []string {
	t.Helper()
	a, ok := d.Get(dn)
	if !ok {
		t.Fatalf("%s isn't there", dn)
	}
	return a[name]
}

func want(t *testing.T, what string, got []string, values ...string) {
	t.Helper()
	if !slices.Equal(got, values) {
		t.Errorf("%s: got %q, want %q", what, got, values)
	}
}

func TestAdd(t *testing.T) {
	d := group(t)
	want(t, "the RDN's values", get(t, d, "CN=eve + UID=EVE, ou=in\\,side,ou=people,dc=x", "uid"), "eve")
	want(t, "memberOf", get(t, d, "uid=eve+cn=eve,ou=in\\,side,ou=people,dc=x", "memberOf"), "cn=all,dc=x")
	if len(get(t, d, "dc=x", "entryUUID")[0]) != 36 {
		t.Error("no entryUUID")
	}
	must(t, d.Add("cn=own,dc=x", demo.Attributes{"entryUUID": {"mine"}}))
	want(t, "a UUID of one's own", get(t, d, "cn=own,dc=x", "entryUUID"), "mine")
	for _, dn := range []string{"UID=Ada,ou=people,dc=x", "uid=bob,ou=nowhere,dc=x", "dc=y", "nonsense", ""} {
		if err := d.Add(dn, demo.Attributes{"cn": {"x"}}); err == nil {
			t.Errorf("added %q", dn)
		}
	}
}

func TestModify(t *testing.T) {
	d := group(t)
	const dn = "uid=ada,ou=people,dc=x"
	must(t, d.Modify(dn, demo.Put("mail", "a", "b"), demo.Append("MAIL", "B", "c"), demo.Remove("mail", "A"), demo.Put("sn", "x"), demo.Put("sn"), demo.Remove("entryUUID")))
	want(t, "mail", get(t, d, dn, "mail"), "b", "c")
	want(t, "sn", get(t, d, dn, "sn"))
	want(t, "entryUUID", get(t, d, dn, "entryUUID"))
	must(t, d.Modify("cn=all,dc=x", demo.Remove("member", "UID=Ada, ou=people, dc=x")))
	want(t, "memberOf", get(t, d, dn, "memberOf"))
	if d.Modify("uid=nobody,dc=x", demo.Put("a", "b")) == nil {
		t.Error("changed nobody")
	}
}

func TestRename(t *testing.T) {
	d := group(t)
	uuid := get(t, d, "uid=ada,ou=people,dc=x", "entryUUID")
	must(t, d.Rename("uid=ada,ou=people,dc=x", "cn=ada byron,dc=x"))
	want(t, "uid", get(t, d, "cn=ada byron,dc=x", "uid"))
	want(t, "cn", get(t, d, "cn=ada byron,dc=x", "cn"), "ada byron", "Ada")
	want(t, "entryUUID", get(t, d, "cn=ada byron,dc=x", "entryUUID"), uuid...)
	want(t, "manager", get(t, d, "uid=eve+cn=eve,ou=in\\,side,ou=people,dc=x", "manager"), "cn=ada byron,dc=x")

	must(t, d.Rename("ou=people,dc=x", "ou=staff,dc=x"))
	const eve = "uid=eve+cn=Eve,ou=in\\2cside,ou=staff,dc=x"
	want(t, "member", get(t, d, "cn=all,dc=x", "member"), "cn=ada byron,dc=x", eve)
	want(t, "memberOf", get(t, d, eve, "memberOf"), "cn=all,dc=x")
	want(t, "ou", get(t, d, "ou=staff,dc=x", "ou"), "staff")
	must(t, d.Rename("ou=staff,dc=x", "OU=Staff,dc=x"))
	if _, ok := d.Get("ou=people,dc=x"); ok {
		t.Error("the old DN is still there")
	}
	for from, to := range map[string]string{
		"uid=nobody,dc=x": "uid=ada,dc=x", "cn=all,dc=x": "cn=ada byron,dc=x", "ou=staff,dc=x": "ou=a,ou=in\\,side,ou=staff,dc=x", "cn=ada byron,dc=x": "cn=a,dc=z",
	} {
		if d.Rename(from, to) == nil {
			t.Errorf("renamed %s to %s", from, to)
		}
	}
	found, err := d.Find("(objectClass=*)")
	must(t, err)
	want(t, "all", found, "dc=x", "OU=Staff,dc=x", "ou=in\\,side,OU=Staff,dc=x", "cn=ada byron,dc=x", "uid=eve+cn=Eve,ou=in\\2cside,OU=Staff,dc=x")
}

func TestDelete(t *testing.T) {
	d := group(t)
	if d.Delete("ou=people,dc=x") == nil || d.Delete("uid=nobody,dc=x") == nil {
		t.Error("deleted what has others below it, or isn't there")
	}
	must(t, d.Delete("uid=ada,ou=people,dc=x"))
	want(t, "member", get(t, d, "cn=all,dc=x", "member"), "cn=eve+uid=eve,ou=in\\,side,ou=people,dc=x")
	want(t, "manager", get(t, d, "uid=eve+cn=eve,ou=in\\,side,ou=people,dc=x", "manager"))
	must(t, d.Add("uid=ada,ou=people,dc=x", demo.Attributes{"objectClass": {"person"}}))
	want(t, "memberOf of who returned", get(t, d, "uid=ada,ou=people,dc=x", "memberOf"))
}

func TestWhatIsReturnedIsACopy(t *testing.T) {
	d := group(t)
	values := []string{"one"}
	must(t, d.Modify("cn=all,dc=x", demo.Put("description", values...)))
	values[0] = "changed"
	a, _ := d.Get("cn=all,dc=x")
	a["description"][0] = "changed"
	a["member"] = nil
	b, _ := d.Get("cn=all,dc=x")
	if !slices.Equal(b["description"], []string{"one"}) || reflect.DeepEqual(a, b) {
		t.Errorf("%v", b)
	}
}
