package export

import (
	"context"
	"encoding/base64"
	"encoding/csv"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"ldapsync/proto"
)

// table writes the users as CSV.
type table struct {
	Config
	out    *csv.Writer
	names  []string          // of the attributes, as they are published
	groups map[string]string // names by id
}

// writeCSV writes a row for each user: her id and DN, her attributes, the names of her groups, her flags, and since when she is missing.
// Several values in one cell are separated by ; (and a ; or \ in a value has a \ before it).
func writeCSV(ctx context.Context, w io.Writer, c Config, state *proto.State) (n Written, err error) {
	t := &table{Config: c, out: csv.NewWriter(w), groups: map[string]string{}}
	for e, err := range state.Entries(ctx, proto.KindGroup) {
		if err != nil {
			return n, err
		}
		t.groups[e.ID()] = strings.Clone(groupName(e.Group, c.GroupName))
	}
	if t.names, err = attributeNames(ctx, state); err != nil {
		return n, err
	}
	header := slices.Concat([]string{"id", "dn"}, t.names, []string{"groups", "active", "staff", "superuser", "missing_since"})
	if err := t.out.Write(header); err != nil {
		return n, err
	}
	for e, err := range state.Entries(ctx, proto.KindUser) {
		if err == nil {
			err = t.out.Write(t.row(&e))
		}
		if err != nil {
			return n, err
		}
		n.count(&e)
	}
	t.out.Flush()
	return n, t.out.Error()
}

// attributeNames are the names of all attributes that users have, each in its first spelling, in the order of the alphabet.
func attributeNames(ctx context.Context, state *proto.State) ([]string, error) {
	spelt := map[string]string{}
	for e, err := range state.Entries(ctx, proto.KindUser) {
		if err != nil {
			return nil, err
		}
		for _, a := range e.Attributes() {
			if folded := strings.ToLower(a.GetName()); spelt[folded] == "" {
				spelt[folded] = strings.Clone(a.GetName())
			}
		}
	}
	var names []string
	for _, name := range spelt {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	return names, nil
}

func groupName(g *proto.Group, from []string) string {
	for _, name := range from {
		for _, a := range g.GetAttributes() {
			if strings.EqualFold(a.GetName(), name) && len(a.GetValues()) > 0 {
				return a.GetValues()[0]
			}
		}
	}
	return g.GetDn()
}

func (t *table) row(e *proto.StateEntry) []string {
	values := map[string]string{}
	for _, a := range e.Attributes() {
		list := a.GetValues()
		for _, b := range a.GetBinary() {
			list = append(list, base64.StdEncoding.EncodeToString(b))
		}
		values[strings.ToLower(a.GetName())] = joined(list)
	}
	row := []string{e.ID(), e.DN()}
	for _, name := range t.names {
		row = append(row, values[strings.ToLower(name)])
	}
	var groups []string
	for _, id := range e.User.GetGroupIds() {
		if name, ok := t.groups[id]; ok {
			groups = append(groups, name)
		}
	}
	slices.Sort(groups)
	row = append(row, joined(groups), flag(e.User.Active), flag(e.User.Staff), flag(e.User.Superuser))
	missing := ""
	if e.Missing {
		missing = e.Since.UTC().Format(time.RFC3339)
	}
	row = append(row, missing)
	if !t.Raw {
		for i := range row {
			row[i] = harmless(row[i])
		}
	}
	return row
}

func flag(b *bool) string {
	if b == nil {
		return ""
	}
	return strconv.FormatBool(*b)
}

var separators = strings.NewReplacer(`\`, `\\`, ";", `\;`)

// joined is what a cell holds: one value as it is, unless it has a ; itself, or several.
func joined(list []string) string {
	if len(list) == 1 && !strings.Contains(list[0], ";") {
		return list[0]
	}
	escaped := make([]string, len(list))
	for i, v := range list {
		escaped[i] = separators.Replace(v)
	}
	return strings.Join(escaped, ";")
}

const (
	formula = "=+-@\t\r\n＝＋－＠"
	// What begins a cell where a spreadsheet splits lines by its own country's rules.
	splits = ";\t\r\n"
)

// harmless puts a ' before what a spreadsheet would take for a formula and carry out (OWASP, "CSV Injection"): whoever may write her own
// description in the directory isn't to run anything on the computer of whoever opens the file.
func harmless(cell string) string {
	if !strings.ContainsAny(cell, formula) {
		return cell
	}
	var b strings.Builder
	begins := true
	for _, r := range cell {
		if begins && strings.ContainsRune(formula, r) {
			b.WriteByte('\'')
		}
		begins = strings.ContainsRune(splits, r)
		b.WriteRune(r)
	}
	return b.String()
}
