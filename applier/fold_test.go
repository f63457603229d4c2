package applier

import "testing"

func TestFold(t *testing.T) {
	same := [][2]string{
		{"ada", "ada"}, {"ADA.Lovelace", "ada.lovelace"}, {"MÜLLER", "müller"}, {"Straße", "STRASSE"}, {"ﬁ", "FI"}, {"e\u0301", "É"},
		{"Ａda", "ada"}, {"ΣΊΣΥΦΟΣ", "σίσυφος"}, {"K", "k"},
	}
	for _, s := range same {
		if Fold(s[0]) != Fold(s[1]) {
			t.Errorf("Fold(%q) = %q, Fold(%q) = %q", s[0], Fold(s[0]), s[1], Fold(s[1]))
		}
	}
	for _, s := range [][2]string{{"ada", "adа"}, {"muller", "müller"}, {"a b", "ab"}} {
		if Fold(s[0]) == Fold(s[1]) {
			t.Errorf("Fold(%q) = Fold(%q)", s[0], s[1])
		}
	}
	if s := Fold("ﬀ Ǆ"); Fold(s) != s {
		t.Errorf("Fold(%q) = %q: folding twice differs", s, Fold(s))
	}
}
