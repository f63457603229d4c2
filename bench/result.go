package main

import (
	"fmt"
	"slices"
)

// results are what a run of this program found.
type results struct {
	Settings settings `json:"settings"`
	Machine  machine  `json:"machine"`
	Sizes    []*size  `json:"sizes"`
	Rows     []row    `json:"rows"` // the table, of all sizes
}

// size is what was measured with one number of users.
type size struct {
	Users    int                  `json:"users"`
	Groups   int                  `json:"groups"`
	Rows     int64                `json:"rows"` // that a first load writes: users, groups, memberships, links
	Measured map[string]*measured `json:"measured"`

	UnchangedPublished int64 `json:"unchanged_published"` // entries that the passes with nothing changed published, all together
	UnchangedWritten   int64 `json:"unchanged_written"`   // and rows that they wrote, of Django's and of ours
}

// measured are the samples of one thing. Each figure's median is its own.
type measured struct {
	Median  sample   `json:"median"`
	Samples []sample `json:"samples"`
}

// row is one line of the table.
type row struct {
	Users   int     `json:"users"`
	What    string  `json:"what"`
	Got     float64 `json:"got"`
	Unit    string  `json:"unit,omitempty"` // of Got; "" for a ratio of times
	Floor   string  `json:"floor,omitempty"`
	Wanted  string  `json:"wanted,omitempty"`
	Reached *bool   `json:"reached,omitempty"` // absent: nothing is wanted at this size
}

func (s *size) median(name string) sample { return s.Measured[name].Median }

func median(samples []sample) sample {
	of := func(figure func(sample) float64) float64 {
		values := make([]float64, len(samples))
		for i, s := range samples {
			values[i] = figure(s)
		}
		slices.Sort(values)
		if n := len(values); n%2 == 0 {
			return (values[n/2-1] + values[n/2]) / 2
		}
		return values[len(values)/2]
	}
	return sample{
		Wall: of(func(s sample) float64 { return s.Wall }), CPU: of(func(s sample) float64 { return s.CPU }),
		RSS:   of(func(s sample) float64 { return s.RSS }),
		Slapd: of(func(s sample) float64 { return s.Slapd }), Postgres: of(func(s sample) float64 { return s.Postgres }),
	}
}

// million is the size at which absolute figures are wanted.
const million = 1_000_000

// judge makes the table.
func (r *results) judge() {
	for _, s := range r.Sizes {
		r.Rows = append(r.Rows, s.rows()...)
	}
	if len(r.Sizes) < 2 {
		return
	}
	// Of the biggest, against a tenth of it where that was measured, else against the smallest.
	large := r.Sizes[len(r.Sizes)-1]
	small := r.Sizes[0]
	for _, s := range r.Sizes {
		if s.Users*10 == large.Users {
			small = s
		}
	}
	speed := func(s *size) float64 { return float64(s.Users) / s.median(firstLoad).Wall }
	scaling := row{Users: large.Users, What: fmt.Sprintf("first load, users a second at %s ÷ at %s", thousands(large.Users), thousands(small.Users)),
		Got: speed(large) / speed(small), Wanted: "≥ 0.85"}
	if large.Users == million && small.Users == million/10 {
		scaling.reach(scaling.Got >= 0.85)
	} else {
		scaling.Wanted += " at 1,000,000 ÷ 100,000"
	}
	r.Rows = append(r.Rows, scaling)
}

func (r *row) reach(ok bool) { r.Reached = &ok }

// rows are the lines of one size.
func (s *size) rows() []row {
	slower := readFloor
	if s.median(writeFloor).Wall > s.median(readFloor).Wall {
		slower = writeFloor
	}
	rows := []row{
		s.ratio("extract alone, to nowhere", extraction, readFloor, 1.25),
		s.ratio("apply alone, first load", applying, writeFloor, 2),
		s.ratio("whole pass, first load", firstLoad, slower, 2.5),
		s.ratio("whole pass, nothing changed", unchanged, readFloor, 1.4),
		s.ratio("whole pass, 1 % changed", changedOne, readFloor, 1.6),
		s.ratio("replay into an empty database", replaying, writeFloor, 2.5),
		s.verified(),
	}
	nothing := func(what string, n int64) row {
		r := row{Users: s.Users, What: "nothing changed: " + what, Got: float64(n), Unit: "in all", Wanted: "0"}
		r.reach(n == 0)
		return r
	}
	memory := func(of string, limit float64) row {
		r := row{Users: s.Users, What: "peak memory, " + of, Got: s.median(of).RSS, Unit: "MiB", Wanted: fmt.Sprintf("≤ %.0f", limit)}
		if s.Users == million {
			r.reach(r.Got <= limit)
		} else {
			r.Wanted += " at 1,000,000"
		}
		return r
	}
	speed := row{Users: s.Users, What: "first load, users a second", Got: float64(s.Users) / s.median(firstLoad).Wall, Unit: "users/s"}
	if s.Users == million {
		speed.Wanted = "all in well under a minute"
		speed.reach(s.median(firstLoad).Wall < 50)
	}
	return append(rows, nothing("entries published", s.UnchangedPublished), nothing("rows written", s.UnchangedWritten),
		memory(firstLoad, 300), memory(unchanged, 200), speed)
}

// verified compares verification with a plain read. Of few users, starting the stream's server takes a good part of the time.
func (s *size) verified() row {
	r := s.ratio("verify, no difference", verifying, tableFloor, 2)
	if s.Users < million {
		r.Wanted, r.Reached = r.Wanted+" at 1,000,000", nil
	}
	return r
}

// ratio compares the times that two things take by the clock.
func (s *size) ratio(what, of, floor string, wanted float64) row {
	r := row{Users: s.Users, What: what, Floor: floor, Wanted: fmt.Sprintf("≤ %v ×", wanted)}
	r.Got = s.median(of).Wall / s.median(floor).Wall
	r.reach(r.Got <= wanted)
	return r
}

// thousands writes a number with a comma for each three digits.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
