package main

import (
	"time"

	"github.com/spf13/cobra"
)

func (a *app) heldList() *cobra.Command {
	var sel selection
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List what is held, and since when",
		Args:  arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			h, err := a.openHolder(c.Context(), sel)
			if err != nil {
				return err
			}
			defer h.close()
			list, err := h.all(c.Context())
			if err != nil {
				return err
			}
			if asJSON {
				views := holds{}
				for _, f := range list {
					views = append(views, f.holdView)
				}
				return writeJSON(a.stdout, views)
			}
			w := &lines{w: a.stdout}
			printHeld(w, list)
			return w.err
		},
	}
	sel.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

func printHeld(w *lines, list []foundHold) {
	if len(list) == 0 {
		w.line("nothing is held")
		return
	}
	for _, h := range list {
		w.line("%s  %s: %s", h.short(), h.where(), h.what())
		w.line("          %s; since %s%s", h.why(), h.Since.Format(time.RFC3339), h.deciders())
	}
	w.line("ldapsync held show HASH names every account; held approve HASH --reason TEXT lets it happen, held reject HASH --reason TEXT keeps it from happening")
}

// where names who holds it.
func (h holdView) where() string {
	if h.Target != "" {
		return "target " + h.Target
	}
	return "source " + h.Source
}

// state says what people did about it, if anything.
func (h holdView) deciders() string {
	switch {
	case h.Asked != nil && h.Asked.Decision == "reject":
		return "; rejected by " + printable(h.Asked.By) + ", which the next pass notes"
	case h.Asked != nil && h.isReplay():
		return "; approved by " + printable(h.Asked.By) + ", for when it is begun again"
	case h.Asked != nil:
		return "; approved by " + printable(h.Asked.By) + ", which the next pass carries out"
	case h.Rejected:
		return "; rejected"
	}
	return ""
}
