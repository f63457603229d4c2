package main

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/extractor"
	"ldapsync/extractor/ldap"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// directory makes the directory of a source. retryFor 0 never gives up.
func directory(cfg *config.Config, s *config.Source, retryFor time.Duration, logger *slog.Logger) (extractor.Directory, error) {
	if s.Users.Filter != "" && len(usernames(cfg, s.Name)) == 0 {
		return nil, fault.New(fault.Usage, "map one under targets: users.attributes, such as {uid: username} (LDAP_SYNC_USER_ATTRIBUTES)",
			"source %s: no target says which attribute is the username", s.Name)
	}
	warn(s, logger)
	if s.File() {
		return file(cfg, s, logger)
	}
	tlsConfig, err := directoryTLS(s)
	if err != nil {
		return nil, err
	}
	c := ldap.DefaultConfig()
	c.URIs, c.StartTLS, c.TLS = s.URIs, s.StartTLS, tlsConfig
	if c.BindDN = s.Bind.DN; c.BindDN != "" && s.Bind.SASL == "" {
		c.Password = s.Bind.Password.Value
	}
	if s.Bind.SASL != "" {
		c.BindDN, c.SASLExternal = "", true
	}
	c.Bases, c.Scope = s.Bases, s.Scope
	c.UserFilter, c.GroupFilter = s.Users.Filter, s.Groups.Filter
	c.UserAttributes, c.GroupAttributes = cfg.UserAttributes(s.Name), cfg.GroupAttributes(s.Name)
	if len(s.Groups.Members) > 0 {
		c.MemberAttributes = s.Groups.Members
	}
	c.IDAttribute = s.ID
	c.UsernameAttributes, c.GroupNameAttributes = usernames(cfg, s.Name), groupNames(cfg, s.Name)
	c.PageSize, c.RetryFor, c.Logger = s.PageSize, retryFor, logger
	return ldap.New(c)
}

// extraction is the configuration of a source's extractor, without what a command adds.
func extraction(cfg *config.Config, s *config.Source, logger *slog.Logger) extractor.Config {
	c := extractor.Config{
		Source:      s.Name,
		Username:    usernames(cfg, s.Name),
		GroupName:   groupNames(cfg, s.Name),
		Users:       s.Users.Filter != "",
		Groups:      s.Groups.Filter != "",
		Nested:      s.Groups.Nested,
		Flags:       extractor.Flags{Active: flagRule(s.Flags.Active), Staff: flagRule(s.Flags.Staff), Superuser: flagRule(s.Flags.Superuser)},
		ContentType: proto.ContentTypeProtobuf,
		FullEvery:   s.History.FullEvery,
		Limits:      s.Limits.Extractor(),
		Grace:       cfg.Grace(s.Name),
		Version:     programVersion(),
		Logger:      logger,
	}
	if !cfg.NATS.URL.IsSet() {
		c.SpoolDir = cfg.State // which the embedded stream has made by then
	}
	if s.Encoding == "json" {
		c.ContentType = proto.ContentTypeJSON
	}
	return c
}

func flagRule(r *config.FlagRule) *extractor.Flag {
	if r == nil {
		return nil
	}
	return &extractor.Flag{Group: r.Group, Attribute: r.Attribute, Equals: r.Equals, Bit: r.Bit, NotBit: r.NotBit}
}

// usernames are the attributes that some target takes the username from.
func usernames(cfg *config.Config, source string) []string {
	var names []string
	for _, t := range cfg.TargetsOf(source) {
		names = append(names, t.Users.Attributes.For(t.Users.UsernameField)...)
	}
	return eachOnce(names)
}

func groupNames(cfg *config.Config, source string) []string {
	var names []string
	for _, t := range cfg.TargetsOf(source) {
		names = append(names, t.Groups.Attributes.For("name")...)
	}
	return eachOnce(names)
}

// eachOnce drops names that differ only by case from an earlier one.
func eachOnce(names []string) []string {
	var once []string
	seen := map[string]bool{}
	for _, n := range names {
		if folded := strings.ToLower(n); !seen[folded] {
			seen[folded] = true
			once = append(once, n)
		}
	}
	return once
}

// directoryTLS reads the certificates of a source.
func directoryTLS(s *config.Source) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: s.TLS.InsecureSkipVerify}
	if file := s.TLS.CAFile; file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fault.New(fault.Usage, "the file must exist and be readable for the user that runs ldapsync", "sources.%s.tls.ca_file: %w", s.Name, err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fault.New(fault.Usage, "PEM begins with -----BEGIN CERTIFICATE-----; openssl x509 -inform der converts", "sources.%s.tls.ca_file: no certificate in %s", s.Name, file)
		}
	}
	if s.TLS.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(s.TLS.CertFile, s.TLS.KeyFile)
		if err != nil {
			return nil, fault.New(fault.Usage, "cert_file and key_file must be PEM, belong together and be readable", "sources.%s.tls: %w", s.Name, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// warn says each time what is dangerous or idle in a source's settings.
func warn(s *config.Source, logger *slog.Logger) {
	if s.Users.Filter == "" && s.Groups.Filter == "" {
		logger.Warn("neither users.filter nor groups.filter is set: nothing is read", "source", s.Name)
	}
	if s.TLS.InsecureSkipVerify {
		logger.Warn("the directory's certificate is NOT verified: anybody on the way can read the password and change the answers; set tls.ca_file instead", "source", s.Name)
	}
	if off, all := s.Limits.Off(); all {
		logger.Warn("all limits are off: whatever the directory no longer has is removed, were it everybody but one; leave out limits: off", "source", s.Name)
	} else if len(off) > 0 {
		logger.Warn("limits that are off hold nothing back", "source", s.Name, "off", strings.Join(off, ", "))
	}
	if _, all := s.Limits.Off(); !all && s.Limits.Window <= 0 {
		logger.Warn("limits.window is 0: each pass is counted by itself, so that many small losses one after the other are held by no limit", "source", s.Name)
	}
	if s.Bind.DN == "" || s.StartTLS {
		return
	}
	for _, uri := range s.URIs {
		if u, err := url.Parse(uri); err == nil && u.Scheme == "ldap" && !loopback(u.Hostname()) {
			logger.Warn("the bind password is sent without encryption; set starttls: true or use ldaps://", "source", s.Name, "uri", uri)
			return
		}
	}
}

func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
