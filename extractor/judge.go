package extractor

import (
	"fmt"

	"ldapsync/proto"
)

// doubt is why a listing can't tell that anybody is gone: it is empty, or has entries without an id. "" if it can.
func (p *pass) doubt(kind proto.Kind, known int) string {
	switch {
	case p.sum.counts(kind).Read == 0:
		return fmt.Sprintf("the directory lists no %ss, where there were %d", kind, known)
	case p.noID[kind] > 0:
		return fmt.Sprintf("%d entries have no id attribute, so nobody can be told missing", p.noID[kind])
	}
	return ""
}
