package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// The names of what is measured of the history.
const (
	tableFloor = "COPY to nowhere"
	verifying  = "verify"
	replaying  = "replay"
)

// lookingBack measures verification beside reading the tables once, and a replay into an empty database, whose floor is that of writing. The stream and
// the loaded database are those of the passes before.
func (m *measuring) lookingBack(ctx context.Context) error {
	for range m.Runs {
		s, err := m.measure(m.postgres.copyOut(ctx, "django"), nil)
		if err != nil {
			return err
		}
		m.add(tableFloor, s)
		if s, err = m.measure(m.command(ctx, "verify", "--json"), nil); err != nil { // a difference fails it
			return fmt.Errorf("verify: %w", err)
		}
		m.add(verifying, s)
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

// copyOut is the floor of verification: psql reads the tables that a first load fills, once.
func (p *postgres) copyOut(ctx context.Context, database string) *exec.Cmd {
	args := []string{"-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", p.dsn(database)}
	for _, table := range filled {
		args = append(args, "-c", fmt.Sprintf(`\copy %s TO '/dev/null' (FORMAT binary)`, table))
	}
	return exec.CommandContext(ctx, filepath.Join(p.bin, "psql"), args...)
}
