//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package bus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ldapsync/internal/fault"
)

// lockFile lies in the state directory. The lock is the flock on it, which ends with its process; the pid inside is for people.
const lockFile = "lock"

// lock is held by the one process that owns a state directory.
type lock struct{ file *os.File }

// acquire takes the lock on dir, waiting for another holder for at most patience. As long as there is one, it asks join now and then,
// with the holder's pid (0: unknown), whether to do without: then it returns nil.
func acquire(ctx context.Context, dir string, patience time.Duration, join func(pid int) bool) (*lock, error) {
	path := filepath.Join(dir, lockFile)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fault.New(fault.Stream, "the state directory must be writable for the user that ldapsync runs as", "state directory: %w", err)
	}
	deadline := time.Now().Add(patience)
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return hold(file)
		}
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			_ = file.Close()
			return nil, fault.New(fault.Stream, "the state directory must be on a file system with flock", "lock %s: %w", path, err)
		}
		pid := holder(file)
		if join(pid) {
			_ = file.Close()
			return nil, nil
		}
		if !time.Now().Before(deadline) {
			who := "another process"
			if pid != 0 {
				who = fmt.Sprintf("process %d", pid)
			}
			_ = file.Close()
			return nil, fault.Passing(fault.Stream, "let it end, or give this one another state directory or a NATS URL", "state directory %s is in use by %s", dir, who)
		}
		select {
		case <-ctx.Done():
			_ = file.Close()
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func hold(file *os.File) (*lock, error) {
	err := file.Truncate(0)
	if err == nil {
		_, err = file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		_ = file.Close()
		return nil, fault.New(fault.Stream, "is the disk full?", "lock file: %w", err)
	}
	return &lock{file}, nil
}

// holder returns the pid that was written into file; 0 if there is none.
func holder(file *os.File) int {
	content, _ := io.ReadAll(io.NewSectionReader(file, 0, 32))
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return 0
	}
	return pid
}

// release gives the lock up. The file stays: removing it would let two processes lock two files of the same name.
func (l *lock) release() error {
	if l.file == nil {
		return nil
	}
	_ = l.file.Truncate(0)
	err := l.file.Close()
	l.file = nil
	return err
}
