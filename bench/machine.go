package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// machine is where a run took place.
type machine struct {
	CPU        string `json:"cpu"`
	Cores      int    `json:"cores"`
	MemoryMiB  int    `json:"memory_mib"`
	System     string `json:"system"`
	Kernel     string `json:"kernel"`
	Go         string `json:"go"`
	Slapd      string `json:"slapd"`
	PostgreSQL string `json:"postgresql"`
	Date       string `json:"date"`
}

func thisMachine(ctx context.Context) machine {
	m := machine{
		CPU: valueOf("/proc/cpuinfo", "model name", ":"), Cores: runtime.NumCPU(),
		System: strings.Trim(valueOf("/etc/os-release", "PRETTY_NAME", "="), `"`),
		Go:     runtime.Version(), Date: time.Now().UTC().Format(time.DateOnly),
	}
	var kib int
	if _, err := fmt.Sscan(valueOf("/proc/meminfo", "MemTotal", ":"), &kib); err == nil {
		m.MemoryMiB = kib / 1024
	}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(b))
	}
	if path, err := find("slapd"); err == nil {
		// slapd prints its version to standard error: "@(#) $OpenLDAP: slapd 2.5.13+dfsg-5 …"
		out, _ := exec.CommandContext(ctx, path, "-VV").CombinedOutput()
		if _, rest, ok := strings.Cut(string(out), "slapd "); ok {
			m.Slapd, _, _ = strings.Cut(rest, " ")
		}
	}
	if bin, err := postgresBin(); err == nil {
		out, _ := exec.CommandContext(ctx, filepath.Join(bin, "postgres"), "--version").Output()
		if fields := strings.Fields(string(out)); len(fields) > 2 {
			m.PostgreSQL = fields[2]
		}
	}
	return m
}

// valueOf returns the value of the first line of a file that begins with a key.
func valueOf(file, key, separator string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		k, v, ok := strings.Cut(lines.Text(), separator)
		if ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func (m machine) text() string {
	return fmt.Sprintf("Measured on %s: %s, %d cores, %d GiB of memory, Linux %s, %s; slapd %s (mdb, no fsync), PostgreSQL %s (default settings:\n"+
		"fsync and synchronous_commit on), %s. The servers run on the same cores as what is measured.\n",
		m.Date, m.CPU, m.Cores, (m.MemoryMiB+512)/1024, m.Kernel, m.System, m.Slapd, m.PostgreSQL, m.Go)
}
