package bus

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMain lets a test run this program again as a writer or a service that can be killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("BUS_TEST_SERVICE"); dir != "" {
		if err := serveUntilTold(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if dir := os.Getenv("BUS_TEST_WRITER"); dir != "" {
		if err := writeForEver(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// writeForEver publishes events and prints the last sequence after every flush.
func writeForEver(dir string) error {
	ctx := context.Background()
	b, err := Open(ctx, Config{StateDir: dir})
	if err != nil {
		return err
	}
	l, err := b.Log(ctx, "corp")
	if err != nil {
		return err
	}
	_, last, err := l.Bounds(ctx)
	if err != nil {
		return err
	}
	l.Begin(last)
	for n := int(last) + 1; ; n++ {
		if _, err := l.Publish(ctx, numbered(n)); err != nil {
			return err
		}
		if n%50 == 0 {
			last, err := l.Flush(ctx)
			if err != nil {
				return err
			}
			fmt.Println(last)
		}
	}
}

func TestKilledWriterLosesNothingThatWasConfirmed(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		confirmed := killWriter(t, dir)
		b := embedded(t, dir)
		data := contents(t, openLog(t, b, "corp"))
		if len(data) < confirmed {
			t.Errorf("%d events were confirmed, %d are there", confirmed, len(data))
		}
		wantNumbered(t, data, len(data))
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killWriter runs a writer on dir, kills it in the middle of its work, and returns what it had confirmed.
func killWriter(t *testing.T, dir string) (confirmed int) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	writer := exec.CommandContext(t.Context(), program)
	writer.Env = append(os.Environ(), "BUS_TEST_WRITER="+dir)
	writer.Stderr = os.Stderr
	out, err := writer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for n := 0; n < 5 && lines.Scan(); n++ {
		if confirmed, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatal(err)
		}
	}
	if confirmed == 0 {
		t.Fatal("the writer wrote nothing")
	}
	// While it lives, it is the one that owns the directory.
	_, err = Open(t.Context(), Config{StateDir: dir, LockWait: 50 * time.Millisecond})
	if want := fmt.Sprintf("process %d", writer.Process.Pid); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v doesn't name %s", err, want)
	}
	if err := writer.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		if confirmed, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatal(err)
		}
	}
	_ = writer.Wait()
	return confirmed
}
