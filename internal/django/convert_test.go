package django

import (
	"strings"
	"testing"
	"time"

	"ldapsync/proto"
)

func table() *Table {
	columns := []Column{
		{Name: "username", Type: Text, MaxLength: 10, Unique: true, Declared: "varchar(10)"},
		{Name: "email", Type: Text, Declared: "varchar(254)", MaxLength: 254},
		{Name: "phone", Type: Text, Nullable: true},
		{Name: "is_active", Type: Bool, Declared: "boolean"},
		{Name: "floor", Type: Int, Min: -32768, Max: 32767, Declared: "smallint"},
		{Name: "rate", Type: Numeric, Precision: 5, Scale: 2},
		{Name: "weight", Type: Float},
		{Name: "born", Type: Date, Nullable: true},
		{Name: "seen", Type: Timestamp, Nullable: true},
		{Name: "badge", Type: UUID, Nullable: true},
		{Name: "photo", Type: Other, Declared: "bytea", Nullable: true},
	}
	return &Table{Kind: proto.KindUser, Name: "auth_user", Columns: columns, all: columns, active: 3, defaults: map[string]any{"floor": int64(7)}}
}

func TestConvert(t *testing.T) {
	day := time.Date(1815, 12, 10, 0, 0, 0, 0, time.UTC)
	moment := time.Date(2026, 11, 23, 3, 46, 33, 120000000, time.UTC)
	for _, c := range []struct {
		column      string
		value, want any
	}{
		{"username", " ada ", "ada"},
		{"username", "Ａda", "Ada"},
		{"username", "Ada", "Ada"},
		{"username", "ééééééaaaa", "ééééééaaaa"},
		{"email", "Ada@Example.COM", "Ada@Example.COM"},
		{"email", nil, ""},
		{"email", true, "true"},
		{"phone", nil, nil},
		{"phone", "", ""},
		{"phone", " x ", " x "},
		{"is_active", "TRUE", true},
		{"is_active", "no", false},
		{"is_active", false, false},
		{"floor", "-12", int64(-12)},
		{"floor", nil, int64(7)},
		{"floor", true, int64(1)},
		{"rate", "+012.50", "12.5"},
		{"rate", "-0.00", "0"},
		{"rate", ".5", "0.5"},
		{"weight", "70.50", "70.5"},
		{"born", "18151210", day},
		{"born", "1815-12-10", day},
		{"born", "18151210000000Z", day},
		{"seen", "20261123034633.12Z", moment},
		{"seen", "20261123044633,12+0100", moment},
		{"seen", "2026-11-23 03:46:33.12", moment},
		{"seen", "2026-11-23T04:46:33.120000001+01:00", moment},
		{"badge", "{0123ABCD-0000-1000-8000-00805F9B34FB}", "0123abcd-0000-1000-8000-00805f9b34fb"},
		{"badge", nil, nil},
	} {
		got, err := table().Convert(c.column, c.value)
		if err != nil || got != c.want {
			t.Errorf("Convert(%s, %v) = %v, %v; want %v", c.column, c.value, got, err, c.want)
		}
	}
}

func TestConvertRefuses(t *testing.T) {
	for _, c := range []struct {
		column string
		value  any
		want   string
	}{
		{"username", nil, "username: is empty"},
		{"username", "  ", "username: is empty"},
		{"username", "ada\x00", "username: contains a NUL"},
		{"username", "ad\xff", "username: isn't valid UTF-8"},
		{"username", "elevenchars", "username: is 11 characters long, the column holds 10"},
		{"username", "ﬃﬃﬃﬃ", "username: is 12 characters long, the column holds 10"},
		{"email", strings.Repeat("é", 255), "email: is 255 characters long, the column holds 254"},
		{"is_active", nil, "set a default"},
		{"is_active", "maybe", "is_active: isn't a boolean"},
		{"floor", "40000", "floor: is out of the column's range (smallint)"},
		{"floor", "99999999999999999999", "out of the column's range"},
		{"floor", "3.5", "isn't an integer"},
		{"rate", "1234", "doesn't fit 5 digits with 2 behind the point"},
		{"rate", "1.234", "doesn't fit"},
		{"rate", "1e3", "isn't a decimal number"},
		{"weight", "NaN", "isn't a number"},
		{"born", "10.12.1815", "isn't a date"},
		{"born", "20260231", "isn't a date"},
		{"seen", "yesterday", "isn't a time"},
		{"badge", "123", "isn't a UUID"},
		{"photo", "x", "can't be written"},
		{"shoe", "x", "no such column"},
	} {
		got, err := table().Convert(c.column, c.value)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Convert(%s, %.20v) = %v, %v; want an error with %q", c.column, c.value, got, err, c.want)
		}
	}
}

func TestGroupNamesKeepTheirForm(t *testing.T) {
	g := table()
	g.Kind = proto.KindGroup
	if got, err := g.Convert("username", " Ａda "); err != nil || got != "Ａda" {
		t.Errorf("Convert = %q, %v", got, err)
	}
}

func TestUnusablePassword(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		p := UnusablePassword()
		if len(p) != 41 || p[0] != '!' || strings.Trim(p[1:], passwordAlphabet) != "" || seen[p] {
			t.Fatalf("UnusablePassword() = %q", p)
		}
		seen[p] = true
	}
}

func TestRandomUUID(t *testing.T) {
	u := RandomUUID()
	if canonical, err := ParseUUID(u); err != nil || canonical != u || u[14] != '4' || u == RandomUUID() {
		t.Errorf("RandomUUID() = %q", u)
	}
}
