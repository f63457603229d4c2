package storetest

import (
	"ldapsync/applier"
	"ldapsync/proto"
)

const usernames = "SELECT id, username FROM auth_user ORDER BY id"

// renames writes new names for users that hire made, given as pairs of id and name, in one Write.
func (s *suite) renames(pks map[string]string, pairs ...string) {
	s.Helper()
	var changes []applier.Change
	for i := 0; i < len(pairs); i += 2 {
		changes = append(changes, s.set(proto.KindUser, pairs[i], pks[pairs[i]], map[string]any{"username": pairs[i+1]}))
	}
	s.write(proto.KindUser, changes...)
}

var renameCases = map[string]func(*suite){
	"NamesAreSwapped": func(s *suite) {
		pks := s.hire("ada", "bob")
		s.renames(pks, "ada", "bob", "bob", "ada")
		s.want(usernames, pks["ada"]+" | bob", pks["bob"]+" | ada")
		if l := s.links(proto.KindUser, "ada")["ada"]; l.Name != "bob" {
			s.Errorf("link: %+v", l)
		}
	},
	"NamesGoRound": func(s *suite) {
		pks := s.hire("ada", "bob", "eve")
		s.renames(pks, "ada", "bob", "bob", "eve", "eve", "ada")
		s.want(usernames, pks["ada"]+" | bob", pks["bob"]+" | eve", pks["eve"]+" | ada")
	},
	"NamesMoveDownAChain": func(s *suite) {
		pks := s.hire("ada", "bob", "eve")
		s.renames(pks, "ada", "bob", "bob", "eve", "eve", "new")
		s.want(usernames, pks["ada"]+" | bob", pks["bob"]+" | eve", pks["eve"]+" | new")
	},
	"OnlyTheCaseChanges": func(s *suite) {
		pks := s.hire("ada")
		s.renames(pks, "ada", "ADA")
		s.want(usernames, pks["ada"]+" | ADA")
	},
	"ANewUserTakesANameFreedInTheSameWrite": func(s *suite) {
		pks := s.hire("ada")
		s.write(proto.KindUser, s.create(proto.KindUser, "2", "ada", nil),
			s.set(proto.KindUser, "ada", pks["ada"], map[string]any{"username": "lovelace"}))
		s.want("SELECT username FROM auth_user ORDER BY id", "lovelace", "ada")
	},
	"GroupsSwapTheirNames": func(s *suite) {
		pks := s.found("a", "b")
		s.write(proto.KindGroup, s.set(proto.KindGroup, "a", pks["a"], map[string]any{"name": "b"}),
			s.set(proto.KindGroup, "b", pks["b"], map[string]any{"name": "a"}))
		s.want("SELECT id, name FROM auth_group ORDER BY id", pks["a"]+" | b", pks["b"]+" | a")
	},
}
