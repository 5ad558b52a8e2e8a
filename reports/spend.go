package reports

import (
	"math/big"
	"slices"
	"time"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema"
)

// spendDays is the spend of one currency: minor units by business day and source.
type spendDays struct {
	entries int64
	days    map[table.Date]map[string]*big.Int
}

// addSpend adds an entry to the spend of its day. Spend is positive; refunds and reversals lessen it.
func (f *facts) addSpend(e schema.Entry) {
	if countsAs(e) != "spend" {
		return
	}
	c := e.Amount.Currency()
	s := f.spend[c]
	if s.days == nil {
		s.days = map[table.Date]map[string]*big.Int{}
	}
	s.entries++
	f.spend[c] = s
	d := f.dayOf(e.OccurredAt)
	if s.days[d] == nil {
		s.days[d] = map[string]*big.Int{}
	}
	if s.days[d][e.Source] == nil {
		s.days[d][e.Source] = new(big.Int)
	}
	s.days[d][e.Source].Sub(s.days[d][e.Source], big.NewInt(e.Amount.Minor()))
}

// bucket is some days in a row, both ends included.
type bucket struct{ from, to table.Date }

// mostBuckets is how many bars can still be told apart.
const mostBuckets = 62

// buckets divides the days of spend into single days or, where those are too many, weeks, or else months; and says which.
func (s spendDays) buckets() ([]bucket, string) {
	var first, last table.Date
	for d := range s.days {
		if first == "" || d < first {
			first = d
		}
		last = max(last, d)
	}
	if first == "" {
		return nil, "day"
	}
	from, to := date(first), date(last)
	step, name := 1, "day"
	if n := int(to.Sub(from)/(24*time.Hour)) + 1; n > mostBuckets*7 {
		return months(from, to), "month"
	} else if n > mostBuckets {
		step, name = 7, "week"
	}
	var all []bucket
	for ; !from.After(to); from = from.AddDate(0, 0, step) {
		all = append(all, bucket{dateText(from), dateText(from.AddDate(0, 0, step-1))})
	}
	return all, name
}

func months(from, to time.Time) []bucket {
	var all []bucket
	for m := time.Date(from.Year(), from.Month(), 1, 0, 0, 0, 0, time.UTC); !m.After(to); m = m.AddDate(0, 1, 0) {
		all = append(all, bucket{dateText(m), dateText(m.AddDate(0, 1, -1))})
	}
	return all
}

// date is a date as midnight UTC; dates of this package are well-formed.
func date(d table.Date) time.Time {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return time.Time{}
	}
	return t
}

func dateText(t time.Time) table.Date { return table.Date(t.Format(time.DateOnly)) }

// in is the spend of a source in some days.
func (s spendDays) in(b bucket, source string) *big.Int {
	sum := new(big.Int)
	for d, sources := range s.days {
		if d >= b.from && d <= b.to && sources[source] != nil {
			sum.Add(sum, sources[source])
		}
	}
	return sum
}

// sources lists the sources that have spend.
func (s spendDays) sources() []string {
	var all []string
	for _, sources := range s.days {
		for source := range sources {
			if !slices.Contains(all, source) {
				all = append(all, source)
			}
		}
	}
	slices.Sort(all)
	return all
}
