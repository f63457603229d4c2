package main

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"ldapsync/applier"
	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/internal/bus"
)

// What is cut off is forgotten by the limits, too: their window stays, however little is to be kept.
func TestHistoryKeepsWhatLimitsLookBackAt(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct{ keep, window, want time.Duration }{
		{30 * day, day, 30 * day}, {time.Hour, day, day}, {time.Hour, 0, time.Hour}, {0, day, 0},
	} {
		s := &config.Source{History: config.History{Keep: c.keep}, Limits: config.Limits{Window: c.window}}
		if got := kept(s); got != c.want {
			t.Errorf("keep %s, window %s: %s, wanted %s", c.keep, c.window, got, c.want)
		}
	}
}

// standing is a target that stays where it is.
type standing applier.Checkpoint

func (s *standing) Checkpoint(context.Context, string) (*applier.Checkpoint, error) {
	return (*applier.Checkpoint)(s), nil
}

// lineSink takes log lines, and closes got with the first.
type lineSink struct {
	mu   sync.Mutex
	text bytes.Buffer
	got  chan struct{}
}

func (l *lineSink) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text.Len() == 0 {
		close(l.got)
	}
	return l.text.Write(line)
}

// A service that may not note its position works on, and nothing waits for it any more: people are told.
func TestAPositionThatMayNotBeNotedIsTold(t *testing.T) {
	s := newNATS(t, func(o *server.Options) {
		o.Users = []*server.User{{Username: "applier", Password: "x", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Deny: []string{"ldapsync.positions.>"}},
		}}}
	})
	b, err := bus.Open(t.Context(), bus.Config{URL: strings.Replace(s.ClientURL(), "://", "://applier:x@", 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	sink := &lineSink{got: make(chan struct{})}
	go func() {
		<-sink.got
		cancel()
	}()
	at := &standing{Source: "corp", StreamID: "id", Sequence: 7}
	_ = mirroring(ctx, b, at, "default", "corp", slog.New(slog.NewTextHandler(sink, nil)))
	if text := sink.text.String(); !strings.Contains(text, "level=WARN") || !strings.Contains(text, "hint=\"give this NATS user the rights") || !strings.Contains(text, "target=default") {
		t.Errorf("told: %q", text)
	}
}
