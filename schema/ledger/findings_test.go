package ledger_test

import (
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
	"github.com/tieout/tieout/schema/money"
)

var august = schema.Window{From: time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)}

func drift(card string, actual int64) schema.Finding {
	return schema.Finding{
		Code: schema.BalanceDrift, Reason: "balance", Severity: schema.High, Source: "bill-main", Provider: schema.Bitnob, CardID: card,
		CardName: "Ops", CardLast4: "4242", Expected: usd(1000), Actual: usd(actual), Unexplained: usd(actual - 1000), PeriodTo: now,
		SubjectAt: august.From.Add(time.Hour), Subject: "balance", Message: "They differ.", Basis: "posted",
		Evidence: []string{"bill-main/b", "bill-main/a"},
	}
}

// nights reconciles one night after another.
type nights struct {
	*testing.T
	*ledger.Ledger
	path string
	n    int
}

func newNights(t *testing.T) *nights {
	path := ledger.NewPath(t)
	return &nights{T: t, Ledger: open(t, path), path: path}
}

// at is when the run of a night started.
func at(night int) time.Time { return now.AddDate(0, 0, night) }

// save is one night that found what is given, over August and by the check of drifts unless set says otherwise.
func (n *nights) save(set ledger.FindingSet, found ...schema.Finding) (schema.Run, ledger.FindingChanges) {
	n.Helper()
	n.n++
	run, err := n.StartRun(n.Context(), schema.Run{Kind: schema.ReconcileRun, StartedAt: at(n.n)})
	if err != nil {
		n.Fatal(err)
	}
	set.Run, set.Findings = run.ID, found
	if set.Period == (schema.Window{}) {
		set.Period = august
	}
	if set.Codes == nil {
		set.Codes = []schema.FindingCode{schema.BalanceDrift}
	}
	changes, err := n.SaveFindings(n.Context(), set)
	if err != nil {
		n.Fatal(err)
	}
	return finish(n.T, n.Ledger, run), changes
}

func (n *nights) findings(f ledger.FindingFilter) []schema.Finding {
	n.Helper()
	return all(n.T, n.Findings(n.Context(), f))
}

// decide lets a person bring a finding to a status.
func (n *nights) decide(to schema.FindingStatus, f schema.Finding) {
	n.Helper()
	action := map[schema.FindingStatus]schema.FindingAction{schema.Acknowledged: schema.Acknowledge, schema.Accepted: schema.Accept, schema.Open: schema.Reopen}[to]
	got := n.say(schema.Decision{FindingID: f.ID(), Action: action, By: "ann", Note: "because"})
	if got.Refused != "" || got.Status != to {
		n.Fatalf("%s: %+v", to, got)
	}
}

// say is one run in which a person decided.
func (n *nights) say(d schema.Decision) ledger.Decided {
	n.Helper()
	run := start(n.T, n.Ledger, schema.ReviewRun)
	got, err := n.Decide(n.Context(), run.ID, []schema.Decision{d})
	if err != nil {
		n.Fatal(err)
	}
	finish(n.T, n.Ledger, run)
	return got[0]
}

func (n *nights) status(card string) schema.FindingStatus {
	n.Helper()
	for _, f := range n.findings(ledger.FindingFilter{}) {
		if f.CardID == card {
			return f.Status
		}
	}
	return ""
}

func TestFindings(t *testing.T) {
	t.Run("AreReadAsTheyWereFound", func(t *testing.T) {
		n := newNights(t)
		jpy, err := money.Lookup("JPY")
		if err != nil {
			t.Fatal(err)
		}
		full := drift("card", 900)
		full.EntryID, full.Reference, full.PeriodFrom, full.Explanation = "bill-main/e", "R", august.From, "one entry"
		full.SubjectTo, full.WindowStart, full.Actual = august.To, august.From, money.FromMinor(-1, jpy)
		bare := schema.Finding{Code: schema.UnknownField, Severity: schema.Low, SubjectAt: now}
		n.save(ledger.FindingSet{}, full, bare)
		for _, want := range []schema.Finding{full, bare} {
			want.Status, want.FirstSeen, want.LastSeen = schema.Open, at(1), at(1)
			if want.Evidence == nil {
				want.Evidence = []string{}
			}
			same(t, string(want.Code), n.findings(ledger.FindingFilter{ID: want.ID()}), []schema.Finding{want})
		}
		verify(t, n.Ledger)
	})
	t.Run("PersistAndRememberWhenTheyWereSeen", func(t *testing.T) {
		n := newNights(t)
		first, changes := n.save(ledger.FindingSet{}, drift("card", 900))
		if changes != (ledger.FindingChanges{New: 1}) {
			t.Errorf("first night: %+v", changes)
		}
		before := rowsStored(t, n.path)["findings"]
		if _, changes := n.save(ledger.FindingSet{}, drift("card", 900)); changes != (ledger.FindingChanges{Persisting: 1}) {
			t.Errorf("second night: %+v", changes)
		}
		if after := rowsStored(t, n.path)["findings"]; after != before {
			t.Errorf("an unchanged finding became %d rows", after)
		}
		n.save(ledger.FindingSet{}, drift("card", 800))
		got := n.findings(ledger.FindingFilter{})
		if len(got) != 1 || got[0].Actual != usd(800) || !got[0].FirstSeen.Equal(at(1)) || !got[0].LastSeen.Equal(at(3)) {
			t.Errorf("now: %+v", got)
		}
		got = n.findings(ledger.FindingFilter{AsOf: first.ID})
		if len(got) != 1 || got[0].Actual != usd(900) || !got[0].LastSeen.Equal(at(1)) {
			t.Errorf("as of the first night: %+v", got)
		}
		verify(t, n.Ledger)
	})
	t.Run("ThatAreNotFoundAgainAreResolvedAndMayReopen", func(t *testing.T) {
		n := newNights(t)
		first, _ := n.save(ledger.FindingSet{}, drift("card", 900))
		if _, changes := n.save(ledger.FindingSet{}); changes != (ledger.FindingChanges{Resolved: 1}) {
			t.Errorf("%+v", changes)
		}
		got := n.findings(ledger.FindingFilter{})
		if len(got) != 1 || got[0].Status != schema.Resolved || !got[0].LastSeen.Equal(at(1)) {
			t.Errorf("resolved: %+v", got)
		}
		if _, changes := n.save(ledger.FindingSet{}); changes != (ledger.FindingChanges{}) {
			t.Errorf("a resolved one is not resolved twice: %+v", changes)
		}
		if _, changes := n.save(ledger.FindingSet{}, drift("card", 900)); changes != (ledger.FindingChanges{Reopened: 1}) {
			t.Errorf("%+v", changes)
		}
		if got := n.findings(ledger.FindingFilter{Status: schema.Open}); len(got) != 1 || !got[0].FirstSeen.Equal(at(1)) {
			t.Errorf("reopened: %+v", got)
		}
		// A later green never hides an earlier red.
		if got := n.findings(ledger.FindingFilter{AsOf: first.ID}); len(got) != 1 || got[0].Status != schema.Open {
			t.Errorf("as of the first night: %+v", got)
		}
		verify(t, n.Ledger)
	})
	t.Run("KeepTheirStatusWhenTheyWereNotJudged", func(t *testing.T) {
		window := drift("window", 900)
		window.SubjectTo = august.From.AddDate(0, 1, 5) // reaches into September
		july := schema.Window{From: august.From.AddDate(0, -1, 0), To: august.From}
		september := schema.Window{From: august.To, To: august.To.AddDate(0, 1, 0)}
		for name, c := range map[string]struct {
			set  ledger.FindingSet
			want map[string]schema.FindingStatus
		}{
			"another check": {ledger.FindingSet{Codes: []schema.FindingCode{schema.LimitBreach}}, map[string]schema.FindingStatus{"card": schema.Open, "window": schema.Open}},
			"no check":      {ledger.FindingSet{Codes: []schema.FindingCode{}}, map[string]schema.FindingStatus{"card": schema.Open, "window": schema.Open}},
			"July":          {ledger.FindingSet{Period: july}, map[string]schema.FindingStatus{"card": schema.Open, "window": schema.Open}},
			"September":     {ledger.FindingSet{Period: september}, map[string]schema.FindingStatus{"card": schema.Open, "window": schema.Resolved}},
			"August":        {ledger.FindingSet{}, map[string]schema.FindingStatus{"card": schema.Resolved, "window": schema.Resolved}},
			"the card was not checkable": {
				ledger.FindingSet{NotCheckable: []schema.Judgement{{Code: schema.BalanceDrift, Source: "bill-main", CardID: "card", Figure: "balance"}}},
				map[string]schema.FindingStatus{"card": schema.Open, "window": schema.Resolved},
			},
			"the source was not checkable": {
				ledger.FindingSet{NotCheckable: []schema.Judgement{{Code: schema.BalanceDrift, Source: "bill-main"}}},
				map[string]schema.FindingStatus{"card": schema.Open, "window": schema.Open},
			},
			"another card, source, figure and check were not checkable": {
				ledger.FindingSet{NotCheckable: []schema.Judgement{
					{Code: schema.BalanceDrift, CardID: "other"},
					{Code: schema.BalanceDrift, Source: "other"},
					{Code: schema.BalanceDrift, Figure: "utilization"},
					{Code: schema.LimitBreach},
				}},
				map[string]schema.FindingStatus{"card": schema.Resolved, "window": schema.Resolved},
			},
		} {
			t.Run(name, func(t *testing.T) {
				n := newNights(t)
				n.save(ledger.FindingSet{}, drift("card", 900), window)
				n.save(c.set)
				for card, want := range c.want {
					if got := n.status(card); got != want {
						t.Errorf("%s is %s, want %s", card, got, want)
					}
				}
			})
		}
	})
	t.Run("KeepWhatAPersonSaid", func(t *testing.T) {
		moved := drift("card", 800)
		reworded := drift("card", 900)
		reworded.Message, reworded.Severity = "They still differ.", schema.Medium
		for name, c := range map[string]struct {
			said    schema.FindingStatus
			found   []schema.Finding
			want    schema.FindingStatus
			changes ledger.FindingChanges
		}{
			"acknowledged and found again":           {schema.Acknowledged, []schema.Finding{drift("card", 900)}, schema.Acknowledged, ledger.FindingChanges{Persisting: 1}},
			"accepted and found again":               {schema.Accepted, []schema.Finding{drift("card", 900)}, schema.Accepted, ledger.FindingChanges{Persisting: 1}},
			"accepted and found in other words":      {schema.Accepted, []schema.Finding{reworded}, schema.Accepted, ledger.FindingChanges{Persisting: 1}},
			"accepted and found with other figures":  {schema.Accepted, []schema.Finding{moved}, schema.Open, ledger.FindingChanges{Reopened: 1}},
			"acknowledged and not found any more":    {schema.Acknowledged, nil, schema.Resolved, ledger.FindingChanges{Resolved: 1}},
			"accepted and not found any more":        {schema.Accepted, nil, schema.Resolved, ledger.FindingChanges{Resolved: 1}},
			"acknowledged and found, figures differ": {schema.Acknowledged, []schema.Finding{moved}, schema.Acknowledged, ledger.FindingChanges{Persisting: 1}},
		} {
			t.Run(name, func(t *testing.T) {
				n := newNights(t)
				n.save(ledger.FindingSet{}, drift("card", 900))
				n.decide(c.said, drift("card", 900))
				_, changes := n.save(ledger.FindingSet{}, c.found...)
				if got := n.status("card"); got != c.want || changes != c.changes {
					t.Errorf("it is %s after %+v", got, changes)
				}
			})
		}
	})
	t.Run("OneFoundTwiceIsOne", func(t *testing.T) {
		n := newNights(t)
		if _, changes := n.save(ledger.FindingSet{}, drift("card", 900), drift("card", 800)); changes != (ledger.FindingChanges{New: 1}) {
			t.Errorf("%+v", changes)
		}
		if got := n.findings(ledger.FindingFilter{}); len(got) != 1 || got[0].Actual != usd(900) {
			t.Errorf("%+v", got)
		}
	})
	t.Run("AreFilteredAndOrderedByID", func(t *testing.T) {
		n := newNights(t)
		old, other := drift("old", 1), drift("other", 1)
		old.SubjectAt = august.From.AddDate(0, -1, 0)
		other.Source, other.Code = "slash-main", schema.OrphanTopUp
		given := []schema.Finding{drift("a", 1), drift("b", 1), drift("c", 1), old, other}
		n.save(ledger.FindingSet{}, given...)
		n.save(ledger.FindingSet{}, given[1:]...) // a is resolved
		for name, c := range map[string]struct {
			filter ledger.FindingFilter
			want   int
		}{
			"everything":     {ledger.FindingFilter{}, 5},
			"a status":       {ledger.FindingFilter{Status: schema.Resolved}, 1},
			"a code":         {ledger.FindingFilter{Code: schema.OrphanTopUp}, 1},
			"a source":       {ledger.FindingFilter{Source: "bill-main"}, 4},
			"a period":       {ledger.FindingFilter{Period: august}, 4},
			"an id":          {ledger.FindingFilter{ID: given[2].ID()}, 1},
			"all of them":    {ledger.FindingFilter{ID: given[1].ID(), Status: schema.Open, Code: schema.BalanceDrift, Source: "bill-main", Period: august, AsOf: 1}, 1},
			"status as then": {ledger.FindingFilter{Status: schema.Resolved, AsOf: 1}, 0},
		} {
			got := n.findings(c.filter)
			if len(got) != c.want {
				t.Errorf("%s: %d findings, want %d", name, len(got), c.want)
			}
			for i := 1; i < len(got); i++ {
				if got[i-1].ID() >= got[i].ID() {
					t.Errorf("%s: not in order", name)
				}
			}
		}
	})
}
