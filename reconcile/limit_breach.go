package reconcile

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// The reasons of limit-breach.
const (
	reportedOverLimit = "reported-over-limit"
	computedOverLimit = "computed-over-limit"
	overPerEntry      = "transaction-over-limit"
	underPerEntry     = "transaction-under-minimum"
)

// limitBreach finds cards that spent more than they were allowed (NORMALIZATION 2): by the provider's own pair, by the
// ledger's running spend in each window of each limit, and purchase by purchase.
type limitBreach struct{ cfg Config }

func (limitBreach) Code() schema.FindingCode { return schema.LimitBreach }

func (c limitBreach) Run(ctx context.Context, v schema.View, p schema.Period) iter.Seq2[schema.Outcome, error] {
	return alone(ctx, c, v, p)
}

func (c limitBreach) judge(ctx context.Context, v schema.View, p schema.Period, _ cardIndex) (accountJudge, error) {
	bs, err := readBudgets(ctx, v)
	return byAccount(limitJudge{cfg: c.cfg, period: p, budgets: bs, zones: &zones{}}.card), err
}

func readBudgets(ctx context.Context, v schema.View) (budgets, error) {
	b := budgets{}
	for o, err := range v.Budgets.Budgets(ctx) {
		if err != nil {
			return nil, fmt.Errorf("read budgets: %w", err)
		}
		b[cardKey{o.Source, o.ID}] = append(b[cardKey{o.Source, o.ID}], o)
		if o.AltID != "" {
			b[cardKey{o.Source, o.AltID}] = append(b[cardKey{o.Source, o.AltID}], o)
		}
	}
	return b, nil
}

type limitJudge struct {
	cfg     Config
	period  schema.Period
	budgets budgets
	zones   *zones
}

// card judges one card: by limit key, then window.
func (l limitJudge) card(a *account) ([]schema.Outcome, error) {
	histories := limitHistories(a.observations)
	if len(histories) == 0 {
		return nil, nil
	}
	moves, currency, mixed := spendMoves(a.entries)
	var all []schema.Outcome
	for _, h := range histories {
		if why := l.unreadable(a, h, currency, len(moves), mixed); why != "" {
			all = append(all, judged(schema.Judgement{
				Code: schema.LimitBreach, Source: a.card.Source, Provider: a.card.Provider, CardID: a.card.ID,
				CardName: a.card.Name, CardLast4: a.card.Last4, Figure: h.key, Verdict: schema.NotCheckable,
				ObservedAt: h.at[len(h.at)-1], Reason: why,
			}))
			continue
		}
		findings, err := l.limit(a, h, moves)
		if err != nil {
			return nil, err
		}
		for _, f := range findings {
			all = append(all, found(f))
		}
	}
	return all, nil
}

// unreadable says why a limit cannot be checked; empty: it can.
func (l limitJudge) unreadable(a *account, h limitHistory, spend money.Currency, moves int, mixed error) string {
	known := slices.IndexFunc(h.amount, money.Amount.Known)
	if known >= 0 {
		a.only(h.amount[known].Currency())
	}
	switch {
	case h.limit.Window == "":
		return fmt.Sprintf("the provider's word %s for the limit's window is unknown", quoted(h.limit.Word))
	case known < 0:
		return "the limit's amount could not be read"
	case mixed != nil:
		return mixed.Error()
	case moves > 0 && spend != h.amount[known].Currency():
		return fmt.Sprintf("the limit is in %s and the entries are in %s", h.amount[known].Currency(), spend)
	}
	zone, err := l.zones.load(h.limit.Zone)
	if err == nil {
		_, err = newCalendar(h.limit, zone)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func (l limitJudge) limit(a *account, h limitHistory, moves []move) ([]schema.Finding, error) {
	switch h.limit.Window {
	case schema.PerEntry, schema.PerEntryMin:
		return l.perEntry(a, h, moves), nil
	case schema.BudgetPeriod:
		return l.budgetPeriods(a, h, moves)
	case schema.Lifetime:
		return l.lifetime(a, h, moves)
	}
	if length, ok := rollingLength(h.limit.Window); ok {
		return l.rolling(a, h, moves, length)
	}
	return l.calendar(a, h, moves)
}

// breach is where the spend stood furthest above a limit.
type breach struct {
	move     move
	from, to time.Time // the window; a zero to is open
	spend    int64
	observed int // number of the observation whose limit was in force
	excess   int64
	first    move // the first entry that went over
	last     move // the last one that was over
	over     bool
}

// see holds the spend after a move against the limit then in force, and keeps the largest excess, the earliest of equals.
func (b *breach) see(m move, spend int64, h limitHistory) (over bool) {
	i := h.inForce(m.at)
	limit := h.amount[i]
	if !limit.Known() || spend <= limit.Minor() {
		return false
	}
	excess := tally{minor: spend}
	excess.sub(limit.Minor())
	if excess.overflow {
		excess.minor = spend
	}
	if !b.over {
		b.first = m
	}
	if !b.over || excess.minor > b.excess {
		b.move, b.spend, b.observed, b.excess = m, spend, i, excess.minor
	}
	b.over, b.last = true, m
	return true
}

// window runs through the moves of one window.
func window(h limitHistory, moves []move) (breach, error) {
	var b breach
	var spend tally
	for _, m := range moves {
		spend.add(m.minor)
		if err := spend.err(); err != nil {
			return breach{}, err
		}
		if m.compared() {
			b.see(m, spend.minor, h)
		}
	}
	return b, nil
}

func (l limitJudge) calendar(a *account, h limitHistory, moves []move) ([]schema.Finding, error) {
	zone, err := l.zones.load(h.limit.Zone)
	if err != nil {
		return nil, err
	}
	cal, err := newCalendar(h.limit, zone)
	if err != nil {
		return nil, err
	}
	a.reach(cal.at(l.period.From).From)
	var findings []schema.Finding
	for i := 0; i < len(moves); {
		w := cal.at(moves[i].at)
		j := i + 1
		for j < len(moves) && moves[j].at.Before(w.To) {
			j++
		}
		if w.Overlaps(l.period.Window) {
			b, err := window(h, moves[i:j])
			if err != nil {
				return nil, err
			}
			if b.over {
				b.from, b.to = w.From, w.To
				findings = append(findings, l.finding(a, h, b, moves[i:j], zone))
			}
		}
		i = j
	}
	return findings, nil
}

func (l limitJudge) lifetime(a *account, h limitHistory, moves []move) ([]schema.Finding, error) {
	if !a.card.CreatedAt.Before(l.period.To) {
		return nil, nil
	}
	zone, err := l.zones.load(h.limit.Zone)
	if err != nil {
		return nil, err
	}
	a.reach(time.Time{})
	b, err := window(h, moves)
	if err != nil || !b.over {
		return nil, err
	}
	b.from = a.card.CreatedAt
	return []schema.Finding{l.finding(a, h, b, moves, zone)}, nil
}

// rolling slides a window (t-length, t] that ends at each entry. Consecutive purchases and fees over the limit are one
// finding, known by the first of them.
func (l limitJudge) rolling(a *account, h limitHistory, moves []move, length time.Duration) ([]schema.Finding, error) {
	a.reach(l.period.From.Add(-length))
	var findings []schema.Finding
	var run breach
	var tail, start int // tail: the first move in the window; start: that of the run's worst window
	var end int
	overlaps := false
	var within time.Time // of the last purchase or fee that was within the limit
	var spend tally
	finish := func() {
		if run.over && overlaps {
			a.reach(within.Add(-length))
			run.from, run.to = run.move.at.Add(-length), run.move.at
			findings = append(findings, l.finding(a, h, run, moves[start:end], time.UTC))
		}
		run, overlaps = breach{}, false
	}
	for i, m := range moves {
		spend.add(m.minor)
		for ; !moves[tail].at.After(m.at.Add(-length)); tail++ {
			spend.sub(moves[tail].minor)
		}
		if err := spend.err(); err != nil {
			return nil, err
		}
		if !m.compared() {
			continue
		}
		if !run.see(m, spend.minor, h) {
			finish()
			within = m.at
			continue
		}
		if run.move.entry == m.entry {
			start, end = tail, i+1
		}
		if !m.at.Before(l.period.From) && m.at.Add(-length).Before(l.period.To) {
			overlaps = true
		}
	}
	finish()
	return findings, nil
}

// perEntry holds each counted purchase of the period against the limit of one purchase.
func (l limitJudge) perEntry(a *account, h limitHistory, moves []move) []schema.Finding {
	var findings []schema.Finding
	for _, m := range moves {
		if m.entry.Kind != schema.Purchase || !inPeriod(l.period, m.at) {
			continue
		}
		i := h.inForce(m.at)
		limit := h.amount[i]
		under := h.limit.Window == schema.PerEntryMin
		if !limit.Known() || (!under && m.minor <= limit.Minor()) || (under && m.minor >= limit.Minor()) {
			continue
		}
		f := finding(a.card, schema.Finding{
			Code: schema.LimitBreach, Reason: overPerEntry, Severity: schema.High,
			EntryID: m.entry.ID(), Reference: m.entry.Reference, Subject: m.entry.ID(),
			Expected: limit, Actual: money.FromMinor(m.minor, limit.Currency()),
			PeriodFrom: m.at, PeriodTo: m.at, SubjectAt: subjectAt(l.period, m.at), Evidence: []string{m.entry.ID()},
		})
		what, raised := "above the card's limit", ""
		if under {
			f.Reason, f.Severity, what = underPerEntry, schema.Low, "below the card's minimum"
		} else if j, ok := h.raisedAfter(i, m.minor); ok {
			f.Severity = schema.Medium
			raised = raisedText(h, j, time.UTC)
		}
		f.Message = fmt.Sprintf("%s: %s is %s of %s for a single purchase.%s", cardText(a.card), entryText(m.entry, l.period.Zone),
			what, amountText(limit), raised)
		findings = append(findings, f)
	}
	return findings
}

// budgetPeriods judges a BILL card: the provider's own pair at the last observation in each budget period, and the
// ledger's spend in each budget period whose dates were observed. What both say of one period is one finding.
func (l limitJudge) budgetPeriods(a *account, h limitHistory, moves []move) ([]schema.Finding, error) {
	reported := l.reported(a, h)
	var findings []schema.Finding
	for _, w := range l.budgetWindows(a) {
		a.reach(w.From)
		var inside []move
		for _, m := range moves {
			if w.Contains(m.at) {
				inside = append(inside, m)
			}
		}
		b, err := window(h, inside)
		if err != nil {
			return nil, err
		}
		if !b.over {
			continue
		}
		b.from, b.to = w.From, w.To
		f := l.finding(a, h, b, inside, w.zone)
		if i := slices.IndexFunc(reported, func(r schema.Finding) bool { return r.WindowStart.Equal(w.From) }); i >= 0 {
			_, why, _ := l.explain(a, h, b, inside, w.zone)
			reported[i].Message += fmt.Sprintf(" The ledger's own running spend reached %s, against a limit of %s, with %s.%s%s",
				amountText(f.Actual), amountText(f.Expected), entryText(b.move.entry, w.zone), lowered(h, b, w.zone), why)
			reported[i].Evidence, reported[i].Explanation = f.Evidence, f.Explanation
			continue
		}
		findings = append(findings, f)
	}
	findings = append(findings, reported...)
	slices.SortStableFunc(findings, func(x, y schema.Finding) int { return x.WindowStart.Compare(y.WindowStart) })
	return findings, nil
}

// budgetWindows lists the observed periods of the card's budget that overlap the period and have both dates, the latest
// statement of each start.
func (l limitJudge) budgetWindows(a *account) []budgetWindow {
	var windows []budgetWindow
	if a.card.BudgetID == "" {
		return nil
	}
	for _, b := range l.budgets[cardKey{a.card.Source, a.card.BudgetID}] {
		w, ok := l.zones.budgetWindow(b)
		if !ok || w.To.IsZero() {
			continue
		}
		i := slices.IndexFunc(windows, func(o budgetWindow) bool { return o.From.Equal(w.From) })
		if i < 0 {
			windows = append(windows, w)
			continue
		}
		windows[i] = w
	}
	windows = slices.DeleteFunc(windows, func(w budgetWindow) bool { return !w.Overlaps(l.period.Window) })
	slices.SortFunc(windows, func(x, y budgetWindow) int { return x.From.Compare(y.From) })
	return windows
}

// reportedPair is the provider's own spend and limit at its last statement in one budget period.
type reportedPair struct {
	window  budgetWindow
	at      int // number among the observations that state limits
	spent   money.Amount
	seen    time.Time
	covered bool // a limit covered the spend, and nothing was spent since
}

// reportedPairs lists the last statements of each budget period that lie in the judge's period.
func (l limitJudge) reportedPairs(a *account, h limitHistory) []reportedPair {
	var lasts []reportedPair
	number := -1
	for _, o := range a.observations {
		if !statesLimits(o) {
			continue
		}
		number++
		if !o.ObservedAt.Before(l.period.From) && !inPeriod(l.period, o.ObservedAt) {
			break // after the period
		}
		figure, ok := o.Figure(schema.PeriodSpend)
		if !ok || o.NoLimit || !figure.Amount.Known() || !h.amount[number].Known() ||
			figure.Amount.Currency() != h.amount[number].Currency() {
			continue
		}
		w, known := l.zones.budgetPeriod(l.budgets, o, a.card)
		next := reportedPair{window: w, at: number, spent: figure.Amount, seen: o.ObservedAt}
		n := len(lasts)
		same := n > 0 && lasts[n-1].window.From.Equal(w.From)
		// Where the period is not known, a figure that fell may be that of another period, and says nothing of this one.
		next.covered = known && (next.spent.Minor() <= h.amount[number].Minor() ||
			same && lasts[n-1].covered && next.spent.Minor() <= lasts[n-1].spent.Minor())
		if same {
			lasts = lasts[:n-1]
		}
		lasts = append(lasts, next)
	}
	return slices.DeleteFunc(lasts, func(r reportedPair) bool { return !inPeriod(l.period, r.seen) })
}

// reported finds the provider's own figures above its own limit, at the last observation of each budget period: a later
// period that is within its limit does not hide an earlier one that was not. A limit that was lowered after the spend is
// no breach: the provider's own statements show that it was kept when the money was spent.
func (l limitJudge) reported(a *account, h limitHistory) []schema.Finding {
	var findings []schema.Finding
	for _, r := range l.reportedPairs(a, h) {
		limit := h.amount[r.at]
		if r.spent.Minor() <= limit.Minor() || r.covered {
			continue
		}
		zone := l.period.Zone
		f := finding(a.card, schema.Finding{
			Code: schema.LimitBreach, Reason: reportedOverLimit, Severity: schema.High, Subject: h.key,
			Expected: limit, Actual: r.spent, PeriodFrom: r.seen, PeriodTo: r.seen, SubjectAt: subjectAt(l.period, r.seen),
			Basis: "as reported",
		})
		when := "in the budget period, whose dates are not known"
		if r.window.zone != nil {
			zone = r.window.zone
			f.PeriodFrom, f.PeriodTo, f.WindowStart = r.window.From, r.window.To, r.window.From
			when = "in the budget period that began on " + dateText(r.window.From, zone)
			if !r.window.To.IsZero() {
				when = spanText(r.window.Window, zone)
			}
		}
		raised := ""
		if j, ok := h.raisedAfter(r.at, r.spent.Minor()); ok {
			f.Severity = schema.Medium
			raised = raisedText(h, j, zone)
		}
		f.Message = fmt.Sprintf("%s: the provider itself reported on %s that the card had spent %s, against a limit of %s, %s.%s", cardText(a.card),
			timeText(r.seen, zone), amountText(r.spent), amountText(limit), when, raised)
		findings = append(findings, f)
	}
	return findings
}

// finding says a breach of the ledger's own spend. moves are those of the window.
func (l limitJudge) finding(a *account, h limitHistory, b breach, moves []move, zone *time.Location) schema.Finding {
	limit := h.amount[b.observed]
	f := finding(a.card, schema.Finding{
		Code: schema.LimitBreach, Reason: computedOverLimit, Severity: schema.High, Subject: h.key,
		Expected: limit, Actual: money.FromMinor(b.spend, limit.Currency()),
		PeriodFrom: b.from, PeriodTo: b.to, SubjectAt: b.from, SubjectTo: b.to,
		Basis: "posted + pending", Cause: "limit " + idText(h.key), Evidence: []string{b.move.entry.ID()},
	})
	rolls := false
	length := time.Duration(0)
	if length, rolls = rollingLength(h.limit.Window); rolls {
		f.Subject += " " + b.first.entry.ID()
		// All the windows that end at an entry over the limit are the subject, not only the worst.
		f.SubjectAt, f.SubjectTo = b.first.at.Add(-length), b.last.at.Add(time.Microsecond)
	} else if h.limit.Window != schema.Lifetime {
		f.WindowStart = b.from
	} else {
		f.SubjectTo = schema.Forever
	}
	var m strings.Builder
	fmt.Fprintf(&m, "%s spent %s %s, which is %s more than its %s", cardText(a.card), amountText(f.Actual),
		whenText(h.limit, b, zone), minorText(b.excess, limit.Currency()), limitText(h.limit, limit))
	if b.first.entry == b.move.entry {
		fmt.Fprintf(&m, "; it went over with %s.", entryText(b.move.entry, zone))
	} else {
		fmt.Fprintf(&m, "; it first went over with %s and stood highest after %s.", entryText(b.first.entry, zone),
			entryText(b.move.entry, zone))
		f.Evidence = []string{b.first.entry.ID(), b.move.entry.ID()}
	}
	if j, ok := h.raisedAfter(b.observed, b.spend); ok {
		f.Severity = schema.Medium
		m.WriteString(raisedText(h, j, zone))
	}
	m.WriteString(lowered(h, b, zone))
	explanation, why, rests := l.explain(a, h, b, moves, zone)
	m.WriteString(why)
	f.Explanation = explanation
	for _, id := range rests {
		if !slices.Contains(f.Evidence, id) {
			f.Evidence = append(f.Evidence, id)
		}
	}
	f.Message = m.String()
	return f
}

// lowered tells a limit that was lowered, which the spend before had kept to.
func lowered(h limitHistory, b breach, zone *time.Location) string {
	if b.observed == 0 {
		return ""
	}
	before := h.amount[b.observed-1]
	if !before.Known() || before.Minor() < b.spend {
		return ""
	}
	return fmt.Sprintf(" The limit had been lowered from %s, as observed on %s.", amountText(before), dateText(h.at[b.observed], zone))
}

func raisedText(h limitHistory, observed int, zone *time.Location) string {
	return fmt.Sprintf(" The limit was raised afterwards: %s was observed on %s.", amountText(h.amount[observed]), dateText(h.at[observed], zone))
}

// whenText is the window of a breach in words.
func whenText(limit schema.Limit, b breach, zone *time.Location) string {
	w := schema.Window{From: b.from, To: b.to}
	switch limit.Window {
	case schema.Daily:
		return fmt.Sprintf("on %s (%s)", dateText(b.from, zone), zone)
	case schema.Lifetime:
		return "since it was created"
	}
	if length, ok := rollingLength(limit.Window); ok {
		return "in the " + lengthText(length) + " up to " + timeText(b.to, zone)
	}
	return spanText(w, zone)
}

func spanText(w schema.Window, zone *time.Location) string {
	return fmt.Sprintf("from %s to %s (%s)", dateText(w.From, zone), lastDate(w, zone), zone)
}
