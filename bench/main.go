package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

func main() {
	// The servers are to get a signal when the thread that started them ends: that must be this one.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 2 && args[0] == "child" {
		return child(ctx, args[1])
	}
	if len(args) > 0 {
		return fmt.Errorf("takes no arguments, not %q; settings come from the environment: N, RUNS, SIZES", strings.Join(args, " "))
	}
	s, err := settingsOf(os.LookupEnv)
	if err != nil {
		return err
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "ldapsync-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o711); err != nil { // PostgreSQL's user has to reach what is below
		return err
	}
	b := &bench{settings: s, dir: dir, program: filepath.Join(dir, "ldapsync")}
	b.say("building ldapsync")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", b.program, "./cmd/ldapsync")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	r := &results{Settings: s, Machine: thisMachine(ctx)}
	for _, n := range s.Sizes {
		size, err := b.size(ctx, n)
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		if err != nil {
			return fmt.Errorf("%d users: %w", n, err)
		}
		r.Sizes = append(r.Sizes, size)
	}
	if s.profile != "" {
		fmt.Println("profiles are in", s.profile, "and cost time: there are no figures")
		return nil
	}
	r.judge()
	fmt.Print(r.table())
	return r.write(filepath.Join(root, "bench"))
}

// moduleRoot is the directory of go.mod: whatever is built and written has its place below.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("go list -m: %w (run it inside the source tree)", err)
	}
	return strings.TrimSpace(string(out)), nil
}
