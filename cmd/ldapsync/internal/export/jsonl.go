package export

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"time"

	"ldapsync/proto"
)

// Entry is an entry as JSON has it.
type Entry struct {
	Kind       proto.Kind          `json:"kind"`
	ID         string              `json:"id"`
	DN         string              `json:"dn"`
	Attributes map[string][]string `json:"attributes,omitempty"` // those whose values are text
	Binary     map[string][][]byte `json:"binary,omitempty"`     // the others, in base64
	GroupIDs   []string            `json:"group_ids,omitempty"`
	Unknown    bool                `json:"groups_unknown,omitempty"` // the source doesn't read groups
	Active     *bool               `json:"active,omitempty"`
	Staff      *bool               `json:"staff,omitempty"`
	Superuser  *bool               `json:"superuser,omitempty"`
	Missing    *time.Time          `json:"missing_since,omitempty"`
	Retained   string              `json:"retained,omitempty"` // held, missing or skipped: why a full snapshot carries it though it wasn't listed so
	Sequence   uint64              `json:"sequence"`           // of the event that carries it
}

// View is how an entry looks as JSON.
func View(e *proto.StateEntry) Entry {
	v := Entry{Kind: e.Kind, ID: e.ID(), DN: e.DN(), Sequence: e.Sequence}
	for _, a := range e.Attributes() {
		switch {
		case len(a.GetBinary()) > 0:
			if v.Binary == nil {
				v.Binary = map[string][][]byte{}
			}
			v.Binary[a.GetName()] = a.GetBinary()
		case len(a.GetValues()) > 0:
			if v.Attributes == nil {
				v.Attributes = map[string][]string{}
			}
			v.Attributes[a.GetName()] = a.GetValues()
		}
	}
	if u := e.User; u != nil {
		v.GroupIDs, v.Unknown, v.Active, v.Staff, v.Superuser = u.GetGroupIds(), u.GetGroupsUnknown(), u.Active, u.Staff, u.Superuser
	}
	if e.Missing {
		v.Missing = &e.Since
	}
	if e.Retained != proto.Retained_RETAINED_UNSPECIFIED {
		v.Retained = strings.ToLower(strings.TrimPrefix(e.Retained.String(), "RETAINED_"))
	}
	return v
}

// writeJSONL writes the groups, then the users.
func writeJSONL(ctx context.Context, w io.Writer, state *proto.State) (n Written, err error) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, kind := range []proto.Kind{proto.KindGroup, proto.KindUser} {
		for e, err := range state.Entries(ctx, kind) {
			if err == nil {
				err = enc.Encode(View(&e))
			}
			if err != nil {
				return n, err
			}
			n.count(&e)
		}
	}
	return n, nil
}
