package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// mixedBasis is the reason of the finding that the cards of a source agree on different bases.
const mixedBasis = "mixed-basis"

// balanceDrift finds cards of which the provider's figure and the ledger's sum differ at one moment (NORMALIZATION 3),
// and tries to explain the difference. It judges every card that has a figure: agreed, differs, or not checkable.
type balanceDrift struct{ cfg Config }

func (balanceDrift) Code() schema.FindingCode { return schema.BalanceDrift }

func (c balanceDrift) Run(ctx context.Context, v schema.View, p schema.Period) iter.Seq2[schema.Outcome, error] {
	return alone(ctx, c, v, p)
}

func (c balanceDrift) judge(ctx context.Context, v schema.View, p schema.Period, cards cardIndex) (accountJudge, error) {
	d := &driftJudge{cfg: c.cfg, period: p, zones: &zones{}}
	var err error
	if d.budgets, err = readBudgets(ctx, v); err != nil {
		return nil, err
	}
	if d.covered, err = readCoverage(ctx, v); err != nil {
		return nil, err
	}
	if d.units = c.cfg.Units; d.units != nil {
		return d, nil
	}
	d.units, err = balanceUnits(ctx, v, p, c.cfg, cards, d.covered)
	return d, err
}

// account compares the figures of a card. They are judged when all cards are known, since the basis of a card depends on the
// others of its source.
func (d *driftJudge) account(a *account) ([]schema.Outcome, error) {
	compared := d.card(a)
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.held = append(d.held, compared...)
	return nil, nil
}

// glance implements accountJudge. What does not agree may be explained by any entry.
func (d *driftJudge) glance(a *account) error {
	differs := func(c comparison) bool { return c.unchecked == "" && !c.agrees[onPosted] && !c.agrees[withPending] }
	a.short = slices.ContainsFunc(d.card(a), differs) || a.short
	return nil
}

// end judges what is held, source by source.
func (d *driftJudge) end() (all []schema.Outcome) {
	key := func(c comparison) cardKey { return cardKey{c.card.Source, c.card.ID} }
	slices.SortStableFunc(d.held, func(a, b comparison) int { return key(a).compare(key(b)) })
	for len(d.held) > 0 {
		n := slices.IndexFunc(d.held, func(c comparison) bool { return c.card.Source != d.held[0].card.Source })
		if n < 0 {
			n = len(d.held)
		}
		all = append(all, d.conclude(d.held[:n])...)
		d.held = d.held[n:]
	}
	return all
}

type driftJudge struct {
	cfg     Config
	period  schema.Period
	budgets budgets
	covered coverage
	units   map[string]UnitChoice
	zones   *zones

	mutex sync.Mutex
	held  []comparison
}

// comparison is one figure of one card beside the ledger's sums.
type comparison struct {
	card      schema.Card
	figure    schema.FigureName
	observed  time.Time
	from      time.Time      // start of what is summed; zero: the card's beginning
	span      string         // the window in words
	zone      *time.Location // in which the message tells dates
	actual    money.Amount
	unchecked string   // why it cannot be judged; then nothing below is set
	sum       [2]int64 // by basis
	agrees    [2]bool
	drift     [2]drift // where it agrees on neither basis
	rolled    time.Time
}

// drift is a difference on one basis with what explains it.
type drift struct {
	explanation
	opening     int64 // part of the difference that is opening funding; zero: none
	openedAt    time.Time
	rest        int64 // the difference without it
	unexplained int64
	severity    schema.Severity
	stood       stood
}

// card compares each figure of a card at its latest observation in the period. The figure that its provider states of
// every card is judged also where it is missing: silence would be taken for agreement.
func (d *driftJudge) card(a *account) []comparison {
	var all []comparison
	for _, name := range []schema.FigureName{schema.Balance, schema.PeriodSpend, schema.TrailingSpend, schema.Utilized} {
		o, seen := latestStatement(a, d.period, name)
		f, stated := o.Figure(name)
		if !stated && (name != providerFigure(a.card.Provider) || !d.expected(a)) {
			continue
		}
		c := comparison{card: a.card, figure: name, observed: o.ObservedAt, zone: time.UTC, actual: f.Amount}
		var err error
		switch {
		case !stated:
			err = d.unstated(o, name, seen)
		case name == schema.Balance:
			err = d.balance(a, &c, f)
		default:
			err = d.spend(a, &c, o, f)
		}
		if err != nil {
			c.unchecked = err.Error()
		}
		all = append(all, c)
	}
	return all
}

// expected says whether the provider should state its figure of a card: one that is listed, and that was not created
// after the period or closed for good before it.
func (d *driftJudge) expected(a *account) bool {
	if !a.listed || !a.card.CreatedAt.Before(d.period.To) {
		return false
	}
	closed, _ := closedAt(a)
	return closed.IsZero() || !closed.Before(d.period.From)
}

// unstated is the error that the provider did not state a figure: not in the last observation of the stream that tells
// it or, where none was seen, not in the whole period.
func (d *driftJudge) unstated(o schema.Observation, name schema.FigureName, seen bool) error {
	switch {
	case !seen:
		return fmt.Errorf("no %s of this card was read in the period", figureText(name))
	case o.NoLimit:
		return fmt.Errorf("the card shares the funds of its budget, and the provider gave no %s of its own for it on %s", figureText(name), timeText(o.ObservedAt, d.period.Zone))
	}
	return fmt.Errorf("the provider gave no %s for this card on %s", figureText(name), timeText(o.ObservedAt, d.period.Zone))
}

// providerFigure is the figure that a provider states of every card.
func providerFigure(p schema.Provider) schema.FigureName {
	switch p {
	case schema.Bill:
		return schema.PeriodSpend
	case schema.Slash:
		return schema.Utilized
	case schema.Whop:
		return schema.TrailingSpend
	case schema.Bitnob:
		return schema.Balance
	}
	return ""
}

// figureStream is the stream whose observations tell a figure.
func figureStream(name schema.FigureName) schema.Stream {
	switch name {
	case schema.Utilized:
		return schema.Utilization
	case schema.Balance:
		return schema.Balances
	}
	return schema.Cards
}

// window is where the window of a spend figure begins, and where it would begin if the provider cut days in UTC.
type figureWindow struct {
	from time.Time
	utc  []time.Time
	zone *time.Location
}

// spend compares a spend figure on both bases. An error says why it cannot be judged.
func (d *driftJudge) spend(a *account, c *comparison, o schema.Observation, f schema.Figure) error {
	b, w, err := d.spendBooks(a, o, f)
	if w.zone != nil {
		c.from, c.zone = w.from, w.zone
	}
	if err != nil {
		return err
	}
	c.sum = b.sum
	switch {
	case f.Name == schema.TrailingSpend:
		c.span = "in the 30 days before"
	case w.from.IsZero():
		c.span = "since the card was created"
	default:
		c.span = "since " + dateText(w.from, w.zone)
	}
	for _, on := range []basis{onPosted, withPending} {
		c.agrees[on] = within(f.Amount.Minor(), b.sum[on], d.cfg.DriftTolerance, f.Amount.Currency())
	}
	if c.agrees[onPosted] || c.agrees[withPending] {
		return nil
	}
	for _, on := range []basis{onPosted, withPending} {
		if c.drift[on], err = d.explainSpend(&b, on, f.Amount, w.utc); err != nil {
			return err
		}
		c.drift[on].stood = d.stoodSince(a, c, on)
	}
	return nil
}

// spendBooks is what the ledger says of a spend figure at the moment it was observed, and the figure's window. An error
// says why it cannot be judged; the window is then known where it has a zone.
func (d *driftJudge) spendBooks(a *account, o schema.Observation, f schema.Figure) (books, figureWindow, error) {
	w, err := d.windowOf(a, o, f.Name)
	if err != nil {
		return books{}, figureWindow{}, err
	}
	if err := readable(f); err != nil {
		return books{}, w, err
	}
	start := w.from
	if start.IsZero() {
		start = schema.Beginning
	}
	if at, missing := d.covered.gap(a.card.Source, schema.Window{From: start, To: o.ObservedAt}); missing {
		return books{}, w, incomplete(at)
	}
	a.reach(w.from)
	a.only(f.Amount.Currency())
	b, err := booksAt(a.entries, f.Name, f.Amount.Currency(), w.from, o.ObservedAt)
	a.short = a.short || b.open
	return b, w, err
}

func (d *driftJudge) explainSpend(b *books, on basis, actual money.Amount, utc []time.Time) (drift, error) {
	difference, err := minus(actual.Minor(), b.sum[on])
	if err != nil {
		return drift{}, err
	}
	x, ok := b.around(on, difference)
	if !ok {
		x, ok = b.boundary(on, difference, utc)
	}
	if !ok {
		x = b.residual(on, actual.Minor(), b.sum[on], difference)
	}
	return d.weigh(x, difference, 0, actual.Currency()), nil
}

// residual tries what comes after the explanations by time.
func (b *books) residual(on basis, actual, sum, difference int64) explanation {
	if hundredfold(actual, sum) {
		return explanation{name: factor100}
	}
	return b.other(on, actual, sum, difference)
}

// other tries what comes after the factor.
func (b *books) other(on basis, actual, sum, difference int64) explanation {
	if opposite(actual, sum) {
		return explanation{name: wrongSign}
	}
	candidates := b.candidates(on)
	if x, ok := single(candidates, difference); ok {
		return x
	}
	if x, ok := b.refusals(difference); ok {
		return x
	}
	x, _ := pair(candidates, difference)
	return x
}

// weigh gives a difference its severity and its unexplained part.
func (d *driftJudge) weigh(x explanation, difference, opening int64, c money.Currency) drift {
	// The card's entries are overwritten by the next card's, and the comparison outlives them.
	for i, e := range x.entries {
		kept := *e
		x.entries[i] = &kept
	}
	r := drift{explanation: x, opening: opening, rest: difference - opening, severity: schema.High}
	switch x.name {
	case inFlight, dayBoundary, openingFunding:
		r.severity = schema.Low
	case oneEntry, twoEntries, declines:
		r.severity = schema.Medium
	default:
		r.unexplained = r.rest
		if within(r.unexplained, 0, d.cfg.DriftTolerance, c) {
			r.severity = schema.Low
		}
	}
	return r
}

// windowOf is the window of a spend figure that was observed.
func (d *driftJudge) windowOf(a *account, o schema.Observation, name schema.FigureName) (figureWindow, error) {
	switch name {
	case schema.TrailingSpend:
		return figureWindow{from: o.ObservedAt.Add(-720 * time.Hour), zone: time.UTC}, nil
	case schema.PeriodSpend:
		return d.budgetWindow(a, o)
	}
	return d.limitWindow(a, o)
}

func (d *driftJudge) budgetWindow(a *account, o schema.Observation) (figureWindow, error) {
	w, ok := d.zones.budgetPeriod(d.budgets, o, a.card)
	if !ok {
		return figureWindow{}, fmt.Errorf("no observed period of its budget contains %s", timeText(o.ObservedAt, d.period.Zone))
	}
	return figureWindow{from: w.From, utc: utcStarts(w.From, dateOf(w.From, w.zone)), zone: w.zone}, nil
}

// limitWindow is the current window of the card's only limit.
func (d *driftJudge) limitWindow(a *account, o schema.Observation) (figureWindow, error) {
	var only *schema.Limit
	for _, h := range limitHistories(a.observations) {
		i := h.inForce(o.ObservedAt)
		if h.stated[i] == 0 || h.limit.Window == schema.PerEntry || h.limit.Window == schema.PerEntryMin {
			continue
		}
		if only != nil || h.stated[i] > 1 {
			return figureWindow{}, fmt.Errorf("the card has several limits and the provider does not say which one its figure is for")
		}
		only = &h.limit
	}
	if only == nil {
		return figureWindow{}, fmt.Errorf("no limit of the card is known, so neither is the window of the figure")
	}
	zone, err := d.zones.load(only.Zone)
	if err != nil {
		return figureWindow{}, err
	}
	switch only.Window {
	case schema.Lifetime:
		return figureWindow{from: a.card.CreatedAt, zone: zone}, nil
	case schema.Daily, schema.Weekly, schema.Monthly, schema.Yearly:
	default:
		return figureWindow{}, fmt.Errorf("the window %s of the card's limit has no start", quoted(cmp.Or(string(only.Window), only.Word)))
	}
	cal, err := newCalendar(*only, zone)
	if err != nil {
		return figureWindow{}, err
	}
	from := cal.at(o.ObservedAt).From
	inUTC := calendar{window: cal.window, zone: time.UTC, anchor: cal.anchor}
	return figureWindow{
		from: from, zone: zone,
		utc: append(utcStarts(from, dateOf(from, zone)), utcStarts(from, inUTC.at(o.ObservedAt).From)...),
	}, nil
}

// utcStarts is the start of a window by UTC dates, where it is another one.
func utcStarts(from, utc time.Time) []time.Time {
	if from.Equal(utc) {
		return nil
	}
	return []time.Time{utc}
}

// readable is the error that makes a figure not checkable.
func readable(f schema.Figure) error {
	switch {
	case f.Problem != "" && f.Raw == "":
		return fmt.Errorf("the provider's figure cannot be read: %s", printable(f.Problem))
	case f.Problem != "":
		return fmt.Errorf("the provider's figure %s cannot be read: %s", quoted(f.Raw), printable(f.Problem))
	case !f.Amount.Known():
		return fmt.Errorf("the provider's figure %s cannot be read", quoted(f.Raw))
	}
	return nil
}

func incomplete(at time.Time) error {
	if at.Equal(schema.Beginning) {
		return fmt.Errorf("the card's transactions are not known to be complete from the beginning")
	}
	return fmt.Errorf("the card's transactions are not known to be complete after %s", timeText(at, time.UTC))
}

func minus(a, b int64) (int64, error) {
	t := tally{minor: a}
	t.sub(b)
	return t.minor, t.err()
}

// balance compares a balance with all that posted since the card's creation or, where that is not all known, since the
// last balance that agreed. An error says why it cannot be judged.
func (d *driftJudge) balance(a *account, c *comparison, f schema.Figure) error {
	a.reach(time.Time{})
	var err error
	if c.actual, err = d.readBalance(a, f); err != nil {
		return err
	}
	currency := c.actual.Currency()
	b, err := booksAt(a.entries, schema.Balance, currency, time.Time{}, c.observed)
	if err != nil {
		return err
	}
	at, missing := d.covered.gap(a.card.Source, history(a.card, c.observed))
	if missing {
		anchor, ok := d.lastAgreed(a, c.observed)
		if !ok {
			return incomplete(at)
		}
		c.rolled, c.from = anchor, anchor
	}
	c.sum[onPosted] = b.sum[onPosted]
	actual, sum := c.actual.Minor(), b.sum[onPosted]
	if c.agrees[onPosted] = within(actual, sum, d.cfg.DriftTolerance, currency); c.agrees[onPosted] {
		return nil
	}
	difference, err := minus(actual, sum)
	if err != nil {
		return err
	}
	x, ok := b.around(onPosted, difference)
	if !ok && hundredfold(actual, sum) {
		x, ok = explanation{name: factor100}, true
	}
	if ok {
		c.drift[onPosted] = d.weigh(x, difference, 0, currency)
		c.drift[onPosted].stood = d.stoodSince(a, c, onPosted)
		return nil
	}
	opening, openedAt := int64(0), time.Time{}
	if !missing {
		opening, openedAt = d.opening(a)
	}
	rest, err := minus(difference, opening)
	if err != nil {
		return err
	}
	switch {
	case opening != 0 && within(rest, 0, d.cfg.DriftTolerance, currency):
		x = explanation{name: openingFunding}
	case opening != 0:
		if x, ok = b.around(onPosted, rest); !ok {
			adjusted := tally{minor: sum}
			adjusted.add(opening)
			if err := adjusted.err(); err != nil {
				return err
			}
			x = b.residual(onPosted, actual, adjusted.minor, rest)
		}
	default:
		x = b.other(onPosted, actual, sum, difference)
	}
	c.drift[onPosted] = d.weigh(x, difference, opening, currency)
	c.drift[onPosted].openedAt = openedAt
	if x.name != openingFunding { // which has stood since the first figure, by what it is
		c.drift[onPosted].stood = d.stoodSince(a, c, onPosted)
	}
	return nil
}

// readBalance reads a balance in the unit of its source.
func (d *driftJudge) readBalance(a *account, f schema.Figure) (money.Amount, error) {
	if !f.Ambiguous || f.Problem != "" {
		return f.Amount, readable(f)
	}
	currency, err := cardCurrency(a.card)
	if err != nil {
		return money.Amount{}, err
	}
	read, unit := money.ParseMinor, MinorUnit
	if d.units[a.card.Source].Unit == MajorUnit {
		read, unit = money.Parse, MajorUnit
	}
	amount, err := read(f.Raw, currency)
	if err != nil {
		return money.Amount{}, fmt.Errorf("the provider's figure %s cannot be read in %s units of %s", quoted(f.Raw), unit, currency)
	}
	return amount, nil
}

// opening is the positive difference of a card's first balance, where nothing that is tried before explains it: money
// that was put on the card at its creation and that no entry shows. It is asked for only where the history is complete.
func (d *driftJudge) opening(a *account) (int64, time.Time) {
	for _, o := range a.observations {
		f, ok := o.Figure(schema.Balance)
		if !ok {
			continue
		}
		actual, err := d.readBalance(a, f)
		if err != nil {
			return 0, time.Time{}
		}
		b, err := booksAt(a.entries, schema.Balance, actual.Currency(), time.Time{}, o.ObservedAt)
		if err != nil {
			return 0, time.Time{}
		}
		difference, err := minus(actual.Minor(), b.sum[onPosted])
		if err != nil || difference <= 0 || within(difference, 0, d.cfg.DriftTolerance, actual.Currency()) {
			return 0, time.Time{}
		}
		if _, ok := b.around(onPosted, difference); ok || hundredfold(actual.Minor(), b.sum[onPosted]) {
			return 0, time.Time{}
		}
		return difference, o.ObservedAt
	}
	return 0, time.Time{}
}

// lastAgreed is when the ledger last agreed with a balance other than zero, after which its transactions are complete:
// such a balance vouches for the history before it, although not all of that was read. Zero vouches for nothing.
func (d *driftJudge) lastAgreed(a *account, before time.Time) (time.Time, bool) {
	for _, o := range slices.Backward(a.observations) {
		f, ok := o.Figure(schema.Balance)
		if !ok || !o.ObservedAt.Before(before) {
			continue
		}
		if !d.covered.covers(a.card.Source, schema.Window{From: o.ObservedAt, To: before}) {
			return time.Time{}, false
		}
		actual, err := d.readBalance(a, f)
		if err != nil || actual.Sign() == 0 {
			continue
		}
		b, err := booksAt(a.entries, schema.Balance, actual.Currency(), time.Time{}, o.ObservedAt)
		if err == nil && within(actual.Minor(), b.sum[onPosted], d.cfg.DriftTolerance, actual.Currency()) {
			return o.ObservedAt, true
		}
	}
	return time.Time{}, false
}

// conclude turns the comparisons of one source into outcomes: mixed-basis first, then card by card.
func (d *driftJudge) conclude(held []comparison) []schema.Outcome {
	majority, mixed := bases(held)
	var all []schema.Outcome
	for _, f := range mixed {
		f.SubjectAt = subjectAt(d.period, f.SubjectAt)
		all = append(all, found(f))
	}
	for _, c := range held {
		j := schema.Judgement{
			Code: schema.BalanceDrift, Source: c.card.Source, Provider: c.card.Provider, CardID: c.card.ID, CardName: c.card.Name,
			CardLast4: c.card.Last4, Figure: string(c.figure), ObservedAt: c.observed, From: c.from, Actual: c.actual,
		}
		if c.unchecked != "" {
			j.Verdict, j.Reason = schema.NotCheckable, c.unchecked
			all = append(all, judged(j))
			continue
		}
		on := majority[c.figure]
		if c.agrees[onPosted] != c.agrees[withPending] {
			on = onPosted
			if c.agrees[withPending] {
				on = withPending
			}
		}
		j.Expected, j.Basis = money.FromMinor(c.sum[on], c.actual.Currency()), on.String()
		switch {
		case c.agrees[onPosted] && c.agrees[withPending]:
			j.Verdict, j.Basis = schema.Agreed, "posted, posted + pending"
		case c.agrees[on]:
			j.Verdict = schema.Agreed
		default:
			f := d.finding(c, on)
			j.Verdict, j.FindingID, j.Since = schema.Differs, f.ID(), cmp.Or(c.drift[on].stood.since, c.drift[on].openedAt)
			all = append(all, found(f))
		}
		all = append(all, judged(j))
	}
	return all
}

// bases finds, for each figure of a source, the basis on which most cards agree, posted + pending when undecided, and
// tells where cards agree only on different bases.
func bases(held []comparison) (map[schema.FigureName]basis, []schema.Finding) {
	majority := map[schema.FigureName]basis{schema.Balance: onPosted}
	var mixed []schema.Finding
	for _, name := range []schema.FigureName{schema.PeriodSpend, schema.TrailingSpend, schema.Utilized} {
		var only [2]int
		var latest comparison
		for _, c := range held {
			if c.figure != name || c.unchecked != "" || c.agrees[onPosted] == c.agrees[withPending] {
				continue
			}
			if c.agrees[onPosted] {
				only[onPosted]++
			} else {
				only[withPending]++
			}
			if c.observed.After(latest.observed) {
				latest = c
			}
		}
		majority[name] = withPending
		if only[onPosted] > only[withPending] {
			majority[name] = onPosted
		}
		if only[onPosted] == 0 || only[withPending] == 0 {
			continue
		}
		mixed = append(mixed, schema.Finding{
			Code: schema.BalanceDrift, Reason: mixedBasis, Severity: schema.Low, Source: latest.card.Source, Provider: latest.card.Provider,
			Subject: string(name), PeriodFrom: latest.observed, PeriodTo: latest.observed, SubjectAt: latest.observed,
			Message: fmt.Sprintf("The cards of %s agree with the ledger, but not all on one basis: on %s the %s is that of posted entries alone, "+
				"on %s that of posted and pending entries. Ask the provider whether this figure counts pending entries.",
				latest.card.Source, count(only[onPosted], "card", "cards"), figureText(name), count(only[withPending], "card", "cards")),
		})
	}
	return majority, mixed
}

func (d *driftJudge) finding(c comparison, on basis) schema.Finding {
	x := c.drift[on]
	currency := c.actual.Currency()
	f := finding(c.card, schema.Finding{
		Code: schema.BalanceDrift, Reason: string(c.figure), Severity: x.severity, Subject: string(c.figure),
		Expected: money.FromMinor(c.sum[on], currency), Actual: c.actual, Unexplained: money.FromMinor(x.unexplained, currency),
		PeriodTo: c.observed, SubjectAt: subjectAt(d.period, c.observed), Basis: on.String(), Explanation: x.name,
		Evidence: ids(x.entries),
	})
	if c.figure != schema.Balance {
		f.PeriodFrom = c.from
	}
	if x.opening != 0 && x.name == "" {
		f.Explanation = openingFunding
	}
	f.Message = driftMessage(c, on, x)
	return f
}
