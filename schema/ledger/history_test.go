package ledger_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// proposal is a finding that proposes a top-up for a reference.
func proposal(reference string) schema.Finding {
	return schema.Finding{
		Code: schema.OrphanTopUp, Reason: schema.NoProviderTopUp, Severity: schema.Medium, Source: "bitnob-main", Provider: schema.Bitnob,
		CardID: "card", EntryID: "bitnob-main/top-" + reference, Reference: reference, Subject: reference, Expected: usd(1000),
		SubjectAt: august.From, Message: "It may be that one.",
	}
}

// told is the history of a finding, one line each: who, what, status after it, assignee, note.
func (n *nights) told(f schema.Finding, asOf int64) []string {
	n.Helper()
	var lines []string
	for _, e := range all(n.T, n.History(n.Context(), asOf, []string{f.ID()})) {
		lines = append(lines, strings.TrimRight(fmt.Sprintf("%s %s %s %s %s", e.By, e.Action, e.Status, e.Assignee, e.Note), " "))
	}
	return lines
}

func TestHistory(t *testing.T) {
	ann := func(action schema.FindingAction, note string) schema.Decision {
		return schema.Decision{Action: action, By: "ann", Note: note}
	}
	// Each step is a night that found the drift with the figure, or a decision.
	type step struct {
		actual int64 // 0: not found
		said   schema.Decision
	}
	night := func(actual int64) step { return step{actual: actual} }
	say := func(d schema.Decision) step { return step{said: d} }
	assign := schema.Decision{Action: schema.Assign, By: "ann", Assignee: "bob"}
	for name, c := range map[string]struct {
		steps []step
		want  []string
	}{
		"OpensOnceAndPersistsWithoutAnEvent": {[]step{night(900), night(900), night(900)}, []string{"tieout opened open"}},
		"ResolvesAndReopensByItself": {
			[]step{night(900), night(0), night(0), night(900)},
			[]string{"tieout opened open", "tieout resolved resolved  found no more", "tieout reopened open  found again"},
		},
		"AcknowledgedStaysWhileItPersistsAlsoWithOtherFigures": {
			[]step{night(900), say(ann(schema.Acknowledge, "")), night(900), night(800)},
			[]string{"tieout opened open", "ann acknowledge acknowledged", "tieout changed acknowledged  before: expected 10.00 USD, actual 9.00 USD, unexplained -1.00 USD, high"},
		},
		"AcceptedReopensWhenItsFiguresChange": {
			[]step{night(900), say(ann(schema.Accept, "rounding")), night(900), night(800)},
			[]string{
				"tieout opened open", "ann accept accepted  rounding",
				"tieout reopened open  accepted with expected 10.00 USD, actual 9.00 USD, unexplained -1.00 USD, high; " +
					"found with expected 10.00 USD, actual 8.00 USD, unexplained -2.00 USD, high",
			},
		},
		"AcceptedThatResolvesAndComesBackTheSameIsReopened": {
			[]step{night(900), say(ann(schema.Accept, "rounding")), night(0), night(900)},
			[]string{"tieout opened open", "ann accept accepted  rounding", "tieout resolved resolved  found no more", "tieout reopened open  found again"},
		},
		"AssignedKeepsItsStatusAndItsAssigneeForLife": {
			[]step{night(900), say(ann(schema.Acknowledge, "")), say(assign), night(0), night(900)},
			[]string{
				"tieout opened open", "ann acknowledge acknowledged", "ann assign acknowledged bob", "tieout resolved resolved bob found no more",
				"tieout reopened open bob found again",
			},
		},
		"ReopenedByAPerson": {
			[]step{night(900), say(ann(schema.Accept, "rounding")), say(ann(schema.Reopen, "no, it is not")), night(900)},
			[]string{"tieout opened open", "ann accept accepted  rounding", "ann reopen open  no, it is not"},
		},
		"SayingItAgainChangesNothing": {
			[]step{night(900), say(ann(schema.Acknowledge, "seen")), say(ann(schema.Acknowledge, "seen")), say(ann(schema.Acknowledge, "")), say(assign), say(assign)},
			[]string{"tieout opened open", "ann acknowledge acknowledged  seen", "ann assign acknowledged bob"},
		},
		"AnotherNoteIsKept": {
			[]step{night(900), say(ann(schema.Acknowledge, "seen")), say(ann(schema.Acknowledge, "asked the bank"))},
			[]string{"tieout opened open", "ann acknowledge acknowledged  seen", "ann acknowledge acknowledged  asked the bank"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNights(t)
			for _, s := range c.steps {
				switch {
				case s.said.Action != "":
					s.said.FindingID = drift("card", 900).ID()
					if got := n.say(s.said); got.Refused != "" {
						t.Fatalf("%+v", got)
					}
				case s.actual == 0:
					n.save(ledger.FindingSet{})
				default:
					n.save(ledger.FindingSet{}, drift("card", s.actual))
				}
			}
			same(t, "history", n.told(drift("card", 900), 0), c.want)
			got := n.findings(ledger.FindingFilter{})
			if len(got) != 1 || !strings.Contains(c.want[len(c.want)-1], " "+string(got[0].Status)) {
				t.Errorf("it stands as %+v", got)
			}
			verify(t, n.Ledger)
		})
	}
	t.Run("AcceptedReopensWhenItBecomesMoreSevereAndNotWhenLess", func(t *testing.T) {
		n := newNights(t)
		medium, low, high := drift("card", 900), drift("card", 900), drift("card", 900)
		medium.Severity, low.Severity = schema.Medium, schema.Low
		n.save(ledger.FindingSet{}, medium)
		n.decide(schema.Accepted, medium)
		for _, f := range []schema.Finding{low, medium} {
			if _, changes := n.save(ledger.FindingSet{}, f); changes.Reopened != 0 {
				t.Errorf("%s reopened it", f.Severity)
			}
		}
		if _, changes := n.save(ledger.FindingSet{}, high); changes.Reopened != 1 || n.status("card") != schema.Open {
			t.Errorf("%+v", changes)
		}
	})
	t.Run("AnAcceptanceStandsForTheFiguresItWasGivenFor", func(t *testing.T) {
		n := newNights(t)
		n.save(ledger.FindingSet{}, drift("card", 900))
		n.decide(schema.Accepted, drift("card", 900))
		n.say(schema.Decision{FindingID: drift("card", 900).ID(), Action: schema.Assign, By: "ann", Assignee: "bob"})
		events := all(t, n.History(t.Context(), 0, []string{drift("card", 900).ID()}))
		for _, e := range events[1:] {
			if e.Expected != usd(1000) || e.Actual != usd(900) || e.Unexplained != usd(-100) || e.Severity != schema.High || e.Run == 0 || !e.At.Equal(now) {
				t.Errorf("%+v", e)
			}
		}
		n.save(ledger.FindingSet{}, drift("card", 800))
		n.save(ledger.FindingSet{}, drift("card", 900)) // the accepted figures again, but nobody accepted it again
		if n.status("card") != schema.Open {
			t.Errorf("it is %s", n.status("card"))
		}
	})
	t.Run("IsReadAsItWasThen", func(t *testing.T) {
		n := newNights(t)
		f := drift("card", 900)
		first, _ := n.save(ledger.FindingSet{}, f)
		n.say(schema.Decision{FindingID: f.ID(), Action: schema.Assign, By: "ann", Assignee: "bob"})
		n.decide(schema.Accepted, f)
		then := n.findings(ledger.FindingFilter{AsOf: first.ID})
		if len(then) != 1 || then[0].Status != schema.Open || then[0].Assignee != "" || len(n.told(f, first.ID)) != 1 {
			t.Errorf("as of the first night: %+v", then)
		}
		today := n.findings(ledger.FindingFilter{Status: schema.Accepted})
		if len(today) != 1 || today[0].Assignee != "bob" || len(n.told(f, 0)) != 3 {
			t.Errorf("now: %+v", today)
		}
		if got := n.findings(ledger.FindingFilter{Status: schema.Accepted, AsOf: first.ID}); len(got) != 0 {
			t.Errorf("accepted on the first night: %+v", got)
		}
	})
	t.Run("OfAllFindingsIsOrderedByFinding", func(t *testing.T) {
		n := newNights(t)
		n.save(ledger.FindingSet{}, drift("a", 900), drift("b", 900))
		n.save(ledger.FindingSet{}, drift("a", 800))
		got := all(t, n.History(t.Context(), 0, nil))
		if len(got) != 4 {
			t.Fatalf("%+v", got)
		}
		for i := 1; i < len(got); i++ {
			if got[i-1].FindingID > got[i].FindingID || got[i-1].FindingID == got[i].FindingID && got[i-1].Run > got[i].Run {
				t.Errorf("%v stands before %v", got[i-1], got[i])
			}
		}
	})
}

func TestDecide(t *testing.T) {
	f := drift("card", 900)
	bob := schema.Decision{Action: schema.Assign, Assignee: "bob"}
	for name, c := range map[string]struct {
		before  []schema.FindingAction
		gone    bool
		said    schema.Decision
		refused string
	}{
		"AcceptNeedsAReason":          {nil, false, schema.Decision{Action: schema.Accept}, "it needs a reason"},
		"ReopenNeedsAReason":          {[]schema.FindingAction{schema.Accept}, false, schema.Decision{Action: schema.Reopen}, "it needs a reason"},
		"AssignNeedsAName":            {nil, false, schema.Decision{Action: schema.Assign}, "it does not say to whom"},
		"AnAcceptedIsNotAcknowledged": {[]schema.FindingAction{schema.Accept}, false, schema.Decision{Action: schema.Acknowledge}, "it is accepted; reopen it first"},
		"AResolvedIsNotAcknowledged":  {nil, true, schema.Decision{Action: schema.Acknowledge}, "it is resolved; it opens by itself when it is found again"},
		"AResolvedIsNotAccepted":      {nil, true, schema.Decision{Action: schema.Accept, Note: "x"}, "it is resolved; it opens by itself when it is found again"},
		"AResolvedIsNotReopened":      {nil, true, schema.Decision{Action: schema.Reopen, Note: "x"}, "it is resolved; it opens by itself when it is found again"},
		"AResolvedIsNotAssigned":      {nil, true, bob, "it is resolved; it opens by itself when it is found again"},
		"OnlyAProposalIsConfirmed":    {nil, false, schema.Decision{Action: schema.ConfirmMatch}, "it proposes no top-up"},
		"OnlyAProposalIsRefused":      {nil, false, schema.Decision{Action: schema.RefuseMatch}, "it proposes no top-up"},
		"AnUnknownAction":             {nil, false, schema.Decision{Action: "ignore"}, `"ignore" is no action`},
		"AnActionOfTheChecks":         {nil, false, schema.Decision{Action: schema.FindingResolved}, `"resolved" is no action`},
		"ALongName":                   {nil, false, schema.Decision{Action: schema.Acknowledge, By: strings.Repeat("é", schema.MaxName+1)}, "a name is longer than 100 characters"},
		"ALongAssignee":               {nil, false, schema.Decision{Action: schema.Assign, Assignee: strings.Repeat("é", schema.MaxName+1)}, "a name is longer than 100 characters"},
		"ALongNote":                   {nil, false, schema.Decision{Action: schema.Acknowledge, Note: strings.Repeat("é", schema.MaxNote+1)}, "the note is longer than 4000 characters"},
		"AnUnknownFinding":            {nil, false, schema.Decision{FindingID: "F-none", Action: schema.Acknowledge}, "there is no such finding"},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNights(t)
			n.save(ledger.FindingSet{}, f)
			for _, action := range c.before {
				n.say(schema.Decision{FindingID: f.ID(), Action: action, By: "ann", Note: "because"})
			}
			if c.gone {
				n.save(ledger.FindingSet{})
			}
			if c.said.FindingID == "" {
				c.said.FindingID = f.ID()
			}
			if c.said.By == "" {
				c.said.By = "ann"
			}
			before := rowsStored(t, n.path)["finding_events"]
			if got := n.say(c.said); got.Refused != c.refused || got.Changed {
				t.Errorf("%+v", got)
			}
			if after := rowsStored(t, n.path)["finding_events"]; after != before {
				t.Errorf("it left %d events", after-before)
			}
			verify(t, n.Ledger)
		})
	}
	t.Run("WhoDecidesIsNeeded", func(t *testing.T) {
		n := newNights(t)
		n.save(ledger.FindingSet{}, f)
		if got := n.say(schema.Decision{FindingID: f.ID(), Action: schema.Acknowledge}); got.Refused != "it does not say who decides" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("JudgeSaysWhatDecideWouldDoAndStoresNothing", func(t *testing.T) {
		n := newNights(t)
		n.save(ledger.FindingSet{}, f)
		decisions := []schema.Decision{
			{FindingID: f.ID(), Action: schema.Acknowledge, By: "ann"},
			{FindingID: f.ID(), Action: schema.Accept, By: "ann", Note: "because"},
			{FindingID: f.ID(), Action: schema.Acknowledge, By: "ann"},
		}
		before := rowsStored(t, n.path)
		judged, err := n.Judge(t.Context(), decisions)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "rows", rowsStored(t, n.path), before)
		run := start(t, n.Ledger, schema.ReviewRun)
		done, err := n.Decide(t.Context(), run.ID, decisions)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "done", done, judged)
		if !done[0].Changed || done[1].Status != schema.Accepted || done[1].Finding.Status != schema.Acknowledged || done[2].Refused == "" {
			t.Errorf("%+v", done)
		}
	})
	t.Run("TheSameDispositionIsAppliedOnce", func(t *testing.T) {
		n := newNights(t)
		n.save(ledger.FindingSet{}, f)
		d := schema.Decision{FindingID: f.ID(), Action: schema.Accept, By: "ann", Note: "because", Origin: "a.xlsx"}
		d.Digest = schema.DispositionDigest(d, "10.00", "9.00", "")
		if got := n.say(d); !got.Changed {
			t.Fatalf("%+v", got)
		}
		n.say(schema.Decision{FindingID: f.ID(), Action: schema.Reopen, By: "bob", Note: "no"})
		got := n.say(d)
		if got.Changed || got.Refused != "" || got.Before == nil || got.Before.By != "ann" || got.Status != schema.Open {
			t.Errorf("%+v", got)
		}
	})
}

func TestMatches(t *testing.T) {
	p := proposal("R-1")
	codes := []schema.FindingCode{schema.OrphanTopUp}
	set := ledger.FindingSet{Codes: codes}
	decided := func(n *nights, asOf int64) []string {
		var lines []string
		for _, m := range all(n.T, n.View(asOf).Matches.Matches(n.Context())) {
			lines = append(lines, fmt.Sprintf("%s %s %s %s", m.Source, m.Reference, m.EntryID, m.Basis()))
		}
		return lines
	}
	t.Run("AConfirmedProposalIsAMatchFromThenOn", func(t *testing.T) {
		n := newNights(t)
		first, _ := n.save(set, p)
		if got := decided(n, 0); got != nil {
			t.Fatalf("before: %v", got)
		}
		if got := n.say(schema.Decision{FindingID: p.ID(), Action: schema.ConfirmMatch, By: "ann", Note: "asked"}); got.Status != schema.Acknowledged || !got.Changed {
			t.Errorf("%+v", got)
		}
		same(t, "now", decided(n, 0), []string{"bitnob-main R-1 bitnob-main/top-R-1 confirmed by ann"})
		same(t, "as of the night before", decided(n, first.ID), nil)
		if got := n.say(schema.Decision{FindingID: p.ID(), Action: schema.ConfirmMatch, By: "ann", Note: "asked"}); got.Changed {
			t.Errorf("confirmed twice: %+v", got)
		}
		verify(t, n.Ledger)
	})
	t.Run("ADecisionCanBeTakenBackAlsoAfterItsFindingIsGone", func(t *testing.T) {
		n := newNights(t)
		n.save(set, p)
		n.say(schema.Decision{FindingID: p.ID(), Action: schema.ConfirmMatch, By: "ann"})
		n.save(set)
		if got := n.say(schema.Decision{FindingID: p.ID(), Action: schema.RefuseMatch, By: "bob"}); got.Refused != "" || got.Status != schema.Resolved {
			t.Errorf("%+v", got)
		}
		same(t, "refused", decided(n, 0), []string{"bitnob-main R-1 bitnob-main/top-R-1 refused by bob"})
		ordinary := p // what the checks then say
		ordinary.EntryID, ordinary.Severity = "", schema.High
		n.save(set, ordinary)
		if got := n.say(schema.Decision{FindingID: p.ID(), Action: schema.ConfirmMatch, By: "ann"}); got.Refused != "" {
			t.Errorf("%+v", got)
		}
		same(t, "confirmed", decided(n, 0), []string{"bitnob-main R-1 bitnob-main/top-R-1 confirmed by ann"})
	})
	t.Run("AProposalThatIsGoneIsNotDecided", func(t *testing.T) {
		n := newNights(t)
		n.save(set, p)
		n.save(set)
		if got := n.say(schema.Decision{FindingID: p.ID(), Action: schema.ConfirmMatch, By: "ann"}); got.Refused == "" {
			t.Errorf("%+v", got)
		}
	})
}

func TestLinks_AreListed(t *testing.T) {
	l := fresh(t)
	run := start(t, l, schema.SyncRun)
	g := group(run, entry("a", 1, schema.Pending), entry("c", 1, schema.Posted), entry("x", 1, schema.Pending))
	g.Batch.Links = []schema.Link{{From: "a", To: "c", Basis: schema.Cleared}, {From: "x", To: "y", Basis: schema.Reverses}}
	commit(t, l, g)
	finish(t, l, run)
	cleared := ledger.Link{Source: "bill-main", From: "bill-main/a", To: "bill-main/c", Basis: schema.Cleared, Run: run.ID}
	reverses := ledger.Link{Source: "bill-main", From: "bill-main/x", To: "bill-main/y", Basis: schema.Reverses, Run: run.ID}
	for name, c := range map[string]struct {
		entries []string
		want    []ledger.Link
	}{
		"all":                                {nil, []ledger.Link{cleared, reverses}},
		"of either end":                      {[]string{"bill-main/a", "bill-main/c"}, []ledger.Link{cleared}},
		"of a row that is not in the ledger": {[]string{"bill-main/y"}, []ledger.Link{reverses}},
		"of another source":                  {[]string{"slash-main/a"}, nil},
	} {
		got, err := l.Links(t.Context(), 0, c.entries)
		if err != nil {
			t.Fatal(err)
		}
		same(t, name, got, c.want)
	}
}

func TestFindingIDs(t *testing.T) {
	n := newNights(t)
	f := drift("card", 900)
	n.save(ledger.FindingSet{}, f, drift("other", 900))
	id := f.ID()
	for prefix, want := range map[string]int{id: 1, id[:8]: 1, id[2:]: 1, strings.ToUpper(id[:6]): 1, "": 2, "F-": 2, id + "0": 0, "F-zz": 0, "%": 0} {
		got, err := n.FindingIDs(t.Context(), prefix)
		if err != nil || len(got) != want {
			t.Errorf("%q: %v %v", prefix, got, err)
		}
	}
}
