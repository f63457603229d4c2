package testenv_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldapsync/internal/testenv"
)

// killed is set for the copy of this test binary that TestServersEndWithTheProcess kills.
const killed = "TESTENV_KILLED"

// A test binary that panics, runs into its time limit or is killed leaves neither a server nor its files behind.
func TestServersEndWithTheProcess(t *testing.T) {
	if os.Getenv(killed) != "" {
		fmt.Println("data:", testenv.DB(t, testenv.Postgres(t)).Text("SHOW data_directory"))
		select {} // until killed
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestServersEndWithTheProcess$")
	cmd.Env = append(os.Environ(), killed+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: ")
	if err != nil || !ok {
		t.Fatalf("the copy said %q, %v", line, err)
	}
	if _, err := os.Stat(filepath.Join(data, "postmaster.pid")); err != nil {
		t.Fatalf("no server runs there: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(filepath.Dir(data)); os.IsNotExist(err) {
			return // the guard removes the directory when the server is gone
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is still there", data)
		}
	}
}
