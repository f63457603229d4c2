package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
)

// child measures a stage in a process of its own. With profiles, it also writes down what its statements cost PostgreSQL.
func (m *measuring) child(ctx context.Context, name string, j job) (sample, summary, error) {
	if m.profile != "" {
		m.profiles++
		name = strings.ReplaceAll(strings.ReplaceAll(name, " %", ""), " ", "-")
		j.Profile = filepath.Join(m.profile, fmt.Sprintf("%d-%02d-%s", m.Users, m.profiles, name))
		if err := m.postgres.forgetStatements(ctx); err != nil {
			return sample{}, summary{}, err
		}
	}
	cmd, err := j.command(ctx)
	if err != nil {
		return sample{}, summary{}, err
	}
	s, out, err := m.summed(cmd)
	if err == nil && m.profile != "" {
		err = m.postgres.saveStatements(ctx, j.Profile+".sql.txt")
	}
	return s, out, err
}

// statementStatistics are the settings that make PostgreSQL count what statements cost. That costs time itself.
var statementStatistics = []string{"shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track_planning=on", "track_io_timing=on"}

func (p *postgres) forgetStatements(ctx context.Context) error {
	if err := p.exec(ctx, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements"); err != nil {
		return err
	}
	_, err := p.site.Exec(ctx, "SELECT pg_stat_statements_reset()")
	return err
}

// saveStatements writes the costliest statements to a file.
func (p *postgres) saveStatements(ctx context.Context, file string) error {
	rows, err := p.site.Query(ctx, `SELECT total_exec_time, total_plan_time, calls, rows, wal_bytes::bigint, query
		FROM pg_stat_statements WHERE dbid <> (SELECT oid FROM pg_database WHERE datname = current_database())
		ORDER BY total_exec_time + total_plan_time DESC LIMIT 25`)
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("   exec ms    plan ms   calls      rows   WAL KiB  statement\n")
	var execution, planning float64
	var calls, count, wal int64
	var query string
	_, err = pgx.ForEachRow(rows, []any{&execution, &planning, &calls, &count, &wal, &query}, func() error {
		query = strings.Join(strings.Fields(query), " ")
		_, err := fmt.Fprintf(&b, "%10.1f %10.1f %7d %9d %9d  %.200s\n", execution, planning, calls, count, wal/1024, query)
		return err
	})
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(b.String()), 0o644)
}
