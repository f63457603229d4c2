package ldapmatch_test

import (
	"slices"
	"testing"

	"ldapsync/internal/ldapmatch"
)

// entry is an entry with the values of its attributes by their folded names.
type entry map[string][]string

func (e entry) DN() string                          { return e["dn"][0] }
func (e entry) Values(name string) []string         { return e[ldapmatch.MatchName(name)] }
func (e entry) InChain(_, _ string) ldapmatch.Truth { return ldapmatch.Undefined }

// What a server knows by its schema, and a filter asks for. The demo's tests hold the rest to OpenLDAP's answers.
func TestFiltersKnowClassesAndCategories(t *testing.T) {
	ada := entry{"dn": {"cn=Ada,dc=example"}, "objectclass": {"inetOrgPerson", "posixAccount"}, "sn": {"Lovelace"},
		"objectcategory": {"CN=Person,CN=Schema,CN=Configuration,DC=example"}}
	for filter, want := range map[string]ldapmatch.Truth{
		"(objectClass=person)":               ldapmatch.True,
		"(objectClass=TOP)":                  ldapmatch.True,
		"(objectClass=organizationalPerson)": ldapmatch.True,
		"(objectClass=PosixAccount)":         ldapmatch.True,
		"(objectClass=user)":                 ldapmatch.False,
		"(objectCategory=person)":            ldapmatch.True,
		"(objectCategory=user)":              ldapmatch.True,
		"(objectCategory=group)":             ldapmatch.False,
		"(objectCategory=cn=person,cn=schema,cn=configuration,dc=example)": ldapmatch.True,
		"(objectCategory=cn=group,cn=schema,cn=configuration,dc=example)":  ldapmatch.False,
		"(surname=lovelace)":                          ldapmatch.True,
		"(memberOf:1.2.840.113556.1.4.1941:=cn=x)":    ldapmatch.Undefined,
		"(!(memberOf:1.2.840.113556.1.4.1941:=cn=x))": ldapmatch.Undefined,
	} {
		match, err := ldapmatch.ParseFilter(filter)
		if err != nil {
			t.Fatal(err)
		}
		if got := match(ada); got != want {
			t.Errorf("%s: %d, want %d", filter, got, want)
		}
	}
	for _, filter := range []string{"", "uid=ada", "(uid=ada", "(&(uid=ada)"} {
		if _, err := ldapmatch.ParseFilter(filter); err == nil {
			t.Errorf("%q is a filter", filter)
		}
	}
}

func TestAttributesOfAFilter(t *testing.T) {
	got, err := ldapmatch.Attributes("(&(objectClass=person)(|(SN=a*)(surname>=b)(!(mail=*)))(uac:1.2.840.113556.1.4.803:=2)(:caseExactMatch:=x)(OBJECTCLASS=top))")
	if want := []string{"objectClass", "SN", "mail", "uac"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	if _, err := ldapmatch.Attributes("(uid=ada"); err == nil {
		t.Error("half a filter has attributes")
	}
}

func TestNormalizeFilter(t *testing.T) {
	for filter, want := range map[string]string{
		"":                             "",
		" uid=ada ":                    "(uid=ada)",
		"(&\n  (a=1)\n  (| (b=2) )\n)": "(&(a=1)(|(b=2)))",
		"(cn=a b)":                     "(cn=a b)",
	} {
		if got := ldapmatch.NormalizeFilter(filter); got != want {
			t.Errorf("%q: %q, want %q", filter, got, want)
		}
	}
}
