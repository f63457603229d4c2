package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestDirectoryIsTheSameEachTime(t *testing.T) {
	var first, second bytes.Buffer
	if err := errors.Join(writeDirectory(&first, 1000), writeDirectory(&second, 1000)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two directories of the same size differ")
	}
	for what, want := range map[string]int{"\nuid: ": 1000, "\nobjectClass: groupOfNames\n": 5, "\nmember: ": 1000} {
		if n := strings.Count(first.String(), what); n != want {
			t.Errorf("%q is there %d times, not %d", what, n, want)
		}
	}
	if !strings.Contains(first.String(), "\nsn:: ") {
		t.Error("no name needs more than ASCII")
	}
	for line := range strings.Lines(first.String()) {
		if strings.ContainsFunc(line, func(r rune) bool { return r > '~' }) {
			t.Fatalf("not LDIF: %q", line)
		}
	}
}

func TestChangesAreOneInAHundred(t *testing.T) {
	var round0, round1 bytes.Buffer
	n, err := writeChanges(&round0, 1000, 0)
	m, err1 := writeChanges(&round1, 1000, 1)
	if err = errors.Join(err, err1); err != nil || n != 10 || m != 10 {
		t.Errorf("%d and %d changes, %v", n, m, err)
	}
	if strings.Contains(round1.String(), uid(0)) {
		t.Error("the same users change in each round")
	}
}

// sizeOf is a size whose medians are these times.
func sizeOf(users int, walls map[string]float64) *size {
	all := map[string]float64{readFloor: 1, extraction: 1.2, writeFloor: 2, checkedIn: 3, applying: 4, firstLoad: 5.2, unchanged: 1.3, changedOne: 1.5, tableFloor: 0.5, verifying: 2, replaying: 4.5}
	maps.Copy(all, walls)
	s := &size{Users: users, Groups: groupsFor(users), Measured: map[string]*measured{}}
	for name, wall := range all {
		samples := []sample{{Wall: wall * 9}, {Wall: wall}, {Wall: wall / 9}}
		s.Measured[name] = &measured{Median: median(samples), Samples: samples}
	}
	return s
}

func resultsOf(sizes ...*size) *results {
	r := &results{Settings: settings{Runs: 3}, Sizes: sizes}
	r.judge()
	return r
}

func TestJudge(t *testing.T) {
	r := resultsOf(sizeOf(100_000, nil), sizeOf(1_000_000, map[string]float64{firstLoad: 60, unchanged: 1.5}))
	r.Sizes[1].UnchangedWritten = 1
	r.Rows = nil
	r.judge()
	var got []string
	for _, row := range r.Rows {
		got = append(got, strings.Join(row.line(), "; "))
	}
	for _, want := range []string{
		"extract alone, to nowhere; ldapsearch; 1.20 ×; ≤ 1.25 ×; yes",
		"whole pass, first load; COPY; 2.60 ×; ≤ 2.5 ×; NO",
		"whole pass, first load; COPY; 30.00 ×; ≤ 2.5 ×; NO",
		"whole pass, nothing changed; ldapsearch; 1.50 ×; ≤ 1.4 ×; NO",
		"nothing changed: rows written; ; 1 in all; 0; NO",
		"nothing changed: entries published; ; 0 in all; 0; yes",
		"peak memory, first load; ; 0 MiB; ≤ 300 at 1,000,000; –",
		"peak memory, first load; ; 0 MiB; ≤ 300; yes",
		"first load, users a second; ; 16,667 users/s; all in well under a minute; NO",
		"first load, users a second at 1,000,000 ÷ at 100,000; ; 0.87; ≥ 0.85; yes",
	} {
		found := false
		for _, line := range got {
			found = found || line == want
		}
		if !found {
			t.Errorf("missing: %s", want)
		}
	}
	if t.Failed() {
		t.Log("\n" + strings.Join(got, "\n"))
	}
}

func TestPlotIsXML(t *testing.T) {
	for _, r := range []*results{resultsOf(sizeOf(100_000, nil)), resultsOf(sizeOf(10_000, nil), sizeOf(100_000, map[string]float64{firstLoad: 40}))} {
		plot := r.plot()
		if strings.Contains(plot, "NaN") || strings.Contains(plot, "Inf") {
			t.Error("a point has no place")
		}
		for d := xml.NewDecoder(strings.NewReader(plot)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestSettings(t *testing.T) {
	for _, c := range []struct {
		env  string
		want []int
	}{
		{"", []int{10_000, 100_000}},
		{"N=5000", []int{5000}},
		{"N=1000000", []int{100_000, 1_000_000}},
		{"SIZES=5000 20000", []int{5000, 20_000}},
		{"SIZES=20000 5000", nil},
		{"N=many", nil},
		{"RUNS=0", nil},
	} {
		name, value, _ := strings.Cut(c.env, "=")
		s, err := settingsOf(func(key string) (string, bool) {
			if key == name {
				return value, true
			}
			return "", false
		})
		if (err != nil) != (c.want == nil) || err == nil && !slices.Equal(s.Sizes, c.want) {
			t.Errorf("%s: %v, %v", c.env, s.Sizes, err)
		}
	}
}
