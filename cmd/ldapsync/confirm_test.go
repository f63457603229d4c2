package main

import (
	"strings"
	"testing"
)

func TestOnlyYesIsYes(t *testing.T) {
	for answer, want := range map[string]bool{"y\n": true, "YES\n": true, " yes \n": true, "\n": false, "": false, "n\n": false, "yes please\n": false} {
		var out strings.Builder
		err := ask(strings.NewReader(answer), &out, "Do it?")
		if (err == nil) != want || !strings.HasPrefix(out.String(), "Do it? [y/N] ") {
			t.Errorf("%q: %v, %q", answer, err, out.String())
		}
	}
}
