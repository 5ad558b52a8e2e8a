package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

var serveDays = flag.Int("serve.days", 24, "how many days TestServe_ThroughNightsOff lives")

// serving is the loop of `serve` in a zone, on a clock that the test moves, with nights that read nothing: each records what a night
// that read all business days since the last one would.
type serving struct {
	*testing.T
	*watch
	site   *site
	zone   *time.Location
	dice   *rand.Rand
	clock  time.Time
	rings  int
	nights map[string]int // by how they ended
}

var errKilled = errors.New("killed")

// start is the program being started.
func (s *serving) start() {
	s.Helper()
	s.watch = newWatch(s.T, s.site)
	s.watch.app.job = s.night
}

// night records the runs of a night, and covers the business days that no night before it covered.
func (s *serving) night(ctx context.Context, p *pipeline.Pipeline) (pipeline.NightlyResult, error) {
	var result pipeline.NightlyResult
	begin := func(kind schema.RunKind) (schema.Run, error) {
		return p.Ledger.StartRun(ctx, schema.Run{Kind: kind, Whole: true, StartedAt: p.Now()})
	}
	run, err := begin(schema.SyncRun)
	if err != nil {
		return result, err
	}
	result.RunID, result.Status = run.ID, schema.Complete
	s.clock = s.clock.Add(time.Duration(1+s.dice.IntN(40)) * time.Minute)
	s.at(s.clock)
	switch s.dice.IntN(20) {
	case 0:
		s.nights["killed"]++
		s.watch.cancel()
		return result, errKilled
	case 1, 2:
		s.nights["partial"]++
		result.Status = schema.Partial
	default:
		s.nights["complete"]++
		if err := s.cover(ctx, p, run); err != nil {
			return result, err
		}
	}
	run.Status = result.Status
	if _, err := p.Ledger.FinishRun(ctx, run); err != nil {
		return result, err
	}
	for _, kind := range []schema.RunKind{schema.ReconcileRun, schema.ReportRun} {
		run, err := begin(kind)
		if err != nil {
			return result, err
		}
		run.Status = schema.Complete
		if _, err := p.Ledger.FinishRun(ctx, run); err != nil {
			return result, err
		}
	}
	return result, nil
}

func (s *serving) cover(ctx context.Context, p *pipeline.Pipeline, run schema.Run) error {
	source := p.Sources[0]
	covered, err := p.Ledger.Coverage(ctx, source.Name, schema.Transactions, source.Scope)
	if err != nil {
		return err
	}
	from := source.Start
	if n := len(covered); n > 0 {
		from = covered[n-1].To
	}
	today := s.config.Schedule.Cron.Latest(run.StartedAt).In(s.zone) // of the moment that the night answers, however late it is
	w := schema.Window{From: from, To: schema.StartOfDay(today.Year(), today.Month(), today.Day(), s.zone)}
	if !w.From.Before(w.To) {
		s.Errorf("the night of %s was run, and every business day before it was covered", today)
		return nil
	}
	_, err = p.Ledger.Commit(ctx, ledger.Group{
		Run: run.ID, Source: source.Name, Provider: source.Provider, Stream: schema.Transactions,
		Completeness: &schema.Completeness{
			Source: source.Name, Stream: schema.Transactions, Scope: source.Scope, Window: w, Verdict: schema.VerdictComplete, Total: -1, RecordedAt: p.Now(),
		},
	})
	return err
}

// live is time going by until an instant: it rings at each moment of the cron line, twice, and in between when it likes; now and
// then the machine is off, or the program is started again.
func (s *serving) live(end time.Time) {
	for s.clock.Before(end) {
		switch s.dice.IntN(40) {
		case 0: // off, with a loop that sleeps along
			s.clock = s.clock.Add(time.Duration(s.dice.IntN(96*60)) * time.Minute)
		case 1: // the same, and started again
			if err := s.stop(s.T); err != nil {
				s.Fatal(err)
			}
			s.clock = s.clock.Add(time.Duration(s.dice.IntN(96*60)) * time.Minute)
			s.start()
		default:
			next := s.clock.Add(time.Duration(1+s.dice.IntN(11*60)) * time.Minute)
			if tick := s.config.Schedule.Cron.Next(s.clock); tick.Before(next) {
				next = tick
			}
			s.clock = next
		}
		s.at(s.clock)
		for range 2 {
			s.rings++
			s.bell <- struct{}{}
			select {
			case <-s.idle:
			case err := <-s.ended: // killed in a night
				if !errors.Is(err, errKilled) {
					s.Fatal(err)
				}
				s.start()
				s.at(s.clock)
			}
		}
	}
}

// TestServe_ThroughNightsOff lives some weeks, or a year, of the loop of `serve`, over both days on which the clocks change, with the
// machine off for random nights: in the ledger's own account of what is complete, every business day was covered exactly once.
func TestServe_ThroughNightsOff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, from string }{
		{"America/New_York", "2026-02-27"}, {"America/New_York", "2026-10-20"}, {"Africa/Lagos", "2026-01-01"}, {"Asia/Kathmandu", "2026-01-01"}, {"UTC", "2026-01-01"},
	} {
		t.Run(strings.ReplaceAll(c.zone, "/", "-")+" from "+c.from, func(t *testing.T) {
			t.Parallel()
			zone, err := time.LoadLocation(c.zone)
			if err != nil {
				t.Fatal(err)
			}
			first, err := time.ParseInLocation(time.DateOnly, c.from, zone)
			if err != nil {
				t.Fatal(err)
			}
			s := &serving{T: t, site: &site{dir: t.TempDir()}, zone: zone, dice: rand.New(rand.NewPCG(uint64(len(c.zone)), 5)), clock: first.AddDate(0, 0, 1), nights: map[string]int{}}
			config := fmt.Sprintf("entity: Acme\ntimezone: %s\nschedule: {nightly: \"CRON_TZ=%[1]s 30 2 * * *\", jitter: 20m}\n"+
				"sources:\n  - {name: bill-main, provider: bill, base_url: \"http://127.0.0.1:9\", credential: {file: key}, start_date: %s}\n", c.zone, c.from)
			if err := errors.Join(os.WriteFile(filepath.Join(s.site.dir, "tieout.yaml"), []byte(config), 0o600), os.WriteFile(filepath.Join(s.site.dir, "key"), []byte("k"), 0o600)); err != nil {
				t.Fatal(err)
			}
			end := first.AddDate(0, 0, *serveDays)
			s.start()
			s.live(end)
			if err := s.stop(t); err != nil {
				t.Error(err)
			}
			s.coveredOnce(first, end)
			t.Logf("%d days, %d rings, nights: %v", *serveDays, s.rings, s.nights)
		})
	}
}

// coveredOnce asks the ledger for the windows of the nights, and `tieout coverage` for what it makes of them.
func (s *serving) coveredOnce(first, end time.Time) {
	s.Helper()
	var windows []schema.Window
	err := s.app.read(s.Context(), s.config, func(_ Config, p *pipeline.Pipeline) error {
		for c, err := range p.View(0).Completeness.Completeness(s.Context()) {
			if err != nil {
				return err
			}
			windows = append(windows, c.Window)
		}
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
	days := 0
	for day := first; day.Before(end.AddDate(0, 0, -7)); day = day.AddDate(0, 0, 1) { // the last ones may still be owed
		days++
		times := 0
		for _, w := range windows {
			if w.Contains(day) && !w.To.Before(day.AddDate(0, 0, 1)) {
				times++
			}
		}
		if times != 1 {
			s.Errorf("%s was covered %d times", day.Format(time.DateOnly), times)
		}
	}
	if days < *serveDays-8 || len(windows) != s.nights["complete"] {
		s.Errorf("%d days, %d windows, nights %v", days, len(windows), s.nights)
	}
	var lines []streamCoverage
	said := s.site.must(s.T, "--now", s.clock.UTC().Format(time.RFC3339), "coverage", "--json")
	if err := json.Unmarshal([]byte(said), &lines); err != nil {
		s.Fatal(err)
	}
	for _, l := range lines {
		if l.Stream == schema.Transactions && (len(l.Complete) != 1 || !l.Complete[0].From.Equal(first) || len(l.Missing) > 1) {
			s.Errorf("coverage: complete %v, missing %v", l.Complete, l.Missing)
		}
	}
}
