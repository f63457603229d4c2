package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"ldapsync/internal/fault"
)

// The exit codes. 1 is anything else that failed.
const (
	codeDone        = 0
	codeFailed      = 1
	codeUsage       = 2
	codeDifference  = 3 // a dry run, or verify, found one
	codeLeftovers   = 4 // done, but something is held, retrying, or (with --strict) skipped
	codeDirectory   = 5
	codeDatabase    = 6
	codeStream      = 7
	codeInterrupted = 130
)

// exit ends the program with a code and without a message: everything was said.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// stopped is an error for which the program ends as where something is held: a person has to look first.
type stopped struct{ error }

func (s stopped) Unwrap() error { return s.error }

// code shows an error, if there is one, and returns its exit code.
func (a *app) code(ctx context.Context, err error) int {
	var e exit
	switch {
	case err == nil:
		return codeDone
	case errors.As(err, &e):
		return int(e)
	case ctx.Err() != nil && (errors.Is(err, context.Canceled) || a.interruptible):
		fmt.Fprintln(a.stderr, "ldapsync: interrupted")
		return codeInterrupted
	}
	class, hint := fault.Of(err)
	fmt.Fprintf(a.stderr, "ldapsync: %s\n", oneLine(err.Error()))
	if hint != "" {
		fmt.Fprintf(a.stderr, "  hint: %s\n", oneLine(hint))
	}
	if errors.As(err, &stopped{}) {
		return codeLeftovers
	}
	return codeOf(class)
}

func codeOf(class fault.Class) int {
	switch class {
	case fault.Usage:
		return codeUsage
	case fault.Directory:
		return codeDirectory
	case fault.Database:
		return codeDatabase
	case fault.Stream:
		return codeStream
	}
	return codeFailed
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// usage makes an error one about the command line.
func usage(hint, format string, args ...any) error {
	return fault.New(fault.Usage, hint, format, args...)
}
