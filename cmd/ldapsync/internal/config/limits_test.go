package config

import (
	"strings"
	"testing"
	"time"
)

func TestLimits(t *testing.T) {
	c := mustLoad(t, src(", limits: {window: 12h, users: {percent: 2.5%}, staff: {count: 0, percent: 0}, attributes: off}"))
	l := c.Source("a").Limits
	if l.Window != 12*time.Hour || l.Users != (Limit{Count: 5, Percent: 2.5, Most: 500, All: 5, On: true}) {
		t.Errorf("what isn't named keeps its default: %+v", l)
	}
	if l.Staff != (Limit{Most: 500, All: 2, On: true}) || l.Attributes.On || !l.Groups.On {
		t.Errorf("zero is a number, off isn't one: %+v", l)
	}
	if names, all := l.Off(); all || strings.Join(names, " ") != "attributes" {
		t.Errorf("off: %v, %t", names, all)
	}
	for _, off := range []string{src(", limits: off"), src(", limits: false"), src(", limits: {users: {count: 1}}")} {
		c := mustLoad(t, off, "LDAP_SYNC_LIMITS=off")
		if _, all := c.Source("a").Limits.Off(); !all {
			t.Errorf("%s isn't off", off)
		}
	}
}

// TestLimitsPrint: what config prints is what the file has.
func TestLimitsPrint(t *testing.T) {
	for _, c := range []struct{ limits, want string }{
		{"{users: {count: 20}, deactivated: off}", "    limits:\n      window: 24h0m0s\n      users: {count: 20, percent: 5, most: 500, all: 5}\n"},
		{"{users: {percent: 0.5}, deactivated: off}", "      users: {count: 5, percent: 0.5, most: 500, all: 5}\n"},
		{"{deactivated: off}", "      deactivated: off\n"},
		{"off", "    limits: off\n"},
	} {
		before := mustLoad(t, src(", limits: "+c.limits))
		text, err := before.Print()
		if err != nil || !strings.Contains(text, c.want) {
			t.Errorf("%s: %v\n%s", c.limits, err, text)
		}
		after := mustLoad(t, text)
		if names, all := before.Source("a").Limits.Off(); !all {
			if after.Source("a").Limits != before.Source("a").Limits {
				t.Errorf("%s: %+v (off %v), printed and read: %+v", c.limits, before.Source("a").Limits, names, after.Source("a").Limits)
			}
		} else if _, still := after.Source("a").Limits.Off(); !still {
			t.Errorf("%s: printed and read, something is on: %+v", c.limits, after.Source("a").Limits)
		}
	}
}

func TestRemoval(t *testing.T) {
	c := mustLoad(t, src(", users: {filter: (cn=*)}")+`targets:
  t:
    users: {attributes: {uid: username}}
    removal: {scope: all, exclude: [admin, "svc-*"], grace: 7d, missing: deactivate, callbacks: [deactivate, delete],
      delete: {after: 30d, references: {shop_order.customer_id: set_null, shop.invoice.user_id: cascade}}}
`)
	r := c.Target("t").Removal
	if r.Scope != ScopeAll || len(r.Exclude) != 2 || r.Grace != 7*24*time.Hour || r.Missing != MissingDeactivate || r.Delete.After != 30*24*time.Hour {
		t.Errorf("%+v", r)
	}
	if r.Delete.References["shop_order.customer_id"] != "set_null" || r.Delete.References["shop.invoice.user_id"] != "cascade" {
		t.Errorf("%+v", r.Delete)
	}
	if c.Grace("a") != r.Grace || c.Grace("nowhere") != 0 {
		t.Errorf("grace %s", c.Grace("a"))
	}
	env := mustLoad(t, src(", users: {filter: (cn=*)}"), "LDAP_SYNC_USER_ATTRIBUTES={\"uid\": \"username\"}", "LDAP_SYNC_REMOVAL_SCOPE=all", "LDAP_SYNC_REMOVAL_EXCLUDE=admin, svc-*",
		"LDAP_SYNC_REMOVAL_GRACE=7d", "LDAP_SYNC_REMOVAL_MISSING=deactivate", "LDAP_SYNC_REMOVED_USER_CALLBACKS=deactivate,delete", "LDAP_SYNC_DELETE_AFTER=30d",
		`LDAP_SYNC_DELETE_REFERENCES={"shop_order.customer_id": "set_null", "shop.invoice.user_id": "cascade"}`).Target("default").Removal
	printed := func(r Removal) string {
		return strings.Join(r.Exclude, " ") + r.Scope + r.Missing + r.Grace.String() + r.Delete.After.String()
	}
	if printed(env) != printed(r) || env.Delete.References["shop_order.customer_id"] != "set_null" {
		t.Errorf("from the environment: %+v", env)
	}
}
