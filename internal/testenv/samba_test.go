package testenv_test

import (
	"strings"
	"testing"

	"ldapsync/internal/testenv"
)

// Domain controllers share nothing, so that packages may run theirs at once; and each keeps what it holds over a stop.
func TestDomainControllersAreApart(t *testing.T) {
	one, two := testenv.Samba(t), testenv.Samba(t)
	ada := "CN=Ada Lovelace,CN=Users," + one.BaseDN
	one.Add("dn: " + ada + "\nobjectClass: user\nsAMAccountName: ada\n")
	guid := one.Text(ada, "objectGUID")
	one.Stop()
	one.Start()
	if found := one.List(one.BaseDN, "(sAMAccountName=ada)"); strings.Join(found, "; ") != ada || len(guid) != 36 || one.Text(ada, "objectGUID") != guid {
		t.Errorf("after a stop: %v, %s", found, guid)
	}
	if found := two.List(two.BaseDN, "(sAMAccountName=ada)"); len(found) > 0 {
		t.Errorf("the other domain has %v", found)
	}
	one.Rename(ada, "CN=Countess")
	one.Move("CN=Countess,CN=Users,"+one.BaseDN, "CN=Countess", "CN=Computers,"+one.BaseDN)
	one.Modify("dn: CN=Countess,CN=Computers," + one.BaseDN + "\nchangetype: modify\nreplace: sn\nsn: Lovelace\n")
	if found := one.List("CN=Computers,"+one.BaseDN, "(sn=Lovelace)"); len(found) != 1 {
		t.Errorf("renamed, moved and modified: %v", found)
	}
	one.Delete("CN=Countess,CN=Computers," + one.BaseDN)
	if found := one.List(one.BaseDN, "(sAMAccountName=ada)"); len(found) > 0 {
		t.Errorf("deleted, and still there: %v", found)
	}
}
