package ldif

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// record is one entry as it stands in a file. Its bytes are good until the next one is read.
type record struct {
	offset int64 // of its first line
	line   int   // likewise, from 1
	dn     []byte
	values []value
}

// value is one value of an attribute; the attribute by its slot.
type value struct {
	slot int
	text []byte
}

// reader reads records one after another. Every error means that what was read isn't a complete dump.
type reader struct {
	in     *bufio.Reader
	names  *names
	offset int64 // of the next line
	line   int   // the last one read, from 1

	text  []byte // of the record, its lines unfolded
	lines []span
	rec   record

	entries int // since the last trailer
	cookie  bool
}

// span is a logical line in the text of a record.
type span struct {
	from, to int
	line     int
}

// maxRecord bounds the memory that one record takes, in bytes.
const maxRecord = 256 << 20

// newReader reads from in, which begins at an offset of the file, in portions of size bytes.
func newReader(in io.Reader, n *names, offset int64, size int) *reader {
	return &reader{in: bufio.NewReaderSize(in, size), names: n, offset: offset}
}

// flaw is an error in the text of a file.
type flaw struct {
	line   int
	reason string
	hint   string
}

func (f *flaw) Error() string {
	if f.line == 0 {
		return f.reason
	}
	return fmt.Sprintf("line %d: %s", f.line, f.reason)
}

const hintDump = "was the dump interrupted? a program that writes it to another name and renames it at the end never shows half of it"

// next returns the next record, or io.EOF behind the last one of a file that ends as it should.
func (r *reader) next() (*record, error) {
	for {
		if err := r.gather(); err != nil {
			return nil, err
		}
		if rec, err := r.parse(); rec != nil || err != nil {
			return rec, err
		}
	}
}

// gather reads the lines of the next record, up to the empty line behind it.
func (r *reader) gather() error {
	r.text, r.lines = r.text[:0], r.lines[:0]
	comment, started := false, false // what a folded line goes on with
	for {
		at := r.offset
		line, err := r.readLine()
		switch {
		case errors.Is(err, io.EOF) && len(r.lines) > 0:
			return &flaw{r.line, "the last entry isn't ended by an empty line", hintDump + "; if it is whole, add an empty line at its end"}
		case errors.Is(err, io.EOF) && r.cookie:
			return &flaw{0, "the dump's last page says that there are more", hintDump}
		case err != nil:
			return err
		case len(line) == 0:
			if len(r.lines) > 0 {
				return nil
			}
			comment, started = false, false
		case line[0] == ' ' && comment:
		case line[0] == ' ' && !started:
			return &flaw{r.line, "goes on with a line that isn't there", "a line that begins with a space belongs to the one before it"}
		case line[0] == ' ':
			r.text = append(r.text, line[1:]...)
			r.lines[len(r.lines)-1].to = len(r.text)
		case line[0] == '#':
			if err := r.comment(line); err != nil {
				return err
			}
			comment = true
		default:
			if len(r.lines) == 0 {
				r.rec.offset, r.rec.line = at, r.line
			}
			comment, started = false, true
			r.text = append(r.text, line...)
			r.lines = append(r.lines, span{len(r.text) - len(line), len(r.text), r.line})
		}
		if len(r.text) > maxRecord {
			return &flaw{r.rec.line, fmt.Sprintf("an entry of more than %d MiB", maxRecord>>20), ""}
		}
	}
}

// readLine returns the next line without its end, good until the next call.
func (r *reader) readLine() ([]byte, error) {
	line, err := r.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		long := append([]byte(nil), line...)
		for errors.Is(err, bufio.ErrBufferFull) && len(long) <= maxRecord {
			line, err = r.in.ReadSlice('\n')
			long = append(long, line...)
		}
		line = long
	}
	r.offset += int64(len(line))
	if len(line) > 0 {
		r.line++
	}
	switch {
	case errors.Is(err, io.EOF) && len(line) > 0:
		return nil, &flaw{r.line, "the file ends within a line", hintDump}
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, &flaw{r.line, fmt.Sprintf("a line of more than %d MiB", maxRecord>>20), ""}
	case err != nil:
		return nil, err
	}
	line = line[:len(line)-1]
	return bytes.TrimSuffix(line, []byte{'\r'}), nil
}

// comment takes from a comment what ldapsearch and ldbsearch say there about how much they wrote.
func (r *reader) comment(line []byte) error {
	text := string(line)
	if cookie, ok := strings.CutPrefix(text, "# pagedresults: cookie="); ok {
		r.cookie = cookie != ""
		return nil
	}
	count, ok := strings.CutPrefix(text, trailer)
	if !ok { // ldbsearch: # 5 entries
		if count, ok = strings.CutSuffix(strings.TrimPrefix(text, "# "), " entries"); !ok {
			return nil
		}
	}
	n, err := strconv.Atoi(count)
	if err != nil {
		return nil // somebody's remark
	}
	entries := r.entries
	if r.entries = 0; n != entries {
		return &flaw{r.line, fmt.Sprintf("the dump says that it has %d entries, and has %d", n, entries), hintDump}
	}
	return nil
}

// parse takes the gathered lines apart; it returns nil where they aren't an entry.
func (r *reader) parse() (*record, error) {
	r.rec.dn, r.rec.values = nil, r.rec.values[:0]
	first := true
	for i, l := range r.lines {
		name, text, err := r.split(l)
		if err != nil {
			return nil, err
		}
		switch {
		case first && equalFold(name, "version"):
			if string(text) != "1" {
				return nil, &flaw{l.line, fmt.Sprintf("version %q of LDIF isn't known", text), "RFC 2849 defines version 1"}
			}
			continue
		case first && equalFold(name, "search"):
			return nil, r.result(r.lines[i+1:])
		case first && equalFold(name, "dn"):
			r.rec.dn = text
		case first:
			return nil, &flaw{l.line, fmt.Sprintf("%s where an entry begins with its dn", name), hintDump}
		case equalFold(name, "changetype"), equalFold(name, "control"):
			return nil, &flaw{l.line, "a change, and no entry (" + string(name) + ")",
				"the file must hold entries; what Windows' ldifde exports is made so by: sed '/^changetype: add/d'"}
		case equalFold(name, "dn"):
			return nil, &flaw{l.line, "a second dn in one entry", "an empty line stands between two entries"}
		default:
			slot, whole := r.names.slot(name)
			switch slot {
			case none:
				return nil, &flaw{l.line, fmt.Sprintf("%.40q isn't the name of an attribute", name), hintDump}
			case tooMany:
				return nil, &flaw{l.line, fmt.Sprintf("more than %d names of attributes", maxSpellings), "is this a directory's dump?"}
			}
			if !whole {
				slot += partial
			}
			r.rec.values = append(r.rec.values, value{slot, text})
		}
		first = false
	}
	if r.rec.dn == nil {
		return nil, nil
	}
	r.entries++
	return &r.rec, nil
}

// split takes a line apart, and decodes its value where it stands.
func (r *reader) split(l span) (name, text []byte, err error) {
	line := r.text[l.from:l.to:l.to]
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return nil, nil, &flaw{l.line, fmt.Sprintf("%.40q is no line of LDIF", line), hintDump}
	}
	name, text = line[:colon], line[colon+1:]
	switch {
	case len(text) > 0 && text[0] == ':':
		text = bytes.Trim(text[1:], " ")
		n, err := base64.StdEncoding.Decode(text, text)
		if err != nil {
			return nil, nil, &flaw{l.line, fmt.Sprintf("the value of %s isn't base64", name), hintDump}
		}
		return name, text[:n], nil
	case len(text) > 0 && text[0] == '<':
		return nil, nil, &flaw{l.line, fmt.Sprintf("%s stands in another file or on a web server, which isn't read", name), "dump the values themselves: ldapsearch without -t"}
	case bytes.IndexByte(text, 0) >= 0 || bytes.IndexByte(text, '\r') >= 0:
		return nil, nil, &flaw{l.line, fmt.Sprintf("the value of %s has a character that must be written in base64", name), hintDump}
	}
	return name, bytes.TrimLeft(text, " "), nil
}

// result reads what ldapsearch writes behind the entries: search, result, and perhaps the cookie of a page.
func (r *reader) result(lines []span) error {
	for _, l := range lines {
		name, text, err := r.split(l)
		switch {
		case err != nil:
			return err
		case equalFold(name, "result") && !bytes.HasPrefix(text, []byte("0 ")):
			return &flaw{l.line, fmt.Sprintf("the search that made the dump ended with %s", text), "make the dump again, with pages (ldapsearch -E pr=1000/noprompt) or without the limit"}
		case equalFold(name, "pagedresults"):
			r.cookie = string(text) != "cookie="
		}
	}
	return nil
}

func equalFold(name []byte, lower string) bool {
	return len(name) == len(lower) && strings.EqualFold(string(name), lower)
}
