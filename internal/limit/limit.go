// Package limit says how much may go at once before a person has to look. It is arithmetic only: who counts what, and what becomes of
// that which is over a limit, is the business of the stages.
package limit

import "fmt"

// Limit is met when a loss is large both in number and in share, large whatever its share, or all there is. The zero value is Off.
type Limit struct {
	// Count and Percent: met by more than Count losses that are also more than Percent of all.
	Count   int
	Percent float64
	// Most: met by more than this many, whatever their share. 0: no such limit.
	Most int
	// All: met by the loss of everything, where that is more than All. 0: no such limit.
	All int
	// On is false for a limit that is switched off.
	On bool
}

// Exceeded returns how a loss of n of all meets the limit, for people, or "" if it doesn't. n and all count over the same time.
func (l Limit) Exceeded(n, all int) string {
	switch {
	case !l.On || n <= 0:
		return ""
	case l.All > 0 && n >= all && n > l.All:
		return fmt.Sprintf("all %d", n)
	case l.Most > 0 && n > l.Most:
		return fmt.Sprintf("more than %d", l.Most)
	case n > l.Count && float64(n)*100 > l.Percent*float64(all):
		return fmt.Sprintf("more than %d and more than %g %%", l.Count, l.Percent)
	}
	return ""
}
