package main

import (
	"fmt"

	"ldapsync/internal/fault"
)

// printPlan shows what there is to be erased.
func (f *forgetter) printPlan(people []*forgotten) error {
	w := &lines{w: f.stdout}
	for _, p := range people {
		w.line("source %s: %s, id %s: %d events of %d snapshots carry her", p.Source, printable(p.DN), printable(p.ID), p.Events, p.Snapshots)
		for _, t := range p.Targets {
			w.line("  target %s: %s", t.Target, t.plan())
		}
	}
	return w.err
}

func (t forgottenTarget) plan() string {
	rest := fmt.Sprintf("%d dead letters", t.Letters)
	if t.Outcomes > 0 {
		rest += "; " + plural(t.Outcomes, "message", "messages") + " of outcomes"
	}
	switch {
	case t.Account != "":
		return "account " + printable(t.Account) + " is still there, and stays; " + rest
	case t.Link:
		return "what her account was; " + rest
	case t.Letters > 0 || t.Outcomes > 0:
		return rest
	}
	return "nothing"
}

// tell prints what was done. An account that stays has exit code 4; a request that was refused fails.
func (f *forgetter) tell(people []*forgotten) error {
	var refused, left *forgotten
	for _, p := range people {
		for _, t := range p.Targets {
			if t.Account != "" {
				left = p
			}
		}
		if p.Refused != "" {
			refused = p
		}
	}
	if f.o.asJSON {
		if err := writeJSON(f.stdout, people); err != nil {
			return err
		}
	} else if !f.o.dry {
		w := &lines{w: f.stdout}
		for _, p := range people {
			p.print(w)
		}
		if w.err != nil {
			return w.err
		}
	}
	switch {
	case refused != nil:
		return fault.New(fault.Failed, "nothing of hers was erased", "source %s: %s isn't forgotten: %s", refused.Source, printable(refused.ID), printable(refused.Refused))
	case left != nil && !f.o.dry:
		return exit(codeLeftovers)
	}
	return nil
}

func (p *forgotten) print(w *lines) {
	switch {
	case p.Refused != "":
		return
	case p.Waiting:
		w.line("source %s: the next run erases %s from the history (ldapsync run)", p.Source, printable(p.ID))
	case p.Snapshot != 0:
		w.line("source %s: snapshot %d: %d messages erased", p.Source, p.Snapshot, p.Erased)
	}
	for _, t := range p.Targets {
		if t.Letters > 0 || t.Link || t.Outcomes > 0 {
			w.line("target %s: forgotten", t.Target)
		}
		if t.Account != "" {
			w.line("target %s: account %s is still there: have the application delete it, then ldapsync forget %s again", t.Target, printable(t.Account), printable(p.ID))
		}
	}
}
