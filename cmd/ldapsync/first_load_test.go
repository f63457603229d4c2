package main

import (
	"bytes"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"ldapsync/internal/bus"
	"ldapsync/internal/demo"
	"ldapsync/internal/testenv"
	"ldapsync/proto"
)

// holdUp forwards connections to an LDAP server, but keeps back requests that have a text, and what follows them, until it is released.
func holdUp(t *testing.T, uri, text string) (through string, held <-chan struct{}, release func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	holding, released := make(chan struct{}), make(chan struct{})
	hold, release := sync.OnceFunc(func() { close(holding) }), sync.OnceFunc(func() { close(released) })
	t.Cleanup(func() {
		release()
		listener.Close()
	})
	forward := func(to, from net.Conn, request bool) {
		defer to.Close()
		b := make([]byte, 64<<10)
		for {
			n, err := from.Read(b)
			if request && bytes.Contains(b[:n], []byte(text)) {
				hold()
				<-released
			}
			if _, failed := to.Write(b[:n]); err != nil || failed != nil {
				return
			}
		}
	}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", strings.TrimPrefix(uri, "ldap://"))
			if err != nil {
				client.Close()
				continue
			}
			go forward(server, client, true)
			go forward(client, server, false)
		}
	}()
	return "ldap://" + listener.Addr().String(), holding, release
}

// A first load is applied while the directory is read: the groups are there before a user is listed.
func TestFirstLoadIsAppliedWhileTheDirectoryIsRead(t *testing.T) {
	company := demo.NewDirectory(3)
	uri, stop, err := company.Serve(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	uri, held, release := holdUp(t, uri, "inetOrgPerson")
	environ := environment(t, uri)
	var stdout, stderr bytes.Buffer
	ended := make(chan int, 1)
	go func() { ended <- command(t.Context(), []string{"run"}, environ, &stdout, &stderr) }()
	<-held
	db := testenv.DB(t, databaseOf(environ))
	groups := len(find(t, company, demo.GroupFilter))
	for deadline := time.Now().Add(time.Minute); db.Int("SELECT count(*) FROM auth_group") < int64(groups); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Error("the groups aren't applied while the users are awaited")
			break
		}
	}
	release()
	if code := <-ended; code != codeDone {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	if got, want := accounts(t, databaseOf(environ)), people(t, company); !slices.Equal(got, want) {
		t.Errorf("%d accounts, %d people; the first that differ:\n%s", len(got), len(want), firstDifference(got, want))
	}
}

// emptyLog makes the stream of the source default on a server.
func emptyLog(t *testing.T, url string) (*bus.Bus, *bus.Log) {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Config{URL: url, Name: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	log, err := b.Log(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	return b, log
}

// The stream is empty when a run begins, and then a service that asks for less fills it: nothing of that is applied.
func TestFirstPassOfAServiceThatAsksForLessIsNotApplied(t *testing.T) {
	url := startNATS(t)
	environ := append(environment(t, "ldap://127.0.0.1:1"), "NATS_URL="+url)
	b, log := emptyLog(t, url)
	stop, err := b.Announce(t.Context(), roleExtractor, "default")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	requests, err := b.Requests(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	ended := make(chan int, 1)
	go func() { ended <- command(t.Context(), []string{"run"}, environ, &stdout, &stderr) }()
	asked, ack, err := requests.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	publishStarted(t, log, &proto.SnapshotStarted{Snapshot: 1, Full: true, Requests: []string{asked[0].GetId()}, StreamId: log.StreamID(),
		Question: &proto.Question{IdAttribute: "entryUUID", Attributes: []string{"uid", "givenName", "sn", "cn"}}})
	ada := &proto.User{Id: "1", Dn: "uid=ada", Attributes: []*proto.Attribute{{Name: "uid", Values: []string{"ada"}}}}
	digest := proto.DigestUser(ada)
	publish(t, log, proto.TypeUserUpserted, &proto.UserUpserted{Snapshot: 1, DigestVersion: proto.DigestVersion, Ids: []string{"1"}, Digests: digest[:], Users: []*proto.User{ada}})
	publish(t, log, proto.TypeSnapshotCommitted, &proto.SnapshotCommitted{Snapshot: 1, Full: true, FullSequence: 1})
	if err := ack(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code := <-ended; code != codeUsage || !strings.Contains(stderr.String(), "doesn't ask for the attributes mapped here") {
		t.Errorf("exit code %d: %s", code, &stderr)
	}
	if n := testenv.DB(t, databaseOf(environ)).Int("SELECT count(*) FROM auth_user"); n != 0 {
		t.Errorf("%d accounts", n)
	}
}

// The stream is empty when a run begins, and then another run that asks for less fills it: what that didn't ask for is read after it.
func TestFirstPassOfARunThatAsksForLessIsFollowedByAFullOne(t *testing.T) {
	company := demo.NewDirectory(3)
	uri, stop, err := company.Serve(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	url := startNATS(t)
	environ := append(environment(t, uri), "NATS_URL="+url)
	_, log := emptyLog(t, url)
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	asked := make(chan struct{})
	waited := sync.OnceFunc(func() { close(asked) })
	other, err := nc.Subscribe("ldapsync.service."+roleRun+".default", func(m *nats.Msg) {
		_ = m.Respond([]byte("another run"))
		waited()
	})
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	ended := make(chan int, 1)
	go func() { ended <- command(t.Context(), []string{"run"}, environ, &stdout, &stderr) }()
	<-asked
	publishStarted(t, log, &proto.SnapshotStarted{Snapshot: 1, Full: true, StreamId: log.StreamID(),
		Question: &proto.Question{IdAttribute: "entryUUID", Attributes: []string{"uid", "givenName", "sn", "cn"}}})
	publish(t, log, proto.TypeSnapshotCommitted, &proto.SnapshotCommitted{Snapshot: 1, Full: true, FullSequence: 1})
	if err := other.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	if code := <-ended; code != codeDone {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	if got, want := accounts(t, databaseOf(environ)), people(t, company); !slices.Equal(got, want) {
		t.Errorf("%d accounts, %d people; the first that differ:\n%s", len(got), len(want), firstDifference(got, want))
	}
}
