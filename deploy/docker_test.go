package deploy_test

import (
	"debug/elf"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// There is no Docker engine where the tests run: the Dockerfile is read, its build line carried out in a copy of what
// .dockerignore lets through, and the result looked at. That the base images exist isn't tested.

// instruction is one line of a Dockerfile, with its continuations.
type instruction struct {
	name  string
	flags []string
	args  []string
	text  string // behind the name
}

func readDockerfile(t *testing.T) []instruction {
	t.Helper()
	text, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	var all []instruction
	for line := range strings.SplitSeq(strings.ReplaceAll(string(text), "\\\n", " "), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		name, rest, _ := strings.Cut(line, " ")
		in := instruction{name: name, text: strings.TrimSpace(rest), args: strings.Fields(rest)}
		for len(in.args) > 0 && strings.HasPrefix(in.args[0], "--") {
			in.flags, in.args = append(in.flags, in.args[0]), in.args[1:]
		}
		all = append(all, in)
	}
	return all
}

func named(all []instruction, name string) []instruction {
	return slices.DeleteFunc(slices.Clone(all), func(in instruction) bool { return in.name != name })
}

func TestDockerfileMakesASmallImageForNobody(t *testing.T) {
	all := readDockerfile(t)
	known := []string{"FROM", "WORKDIR", "COPY", "RUN", "ARG", "ENV", "VOLUME", "USER", "ENTRYPOINT", "CMD"}
	for _, in := range all {
		if !slices.Contains(known, in.name) || in.text == "" {
			t.Errorf("not an instruction of this file: %s %s", in.name, in.text)
		}
	}
	from := named(all, "FROM")
	if len(from) != 2 || len(from[0].args) != 3 || from[0].args[2] != "build" || !strings.Contains(from[1].args[0], "distroless/static") {
		t.Fatalf("want a stage called build and a final one without a shell, got %v", from)
	}
	last := all[slices.IndexFunc(all, func(in instruction) bool { return in.text == from[1].text }):]
	if user := named(last, "USER"); len(user) != 1 || !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(user[0].text) {
		t.Errorf("USER %v: want one that isn't root, by number, since Kubernetes checks that", user)
	}
	for _, in := range slices.Concat(named(last, "ENTRYPOINT"), named(last, "CMD")) {
		if err := json.Unmarshal([]byte(in.text), new([]string)); err != nil {
			t.Errorf("%s %s: not a JSON list; there is no shell", in.name, in.text)
		}
	}
	if run := named(last, "RUN"); len(run) != 0 {
		t.Errorf("the final stage has no shell to run %v", run)
	}
	if gomod, err := os.ReadFile("../go.mod"); err != nil || !strings.Contains(string(gomod), "\ngo "+strings.TrimPrefix(from[0].args[0], "golang:")) {
		t.Errorf("%s isn't the toolchain of go.mod (%v)", from[0].args[0], err)
	}
}

func TestDockerfileCopiesWhatIsThere(t *testing.T) {
	context := dockerContext(t)
	for _, in := range named(readDockerfile(t), "COPY") {
		if slices.ContainsFunc(in.flags, func(f string) bool { return strings.HasPrefix(f, "--from=") }) {
			continue
		}
		for _, source := range in.args[:len(in.args)-1] {
			if _, err := os.Stat(filepath.Join(context, source)); err != nil {
				t.Errorf("COPY %s: not in the build's context", source)
			}
		}
	}
}

func TestDockerfileBuildsAStaticProgram(t *testing.T) {
	var build string
	for _, in := range named(readDockerfile(t), "RUN") {
		if strings.Contains(in.text, "go build") {
			build = in.text
		}
	}
	out := filepath.Join(t.TempDir(), "ldapsync")
	line := strings.Replace(build, "-o /out/ldapsync", "-o "+out, 1)
	if line == build {
		t.Fatalf("no build line that writes /out/ldapsync: %q", build)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
	cmd.Dir = dockerContext(t)
	cmd.Env = append(os.Environ(), "VERSION=v0.0.0-test", "GOFLAGS=-mod=readonly", "GOWORK=off")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, text)
	}
	program, err := elf.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	for _, p := range program.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the program is linked dynamically, and the image has no libraries")
		}
	}
	if text, err := exec.CommandContext(t.Context(), out, "version").CombinedOutput(); err != nil || !strings.Contains(string(text), "v0.0.0-test") {
		t.Errorf("ldapsync version: %v\n%s", err, text)
	}
}

// dockerContext copies what .dockerignore lets through.
func dockerContext(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	patterns := strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
	patterns = slices.DeleteFunc(patterns, func(p string) bool { return p[0] == '#' })
	dir := t.TempDir()
	err = fs.WalkDir(os.DirFS(".."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !d.Type().IsRegular() {
			if name == ".git" {
				return fs.SkipDir
			}
			return err
		}
		if ignored(patterns, name) {
			return nil
		}
		content, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), content, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// ignored matches as Docker does: the last pattern that matches the file, or a directory above it, decides. Of its syntax, * and
// a leading **/ and ! are understood.
func ignored(patterns []string, name string) bool {
	out := false
	for _, p := range patterns {
		p, keep := strings.CutPrefix(p, "!")
		if matches(p, name) {
			out = !keep
		}
	}
	return out
}

func matches(pattern, name string) bool {
	tail, anywhere := strings.CutPrefix(pattern, "**/")
	for at := name; at != "."; at = path.Dir(at) {
		if anywhere {
			if ok, _ := path.Match(tail, path.Base(at)); ok {
				return true
			}
		} else if ok, _ := path.Match(pattern, at); ok {
			return true
		}
	}
	return false
}

// The context must not carry secrets or state that lie about in the tree.
func TestDockerignoreLetsNothingElseThrough(t *testing.T) {
	text, err := os.ReadFile("../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	patterns := strings.Split(strings.TrimSpace(string(text)), "\n")
	for name, out := range map[string]bool{
		".git/config": true, ".env": true, "ldapsync.yaml": true, "secrets/ldap": true, ".ldapsync/jetstream/x": true, "bin/ldapsync": true,
		"proto/testdata/user.bin": true, "callbacks/run_test.go": true,
		"go.mod": false, "callbacks/run.go": false, "internal/django/sqlite/0001.sql": false,
	} {
		if ignored(patterns, name) != out {
			t.Errorf("%s: ignored is %v; want %v", name, !out, out)
		}
	}
}
