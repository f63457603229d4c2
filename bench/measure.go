package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// What is asked of the directory, by ldapsync and by the floor.
const (
	userFilter  = "(objectClass=inetOrgPerson)"
	groupFilter = "(objectClass=groupOfNames)"
)

var (
	userAttributes  = []string{"uid", "givenName", "sn", "mail"}
	groupAttributes = []string{"cn"}
)

// The names of what is measured.
const (
	readFloor  = "ldapsearch"
	extraction = "extract"
	writeFloor = "COPY"
	checkedIn  = "COPY, checked"
	applying   = "apply"
	firstLoad  = "first load"
	unchanged  = "nothing changed"
	changedOne = "1 % changed"
)

// bench is one run of this program.
type bench struct {
	settings
	dir     string // everything temporary lies below
	program string // the ldapsync that is measured

	slapd    *slapd
	postgres *postgres
	profiles int
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s "+format+"\n", append([]any{time.Now().Format("15:04:05")}, args...)...)
}

// size measures everything with n users.
func (b *bench) size(ctx context.Context, n int) (_ *size, err error) {
	dir := filepath.Join(b.dir, fmt.Sprint(n))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	b.say("%d users: filling slapd", n)
	if b.slapd, err = startSlapd(ctx, filepath.Join(dir, "slapd"), n); err != nil {
		return nil, err
	}
	defer func() { b.slapd.stop(); b.slapd = nil }()
	var extra []string
	if b.profile != "" {
		extra = statementStatistics
	}
	if b.postgres, err = startPostgres(ctx, filepath.Join(dir, "postgres"), extra...); err != nil {
		return nil, err
	}
	defer func() { b.postgres.stop(); b.postgres = nil }()

	s := &size{Users: n, Groups: groupsFor(n), Measured: map[string]*measured{}}
	m := &measuring{bench: b, size: s, dir: dir}
	for _, step := range []func(context.Context) error{m.reading, m.writing, m.loading, m.repeating, m.lookingBack} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	for _, m := range s.Measured {
		m.Median = median(m.Samples)
	}
	return s, nil
}

// measuring is one size at work.
type measuring struct {
	*bench
	*size
	dir string
}

func (m *measuring) state(name string) string { return filepath.Join(m.dir, name) }

func (m *measuring) add(name string, s sample) {
	if m.Measured[name] == nil {
		m.Measured[name] = &measured{}
	}
	m.Measured[name].Samples = append(m.Measured[name].Samples, s)
	m.say("%d users: %-16s %7.2f s, %6.2f s CPU, %4.0f MiB; slapd %.2f, PostgreSQL %.2f s CPU", m.Users, name, s.Wall, s.CPU, s.RSS, s.Slapd, s.Postgres)
}

// reading measures the floor of reading beside the extractor alone.
func (m *measuring) reading(ctx context.Context) error {
	if _, err := m.ldapsearch(ctx); err != nil { // so that neither is the first to touch slapd's pages
		return err
	}
	for range m.Runs {
		floor, err := m.ldapsearch(ctx)
		if err != nil {
			return err
		}
		m.add(readFloor, floor)
		s, _, err := m.child(ctx, extraction, job{Stage: "extract", URI: m.slapd.uri, State: m.dir})
		if err != nil {
			return err
		}
		m.add(extraction, s)
	}
	return nil
}

func (m *measuring) ldapsearch(ctx context.Context) (sample, error) {
	users, err := m.measure(m.slapd.search(ctx, userFilter, append([]string{"entryUUID"}, userAttributes...)...), nil)
	if err != nil {
		return users, err
	}
	groups, err := m.measure(m.slapd.search(ctx, groupFilter, append([]string{"entryUUID", "member"}, groupAttributes...)...), nil)
	return sample{
		Wall: users.Wall + groups.Wall, CPU: users.CPU + groups.CPU, RSS: max(users.RSS, groups.RSS), Slapd: users.Slapd + groups.Slapd,
	}, err
}

// writing measures the floor of writing beside the applier alone, which has the stream before it. What the foreign keys of Django's own tables
// add to the floor is measured too, for whoever wants to know.
func (m *measuring) writing(ctx context.Context) error {
	stream := m.state("stream")
	if _, _, err := m.child(ctx, "publish", job{Stage: "publish", URI: m.slapd.uri, State: stream}); err != nil {
		return err
	}
	for i := range m.Runs {
		if err := m.postgres.create(ctx, "applied"); err != nil {
			return err
		}
		s, _, err := m.child(ctx, applying, job{Stage: "apply", State: stream, DSN: m.postgres.dsn("applied")})
		if err != nil {
			return err
		}
		m.add(applying, s)
		if i == 0 {
			if m.Rows, err = m.postgres.save(ctx, "applied"); err != nil {
				return err
			}
		}
		for _, name := range []string{writeFloor, checkedIn} {
			checked := name == checkedIn
			if err := m.postgres.empty(ctx, "floor", checked); err != nil {
				return err
			}
			if s, err = m.measure(m.postgres.copyIn(ctx, "floor", checked), nil); err != nil {
				return err
			}
			m.add(name, s)
		}
	}
	for _, database := range []string{"applied", "floor"} {
		if err := m.postgres.exec(ctx, "DROP DATABASE "+database+" WITH (FORCE)"); err != nil {
			return err
		}
	}
	return os.RemoveAll(stream)
}

// loading measures whole passes into empty databases. The last one stays.
func (m *measuring) loading(ctx context.Context) error {
	for range m.Runs {
		if err := os.RemoveAll(m.state("state")); err != nil {
			return err
		}
		if err := m.postgres.create(ctx, "django"); err != nil {
			return err
		}
		s, out, err := m.pass(ctx, firstLoad)
		if err != nil {
			return err
		}
		m.add(firstLoad, s)
		if got := out.of(func(c counts) int64 { return int64(c.Added) }); got != int64(m.Users+m.Groups) {
			return fmt.Errorf("first load: %d entries added, not %d", got, m.Users+m.Groups)
		}
	}
	return m.postgres.settle(ctx, "django")
}

// repeating measures passes over what is loaded: nothing changed, and one user in a hundred.
func (m *measuring) repeating(ctx context.Context) error {
	for range m.Runs {
		before, err := m.postgres.written(ctx, "django")
		if err != nil {
			return err
		}
		s, out, err := m.pass(ctx, unchanged)
		if err != nil {
			return err
		}
		m.add(unchanged, s)
		after, err := m.postgres.written(ctx, "django")
		if err != nil {
			return err
		}
		m.UnchangedWritten += after - before
		m.UnchangedPublished += out.published()
	}
	for i := range m.Runs {
		want, err := m.slapd.change(ctx, m.Users, i)
		if err != nil {
			return err
		}
		s, out, err := m.pass(ctx, changedOne)
		if err != nil {
			return err
		}
		m.add(changedOne, s)
		if got := out.published(); got != int64(want) {
			return fmt.Errorf("1 %% changed: %d entries published, not %d", got, want)
		}
	}
	return nil
}

// pass makes a whole pass with the real program; for profiles, with the same stages in this one.
func (m *measuring) pass(ctx context.Context, name string) (sample, summary, error) {
	if m.profile != "" {
		return m.child(ctx, name, job{Stage: "pass", URI: m.slapd.uri, State: m.state("state"), DSN: m.postgres.dsn("django")})
	}
	return m.summed(m.command(ctx, "run", "--json"))
}

// command is the real program.
func (m *measuring) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, m.program, args...)
	cmd.Dir = m.dir // no ldapsync.yaml lies there
	cmd.Env = []string{
		"HOME=" + m.dir, "LDAPSYNC_STATE_DIR=" + m.state("state"), "DATABASE_URL=" + m.postgres.dsn("django"),
		"LDAP_SYNC_URI=" + m.slapd.uri, "LDAP_SYNC_BASE=" + baseDN, "LDAP_SYNC_BASE_USER=" + readerDN, "LDAP_SYNC_BASE_PASS=" + readerPassword,
		"LDAP_SYNC_USER_FILTER=" + userFilter, "LDAP_SYNC_GROUP_FILTER=" + groupFilter,
		`LDAP_SYNC_USER_ATTRIBUTES={"uid": "username", "givenName": "first_name", "sn": "last_name", "mail": "email"}`,
		`LDAP_SYNC_GROUP_ATTRIBUTES={"cn": "name"}`,
	}
	return cmd
}

// summed measures a process that prints a summary.
func (m *measuring) summed(cmd *exec.Cmd) (sample, summary, error) {
	runtime.GC() // a child begins with the parent's resident set in its books
	var text bytes.Buffer
	s, err := m.measure(cmd, &text)
	if err != nil {
		return s, summary{}, err
	}
	var out summary
	if err := json.Unmarshal(text.Bytes(), &out); err != nil {
		return s, out, fmt.Errorf("summary: %w", err)
	}
	if n := out.of(func(c counts) int64 { return int64(c.Skipped) }); n > 0 {
		return s, out, fmt.Errorf("%d entries were skipped", n)
	}
	return s, out, nil
}

// summary is what a run prints, as far as it is needed.
type summary struct {
	Sources []passed `json:"sources"`
}

type passed struct {
	Users  counts `json:"users"`
	Groups counts `json:"groups"`
}

type counts struct {
	Read    uint64 `json:"read"`
	Added   uint64 `json:"added"`
	Changed uint64 `json:"changed"`
	Removed uint64 `json:"removed"`
	Skipped uint64 `json:"skipped"`
}

func (s summary) of(count func(counts) int64) int64 {
	var n int64
	for _, p := range s.Sources {
		n += count(p.Users) + count(p.Groups)
	}
	return n
}

// published counts the entries that became events.
func (s summary) published() int64 {
	return s.of(func(c counts) int64 { return int64(c.Added + c.Changed + c.Removed) })
}
