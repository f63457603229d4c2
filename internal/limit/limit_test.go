package limit_test

import (
	"testing"

	"ldapsync/internal/limit"
)

func TestExceeded(t *testing.T) {
	users := limit.Limit{Count: 5, Percent: 5, Most: 500, All: 5, On: true}
	group := limit.Limit{Count: 10, Percent: 20, Most: 500, All: 5, On: true}
	for _, c := range []struct {
		limit  limit.Limit
		n, all int
		want   string
	}{
		{users, 0, 0, ""},
		{users, 5, 5, ""}, // a company that small looks at its five accounts itself
		{users, 6, 6, "all 6"},
		{users, 5, 20, ""},
		{users, 6, 20, "more than 5 and more than 5 %"},
		{users, 6, 120, ""}, // exactly 5 % isn't more
		{users, 7, 120, "more than 5 and more than 5 %"},
		{users, 500, 200_000, ""},
		{users, 501, 200_000, "more than 500"},
		{group, 6, 6, "all 6"},
		{group, 10, 11, ""},
		{group, 11, 12, "more than 10 and more than 20 %"},
		{limit.Limit{}, 1000, 1000, ""},
		{limit.Limit{On: true}, 1, 1000, "more than 0 and more than 0 %"},
	} {
		if got := c.limit.Exceeded(c.n, c.all); got != c.want {
			t.Errorf("%+v: %d of %d: %q, not %q", c.limit, c.n, c.all, got, c.want)
		}
	}
}
