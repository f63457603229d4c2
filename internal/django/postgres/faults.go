package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"ldapsync/applier"
	"ldapsync/internal/fault"
)

// code returns the SQLSTATE of err, "" if it has none.
func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// message returns what PostgreSQL said, in one line. The detail is left out: it may show a whole row, with its password.
func message(err error) string {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return strings.Join(strings.Fields(err.Error()), " ")
	}
	text := e.Message
	if e.ColumnName != "" && !strings.Contains(text, e.ColumnName) {
		text = e.ColumnName + ": " + text
	}
	return strings.Join(strings.Fields(text), " ")
}

// refusesData tells whether err blames the data: a data exception or an integrity constraint.
func refusesData(err error) bool {
	c := code(err)
	return strings.HasPrefix(c, "22") || strings.HasPrefix(c, "23")
}

// passesWithRivals tells whether the same transaction may succeed when it is run again: serialization failure, deadlock, lock not available.
func passesWithRivals(err error) bool {
	switch code(err) {
	case "40001", "40P01", "55P03":
		return true
	}
	return false
}

// dataError turns an error that blames the data into a *applier.DataError, and returns others as they are.
func dataError(err error) error {
	var known *applier.DataError
	if err == nil || errors.As(err, &known) || !refusesData(err) {
		return err
	}
	return &applier.DataError{Err: errors.New(message(err))}
}

var tableInMessage = regexp.MustCompile(`(table|relation|sequence|schema|column|database) "?([^" ]+)"?`)

// fault turns what the driver says into what a person can act on. Errors that blame the data, those of ctx and faults stay as they are.
func (s *Store) fault(err error) error { return explain(err, s.cfg.role, s.cfg.database) }

func explain(err error, role, database string) error {
	var known *fault.Error
	var data *applier.DataError
	if err == nil || errors.As(err, &known) || errors.As(err, &data) || errors.Is(err, applier.ErrMoved) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if !fromDriver(err) {
		return err
	}
	var connect *pgconn.ConnectError
	if code(err) == "" && errors.As(err, &connect) {
		return explainConnect(err)
	}
	if f := explainCode(code(err), err, role, database); f != nil {
		return f
	}
	if refusesData(err) {
		return dataError(err)
	}
	return fault.Passing(fault.Database, "", "database: %s", message(err))
}

// fromDriver tells whether err is the server's or the connection's, and not that of a function that ran inside a transaction.
func fromDriver(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return code(err) != "" || errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

func explainConnect(err error) error {
	text := err.Error()
	var network *net.OpError
	switch {
	case strings.Contains(text, "server refused TLS"):
		return fault.New(fault.Database, "switch TLS on in the server, or set sslmode=disable in the URL where the way to it is safe", "database: the server refused TLS")
	case strings.Contains(text, "tls:") || strings.Contains(text, "x509:"):
		_, reason, _ := strings.Cut(text, "tls:")
		return fault.New(fault.Database, "set sslrootcert in the URL to the authority that signed the server's certificate", "database: the server's certificate isn't trusted:%s", reason)
	case errors.As(err, &network):
		return fault.Passing(fault.Database, "check host and port in the database's URL, and that the server runs", "database: %v", network)
	}
	return fault.Passing(fault.Database, "check host and port in the database's URL, and that the server runs", "database: no connection: %s", lastPart(text))
}

// lastPart leaves out the connection's parameters, which pgx puts before the reason.
func lastPart(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

func explainCode(c string, err error, role, database string) error {
	text := message(err)
	switch c {
	case "28P01", "28000":
		return fault.New(fault.Database, "check the user and password of the database's URL, and pg_hba.conf of the server", "database: %s", text)
	case "3D000":
		return fault.New(fault.Database, "check the name of the database in its URL", "database: %s", text)
	case "42501":
		return fault.New(fault.Database, grantHint(text, role, database), "database: %s", text)
	case "42P01", "42703", "3F000":
		if strings.Contains(text, "ldapsync") {
			return fault.New(fault.Database, "run \"ldapsync migrate\"", "database: %s", text)
		}
		return fault.New(fault.Database, "the tables changed: run \"manage.py migrate\" of the Django project, then start ldapsync again", "database: %s", text)
	case "25006":
		return fault.Passing(fault.Database, "connect to the primary server: target_session_attrs=read-write in the URL", "database: %s", text)
	case "40001", "40P01", "55P03":
		return fault.Passing(fault.Database, "an application holds locks on these rows for long: look for it in pg_stat_activity", "database: %s", text)
	case "53300":
		return fault.Passing(fault.Database, "raise max_connections of the server, or lower pool_max_conns in the URL", "database: %s", text)
	}
	return nil
}

// grantHint names the statement that gives what is missing.
func grantHint(text, role, database string) string {
	m := tableInMessage.FindStringSubmatch(text)
	if m == nil {
		return "grant the role its rights"
	}
	kind, name := m[1], m[2]
	grant := fmt.Sprintf("SELECT, INSERT, UPDATE, DELETE ON %s", name)
	switch kind {
	case "sequence":
		grant = "USAGE ON SEQUENCE " + name
	case "schema":
		grant = "USAGE ON SCHEMA " + name
	case "database":
		grant = "CREATE ON DATABASE " + database
	}
	return fmt.Sprintf("have its owner run: GRANT %s TO %s", grant, quote(role))
}
