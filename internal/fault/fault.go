// Package fault is the one kind of error that people meet: what went wrong, in which of the systems, and what to do next.
//
// It promises that an error made here keeps its class and hint through any number of wraps. It decides nothing: only main
// turns a class into an exit code.
package fault

import (
	"errors"
	"fmt"
)

// Class says where a fault lies; main turns it into an exit code.
type Class int

// The classes.
const (
	Failed    Class = iota // anything else
	Usage                  // the command line or the configuration
	Directory              // the LDAP server, or the way to it
	Database               // Django's database
	Stream                 // NATS JetStream, or the state directory
)

// Error is a fault with its hint. Its text is one line, lower case, and names the thing.
type Error struct {
	Class     Class
	Err       error
	Hint      string // what to do next; may be empty
	Permanent bool   // retrying can't mend it: credentials, filter, base, certificate, missing tables
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New returns a permanent fault.
func New(class Class, hint, format string, args ...any) *Error {
	return &Error{Class: class, Err: fmt.Errorf(format, args...), Hint: hint, Permanent: true}
}

// Passing returns a fault that may go away by itself: a refused connection, a time-out.
func Passing(class Class, hint, format string, args ...any) *Error {
	return &Error{Class: class, Err: fmt.Errorf(format, args...), Hint: hint}
}

// Of returns the class and hint of the outermost fault in err's chain: (Failed, "") where there is none.
func Of(err error) (Class, string) {
	var e *Error
	if errors.As(err, &e) {
		return e.Class, e.Hint
	}
	return Failed, ""
}

// IsPermanent tells whether retrying can't mend err: it is a fault that says so.
func IsPermanent(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Permanent
}
