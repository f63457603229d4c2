package applier

import (
	"fmt"
	"strings"
	"testing"

	"ldapsync/proto"
)

// plain has whatever columns, and takes every value as it is.
type plain []string

func (p plain) ColumnNames() []string                { return p }
func (p plain) ActiveColumn() int                    { return -1 }
func (p plain) Convert(_ string, v any) (any, error) { return v, nil }

func TestMapping(t *testing.T) {
	no := false
	u := &proto.User{Staff: &no, Attributes: []*proto.Attribute{
		{Name: "UID", Values: []string{" Ada ", "second"}},
		{Name: "mail", Values: []string{"  "}},
		{Name: "other", Values: []string{"A@X"}},
		{Name: "uac", Values: []string{"514"}},
		{Name: "photo", Binary: [][]byte{{0xff}}},
		{Name: "title", Values: []string{"Engineer"}},
		{Name: "word", Values: []string{"many"}},
	}}
	for _, c := range []struct {
		field Field
		want  string
	}{
		{Field{From: []string{"uid"}}, " Ada "},
		{Field{From: []string{"uid"}, Trim: true, Upper: true}, "ADA"},
		{Field{From: []string{"uid"}, Trim: true, Lower: true}, "ada"},
		{Field{From: []string{"mail", "other"}, Trim: true}, "A@X"},
		{Field{From: []string{"none"}}, "<nil>"},
		{Field{From: []string{"none"}, Default: "d"}, "d"},
		{Field{From: []string{"photo"}}, "error: c: photo isn't text (it has a NUL or is no UTF-8)"},
		{Field{Flag: "staff"}, "false"},
		{Field{Flag: "superuser"}, "{}"},
		{Field{From: []string{"title"}, Bool: &Bool{Equals: []string{"engineer"}}}, "true"},
		{Field{From: []string{"none"}, Bool: &Bool{Equals: []string{"engineer"}}}, "false"},
		{Field{From: []string{"uac"}, Bool: &Bool{Bit: 2}}, "true"},
		{Field{From: []string{"uac"}, Bool: &Bool{NotBit: 2}}, "false"},
		{Field{From: []string{"none"}, Bool: &Bool{NotBit: 2}}, "<nil>"},
		{Field{From: []string{"word"}, Bool: &Bool{Bit: 2}}, "many"}, // for the table to refuse
	} {
		c.field.Column = "c"
		m, err := NewMapping(plain{"c"}, []Field{c.field})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if values, err := m.Values(u); err != nil {
			got = "error: " + err.Error()
		} else {
			got = fmt.Sprint(values[0])
		}
		if got != c.want {
			t.Errorf("%+v: %q, wanted %q", c.field, got, c.want)
		}
	}
}

func TestMappingIsRefused(t *testing.T) {
	for want, fields := range map[string][]Field{
		"not a column":   {{Column: "a"}, {Column: "x"}},
		"mapped twice":   {{Column: "a"}, {Column: "a"}},
		"nothing is map": {{Column: "b"}},
	} {
		if _, err := NewMapping(plain{"a", "b"}, fields); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", fields, err)
		}
	}
	one, _ := NewMapping(plain{"a"}, []Field{{Column: "a", From: []string{"x"}}})
	other, _ := NewMapping(plain{"a"}, []Field{{Column: "a", From: []string{"x"}, Trim: true}})
	if one.Hash() == other.Hash() {
		t.Error("two mappings have one hash")
	}
}
