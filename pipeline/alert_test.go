package pipeline_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// told is a ledger whose runs the test writes by itself, night after night, and a channel that is told of them.
type told struct {
	*testing.T
	l     *ledger.Ledger
	p     *pipeline.Pipeline
	at    time.Time
	rules pipeline.AlertRules

	chosen bool // runs are of some sources only
}

func newTold(t *testing.T) *told {
	t.Helper()
	d := &told{T: t, at: now, rules: pipeline.AlertRules{Channel: "mail", Severity: schema.High, Silence: 36 * time.Hour}}
	l, err := ledger.Open(t.Context(), ledger.Config{Path: filepath.Join(t.TempDir(), "tieout.db"), Now: func() time.Time { return d.at }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p, err := pipeline.New(pipeline.Config{
		Ledger: l, Entity: "Acme", Zone: time.UTC, Now: func() time.Time { return d.at }, Elapsed: func() time.Duration { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	d.l, d.p = l, p
	return d
}

// run records a run that ended so; running: it was killed.
func (d *told) run(kind schema.RunKind, status schema.RunStatus, during ...func(schema.Run)) int64 {
	d.Helper()
	run, err := d.l.StartRun(d.Context(), schema.Run{Kind: kind, StartedAt: d.at, Whole: !d.chosen})
	if err != nil {
		d.Fatal(err)
	}
	for _, do := range during {
		do(run)
	}
	if status != schema.Running {
		if run.Status = status; status != schema.Complete {
			run.Error = "it went wrong"
		}
		if _, err := d.l.FinishRun(d.Context(), run); err != nil {
			d.Fatal(err)
		}
	}
	return run.ID
}

// night records the three runs of a night after a sync that ended so, with what its checks found.
func (d *told) night(sync schema.RunStatus, found ...schema.Finding) pipeline.NightlyResult {
	d.Helper()
	result := pipeline.NightlyResult{ReadResult: pipeline.ReadResult{RunID: d.run(schema.SyncRun, sync), Status: sync}, Conclusion: "COMPLETE"}
	d.run(schema.ReconcileRun, schema.Complete, func(run schema.Run) {
		set := ledger.FindingSet{
			Run: run.ID, Period: schema.Window{From: now.AddDate(0, -1, 0), To: now.AddDate(0, 1, 0)}, Codes: []schema.FindingCode{schema.UnknownCard}, Findings: found,
		}
		if _, err := d.l.SaveFindings(d.Context(), set); err != nil {
			d.Fatal(err)
		}
	})
	d.run(schema.ReportRun, schema.Complete)
	return result
}

func finding(severity schema.Severity, message string) schema.Finding {
	return schema.Finding{Code: schema.UnknownCard, Source: "one", Subject: "card", Severity: severity, SubjectAt: now, Message: message}
}

// alert is what the channel is to be told; nil: nothing.
func (d *told) alert(night pipeline.NightlyResult, failure error) *pipeline.Alert {
	d.Helper()
	a, due, err := d.p.Alert(d.Context(), d.rules, night, failure)
	if err != nil {
		d.Fatal(err)
	}
	if !due {
		return nil
	}
	return &a
}

// takes is alert, of which the channel takes what there is.
func (d *told) takes(night pipeline.NightlyResult) *pipeline.Alert {
	d.Helper()
	a := d.alert(night, nil)
	if a != nil {
		d.record(a, nil)
	}
	return a
}

func (d *told) record(a *pipeline.Alert, delivery error) {
	d.Helper()
	if err := d.p.RecordAlert(d.Context(), *a, delivery); err != nil {
		d.Fatal(err)
	}
}

func (d *told) nextDay() { d.at = d.at.Add(24 * time.Hour) }

func TestAlert_AFindingIsNews(t *testing.T) {
	decide := func(d *told, action schema.FindingAction) {
		d.Helper()
		decision := schema.Decision{FindingID: finding(schema.High, "").ID(), Action: action, By: "ann", Note: "as agreed"}
		_, decided, err := d.p.Decide(d.Context(), []schema.Decision{decision}, true)
		if err != nil || len(decided) != 1 || !decided[0].Changed {
			d.Fatalf("%+v %v", decided, err)
		}
	}
	for name, c := range map[string]struct {
		first, then []schema.Finding // of the night before, and of this one
		between     func(*told)
		want        int
	}{
		"WhenItIsFound":        {nil, []schema.Finding{finding(schema.High, "x")}, nil, 1},
		"NotWhenItPersists":    {[]schema.Finding{finding(schema.High, "x")}, []schema.Finding{finding(schema.High, "y")}, nil, 0},
		"NotWhenItIsLess":      {nil, []schema.Finding{finding(schema.Medium, "x")}, nil, 0},
		"WhenItBecameAsSevere": {[]schema.Finding{finding(schema.Low, "x")}, []schema.Finding{finding(schema.High, "x")}, nil, 1},
		"WhenItIsFoundAgainAfterANightThatToldNothing": {
			[]schema.Finding{finding(schema.High, "x")},
			[]schema.Finding{finding(schema.High, "x")},
			func(d *told) {
				if a := d.takes(d.night(schema.Complete)); a != nil {
					d.Errorf("that it was found no more was told: %+v", a)
				}
			}, 1,
		},
		"WhenItWasAcceptedAndIsMoreSevere": {
			[]schema.Finding{finding(schema.Medium, "x")},
			[]schema.Finding{finding(schema.High, "x")},
			func(d *told) { decide(d, schema.Accept) }, 1,
		},
		"NotWhenItWasAcceptedAsItIs": {
			[]schema.Finding{finding(schema.High, "x")},
			[]schema.Finding{finding(schema.High, "x")},
			func(d *told) { decide(d, schema.Accept) }, 0,
		},
		"NotWhenAPersonReopensIt": {
			[]schema.Finding{finding(schema.High, "x")},
			[]schema.Finding{finding(schema.High, "x")},
			func(d *told) { decide(d, schema.Accept); decide(d, schema.Reopen) }, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newTold(t)
			other := finding(schema.High, "so that there is an alert before")
			other.Subject = "other"
			d.takes(d.night(schema.Complete, append(c.first, other)...))
			if c.between != nil {
				d.nextDay()
				c.between(d)
			}
			d.nextDay()
			a := d.alert(d.night(schema.Complete, append(c.then, other)...), nil)
			got := 0
			if a != nil {
				for _, f := range a.Findings {
					if f.ID == finding(schema.High, "").ID() {
						got++
					}
				}
			}
			if got != c.want {
				t.Errorf("%+v, want %d", a, c.want)
			}
		})
	}
}

func TestAlert_TellsARunThatWentWrong(t *testing.T) {
	t.Run("OnceAsLongAsItIsTheSame", func(t *testing.T) {
		d := newTold(t)
		d.night(schema.Complete)
		d.nextDay()
		if d.takes(d.night(schema.Partial)) == nil {
			t.Error("the first was not told")
		}
		d.at = d.at.Add(time.Hour)
		if a := d.takes(d.night(schema.Partial)); a != nil {
			t.Errorf("the second was told: %+v", a)
		}
		d.at = d.at.Add(time.Hour)
		if d.takes(d.night(schema.FailedRun)) == nil {
			t.Error("that it got worse was not told")
		}
	})
	t.Run("LaterWhereItCouldNotBeToldThen", func(t *testing.T) {
		d := newTold(t)
		d.takes(d.night(schema.Complete, finding(schema.High, "x")))
		d.nextDay()
		a := d.alert(d.night(schema.FailedRun, finding(schema.High, "x")), nil)
		d.record(a, errors.New("no network"))
		d.at = d.at.Add(time.Hour)
		a = d.alert(d.night(schema.Complete, finding(schema.High, "x")), nil)
		if a == nil || len(a.Failures) != 1 || !strings.Contains(a.Text, "was failed: it went wrong; a later one was complete") {
			t.Errorf("%+v", a)
		}
	})
	t.Run("ThatWasKilled", func(t *testing.T) {
		d := newTold(t)
		d.takes(d.night(schema.Complete, finding(schema.High, "x")))
		d.nextDay()
		d.run(schema.SyncRun, schema.Running)
		if a := d.alert(d.night(schema.Complete, finding(schema.High, "x")), nil); a == nil || !strings.Contains(a.Text, "was interrupted") {
			t.Errorf("%+v", a)
		}
	})
	t.Run("ThatNoRunRecorded", func(t *testing.T) {
		d := newTold(t)
		d.takes(d.night(schema.Complete, finding(schema.High, "x")))
		if a := d.alert(pipeline.NightlyResult{}, errors.New("no room is left for the ledger")); a == nil || !strings.Contains(a.Text, "no room is left") || !strings.Contains(a.Text, "no report could be made") {
			t.Errorf("%+v", a)
		}
	})
	t.Run("NotFromTheTimeBeforeAnybodyWasTold", func(t *testing.T) {
		d := newTold(t)
		d.night(schema.FailedRun)
		d.nextDay()
		if a := d.alert(d.night(schema.Complete), nil); a != nil {
			t.Errorf("%+v", a)
		}
	})
}

func TestAlert_TellsSilence(t *testing.T) {
	d := newTold(t)
	d.rules.SilenceOnly = true
	d.night(schema.Complete)
	start := d.at
	for _, c := range []struct {
		hours time.Duration
		told  bool
	}{{24, false}, {36, false}, {37, true}, {38, false}, {71, false}, {72, true}, {100, false}, {109, true}} {
		d.at = start.Add(c.hours * time.Hour)
		a := d.takes(pipeline.NightlyResult{})
		if (a != nil) != c.told {
			t.Errorf("after %d hours: %+v", c.hours, a)
		}
		if a != nil && (a.SilentFrom == nil || !a.SilentFrom.Equal(start) || !strings.Contains(a.Subject, "no complete night since ")) {
			t.Errorf("after %d hours: %+v", c.hours, a)
		}
	}
	t.Run("UntilANightIsComplete", func(t *testing.T) {
		d.night(schema.Complete)
		d.at = d.at.Add(30 * time.Hour)
		if a := d.takes(pipeline.NightlyResult{}); a != nil {
			t.Errorf("%+v", a)
		}
	})
	t.Run("SinceTheFirstRunWhereNoNightEverWasComplete", func(t *testing.T) {
		d := newTold(t)
		start := d.at
		d.night(schema.FailedRun)
		d.at = start.Add(37 * time.Hour)
		if a := d.alert(pipeline.NightlyResult{}, nil); a == nil || a.SilentFrom == nil || !a.SilentFrom.Equal(start) {
			t.Errorf("%+v", a)
		}
	})
	t.Run("AlsoWhereSyncsAreCompleteAndReportsAreNot", func(t *testing.T) {
		d.at = d.at.Add(30 * time.Hour)
		d.run(schema.SyncRun, schema.Complete)
		d.run(schema.ReportRun, schema.FailedRun)
		if a := d.takes(pipeline.NightlyResult{}); a == nil || len(a.Failures) != 1 {
			t.Errorf("%+v", a)
		}
	})
}

// TestAlert_HasAStableID delivers an alert that cannot be recorded: it is told once more, under the same id.
func TestAlert_HasAStableID(t *testing.T) {
	d := newTold(t)
	first := d.alert(d.night(schema.Complete, finding(schema.High, "x")), nil)
	d.nextDay()
	again := d.alert(d.night(schema.Complete, finding(schema.High, "x")), nil)
	if first == nil || again == nil || first.ID != again.ID || first.Root == again.Root {
		t.Errorf("%+v\n%+v", first, again)
	}
	d.rules.Channel = "webhook"
	if other := d.alert(pipeline.NightlyResult{}, nil); other == nil || other.ID == again.ID {
		t.Errorf("%+v", other)
	}
}

func TestAlert_HoldsNoCardNumberAndNothingThatMovesACursor(t *testing.T) {
	d := newTold(t)
	a := d.alert(d.night(schema.Complete, finding(schema.High, "the reference 4111 1111 1111 1111 of \u202eEvil\x1b[2J")), errors.New("line 5: 4111111111111111"))
	if a == nil || strings.Contains(strings.ReplaceAll(a.Text, " ", ""), "4111111111111111") || strings.Contains(a.Failures[0].Error, "1111") || strings.ContainsAny(a.Text, "\x1b\u202e") {
		t.Errorf("%+v", a)
	}
}

// TestAlert_RunsOfSomeSources neither end a silence nor make good what a night could not read.
func TestAlert_RunsOfSomeSources(t *testing.T) {
	d := newTold(t)
	d.takes(d.night(schema.Complete))
	d.nextDay()
	if a := d.takes(d.night(schema.Partial)); a == nil {
		t.Fatal("a partial night was not told of")
	}
	d.nextDay()
	d.chosen = true
	d.night(schema.Complete)
	a := d.alert(pipeline.NightlyResult{}, nil)
	if a == nil || a.SilentFrom == nil || !a.SilentFrom.Equal(now) || len(a.Failures) != 1 || strings.Contains(a.Failures[0].Error, "a later one was complete") {
		t.Errorf("%+v", a)
	}
}
