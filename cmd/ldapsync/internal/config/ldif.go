package config

import (
	"slices"

	"ldapsync/extractor/ldif"
	"ldapsync/internal/fault"
)

// File tells whether the source reads an LDIF file instead of a server.
func (s *Source) File() bool { return slices.ContainsFunc(s.URIs, ldif.IsURI) }

// validateFile validates a source that reads an LDIF file: what only a server needs doesn't go with it.
func (c *Config) validateFile(path string, s *Source) error {
	if len(s.URIs) > 1 {
		return c.refuse(path+".uri", "name the file alone", "an LDIF file stands for no other server")
	}
	uri := s.URIs[0]
	if _, err := ldif.Path(uri); err != nil {
		_, hint := fault.Of(err)
		return c.refuse(path+".uri", hint, "%q doesn't name a file", uri)
	}
	for _, setting := range []struct {
		name string
		set  bool
	}{
		{"starttls", s.StartTLS},
		{"bind", s.Bind.DN != "" || s.Bind.SASL != "" || s.Bind.Password.IsSet()},
		{"tls", s.TLS != TLS{}},
	} {
		if setting.set {
			return c.refuse(path+"."+setting.name, "leave it out", "%s is a file, and needs none", uri)
		}
	}
	return nil
}
