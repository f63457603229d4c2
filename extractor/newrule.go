package extractor

import "ldapsync/proto"

// Where no rule gave a flag so far, the stream says of nobody whether she has it, and accounts may well have it: people gave it to them by hand, or a rule did that was
// off for a while. A rule that begins to decide about it takes it from all whom it doesn't match. That is what it is for, unless it matches nobody at all: then its group
// is probably the wrong one, or its attribute misspelled, and everybody counts as losing the flag.

// MatchesNobody is in the reason of a hold whose users would lose a flag by a rule that is new, or on again, and matches nobody. Which of them have the flag only the
// targets know.
const MatchesNobody = "is new or on again and matches nobody"

// flagged counts the users of a listing who have staff and superuser, by the numbers of the flags.
type flagged [3]int

func (f *flagged) add(u *proto.User) {
	for i := flagStaff; i <= flagSuperuser; i++ {
		if flagOf(u, i) {
			f[i]++
		}
	}
}

// mayLose tells whether a user, of whom the stream didn't say whether she has flag number i, hasn't got it by a rule that gives it to nobody.
func (p *pass) mayLose(i int, u, was *proto.User) bool {
	return p.flagged[i] == 0 && !flagOf(u, i) && saysOf(was, i) == nil && saysOf(u, i) != nil
}

// saysOf is what the stream says of flag number i, staff or superuser, of a user; nil if nothing.
func saysOf(u *proto.User, i int) *bool {
	if i == flagStaff {
		return u.Staff
	}
	return u.Superuser
}

// loses tells whether a changed user loses flag number i, staff or superuser, or may lose it.
func (p *pass) loses(i int, u, was *proto.User) bool {
	return flagOf(was, i) && !flagOf(u, i) || p.mayLose(i, u, was)
}

// aboutRule is what to know of the rule behind the losses of a respect, for people; "" if there is nothing.
func (p *pass) aboutRule(r respect) string {
	i := flagStaff
	switch r.change {
	case proto.ChangeStaff:
	case proto.ChangeSuperuser:
		i = flagSuperuser
	default:
		return ""
	}
	switch {
	case p.census.unsaid[i] > 0:
		return "; flags." + flagNames[i] + " " + MatchesNobody
	case p.cfg.Flags.rules()[i] == nil:
		return "; there is no flags." + flagNames[i] + " any more: accounts keep what they have"
	}
	return ""
}
