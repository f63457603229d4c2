package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// sample is what one process cost, as the kernel accounts for it when it has ended, and what the servers spent meanwhile.
type sample struct {
	Wall     float64 `json:"wall_s"`
	CPU      float64 `json:"cpu_s"`            // of the process: user and system
	RSS      float64 `json:"peak_mib"`         // its largest resident set
	Slapd    float64 `json:"slapd_cpu_s"`      // CPU of the directory server
	Postgres float64 `json:"postgresql_cpu_s"` // and of the database server, all its processes
}

// measure runs a command to its end. Its standard output goes to out; nil: to /dev/null.
func (b *bench) measure(cmd *exec.Cmd, out io.Writer) (sample, error) {
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = out, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	slapd, postgres := b.slapd.cpu(), b.postgres.cpu()
	begun := time.Now()
	err := cmd.Run()
	s := sample{Wall: time.Since(begun).Seconds(), Slapd: b.slapd.cpu() - slapd, Postgres: b.postgres.cpu() - postgres}
	if err != nil {
		return s, fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, &stderr)
	}
	state := cmd.ProcessState
	s.CPU = (state.UserTime() + state.SystemTime()).Seconds()
	if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
		s.RSS = float64(usage.Maxrss) / 1024 // Linux counts it in KiB
	}
	return s, nil
}

// server is a daemon that stays in the foreground.
type server struct {
	cmd *exec.Cmd
	end syscall.Signal
	log *os.File
}

// startServer starts a daemon; it gets the signal end when stop is called, or when this process ends. as is the user it runs as; nil:
// the same. Its output goes to a file in dir.
func startServer(dir string, as *syscall.Credential, end syscall.Signal, argv ...string) (*server, error) {
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	s := &server{cmd: exec.Command(argv[0], argv[1:]...), end: end, log: log}
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = dir, log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: as, Pdeathsig: end}
	if err := s.cmd.Start(); err != nil {
		log.Close()
		return nil, err
	}
	return s, nil
}

func (s *server) stop() {
	if s == nil {
		return
	}
	_ = s.cmd.Process.Signal(s.end)
	_ = s.cmd.Wait() // how it ended doesn't matter: its data is thrown away
	s.log.Close()
}

// tail is the end of what it printed.
func (s *server) tail() string {
	b, err := os.ReadFile(s.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-2000):])
}

// await asks until ready says nil, the server has ended, or too much time has passed.
func (s *server) await(ctx context.Context, ready func() error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		if stat, gone := processStat(s.cmd.Process.Pid); gone != nil || stat[0] == "Z" {
			return fmt.Errorf("%s ended: %s", filepath.Base(s.cmd.Path), s.tail())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s doesn't answer: %w\n%s", filepath.Base(s.cmd.Path), err, s.tail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// cpu is what the daemon, its living children and those it has waited for have used, in seconds.
func (s *server) cpu() float64 {
	if s == nil {
		return 0
	}
	pid := s.cmd.Process.Pid
	ticks := ticksOf(pid, true)
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, task := range tasks {
		list, _ := os.ReadFile(task)
		for field := range strings.FieldsSeq(string(list)) {
			if child, err := strconv.Atoi(field); err == nil {
				ticks += ticksOf(child, false)
			}
		}
	}
	const hertz = 100 // USER_HZ, on every architecture that Go knows
	return float64(ticks) / hertz
}

func ticksOf(pid int, withChildren bool) int {
	stat, err := processStat(pid)
	if err != nil {
		return 0
	}
	last := 13 // utime and stime, proc(5)
	if withChildren {
		last = 15 // and cutime, cstime
	}
	ticks := 0
	for _, field := range stat[11:last] {
		n, _ := strconv.Atoi(field)
		ticks += n
	}
	return ticks
}

// processStat returns the fields of /proc/pid/stat from the third, the state, on.
func processStat(pid int) ([]string, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 15 {
		return nil, fmt.Errorf("/proc/%d/stat: %d fields", pid, len(fields))
	}
	return fields, nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
