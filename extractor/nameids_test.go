package extractor_test

import (
	"strings"
	"testing"

	"ldapsync/extractor"
	"ldapsync/proto"
)

// Where names are ids, another attribute for the name is another id for everybody.
func TestRule1AnotherNameAsIDIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(*env)
		refused string
	}{
		"another":          {func(e *env) { e.cfg.Username = []string{"mail"} }, "users were told by their uid so far and would be by their mail now"},
		"another before":   {func(e *env) { e.cfg.Username = []string{"mail", "uid"} }, "by their mail or uid now"},
		"another of group": {func(e *env) { e.cfg.GroupName = []string{"ou"} }, "groups were told by their cn so far and would be by their ou now"},
		"while unread": {func(e *env) {
			e.cfg.Users = false
			e.pass()
			e.cfg.Users, e.cfg.Username = true, []string{"mail"}
		}, "users were told by their uid"},
		"one behind": {func(e *env) { e.cfg.Username = []string{"uid", "mail"} }, ""},
		"spelling":   {func(e *env) { e.cfg.Username = []string{"UID"} }, ""},
		"a real id":  {func(e *env) { e.id = "entryUUID" }, "entries were told by their (username) so far"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			e.id = ""
			e.hire("ada", "bob")
			e.team("all", "ada", "bob")
			e.pass()
			test.change(e)
			last := e.last()
			_, err := e.extractor().Pass(t.Context(), extractor.Options{})
			if test.refused == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.refused) || e.last() != last {
				t.Errorf("%v, %d events", err, e.last()-last)
			}
			if _, err := e.extractor().Preview(t.Context(), false, func(proto.Event) error { return nil }); err == nil {
				t.Error("previewed")
			}
		})
	}
}
