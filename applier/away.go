package applier

import (
	"context"
	"fmt"
)

// A row that must give up its name gets NAME-gone-PK, or NAME-gone-PK-2 and so on where somebody has that already.

// readAway finds a free name for each row that may have to give up its own.
func (f *facts) readAway(ctx context.Context, r Reader, s settings) error {
	var rows []Row
	for _, holders := range f.named {
		for _, holder := range holders {
			if f.evictable(s, holder) {
				rows = append(rows, holder)
			}
		}
	}
	f.away = make(map[string]string, len(rows))
	for try := 1; len(rows) > 0; try++ {
		names := make([]string, len(rows))
		for i, row := range rows {
			names[i] = s.mapping.awayName(row, try)
			f.away[row.PK] = names[i]
		}
		found, err := r.Named(ctx, s.kind, names)
		if err != nil {
			return err
		}
		taken := make(map[string]bool, len(found))
		for _, row := range found {
			taken[Fold(row.Name)] = true
		}
		var again []Row
		for i, row := range rows {
			if taken[Fold(names[i])] {
				again = append(again, row)
			}
		}
		rows = again
	}
	return nil
}

// awayName is as much of a row's name as the column has room for, and what makes it another one, at each try.
func (m *Mapping) awayName(row Row, try int) string {
	base, suffix := []rune(row.Name), "-gone-"+row.PK
	if try > 1 {
		suffix += fmt.Sprintf("-%d", try)
	}
	for n := min(len(base), 100); n > 0; n-- {
		name := string(base[:n]) + suffix
		if _, err := m.table.Convert(m.columns[0], name); err == nil {
			return name
		}
	}
	return suffix[1:]
}
