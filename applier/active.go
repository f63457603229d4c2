package applier

import "ldapsync/proto"

// The active column belongs to three: the directory's rule, the deactivate callback, and people. What sync took, sync gives back;
// what a person took stays taken.

// activity is what becomes of an account's active column.
type activity struct {
	value   any   // true, false or Keep
	written *bool // the link's ActiveWritten from now on
}

// decide returns it. l is the link so far (zero for a new or adopted account), isActive tells that the row is active. A link that
// says who deactivated the account is that of somebody who was gone and returns.
func decide(u *proto.User, l Link, isActive bool) activity {
	yes, no := true, false
	ours := l.DeactivatedBy == "sync" || l.ActiveWritten != nil && !*l.ActiveWritten
	switch {
	case u == nil || u.Active == nil:
		if l.DeactivatedBy == "sync" && !isActive {
			return activity{true, l.ActiveWritten}
		}
		return activity{Keep{}, l.ActiveWritten}
	case !*u.Active && isActive:
		return activity{false, &no}
	case *u.Active && !isActive && ours:
		return activity{true, &yes}
	case *u.Active && isActive:
		return activity{Keep{}, &yes}
	case !*u.Active && ours:
		return activity{Keep{}, &no} // the callback made it inactive, the rule keeps it so
	}
	return activity{Keep{}, l.ActiveWritten}
}

// begin is decide for a row that is made: true unless the rule says otherwise.
func begin(u *proto.User) activity {
	if u == nil || u.Active == nil {
		return activity{value: Keep{}}
	}
	return activity{*u.Active, u.Active}
}
