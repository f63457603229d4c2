// Totals reads what `go test -json` writes, shows it as `go test` would, and ends with one line of totals.
//
// It fails if a test failed, was skipped or never ended: tests of this project don't skip, because a server that isn't there
// proves nothing.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

func main() {
	t := &totals{out: os.Stdout, tests: map[string]*test{}, started: time.Now()}
	if err := t.read(os.Stdin); err != nil {
		fmt.Fprintf(os.Stderr, "totals: %v\n", err)
		os.Exit(1)
	}
	if !t.sum() {
		os.Exit(1)
	}
}

// event is one line of go test -json; see `go doc test2json`.
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
}

// test is one test, or, under an empty name, what its package itself says.
type test struct {
	name   string
	output []string
	result string // pass, fail, skip; "" as long as it runs
}

type totals struct {
	out      io.Writer
	tests    map[string]*test
	started  time.Time
	packages int
	failed   []string
	skipped  []string
	passed   int
}

func (t *totals) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				fmt.Fprintf(t.out, "%s", line) // not a test's: go itself speaks
			} else {
				t.take(e)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (t *totals) take(e event) {
	name := strings.TrimSpace(e.Package + " " + e.Test)
	current := t.tests[name]
	if current == nil {
		current = &test{name: name}
		t.tests[name] = current
	}
	switch e.Action {
	case "output":
		current.output = append(current.output, e.Output)
	case "build-output":
		fmt.Fprint(t.out, e.Output)
	case "pass", "fail", "skip":
		current.result = e.Action
		if e.Test == "" {
			t.endPackage(current)
		} else {
			t.endTest(current)
		}
	}
}

func (t *totals) endTest(one *test) {
	switch one.result {
	case "pass":
		t.passed++
		one.output = nil
		return
	case "fail":
		t.failed = append(t.failed, one.name)
	case "skip":
		t.skipped = append(t.skipped, one.name)
	}
	fmt.Fprint(t.out, strings.Join(one.output, ""))
	one.output = nil
}

func (t *totals) endPackage(one *test) {
	if one.result == "skip" {
		return // it has no tests
	}
	t.packages++
	if one.result == "fail" {
		t.failed = append(t.failed, one.name)
		t.unended(one.name)
	}
	for _, line := range one.output {
		if line != "PASS\n" && line != "FAIL\n" {
			fmt.Fprint(t.out, line)
		}
	}
}

// unended shows the tests of a package that ended before they did: a panic, a time-out.
func (t *totals) unended(pkg string) {
	for name, one := range t.tests {
		if strings.HasPrefix(name, pkg+" ") && one.result == "" {
			fmt.Fprint(t.out, strings.Join(one.output, ""))
			one.result = "fail"
			t.failed = append(t.failed, name+" (never ended)")
		}
	}
}

// sum prints the totals and tells whether all is well.
func (t *totals) sum() bool {
	t.list("failed", t.failed)
	t.list("skipped, which is a failure here", t.skipped)
	fmt.Fprintf(t.out, "\n%d tests passed, %d failed, %d skipped, in %d packages and %s\n",
		t.passed, len(t.failed), len(t.skipped), t.packages, time.Since(t.started).Round(time.Second))
	return t.packages > 0 && len(t.failed)+len(t.skipped) == 0
}

func (t *totals) list(title string, names []string) {
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	fmt.Fprintf(t.out, "\n%s:\n  %s\n", title, strings.Join(names, "\n  "))
}
