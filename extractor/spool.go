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

// spooled is one changed entry. Of a user it also keeps what joins her to groups, or, once she has been weighed, what she loses.
type spooled struct {
	key    key // in the baseline
	join   Record
	entry  []byte // proto.User or proto.Group
	digest proto.Digest
	losses []loss
}

func (s *spool) add(e spooled) error {
	b := append([]byte(nil), e.key[:]...)
	b = binary.AppendUvarint(b, uint64(len(e.join.MemberOf)))
	for _, field := range append([]string{e.join.DN, e.join.UID, e.join.PrimaryGroup}, e.join.MemberOf...) {
		b = binary.AppendUvarint(b, uint64(len(field)))
		b = append(b, field...)
	}
	b = append(b, e.digest[:]...)
	b = appendLosses(b, e.losses)
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
	groups, err := binary.ReadUvarint(in)
	if err != nil {
		return e, err
	}
	fields := make([]string, 3+groups)
	for i := range fields {
		field, err := readField(in)
		if err != nil {
			return e, err
		}
		fields[i] = string(field)
	}
	e.join = Record{DN: fields[0], UID: fields[1], PrimaryGroup: fields[2], MemberOf: fields[3:]}
	if _, err := io.ReadFull(in, e.digest[:]); err != nil {
		return e, err
	}
	if e.losses, err = readLosses(in); err != nil {
		return e, err
	}
	e.entry, err = readField(in)
	return e, err
}

func readField(in *bufio.Reader) ([]byte, error) {
	size, err := binary.ReadUvarint(in)
	if err != nil {
		return nil, err
	}
	field := make([]byte, size)
	_, err = io.ReadFull(in, field)
	return field, err
}

// appendLosses encodes losses: their number, then for each its change and key, each behind its length, its n, and its standing.
func appendLosses(b []byte, losses []loss) []byte {
	b = binary.AppendUvarint(b, uint64(len(losses)))
	for _, l := range losses {
		for _, field := range []string{l.change, l.key} {
			b = binary.AppendUvarint(b, uint64(len(field)))
			b = append(b, field...)
		}
		b = append(binary.AppendUvarint(b, uint64(l.n)), byte(l.standing))
	}
	return b
}

func readLosses(in *bufio.Reader) ([]loss, error) {
	n, err := binary.ReadUvarint(in)
	if err != nil || n == 0 {
		return nil, err
	}
	losses := make([]loss, n)
	for i := range losses {
		change, err := readField(in)
		if err != nil {
			return nil, err
		}
		key, err := readField(in)
		if err != nil {
			return nil, err
		}
		count, err := binary.ReadUvarint(in)
		if err != nil {
			return nil, err
		}
		s, err := in.ReadByte()
		if err != nil {
			return nil, err
		}
		losses[i] = loss{respect{proto.KindUser, string(change), string(key)}, int(count), standing(s)}
	}
	return losses, nil
}

// close forgets the entries. It may be called again.
func (s *spool) close() {
	if s.file != nil {
		s.file.Close()
	}
	s.buf, s.file, s.out, s.n = bytes.Buffer{}, nil, nil, 0
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
