package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// settings say what is measured.
type settings struct {
	Sizes []int `json:"sizes"` // numbers of users, ascending
	Runs  int   `json:"runs"`  // of everything; medians count

	profile string // directory for profiles; "": none are made
}

// least is the smallest directory that says anything.
const least = 1000

// settingsOf reads them from the environment.
func settingsOf(lookup func(string) (string, bool)) (settings, error) {
	s := settings{Runs: 3}
	n := 100_000
	for name, to := range map[string]*int{"N": &n, "RUNS": &s.Runs} {
		if v, _ := lookup(name); v != "" {
			var err error
			if *to, err = strconv.Atoi(v); err != nil || *to < 1 {
				return s, fmt.Errorf("%s=%s: must be a number above 0", name, v)
			}
		}
	}
	s.Sizes = []int{n}
	if n/10 >= least {
		s.Sizes = []int{n / 10, n}
	}
	if v, _ := lookup("SIZES"); v != "" {
		s.Sizes = nil
		for _, field := range strings.Fields(v) {
			n, err := strconv.Atoi(field)
			if err != nil {
				return s, fmt.Errorf("SIZES=%s: must be numbers of users with spaces between", v)
			}
			s.Sizes = append(s.Sizes, n)
		}
	}
	before := least - 1
	for _, n := range s.Sizes {
		if n <= before {
			return s, fmt.Errorf("%d users: sizes must ascend, from %d on", n, least)
		}
		before = n
	}
	if v, _ := lookup("BENCH_PROFILE"); v != "" {
		var err error
		if s.profile, err = filepath.Abs(v); err != nil {
			return s, err
		}
	}
	return s, nil
}
