package config

import (
	"net/url"
	"strings"

	"ldapsync/internal/fault"
)

// Database is a target's database, as its URL names it.
type Database struct {
	// Kind is postgres or sqlite.
	Kind string
	// DSN is the URL for the driver, PostgreSQL only. It may hold a password.
	DSN string
	// Path of the file, SQLite only.
	Path string
	// Shown is the URL without password and parameters.
	Shown string
}

// The kinds of databases.
const (
	Postgres = "postgres"
	SQLite   = "sqlite"
)

const databaseHint = "such as postgres://user:password@host/name, sqlite:///relative/path or sqlite:////absolute/path"

// djangoOnly are parameters of Django's projects that mean nothing to a driver.
var djangoOnly = [...]string{"conn_max_age", "conn_health_checks", "atomic_requests", "disable_server_side_cursors", "pool", "server_side_cursors"}

// ParseDatabase understands URLs as Django's projects write them (dj-database-url, django-environ): postgres, postgresql, pgsql,
// psql or postgis, with a socket's directory as %2Frun%2Fpostgresql, and sqlite with three slashes for a relative, four for an
// absolute path. No error repeats the URL: it may hold a password.
func ParseDatabase(text string) (Database, error) {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return Database{}, fault.New(fault.Usage, databaseHint, "not a database URL")
	}
	switch strings.ToLower(scheme) {
	case "sqlite", "sqlite3", "spatialite":
		return parseSQLite(rest)
	case "postgres", "postgresql", "pgsql", "psql", "postgis":
		return parsePostgres(rest)
	}
	return Database{}, fault.New(fault.Usage, "ldapsync writes to PostgreSQL and SQLite", "%s: a database it doesn't know", scheme)
}

func parseSQLite(rest string) (Database, error) {
	path, _, _ := strings.Cut(rest, "?")
	path, ok := strings.CutPrefix(path, "/")
	if !ok || path == "" || path == ":memory:" || strings.HasSuffix(path, "/") {
		return Database{}, fault.New(fault.Usage, "sqlite:///relative/path or sqlite:////absolute/path", "the URL names no file")
	}
	if plain, err := url.PathUnescape(path); err == nil {
		path = plain
	}
	return Database{Kind: SQLite, Path: path, Shown: "sqlite:///" + path}, nil
}

func parsePostgres(rest string) (Database, error) {
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	authority, name, _ := strings.Cut(rest, "/")
	host, u := authority, url.URL{Scheme: "postgres"}
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		host = authority[i+1:]
		user, password, has := strings.Cut(authority[:i], ":")
		if u.User = url.User(unescaped(user)); has {
			u.User = url.UserPassword(unescaped(user), unescaped(password))
		}
	}
	parameters, err := url.ParseQuery(query)
	if err != nil {
		return Database{}, fault.New(fault.Usage, databaseHint, "the URL's parameters can't be read")
	}
	if name = unescaped(strings.TrimSuffix(name, "/")); name == "" {
		return Database{}, fault.New(fault.Usage, databaseHint, "the URL names no database")
	}
	u.Path = "/" + name
	if socket := unescaped(host); strings.HasPrefix(socket, "/") {
		dir, port, has := cutPort(socket)
		parameters.Set("host", dir)
		if has {
			parameters.Set("port", port)
		}
	} else {
		u.Host = host
	}
	forDriver(parameters)
	u.RawQuery = parameters.Encode()
	if _, err := url.Parse(u.String()); err != nil {
		return Database{}, fault.New(fault.Usage, databaseHint, "the URL's host or port can't be read")
	}
	return Database{Kind: Postgres, DSN: u.String(), Shown: shown(u, parameters)}, nil
}

// forDriver turns Django's parameters into the driver's.
func forDriver(parameters url.Values) {
	for key := range parameters {
		for _, own := range djangoOnly {
			if strings.EqualFold(key, own) {
				delete(parameters, key)
			}
		}
	}
	if v := parameters.Get("ssl_require"); v != "" {
		if parameters.Del("ssl_require"); strings.EqualFold(v, "true") || v == "1" {
			parameters.Set("sslmode", "require")
		}
	}
	if v := parameters.Get("currentSchema"); v != "" {
		parameters.Del("currentSchema")
		parameters.Set("search_path", v)
	}
}

func shown(u url.URL, parameters url.Values) string {
	user := ""
	if u.User != nil {
		user = u.User.Username() + "@"
	}
	host := u.Host
	if host == "" {
		host = parameters.Get("host")
	}
	return "postgres://" + user + host + u.Path
}

func cutPort(socket string) (dir, port string, found bool) {
	if i := strings.LastIndexByte(socket, ':'); i >= 0 {
		return socket[:i], socket[i+1:], true
	}
	return socket, "", false
}

// unescaped decodes %xx; text that isn't escaped properly is taken as it stands.
func unescaped(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}
