package postgres

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"ldapsync/internal/django"
)

// copyIn inserts n rows with COPY. row writes the values of row i, one for each of columns.
func (t *tx) copyIn(ctx context.Context, table string, columns []string, n int, row func(l *line, i int) error) error {
	if n == 0 {
		return nil
	}
	r := &copying{n: n, row: row}
	_, err := t.tx.Conn().PgConn().CopyFrom(ctx, r, "COPY "+table+" ("+strings.Join(columns, ", ")+") FROM STDIN")
	if failed := r.end(); failed != nil {
		return failed // the server only says that the input failed
	}
	return err
}

// copying is what a COPY reads. A row is made when the server has taken those before it: both are at work at the same time, and no set
// of rows is held twice.
type copying struct {
	mu   sync.Mutex
	over bool
	n    int
	next int
	row  func(l *line, i int) error
	line line
	off  int // what is read of the line
	err  error
}

// copyBytes is how much is made ready at a time, about: what the driver sends as one message.
const copyBytes = 60 << 10

// end waits for the row that is being made, makes no more, and returns what went wrong with one. The driver reads in a goroutine of its own, and doesn't
// wait for that where the connection is lost.
func (c *copying) end() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	return c.err
}

// Read hands out rows, and parts of them.
func (c *copying) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return 0, io.ErrClosedPipe
	}
	if c.off == len(c.line.b) {
		c.off, c.line.b = 0, c.line.b[:0]
		for c.next < c.n && len(c.line.b) < copyBytes {
			if c.err = c.row(&c.line, c.next); c.err != nil {
				return 0, c.err
			}
			c.line.end()
			c.next++
		}
	}
	if len(c.line.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.line.b[c.off:])
	c.off += n
	return n, nil
}

// line writes rows in COPY's text format, which is that of every type's input: values end with a tab, the last one with a newline.
type line struct{ b []byte }

func (l *line) end() { l.b[len(l.b)-1] = '\n' }

func (l *line) null() { l.b = append(l.b, '\\', 'N', '\t') }

func (l *line) text(s string) {
	begin := 0
	for i := 0; i < len(s); i++ {
		var escaped byte
		switch s[i] {
		case '\\':
			escaped = '\\'
		case '\t':
			escaped = 't'
		case '\n':
			escaped = 'n'
		case '\r':
			escaped = 'r'
		default:
			continue
		}
		l.b = append(append(l.b, s[begin:i]...), '\\', escaped)
		begin = i + 1
	}
	l.b = append(append(l.b, s[begin:]...), '\t')
}

func (l *line) integer(n int64) { l.b = append(strconv.AppendInt(l.b, n, 10), '\t') }

func (l *line) boolean(v bool) {
	c := byte('f')
	if v {
		c = 't'
	}
	l.b = append(l.b, c, '\t')
}

func (l *line) bytes(b []byte) {
	l.b = append(l.b, `\\x`...)
	l.b = append(hex.AppendEncode(l.b, b), '\t')
}

// The layouts of times, behind the year.
const (
	dateLayout      = "01-02"
	timestampLayout = dateLayout + " 15:04:05.999999"
)

// instant writes a time in UTC. PostgreSQL counts the years before the first without a zero.
func (l *line) instant(t time.Time, layout, zone string) {
	t = t.UTC()
	year, era := t.Year(), ""
	if year <= 0 {
		year, era = 1-year, " BC"
	}
	l.b = t.AppendFormat(fmt.Appendf(l.b, "%04d-", year), layout)
	l.b = append(append(append(l.b, zone...), era...), '\t')
}

// value writes a value as Table.Convert gives it.
func (l *line) value(v any, c django.Column) error {
	switch v := v.(type) {
	case nil:
		l.null()
	case string:
		if c.Type == django.Bool || c.Type == django.Int || c.Type == django.Date || c.Type == django.Timestamp {
			return mismatch(v, c)
		}
		l.text(v)
	case bool:
		if c.Type != django.Bool {
			return mismatch(v, c)
		}
		l.boolean(v)
	case int64:
		if c.Type != django.Int {
			return mismatch(v, c)
		}
		l.integer(v)
	case time.Time:
		switch {
		case c.Type == django.Date:
			l.instant(v, dateLayout, "")
		case c.Type != django.Timestamp:
			return mismatch(v, c)
		case withoutZone(c):
			l.instant(v, timestampLayout, "")
		default:
			l.instant(v, timestampLayout, "+00")
		}
	default:
		return mismatch(v, c)
	}
	return nil
}

func mismatch(v any, c django.Column) error {
	return fmt.Errorf("%s: a %T isn't of type %s", c.Name, v, c.Type)
}
