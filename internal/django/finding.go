package django

import "fmt"

// Finding is something about the tables that stands in the way of sync, with its remedy.
type Finding struct {
	What    string // one line that names the thing
	Hint    string // what to do
	Warning bool   // worth knowing, but sync works
}

type findings []Finding

func (f *findings) refuse(hint, format string, args ...any) {
	*f = append(*f, Finding{What: fmt.Sprintf(format, args...), Hint: hint})
}

// Refusal returns the first finding that isn't a warning, nil if there is none.
func Refusal(list []Finding) *Finding {
	for i := range list {
		if !list[i].Warning {
			return &list[i]
		}
	}
	return nil
}

// nearest returns the candidate that word was most probably meant to be, "" if none is near.
func nearest(word string, candidates []string) string {
	best, bestDistance := "", max(2, len(word)/3)+1
	for _, c := range candidates {
		if d := distance(word, c); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance is the number of edits (Levenshtein) that make a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
