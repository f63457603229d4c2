package ldap

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"
)

// logCommand writes q as a command that a person can paste into a shell. It asks for the password (-W).
func (s *Session) logCommand(ctx context.Context, q query, pageSize int) {
	if s.log.Enabled(ctx, slog.LevelDebug) {
		s.log.DebugContext(ctx, "searching", "command", command(s.cfg, s.conn.address, q, pageSize))
	}
}

// command is the ldapsearch command for q; pageSize 0 is without pages.
func command(cfg Config, a address, q query, pageSize int) string {
	words := []string{"ldapsearch", "-LLL", "-H", a.uri}
	if a.scheme == "ldap" && cfg.StartTLS {
		words = append(words, "-ZZ")
	}
	switch {
	case cfg.SASLExternal:
		words = append(words, "-Y", "EXTERNAL")
	case cfg.BindDN != "":
		words = append(words, "-x", "-D", cfg.BindDN, "-W")
	default:
		words = append(words, "-x")
	}
	if pageSize > 0 {
		words = append(words, "-E", fmt.Sprintf("pr=%d/noprompt", pageSize))
	}
	words = append(words, "-b", q.base, "-s", scopeName(q.scope), q.filter)
	words = append(words, q.attributes...)
	for i, word := range words {
		words[i] = quote(word)
	}
	return strings.Join(words, " ")
}

func scopeName(scope int) string {
	switch scope {
	case goldap.ScopeBaseObject:
		return ScopeBase
	case goldap.ScopeSingleLevel:
		return ScopeOne
	}
	return ScopeSub
}

// quote writes word so that a POSIX shell reads it back.
func quote(word string) string {
	plain := strings.IndexFunc(word, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,@%+", r)
	}) < 0
	if plain && word != "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
