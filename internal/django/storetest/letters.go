package storetest

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/internal/django"
	"ldapsync/proto"
)

// letter is a letter of the applier.
func letter(id, name string, parked bool) *applier.Letter {
	return &applier.Letter{
		Source: source, Kind: proto.KindUser, ID: id, DN: "cn=" + id, Parked: parked, Name: name, Reason: "no room", Sequence: 5,
		Entry: []byte{0, 1, 0xff}, Since: day,
	}
}

// post writes letters.
func (s *suite) post(letters ...*applier.Letter) {
	s.Helper()
	for _, l := range letters {
		s.write(l.Kind, applier.Change{Action: applier.Park, Source: l.Source, ID: l.ID, Letter: l})
	}
}

// letters reads letters by their ids; source and kind of q need not be given.
func (s *suite) letters(q applier.LetterQuery) map[string]applier.Letter {
	s.Helper()
	if q.Source == "" {
		q.Source = source
	}
	if q.Kind == "" {
		q.Kind = proto.KindUser
	}
	found := map[string]applier.Letter{}
	s.view(func(r applier.Reader) error {
		letters, err := r.Letters(s.Context(), q)
		for _, l := range letters {
			if _, twice := found[l.ID]; twice {
				s.Errorf("letter %s came twice", l.ID)
			}
			l.Since = l.Since.UTC()
			found[l.ID] = l
		}
		return err
	})
	return found
}

func (s *suite) wantLetters(q applier.LetterQuery, ids ...string) {
	s.Helper()
	if got := slices.Sorted(maps.Keys(s.letters(q))); !slices.Equal(got, ids) {
		s.Errorf("letters %+v: %v, want %v", q, got, ids)
	}
}

var letterCases = map[string]func(*suite){
	"LettersComeBackWhole": func(s *suite) {
		l := letter("ada", "ada", true)
		s.post(l)
		if got := s.letters(applier.LetterQuery{IDs: []string{"ada"}})["ada"]; !reflect.DeepEqual(got, *l) {
			s.Errorf("\n got %+v\nwant %+v", got, *l)
		}
		l.Parked, l.Name, l.Reason, l.Sequence, l.Entry, l.DN, l.Since = false, "", "other", 1<<62, []byte("new"), "cn=new", day.AddDate(0, 0, 1)
		s.post(l)
		if got := s.letters(applier.LetterQuery{All: true})["ada"]; !reflect.DeepEqual(got, *l) {
			s.Errorf("\n got %+v\nwant %+v", got, *l)
		}
	},
	"LettersAreSelected": func(s *suite) {
		group, lab := letter("g", "x", false), letter("lab", "x", false)
		group.Kind, lab.Source = proto.KindGroup, "lab"
		s.post(letter("1", "x", true), letter("2", "x", true), letter("3", "y", false), letter("4", "", false), group, lab)
		s.wantLetters(applier.LetterQuery{All: true, Limit: 2}, "1", "2")
		s.wantLetters(applier.LetterQuery{All: true, Limit: 2, After: "2"}, "3", "4")
		s.wantLetters(applier.LetterQuery{All: true, Limit: 2, After: "4"})
		s.wantLetters(applier.LetterQuery{All: true}, "1", "2", "3", "4")
		s.wantLetters(applier.LetterQuery{IDs: []string{"3", "nobody", "3"}}, "3")
		s.wantLetters(applier.LetterQuery{Names: []string{"x", "x"}}, "1", "2")
		s.wantLetters(applier.LetterQuery{IDs: []string{"1", "4"}, Names: []string{"x"}}, "1", "2", "4")
		s.wantLetters(applier.LetterQuery{Names: []string{""}})
		s.wantLetters(applier.LetterQuery{Kind: proto.KindGroup, All: true}, "g")
		s.wantLetters(applier.LetterQuery{Source: "lab", Names: []string{"x"}}, "lab")
		s.wantLetters(applier.LetterQuery{})
	},
	"LettersAreDropped": func(s *suite) {
		group := letter("1", "x", false)
		group.Kind = proto.KindGroup
		s.post(letter("1", "x", true), letter("2", "x", true), group)
		c := s.create(proto.KindUser, "1", "x", nil)
		c.DropLetter = true
		s.write(proto.KindUser, c)
		s.wantLetters(applier.LetterQuery{All: true}, "2")
		s.wantLetters(applier.LetterQuery{Kind: proto.KindGroup, All: true}, "1")
	},
	"CallbacksLettersAreNotTheAppliers": func(s *suite) {
		u := s.hire("ada")
		s.write(proto.KindUser, gone("ada", u["ada"], 9))
		s.post(letter("ada", "ada", false))
		s.fail(callbacks.Deactivate, "ada", day)
		if l := s.letters(applier.LetterQuery{All: true})["ada"]; l.Reason != "no room" {
			s.Errorf("the applier's letter: %+v", l)
		}
		s.wantLetters(applier.LetterQuery{Names: []string{"ada"}}, "ada")
		s.write(proto.KindUser, applier.Change{Source: source, ID: "ada", DropLetter: true})
		if due := s.due(callbacks.Deactivate, day.AddDate(0, 0, -1)); len(due) != 0 {
			s.Errorf("the callback's letter went with the applier's: due %v", due)
		}
	},
	"CommandsListLetters": func(s *suite) {
		u := s.hire("ada")
		s.write(proto.KindUser, gone("ada", u["ada"], 9))
		young := letter("young", "young", true)
		young.Since = day.AddDate(0, 0, 1)
		lab := letter("lab", "x", false)
		lab.Source, lab.Since = "lab", day.AddDate(0, 0, -1)
		s.post(young, letter("old", "", false), lab)
		s.fail(callbacks.Delete, "ada", day)
		s.wantListed(django.LetterFilter{Stage: django.StageApply}, 0, "apply lab", "apply old", "apply young parked")
		s.wantListed(django.LetterFilter{Stage: django.StageApply}, 2, "apply lab", "apply old")
		s.wantListed(django.LetterFilter{Source: source, Kind: proto.KindUser, ID: "young"}, 0, "apply young parked")
		list := s.wantListed(django.LetterFilter{Stage: callbacks.Delete}, 0, "delete ada")
		if l := list[0]; l.Attempts != 1 || !l.NextAt.Equal(day) || l.Sequence != 9 || l.Reason != "in the way" {
			s.Errorf("letter: %+v", l)
		}
		stats, err := s.Store.Stats(s.Context())
		if err != nil || len(stats) != 2 || stats[0].Source != source || stats[0].Dead != 1 || stats[0].Parked != 1 || stats[0].Retrying != 1 ||
			stats[0].Users["gone"] != 1 || stats[1].Dead != 1 {
			s.Errorf("stats: %+v, %v", stats, err)
		}
		if n, err := s.Store.RetryLetters(s.Context(), django.LetterFilter{Stage: callbacks.Delete}); n != 1 || err != nil {
			s.Errorf("retry: %d, %v", n, err)
		}
		for range 2 { // said twice, it stands there once
			if n, err := s.Store.RetryLetters(s.Context(), django.LetterFilter{Stage: django.StageApply, ID: "old"}); n != 1 || err != nil {
				s.Errorf("retry: %d, %v", n, err)
			}
		}
		if l := s.letters(applier.LetterQuery{IDs: []string{"old"}})["old"]; l.Reason != "due again: no room" {
			s.Errorf("retried: %+v", l)
		}
		if n, err := s.Store.DropLetters(s.Context(), django.LetterFilter{Source: source, Stage: django.StageApply}); n != 2 || err != nil {
			s.Errorf("drop: %d, %v", n, err)
		}
		s.wantLetters(applier.LetterQuery{All: true})
		s.wantLetters(applier.LetterQuery{Source: "lab", All: true}, "lab")
	},
}

func (s *suite) wantListed(f django.LetterFilter, limit int, want ...string) []django.Letter {
	s.Helper()
	list, err := s.Store.Letters(s.Context(), f, limit)
	var got []string
	for _, l := range list {
		line := l.Stage + " " + l.ID
		if l.Parked {
			line += " parked"
		}
		got = append(got, line)
	}
	if err != nil || !slices.Equal(got, want) {
		s.Fatalf("letters %+v: %v, %v; want %v", f, fmt.Sprintf("%q", got), err, want)
	}
	return list
}
