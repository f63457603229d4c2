package extractor

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"os"

	"ldapsync/proto"
)

// spool keeps changed entries until the listing is complete: in memory first, then in a file that has no name any more, so that
// nothing of it outlives the process.
type spool struct {
	dir    string
	memory int

	buf  bytes.Buffer
	file *os.File
	out  *bufio.Writer
	n    int
}

// spooled is one changed entry. Of a user it also keeps what joins her to groups.
type spooled struct {
	key   key // in the baseline
	join  Record
	entry []byte // proto.User or proto.Group
}

func (s *spool) add(e spooled) error {
	b := append([]byte(nil), e.key[:]...)
	for _, field := range []string{e.join.DN, e.join.UID, e.join.PrimaryGroup} {
		b = binary.AppendUvarint(b, uint64(len(field)))
		b = append(b, field...)
	}
	b = binary.AppendUvarint(b, uint64(len(e.entry)))
	s.n++
	if s.out == nil {
		s.buf.Write(b)
		s.buf.Write(e.entry)
		if s.buf.Len() < s.memory {
			return nil
		}
		return s.spill()
	}
	if _, err := s.out.Write(b); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if _, err := s.out.Write(e.entry); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// spill moves what is in memory to a file.
func (s *spool) spill() error {
	f, err := os.CreateTemp(s.dir, "spool-") // 0600
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	s.file = f
	if err := os.Remove(f.Name()); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	s.out = bufio.NewWriterSize(f, 1<<16)
	if _, err := s.buf.WriteTo(s.out); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	s.buf = bytes.Buffer{}
	return nil
}

// all hands out the entries in the order in which they were added. It may be called again.
func (s *spool) all() iter.Seq2[spooled, error] {
	return func(yield func(spooled, error) bool) {
		in := bufio.NewReader(bytes.NewReader(s.buf.Bytes()))
		if s.out != nil {
			if err := s.out.Flush(); err != nil {
				yield(spooled{}, fmt.Errorf("spool: %w", err))
				return
			}
			if _, err := s.file.Seek(0, io.SeekStart); err != nil {
				yield(spooled{}, fmt.Errorf("spool: %w", err))
				return
			}
			in = bufio.NewReaderSize(s.file, 1<<16)
		}
		for range s.n {
			e, err := readSpooled(in)
			if err != nil {
				yield(e, fmt.Errorf("spool: %w", err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

func readSpooled(in *bufio.Reader) (spooled, error) {
	var e spooled
	if _, err := io.ReadFull(in, e.key[:]); err != nil {
		return e, err
	}
	var fields [4][]byte
	for i := range fields {
		size, err := binary.ReadUvarint(in)
		if err != nil {
			return e, err
		}
		fields[i] = make([]byte, size)
		if _, err := io.ReadFull(in, fields[i]); err != nil {
			return e, err
		}
	}
	e.join = Record{DN: string(fields[0]), UID: string(fields[1]), PrimaryGroup: string(fields[2])}
	e.entry = fields[3]
	return e, nil
}

func (s *spool) close() {
	if s.file != nil {
		s.file.Close()
	}
}

// decodeUser and decodeGroup read what add was given.
func decodeUser(b []byte) (*proto.User, error) {
	var u proto.User
	return &u, proto.Unmarshal(proto.Event{Type: proto.TypeUserUpserted, ContentType: proto.ContentTypeProtobuf, Data: b}, &u)
}

func decodeGroup(b []byte) (*proto.Group, error) {
	var g proto.Group
	return &g, proto.Unmarshal(proto.Event{Type: proto.TypeGroupUpserted, ContentType: proto.ContentTypeProtobuf, Data: b}, &g)
}
