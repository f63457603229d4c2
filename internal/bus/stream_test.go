package bus

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

func TestStreamsAreAsTheyShouldBe(t *testing.T) {
	b := embedded(t, t.TempDir())
	openLog(t, b, "corp")
	info, err := b.info(t.Context(), "LDAPSYNC_corp")
	if err != nil {
		t.Fatal(err)
	}
	c := info.Config
	if len(c.Subjects) != 1 || c.Subjects[0] != "ldapsync.events.corp.>" || c.Storage != jetstream.FileStorage || c.Compression != jetstream.S2Compression ||
		c.Discard != jetstream.DiscardNew || c.MaxAge != 0 || c.MaxMsgs != -1 || c.MaxMsgsPerSubject != -1 || c.MaxBytes != -1 || !c.AllowDirect || c.Retention != jetstream.LimitsPolicy || c.Duplicates != forgetIDs {
		t.Errorf("%+v", c)
	}
	if _, differs, err := desired(info, b.eventsStream("corp")); differs || err != nil {
		t.Errorf("a new stream differs from what is wanted: %v", err)
	}
	// Requests do depend on their ids: one may be published twice.
	if _, err := b.Requests(t.Context(), "corp"); err != nil {
		t.Fatal(err)
	}
	info, err = b.info(t.Context(), proto.RunsStream)
	if err != nil {
		t.Fatal(err)
	}
	if _, differs, err := desired(info, b.runsStream()); differs || err != nil || info.Config.Duplicates < time.Minute {
		t.Errorf("a new stream of requests differs from what is wanted: %v; it knows ids for %v", err, info.Config.Duplicates)
	}
}

func TestStreamIsMendedWithoutLosingAnything(t *testing.T) {
	b := embedded(t, t.TempDir())
	_, err := b.js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "LDAPSYNC_corp", Subjects: []string{"ldapsync.events.corp.user.*"}, MaxAge: time.Hour, MaxMsgs: 1000, MaxBytes: 1 << 30,
		Description: "ours", Metadata: map[string]string{"team": "identity"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.js.Publish(t.Context(), "ldapsync.events.corp.user.upserted", []byte("event 1")); err != nil {
		t.Fatal(err)
	}
	seen, err := b.OpenLog(t.Context(), "corp")
	if err != nil {
		t.Fatal(err)
	}
	l := openLog(t, b, "corp")
	if l.StreamID() == "" || seen.StreamID() != l.StreamID() {
		t.Errorf("identities %q and %q", seen.StreamID(), l.StreamID())
	}
	info, err := b.info(t.Context(), l.name)
	if err != nil {
		t.Fatal(err)
	}
	c := info.Config
	if c.MaxAge != 0 || c.MaxMsgs != -1 || c.Subjects[0] != "ldapsync.events.corp.>" || c.Discard != jetstream.DiscardNew || c.Duplicates != forgetIDs || c.Metadata["stream_id"] != l.StreamID() {
		t.Errorf("not mended: %+v", c)
	}
	if c.MaxBytes != 1<<30 || c.Description != "ours" || c.Metadata["team"] != "identity" {
		t.Errorf("a person's settings are gone: %+v", c)
	}
	publish(t, l, 1, 2)
	wantNumbered(t, contents(t, l), 2)
}

// A stream that an earlier version made keeps ids for longer. Who may not change streams reads it all the same.
func TestStreamOfAnEarlierVersionIsReadWithoutTheRightToMendIt(t *testing.T) {
	o := newOutside(t, func(opts *server.Options) {
		opts.Users = []*server.User{{Username: "extractor", Password: "x"}, {Username: "applier", Password: "x", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Deny: []string{"$JS.API.STREAM.UPDATE.*"}},
		}}}
	})
	as := func(user string) *Bus {
		return open(t, Config{URL: strings.Replace(o.url(), "nats://", "nats://"+user+":x@", 1)})
	}
	extractor := as("extractor")
	c := extractor.eventsStream("corp")
	c.Duplicates, c.Metadata = 2*time.Minute, map[string]string{metaStreamID: newID()}
	if _, err := extractor.js.CreateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if l, err := as("applier").Log(soon(t), "corp"); err != nil || l.StreamID() != c.Metadata[metaStreamID] {
		t.Errorf("%v", err)
	}
	own := embedded(t, t.TempDir())
	if _, err := own.js.CreateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	openLog(t, own, "corp")
	if info, err := own.info(t.Context(), c.Name); err != nil || info.Config.Duplicates != forgetIDs {
		t.Errorf("an embedded server's stream isn't mended: %+v, %v", info, err)
	}
}

func TestForeignStreamIsRefused(t *testing.T) {
	b := embedded(t, t.TempDir())
	_, err := b.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "LDAPSYNC_corp", Subjects: []string{"ldapsync.events.corp.>"}, Storage: jetstream.MemoryStorage})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Log(t.Context(), "corp")
	if class, hint := fault.Of(err); !fault.IsPermanent(err) || class != fault.Stream || hint == "" {
		t.Errorf("a stream in memory: %v", err)
	}
	if _, err = b.Log(t.Context(), "Corp Inc."); err == nil {
		t.Error("a name that is none was accepted")
	}
}

func TestProcessesThatCreateAStreamAtOnceAgree(t *testing.T) {
	o := newOutside(t, nil)
	const processes = 8
	buses := make([]*Bus, processes)
	for i := range buses {
		buses[i] = open(t, Config{URL: o.url(), RetryFor: 20 * time.Second})
	}
	ids := make([]string, processes)
	var start, all sync.WaitGroup
	start.Add(1)
	for i, b := range buses {
		all.Go(func() {
			start.Wait()
			l, err := b.Log(t.Context(), "corp")
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = l.StreamID()
		})
	}
	start.Done()
	all.Wait()
	for _, id := range ids {
		if id == "" || id != ids[0] {
			t.Fatalf("identities %q", ids)
		}
	}
}
