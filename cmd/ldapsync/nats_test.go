package main

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// startNATS starts a NATS server with JetStream that ends with the test, and returns its URL.
func startNATS(t testing.TB) string {
	t.Helper()
	return newNATS(t, func(*server.Options) {}).ClientURL()
}

// newNATS starts one with options of the test's own.
func newNATS(t testing.TB, change func(*server.Options)) *server.Server {
	t.Helper()
	opts := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true}
	change(opts)
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("the NATS server isn't ready")
	}
	return s
}
