package ldif

import (
	"bytes"
	"context"
	"errors"
	"hash/maphash"
	"io"
	"os"
	"time"

	"ldapsync/internal/fault"
)

// capture is a file that holds a directory, opened once: what replaces it under its name meanwhile is another one, for the next pass.
type capture struct {
	uri  string
	file *os.File
	size int64
	time time.Time

	seed maphash.Seed
	sum  uint64 // of its bytes; 0 before they were read once
}

func openCapture(uri, path string) (*capture, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Passing(fault.Directory, "the file must be there and be readable for the user that runs ldapsync", "%s: %w", uri, unwrapPath(err))
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		f.Close()
		return nil, fault.New(fault.Directory, "the file is read several times, and must stay what it is", "%s: %w", uri, unwrapPath(err))
	}
	return &capture{uri: uri, file: f, size: info.Size(), time: info.ModTime(), seed: maphash.MakeSeed()}, nil
}

// unwrapPath drops the path, which the URI names.
func unwrapPath(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// unchanged is an error if the file isn't what it was when it was opened, by its size and its time.
func (c *capture) unchanged() error {
	info, err := c.file.Stat()
	if err != nil {
		return c.fault(unwrapPath(err))
	}
	if info.Size() != c.size || !info.ModTime().Equal(c.time) {
		return c.changed()
	}
	return nil
}

func (c *capture) changed() error {
	return fault.Passing(fault.Directory, "write it to another name and rename it when it is whole", "%s: changed while it was read", c.uri)
}

// fault says what is wrong with the file. The next dump may be right: none of it is permanent.
func (c *capture) fault(err error) error {
	var f *flaw
	if errors.As(err, &f) {
		return fault.Passing(fault.Directory, f.hint, "%s: %w", c.uri, err)
	}
	return fault.Passing(fault.Directory, "", "%s: %w", c.uri, err)
}

// scan calls each for every record from the first to the last. It returns nil only if the file was read to its end, ends as it should,
// and has the bytes that it had the first time.
func (c *capture) scan(ctx context.Context, n *names, each func(*record) error) error {
	if err := c.unchanged(); err != nil {
		return err
	}
	sum := &summer{in: io.NewSectionReader(c.file, 0, c.size)}
	sum.hash.SetSeed(c.seed)
	text, offset, err := c.text(sum)
	if err != nil {
		return err
	}
	r := newReader(text, n, offset, 256<<10)
	for i := 0; ; i++ {
		if i%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		rec, err := r.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = each(rec)
		} else {
			err = c.fault(err)
		}
		if err != nil {
			return err
		}
	}
	if err := c.unchanged(); err != nil {
		return err
	}
	if c.sum == 0 {
		c.sum = sum.hash.Sum64()
	} else if c.sum != sum.hash.Sum64() {
		return c.changed()
	}
	return nil
}

// at reads the record that begins at offset.
func (c *capture) at(offset int64, n *names) (*record, error) {
	r := newReader(io.NewSectionReader(c.file, offset, c.size-offset), n, offset, 8<<10)
	rec, err := r.next()
	if err != nil {
		return nil, c.fault(err)
	}
	return rec, nil
}

var byteOrderMark = []byte{0xef, 0xbb, 0xbf}

// text returns the file behind the byte order mark of UTF-8, if it has one, and where that is. It refuses what isn't LDIF for sure.
func (c *capture) text(in io.Reader) (text io.Reader, offset int64, err error) {
	head := make([]byte, len(byteOrderMark))
	n, err := io.ReadFull(in, head)
	head = head[:n]
	switch {
	case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, 0, c.fault(unwrapPath(err))
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}), bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return nil, 0, fault.Passing(fault.Directory, "iconv -f UTF-16 -t UTF-8 makes it readable", "%s: is UTF-16", c.uri)
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return nil, 0, fault.Passing(fault.Directory, "gunzip it first", "%s: is compressed", c.uri)
	case bytes.Equal(head, byteOrderMark):
		return in, int64(n), nil
	}
	return io.MultiReader(bytes.NewReader(head), in), 0, nil
}

// summer sums up what is read through it.
type summer struct {
	in   io.Reader
	hash maphash.Hash
}

func (s *summer) Read(b []byte) (int, error) {
	n, err := s.in.Read(b)
	s.hash.Write(b[:n])
	return n, err
}
