package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

const (
	peopleDN = "ou=people,dc=example,dc=org"
	groupsDN = "ou=groups,dc=example,dc=org"
)

// crowd are people who are called by a name and a number: those of ada 1 3 are ada1, ada2 and ada3.
func crowd(ts *testscript.TestScript, args []string) (names, rest []string) {
	if len(args) < 3 {
		ts.Fatalf("NAME FROM TO is missing")
	}
	from, err := strconv.Atoi(args[1])
	ts.Check(err)
	to, err := strconv.Atoi(args[2])
	ts.Check(err)
	for n := from; n <= to; n++ {
		names = append(names, fmt.Sprintf("%s%d", args[0], n))
	}
	return names, args[3:]
}

func personDN(name string) string { return "uid=" + name + "," + peopleDN }

// cmdHire adds people to the directory. NAME in a value stands for the person's.
func cmdHire(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 3, "hire NAME FROM TO [ATTRIBUTE=VALUE...]")
	names, rest := crowd(ts, args)
	var ldif strings.Builder
	for _, name := range names {
		fmt.Fprintf(&ldif, "dn: %s\nobjectClass: inetOrgPerson\nuid: %s\ncn: %s\nsn: %s\nmail: %s@example.org\n", personDN(name), name, name, name, name)
		for _, pair := range rest {
			attribute, value, _ := strings.Cut(pair, "=")
			fmt.Fprintf(&ldif, "%s: %s\n", attribute, strings.ReplaceAll(value, "NAME", name))
		}
		ldif.WriteString("\n")
	}
	of(ts).slapd.Add(ldif.String())
}

// cmdLeave deletes people from the directory.
func cmdLeave(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 3, "leave NAME FROM TO")
	names, _ := crowd(ts, args)
	var ldif strings.Builder
	for _, name := range names {
		fmt.Fprintf(&ldif, "dn: %s\nchangetype: delete\n\n", personDN(name))
	}
	of(ts).slapd.Modify(ldif.String())
}

// cmdAlter changes attributes of people; without a value, an attribute is taken away.
func cmdAlter(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 4, "alter NAME FROM TO ATTRIBUTE=[VALUE]...")
	names, rest := crowd(ts, args)
	var ldif strings.Builder
	for _, name := range names {
		fmt.Fprintf(&ldif, "dn: %s\nchangetype: modify\n", personDN(name))
		for _, pair := range rest {
			attribute, value, _ := strings.Cut(pair, "=")
			fmt.Fprintf(&ldif, "replace: %s\n", attribute)
			if value != "" {
				fmt.Fprintf(&ldif, "%s: %s\n", attribute, strings.ReplaceAll(value, "NAME", name))
			}
			ldif.WriteString("-\n")
		}
		ldif.WriteString("\n")
	}
	of(ts).slapd.Modify(ldif.String())
}

// cmdTeam makes a group of people, or gives it these members instead of those it had.
func cmdTeam(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 5, "team make|change GROUP NAME FROM TO")
	names, _ := crowd(ts, args[2:])
	dn := "cn=" + args[1] + "," + groupsDN
	var ldif strings.Builder
	switch args[0] {
	case "make":
		fmt.Fprintf(&ldif, "dn: %s\nobjectClass: groupOfNames\ncn: %s\n", dn, args[1])
	case "change":
		fmt.Fprintf(&ldif, "dn: %s\nchangetype: modify\nreplace: member\n", dn)
	default:
		ts.Fatalf("team %s: unknown", args[0])
	}
	for _, name := range names {
		fmt.Fprintf(&ldif, "member: %s\n", personDN(name))
	}
	if args[0] == "make" {
		of(ts).slapd.Add(ldif.String())
	} else {
		of(ts).slapd.Modify(ldif.String() + "-\n")
	}
}

var shownHash = regexp.MustCompile(`(?:held show|--approve) ([0-9a-f]{8,32})`)

// cmdHash keeps the hash of a hold that the last program has named.
func cmdHash(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "hash VARIABLE [TEXT]")
	text := strings.Join(args[1:], " ")
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		if m := shownHash.FindStringSubmatch(line); m != nil && strings.Contains(line, text) {
			ts.Setenv(args[0], m[1])
			return
		}
	}
	ts.Fatalf("no hold %q is named", text)
}
