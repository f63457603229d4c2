package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// confirm asks on a terminal before something is done, unless yes says that it may be. Where nobody can be asked, yes must.
func (a *app) confirm(yes bool, question string) error {
	if yes {
		return nil
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return usage("add --yes to do it, or --dry-run to see only the plan", "nobody can be asked: standard input isn't a terminal")
	}
	return ask(os.Stdin, a.stderr, question)
}

// ask returns nil for y or yes; any other answer ends the command.
func ask(in io.Reader, out io.Writer, question string) error {
	fmt.Fprintf(out, "%s [y/N] ", question)
	line, _ := bufio.NewReader(in).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	fmt.Fprintln(out, "nothing was changed")
	return exit(codeFailed)
}
