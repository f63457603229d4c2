package main

import (
	"context"
	"fmt"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// unread is the setting without which a source doesn't read the entries of a hold, so that no pass can let anything happen to them; "" if it reads them.
func (h *holder) unread(f *foundHold) string {
	s := h.cfg.Source(f.Source)
	switch {
	case s == nil, f.row != nil:
		return ""
	case f.Kind == proto.KindGroup && s.Groups.Filter == "":
		return "sources." + s.Name + ".groups.filter"
	case f.Kind == proto.KindUser && s.Users.Filter == "":
		return "sources." + s.Name + ".users.filter"
	}
	return ""
}

// approvable refuses to approve what the next run couldn't let happen. A service has settings of its own, and answers itself.
func (h *holder) approvable(ctx context.Context, chosen []*foundHold) error {
	for _, f := range chosen {
		setting := h.unread(f)
		if setting == "" {
			continue
		}
		_, active, err := h.bus.Active(ctx, roleExtractor, f.Source)
		if err != nil {
			return err
		}
		if !active {
			return fault.New(fault.Usage, fmt.Sprintf("set %s again and approve then; or be asked no more: ldapsync held reject %s --reason TEXT", setting, f.short()),
				"%s can't be approved now: without %s %ss aren't read, and nothing happens to them", f.short(), setting, f.Kind)
		}
	}
	return nil
}
