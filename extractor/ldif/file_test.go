package ldif_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"ldapsync/extractor"
	"ldapsync/extractor/ldif"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// config asks a file for people and groups below dc=example.
func config(path string) ldif.Config {
	c := ldif.DefaultConfig()
	c.URI, c.Bases, c.UserFilter, c.GroupFilter = "ldif://"+path, []string{"dc=example"}, "(objectClass=person)", "(objectClass=group)"
	c.UserAttributes, c.GroupAttributes = []string{"cn"}, []string{"cn"}
	return c
}

const ada = "dn: cn=ada,dc=example\nobjectClass: person\nentryUUID: a\ncn: ada\n"

// What isn't a whole dump of entries isn't read at all, and the error says where and why.
func TestFilesThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"nothing":                    {"", "holds no entry"},
		"a version alone":            {"version: 1\n\n", "holds no entry"},
		"another version":            {"version: 2\n\n" + ada + "\n", `line 1: version "2" of LDIF isn't known`},
		"no end of the last line":    {ada + "sn: Lovela", "line 5: the file ends within a line"},
		"no end of the last entry":   {ada, "line 4: the last entry isn't ended by an empty line"},
		"no end of the last comment": {ada + "\n# numEntr", "line 6: the file ends within a line"},
		"fewer than counted":         {ada + "\n# numEntries: 2\n", "line 6: the dump says that it has 2 entries, and has 1"},
		"fewer than counted, Samba":  {ada + "\n# returned 2 records\n# 2 entries\n# 0 referrals\n", "line 7: the dump says that it has 2 entries, and has 1"},
		"a limit":                    {ada + "\n# search result\nsearch: 2\nresult: 4 Size limit exceeded\n\n", "line 8: the search that made the dump ended with 4 Size limit exceeded"},
		"another page":               {ada + "\n# pagedresults: cookie=YWJj\n", "the dump's last page says that there are more"},
		"another page, long form":    {ada + "\n# search result\nsearch: 2\nresult: 0 Success\npagedresults: cookie=YWJj\n\n", "the dump's last page says that there are more"},
		"no dn":                      {"cn: ada\n\n", "line 1: cn where an entry begins with its dn"},
		"two dns":                    {ada + ada + "\n", "line 5: a second dn in one entry"},
		"no colon":                   {ada + "sn Lovelace\n\n", `line 5: "sn Lovelace" is no line of LDIF`},
		"no name":                    {ada + ": x\n\n", `line 5: ": x" is no line of LDIF`},
		"no name of an attribute":    {ada + "first name: Ada\n\n", `line 5: "first name" isn't the name of an attribute`},
		"a modification":             {"dn: cn=ada,dc=example\nchangetype: modify\nadd: sn\nsn: x\n-\n\n", "line 2: a change, and no entry (changetype)"},
		"an addition":                {"dn: cn=ada,dc=example\nChangeType: add\nobjectClass: person\n\n", "line 2: a change, and no entry (ChangeType)"},
		"a control":                  {"dn: cn=ada,dc=example\ncontrol: 1.2.3 true\nchangetype: delete\n\n", "line 2: a change, and no entry (control)"},
		"a URL":                      {ada + "jpegPhoto:< file:///etc/passwd\n\n", "line 5: jpegPhoto stands in another file or on a web server, which isn't read"},
		"no base64":                  {ada + "sn:: Love!\n\n", "line 5: the value of sn isn't base64"},
		"half of base64":             {ada + "sn:: TG92ZWxhY2\n\n", "line 5: the value of sn isn't base64"},
		"a zero byte":                {ada + "sn: a\x00b\n\n", "line 5: the value of sn has a character that must be written in base64"},
		"a hole":                     {ada + strings.Repeat("\x00", 100) + "\n\n", `line 5: "\x00\x00`},
		"a carriage return":          {ada + "sn: a\rb\n\n", "line 5: the value of sn has a character"},
		"a fold of nothing":          {" x\n" + ada + "\n", "line 1: goes on with a line that isn't there"},
		"a fold behind an entry":     {ada + "\n x\n\n", "line 6: goes on with a line that isn't there"},
		"an entry twice":             {ada + "\n" + strings.Replace(ada, "dn: cn=ada,", "dn: CN=Ada, ", 1) + "\n", "holds CN=Ada, dc=example twice"},
		"too many names":             {ada + numbered(10001) + "\n", "line 10002: more than 10000 names of attributes"},
		"UTF-16":                     {"\xff\xfed\x00n\x00", "is UTF-16"},
		"gzip":                       {"\x1f\x8b\x08\x00", "is compressed"},
		"nothing below a base":       {strings.ReplaceAll(ada, "dc=example", "dc=elsewhere") + "\n", "nothing lies below base dc=example"},
	} {
		path := file(t, c.text)
		_, err := tryOpen(t, config(path), "")
		wantFault(t, name, err, c.want)
		if err != nil && !strings.HasPrefix(err.Error(), "ldif://"+path+": ") {
			t.Errorf("%s: the file isn't named: %v", name, err)
		}
	}
}

func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "a%d: x\n", i)
	}
	return b.String()
}

func wantFault(t *testing.T, name string, err error, want string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", name)
		return
	}
	class, hint := fault.Of(err)
	if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || hint == "" || class != fault.Directory || fault.IsPermanent(err) {
		t.Errorf("%s: class %v, permanent %v: %v\nhint: %s\nwant: %s", name, class, fault.IsPermanent(err), err, hint, want)
	}
}

// The forms of RFC 2849, and what is usual beyond it.
func TestFormsOfLDIF(t *testing.T) {
	want := "cn=ada,dc=example|a|[{cn [ada Ada L\xf6velace  two]}]"
	for name, text := range map[string]string{
		"plain":                  "dn: cn=ada,dc=example\nobjectClass: person\nentryUUID: a\ncn: ada\ncn: Ada L\xf6velace\ncn:: IHR3bw==\n\n",
		"windows":                "dn: cn=ada,dc=example\r\nobjectClass: person\r\nentryUUID: a\r\ncn: ada\r\ncn: Ada L\xf6vel\r\n ace\r\ncn:: IHR\r\n 3bw==\r\n\r\n",
		"byte order mark":        "\xef\xbb\xbfdn: cn=ada,dc=example\nobjectClass: person\nentryUUID: a\ncn: ada\ncn: Ada L\xf6velace\ncn:: IHR3bw==\n\n",
		"version, empty lines":   "\n\nversion: 1\n\n\ndn: cn=ada,dc=example\nobjectClass: person\nentryUUID: a\ncn: ada\ncn: Ada L\xf6velace\ncn:: IHR3bw==\n\n\n\n",
		"version above the dn":   "version: 1\ndn: cn=ada,dc=example\nobjectClass: person\nentryUUID: a\ncn: ada\ncn: Ada L\xf6velace\ncn:: IHR3bw==\n\n",
		"comments":               "# a\n b\ndn: cn=ada,dc=example\n# c\n  folded: on\nobjectClass: person\nentryUUID: a\ncn: ada\n#cn: eve\ncn: Ada L\xf6velace\ncn:: IHR3bw==\n# 3 entries or so\n\n# end\n",
		"no spaces":              "dn:cn=ada,dc=example\nOBJECTCLASS:person\nentryuuid:a\ncommonName:ada\nCN:Ada L\xf6velace\ncn::IHR3bw==\n\n",
		"many spaces":            "DN:   cn=ada,dc=example\nobjectClass:   person\nentryUUID:  a\ncn:  ada\ncn:   Ada L\xf6velace\ncn::   IHR3bw==\n\n",
		"dn in base64":           "dn:: Y249YWRhLGRjPWV4YW1wbGU=\nobjectClass: person\nentryUUID: a\ncn: ada\ncn: Ada L\xf6velace\ncn:: IHR3bw==\n\n",
		"folded anywhere":        "d\n n: cn=ada,dc=exa\n mple\nobject\n Class: person\nentryUUID:\n  a\ncn: a\n d\n a\ncn: Ada L\n \xf6velace\ncn:: IHR3\n bw\n ==\n\n",
		"values apart":           "dn: cn=ada,dc=example\ncn: ada\nobjectClass: person\ncn: Ada L\xf6velace\nentryUUID: a\ncn:: IHR3bw==\n\n",
		"a count":                "dn: cn=ada,dc=example\nobjectClass: person\nentryUUID: a\ncn: ada\ncn: Ada L\xf6velace\ncn:: IHR3bw==\n\n# numResponses: 2\n# numEntries: 1\n",
		"a result":               "dn: cn=ada,dc=example\nobjectClass: person\nentryUUID: a\ncn: ada\ncn: Ada L\xf6velace\ncn:: IHR3bw==\n\n# search result\nsearch: 2\nresult: 0 Success\n\n",
		"two dumps, one counted": "dn: cn=ada,dc=example\nobjectClass: person\nentryUUID: a\ncn: ada\ncn: Ada L\xf6velace\ncn:: IHR3bw==\n\n# numEntries: 1\nversion: 1\n\ndn: dc=example\ndc: example\n\n# numEntries: 1\n",
		"the root and no DN":     "dn:\nvendorName: x\n\ndn: none\ncn: x\n\ndn: cn=ada,dc=example\nobjectClass: person\nentryUUID: a\ncn: ada\ncn: Ada L\xf6velace\ncn:: IHR3bw==\n\n",
	} {
		s := open(t, config(file(t, text)))
		var got []string
		for _, r := range collect(t, s.Users(t.Context())) {
			got = append(got, fmt.Sprintf("%s|%s|%v", r.DN, r.ID, r.Attributes))
		}
		if len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		again, err := s.Lookup(t.Context(), proto.KindUser, []string{"A"}) // by what the listing kept of where it stands
		if err != nil || len(again) != 1 || fmt.Sprintf("%s|%s|%v", again[0].DN, again[0].ID, again[0].Attributes) != want {
			t.Errorf("%s: looked up: %v, %v", name, again, err)
		}
	}
}

// many are so many people that they come in several batches.
func many(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "dn: cn=%05d,dc=example\nobjectClass: person\nentryUUID: %05d\ncn: %05d\n\n", i, i, i)
	}
	return b.String()
}

// Whatever happens to the file while it is listed, the listing doesn't end as a complete one; a file that takes its name leaves it alone.
func TestFileThatChangesWhileItIsRead(t *testing.T) {
	for name, change := range map[string]func(path, text string) error{
		"grows": func(path, text string) error { return os.WriteFile(path, []byte(text+ada+"\n"), 0o600) },
		"is cut": func(path, text string) error {
			return os.Truncate(path, int64(len(text)-strings.Index(text, "\n\n")-2)) // by exactly one entry
		},
		"is emptied":  func(path, _ string) error { return os.Truncate(path, 0) },
		"is replaced": func(path, _ string) error { return os.Rename(file(t, ada+"\n"), path) },
		"is rewritten in secret": func(path, text string) error {
			info, err := os.Stat(path)
			if err == nil {
				err = os.WriteFile(path, []byte(strings.ReplaceAll(text, "cn: 0", "cn: 1")), 0o600)
			}
			if err == nil {
				err = os.Chtimes(path, time.Time{}, info.ModTime())
			}
			return err
		},
	} {
		text := many(20000) // larger than what is read ahead
		path := file(t, text)
		s := open(t, config(path))
		var read int
		var failed error
		for records, err := range s.Users(t.Context()) {
			if failed = err; err != nil {
				break
			}
			if read += len(records); read == len(records) {
				if err := change(path, text); err != nil {
					t.Fatal(err)
				}
			}
		}
		if name == "is replaced" {
			if failed != nil || read != 20000 {
				t.Errorf("%s: %d read, %v", name, read, failed)
			}
			continue
		}
		wantFault(t, name, failed, "")
		if name == "is rewritten in secret" {
			continue // a second look sees the bytes alone
		}
		if _, err := s.Lookup(t.Context(), proto.KindUser, []string{"00001"}); err == nil {
			t.Errorf("%s: the second look found nothing wrong", name)
		}
		if _, err := s.Group(t.Context(), "cn=00001,dc=example"); err == nil {
			t.Errorf("%s: reading a group found nothing wrong", name)
		}
	}
}

func TestListingEndsWhenItIsCancelled(t *testing.T) {
	s := open(t, config(file(t, many(20000))))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range s.Users(ctx) {
		cancel()
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("ended with %v", last)
	}
	for range s.Users(t.Context()) {
		break // and whoever has had enough gets no more
	}
}

func TestIDs(t *testing.T) {
	const guid = "dn: cn=ada,dc=example\nobjectClass: person\nobjectGUID:: MyIRAFVEd2aImaq7zN3u/w==\nnumber: 7\ncn: ada\n\n"
	const text = "dn: cn=ada,dc=example\nobjectClass: person\nobjectGUID: 00112233-4455-6677-8899-AABBCCDDEEFF\ncn: ada\n\n"
	for name, c := range map[string]struct{ text, configured, pinned, attribute, id, skip string }{
		"the usual one":          {ada + "\n", "", "", "entryUUID", "a", ""},
		"bytes of a GUID":        {guid, "", "", "objectGUID", "00112233-4455-6677-8899-aabbccddeeff", ""},
		"a GUID as Samba's text": {text, "", "", "objectGUID", "00112233-4455-6677-8899-aabbccddeeff", ""},
		"the one most have":      {guid + ada[:3] + " cn=b,dc=example\nentryUUID: x\n\n" + strings.ReplaceAll(guid, "ada", "c"), "", "", "objectGUID", "00112233-4455-6677-8899-aabbccddeeff", ""},
		"the configured one":     {guid, "number", "objectGUID", "number", "7", ""},
		"the pinned one":         {guid, "", "number", "number", "7", ""},
		"names are pinned":       {guid, "", extractor.Username, "", "", ""},
		"none":                   {strings.Replace(ada, "entryUUID: a\n", "", 1) + "\n", "", "", "", "", ""},
		"two values":             {strings.Replace(ada, "entryUUID: a\n", "entryUUID: a\nentryUUID: b\n", 1) + "\n", "", "", "entryUUID", "", "it has 2 values of entryUUID, which gives its id"},
	} {
		cfg := config(file(t, c.text))
		cfg.IDAttribute = c.configured
		s, err := tryOpen(t, cfg, c.pinned)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		r := collect(t, s.Users(t.Context()))[0]
		if got := s.Info().Question.GetIdAttribute(); got != c.attribute || r.ID != c.id || r.Skip != c.skip {
			t.Errorf("%s: %s gives id %q, %q", name, got, r.ID, r.Skip)
		}
	}
	cfg := config(file(t, guid))
	_, err := tryOpen(t, cfg, "entryUUID")
	wantFault(t, "the pinned one is missing", err, "no entry has entryUUID, which gives entries their id")
	cfg.IDAttribute = "employeeNumber"
	_, err = tryOpen(t, cfg, "")
	wantFault(t, "the configured one is missing", err, "no entry has employeeNumber")
}

// Without an id attribute, ids are names, and those are what is looked for.
func TestLookupByName(t *testing.T) {
	cfg := config(file(t, strings.ReplaceAll(many(1000), "entryUUID", "number")))
	cfg.UsernameAttributes = []string{"uid", "cn"}
	got, err := open(t, cfg).Lookup(t.Context(), proto.KindUser, []string{"00007", "x", "00999", "00007"})
	if err != nil || len(got) != 2 || got[0].DN != "cn=00007,dc=example" || got[1].DN != "cn=00999,dc=example" {
		t.Errorf("%v, %v", got, err)
	}
	cfg.UsernameAttributes = nil
	if _, err := open(t, cfg).Lookup(t.Context(), proto.KindUser, []string{"00007"}); err == nil {
		t.Error("looked up by nothing")
	}
}

// Active Directory's primary group, by its computed token or by its SID; and what a range leaves out.
func TestActiveDirectory(t *testing.T) {
	user := "dn: cn=ada,dc=example\nobjectClass: person\nobjectGUID:: MyIRAFVEd2aImaq7zN3u/w==\ncn: ada\nprimaryGroupID: 513\n\n"
	group := "dn: cn=everybody,dc=example\nobjectClass: group\nobjectGUID:: MyIRAFVEd2aImaq7zN3u/g==\ncn: everybody\n"
	for name, sid := range map[string]string{
		"a token":     "primaryGroupToken: 513\n",
		"a SID":       "objectSid:: AQIAAAAAAAUVAAAAAQIAAA==\n",
		"a text SID":  "objectSid: S-1-5-21-1-2-3-513\n",
		"all members": "primaryGroupToken: 513\nmember;range=0-*: cn=eve,dc=example\n",
	} {
		s := open(t, config(file(t, user+group+sid+"\n")))
		groups := collect(t, s.Groups(t.Context()))
		u := collect(t, s.Users(t.Context()))[0]
		of, err := s.GroupsOf(t.Context(), u)
		if err != nil || len(groups) != 1 || groups[0].GroupToken != "513" || u.PrimaryGroup != "513" || len(of) != 1 || of[0].DN != groups[0].DN {
			t.Errorf("%s: %v, %v of %v, %v", name, groups, of, u, err)
		}
	}
	s := open(t, config(file(t, user+group+"member;range=0-1499: cn=ada,dc=example\n\n")))
	for _, err := range s.Groups(t.Context()) {
		wantFault(t, "a part of the members", err, "the entry has a part of an attribute's values (;range=)")
	}
	if _, err := s.Group(t.Context(), "cn=everybody,dc=example"); err == nil {
		t.Error("a part of the members was taken for all")
	}
}

// What the filter asks about and the file hasn't is said: half of a filter may be about what wasn't dumped.
func TestUnknownAttributesOfFiltersAreNamed(t *testing.T) {
	var log strings.Builder
	cfg := config(file(t, ada+"\n"))
	cfg.UserFilter, cfg.GroupFilter = "(&(objectClass=person)(commonName=*)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))", ""
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	if got := collect(t, open(t, cfg).Users(t.Context())); len(got) != 1 {
		t.Errorf("%v", got)
	}
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "attribute=userAccountControl") {
		t.Errorf("logged %q", got)
	}
}

func TestGroupByDN(t *testing.T) {
	s := open(t, config(file(t, ada+"\ndn: CN=Team,dc=example\nobjectClass: other\nentryUUID: t\ncn: Team\nmember: cn=ada,dc=example\n\n")))
	g, err := s.Group(t.Context(), "cn=team, DC=example")
	if err != nil || g.ID != "t" || len(g.Members) != 1 {
		t.Errorf("%+v, %v", g, err)
	}
	for _, dn := range []string{"cn=none,dc=example", "none"} {
		if _, err := s.Group(t.Context(), dn); !errors.Is(err, proto.ErrNotFound) {
			t.Errorf("%s: %v", dn, err)
		}
	}
}

func TestConfigIsRefused(t *testing.T) {
	for want, change := range map[string]func(*ldif.Config){
		"isn't that of an LDIF file":      func(c *ldif.Config) { c.URI = "ldap://h" },
		"names a host":                    func(c *ldif.Config) { c.URI = "ldif://host/file" },
		"names no file":                   func(c *ldif.Config) { c.URI = "ldif:" },
		"isn't percent-encoded":           func(c *ldif.Config) { c.URI = "ldif:///a%zz" },
		"no base is configured":           func(c *ldif.Config) { c.Bases = nil },
		"not a DN":                        func(c *ldif.Config) { c.Bases = []string{"example"} },
		"would be listed twice":           func(c *ldif.Config) { c.Bases = []string{"ou=a,dc=example", "DC=example"} },
		`scope "children" is unknown`:     func(c *ldif.Config) { c.Scope = "children" },
		"user filter (cn=a":               func(c *ldif.Config) { c.UserFilter = "(cn=a" },
		"nested groups can't be asked":    func(c *ldif.Config) { c.UserFilter = "(memberOf:1.2.840.113556.1.4.1941:=cn=a)" },
		`attribute "first name"`:          func(c *ldif.Config) { c.UserAttributes = []string{"first name"} },
		`attribute "my id"`:               func(c *ldif.Config) { c.IDAttribute = "my id" },
		`group filter (objectClass=group`: func(c *ldif.Config) { c.GroupFilter = "(objectClass=group" },
	} {
		c := config("/dump.ldif")
		change(&c)
		_, err := ldif.New(c)
		if err == nil || !strings.Contains(err.Error(), want) || !fault.IsPermanent(err) {
			t.Errorf("%q: %v", want, err)
		}
	}
	for uri, want := range map[string]string{"ldif:///a/b%20c.ldif": "/a/b c.ldif", "LDIF:dump.ldif": "dump.ldif", "ldif:/x": "/x", "ldif:a/b": "a/b"} {
		if got, err := ldif.Path(uri); got != want || err != nil {
			t.Errorf("%s: %q, %v", uri, got, err)
		}
	}
}

func TestFilesThatAreNone(t *testing.T) {
	_, err := tryOpen(t, config(t.TempDir()+"/none.ldif"), "")
	wantFault(t, "no file", err, "no such file or directory")
	if _, err := tryOpen(t, config(t.TempDir()), ""); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a directory: %v", err)
	}
}
