package demo_test

import (
	"encoding/base64"
	"maps"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"

	ldap "github.com/go-ldap/ldap/v3"

	"ldapsync/internal/demo"
)

// ldapsearch runs OpenLDAP's own client and returns the entries that it prints, by DN.
func ldapsearch(t *testing.T, uri string, args ...string) map[string]demo.Attributes {
	t.Helper()
	args = append([]string{"-x", "-H", uri, "-D", demo.BindDN, "-w", demo.BindPassword, "-LLL", "-o", "ldif-wrap=no"}, args...)
	out, err := exec.Command("ldapsearch", args...).Output()
	if err != nil {
		detail := ""
		if e, ok := err.(*exec.ExitError); ok {
			detail = string(e.Stderr)
		}
		t.Fatalf("ldapsearch %q: %v\n%s", args, err, detail)
	}
	entries := map[string]demo.Attributes{}
	for block := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n\n") {
		entry, dn, named := demo.Attributes{}, "", false
		for line := range strings.SplitSeq(block, "\n") {
			if line == "" || strings.HasPrefix(line, "#") { // "# pagedresults: cookie=…"
				continue
			}
			name, value, ok := strings.Cut(line, ":")
			if !ok {
				t.Fatalf("line %q", line)
			}
			if encoded, is := strings.CutPrefix(value, ":"); is {
				b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
				must(t, err)
				value = string(b)
			} else {
				value = strings.TrimPrefix(value, " ")
			}
			if name == "dn" {
				dn, named = value, true
			} else {
				entry[name] = append(entry[name], value)
			}
		}
		if named {
			entries[dn] = entry
		}
	}
	return entries
}

// whole is a directory as Find and Get tell it.
func whole(t *testing.T, d *demo.Directory) map[string]demo.Attributes {
	t.Helper()
	found, err := d.Find("(objectClass=*)")
	must(t, err)
	all := map[string]demo.Attributes{}
	for _, dn := range found {
		all[dn], _ = d.Get(dn)
	}
	return all
}

func wantSame(t *testing.T, what string, got, want map[string]demo.Attributes) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d entries, want %d", what, len(got), len(want))
	}
	for dn := range maps.Keys(want) {
		if !reflect.DeepEqual(got[dn], want[dn]) {
			t.Errorf("%s: %s: got %v, want %v", what, dn, got[dn], want[dn])
			return
		}
	}
}

// TestRealClientsReadTheWholeDirectory reads everything with ldapsearch and with go-ldap, in one piece and in pages, before and after a
// day in the company.
func TestRealClientsReadTheWholeDirectory(t *testing.T) {
	d := demo.NewDirectory(1)
	uri := serve(t, d)
	for range 2 {
		want := whole(t, d)
		wantSame(t, "ldapsearch", ldapsearch(t, uri, "-b", demo.Base, "(objectClass=*)", "*", "+"), want)
		wantSame(t, "ldapsearch in pages", ldapsearch(t, uri, "-b", demo.Base, "-E", "pr=97/noprompt", "(objectClass=*)", "*", "+"), want)
		for _, size := range []uint32{100, 1044, 1045, 5000} {
			r, err := bind(t, uri).SearchWithPaging(request(demo.Base, ldap.ScopeWholeSubtree, "(objectClass=*)", "*", "+"), size)
			must(t, err)
			got := map[string]demo.Attributes{}
			for _, e := range r.Entries {
				got[e.DN] = demo.Attributes{}
				for _, a := range e.Attributes {
					got[e.DN][a.Name] = a.Values
				}
			}
			if len(r.Entries) != len(got) {
				t.Errorf("pages of %d: %d entries, %d of them different", size, len(r.Entries), len(got))
			}
			wantSame(t, "go-ldap in pages", got, want)
		}
		_, err := d.Change()
		must(t, err)
	}
}

func TestLdapsearchReadsTheRootDSE(t *testing.T) {
	d := demo.NewDirectory(1)
	dse := ldapsearch(t, serve(t, d), "-b", "", "-s", "base", "+")[""]
	if !slices.Equal(dse["namingContexts"], []string{demo.Base}) || !slices.Contains(dse["supportedControl"], ldap.ControlTypePaging) ||
		!slices.Equal(dse["supportedLDAPVersion"], []string{"3"}) || len(dse["vendorName"]) != 1 || dse["objectClass"] != nil {
		t.Errorf("%v", dse)
	}
}
