package export

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"ldapsync/proto"
)

// Format is how entries are written.
type Format string

// The formats.
const (
	LDIF  Format = "ldif"
	JSONL Format = "jsonl"
	CSV   Format = "csv"
)

// Formats are all of them.
func Formats() []Format { return []Format{LDIF, JSONL, CSV} }

// Config says what is written.
type Config struct {
	Format Format
	// Comment stands at the head of LDIF.
	Comment string
	// IDAttribute holds the id in LDIF. "" or a name in parentheses: the directory has no such attribute.
	IDAttribute string
	// GroupName are the attributes that groups are called by in CSV: the first one that a group has. Else its DN.
	GroupName []string
	// Raw writes values into CSV as they are, for programs. Default: false; what a spreadsheet would take for a formula gets a ' before it.
	Raw bool
}

// Written counts what was written.
type Written struct{ Users, Groups, Missing int }

// Write writes a state.
func Write(ctx context.Context, w io.Writer, c Config, state *proto.State) (Written, error) {
	buffered := bufio.NewWriterSize(w, 1<<16)
	var n Written
	var err error
	switch c.Format {
	case LDIF:
		n, err = writeLDIF(ctx, buffered, c, state)
	case JSONL:
		n, err = writeJSONL(ctx, buffered, state)
	case CSV:
		n, err = writeCSV(ctx, buffered, c, state)
	default:
		err = fmt.Errorf("format %q: none of %v", c.Format, Formats())
	}
	if err != nil {
		return n, err
	}
	return n, buffered.Flush()
}

func (n *Written) count(e *proto.StateEntry) {
	switch {
	case e.Missing:
		n.Missing++
	case e.Kind == proto.KindGroup:
		n.Groups++
	default:
		n.Users++
	}
}
