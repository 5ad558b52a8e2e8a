package reconcile

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// maker makes a small random world around a moment at which clocks or calendars do something odd.
type maker struct {
	*rand.Rand
	*world
	middle time.Time
	eur    money.Currency
	ids    int
}

func randomWorld(r *rand.Rand) *world {
	eur, err := money.Lookup("EUR")
	if err != nil {
		panic(err)
	}
	middles := []time.Time{
		time.Date(2026, 3, 8, 7, 0, 0, 0, time.UTC), time.Date(2026, 11, 1, 5, 0, 0, 0, time.UTC), time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC),
		time.Date(2028, 2, 29, 12, 0, 0, 0, time.UTC), time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC), time.Date(2026, 8, 14, 15, 0, 0, 0, time.UTC),
	}
	m := &maker{Rand: r, world: &world{}, middle: pick(r, middles...), eur: eur}
	zone, err := time.LoadLocation(pick(r, "UTC", "America/New_York", "Asia/Tokyo", "Pacific/Auckland"))
	if err != nil {
		panic(err)
	}
	m.period = schema.Period{Window: schema.Window{From: m.middle.AddDate(0, 0, -r.IntN(30)-3), To: m.middle.AddDate(0, 0, r.IntN(10))}, Zone: zone}
	m.period.Now = pick(r, m.period.To, m.period.To, m.period.To.Add(-time.Hour), m.period.To.AddDate(0, 0, 20))
	m.cfg = Config{GraceDays: r.IntN(4), StalePendingDays: 2 + r.IntN(9), TipPercent: pick(r, 0, 20, 20), DriftTolerance: decimal.New(pick(r, int64(0), 0, 5), -2)}
	for i, p := range schema.Providers() {
		s := Source{Name: fmt.Sprintf("%d-%s", i, p), Provider: p, LookbackDays: r.IntN(20), BalanceUnit: pick(r, AutoUnit, AutoUnit, "", MinorUnit, MajorUnit)}
		if m.one(5) {
			s.Start = m.period.From.Add(time.Duration(r.IntN(200)) * time.Hour)
		}
		m.cfg.Sources = append(m.cfg.Sources, s)
		m.cover(s)
		for n := range r.IntN(4) {
			m.card(s, n)
		}
		m.extras(s)
	}
	m.books()
	m.figures()
	return m.world
}

// one is true once in n times.
func (m *maker) one(n int) bool { return m.IntN(n) == 0 }

func (m *maker) id(prefix string) string {
	m.ids++
	return fmt.Sprintf("%s%02d", prefix, m.ids)
}

func (m *maker) hours(most int) time.Duration { return time.Duration(m.IntN(2*most)-most) * time.Hour }

// amount is one of few, so that sums meet by chance.
func (m *maker) amount() int64 {
	return pick(m.Rand, int64(500), 700, 1200, 1234, 2000, 4500, 4599, 9900, 100, 20000)
}

func (m *maker) cover(s Source) {
	streams := []schema.Stream{schema.Cards, schema.Budgets, schema.Utilization, schema.Balances}
	for _, stream := range streams {
		if m.one(6) {
			continue
		}
		m.completeness = append(m.completeness, schema.Completeness{
			Source: s.Name, Stream: stream, Verdict: pick(m.Rand, schema.VerdictComplete, schema.VerdictComplete, schema.VerdictPartial),
			Window: schema.Window{From: m.middle, To: m.middle}, RecordedAt: m.middle.Add(time.Duration(len(m.completeness)) * time.Second),
		})
	}
	from, to := schema.Beginning, m.period.Now
	if m.one(8) {
		from = m.period.From.Add(m.hours(300))
	}
	if m.one(8) {
		to = m.period.To.Add(m.hours(100))
	}
	cut := m.middle.Add(m.hours(300))
	windows := []schema.Window{{From: from, To: to}}
	if m.one(6) && from.Before(cut) && cut.Before(to) { // read in two parts, sometimes with a gap
		windows = []schema.Window{{From: cut.Add(time.Duration(pick(m.Rand, 0, -5, 3)) * time.Hour), To: to}, {From: from, To: cut}}
	}
	for _, w := range windows {
		verdict := schema.VerdictComplete
		if m.one(12) {
			verdict = schema.VerdictFailed
		}
		if w.From.Before(w.To) {
			m.completeness = append(m.completeness, schema.Completeness{
				Source: s.Name, Stream: schema.Transactions, Verdict: verdict, Window: w, RecordedAt: m.middle.Add(time.Duration(len(m.completeness)) * time.Second),
			})
		}
	}
}

// card adds a card with what its list says of it, and its entries.
func (m *maker) card(s Source, n int) {
	c := schema.Card{Source: s.Name, Provider: s.Provider, ID: fmt.Sprintf("c%d", n), CreatedAt: m.middle.AddDate(0, -6, 0)}
	if m.one(8) {
		c.CreatedAt = pick(m.Rand, time.Time{}, m.middle.Add(m.hours(300)))
	}
	if s.Provider == schema.Bill {
		c.BudgetID = pick(m.Rand, "b1", "b1", "b1", "b1", "b2-alt", "")
		if m.one(2) {
			c.AltID = c.ID + "-alt"
		}
	}
	if m.one(15) {
		c.ClosedAt = m.middle.Add(m.hours(400))
	}
	if !m.one(20) { // else it is on no list
		m.cards = append(m.cards, c)
	}
	m.statements(s, c)
	for range m.IntN(12) {
		m.entry(s, c)
	}
	if s.Provider == schema.Bill {
		m.authorize(c)
		m.tighten(c)
	}
}

// tighten makes some limits a little smaller than all that a card spent.
func (m *maker) tighten(c schema.Card) {
	spent := int64(0)
	for _, e := range m.entries {
		if _, ok := slowTime(e); ok && e.Source == c.Source && e.CardID == c.ID {
			spent -= e.Amount.Minor()
		}
	}
	limit := usd(max(spent-pick(m.Rand, int64(1), 30, 60, 300), 0))
	if m.one(4) {
		return
	}
	for _, o := range m.observations {
		for i := range o.Limits {
			if o.Source == c.Source && o.ID == c.ID && o.Limits[i].Amount.Known() {
				o.Limits[i].Amount = limit
			}
		}
	}
}

// statements are what the list of cards says of a card, from time to time.
func (m *maker) statements(s Source, c schema.Card) {
	limits := m.limits(s.Provider)
	status := ""
	closed := map[schema.Provider]string{schema.Bill: "DELETED", schema.Slash: "closed", schema.Whop: "canceled", schema.Bitnob: "terminated"}[s.Provider]
	frozen := map[schema.Provider]string{schema.Bill: "FROZEN", schema.Slash: "paused", schema.Whop: "frozen", schema.Bitnob: "frozen"}[s.Provider]
	at := m.middle.Add(-time.Duration(m.IntN(800)) * time.Hour)
	for range m.IntN(5) + oneIf(s.Provider == schema.Bill) {
		at = at.Add(time.Duration(1+m.IntN(300)) * time.Hour)
		if m.one(6) {
			status = pick(m.Rand, closed, frozen, frozen, "active")
		}
		o := schema.Observation{Card: schema.Card{Source: s.Name, Provider: s.Provider, ID: c.ID, Status: status}, Stream: schema.Cards, ObservedAt: at, NoLimit: s.Provider == schema.Bill && m.one(10)}
		for _, l := range limits {
			l.Amount = usd(m.amount() * int64(1+m.IntN(3)))
			if m.one(15) {
				l.Amount = money.Amount{}
			}
			if !m.one(8) {
				o.Limits = append(o.Limits, l)
			}
		}
		m.observations = append(m.observations, o)
	}
}

func (m *maker) limits(p schema.Provider) []schema.Limit {
	if p == schema.Bill {
		return []schema.Limit{{Window: schema.BudgetPeriod, Word: "currentPeriod"}}
	}
	windows := []schema.LimitWindow{schema.Daily, schema.Weekly, schema.Monthly, schema.Yearly, schema.Lifetime, schema.PerEntry}
	if p == schema.Slash {
		windows = append(windows, schema.PerEntryMin)
	} else {
		windows = append(windows, schema.Rolling24h, schema.Rolling7d, schema.Rolling30d, schema.Rolling365d)
	}
	var all []schema.Limit
	for range 1 + oneIf(m.one(3)) {
		l := schema.Limit{Window: pick(m.Rand, windows...), Word: "word"}
		if p == schema.Slash {
			l.Zone = pick(m.Rand, testZones...)
			if m.one(3) && (l.Window == schema.Weekly || l.Window == schema.Monthly || l.Window == schema.Yearly) {
				l.StartDate = pick(m.Rand, "2024-02-29", "2026-01-31", dateIn(m.middle.Add(m.hours(800)), time.UTC).Format(time.DateOnly))
			}
		}
		switch m.IntN(40) {
		case 0:
			l.Window = ""
		case 1:
			l.Zone = "Mars/Base"
		case 2:
			if l.Window != schema.Lifetime {
				l.StartDate = "soon"
			}
		}
		all = append(all, l)
	}
	return all
}

// moments at which an entry occurs: anywhere, or within minutes of something that decides.
func (m *maker) moment() time.Time {
	at := m.middle.Add(m.hours(600))
	if m.one(3) {
		at = m.middle.Add(m.hours(20)).Add(time.Duration(m.IntN(12)) * 5 * time.Minute)
	}
	return at
}

func (m *maker) entry(s Source, c schema.Card) {
	kind := pick(m.Rand, schema.Purchase, schema.Purchase, schema.Purchase, schema.Purchase, schema.Fee, schema.Refund, schema.Reversal, schema.Adjustment)
	status := pick(m.Rand, schema.Posted, schema.Posted, schema.Posted, schema.Posted, schema.Pending, schema.Pending, schema.Declined, schema.Failed, schema.Reversed, schema.Held)
	minor := -m.amount()
	if s.Provider == schema.Bitnob {
		kind = pick(m.Rand, schema.Purchase, schema.Refund, schema.Withdrawal, schema.TopUp, schema.TopUp)
	}
	if kind == schema.Refund || kind == schema.Reversal || kind == schema.TopUp {
		minor = -minor
	}
	e := schema.Entry{
		Source: s.Name, Provider: s.Provider, ExternalID: m.id("t"), CardID: c.ID, Kind: kind, Status: status, OccurredAt: m.moment(), Amount: usd(minor),
		Merchant: pick(m.Rand, "Coffee", "Coffee", "Fuel", ""),
	}
	switch {
	case kind == schema.TopUp && !m.one(8):
		e.Reference = pick(m.Rand, "R1", "R2", "R3", " R4", "r1", e.ExternalID)
	case m.one(6):
		e.Reference = pick(m.Rand, "A", "B")
	}
	if status == schema.Posted && !m.one(10) {
		e.PostedAt = e.OccurredAt.Add(pick(m.Rand, 0, 5*time.Minute, time.Hour, time.Duration(m.IntN(200))*time.Hour))
	}
	switch {
	case m.one(150):
		e.Amount = money.FromMinor(minor, m.eur)
	case m.one(60):
		e.CardID = ""
	case m.one(40):
		e.CardID = "stranger"
	case c.AltID != "" && m.one(3):
		e.CardID, e.CardAltID = c.AltID, pick(m.Rand, "", c.ID)
	case c.AltID != "" && m.one(8):
		e.CardID, e.CardAltID = "third", c.AltID
	}
	m.entries = append(m.entries, e)
	if m.one(10) { // the same again, at once
		e.ExternalID, e.OccurredAt = m.id("t"), e.OccurredAt.Add(pick(m.Rand, 0, 20*time.Second, time.Minute, time.Minute+time.Second))
		m.entries = append(m.entries, e)
	}
	if e.Kind == schema.Purchase && e.Status == schema.Pending {
		for range m.IntN(3) { // and taken back, in part or whole
			r := e
			r.ExternalID, r.Kind, r.LinkedID, r.Reference = m.id("v"), schema.Reversal, e.ExternalID, ""
			r.OccurredAt, r.Amount = e.OccurredAt.Add(time.Hour), usd(pick(m.Rand, 100, -minor/2, -minor))
			m.entries = append(m.entries, r)
		}
	}
	if m.one(25) {
		m.absences = append(m.absences, schema.Absence{Source: e.Source, ExternalID: e.ExternalID, LastRead: m.middle, NoticedAt: m.middle})
	}
}

// authorize gives some posted purchases the authorization that they replaced, some of those a reversal, and some a second
// part of the posting.
func (m *maker) authorize(c schema.Card) {
	tips := m.one(2) // all that was captured above an authorization is a tip
	for i, n := 0, len(m.entries); i < n; i++ {
		e := &m.entries[i]
		if e.Source != c.Source || e.CardID != c.ID || e.Kind != schema.Purchase || e.Status != schema.Posted || e.LinkedID != "" || e.Amount.Currency() == m.eur || m.one(2) {
			continue
		}
		a := *e
		a.ExternalID, a.Status, a.PostedAt, a.LinkedID, a.Reference = m.id("a"), schema.Superseded, time.Time{}, e.ExternalID, ""
		a.Amount = usd(pick(m.Rand, e.Amount.Minor(), e.Amount.Minor()*9/10, e.Amount.Minor()*9/10, -m.amount()))
		e.LinkedID = a.ExternalID
		made := []schema.Entry{a}
		if tips {
			made[0].Amount = usd(e.Amount.Minor() * 9 / 10)
		}
		if m.one(4) {
			r := a
			r.ExternalID, r.Kind, r.LinkedID, r.Amount, r.OccurredAt = m.id("v"), schema.Reversal, a.ExternalID, usd(100), a.OccurredAt.Add(time.Hour)
			made = append(made, r)
		}
		if !tips && m.one(4) {
			part := *e
			part.ExternalID, part.Amount = m.id("p"), usd(-m.amount())
			part.PostedAt = postedOr(*e).Add(time.Duration(m.IntN(60)) * time.Hour)
			made = append(made, part)
		}
		m.entries = append(m.entries, made...)
	}
}

func postedOr(e schema.Entry) time.Time {
	if e.PostedAt.IsZero() {
		return e.OccurredAt
	}
	return e.PostedAt
}

// extras are budgets, rejects and notes.
func (m *maker) extras(s Source) {
	if s.Provider == schema.Bill {
		zone := pick(m.Rand, testZones...)
		start := dateIn(m.middle, time.UTC).AddDate(0, 0, -m.IntN(40))
		for range 1 + m.IntN(3) {
			end := start.AddDate(0, 0, m.IntN(60))
			b := schema.Budget{Source: s.Name, ID: "b1", Zone: zone, StartDate: start.Format(time.DateOnly), EndDate: end.Format(time.DateOnly)}
			b.ObservedAt = m.middle.Add(m.hours(500))
			switch {
			case m.one(4):
				b.ID, b.AltID = "b2", "b2-alt"
			case m.one(10):
				b.EndDate = ""
			case m.one(20):
				b.StartDate = ""
			}
			m.budgets = append(m.budgets, b)
			if !m.one(3) {
				start = end.AddDate(0, 0, 1)
			}
		}
	}
	for range m.IntN(3) {
		m.rejects = append(m.rejects, schema.Reject{
			Source: s.Name, Provider: s.Provider, Stream: pick(m.Rand, schema.Transactions, schema.Cards), ExternalID: pick(m.Rand, "x1", "x2", ""),
			Field: pick(m.Rand, "amount", "id"), Reason: pick(m.Rand, "odd", "even"), ReceivedAt: m.middle.Add(m.hours(500)),
		})
	}
	for range m.IntN(3) {
		n := schema.Note{Source: s.Name, Stream: pick(m.Rand, schema.Transactions, schema.Cards), ExternalID: pick(m.Rand, "c0", "t03", "t07"), Field: pick(m.Rand, "amount", "kind")}
		n.Code = pick(m.Rand, schema.UnknownFieldNote, schema.UnitMismatchNote)
		if !slices.Contains(m.notes, n) {
			m.notes = append(m.notes, n)
		}
	}
}

// books are what the company says it sent: much of what was received, with mistakes, and what was not.
func (m *maker) books() {
	if m.one(5) {
		return
	}
	add := func(ref string, a money.Amount, sent time.Time, card string) {
		source := pick(m.Rand, "", "3-bitnob", "3-bitnob")
		m.fundings = append(m.fundings, schema.Funding{ID: m.id("f"), Reference: ref, Amount: a, SentAt: sent, CardID: card, Source: source})
	}
	for _, e := range m.entries {
		if e.Kind != schema.TopUp || m.one(4) {
			continue
		}
		ref, a, card := strings.TrimSpace(e.Reference), e.Amount, pick(m.Rand, "", e.CardID, e.CardID, "c1")
		switch m.IntN(8) {
		case 0:
			a = usd(m.amount())
		case 1:
			a = money.FromMinor(a.Minor(), m.eur)
		case 2:
			ref = m.id("N")
			if m.one(4) {
				m.matches = append(m.matches, schema.Match{Source: e.Source, Reference: ref, EntryID: e.ID(), Confirmed: m.one(2), Run: int64(len(m.matches))})
			}
			if m.one(4) { // two fundings that could mean one top-up
				add(m.id("N"), a, e.OccurredAt, e.CardID)
			}
		}
		if ref != "" {
			add(ref, a, e.OccurredAt.Add(m.hours(60)), card)
		}
	}
	for range m.IntN(3) {
		add(m.id("N"), usd(m.amount()), m.moment(), pick(m.Rand, "", "c0", "stranger"))
	}
}

// figures gives cards what their providers state: the ledger's own sum, made wrong in one of the ways that are explained.
func (m *maker) figures() {
	o := newOracle(m.world)
	exact := map[string]bool{} // sources of which all figures are right, on the basis of each card
	for _, a := range o.accounts() {
		if _, drawn := exact[a.card.Source]; !drawn {
			exact[a.card.Source] = m.one(3)
		}
		name := providerFigures[a.card.Provider]
		if m.one(25) {
			name = pick(m.Rand, schema.PeriodSpend, schema.TrailingSpend, schema.Utilized) // only Bitnob has balances
		}
		wrong := int64(0)
		if m.one(3) {
			wrong = pick(m.Rand, m.amount(), 333, -m.amount(), 777)
		}
		for range m.IntN(4) {
			m.figure(o, &a, name, wrong, exact[a.card.Source])
		}
	}
}

func (m *maker) figure(o *oracle, a *slowAccount, name schema.FigureName, wrong int64, exact bool) {
	at := m.middle.Add(m.hours(200))
	var near *schema.Entry
	if len(a.entries) > 0 && m.one(3) { // within minutes of an entry
		e := pick(m.Rand, a.entries...)
		near = &e
		at = pick(m.Rand, e.OccurredAt, postedOr(e)).Add(pick(m.Rand, -16*time.Minute, -15*time.Minute, -3*time.Minute, 0, 3*time.Minute, 15*time.Minute, 16*time.Minute))
	}
	switch m.IntN(8) {
	case 0:
		at = m.period.To
	case 1, 2:
		if near != nil && near.PostedAt.After(near.OccurredAt) { // between a purchase and its posting
			at = near.OccurredAt.Add(near.PostedAt.Sub(near.OccurredAt) / 2).Truncate(time.Minute)
		}
	}
	if slices.ContainsFunc(m.observations, func(x schema.Observation) bool {
		return x.Source == a.card.Source && x.ID == a.card.ID && x.ObservedAt.Equal(at)
	}) {
		return
	}
	obs := schema.Observation{Card: schema.Card{Source: a.card.Source, Provider: a.card.Provider, ID: a.card.ID}, Stream: figureStreams[name], ObservedAt: at}
	if obs.Stream == schema.Cards { // the list states limits too
		for _, x := range m.observations {
			if x.Source == obs.Source && x.ID == obs.ID && x.Stream == schema.Cards && x.ObservedAt.Before(at) {
				obs.Limits, obs.NoLimit, obs.Status = x.Limits, x.NoLimit, x.Status
			}
		}
	}
	obs.Figures = m.stated(o, a, obs, name, wrong, near, exact)
	m.observations = append(m.observations, obs)
	m.sort()
}

// edge adds a purchase between the two starts of a window, sometimes.
func (m *maker) edge(a *slowAccount, from, start time.Time) {
	if from.Equal(start) || from.IsZero() || m.one(2) {
		return
	}
	first, last := from, start
	if last.Before(first) {
		first, last = last, first
	}
	e := schema.Entry{
		Source: a.card.Source, Provider: a.card.Provider, ExternalID: m.id("e"), CardID: a.card.ID, Kind: schema.Purchase, Status: schema.Posted,
		OccurredAt: first.Add(time.Duration(m.Int64N(int64(last.Sub(first)/time.Minute)+1)) * time.Minute), Amount: usd(-m.amount()), Merchant: "Night shop",
	}
	e.PostedAt = e.OccurredAt
	a.entries = append(a.entries, e)
	m.entries = append(m.entries, e)
}

func (m *maker) stated(o *oracle, a *slowAccount, obs schema.Observation, name schema.FigureName, wrong int64, near *schema.Entry, exact bool) []schema.Figure {
	if m.one(15) {
		return nil
	}
	from, starts, err := o.figureStart(*a, obs, name)
	if err != nil || name == schema.Balance {
		from, starts = time.Time{}, nil
	}
	on := m.IntN(2)
	if exact {
		on = int(a.card.ID[1]-'0') % 2
	}
	if name == schema.Balance {
		on = 0
	}
	start := from
	if len(starts) > 0 {
		start = pick(m.Rand, starts...)
		m.edge(a, from, start)
	}
	d := slowDrift{a: *a, figure: name, observed: obs.ObservedAt, from: from}
	d.sums = sumsAt(*a, name, from, obs.ObservedAt)
	minor := d.sums[on]
	turn := func(e schema.Entry) {
		if inSum(d, on, e) {
			minor -= effect(d, e)
		} else {
			minor += effect(d, e)
		}
	}
	switch dice := m.IntN(12); {
	case exact:
	case wrong != 0:
		minor += wrong
	case near != nil && dice < 4:
		turn(*near)
	case !start.Equal(from) && dice < 4:
		minor = sumsAt(*a, name, start, obs.ObservedAt)[on]
	case dice == 0:
		minor *= 100
	case dice == 1:
		minor = -minor
	case dice <= 5 && len(a.entries) > 0: // an entry or two seen the other way round
		for range 1 + m.IntN(2) {
			turn(pick(m.Rand, a.entries...))
		}
	case dice == 6:
		for _, e := range a.entries {
			if e.Status == schema.Declined || e.Status == schema.Failed {
				minor += effect(d, e)
			}
		}
	}
	f := schema.Figure{Name: name, Raw: fmt.Sprint(minor), Amount: usd(minor)}
	switch {
	case m.one(25):
		f.Problem, f.Amount = "odd", money.Amount{}
	case name == schema.Balance && !m.one(10):
		f.Ambiguous, f.Amount = true, money.Amount{}
		if a.card.ID == "c1" || m.one(6) { // some say dollars
			f.Raw = usd(minor).String()
			if m.one(2) {
				f.Raw = strings.TrimSuffix(f.Raw, ".00")
			}
		}
	case m.one(40):
		f.Amount = money.FromMinor(minor, m.eur)
	}
	return []schema.Figure{f}
}
