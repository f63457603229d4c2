package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// TestWhatReadsHistoryLooksAgain: a history that is cut meanwhile is read again as long as nothing was printed, and not for ever.
func TestWhatReadsHistoryLooksAgain(t *testing.T) {
	cut := fmt.Errorf("the history %w", proto.ErrCut)
	var stdout, stderr bytes.Buffer
	a := &app{stdout: &stdout, stderr: &stderr}
	read := func(cuts int, before string) (n int, err error) {
		err = a.lookAgain(t.Context(), func() error {
			fmt.Fprint(a.stdout, before)
			if n++; n <= cuts {
				return cut
			}
			fmt.Fprintf(a.stdout, "done")
			return nil
		})
		return n, err
	}
	if n, err := read(2, ""); n != 3 || err != nil || stdout.String() != "done" {
		t.Errorf("%d times: %v, %q", n, err, &stdout)
	}
	if n, err := read(looks, ""); n != looks || !errors.Is(err, proto.ErrCut) {
		t.Errorf("cut again and again: %d times: %v", n, err)
	}
	n, err := read(1, "half")
	if class, hint := fault.Of(err); n != 1 || class != fault.Stream || hint == "" || !errors.Is(err, proto.ErrCut) || !strings.HasPrefix(err.Error(), "what was printed isn't all") {
		t.Errorf("half printed: %d times: %v", n, err)
	}
	if a.stdout != &stdout {
		t.Error("the output stayed another")
	}
}
