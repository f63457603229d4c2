package bus

import (
	"testing"
)

// A pass of 1,000 batches of 100 KiB, through the embedded server with fsync on every write, and read back.
func BenchmarkPass(b *testing.B) {
	bus, err := Open(b.Context(), Config{StateDir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer bus.Close()
	l, err := bus.Log(b.Context(), "corp")
	if err != nil {
		b.Fatal(err)
	}
	const batches = 1000
	data := make([]byte, 100<<10)
	for i := range data {
		data[i] = byte(i * i >> 3)
	}
	b.SetBytes(batches * int64(len(data)))
	last := uint64(0)
	for b.Loop() {
		l.Begin(last)
		for i := range batches {
			e := numbered(i)
			e.Data = data
			if _, err := l.Publish(b.Context(), e); err != nil {
				b.Fatal(err)
			}
		}
		from := last + 1
		if last, err = l.Flush(b.Context()); err != nil {
			b.Fatal(err)
		}
		n := 0
		for _, err := range l.Read(b.Context(), from, last) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != batches {
			b.Fatalf("%d events", n)
		}
	}
}
