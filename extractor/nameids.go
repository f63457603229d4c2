package extractor

import (
	"fmt"
	"strings"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// nameIDs puts into a question by which attributes entries are told where their names are their ids. What isn't read keeps those it was told by.
func (e *Extractor) nameIDs(question, was *proto.Question) {
	question.UserNames, question.GroupNames = was.GetUserNames(), was.GetGroupNames()
	if e.cfg.Users {
		question.UserNames = folded(e.cfg.Username)
	}
	if e.cfg.Groups {
		question.GroupNames = folded(e.cfg.GroupName)
	}
}

func folded(names []string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = strings.ToLower(name)
	}
	return all
}

// sameNames refuses a pass in which names that are ids would be taken from other attributes. One more, or one less, behind those that stay gives nobody
// another id. A stream of an earlier version doesn't tell which they were: then nothing can be refused.
func (p *pass) sameNames() error {
	for _, n := range []struct {
		kind    proto.Kind
		was, is []string
		setting string
	}{
		{proto.KindUser, p.state.question.GetUserNames(), p.question.GetUserNames(), "LDAP_SYNC_USER_ATTRIBUTES"},
		{proto.KindGroup, p.state.question.GetGroupNames(), p.question.GetGroupNames(), "LDAP_SYNC_GROUP_ATTRIBUTES"},
	} {
		if p.state.kinds[n.kind].live == 0 || begin(n.was, n.is) {
			continue
		}
		was, is := strings.Join(n.was, " or "), strings.Join(n.is, " or ")
		return fault.New(fault.Usage, fmt.Sprintf("take the name of %ss from %s again (%s)", n.kind, was, n.setting),
			"%ss were told by their %s so far and would be by their %s now: everybody would be somebody else", n.kind, was, is)
	}
	return nil
}

// begin tells whether two lists are the same as far as both go.
func begin(a, b []string) bool {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
