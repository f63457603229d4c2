package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"ldapsync/internal/testenv"
)

// TestActiveDirectory runs scenarios on an Active Directory, with PostgreSQL, judged by Django itself. Its scripts know what the others know, and
//
//	samba                          starts a domain controller, and points LDAP_SYNC_URI (ldaps) and LDAP_SYNC_CA_FILE at it
//	ad add|modify FILE             changes its entries by an LDIF
//	ad delete DN                   deletes one
//	ad rename DN RDN               renames one
//	ad move DN RDN SUPERIOR        puts one below another
//	ad stop|start                  stops the domain controller, starts it again
func TestActiveDirectory(t *testing.T) {
	known := commands()
	known["samba"], known["ad"] = cmdSamba, cmdAD
	testscript.Run(t, testscript.Params{Dir: "testdata/samba", Cmds: known, RequireExplicitExec: true, Setup: func(env *testscript.Env) error {
		env.Values[domainKey{}] = &domain{}
		return setup("postgres")(env)
	}})
}

// domain is what a script has started.
type domain struct{ *testenv.SambaServer }

type domainKey struct{}

func cmdSamba(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 0, "samba")
	s := testenv.Samba(of(ts).t)
	ts.Value(domainKey{}).(*domain).SambaServer = s
	ts.Setenv("PLAIN_URI", s.URI)
	ts.Setenv("LDAP_SYNC_URI", s.LDAPSURI)
	ts.Setenv("LDAP_SYNC_CA_FILE", s.CAFile)
	ts.Setenv("BASE", s.BaseDN)
	ts.Setenv("SYNC_PASSWORD", s.Password)
}

func cmdAD(ts *testscript.TestScript, neg bool, args []string) {
	const usage = "ad add|modify FILE, ad delete DN, ad rename DN RDN, ad move DN RDN SUPERIOR, ad stop|start"
	want(ts, neg, args, 1, usage)
	s := ts.Value(domainKey{}).(*domain)
	switch args[0] {
	case "stop":
		s.Stop()
	case "start":
		s.Start()
	case "add":
		s.Add(ts.ReadFile(args[1]))
	case "modify":
		s.Modify(ts.ReadFile(args[1]))
	case "delete":
		s.Delete(args[1])
	case "rename":
		s.Rename(args[1], args[2])
	case "move":
		s.Move(args[1], args[2], args[3])
	default:
		ts.Fatalf("usage: %s", usage)
	}
}
