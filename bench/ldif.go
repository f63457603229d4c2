package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
)

// The directory that is measured: n users, and for every 200 users a group of 200.
const (
	baseDN       = "dc=example,dc=org"
	peopleDN     = "ou=people," + baseDN
	usersAGroup  = 200
	groupMembers = 200
)

var (
	givenNames = [...]string{
		"Ada", "José", "Zoë", "Łukasz", "Иван", "Мария", "Renée", "Jürgen", "Søren", "李", "Chloé", "John", "Mary", "Peter", "Fatima", "Raj",
		"Björn", "Ingrid", "Tomás", "Olga", "Kenji", "Paul", "Laura", "Mike", "Νίκος", "Aylin", "Amir", "Noa", "Thandi", "Sofía", "Émile",
	}
	surnames = [...]string{
		"Müller", "García", "Świątek", "Иванов", "Петрова", "Smith", "Johnson", "O'Brien", "Nguyen", "Tanaka", "佐藤", "Kowalski", "Novák",
		"Hansen", "Lindström", "Fernández", "Rossi", "Dubois", "Lefèvre", "Schmidt", "Weber", "Brown", "Taylor", "Khan", "Patel", "Singh",
		"Kim", "Costa", "Silva", "Yılmaz", "Παπαδόπουλος", "van der Berg", "Ó Súilleabháin", "Ndlovu", "Haddad", "Ferreira", "Brandt",
	}
)

func groupsFor(users int) int { return users / usersAGroup }

func uid(i int) string    { return fmt.Sprintf("u%07d", i) }
func userDN(i int) string { return "uid=" + uid(i) + "," + peopleDN }

// writeDirectory writes the LDIF of a directory of n users. The same n gives the same directory.
func writeDirectory(to io.Writer, n int) error {
	w := bufio.NewWriterSize(to, 1<<16)
	fmt.Fprintf(w, "dn: %s\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n\n", baseDN)
	fmt.Fprintf(w, "dn: %s\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: sync\nuserPassword: %s\n\n", readerDN, readerPassword)
	for _, ou := range []string{"people", "groups"} {
		fmt.Fprintf(w, "dn: ou=%s,%s\nobjectClass: organizationalUnit\nou: %s\n\n", ou, baseDN, ou)
	}
	for i := range n {
		given, sn := givenNames[i%len(givenNames)], surnames[(i/len(givenNames)+i)%len(surnames)]
		fmt.Fprintf(w, "dn: %s\nobjectClass: inetOrgPerson\nuid: %s\n", userDN(i), uid(i))
		attribute(w, "givenName", given)
		attribute(w, "sn", sn)
		attribute(w, "cn", given+" "+sn)
		fmt.Fprintf(w, "mail: %s@example.org\nemployeeNumber: %d\n\n", uid(i), 100_000+i)
	}
	random := rand.New(rand.NewPCG(1, uint64(n)))
	for g := range groupsFor(n) {
		fmt.Fprintf(w, "dn: cn=team-%05d,ou=groups,%s\nobjectClass: groupOfNames\ncn: team-%05d\n", g, baseDN, g)
		for _, i := range choose(random, n, groupMembers) {
			fmt.Fprintf(w, "member: %s\n", userDN(i))
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// attribute writes one value, in base64 where RFC 2849 wants that.
func attribute(w io.Writer, name, value string) {
	if strings.ContainsFunc(value, func(r rune) bool { return r > '~' }) {
		fmt.Fprintf(w, "%s:: %s\n", name, base64.StdEncoding.EncodeToString([]byte(value)))
		return
	}
	fmt.Fprintf(w, "%s: %s\n", name, value)
}

// choose returns k different numbers below n.
func choose(random *rand.Rand, n, k int) []int {
	chosen := make([]int, 0, k)
	seen := make(map[int]bool, k)
	for len(chosen) < min(n, k) {
		if i := random.IntN(n); !seen[i] {
			seen[i] = true
			chosen = append(chosen, i)
		}
	}
	return chosen
}

// writeChanges writes the LDIF that gives one user in a hundred another mail address; others each time. It returns how many those are.
func writeChanges(to io.Writer, n, round int) (changed int, err error) {
	w := bufio.NewWriterSize(to, 1<<16)
	for i := round % 100; i < n; i += 100 {
		fmt.Fprintf(w, "dn: %s\nchangetype: modify\nreplace: mail\nmail: %s.%d@example.org\n\n", userDN(i), uid(i), round)
		changed++
	}
	return changed, w.Flush()
}
