package reconcile

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// limitHistory is one limit of a card through the observations that state the card's limits.
type limitHistory struct {
	key    string
	limit  schema.Limit   // as it was first observed
	at     []time.Time    // of all observations that state limits, in order
	amount []money.Amount // unknown where the observation does not have this limit, or not readably
	stated []int          // how often the observation has it
}

// statesLimits says whether an observation tells which limits a card has. Those of single figures (utilization,
// balances) do not, and so they end no limit.
func statesLimits(o schema.Observation) bool { return o.Stream == schema.Cards }

// limitHistories lists a card's limits by key. Where one observation has two limits of one key, the smaller counts.
func limitHistories(observations []schema.Observation) []limitHistory {
	var at []time.Time
	byKey := map[string]*limitHistory{}
	for _, o := range observations {
		if !statesLimits(o) {
			continue
		}
		at = append(at, o.ObservedAt)
		if o.NoLimit {
			continue
		}
		for _, l := range o.Limits {
			key := l.Key()
			h := byKey[key]
			if h == nil {
				h = &limitHistory{key: key, limit: l}
				byKey[key] = h
			}
			h.extend(len(at))
			h.stated[len(at)-1]++
			last := &h.amount[len(at)-1]
			if l.Amount.Known() && (!last.Known() || l.Amount.Minor() < last.Minor()) {
				*last = l.Amount
			}
		}
	}
	histories := make([]limitHistory, 0, len(byKey))
	for _, h := range byKey {
		h.extend(len(at))
		h.at = at
		histories = append(histories, *h)
	}
	slices.SortFunc(histories, func(a, b limitHistory) int { return cmp.Compare(a.key, b.key) })
	return histories
}

func (h *limitHistory) extend(n int) {
	for len(h.amount) < n {
		h.amount = append(h.amount, money.Amount{})
		h.stated = append(h.stated, 0)
	}
}

// inForce is the number of the observation whose limits are in force at an instant: the latest at or before it, else the
// first.
func (h limitHistory) inForce(t time.Time) int {
	after := sort.Search(len(h.at), func(i int) bool { return h.at[i].After(t) })
	return max(after-1, 0)
}

// next is the first observation after number i that states the limit; false when there is none.
func (h limitHistory) next(i int) (int, bool) {
	for j := i + 1; j < len(h.amount); j++ {
		if h.amount[j].Known() {
			return j, true
		}
	}
	return 0, false
}

// raisedAfter says whether the next observation of the limit covers a spend, and when and to what.
func (h limitHistory) raisedAfter(i int, spend int64) (int, bool) {
	j, ok := h.next(i)
	return j, ok && h.amount[j].Minor() >= spend
}

// budgets holds the budget observations of each source by every id of the budget, by observed_at.
type budgets map[cardKey][]schema.Budget

// budgetWindow is a period of a budget in its zone. To is zero where the end is unknown.
type budgetWindow struct {
	schema.Window
	zone *time.Location
}

// budgetWindow reads the inclusive dates of a budget; false where it does not tell its start.
func (z *zones) budgetWindow(b schema.Budget) (budgetWindow, bool) {
	zone, err := z.load(b.Zone)
	if err != nil {
		return budgetWindow{}, false
	}
	from, err := time.Parse(time.DateOnly, b.StartDate)
	if err != nil {
		return budgetWindow{}, false
	}
	w := budgetWindow{Window: schema.Window{From: startOfDate(from, zone)}, zone: zone}
	if to, err := time.Parse(time.DateOnly, b.EndDate); err == nil {
		w.To = startOfDate(to.AddDate(0, 0, 1), zone)
	}
	return w, true
}

// budgetPeriod is the period of a card's budget that contains the moment of an observation, as the budget was last
// observed at or before it. A sync lists budgets after cards, so where that one is past, the next observation counts.
func (z *zones) budgetPeriod(all budgets, o schema.Observation, c schema.Card) (budgetWindow, bool) {
	observed := all[cardKey{c.Source, cmp.Or(o.BudgetID, c.BudgetID)}]
	after := sort.Search(len(observed), func(i int) bool { return observed[i].ObservedAt.After(o.ObservedAt) })
	for i := max(after-1, 0); i < len(observed); i++ {
		w, ok := z.budgetWindow(observed[i])
		if ok && !o.ObservedAt.Before(w.From) && (w.To.IsZero() || o.ObservedAt.Before(w.To)) {
			return w, true
		}
	}
	return budgetWindow{}, false
}

// limitText is a limit in words: "daily limit of 100.00 USD".
func limitText(l schema.Limit, amount money.Amount) string {
	limit := "limit of " + amountText(amount)
	switch l.Window {
	case schema.Daily, schema.Weekly, schema.Monthly, schema.Yearly, schema.Lifetime:
		return string(l.Window) + " " + limit
	case schema.BudgetPeriod:
		return "budget-period " + limit
	}
	if length, ok := rollingLength(l.Window); ok {
		return limit + " for any " + lengthText(length)
	}
	return limit
}

// lengthText is the length of a rolling window in words.
func lengthText(length time.Duration) string {
	if length == 24*time.Hour {
		return "24 hours"
	}
	return count(int(length/(24*time.Hour)), "day", "days")
}
