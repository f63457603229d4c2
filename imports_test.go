// Package ldapsync_test holds the project's architecture to what is drawn: who may import whom, and where the process and its
// environment may be touched.
package ldapsync_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// room is one row of the table: what the packages that match its pattern may import. Standard library packages are free.
type room struct {
	pattern string   // below ldapsync/, as path.Match has it; the first that matches counts
	rooms   []string // patterns of this module's packages; "parent" is the package one directory up
	outside []string // other modules, or their packages and what is below
}

// What is small, pure, and pulls in nothing else.
const (
	text    = "golang.org/x/text"
	backoff = "github.com/cenkalti/backoff/v4"
)

var table = []room{
	{pattern: "proto", outside: []string{"google.golang.org/protobuf"}},
	{pattern: "internal/fault"},
	{pattern: "internal/limit"},
	{pattern: "internal/history", rooms: []string{"proto", "internal/fault"}},
	{pattern: "internal/ldapmatch", rooms: []string{"internal/fault"}, outside: []string{"github.com/go-ldap/ldap/v3", "github.com/go-asn1-ber/asn1-ber"}},

	// The stages know the contract, and nothing of each other or of the world.
	{pattern: "extractor", rooms: []string{"proto", "internal/fault", "internal/limit"}, outside: []string{text}},
	{pattern: "applier", rooms: []string{"proto", "internal/fault", "internal/limit"}, outside: []string{text, backoff}},
	{pattern: "callbacks", rooms: []string{"proto", "internal/fault"}, outside: []string{backoff}},

	// The ways a stage meets the world.
	{pattern: "extractor/ldap", rooms: []string{"parent", "proto", "internal/fault", "internal/ldapmatch"},
		outside: []string{"github.com/go-ldap/ldap/v3", "github.com/go-asn1-ber/asn1-ber", backoff, text}},
	{pattern: "extractor/ldif", rooms: []string{"parent", "proto", "internal/fault", "internal/ldapmatch"}},
	{pattern: "internal/bus", rooms: []string{"proto", "internal/fault"},
		outside: []string{"github.com/nats-io", backoff, "golang.org/x/sys"}},
	{pattern: "internal/django", rooms: []string{"proto", "internal/fault"}, outside: []string{text, "github.com/google/uuid"}},
	{pattern: "internal/django/postgres", rooms: []string{"parent", "applier", "callbacks", "proto", "internal/fault"},
		outside: []string{"github.com/jackc/pgx/v5", backoff}},
	{pattern: "internal/django/sqlite", rooms: []string{"parent", "applier", "callbacks", "proto", "internal/fault"},
		outside: []string{"modernc.org/sqlite", backoff}},
	// The suite that both stores pass; it is called from their tests.
	{pattern: "internal/django/storetest", rooms: []string{"parent", "applier", "callbacks", "proto", "internal/fault", "internal/testenv"}},
	{pattern: "internal/demo", rooms: []string{"proto", "internal/fault", "internal/ldapmatch"},
		outside: []string{"github.com/jimlambrt/gldap", "github.com/go-ldap/ldap/v3", "github.com/go-asn1-ber/asn1-ber", "modernc.org/sqlite", text}},

	// What ties them together, and what tests them.
	{pattern: "cmd/ldapsync", rooms: []string{"*", "*/*", "*/*/*", "*/*/*/*"}, outside: []string{"*"}},
	{pattern: "cmd/ldapsync/internal/*", rooms: []string{"*", "*/*", "*/*/*", "*/*/*/*"}, outside: []string{"*"}},
	{pattern: "bench", rooms: []string{"*", "*/*", "*/*/*"}, outside: []string{"*"}}, // a command, as cmd/ldapsync is one
	{pattern: "internal/testenv", rooms: []string{"*", "*/*", "*/*/*"}, outside: []string{"*"}},
	{pattern: "deploy"}, // tests of the files there
	{pattern: "scripts/*"},
}

// testRooms may be imported by tests, and by each other, only.
var testRooms = []string{"internal/testenv", "internal/django/storetest"}

const module = "ldapsync"

// listed is what the test needs of `go list -json`.
type listed struct {
	ImportPath, Dir                    string
	GoFiles                            []string
	Imports, TestImports, XTestImports []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Imports,TestImports,XTestImports", "./...")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var all []listed
	for in := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := in.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.ImportPath != module { // this test
			all = append(all, p)
		}
	}
	if len(all) < 5 {
		t.Fatalf("go list found %d packages", len(all))
	}
	return all
}

func below(importPath string) (string, bool) { return strings.CutPrefix(importPath, module+"/") }

func match(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return err == nil && ok
}

func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		name, _ := below(p.ImportPath)
		i := slices.IndexFunc(table, func(r room) bool { return match(r.pattern, name) })
		if i < 0 {
			t.Errorf("%s: a new room gets a row in the table of imports_test.go, and in the architecture", name)
			continue
		}
		for _, imported := range p.Imports {
			if !table[i].allows(name, imported) {
				t.Errorf("%s may not import %s", name, strings.TrimPrefix(imported, module+"/"))
			}
		}
	}
}

// allows tells whether the row lets the package called name import another.
func (r room) allows(name, imported string) bool {
	if other, ours := below(imported); ours {
		if slices.Contains(testRooms, other) && !slices.Contains(testRooms, name) {
			return false
		}
		return slices.ContainsFunc(r.rooms, func(pattern string) bool {
			return match(pattern, other) || pattern == "parent" && other == path.Dir(name)
		})
	}
	first, _, _ := strings.Cut(imported, "/")
	if !strings.Contains(first, ".") {
		return true // the standard library
	}
	return slices.ContainsFunc(r.outside, func(allowed string) bool {
		return allowed == "*" || imported == allowed || strings.HasPrefix(imported, allowed+"/")
	})
}

// The contract's tests may use what generates random batches, and no other part of the program.
func TestProtoStandsAlone(t *testing.T) {
	for _, p := range packages(t) {
		if p.ImportPath != module+"/proto" {
			continue
		}
		for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
			if other, ours := below(imported); ours && other != "proto" {
				t.Errorf("proto's tests import %s", other)
			}
		}
		return
	}
	t.Error("there is no package proto")
}

// The rows have to forbid something: a test of the test.
func TestTableForbids(t *testing.T) {
	for _, c := range []struct{ pattern, imported string }{
		{"proto", module + "/internal/fault"},
		{"extractor", module + "/applier"},
		{"applier", module + "/internal/bus"},
		{"callbacks", "github.com/nats-io/nats.go"},
		{"internal/django/postgres", module + "/internal/django/sqlite"},
		{"internal/django/postgres", module + "/extractor"},
		{"cmd/ldapsync", module + "/internal/testenv"},
	} {
		i := slices.IndexFunc(table, func(r room) bool { return r.pattern == c.pattern })
		if i < 0 || table[i].allows(c.pattern, c.imported) {
			t.Errorf("%s may import %s", c.pattern, c.imported)
		}
	}
}

// forbidden are calls that belong to cmd/ldapsync alone: what a package reads from the environment, or ends the process in, no caller can see.
var forbidden = map[string]bool{
	"os.Getenv": true, "os.LookupEnv": true, "os.Environ": true, "os.ExpandEnv": true, "os.Exit": true,
	"log.Fatal": true, "log.Fatalf": true, "log.Fatalln": true,
}

func TestEnvironmentIsReadInCmdOnly(t *testing.T) {
	for _, p := range packages(t) {
		name, _ := below(p.ImportPath)
		free := strings.HasPrefix(name, "cmd/") || strings.HasPrefix(name, "scripts/") || name == "bench" || name == "internal/testenv"
		for _, file := range p.GoFiles {
			fset := token.NewFileSet()
			tree, err := parser.ParseFile(fset, filepath.Join(p.Dir, file), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			if ast.IsGenerated(tree) || strings.HasSuffix(file, ".pb.go") {
				continue
			}
			ast.Inspect(tree, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.FuncDecl:
					if n.Recv == nil && n.Name.Name == "init" {
						t.Errorf("%s: init(): whoever needs it calls it", fset.Position(n.Pos()))
					}
				case *ast.SelectorExpr:
					if x, ok := n.X.(*ast.Ident); ok && !free && forbidden[x.Name+"."+n.Sel.Name] {
						t.Errorf("%s: %s.%s belongs to cmd", fset.Position(n.Pos()), x.Name, n.Sel.Name)
					}
				}
				return true
			})
		}
	}
}

// Every package says why it exists, in the file where one looks for it.
func TestEveryPackageHasADoc(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) < 2 {
			continue
		}
		doc, err := os.ReadFile(filepath.Join(p.Dir, "doc.go"))
		if err != nil {
			t.Errorf("%s: %v", p.ImportPath, err)
			continue
		}
		if !bytes.HasPrefix(doc, []byte("// Package ")) && !bytes.HasPrefix(doc, []byte("// Command ")) && !bytes.HasPrefix(doc, []byte("// Ldapsync ")) {
			t.Errorf("%s: doc.go doesn't begin with what the package is for", p.ImportPath)
		}
	}
}
