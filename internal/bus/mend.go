package bus

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nats-io/nats-server/v2/server"

	"ldapsync/internal/fault"
)

// mend finishes what a process began that was killed while it created a stream or a consumer. The server writes the description first
// and its checksum next; one without a checksum it ignores, and never writes again (nats-server 2.15.2, newFileStoreWithCreated): the
// stream would be created anew, with another identity, each time it is opened. So such a description goes. Its creation was never
// confirmed to anybody, so nothing is lost with it. The lock must be held, and the server not run yet.
func mend(stateDir string) error {
	for _, pattern := range []string{"streams/*", "streams/*/obs/*"} {
		dirs, err := filepath.Glob(filepath.Join(escape(stateDir), server.JetStreamStoreDir, "*", filepath.FromSlash(pattern)))
		if err != nil {
			return fault.New(fault.Stream, "", "state directory: %w", err)
		}
		for _, dir := range dirs {
			if _, err := os.Lstat(filepath.Join(dir, server.JetStreamMetaFileSum)); !errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err := os.Remove(filepath.Join(dir, server.JetStreamMetaFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fault.New(fault.Stream, "the state directory must be writable for the user that ldapsync runs as", "state directory: %w", err)
			}
		}
	}
	return nil
}

// escape makes a path stand for itself in a pattern.
func escape(path string) string {
	var escaped []rune
	for _, r := range path {
		switch r {
		case '*', '?', '[', '\\':
			if os.PathSeparator != '\\' {
				escaped = append(escaped, '\\')
			}
		}
		escaped = append(escaped, r)
	}
	return string(escaped)
}
