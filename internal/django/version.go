package django

import (
	"errors"

	"ldapsync/internal/fault"
)

// ErrOutdated is in the chain of the error that says that our tables are of an earlier version.
var ErrOutdated = errors.New("it needs to be migrated")

// Ready tells whether tables of ours that have a version are there (0: they aren't), and are those that the program knows. Tables of another version are
// a fault: an earlier one's, which never count as empty, that ErrOutdated is in.
func Ready(version, known int) (bool, error) {
	switch {
	case version > known:
		return false, fault.New(fault.Database, "use the version of ldapsync that made them, or a later one",
			"the tables of ldapsync have version %d, this program knows %d", version, known)
	case version > 0 && version < known:
		return false, fault.New(fault.Database, "ldapsync migrate", "the tables of ldapsync have version %d, this program needs %d: %w", version, known, ErrOutdated)
	}
	return version == known, nil
}
