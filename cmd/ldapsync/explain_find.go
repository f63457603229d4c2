package main

import (
	"slices"
	"strings"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// finder finds the user that a person means: by id, else by DN, else by username, else by any value.
type finder struct {
	name      string
	usernames []string // the attributes that give it

	rank int // how well the best fit
	best []proto.StateEntry
}

const (
	byValue = 1 + iota
	byUsername
	byDN
	byID
)

// look takes one user.
func (f *finder) look(e proto.StateEntry) {
	rank := f.fits(e.User)
	if rank == 0 || rank < f.rank {
		return
	}
	if rank > f.rank {
		f.rank, f.best = rank, nil
	}
	if i := slices.IndexFunc(f.best, func(b proto.StateEntry) bool { return b.ID() == e.ID() }); i >= 0 {
		f.best[i] = e // the same, later
	} else if len(f.best) <= most {
		f.best = append(f.best, e)
	}
}

func (f *finder) fits(u *proto.User) int {
	rank := 0
	switch {
	case u.GetId() == f.name:
		return byID
	case strings.EqualFold(u.GetDn(), f.name):
		return byDN
	}
	for _, a := range u.GetAttributes() {
		for i, v := range a.GetValues() {
			if !strings.EqualFold(v, f.name) {
				continue
			}
			rank = max(rank, byValue)
			if i == 0 && slices.ContainsFunc(f.usernames, func(name string) bool { return strings.EqualFold(name, a.GetName()) }) {
				rank = byUsername
			}
		}
	}
	return rank
}

// found returns the one that fits best; nil if none does.
func (f *finder) found() (*proto.StateEntry, error) {
	switch len(f.best) {
	case 0:
		return nil, nil
	case 1:
		return &f.best[0], nil
	}
	var dns []string
	for _, e := range f.best[:min(len(f.best), 5)] {
		dns = append(dns, e.DN())
	}
	more := ""
	if len(f.best) > len(dns) {
		more = " and others"
	}
	return nil, fault.New(fault.Usage, "name one by its DN or id", "%s: that may be %s%s", f.name, printable(strings.Join(dns, "; ")), more)
}
