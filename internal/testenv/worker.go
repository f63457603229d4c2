package testenv

import (
	"bufio"
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

//go:embed all:djangosite
var djangoSite embed.FS

// python is Debian's: the one that has Debian's Django. TESTENV_PYTHON names another, for other versions of Django.
func python() string {
	if p := os.Getenv("TESTENV_PYTHON"); p != "" {
		return p
	}
	return "/usr/bin/python3"
}

// worker is a Python process with Django loaded. It serves one call at a time, and ends when its standard input does.
type worker struct {
	mu      sync.Mutex
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	stderr  bytes.Buffer
	failure error // once set, every call returns it
}

var (
	plainWorker  = sync.OnceValues(func() (*worker, error) { return startWorker(false) })
	customWorker = sync.OnceValues(func() (*worker, error) { return startWorker(true) })
)

// djangoWorker returns the process's worker for one of the two user models.
func djangoWorker(custom bool) (*worker, error) {
	if custom {
		return customWorker()
	}
	return plainWorker()
}

// unpackSite writes the project to a directory of its own: the test binary carries it, and Python wants files.
var unpackSite = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "ldapsync-django-")
	if err != nil {
		return "", err
	}
	if err := removeAtEnd(dir); err != nil {
		return "", err
	}
	site, err := fs.Sub(djangoSite, "djangosite")
	if err != nil {
		return "", err
	}
	return dir, os.CopyFS(dir, site)
})

func startWorker(custom bool) (*worker, error) {
	if out, err := exec.Command(python(), "-c", "import django, psycopg2").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s has no Django or no psycopg2: %w\n%s%s", python(), err, out, installHint)
	}
	dir, err := unpackSite()
	if err != nil {
		return nil, err
	}
	w := &worker{cmd: exec.Command(python(), "worker.py")}
	w.cmd.Dir = dir
	w.cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "TESTENV_CUSTOM="+map[bool]string{false: "0", true: "1"}[custom])
	w.cmd.Stderr = &w.stderr
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.out = bufio.NewReader(out)
	if err := w.cmd.Start(); err != nil {
		return nil, err
	}
	atExit(func() {
		w.in.Close()
		_ = w.cmd.Wait()
	})
	return w, nil
}

// call asks the worker and decodes its answer into result, which may be nil.
func (w *worker) call(dsn, name string, args map[string]any, result any) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failure != nil {
		return w.failure
	}
	if args == nil {
		args = map[string]any{}
	}
	line, err := json.Marshal(map[string]any{"dsn": dsn, "call": name, "args": args})
	if err != nil {
		return err
	}
	if _, err = w.in.Write(append(line, '\n')); err == nil {
		line, err = w.out.ReadBytes('\n')
	}
	if err != nil {
		w.in.Close()
		w.failure = fmt.Errorf("django's process ended: %w: %v\n%s", err, w.cmd.Wait(), &w.stderr)
		return w.failure
	}
	var reply struct {
		Result json.RawMessage `json:"result"`
		Error  string          `json:"error"`
	}
	if err := json.Unmarshal(line, &reply); err != nil {
		return fmt.Errorf("django's answer: %w", err)
	}
	if reply.Error != "" {
		return fmt.Errorf("django: %s: %s", name, reply.Error)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(reply.Result, result)
}

// cacheDir is where databases to copy from are kept for the life of the process.
var cacheDir = sync.OnceValues(func() (string, error) {
	dir, err := unpackSite()
	if err != nil {
		return "", err
	}
	cache := filepath.Join(dir, "templates")
	return cache, os.MkdirAll(cache, 0o700)
})
