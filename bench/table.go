package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// table is the result for people, in Markdown that reads well as it stands.
func (r *results) table() string {
	var b strings.Builder
	for i, s := range r.Sizes {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s users, %s groups of %d, %s rows written by a first load; medians of %d:\n\n",
			thousands(s.Users), thousands(s.Groups), min(s.Users, groupMembers), thousands(int(s.Rows)), r.Settings.Runs)
		lines := [][]string{{"", "seconds", "CPU s", "slapd CPU s", "PostgreSQL CPU s", "peak MiB"}}
		for _, name := range []string{readFloor, extraction, writeFloor, checkedIn, applying, firstLoad, unchanged, changedOne, tableFloor, verifying, replaying} {
			m := s.median(name)
			lines = append(lines, []string{costNames[name], fmt.Sprintf("%.2f", m.Wall), fmt.Sprintf("%.2f", m.CPU),
				orNone(m.Slapd), orNone(m.Postgres), peak(name, m)})
		}
		b.WriteString(markdown(lines))
		b.WriteByte('\n')
		lines = [][]string{{"", "floor", "measured", "wanted", "reached"}}
		for _, row := range r.Rows {
			if row.Users == s.Users {
				lines = append(lines, row.line())
			}
		}
		b.WriteString(markdown(lines))
	}
	return b.String()
}

// costNames say what a process does.
var costNames = map[string]string{
	readFloor:  "ldapsearch, pages of 1000, to /dev/null",
	extraction: "extract alone, to nowhere",
	writeFloor: "psql: COPY of the same rows",
	checkedIn:  "the same into Django's own tables",
	applying:   "apply alone, first load, from the stream",
	firstLoad:  "whole pass, first load",
	unchanged:  "whole pass, nothing changed",
	changedOne: "whole pass, 1 % changed",
	tableFloor: "psql: COPY of what is compared, to nowhere",
	verifying:  "verify, no difference",
	replaying:  "replay into an empty database",
}

// peak is left out for the floors: the kernel begins a process's account with the resident set of the one that started it, and
// that, this program's, is larger than theirs.
func peak(name string, m sample) string {
	if name == readFloor || name == writeFloor || name == checkedIn || name == tableFloor {
		return "–"
	}
	return fmt.Sprintf("%.0f", m.RSS)
}

func orNone(seconds float64) string {
	if seconds < 0.005 {
		return "–"
	}
	return fmt.Sprintf("%.2f", seconds)
}

func (r row) line() []string {
	measured := fmt.Sprintf("%.2f", r.Got)
	switch {
	case r.Floor != "":
		measured += " ×"
	case r.Unit != "":
		measured = thousands(int(r.Got+0.5)) + " " + r.Unit
	}
	reached := "–"
	if r.Reached != nil {
		reached = map[bool]string{true: "yes", false: "NO"}[*r.Reached]
	}
	return []string{r.What, r.Floor, measured, r.Wanted, reached}
}

// markdown lines up a table: the first column to the left, the others to the right.
func markdown(lines [][]string) string {
	width := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for n, line := range lines {
		for i, cell := range line {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				cell += pad
			} else {
				cell = pad + cell
			}
			b.WriteString("| " + cell + " ")
		}
		b.WriteString("|\n")
		if n == 0 {
			for i, w := range width {
				end := ":"
				if i == 0 {
					end = "-"
				}
				b.WriteString("|" + strings.Repeat("-", w+1) + end)
			}
			b.WriteString("|\n")
		}
	}
	return b.String()
}

// write leaves the results in a directory: as JSON, as a plot, and in the README between its two marks.
func (r *results) write(dir string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "results.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "cost.svg"), []byte(r.plot()), 0o644); err != nil {
		return err
	}
	readme := filepath.Join(dir, "README.md")
	text, err = os.ReadFile(readme)
	if err != nil {
		return err
	}
	before, rest, begins := strings.Cut(string(text), figuresBegin)
	_, after, ends := strings.Cut(rest, figuresEnd)
	if !begins || !ends {
		return fmt.Errorf("%s: the marks %s and %s are missing", readme, figuresBegin, figuresEnd)
	}
	figures := figuresBegin + "\n" + r.Machine.text() + "\n" + r.table() + figuresEnd
	return os.WriteFile(readme, []byte(before+figures+after), 0o644)
}

// What stands between these marks of the README is written anew by each run.
const (
	figuresBegin = "<!-- figures: written by make bench -->"
	figuresEnd   = "<!-- end of figures -->"
)
