package django

import (
	"strings"
	"testing"
)

func TestReferenceRules(t *testing.T) {
	m := &Model{Users: &Table{Name: "auth_user"}, Own: []Referrer{{"public", "django_admin_log", "user_id"}},
		Membership: &Join{Schema: "public", Name: "auth_user_groups", User: "user_id"}}
	order := Referrer{"public", "shop_order", "owner_id"}
	there := Referrer{"crm", "note", "author"}
	keys := []ForeignKey{
		{Referrer: order, Target: "id"}, {Referrer: order, Target: "id"}, // the same twice, as old databases have it
		{Referrer: there, Target: "id", Nullable: true}, {Referrer: Referrer{"public", "note", "author"}, Target: "id", Nullable: true},
		{Referrer: Referrer{"public", "visit", "tenant"}, Target: "tenant", Part: true},
		{Referrer: m.Own[0], Target: "id"}, {Referrer: Referrer{"public", "auth_user_groups", "user_id"}, Target: "id"},
	}
	rules, found := m.ReferenceRules(map[string]string{"public.shop_order.owner_id": "cascade", "crm.note.author": "set_null", "visit.tenant": "refuse"}, keys)
	if len(found) > 0 || len(rules) != 4 || rules[order] != Cascade || rules[there] != SetNull || rules[keys[3].Referrer] != Refuse {
		t.Errorf("%v, %v", rules, found)
	}
	if rules, found = m.ReferenceRules(map[string]string{"shop_order.owner_id": "cascade"}, keys); len(found) > 0 || rules[order] != Cascade {
		t.Errorf("%v, %v", rules, found)
	}
	for setting, want := range map[string]string{
		"note.author=set_null":              "several schemas",
		"visit.tenant=cascade":              "key of several",
		"visit.tenant=set_null":             "key of several",
		"auth_user_groups.user_id=cascade":  "Django's own",
		"shop_order.owner_id=":              "none of cascade",
		"public.shop_order.owner_id=Refuse": "none of cascade",
		"other.shop_order.owner_id=refuse":  "no column other.shop_order.owner_id",
	} {
		name, rule, _ := strings.Cut(setting, "=")
		rules, found := m.ReferenceRules(map[string]string{name: rule}, keys)
		if len(found) != 1 || !strings.Contains(found[0].What, want) {
			t.Errorf("%s: %+v", setting, found)
		}
		for r, rule := range rules {
			if rule != Refuse {
				t.Errorf("%s: %v has the rule %s", setting, r, rule)
			}
		}
	}
	if _, found := (&Model{Users: m.Users}).ReferenceRules(map[string]string{"x.y": "refuse"}, nil); len(found) != 1 || !strings.Contains(found[0].Hint, "leave it out") {
		t.Errorf("%+v", found)
	}
}
