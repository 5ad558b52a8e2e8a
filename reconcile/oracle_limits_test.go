package reconcile

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// slowSpend is one entry of a card's spend.
type slowSpend struct {
	at    time.Time
	minor int64
	entry schema.Entry
}

// spends lists what a card spent, by the time at which it counts, then entry id.
func (o *oracle) spends(a slowAccount) []slowSpend {
	var all []slowSpend
	for _, e := range a.entries {
		if at, ok := slowTime(e); ok {
			all = append(all, slowSpend{at, -e.Amount.Minor(), e})
		}
	}
	slices.SortFunc(all, func(x, y slowSpend) int {
		return cmp.Or(x.at.Compare(y.at), strings.Compare(x.entry.ExternalID, y.entry.ExternalID))
	})
	return all
}

// statement is what one observation of the list of cards says of one limit.
type statement struct {
	at     time.Time
	amount money.Amount // unknown: it does not state the limit
}

// statements are all that were made of a limit.
func statements(a slowAccount, key string) []statement {
	var all []statement
	for _, o := range a.observations {
		if o.Stream != schema.Cards {
			continue
		}
		s := statement{at: o.ObservedAt}
		for _, l := range o.Limits {
			if !o.NoLimit && l.Key() == key && l.Amount.Known() && (!s.amount.Known() || l.Amount.Minor() < s.amount.Minor()) {
				s.amount = l.Amount
			}
		}
		all = append(all, s)
	}
	return all
}

// inForceAt is the number of the statement in force at an instant.
func inForceAt(all []statement, t time.Time) int {
	n := 0
	for i, s := range all {
		if !s.at.After(t) {
			n = i
		}
	}
	return n
}

// raised says whether the next statement of the limit covers a spend.
func raised(all []statement, n int, spent int64) bool {
	for _, s := range all[n+1:] {
		if s.amount.Known() {
			return s.amount.Minor() >= spent
		}
	}
	return false
}

func (o *oracle) limitBreaches() []schema.Outcome {
	var all []schema.Outcome
	for _, a := range o.accounts() {
		limits := map[string]schema.Limit{}
		for _, obs := range a.observations {
			for _, l := range obs.Limits {
				if _, known := limits[l.Key()]; !known && obs.Stream == schema.Cards && !obs.NoLimit {
					limits[l.Key()] = l
				}
			}
		}
		for key, l := range limits {
			said := statements(a, key)
			if o.limitUnclear(a, l, said) {
				all = append(all, schema.Outcome{Judgement: &schema.Judgement{
					Code: schema.LimitBreach, Source: a.card.Source, CardID: a.card.ID, Figure: key, Verdict: schema.NotCheckable, ObservedAt: said[len(said)-1].at,
				}})
				continue
			}
			for _, f := range o.breaches(a, l, said) {
				all = append(all, schema.Outcome{Finding: &f})
			}
		}
	}
	return all
}

// limitUnclear says that a limit cannot be checked: its word, amount, zone or date is not readable, or currencies differ.
func (o *oracle) limitUnclear(a slowAccount, l schema.Limit, said []statement) bool {
	_, zoneErr := time.LoadLocation(l.Zone)
	_, dateErr := time.Parse(time.DateOnly, cmp.Or(l.StartDate, "2026-01-01"))
	i := slices.IndexFunc(said, func(s statement) bool { return s.amount.Known() })
	if l.Window == "" || zoneErr != nil || dateErr != nil || i < 0 {
		return true
	}
	for _, s := range o.spends(a) {
		if s.entry.Amount.Currency() != said[i].amount.Currency() {
			return true
		}
	}
	return false
}

func (o *oracle) breaches(a slowAccount, l schema.Limit, said []statement) []schema.Finding {
	switch l.Window {
	case schema.PerEntry, schema.PerEntryMin:
		return o.singlePurchases(a, l, said)
	case schema.BudgetPeriod:
		return o.budgetBreaches(a, l, said)
	case schema.Rolling24h, schema.Rolling7d, schema.Rolling30d, schema.Rolling365d:
		return o.rollingBreaches(a, l, said)
	}
	zone, _ := time.LoadLocation(l.Zone)
	if l.Window == schema.Lifetime {
		if !a.card.CreatedAt.Before(o.period.To) {
			return nil
		}
		f, ok := o.worst(a, l, said, o.spends(a))
		f.PeriodFrom, f.SubjectAt, f.SubjectTo = a.card.CreatedAt, a.card.CreatedAt, schema.Forever
		return slices.Repeat([]schema.Finding{f}, oneIf(ok))
	}
	var all []schema.Finding
	var done []time.Time
	for _, s := range o.spends(a) {
		w := o.window(l, zone, s.at)
		if slices.ContainsFunc(done, w.From.Equal) || !w.Overlaps(o.period.Window) {
			continue
		}
		done = append(done, w.From)
		if f, ok := o.worst(a, l, said, inWindow(o.spends(a), w)); ok {
			f.PeriodFrom, f.PeriodTo, f.SubjectAt, f.SubjectTo, f.WindowStart = w.From, w.To, w.From, w.To, w.From
			all = append(all, f)
		}
	}
	return all
}

func oneIf(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

func inWindow(all []slowSpend, w schema.Window) []slowSpend {
	return slices.DeleteFunc(slices.Clone(all), func(s slowSpend) bool { return s.at.Before(w.From) || !s.at.Before(w.To) })
}

// worst finds the purchase or fee of a window at which the spend up to it is furthest above the limit then in force.
func (o *oracle) worst(a slowAccount, l schema.Limit, said []statement, spends []slowSpend) (schema.Finding, bool) {
	overs := overLimit(spends, said)
	if len(overs) == 0 {
		return schema.Finding{}, false
	}
	best := overs[0]
	for _, x := range overs {
		if x.spent-x.limit > best.spent-best.limit {
			best = x
		}
	}
	f := o.breach(a, l, said, overs[0], best)
	o.explainBreach(&f, a, said, spends[:overs[len(overs)-1].n+1])
	return f, true
}

// over is a purchase or fee at which the spend was over the limit.
type over struct {
	n            int // its number among the spends
	at           slowSpend
	spent, limit int64
	inForce      int
}

func overLimit(spends []slowSpend, said []statement) []over {
	var all []over
	for n, s := range spends {
		spent := int64(0)
		for _, x := range spends[:n+1] {
			spent += x.minor
		}
		i := inForceAt(said, s.at)
		if (s.entry.Kind == schema.Purchase || s.entry.Kind == schema.Fee) && said[i].amount.Known() && spent > said[i].amount.Minor() {
			all = append(all, over{n, s, spent, said[i].amount.Minor(), i})
		}
	}
	return all
}

func (o *oracle) breach(a slowAccount, l schema.Limit, said []statement, first, worst over) schema.Finding {
	f := schema.Finding{
		Code: schema.LimitBreach, Reason: "computed-over-limit", Severity: schema.High, Source: a.card.Source, CardID: a.card.ID, Subject: l.Key(),
		Expected: said[worst.inForce].amount, Actual: money.FromMinor(worst.spent, said[worst.inForce].amount.Currency()), Basis: "posted + pending",
		Evidence: []string{first.at.entry.ID()},
	}
	if worst.at.entry.ID() != first.at.entry.ID() {
		f.Evidence = append(f.Evidence, worst.at.entry.ID())
	}
	if raised(said, worst.inForce, worst.spent) {
		f.Severity = schema.Medium
	}
	return f
}

// explainBreach says whether the spends, had each purchase taken no more than was authorized for it, would have kept to
// the limit.
func (o *oracle) explainBreach(f *schema.Finding, a slowAccount, said []statement, spends []slowSpend) {
	asAuthorized := slices.Clone(spends)
	above, beyond := []string{}, false
	for i, s := range spends {
		for _, auth := range a.entries {
			if s.entry.Kind != schema.Purchase || auth.Kind != schema.Purchase || auth.Status != schema.Superseded || s.entry.LinkedID != auth.ExternalID {
				continue
			}
			authorized := -auth.Amount.Minor()
			for _, r := range a.entries {
				if r.Kind == schema.Reversal && r.Status == schema.Superseded && r.LinkedID == auth.ExternalID {
					authorized -= r.Amount.Minor()
				}
			}
			left := max(authorized, 0)
			for _, before := range spends[:i] {
				if before.entry.Kind == schema.Purchase && before.entry.LinkedID == auth.ExternalID {
					left = max(left-before.minor, 0)
				}
			}
			if s.minor > left {
				above = append(above, s.entry.ID(), auth.ID())
				beyond = beyond || (s.minor-left)*100 > authorized*int64(o.cfg.TipPercent)
				asAuthorized[i].minor = left
			}
		}
	}
	if len(above) == 0 || len(overLimit(asAuthorized, said)) > 0 {
		return
	}
	f.Explanation = "tip"
	if beyond {
		f.Explanation = "captured above authorization"
	}
	for _, id := range above {
		if !slices.Contains(f.Evidence, id) {
			f.Evidence = append(f.Evidence, id)
		}
	}
}

// rollingBreaches sums the window that ends at each purchase or fee. Those over the limit in a row are one finding.
func (o *oracle) rollingBreaches(a slowAccount, l schema.Limit, said []statement) []schema.Finding {
	length := map[schema.LimitWindow]time.Duration{
		schema.Rolling24h: 24 * time.Hour, schema.Rolling7d: 168 * time.Hour, schema.Rolling30d: 720 * time.Hour, schema.Rolling365d: 8760 * time.Hour,
	}[l.Window]
	spends := o.spends(a)
	type end struct {
		over  over
		isOne bool
		in    []slowSpend
	}
	var ends []end
	for n, s := range spends {
		if s.entry.Kind != schema.Purchase && s.entry.Kind != schema.Fee {
			continue
		}
		in := slices.DeleteFunc(slices.Clone(spends[:n+1]), func(x slowSpend) bool { return !x.at.After(s.at.Add(-length)) })
		e := end{in: in}
		if overs := overLimit(in, said); len(overs) > 0 && overs[len(overs)-1].n == len(in)-1 {
			e.over, e.isOne = overs[len(overs)-1], true
		}
		ends = append(ends, e)
	}
	var all []schema.Finding
	for i := 0; i < len(ends); i++ {
		if !ends[i].isOne {
			continue
		}
		j, worst, inPeriod := i, i, false
		for ; j < len(ends) && ends[j].isOne; j++ {
			if x, y := ends[j].over, ends[worst].over; x.spent-x.limit > y.spent-y.limit {
				worst = j
			}
			at := ends[j].over.at.at
			inPeriod = inPeriod || (!at.Before(o.period.From) && at.Add(-length).Before(o.period.To))
		}
		if inPeriod {
			f := o.breach(a, l, said, ends[i].over, ends[worst].over)
			f.Subject += " " + ends[i].over.at.entry.ID()
			f.PeriodFrom, f.PeriodTo = ends[worst].over.at.at.Add(-length), ends[worst].over.at.at
			f.SubjectAt, f.SubjectTo = ends[i].over.at.at.Add(-length), ends[j-1].over.at.at.Add(time.Microsecond)
			o.explainBreach(&f, a, said, ends[worst].in)
			all = append(all, f)
		}
		i = j
	}
	return all
}

func (o *oracle) singlePurchases(a slowAccount, l schema.Limit, said []statement) []schema.Finding {
	var all []schema.Finding
	for _, s := range o.spends(a) {
		i := inForceAt(said, s.at)
		if s.entry.Kind != schema.Purchase || !o.in(s.at) || !said[i].amount.Known() {
			continue
		}
		limit := said[i].amount.Minor()
		f := schema.Finding{
			Code: schema.LimitBreach, Source: a.card.Source, CardID: a.card.ID, EntryID: s.entry.ID(), Reference: s.entry.Reference, Subject: s.entry.ID(),
			Expected: said[i].amount, Actual: money.FromMinor(s.minor, said[i].amount.Currency()), PeriodFrom: s.at, PeriodTo: s.at,
			SubjectAt: o.subject(s.at), Evidence: []string{s.entry.ID()},
		}
		switch {
		case l.Window == schema.PerEntry && s.minor > limit && raised(said, i, s.minor):
			f.Reason, f.Severity = "transaction-over-limit", schema.Medium
		case l.Window == schema.PerEntry && s.minor > limit:
			f.Reason, f.Severity = "transaction-over-limit", schema.High
		case l.Window == schema.PerEntryMin && s.minor < limit:
			f.Reason, f.Severity = "transaction-under-minimum", schema.Low
		default:
			continue
		}
		all = append(all, f)
	}
	return all
}

// budgetBreaches compares BILL's own pair and the ledger's sum of each period of the card's budget.
func (o *oracle) budgetBreaches(a slowAccount, l schema.Limit, said []statement) []schema.Finding {
	var computed []schema.Finding
	for _, w := range o.budgetPeriods(a.card) {
		if f, ok := o.worst(a, l, said, inWindow(o.spends(a), w)); ok && w.Overlaps(o.period.Window) {
			f.PeriodFrom, f.PeriodTo, f.SubjectAt, f.SubjectTo, f.WindowStart = w.From, w.To, w.From, w.To, w.From
			computed = append(computed, f)
		}
	}
	all := o.reportedBreaches(a, l, said)
	for _, f := range computed {
		i := slices.IndexFunc(all, func(r schema.Finding) bool { return r.WindowStart.Equal(f.WindowStart) })
		if i < 0 {
			all = append(all, f)
			continue
		}
		all[i].Evidence, all[i].Explanation = f.Evidence, f.Explanation
	}
	return all
}

// budgetPeriods lists the periods of a card's budget of which both dates are known, as they were stated last.
func (o *oracle) budgetPeriods(c schema.Card) []schema.Window {
	var all []schema.Window
	for _, b := range o.budgetsOf(c.Source, c.BudgetID) {
		w, ok := o.budgetDates(b)
		if !ok || w.To.IsZero() {
			continue
		}
		all = slices.DeleteFunc(all, func(x schema.Window) bool { return x.From.Equal(w.From) })
		all = append(all, w)
	}
	return all
}

func (o *oracle) budgetsOf(source, id string) []schema.Budget {
	return slices.DeleteFunc(slices.Clone(o.budgets), func(b schema.Budget) bool {
		return id == "" || b.Source != source || (b.ID != id && b.AltID != id)
	})
}

// budgetDates are the instants of a budget's inclusive dates; To is zero where the end is not known.
func (o *oracle) budgetDates(b schema.Budget) (schema.Window, bool) {
	zone, err := time.LoadLocation(b.Zone)
	start, startErr := time.Parse(time.DateOnly, b.StartDate)
	if err != nil || startErr != nil {
		return schema.Window{}, false
	}
	w := schema.Window{From: o.midnight(start, zone)}
	if end, err := time.Parse(time.DateOnly, b.EndDate); err == nil {
		w.To = o.midnight(end.AddDate(0, 0, 1), zone)
	}
	return w, true
}

// budgetPeriodAt is the budget's period at the moment of an observation: as it was last stated before, or, where that one
// is over, as it was stated next.
func (o *oracle) budgetPeriodAt(obs schema.Observation, c schema.Card) (w schema.Window, b schema.Budget, ok bool) {
	all := o.budgetsOf(c.Source, cmp.Or(obs.BudgetID, c.BudgetID))
	latest := 0
	for i, b := range all {
		if !b.ObservedAt.After(obs.ObservedAt) {
			latest = i
		}
	}
	for i, b := range all {
		w, known := o.budgetDates(b)
		if i >= latest && known && !obs.ObservedAt.Before(w.From) && (w.To.IsZero() || obs.ObservedAt.Before(w.To)) {
			return w, b, true
		}
	}
	return schema.Window{}, schema.Budget{}, false
}

// reportedBreaches are BILL's own figures above its own limit, at the last statement in each budget period.
func (o *oracle) reportedBreaches(a slowAccount, l schema.Limit, said []statement) []schema.Finding {
	type pair struct {
		at           time.Time
		window       schema.Window
		known        bool
		spent, limit money.Amount
		n            int
	}
	var pairs []pair
	n := -1
	for _, obs := range a.observations {
		if obs.Stream != schema.Cards {
			continue
		}
		n++
		f, ok := obs.Figure(schema.PeriodSpend)
		if !ok || obs.NoLimit || !f.Amount.Known() || !said[n].amount.Known() || f.Amount.Currency() != said[n].amount.Currency() {
			continue
		}
		w, _, known := o.budgetPeriodAt(obs, a.card)
		pairs = append(pairs, pair{obs.ObservedAt, w, known, f.Amount, said[n].amount, n})
	}
	var all []schema.Finding
	for i, p := range pairs {
		// The last one of its budget period that lies in the period.
		later := slices.ContainsFunc(pairs[i+1:min(i+2, len(pairs))], func(x pair) bool { return x.window.From.Equal(p.window.From) && o.in(x.at) })
		if !o.in(p.at) || later || p.spent.Minor() <= p.limit.Minor() || (p.known && loweredSince(pairs[:i+1], func(x pair) (time.Time, int64, int64) {
			return x.window.From, x.spent.Minor(), x.limit.Minor()
		})) {
			continue
		}
		f := schema.Finding{
			Code: schema.LimitBreach, Reason: "reported-over-limit", Severity: schema.High, Source: a.card.Source, CardID: a.card.ID, Subject: l.Key(),
			Expected: p.limit, Actual: p.spent, PeriodFrom: p.at, PeriodTo: p.at, SubjectAt: o.subject(p.at), Basis: "as reported",
		}
		if p.known {
			f.PeriodFrom, f.PeriodTo, f.WindowStart = p.window.From, p.window.To, p.window.From
		}
		if raised(said, p.n, p.spent.Minor()) {
			f.Severity = schema.Medium
		}
		all = append(all, f)
	}
	return all
}

// loweredSince says whether the last of some statements follows, in its budget period, one that was within its limit,
// and nothing was spent between the two.
func loweredSince[T any](pairs []T, of func(T) (start time.Time, spent, limit int64)) bool {
	start, before, _ := of(pairs[len(pairs)-1])
	for _, p := range slices.Backward(pairs) {
		from, spent, limit := of(p)
		if !from.Equal(start) || spent < before {
			return false
		}
		if spent <= limit {
			return true
		}
		before = spent
	}
	return false
}
