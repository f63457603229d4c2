package deploy_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"golang.org/x/crypto/bcrypt"

	"ldapsync/proto"
)

// natsServer is a server as nats-server.conf wants it, but for its port and its store.
type natsServer struct {
	*server.Server
	t *testing.T
}

// password of a role; the server knows its hash only.
func password(role string) string { return "secret of " + role }

func startNATS(t *testing.T) natsServer {
	t.Helper()
	conf, err := os.ReadFile("nats-server.conf")
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(`user: (\w+), password: \$(\w+)`).FindAllSubmatch(conf, -1) {
		hash, err := bcrypt.GenerateFromPassword([]byte(password(string(match[1]))), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv(string(match[2]), string(hash))
	}
	opts, err := server.ProcessConfigFile("nats-server.conf")
	if err != nil {
		t.Fatal(err)
	}
	if !opts.SyncAlways || opts.MaxPayload != 8<<20 || opts.Host != "127.0.0.1" || opts.StoreDir == "" {
		t.Errorf("sync always %v, max payload %d, host %s, store %q", opts.SyncAlways, opts.MaxPayload, opts.Host, opts.StoreDir)
	}
	opts.Port, opts.StoreDir, opts.NoLog, opts.NoSigs = server.RANDOM_PORT, t.TempDir(), true, true
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("the server isn't ready")
	}
	return natsServer{s, t}
}

// url is the server's for a role, as NATS_URL would be.
func (s natsServer) url(role string) string {
	return fmt.Sprintf("nats://%s:%s@%s", role, strings.ReplaceAll(password(role), " ", "%20"), s.Addr())
}

// as is a connection of a role.
func (s natsServer) as(role string) client {
	s.t.Helper()
	c := client{t: s.t, role: role, refused: make(chan string, 100)}
	var err error
	c.nc, err = nats.Connect(s.url(role), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { c.refused <- err.Error() }))
	if err != nil {
		s.t.Fatalf("%s: %v", role, err)
	}
	s.t.Cleanup(c.nc.Close)
	return c
}

type client struct {
	t       *testing.T
	nc      *nats.Conn
	role    string
	refused chan string
}

// may tells whether the server lets a message with this subject pass: it reports what it refuses before it answers the flush.
func (c client) may(subject string) bool {
	c.t.Helper()
	return c.try(subject, func() error { return c.nc.Publish(subject, nil) })
}

func (c client) maySubscribe(subject string) bool {
	c.t.Helper()
	return c.try(subject, func() error { _, err := c.nc.SubscribeSync(subject); return err })
}

func (c client) try(subject string, do func() error) bool {
	c.t.Helper()
	if err := errors.Join(do(), c.nc.Flush()); err != nil {
		c.t.Fatalf("%s, %s: %v", c.role, subject, err)
	}
	// Refusals come by another goroutine, in the order of what they refuse: one that is certain marks the end.
	mark := "not.allowed." + nats.NewInbox()
	if err := errors.Join(c.nc.Publish(mark, nil), c.nc.Flush()); err != nil {
		c.t.Fatal(err)
	}
	refused := false
	for {
		select {
		case text := <-c.refused:
			if strings.Contains(text, mark) {
				return !refused
			}
			refused = true
		case <-time.After(10 * time.Second):
			c.t.Fatalf("%s may publish to %s", c.role, mark)
		}
	}
}

var limited = []string{"ldapsync", "extractor", "applier", "callbacks", "operator", "reader"}

func TestEveryRoleMayDoWhatItDoesAndNothingElse(t *testing.T) {
	s := startNATS(t)
	stages := []string{"ldapsync", "extractor", "applier", "callbacks"}
	askers := append(slices.Clone(stages), "operator")
	readers := append(slices.Clone(askers), "reader")
	event := proto.Subject("corp", proto.TypeUserRemoved)
	outcome := proto.OutcomeSubject("default", proto.OutcomeUserDeleted)
	publish := map[string][]string{
		event: {"ldapsync", "extractor"},
		proto.Subject("corp", proto.TypeSnapshotCommitted):    {"ldapsync", "extractor"},
		proto.RunsSubject("corp"):                             {"ldapsync", "operator"},
		"ldapsync.service.applier.default":                    askers,
		outcome:                                               {"ldapsync", "applier", "callbacks", "operator"},
		"ldapsync.positions.corp.default":                     {"ldapsync", "applier", "operator"},
		"$JS.API.STREAM.CREATE.LDAPSYNC_OUTCOMES_default":     askers,
		"$JS.API.STREAM.MSG.DELETE.LDAPSYNC_OUTCOMES_default": {"ldapsync", "extractor", "operator"},
		"$JS.API.STREAM.PURGE.LDAPSYNC_OUTCOMES_default":      {"ldapsync", "extractor"},
		"$JS.API.STREAM.CREATE.LDAPSYNC_POSITIONS":            {"ldapsync", "extractor", "applier", "operator"},
		"$JS.API.STREAM.PURGE.LDAPSYNC_POSITIONS":             {"ldapsync", "extractor", "operator"},
		"$JS.API.CONSUMER.LIST.LDAPSYNC_corp":                 {"ldapsync", "extractor", "operator"},
		"$JS.API.STREAM.DELETE.LDAPSYNC_OUTCOMES_default":     {},

		"$JS.API.INFO":                                             limited,
		"$JS.API.STREAM.INFO.LDAPSYNC_corp":                        limited,
		"$JS.API.STREAM.CREATE.LDAPSYNC_corp":                      {"ldapsync", "extractor"},
		"$JS.API.STREAM.CREATE.LDAPSYNC_RUNS":                      {"ldapsync", "extractor", "operator"},
		"$JS.API.STREAM.UPDATE.LDAPSYNC_corp":                      {"ldapsync", "extractor"},
		"$JS.API.STREAM.PURGE.LDAPSYNC_corp":                       {"ldapsync", "extractor"},
		"$JS.API.STREAM.DELETE.LDAPSYNC_corp":                      {},
		"$JS.API.STREAM.RESTORE.LDAPSYNC_corp":                     {},
		"$JS.API.STREAM.SNAPSHOT.LDAPSYNC_corp":                    {},
		"$JS.API.STREAM.MSG.DELETE.LDAPSYNC_corp":                  {"ldapsync", "extractor"},
		"$JS.API.STREAM.MSG.GET.LDAPSYNC_corp":                     readers,
		"$JS.API.DIRECT.GET.LDAPSYNC_corp":                         readers,
		"$JS.API.CONSUMER.CREATE.LDAPSYNC_corp.mine":               readers,
		"$JS.API.CONSUMER.CREATE.LDAPSYNC_corp.mine." + event:      readers,
		"$JS.API.CONSUMER.MSG.NEXT.LDAPSYNC_corp.mine":             readers,
		"$JS.API.CONSUMER.DELETE.LDAPSYNC_corp.mine":               {"ldapsync", "extractor", "applier", "operator"},
		"$JS.ACK.LDAPSYNC_corp.mine.1.2.3.4.5":                     {"ldapsync", "callbacks", "reader"},
		"$JS.API.CONSUMER.CREATE.LDAPSYNC_RUNS.mine":               {"ldapsync", "extractor"},
		"$JS.API.CONSUMER.CREATE.LDAPSYNC_RUNS.mine.ldapsync.runs": {"ldapsync", "extractor"},
		"$JS.API.CONSUMER.MSG.NEXT.LDAPSYNC_RUNS.mine":             {"ldapsync", "extractor"},
		"$JS.ACK.LDAPSYNC_RUNS.mine.1.2.3.4.5":                     {"ldapsync", "extractor"},
		"somebody.else":                                            {},
	}
	subscribe := map[string][]string{
		proto.SubjectAll("corp"):             {"reader"},
		proto.OutcomesAll("default"):         {"reader"},
		proto.RunsSubject("corp"):            {},
		"_INBOX.mine.*":                      limited,
		"ldapsync.service.extractor.corp":    {"ldapsync", "extractor"},
		"ldapsync.service.applier.default":   {"ldapsync", "applier"},
		"ldapsync.service.callbacks.default": {"ldapsync", "callbacks"},
		"ldapsync.service.run.corp":          {"ldapsync"},
		"$JS.ACK.>":                          {},
		">":                                  {},
	}
	for _, role := range limited {
		c := s.as(role)
		for subject, who := range publish {
			if got, want := c.may(subject), slices.Contains(who, role); got != want {
				t.Errorf("%s may publish to %s: %v; want %v", role, subject, got, want)
			}
		}
		for subject, who := range subscribe {
			if got, want := c.maySubscribe(subject), slices.Contains(who, role); got != want {
				t.Errorf("%s may subscribe to %s: %v; want %v", role, subject, got, want)
			}
		}
	}
}

func TestNobodyComesInWithoutAPassword(t *testing.T) {
	s := startNATS(t)
	for _, url := range []string{"nats://" + s.Addr().String(), "nats://applier:wrong@" + s.Addr().String(), "nats://applier:@" + s.Addr().String()} {
		if nc, err := nats.Connect(url); !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("%s: %v, %v; want to be refused", url, nc, err)
		}
	}
	s.as("admin")
	s.as("sys")
}

// The system account and ours are apart: a monitoring password reads no events.
func TestMonitoringReadsNoEvents(t *testing.T) {
	s := startNATS(t)
	sys, extractor := s.as("sys"), s.as("extractor")
	sub, err := sys.nc.SubscribeSync("ldapsync.>")
	if err == nil {
		err = sys.nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(extractor.nc.Publish(proto.Subject("corp", proto.TypeUserRemoved), nil), extractor.nc.Flush(), sys.nc.Flush()); err != nil {
		t.Fatal(err)
	}
	if n, _, err := sub.Pending(); n != 0 || err != nil {
		t.Errorf("the system account received %d events (%v)", n, err)
	}
}
