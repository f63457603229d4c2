package bus

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// TestKilledWhileCreatingAStream: the description is there, its checksum isn't. The identity that the next process gives the stream stays.
func TestKilledWhileCreatingAStream(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state [1]*")
	identity := func() string {
		b, err := Open(t.Context(), Config{StateDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		log, err := b.Log(t.Context(), "corp")
		if err != nil {
			t.Fatal(err)
		}
		return log.StreamID()
	}
	identity()
	sums := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Name() == server.JetStreamMetaFileSum {
			sums++
			return os.Remove(path)
		}
		return err
	})
	if err != nil || sums == 0 {
		t.Fatalf("%d checksums, %v", sums, err)
	}
	if first, second := identity(), identity(); first != second {
		t.Errorf("the stream is %s, then %s", first, second)
	}
}
