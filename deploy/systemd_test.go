package deploy_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const installed = "/usr/local/bin/ldapsync"

var units = []string{"ldapsync.service", "ldapsync.timer", "ldapsync-serve.service"}

// exposure is the most that systemd may find fault with, in tenths of its scale from 0 to 10: it is 1.1.
const exposure = "12"

// analyze runs systemd-analyze (Debian: systemd), and returns what it says and whether it is content.
func analyze(t *testing.T, args ...string) (string, bool) {
	t.Helper()
	path, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Fatalf("systemd-analyze is needed, of the package systemd: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = append(os.Environ(), "SYSTEMD_COLORS=0", "SYSTEMD_PAGER=", "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

// install copies the units beside a program that stands for ldapsync, and returns their paths.
func install(t *testing.T, edit func(unit, text string) string) []string {
	t.Helper()
	dir := t.TempDir()
	stub := filepath.Join(dir, "ldapsync")
	if err := os.WriteFile(stub, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, unit)
		copied := strings.ReplaceAll(edit(unit, string(text)), installed, stub)
		if err := os.WriteFile(path, []byte(copied), 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

func verify(paths []string) []string {
	return append([]string{"verify", "--man=no", "--recursive-errors=one"}, paths...)
}

func asTheyAre(_, text string) string { return text }

func TestSystemdAcceptsTheUnits(t *testing.T) {
	out, ok := analyze(t, verify(install(t, asTheyAre))...)
	if !ok || strings.Contains(out, "ldapsync") { // it may warn of the host's own units
		t.Errorf("systemd-analyze verify:\n%s", out)
	}
}

// A setting that systemd ignores because it is misspelt must fail the test above.
func TestSystemdIsAskedInEarnest(t *testing.T) {
	wrong := install(t, func(_, text string) string {
		return strings.ReplaceAll(text, "ProtectSystem=strict", "ProtectSystems=strict")
	})
	out, _ := analyze(t, verify(wrong)...)
	if !strings.Contains(out, "ProtectSystems") {
		t.Errorf("a misspelt setting goes unnoticed:\n%s", out)
	}
}

func TestTheServicesAreHardened(t *testing.T) {
	for _, path := range install(t, asTheyAre) {
		if filepath.Ext(path) != ".service" {
			continue
		}
		if out, ok := analyze(t, "security", "--offline=true", "--threshold="+exposure, path); !ok {
			t.Errorf("%s:\n%s", filepath.Base(path), out)
		}
	}
}

// The two services differ in how they start and end, not in what they may do.
func TestBothServicesMayDoTheSame(t *testing.T) {
	rights := func(unit string) []string {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		_, tail, found := strings.Cut(string(text), "\n# Secrets:")
		if !found {
			t.Fatalf("%s: no paragraph about secrets", unit)
		}
		tail, _, _ = strings.Cut(tail, "\n[Install]")
		return slices.DeleteFunc(strings.Split(tail, "\n"), func(line string) bool { return line == "" || line[0] == '#' })
	}
	run, serve := rights("ldapsync.service"), rights("ldapsync-serve.service")
	if len(run) < 30 || !slices.Equal(run, serve) {
		t.Errorf("%d and %d settings, which differ:\n%s\n\n%s", len(run), len(serve), strings.Join(run, "\n"), strings.Join(serve, "\n"))
	}
}

// A secret must never stand in a unit: everybody can read those, and systemctl show prints them.
func TestUnitsNameFilesForSecrets(t *testing.T) {
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			setting := strings.TrimLeft(string(line), "# ")
			name, isEnv := strings.CutPrefix(setting, "Environment=")
			if isEnv && !strings.Contains(name, "_FILE=%d/") {
				t.Errorf("%s: %s", unit, line)
			}
		}
	}
}

func TestTheCrontabIsOne(t *testing.T) {
	text, err := os.ReadFile("ldapsync.cron")
	if err != nil {
		t.Fatal(err)
	}
	jobs := 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if name, _, assigned := strings.Cut(line, "="); line == "" || line[0] == '#' || assigned && !strings.ContainsAny(name, " */") {
			continue
		}
		jobs++
		fields := strings.Fields(line)
		if len(fields) < 8 || fields[5] != "ldapsync" || fields[6] != installed || fields[7] != "run" || strings.Contains(line, "%") {
			t.Errorf("not five times, the user and the command: %q", line)
		}
		for _, field := range fields[:5] {
			if strings.Trim(field, "0123456789*/,-") != "" {
				t.Errorf("not a time: %q", field)
			}
		}
	}
	if jobs != 1 || !bytes.HasSuffix(text, []byte("\n")) {
		t.Errorf("%d jobs; want 1, and a line break at the end, without which cron ignores the line", jobs)
	}
}
