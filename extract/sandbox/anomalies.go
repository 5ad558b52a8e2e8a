package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tieout/tieout/schema"
)

// ErrAnomaly is the error of an anomaly that the world does not know or cannot show now.
var ErrAnomaly = errors.New("no such anomaly")

// anomaly is something that can be planted while the world runs. It is planted on a card of its own, so that nothing else
// in the key moves.
type anomaly struct {
	reason string
	plant  func(w *World) error
}

// anomalies are one for each reason of limit-breach, orphan-topup and balance-drift (CONTRACT 3).
func anomalies() []anomaly {
	list := []anomaly{
		{"reported-over-limit", plantOverLimit(schema.Bill, schema.BudgetPeriod)},
		{"computed-over-limit", plantOverLimit(schema.Slash, schema.Daily)},
		{"transaction-over-limit", plantOverLimit(schema.Whop, schema.PerEntry)},
		{"transaction-under-minimum", plantOverLimit(schema.Slash, schema.PerEntryMin)},
		{"balance", plantDrift(schema.Bitnob)},
		{"period-spend", plantDrift(schema.Bill)},
		{"trailing-spend", plantDrift(schema.Whop)},
		{"utilization", plantDrift(schema.Slash)},
		{"mixed-basis", plantMixedBasis},
	}
	for _, t := range topUpPlants() {
		if t.reason != "" && !slices.ContainsFunc(list, func(a anomaly) bool { return a.reason == t.reason }) {
			list = append(list, anomaly{t.reason, plantOrphan(t)})
		}
	}
	return list
}

// Anomalies are the names that Plant knows: the reasons of CONTRACT 3.
func Anomalies() (names []string) {
	for _, a := range anomalies() {
		names = append(names, a.reason)
	}
	return names
}

// Plant makes something wrong in the world, now or in the days before, and returns what it adds to the key. Top-ups that the
// books know of are new lines of Fundings. It fails with ErrAnomaly for a name that is not among Anomalies, and where the
// world shows the anomaly already and cannot show another.
func (w *World) Plant(name string) ([]Answer, error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	i := slices.IndexFunc(anomalies(), func(a anomaly) bool { return a.reason == name })
	if i < 0 {
		return nil, fmt.Errorf("plant %q: %w: one of %s", name, ErrAnomaly, strings.Join(Anomalies(), ", "))
	}
	before := map[string]bool{}
	for _, a := range w.judge() {
		before[strings.Join(a.order(), "\x00")] = true
	}
	if err := anomalies()[i].plant(w); err != nil {
		return nil, fmt.Errorf("plant %q: %w", name, err)
	}
	return slices.DeleteFunc(w.judge(), func(a Answer) bool { return before[strings.Join(a.order(), "\x00")] }), nil
}

// host is a new card of a provider to plant something on, ten days old, with limits.
func (w *World) host(p schema.Provider, plan string, limits ...limit) *draft {
	c := w.issue(p, nil)
	c.created, c.plan, c.limits = w.now-10*day, plan, limits
	d := w.on(c)
	d.from, d.to, d.zone = c.created, w.now, time.UTC
	if p == schema.Bill {
		c.budget = w.currentBudget(d)
	}
	return d
}

// currentBudget is a budget that gives the dates of a period in which it is now.
func (w *World) currentBudget(d *draft) *budget {
	for _, g := range d.book.budgets {
		if from, to, ok := g.period(); ok && !g.retired && from <= w.now && w.now < to {
			return g
		}
	}
	g := d.newBudget("MONTHLY", nil)
	today := w.now.time()
	first := time.Date(today.Year(), today.Month(), 1, 0, 0, 0, 0, time.UTC)
	g.start, g.end = first.Format(time.DateOnly), first.AddDate(0, 1, -1).Format(time.DateOnly)
	d.book.budgets = append(d.book.budgets, g)
	return g
}

// buy is a purchase of an hour or two ago that has posted, inside the window of the card's figure where that is longer.
func (d *draft) buy(cents int64) *row {
	t := d.w.now - 2*hour
	if from, ok := d.w.figureWindow(d.card); ok {
		t = max(t, from)
	}
	return d.purchase(t, max(t, d.w.now-hour), cents)
}

// plantOverLimit is a purchase that the issuer let through although the card's limit forbids it.
func plantOverLimit(p schema.Provider, window schema.LimitWindow) func(*World) error {
	return func(w *World) error {
		l := limit{window: window, amount: 10_000}
		if window == schema.PerEntry {
			l.word = "per_transaction"
		}
		d := w.host(p, "A purchase that the card's limit forbids was let through.", l)
		cents := d.between(10_001, 60_000)
		if window == schema.PerEntryMin {
			cents = d.between(1, 9_999)
		}
		w.file(d.buy(cents))
		return nil
	}
}

// plantDrift is a figure that is off by an amount which nothing on the card makes up.
func plantDrift(p schema.Provider) func(*World) error {
	return func(w *World) error {
		var limits []limit
		switch p {
		case schema.Slash:
			limits = []limit{{window: schema.Monthly, amount: 1_000_000}}
		case schema.Bill:
			limits = []limit{{window: schema.BudgetPeriod, amount: 1_000_000}}
		}
		d := w.host(p, "The provider's figure is off by an amount that nothing on the card makes up.", limits...)
		var r *row
		if p == schema.Bitnob {
			r = d.topup(w.now-2*hour, w.now-hour, d.odd())
			w.fundings = append(w.fundings, d.funding(r.ref, 0, r.amount, r.occurred-hour))
		} else {
			r = d.buy(d.between(5_000, 60_000))
		}
		w.file(r)
		d.shift(-d.between(100, 4_000))
		return nil
	}
}

// plantMixedBasis adds two cards with a pending purchase: the figure of one counts it, that of the other does not.
func plantMixedBasis(w *World) error {
	for _, p := range []schema.Provider{schema.Whop, schema.Slash, schema.Bill} {
		b := w.books[p]
		if slices.ContainsFunc(w.drifts(b), func(a Answer) bool { return a.Reason == "mixed-basis" }) {
			continue
		}
		for _, on := range [2]basis{onPosted, onBoth} {
			var limits []limit
			switch p {
			case schema.Slash:
				limits = []limit{{window: schema.Monthly, amount: 1_000_000}}
			case schema.Bill:
				limits = []limit{{window: schema.BudgetPeriod, amount: 1_000_000}}
			}
			d := w.host(p, "", limits...)
			from, _ := w.figureWindow(d.card)
			r := d.purchase(max(w.now-2*hour, from), 0, d.between(5_000, 60_000))
			w.settleLater(r)
			w.file(r)
			c := d.card
			c.says = func(int64) int64 { return w.ledgerSum(c, on) }
		}
		return nil
	}
	return fmt.Errorf("%w: every provider has two bases already", ErrAnomaly)
}

// plantOrphan is a disagreement between Bitnob's top-ups and the books.
func plantOrphan(t topUpPlant) func(*World) error {
	return func(w *World) error {
		d := w.host(schema.Bitnob, "")
		b := d.book
		if t.unlisted {
			b.cards = b.cards[:len(b.cards)-1]
			b.unlisted = append(b.unlisted, d.card)
			delete(b.cardByID, d.id)
		}
		t.plant(d)
		d.sort()
		w.file(d.rows...)
		w.fundings = append(w.fundings, d.spares...)
		slices.SortStableFunc(w.fundings, func(x, y FundingRow) int {
			return cmp.Or(cmp.Compare(x.sent, y.sent), cmp.Compare(x.Reference, y.Reference))
		})
		return nil
	}
}
