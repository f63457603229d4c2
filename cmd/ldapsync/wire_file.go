package main

import (
	"log/slog"

	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/extractor/ldif"
)

// file makes the directory of a source that reads an LDIF file.
func file(cfg *config.Config, s *config.Source, logger *slog.Logger) (*ldif.Directory, error) {
	c := ldif.DefaultConfig()
	c.URI = s.URIs[0]
	c.Bases, c.Scope = s.Bases, s.Scope
	c.UserFilter, c.GroupFilter = s.Users.Filter, s.Groups.Filter
	c.UserAttributes, c.GroupAttributes = cfg.UserAttributes(s.Name), cfg.GroupAttributes(s.Name)
	if len(s.Groups.Members) > 0 {
		c.MemberAttributes = s.Groups.Members
	}
	c.IDAttribute = s.ID
	c.UsernameAttributes, c.GroupNameAttributes = usernames(cfg, s.Name), groupNames(cfg, s.Name)
	c.Logger = logger
	return ldif.New(c)
}
