package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"

	"ldapsync/applier"
	"ldapsync/extractor"
)

// The names of what is measured of the history.
const (
	tableFloor = "COPY to nowhere"
	verifying  = "verify"
	replaying  = "replay"
)

// lookingBack measures verification beside reading the tables once, and a replay into an empty database, whose floor is that of writing. The stream and
// the loaded database are those of the passes before. Of a replay, which applies a state as a first load does, no profile is made.
func (m *measuring) lookingBack(ctx context.Context) error {
	for range m.Runs {
		s, err := m.measure(m.postgres.copyOut(ctx, "django"), nil)
		if err != nil {
			return err
		}
		m.add(tableFloor, s)
		if s, err = m.verification(ctx); err != nil { // a difference fails it
			return fmt.Errorf("verify: %w", err)
		}
		m.add(verifying, s)
	}
	if m.profile != "" {
		return nil
	}
	for range m.Runs {
		if err := m.postgres.create(ctx, "replayed"); err != nil {
			return err
		}
		s, err := m.measure(m.command(ctx, "replay", "--snapshot", "latest", "--to", m.postgres.dsn("replayed"), "--yes", "--json"), nil)
		if err != nil {
			return fmt.Errorf("replay: %w", err)
		}
		m.add(replaying, s)
	}
	return m.postgres.exec(ctx, "DROP DATABASE replayed WITH (FORCE)")
}

// verification verifies with the real program; for profiles, with the same stage in this one.
func (m *measuring) verification(ctx context.Context) (sample, error) {
	if m.profile == "" {
		return m.measure(m.command(ctx, "verify", "--json"), nil)
	}
	s, _, err := m.child(ctx, verifying, job{Stage: "verify", State: m.state("state"), DSN: m.postgres.dsn("django")})
	return s, err
}

// verify compares what is loaded with the stream.
func (j job) verify(ctx context.Context) (_ *extractor.Summary, err error) {
	b, log, err := j.stream(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	st, c, err := j.target(ctx)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	found, err := applier.New(c, st, log).Verify(ctx, applier.VerifyOptions{}, nil)
	if n := found.Differences(); err == nil && n > 0 {
		err = fmt.Errorf("%d differences", n)
	}
	return nil, err
}

// compared are the tables that verification compares with the stream.
var compared = []string{"public.auth_user", "public.auth_group", "public.auth_user_groups", "ldapsync.link"}

// copyOut is the floor of verification: psql reads users, groups, memberships and links once.
func (p *postgres) copyOut(ctx context.Context, database string) *exec.Cmd {
	args := []string{"-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", p.dsn(database)}
	for _, table := range compared {
		args = append(args, "-c", fmt.Sprintf(`\copy %s TO '/dev/null' (FORMAT binary)`, table))
	}
	return exec.CommandContext(ctx, filepath.Join(p.bin, "psql"), args...)
}
