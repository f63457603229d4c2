//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package bus

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// readPrivate reads a small file that lies in dir. One that others than its owner may read or write is refused, and so is one that
// belongs neither to this user nor to the owner of dir: somebody else may have put it there.
func readPrivate(dir, name string) ([]byte, error) {
	path := filepath.Join(dir, name)
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s: others than its owner have access to it (mode %v)", path, info.Mode())
	}
	room, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if who := owner(info); who != os.Geteuid() && who != owner(room) {
		return nil, fmt.Errorf("%s: it belongs to user %d, not to the owner of the state directory", path, who)
	}
	return io.ReadAll(io.LimitReader(file, 64<<10))
}

// owner returns the user id of a file; -1 if the system doesn't say.
func owner(info os.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}
