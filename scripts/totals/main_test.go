package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestTotals(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		ok   bool
		want []string
		not  []string
	}{
		"all well": {
			in: `{"Action":"run","Package":"p","Test":"A"}
{"Action":"output","Package":"p","Test":"A","Output":"chatter\n"}
{"Action":"pass","Package":"p","Test":"A"}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}`,
			ok: true, want: []string{"ok  \tp", "1 tests passed, 0 failed, 0 skipped, in 1 packages"}, not: []string{"chatter", "PASS"},
		},
		"a failure": {
			in: `{"Action":"output","Package":"p","Test":"A","Output":"why\n"}
{"Action":"fail","Package":"p","Test":"A"}
{"Action":"fail","Package":"p"}`,
			want: []string{"why\n", "failed:\n  p\n  p A", "0 tests passed, 2 failed"},
		},
		"a skipped test": {
			in: `{"Action":"skip","Package":"p","Test":"A"}
{"Action":"pass","Package":"p"}`,
			want: []string{"skipped, which is a failure here:\n  p A", "1 skipped"},
		},
		"a package without tests": {
			in: `{"Action":"pass","Package":"p","Test":"A"}
{"Action":"pass","Package":"p"}
{"Action":"output","Package":"q","Output":"?   \tq\t[no test files]\n"}
{"Action":"skip","Package":"q"}`,
			ok: true, want: []string{"1 tests passed, 0 failed, 0 skipped, in 1 packages"},
		},
		"a test that never ended": {
			in: `{"Action":"output","Package":"p","Test":"A","Output":"panic: no\n"}
{"Action":"fail","Package":"p"}`,
			want: []string{"panic: no", "p A (never ended)"},
		},
		"a build that failed": {
			in: `{"ImportPath":"p [p.test]","Action":"build-output","Output":"x.go:1: no\n"}
{"ImportPath":"p [p.test]","Action":"build-fail"}
{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
{"Action":"fail","Package":"p"}`,
			want: []string{"x.go:1: no", "FAIL\tp [build failed]", "1 failed"},
		},
		"nothing":          {in: "", want: []string{"0 tests passed"}},
		"no JSON, from go": {in: "go: cannot find main module\n", want: []string{"cannot find main module"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			totals := &totals{out: &out, tests: map[string]*test{}, started: time.Now()}
			if err := totals.read(strings.NewReader(c.in)); err != nil {
				t.Fatal(err)
			}
			if ok := totals.sum(); ok != c.ok {
				t.Errorf("ok is %v", ok)
			}
			for _, want := range c.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q isn't in:\n%s", want, &out)
				}
			}
			for _, not := range c.not {
				if strings.Contains(out.String(), not) {
					t.Errorf("%q is in:\n%s", not, &out)
				}
			}
		})
	}
}
