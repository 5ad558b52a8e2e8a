package reconcile

import (
	"fmt"
	"slices"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// stood says since when a difference has stood.
type stood struct {
	since  time.Time // the first observation of the figure that has it, of those that have it without a break
	before time.Time // the last one before that, which does not; zero: there is none
}

// stoodSince walks back from the figure that was compared while earlier figures have the same difference or, where a unit
// or a sign is wrong, are wrong in the same way. Figures that cannot be compared are passed over.
func (d *driftJudge) stoodSince(a *account, c *comparison, on basis) stood {
	x := c.drift[on]
	s := stood{since: c.observed}
	for _, o := range slices.Backward(a.observations) {
		f, ok := o.Figure(c.figure)
		if !ok || !o.ObservedAt.Before(c.observed) {
			continue
		}
		actual, sum, err := d.figureAt(a, o, f, on)
		if err != nil {
			continue
		}
		if !d.same(x, actual, sum) {
			s.before = o.ObservedAt
			break
		}
		s.since = o.ObservedAt
	}
	return s
}

// same says whether an earlier figure and sum differ as those of a drift do.
func (d *driftJudge) same(x drift, actual money.Amount, sum int64) bool {
	switch x.name {
	case factor100:
		return hundredfold(actual.Minor(), sum)
	case wrongSign:
		return opposite(actual.Minor(), sum)
	}
	t := tally{minor: actual.Minor()}
	t.sub(sum)
	t.sub(x.opening)
	tolerance, c := d.cfg.DriftTolerance, actual.Currency()
	return !t.overflow && !within(t.minor, 0, tolerance, c) && within(t.minor, x.rest, tolerance, c)
}

// figureAt is a figure and the ledger's sum for it at its own moment. An error says why they cannot be compared.
func (d *driftJudge) figureAt(a *account, o schema.Observation, f schema.Figure, on basis) (money.Amount, int64, error) {
	if f.Name == schema.Balance {
		actual, err := d.readBalance(a, f)
		if err != nil {
			return actual, 0, err
		}
		b, err := booksAt(a.entries, f.Name, actual.Currency(), time.Time{}, o.ObservedAt)
		return actual, b.sum[on], err
	}
	b, _, err := d.spendBooks(a, o, f)
	return f.Amount, b.sum[on], err
}

// text tells it, where the figure was observed before.
func (s stood) text(observed time.Time, zone *time.Location) string {
	switch {
	case s.since.Before(observed) && s.before.IsZero():
		return fmt.Sprintf(" This difference has stood since the first figure that was read, of %s.", timeText(s.since, zone))
	case s.since.Before(observed):
		return fmt.Sprintf(" This difference has stood since the figure of %s; the one before, of %s, did not have it.", timeText(s.since, zone), timeText(s.before, zone))
	case !s.before.IsZero():
		return fmt.Sprintf(" This difference is new: the figure before, of %s, did not have it.", timeText(s.before, zone))
	}
	return ""
}
