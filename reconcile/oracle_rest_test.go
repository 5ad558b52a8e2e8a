package reconcile

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// oracle answers for a world what the checks should say, the slow way.
type oracle struct {
	*world
	midnights map[string]time.Time
	joined    []slowAccount
}

func newOracle(w *world) *oracle {
	w.sort()
	return &oracle{world: w, midnights: map[string]time.Time{}}
}

func (o *oracle) outcomes() []schema.Outcome {
	all := slices.Concat(o.limitBreaches(), o.drifts(), o.orphans(), o.duplicates(), o.staleAndVanished(), o.closedSpends(), o.unknownCards())
	return slices.Concat(all, o.rejected(), o.noted(), o.incompletes())
}

// in says whether an instant is a subject of the period; a period up to now has what was seen now.
func (o *oracle) in(t time.Time) bool {
	return (!t.Before(o.period.From) && t.Before(o.period.To)) || (t.Equal(o.period.To) && t.Equal(o.period.Now))
}

// subject is an instant of the half-open period.
func (o *oracle) subject(t time.Time) time.Time {
	if t.Equal(o.period.To) {
		return t.Add(-time.Microsecond)
	}
	return t
}

// deadline is until when the period knows.
func (o *oracle) deadline() time.Time {
	return slices.MinFunc([]time.Time{o.period.Now, o.period.To}, time.Time.Compare)
}

// dateIn is the date that clocks of a zone show, as midnight UTC of it.
func dateIn(t time.Time, zone *time.Location) time.Time {
	y, m, d := t.In(zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// midnight is the first quarter of an hour at which clocks of a zone show a date or a later one.
func (o *oracle) midnight(date time.Time, zone *time.Location) time.Time {
	key := zone.String() + date.String()
	at, known := o.midnights[key]
	if !known {
		for at = date.Add(-15 * time.Hour); dateIn(at, zone).Before(date); {
			at = at.Add(15 * time.Minute)
		}
		o.midnights[key] = at
	}
	return at
}

// window is the window of a limit that contains an instant: it began at the last reset.
func (o *oracle) window(l schema.Limit, zone *time.Location, t time.Time) schema.Window {
	date := dateIn(t, zone).AddDate(0, 0, 2)
	for !resets(l, date) || o.midnight(date, zone).After(t) {
		date = date.AddDate(0, 0, -1)
	}
	next := date.AddDate(0, 0, 1)
	for !resets(l, next) || !o.midnight(next, zone).After(t) {
		next = next.AddDate(0, 0, 1)
	}
	return schema.Window{From: o.midnight(date, zone), To: o.midnight(next, zone)}
}

// graceEnds is when a number of calendar days after an instant are over.
func (o *oracle) graceEnds(t time.Time, days int) time.Time {
	return o.midnight(dateIn(t, o.period.Zone).AddDate(0, 0, days), o.period.Zone)
}

// slowAccount is a card with its rows.
type slowAccount struct {
	card         schema.Card
	listed       bool
	observations []schema.Observation
	entries      []schema.Entry
}

// card finds a listed card by any of some ids.
func (o *oracle) card(source string, ids ...string) (schema.Card, bool) {
	for _, id := range ids {
		for _, c := range o.cards {
			if id != "" && c.Source == source && (c.ID == id || c.AltID == id) {
				return c, true
			}
		}
	}
	return schema.Card{}, false
}

// owner is the card that a row's card id means: itself where it is listed; else, for BILL, that of any row under the same
// id whose second id is listed.
func (o *oracle) owner(e schema.Entry) string {
	for _, c := range o.cards {
		if c.Source == e.Source && c.ID == e.CardID {
			return c.ID
		}
	}
	for _, x := range o.entries {
		if c, ok := o.card(x.Source, x.CardID, x.CardAltID); ok && x.Source == e.Source && x.CardID == e.CardID && c.Provider == schema.Bill {
			return c.ID
		}
	}
	return e.CardID
}

// accounts are all cards that are listed, or that some row names.
func (o *oracle) accounts() []slowAccount {
	if o.joined != nil {
		return o.joined
	}
	var all []slowAccount
	get := func(source, id string, p schema.Provider) *slowAccount {
		i := slices.IndexFunc(all, func(a slowAccount) bool { return a.card.Source == source && a.card.ID == id })
		if i < 0 {
			i = len(all)
			all = append(all, slowAccount{card: schema.Card{Source: source, ID: id, Provider: p}})
		}
		return &all[i]
	}
	for _, c := range o.cards {
		get(c.Source, c.ID, c.Provider)
	}
	for _, obs := range o.observations {
		a := get(obs.Source, obs.ID, obs.Provider)
		a.observations = append(a.observations, obs)
	}
	for _, e := range o.entries {
		if id := o.owner(e); id != "" {
			a := get(e.Source, id, e.Provider)
			a.entries = append(a.entries, e)
		}
	}
	for i := range all {
		a := &all[i]
		slices.SortFunc(a.entries, func(x, y schema.Entry) int {
			return cmp.Or(x.OccurredAt.Compare(y.OccurredAt), strings.Compare(x.ExternalID, y.ExternalID))
		})
		for _, c := range o.cards {
			if c.Source == a.card.Source && c.ID == a.card.ID {
				a.card, a.listed = c, true
			}
		}
	}
	o.joined = all
	return all
}

// about is a finding about one entry, on the card that a list has for it.
func (o *oracle) about(code schema.FindingCode, s schema.Severity, e schema.Entry) schema.Outcome {
	id := e.CardID
	if c, ok := o.card(e.Source, e.CardID, e.CardAltID); ok {
		id = c.ID
	}
	return schema.Outcome{Finding: &schema.Finding{
		Code: code, Severity: s, Source: e.Source, CardID: id, EntryID: e.ID(), Reference: e.Reference, Subject: e.ID(), Actual: e.Amount,
		PeriodFrom: e.OccurredAt, PeriodTo: e.OccurredAt, SubjectAt: o.subject(e.OccurredAt), Evidence: []string{e.ID()},
	}}
}

func (o *oracle) staleAndVanished() []schema.Outcome {
	var all []schema.Outcome
	for _, e := range o.entries {
		if !o.in(e.OccurredAt) {
			continue
		}
		if e.Status == schema.Pending && e.Kind != schema.TopUp && !o.takenBack(e) && !o.graceEnds(e.OccurredAt, o.cfg.StalePendingDays+1).After(o.deadline()) {
			all = append(all, o.about(schema.StalePending, schema.Medium, e))
		}
		absent := slices.ContainsFunc(o.absences, func(a schema.Absence) bool { return a.Source == e.Source && a.ExternalID == e.ExternalID })
		switch {
		case absent && e.Status == schema.Posted:
			all = append(all, o.about(schema.VanishedEntry, schema.High, e))
		case absent && e.Status != schema.Superseded:
			all = append(all, o.about(schema.VanishedEntry, schema.Low, e))
		}
	}
	return all
}

// takenBack says of a pending entry that it takes back another one that is pending, or is taken back whole by such.
func (o *oracle) takenBack(e schema.Entry) bool {
	back := func(r, of schema.Entry) bool {
		return r.Source == of.Source && r.LinkedID == of.ExternalID && r.Kind == schema.Reversal && of.Kind == schema.Purchase && r.Status == schema.Pending && of.Status == schema.Pending
	}
	sum, reversals := e.Amount.Minor(), 0
	for _, x := range o.entries {
		if back(e, x) {
			return true
		}
		if back(x, e) {
			reversals++
			if x.Amount.Currency() == e.Amount.Currency() {
				sum += x.Amount.Minor()
			}
		}
	}
	return reversals > 0 && sum >= 0
}

// closed is since when a card is certainly closed: the last list says so, and it is the provider's date or, without one,
// when it was seen closed first without being seen open again.
func (o *oracle) closed(a slowAccount) (time.Time, bool) {
	words := map[schema.Provider]string{schema.Bill: "DELETED", schema.Slash: "closed", schema.Whop: "canceled", schema.Bitnob: "terminated"}
	var since time.Time
	open := false
	for _, obs := range a.observations {
		if obs.Stream != schema.Cards || obs.Status == "" {
			continue
		}
		open = obs.Status != words[obs.Provider]
		if open {
			since = time.Time{}
		} else if since.IsZero() {
			since = obs.ObservedAt
		}
	}
	switch {
	case open:
		return time.Time{}, false
	case !a.card.ClosedAt.IsZero():
		return a.card.ClosedAt, true
	}
	return since, !since.IsZero()
}

func (o *oracle) closedSpends() []schema.Outcome {
	var all []schema.Outcome
	for _, a := range o.accounts() {
		closed, ok := o.closed(a)
		for _, e := range a.entries {
			if e.Kind != schema.Purchase || !e.Status.Counted() || e.OccurredAt.Equal(e.PostedAt) || !o.in(e.OccurredAt) {
				continue
			}
			x := o.about(schema.SpendOnClosedCard, schema.High, e)
			x.Finding.CardID = a.card.ID
			switch {
			case ok && e.OccurredAt.After(closed):
				all = append(all, x)
			case o.frozenAround(a, e.OccurredAt):
				x.Finding.Severity = schema.Medium
				all = append(all, x)
			}
		}
	}
	return all
}

// frozenAround compares all that was seen of a card, to find the nearest on either side of an instant.
func (o *oracle) frozenAround(a slowAccount, at time.Time) bool {
	var before, after schema.Observation
	for _, obs := range a.observations {
		if obs.Stream != schema.Cards || obs.Status == "" {
			continue
		}
		if obs.ObservedAt.Before(at) && obs.ObservedAt.After(before.ObservedAt) {
			before = obs
		}
		if !obs.ObservedAt.Before(at) && (after.Status == "" || obs.ObservedAt.Before(after.ObservedAt)) {
			after = obs
		}
	}
	frozen := map[schema.Provider]string{schema.Bill: "FROZEN", schema.Slash: "paused", schema.Whop: "frozen", schema.Bitnob: "frozen"}[a.card.Provider]
	return before.Status == frozen && (after.Status == frozen || slices.Contains([]string{"DELETED", "closed", "canceled", "terminated"}, after.Status))
}

func (o *oracle) unknownCards() []schema.Outcome {
	var all []schema.Outcome
	done := map[[2]string]bool{}
	for _, e := range o.entries { // by time within a card
		_, known := o.card(e.Source, e.CardID, e.CardAltID)
		listed := slices.ContainsFunc(o.cards, func(c schema.Card) bool { return c.Source == e.Source }) ||
			slices.ContainsFunc(o.completeness, func(c schema.Completeness) bool {
				return c.Source == e.Source && c.Stream == schema.Cards && c.Verdict == schema.VerdictComplete
			})
		if known || !listed || e.CardID == "" || !o.in(e.OccurredAt) || done[[2]string{e.Source, e.CardID}] {
			continue
		}
		done[[2]string{e.Source, e.CardID}] = true
		x := o.about(schema.UnknownCard, schema.Medium, e)
		x.Finding.Subject, x.Finding.Reference, x.Finding.Actual = e.CardID, "", money.Amount{}
		all = append(all, x)
	}
	return all
}

// duplicates compares every entry of a card with every other.
func (o *oracle) duplicates() []schema.Outcome {
	var all []schema.Outcome
	report := func(a slowAccount, group []schema.Entry, s schema.Severity, subject string) {
		last := group[len(group)-1]
		if len(group) < 2 || !o.in(last.OccurredAt) {
			return
		}
		x := o.about(schema.DuplicateEntry, s, last)
		x.Finding.CardID, x.Finding.Subject, x.Finding.Evidence = a.card.ID, subject, nil
		for _, e := range group {
			x.Finding.Evidence = append(x.Finding.Evidence, e.ID())
		}
		all = append(all, x)
	}
	for _, a := range o.accounts() {
		done := map[string]bool{}
		for i, e := range a.entries {
			if done[e.ID()] || !e.Status.Counted() {
				continue
			}
			group := []schema.Entry{e}
			for _, x := range a.entries[i+1:] {
				same := x.Status.Counted() && x.Kind == e.Kind && x.Amount == e.Amount && x.Reference == e.Reference
				named := e.Reference != "" && e.Kind != schema.TopUp
				alike := e.Reference == "" && e.Kind == schema.Purchase && e.Merchant != "" && x.Merchant == e.Merchant &&
					x.OccurredAt.Sub(group[len(group)-1].OccurredAt) <= time.Minute
				if same && (named || alike) {
					group = append(group, x)
					done[x.ID()] = true
				}
			}
			if e.Reference != "" {
				report(a, group, schema.Medium, e.Reference+" "+string(e.Kind)+" "+e.Amount.String())
			} else {
				report(a, group, schema.Low, "alike "+e.ID())
			}
		}
	}
	return all
}

func (o *oracle) rejected() []schema.Outcome {
	var all []schema.Outcome
	done := map[string]bool{}
	for _, r := range o.rejects {
		name := string(r.Stream) + "/" + r.ExternalID
		if r.ExternalID == "" {
			name = string(r.Stream) + " " + r.Field + " " + r.Reason
		}
		last := r.ReceivedAt
		for _, x := range o.rejects {
			same := x.Source == r.Source && x.Stream == r.Stream && x.ExternalID == r.ExternalID && (r.ExternalID != "" || x.Field == r.Field && x.Reason == r.Reason)
			if same && x.ReceivedAt.After(last) {
				last = x.ReceivedAt
			}
		}
		if done[r.Source+name] || !o.in(last) {
			continue
		}
		done[r.Source+name] = true
		f := schema.Finding{
			Code: schema.RejectedRecord, Severity: schema.Medium, Source: r.Source, Subject: name, PeriodFrom: last, PeriodTo: last, SubjectAt: o.subject(last),
		}
		if r.Stream == schema.Transactions {
			f.Severity = schema.High
			if r.ExternalID != "" {
				f.EntryID = r.Source + "/" + r.ExternalID
			}
		}
		all = append(all, schema.Outcome{Finding: &f})
	}
	return all
}

// noted are unit-mismatch, one for each note, and unknown-field, one for each field of a stream. What has no instant of its
// own is a subject of periods up to now.
func (o *oracle) noted() []schema.Outcome {
	var all []schema.Outcome
	current := !o.period.To.Before(o.period.Now)
	done := map[string]bool{}
	for _, n := range o.notes {
		f := schema.Finding{
			Source: n.Source, PeriodFrom: o.deadline(), PeriodTo: o.deadline(), SubjectAt: o.subject(o.deadline()),
			Code: schema.UnknownField, Severity: schema.Low, Subject: string(n.Stream) + " " + n.Field,
		}
		if n.Code == schema.UnitMismatchNote {
			f.Code, f.Severity, f.Subject = schema.UnitMismatch, schema.High, string(n.Stream)+"/"+n.ExternalID+" "+n.Field
		}
		e := slices.IndexFunc(o.entries, func(e schema.Entry) bool {
			return n.Stream == schema.Transactions && e.Source == n.Source && e.ExternalID == n.ExternalID
		})
		switch {
		case n.Code == schema.UnitMismatchNote && e >= 0:
			if !o.in(o.entries[e].OccurredAt) {
				continue
			}
			x := o.about(f.Code, f.Severity, o.entries[e])
			x.Finding.Subject = f.Subject
			all = append(all, x)
			continue
		case !current:
			continue
		case n.Code == schema.UnitMismatchNote:
			c, _ := o.card(n.Source, n.ExternalID)
			f.CardID = c.ID
		case done[f.Source+f.Subject]:
			continue
		case n.Stream == schema.Transactions:
			f.EntryID = n.Source + "/" + n.ExternalID
		}
		done[f.Source+f.Subject] = true
		all = append(all, schema.Outcome{Finding: &f})
	}
	return all
}

// incompletes are the streams that the checks need and that are not known complete.
func (o *oracle) incompletes() []schema.Outcome {
	var all []schema.Outcome
	third := map[schema.Provider]schema.Stream{schema.Bill: schema.Budgets, schema.Slash: schema.Utilization, schema.Bitnob: schema.Balances}
	for _, s := range o.cfg.Sources {
		for _, stream := range []schema.Stream{schema.Cards, schema.Transactions, third[s.Provider]} {
			f := schema.Finding{Code: schema.IncompleteExtract, Severity: schema.High, Source: s.Name, Subject: string(stream)}
			switch {
			case stream == "":
				continue
			case stream != schema.Transactions:
				var last schema.Completeness
				for _, c := range o.completeness {
					if c.Source == s.Name && c.Stream == stream && !c.RecordedAt.Before(last.RecordedAt) {
						last = c
					}
				}
				if last.Verdict == schema.VerdictComplete || o.period.To.Before(o.period.Now) {
					continue
				}
				f.PeriodFrom, f.PeriodTo, f.SubjectAt = o.deadline(), o.deadline(), o.subject(o.deadline())
			default:
				from := slices.MaxFunc([]time.Time{o.period.From, s.Start}, time.Time.Compare)
				to := slices.MinFunc([]time.Time{o.period.To.In(o.period.Zone).AddDate(0, 0, s.LookbackDays), o.period.Now}, time.Time.Compare)
				// The first instant that is not covered is the start, or an end of what is.
				ends := []time.Time{from}
				for _, c := range o.completeness {
					if c.Window.To.After(from) {
						ends = append(ends, c.Window.To)
					}
				}
				slices.SortFunc(ends, time.Time.Compare)
				i := slices.IndexFunc(ends, func(at time.Time) bool { return !o.complete(s.Name, at, at.Add(time.Microsecond)) })
				if i < 0 || !ends[i].Before(to) {
					continue
				}
				at := ends[i]
				f.PeriodFrom, f.PeriodTo, f.SubjectAt = at, at, at
				if !at.Before(o.period.To) {
					f.SubjectAt = o.period.To.Add(-time.Microsecond)
				}
				if to.Sub(at) < 24*time.Hour {
					f.Severity = schema.Low
				}
			}
			all = append(all, schema.Outcome{Finding: &f})
		}
	}
	return all
}
