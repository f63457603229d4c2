package main

import (
	"bytes"
	"context"
	"net"
	"path/filepath"
	"testing"

	"ldapsync/internal/demo"
)

// silent is an LDAP server that accepts and never answers. accepted is closed with the first connection.
func silent(t *testing.T) (uri string, accepted <-chan struct{}) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	signal := make(chan struct{})
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		close(signal)
		for _, err := conn.Read(make([]byte, 1024)); err == nil; _, err = conn.Read(make([]byte, 1024)) {
		}
		conn.Close()
	}()
	return "ldap://" + listener.Addr().String(), signal
}

func environment(t *testing.T, uri string) []string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "db.sqlite3")
	if err := demo.CreateDatabase(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	environ := demoEnvironment(uri, dir, path)
	var stdout, stderr bytes.Buffer
	if code := command(t.Context(), []string{"migrate"}, environ, &stdout, &stderr); code != 0 {
		t.Fatalf("migrate: %d, %s", code, &stderr)
	}
	return environ
}

func TestInterruptedRunSaysSo(t *testing.T) {
	uri, accepted := silent(t)
	environ := environment(t, uri)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-accepted
		cancel()
	}()
	var stdout, stderr bytes.Buffer
	if code := command(ctx, []string{"run"}, environ, &stdout, &stderr); code != codeInterrupted {
		t.Errorf("exit code %d", code)
	}
	if stderr.String() != "ldapsync: interrupted\n" || stdout.Len() > 0 {
		t.Errorf("stderr %q, stdout %q", &stderr, &stdout)
	}
}

func TestStoppedServiceEndsWell(t *testing.T) {
	uri, accepted := silent(t)
	environ := environment(t, uri)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-accepted
		cancel()
	}()
	var stdout, stderr bytes.Buffer
	if code := command(ctx, []string{"serve"}, environ, &stdout, &stderr); code != codeDone {
		t.Errorf("exit code %d: %s", code, &stderr)
	}
}
