package reconcile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

var errUnclear = errors.New("not checkable")

// slowDrift is a figure beside the ledger's sums, by basis: posted, then posted and pending.
type slowDrift struct {
	a        slowAccount
	figure   schema.FigureName
	observed time.Time
	unclear  bool
	from     time.Time // start of what is summed
	starts   []time.Time
	actual   money.Amount
	sums     [2]int64
	rolled   time.Time
}

var providerFigures = map[schema.Provider]schema.FigureName{
	schema.Bill: schema.PeriodSpend, schema.Slash: schema.Utilized, schema.Whop: schema.TrailingSpend, schema.Bitnob: schema.Balance,
}

var figureStreams = map[schema.FigureName]schema.Stream{
	schema.PeriodSpend: schema.Cards, schema.Utilized: schema.Utilization, schema.TrailingSpend: schema.Cards, schema.Balance: schema.Balances,
}

func (o *oracle) drifts() []schema.Outcome {
	var all []slowDrift
	for _, a := range o.accounts() {
		for name, stream := range figureStreams {
			var latest *schema.Observation
			for _, obs := range a.observations {
				if _, states := obs.Figure(name); o.in(obs.ObservedAt) && (states || obs.Stream == stream) {
					latest = &obs
				}
			}
			switch {
			case latest != nil && len(o.stated(*latest, name)) > 0:
				all = append(all, o.compare(a, *latest, o.stated(*latest, name)[0]))
			case name == providerFigures[a.card.Provider] && a.listed && a.card.CreatedAt.Before(o.period.To) && !o.closedBefore(a, o.period.From):
				d := slowDrift{a: a, figure: name, unclear: true}
				if latest != nil {
					d.observed = latest.ObservedAt
				}
				all = append(all, d)
			}
		}
	}
	var outcomes []schema.Outcome
	for _, s := range o.cfg.Sources {
		for name := range figureStreams {
			outcomes = append(outcomes, o.concludeDrifts(slices.DeleteFunc(slices.Clone(all), func(d slowDrift) bool {
				return d.a.card.Source != s.Name || d.figure != name
			}))...)
		}
	}
	return outcomes
}

func (o *oracle) stated(obs schema.Observation, name schema.FigureName) []schema.Figure {
	return slices.DeleteFunc(slices.Clone(obs.Figures), func(f schema.Figure) bool { return f.Name != name })
}

func (o *oracle) closedBefore(a slowAccount, t time.Time) bool {
	closed, ok := o.closed(a)
	return ok && closed.Before(t)
}

// compare sets a figure beside the sums at its moment.
func (o *oracle) compare(a slowAccount, obs schema.Observation, f schema.Figure) slowDrift {
	d := slowDrift{a: a, figure: f.Name, observed: obs.ObservedAt, actual: f.Amount}
	if f.Name == schema.Balance {
		return o.compareBalance(d, f)
	}
	var err error
	if d.from, d.starts, err = o.figureStart(a, obs, f.Name); err != nil {
		d.unclear = true
		return d
	}
	d.unclear = f.Problem != "" || !f.Amount.Known() || otherCurrency(a, f.Amount.Currency()) || !o.complete(a.card.Source, d.from, d.observed)
	d.sums = sumsAt(a, f.Name, d.from, d.observed)
	return d
}

func otherCurrency(a slowAccount, c money.Currency) bool {
	return slices.ContainsFunc(a.entries, func(e schema.Entry) bool { return e.Status.Counted() && e.Amount.Currency() != c })
}

// complete says whether the transactions of a source are all there in a window; a zero start is the beginning.
func (o *oracle) complete(source string, from, to time.Time) bool {
	at := from
	if at.IsZero() {
		at = schema.Beginning
	}
	for range o.completeness {
		for _, c := range o.completeness {
			if c.Source == source && c.Stream == schema.Transactions && c.Verdict == schema.VerdictComplete && !at.Before(c.Window.From) && at.Before(c.Window.To) {
				at = c.Window.To
			}
		}
	}
	return !at.Before(to)
}

// figureStart is where the window of a spend figure begins, and where it would in UTC.
func (o *oracle) figureStart(a slowAccount, obs schema.Observation, name schema.FigureName) (time.Time, []time.Time, error) {
	if name == schema.TrailingSpend {
		return obs.ObservedAt.Add(-30 * 24 * time.Hour), nil, nil
	}
	if name == schema.PeriodSpend {
		w, b, ok := o.budgetPeriodAt(obs, a.card)
		if !ok {
			return time.Time{}, nil, errUnclear
		}
		date, err := time.Parse(time.DateOnly, b.StartDate)
		return w.From, []time.Time{date}, err
	}
	var inForce *schema.Observation
	for _, s := range a.observations {
		if s.Stream == schema.Cards && (inForce == nil || !s.ObservedAt.After(obs.ObservedAt)) {
			inForce = &s
		}
	}
	if inForce == nil || inForce.NoLimit {
		return time.Time{}, nil, errUnclear
	}
	limits := slices.DeleteFunc(slices.Clone(inForce.Limits), func(l schema.Limit) bool {
		return l.Window == schema.PerEntry || l.Window == schema.PerEntryMin
	})
	if len(limits) != 1 {
		return time.Time{}, nil, errUnclear
	}
	l := limits[0]
	zone, zoneErr := time.LoadLocation(l.Zone)
	_, dateErr := time.Parse(time.DateOnly, cmp.Or(l.StartDate, "2026-01-01"))
	switch l.Window {
	case schema.Lifetime:
		return a.card.CreatedAt, nil, zoneErr
	case schema.Daily, schema.Weekly, schema.Monthly, schema.Yearly:
	default:
		return time.Time{}, nil, errUnclear
	}
	if err := errors.Join(zoneErr, dateErr); err != nil {
		return time.Time{}, nil, err
	}
	from := o.window(l, zone, obs.ObservedAt).From
	return from, []time.Time{dateIn(from, zone), o.window(l, time.UTC, obs.ObservedAt).From}, nil
}

// sumsAt adds up what counts for a figure at a moment, on both bases (slowSum has the words of the rule).
func sumsAt(a slowAccount, name schema.FigureName, from, observed time.Time) [2]int64 {
	return [2]int64{slowSum(a.entries, name, from, observed, false), slowSum(a.entries, name, from, observed, true)}
}

// compareBalance sets a balance beside what posted since the card's creation.
func (o *oracle) compareBalance(d slowDrift, f schema.Figure) slowDrift {
	var err error
	d.actual, err = o.balance(d.a, f)
	if err != nil || otherCurrency(d.a, d.actual.Currency()) {
		d.unclear = true
		return d
	}
	d.sums = sumsAt(d.a, schema.Balance, time.Time{}, d.observed)
	if o.complete(d.a.card.Source, d.a.card.CreatedAt, d.observed) {
		return d
	}
	d.unclear = true
	for _, obs := range d.a.observations { // the last one that agreed, and is not zero, and after which all is known
		for _, f := range o.stated(obs, schema.Balance) {
			actual, err := o.balance(d.a, f)
			if err == nil && !otherCurrency(d.a, actual.Currency()) && obs.ObservedAt.Before(d.observed) && actual.Sign() != 0 && o.complete(d.a.card.Source, obs.ObservedAt, d.observed) &&
				o.near(actual.Minor(), sumsAt(d.a, schema.Balance, time.Time{}, obs.ObservedAt)[0], actual.Currency()) {
				d.unclear, d.rolled, d.from = false, obs.ObservedAt, obs.ObservedAt
			}
		}
	}
	return d
}

// balance reads a balance in the unit of its source.
func (o *oracle) balance(a slowAccount, f schema.Figure) (money.Amount, error) {
	switch {
	case f.Problem != "":
		return money.Amount{}, errUnclear
	case !f.Ambiguous && !f.Amount.Known():
		return money.Amount{}, errUnclear
	case !f.Ambiguous:
		return f.Amount, nil
	case o.unit(a.card.Source) == MajorUnit:
		return money.Parse(f.Raw, money.USD())
	}
	return money.ParseMinor(f.Raw, money.USD())
}

// unit is the unit of a source's balances: as configured; major, where some balance has a fraction; else the one that
// fits more cards.
func (o *oracle) unit(source string) BalanceUnit {
	for _, s := range o.cfg.Sources {
		if s.Name == source && s.BalanceUnit != AutoUnit && s.BalanceUnit != "" {
			return s.BalanceUnit
		}
	}
	fits := 0 // major less minor
	for _, a := range o.accounts() {
		if a.card.Source != source {
			continue
		}
		var latest *schema.Observation
		for _, obs := range a.observations {
			for _, f := range o.stated(obs, schema.Balance) {
				if f.Ambiguous && f.Problem == "" && strings.TrimRight(f.Raw, "0") != f.Raw[:strings.IndexByte(f.Raw+".", '.')] && strings.Contains(f.Raw, ".") &&
					strings.Trim(f.Raw[strings.IndexByte(f.Raw, '.'):], ".0") != "" {
					return MajorUnit
				}
			}
			if o.in(obs.ObservedAt) && (obs.Stream == schema.Balances || len(o.stated(obs, schema.Balance)) > 0) {
				latest = &obs
			}
		}
		if latest == nil || len(o.stated(*latest, schema.Balance)) == 0 || otherCurrency(a, money.USD()) || !o.complete(source, a.card.CreatedAt, latest.ObservedAt) {
			continue
		}
		f := o.stated(*latest, schema.Balance)[0]
		minor, minorErr := money.ParseMinor(f.Raw, money.USD())
		major, majorErr := money.Parse(f.Raw, money.USD())
		sum := sumsAt(a, schema.Balance, time.Time{}, latest.ObservedAt)[0]
		if !f.Ambiguous || f.Problem != "" || (minorErr == nil && minor.Sign() == 0) || (majorErr == nil && major.Sign() == 0) {
			continue
		}
		fits += oneIf(majorErr == nil && o.near(major.Minor(), sum, money.USD())) - oneIf(minorErr == nil && o.near(minor.Minor(), sum, money.USD()))
	}
	if fits > 0 {
		return MajorUnit
	}
	return MinorUnit
}

// near says whether two amounts are equal within the tolerance.
func (o *oracle) near(a, b int64, c money.Currency) bool {
	tolerance := o.cfg.DriftTolerance.Shift(int32(c.Digits())).IntPart()
	return max(a-b, b-a) <= tolerance
}

// concludeDrifts judges one figure of the cards of one source.
func (o *oracle) concludeDrifts(all []slowDrift) []schema.Outcome {
	agrees := func(d slowDrift, on int) bool { return o.near(d.actual.Minor(), d.sums[on], d.actual.Currency()) }
	only := [2][]slowDrift{} // cards that agree on one basis alone
	for _, d := range all {
		if !d.unclear && d.figure != schema.Balance && agrees(d, 0) != agrees(d, 1) {
			on := oneIf(agrees(d, 1))
			only[on] = append(only[on], d)
		}
	}
	majority := 1
	if len(all) > 0 && (all[0].figure == schema.Balance || len(only[0]) > len(only[1])) {
		majority = 0
	}
	var outcomes []schema.Outcome
	if len(only[0]) > 0 && len(only[1]) > 0 {
		latest := slices.MaxFunc(slices.Concat(only[0], only[1]), func(x, y slowDrift) int { return x.observed.Compare(y.observed) })
		outcomes = append(outcomes, schema.Outcome{Finding: &schema.Finding{
			Code: schema.BalanceDrift, Reason: "mixed-basis", Severity: schema.Low, Source: latest.a.card.Source, Subject: string(latest.figure),
			PeriodFrom: latest.observed, PeriodTo: latest.observed, SubjectAt: o.subject(latest.observed),
		}})
	}
	for _, d := range all {
		j := schema.Judgement{
			Code: schema.BalanceDrift, Source: d.a.card.Source, CardID: d.a.card.ID, Figure: string(d.figure), ObservedAt: d.observed, Verdict: schema.NotCheckable,
		}
		posted, pending := !d.unclear && agrees(d, 0), !d.unclear && d.figure != schema.Balance && agrees(d, 1)
		on := majority
		switch {
		case d.unclear:
			outcomes = append(outcomes, schema.Outcome{Judgement: &j})
			continue
		case posted && pending:
			j.Verdict, j.Basis = schema.Agreed, "posted, posted + pending"
		case posted:
			on, j.Verdict, j.Basis = 0, schema.Agreed, "posted"
		case pending:
			on, j.Verdict, j.Basis = 1, schema.Agreed, "posted + pending"
		default:
			j.Verdict, j.Basis = schema.Differs, []string{"posted", "posted + pending"}[on]
			f, since := o.drift(d, on)
			j.Since = since
			outcomes = append(outcomes, schema.Outcome{Finding: &f})
		}
		j.From, j.Actual, j.Expected = d.from, d.actual, money.FromMinor(d.sums[on], d.actual.Currency())
		outcomes = append(outcomes, schema.Outcome{Judgement: &j})
	}
	return outcomes
}

// drift is the finding of a figure that agrees on no basis, and since when its difference has stood.
func (o *oracle) drift(d slowDrift, on int) (schema.Finding, time.Time) {
	difference := d.actual.Minor() - d.sums[on]
	opening, openedAt := int64(0), time.Time{}
	name := o.sooner(d, on, difference)
	if d.figure == schema.Balance && name == "" && d.rolled.IsZero() {
		opening, openedAt = o.opening(d.a)
	}
	rest := difference - opening
	switch {
	case name != "":
	case opening != 0 && o.near(rest, 0, d.actual.Currency()):
		name = openingFunding
	default:
		shifted := d
		shifted.sums[on] += opening
		name = o.explanation(shifted, on, rest)
	}
	f := schema.Finding{
		Code: schema.BalanceDrift, Reason: string(d.figure), Severity: schema.High, Source: d.a.card.Source, CardID: d.a.card.ID, Subject: string(d.figure),
		Expected: money.FromMinor(d.sums[on], d.actual.Currency()), Actual: d.actual, Unexplained: money.FromMinor(0, d.actual.Currency()),
		PeriodTo: d.observed, SubjectAt: o.subject(d.observed), Basis: []string{"posted", "posted + pending"}[on], Explanation: name,
	}
	if d.figure != schema.Balance {
		f.PeriodFrom = d.from
	}
	switch name {
	case inFlight, dayBoundary, openingFunding:
		f.Severity = schema.Low
	case oneEntry, twoEntries, declines:
		f.Severity = schema.Medium
	default:
		f.Unexplained = money.FromMinor(rest, d.actual.Currency())
		if o.near(rest, 0, d.actual.Currency()) {
			f.Severity = schema.Low
		}
	}
	if name == "" && opening != 0 {
		f.Explanation = openingFunding
	}
	if name == openingFunding {
		return f, openedAt
	}
	return f, o.since(d, on, name, rest, opening)
}

// sooner tries what is tried before opening funding: in flight and, for a balance, the factor.
func (o *oracle) sooner(d slowDrift, on int, difference int64) string {
	if o.flies(d, on, difference) {
		return inFlight
	}
	if d.figure == schema.Balance && (d.actual.Minor() == 100*d.sums[on] && d.sums[on] != 0 || 100*d.actual.Minor() == d.sums[on] && d.actual.Minor() != 0) {
		return factor100
	}
	return ""
}

// explanation tries all in their order.
func (o *oracle) explanation(d slowDrift, on int, difference int64) string {
	actual, sum := d.actual.Minor(), d.sums[on]
	switch {
	case o.flies(d, on, difference):
		return inFlight
	case o.boundary(d, on):
		return dayBoundary
	case sum != 0 && actual == 100*sum, actual != 0 && 100*actual == sum:
		return factor100
	case actual != 0 && actual == -sum:
		return wrongSign
	case slices.ContainsFunc(o.turnable(d, on), func(x turned) bool { return x.delta == difference }):
		return oneEntry
	case o.refusedSum(d, difference):
		return declines
	case o.pairs(d, on, difference):
		return twoEntries
	}
	return ""
}

// boundary says whether the sum is the figure when the window begins as it would in UTC.
func (o *oracle) boundary(d slowDrift, on int) bool {
	return d.figure != schema.Balance && slices.ContainsFunc(d.starts, func(start time.Time) bool {
		return sumsAt(d.a, d.figure, start, d.observed)[on] == d.actual.Minor()
	})
}

// turned is an entry with what the sum would change by if the provider saw it the other way round.
type turned struct {
	entry schema.Entry
	delta int64
	in    bool          // it is in the sum now
	near  time.Duration // of the nearer of its two times to the moment
}

// effect is what an entry adds to a figure where it counts.
func effect(d slowDrift, e schema.Entry) int64 {
	if d.figure == schema.Balance {
		return e.Amount.Minor()
	}
	return -e.Amount.Minor()
}

// inSum says whether an entry is in the sum: without it, the sum is another one.
func inSum(d slowDrift, on int, e schema.Entry) bool {
	zeroed := slowAccount{entries: slices.Clone(d.a.entries)}
	for i := range zeroed.entries {
		if zeroed.entries[i].ExternalID == e.ExternalID {
			zeroed.entries[i].Amount = money.FromMinor(e.Amount.Minor()+1, e.Amount.Currency())
		}
	}
	return sumsAt(zeroed, d.figure, d.start(), d.observed)[on] != sumsAt(d.a, d.figure, d.start(), d.observed)[on]
}

// start is the start of what is summed: for a balance always the card's beginning.
func (d slowDrift) start() time.Time {
	if d.figure == schema.Balance {
		return time.Time{}
	}
	return d.from
}

func nearer(d slowDrift, e schema.Entry) (time.Time, time.Duration) {
	at, near := e.OccurredAt, e.OccurredAt.Sub(d.observed).Abs()
	if !e.PostedAt.IsZero() && e.PostedAt.Sub(d.observed).Abs() < near {
		at, near = e.PostedAt, e.PostedAt.Sub(d.observed).Abs()
	}
	return at, near
}

// turnable are the entries that may be left out, or in, alone: nearest first.
func (o *oracle) turnable(d slowDrift, on int) []turned {
	var all []turned
	for _, e := range d.a.entries {
		x := turned{entry: e, delta: effect(d, e), in: inSum(d, on, e)}
		at, near := nearer(d, e)
		x.near = near
		refused := e.Status == schema.Declined || e.Status == schema.Failed
		outside := at.After(d.observed.Add(72*time.Hour)) || (!d.start().IsZero() && at.Before(d.start().Add(-72*time.Hour)))
		switch {
		case x.delta == 0 || e.Amount.Currency() != d.actual.Currency():
			continue
		case x.in:
			x.delta = -x.delta
		case refused || outside:
			continue
		}
		all = append(all, x)
	}
	return all
}

func (o *oracle) pairs(d slowDrift, on int, difference int64) bool {
	all := o.turnable(d, on)
	for i, x := range all {
		for _, y := range all[i+1:] {
			if x.in == y.in && x.delta+y.delta == difference {
				return true
			}
		}
	}
	return false
}

// refusedSum says whether all declined and failed entries of the window, or one of them, make the difference.
func (o *oracle) refusedSum(d slowDrift, difference int64) bool {
	sum, some := int64(0), false
	for _, e := range d.a.entries {
		if (e.Status != schema.Declined && e.Status != schema.Failed) || e.OccurredAt.After(d.observed) || e.OccurredAt.Before(d.start()) ||
			e.Amount.Currency() != d.actual.Currency() {
			continue
		}
		if effect(d, e) == difference {
			return true
		}
		sum, some = sum+effect(d, e), true
	}
	return some && sum == difference
}

// flies says whether entries in flight make the difference: one of them, those between the moment and an earlier or a
// later one, or all.
func (o *oracle) flies(d slowDrift, on int, difference int64) bool {
	all := o.flying(d, on)
	slices.SortFunc(all, func(x, y turned) int {
		return cmp.Or(cmp.Compare(x.near, y.near), cmp.Compare(x.entry.ExternalID, y.entry.ExternalID))
	})
	whole := int64(0)
	run := map[bool]int64{}
	for _, x := range all {
		whole += x.delta
		run[x.in] += x.delta
		if x.delta == difference || run[x.in] == difference {
			return true
		}
	}
	return len(all) > 0 && whole == difference
}

// flying are the entries that occurred or posted within 15 minutes of the moment, with what the sum would change by.
// Where a row and the authorization that it replaced change places, what changes is the two together.
func (o *oracle) flying(d slowDrift, on int) []turned {
	var all []turned
	for _, e := range d.a.entries {
		x := turned{entry: e, in: inSum(d, on, e)}
		_, x.near = nearer(d, e)
		replaced := slices.DeleteFunc(slices.Clone(d.a.entries), func(a schema.Entry) bool { return !replacedBy(d.a.entries, a, e) })
		if x.near > 15*time.Minute || (!e.Status.Counted() && !x.in) || e.Amount.Currency() != d.actual.Currency() ||
			(d.figure != schema.Balance && countedAt(d, e).Before(d.from)) || (len(replaced) > 0 && e.PostedAt.Sub(d.observed).Abs() > 15*time.Minute) {
			continue
		}
		x.delta = effect(d, e)
		if x.in {
			x.delta = -x.delta
		}
		for _, a := range replaced {
			switch {
			case on == 0:
			case inSum(d, on, a):
				x.delta -= effect(d, a)
			case x.in && !a.OccurredAt.After(d.observed):
				x.delta += effect(d, a)
			}
		}
		if x.delta != 0 {
			all = append(all, x)
		}
	}
	return all
}

// countedAt is the time that decides whether an entry lies in the window of a spend.
func countedAt(d slowDrift, e schema.Entry) time.Time {
	if e.Kind == schema.Refund && e.Status == schema.Posted && !e.PostedAt.IsZero() {
		return e.PostedAt
	}
	return e.OccurredAt
}

// replacedBy says whether a superseded row was replaced by another one, itself or by way of its authorization.
func replacedBy(entries []schema.Entry, a, by schema.Entry) bool {
	for range 4 {
		if a.Status != schema.Superseded {
			return false
		}
		if a.LinkedID == by.ExternalID {
			return by.Status.Counted()
		}
		i := slices.IndexFunc(entries, func(e schema.Entry) bool { return e.ExternalID == a.LinkedID })
		if i < 0 {
			return false
		}
		a = entries[i]
	}
	return false
}

// opening is the first balance's positive difference where nothing else explains it.
func (o *oracle) opening(a slowAccount) (int64, time.Time) {
	for _, obs := range a.observations {
		figures := o.stated(obs, schema.Balance)
		if len(figures) == 0 {
			continue
		}
		actual, err := o.balance(a, figures[0])
		if err != nil || otherCurrency(a, actual.Currency()) {
			break
		}
		d := slowDrift{a: a, figure: schema.Balance, observed: obs.ObservedAt, actual: actual, sums: sumsAt(a, schema.Balance, time.Time{}, obs.ObservedAt)}
		difference := actual.Minor() - d.sums[0]
		if difference <= 0 || o.near(difference, 0, actual.Currency()) || o.sooner(d, 0, difference) != "" {
			break
		}
		return difference, obs.ObservedAt
	}
	return 0, time.Time{}
}

// since looks at every earlier figure that can be compared, from the latest on, until one does not differ in the same way.
func (o *oracle) since(d slowDrift, on int, name string, rest, opening int64) time.Time {
	since := d.observed
	for _, obs := range slices.Backward(d.a.observations) {
		figures := o.stated(obs, d.figure)
		if len(figures) == 0 || !obs.ObservedAt.Before(d.observed) {
			continue
		}
		x := o.compare(d.a, obs, figures[0])
		if x.unclear && d.figure == schema.Balance { // its own history need not be complete
			actual, err := o.balance(d.a, figures[0])
			x.unclear, x.actual = err != nil || otherCurrency(d.a, actual.Currency()), actual
		}
		if x.unclear {
			continue
		}
		a, s := x.actual.Minor(), x.sums[on]
		var same bool
		switch name {
		case factor100:
			same = (s != 0 && a == 100*s) || (a != 0 && 100*a == s)
		case wrongSign:
			same = a != 0 && a == -s
		default:
			same = !o.near(a-s-opening, 0, x.actual.Currency()) && o.near(a-s-opening, rest, x.actual.Currency())
		}
		if !same {
			return since
		}
		since = obs.ObservedAt
	}
	return since
}

// evidence says what is wrong with the entries that a drift's explanation names: they must make up the difference.
func (o *oracle) evidence(outcomes []schema.Outcome) string {
	for _, outcome := range outcomes {
		f := outcome.Finding
		if f == nil || f.Code != schema.BalanceDrift || f.CardID == "" {
			continue
		}
		named := map[string]bool{}
		for _, id := range f.Evidence {
			named[id] = true
		}
		switch f.Explanation {
		case oneEntry, twoEntries, declines, inFlight, dayBoundary:
			if len(named) == 0 || len(named) != len(f.Evidence) {
				return fmt.Sprintf("%s names %v", f.Explanation, f.Evidence)
			}
		default:
			if len(named) > 0 {
				return fmt.Sprintf("%q names %v", f.Explanation, f.Evidence)
			}
			continue
		}
		if err := o.makesUp(*f, named); err != "" {
			return err
		}
	}
	return ""
}

func (o *oracle) makesUp(f schema.Finding, named map[string]bool) string {
	for _, a := range o.accounts() {
		if a.card.Source != f.Source || a.card.ID != f.CardID {
			continue
		}
		on := oneIf(f.Basis != "posted")
		d := slowDrift{a: a, figure: schema.FigureName(f.Reason), observed: f.PeriodTo, from: f.PeriodFrom, actual: f.Actual, sums: [2]int64{f.Expected.Minor(), f.Expected.Minor()}}
		sum := int64(0)
		for _, e := range a.entries {
			if !named[e.ID()] {
				continue
			}
			if inSum(d, on, e) {
				sum -= effect(d, e)
			} else {
				sum += effect(d, e)
			}
		}
		opening, _ := o.opening(a)
		if difference := f.Actual.Minor() - f.Expected.Minor(); sum != difference && sum != difference-opening {
			return fmt.Sprintf("%s of %d names entries of %d: %v", f.Explanation, difference, sum, f.Evidence)
		}
	}
	return ""
}
