// Package metrics writes what a ledger says of its runs and findings in Prometheus' text format, for the textfile collector
// of the node exporter: a batch job is not there to be scraped.
package metrics

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// Facts are what is written.
type Facts struct {
	Entity   string // a label of everything where there are several; else empty
	Version  string
	Runs     []schema.Run          // newest first; each kind needs its last run and its last complete one
	Readings []schema.Completeness // every window that was read
	Night    time.Time             // when the sync of the last complete night ended; zero: there was none
	Findings []schema.Finding      // open and acknowledged ones
	Codes    []schema.FindingCode  // of all checks, also of those that found nothing
}

// Write writes the facts. Instants are Unix seconds, amounts decimal major units of their currency.
func Write(w io.Writer, f Facts) error {
	p := &page{Writer: bufio.NewWriter(w)}
	if f.Entity != "" {
		p.common = labels{"entity", f.Entity}
	}
	p.family("tieout_info", "Version of tieout that wrote this file.")
	p.sample("tieout_info", labels{"version", f.Version}, "1")
	p.runs(f.Runs, f.Night)
	p.readings(f.Readings)
	p.findings(f.Findings, f.Codes)
	return p.Flush()
}

// labels are names and values in turn.
type labels []string

type page struct {
	*bufio.Writer
	common labels
}

func (p *page) family(name, help string) {
	fmt.Fprintf(p, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name)
}

func (p *page) sample(name string, l labels, value string) {
	l = slices.Concat(p.common, l)
	var pairs []string
	for i := 0; i < len(l); i += 2 {
		pairs = append(pairs, l[i]+`="`+strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(l[i+1])+`"`)
	}
	fmt.Fprintf(p, "%s{%s} %s\n", name, strings.Join(pairs, ","), value)
}

func seconds(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

func (p *page) runs(runs []schema.Run, night time.Time) {
	last, success := map[string]schema.Run{}, map[string]schema.Run{}
	for _, r := range runs {
		if r.FinishedAt.IsZero() {
			continue
		}
		kind := string(r.Kind)
		if _, ok := last[kind]; !ok {
			last[kind] = r
		}
		if _, ok := success[kind]; !ok && r.Status == schema.Complete && (r.Whole || !stepOfNight(r.Kind)) {
			success[kind] = r
		}
	}
	p.family("tieout_last_success_timestamp_seconds", "When the last complete run of a kind ended: of all sources or the default period; night: sync, reconcile and report.")
	if !night.IsZero() {
		p.sample("tieout_last_success_timestamp_seconds", labels{"kind", "night"}, seconds(night))
	}
	for _, kind := range slices.Sorted(maps.Keys(success)) {
		p.sample("tieout_last_success_timestamp_seconds", labels{"kind", kind}, seconds(success[kind].FinishedAt))
	}
	p.family("tieout_last_run_timestamp_seconds", "When the last run of a kind ended, however it ended.")
	for _, kind := range slices.Sorted(maps.Keys(last)) {
		p.sample("tieout_last_run_timestamp_seconds", labels{"kind", kind, "status", string(last[kind].Status)}, seconds(last[kind].FinishedAt))
	}
	p.family("tieout_last_run_duration_seconds", "How long the last run of a kind took.")
	for _, kind := range slices.Sorted(maps.Keys(last)) {
		took := last[kind].FinishedAt.Sub(last[kind].StartedAt).Seconds()
		p.sample("tieout_last_run_duration_seconds", labels{"kind", kind}, strconv.FormatFloat(took, 'f', -1, 64))
	}
}

// stepOfNight says whether runs of a kind can be a step of a night; of these only whole ones are a success to wait for.
func stepOfNight(k schema.RunKind) bool {
	return k == schema.SyncRun || k == schema.ReconcileRun || k == schema.ReportRun
}

// stream is a stream of a source.
type stream struct{ source, stream string }

func (s stream) labels() labels { return labels{"source", s.source, "stream", s.stream} }

func (p *page) readings(all []schema.Completeness) {
	type reading struct{ run, pages, records, retries int64 }
	last, complete := map[stream]reading{}, map[stream]time.Time{}
	for _, c := range all {
		key := stream{c.Source, string(c.Stream)}
		if c.Verdict == schema.VerdictComplete && c.Window.To.After(complete[key]) {
			complete[key] = c.Window.To
		}
		r := last[key]
		if c.Run > r.run {
			r = reading{run: c.Run}
		}
		if c.Run == r.run {
			r.pages, r.records, r.retries = r.pages+c.Pages, r.records+c.Records, r.retries+c.Retries
			last[key] = r
		}
	}
	keys := slices.SortedFunc(maps.Keys(last), func(a, b stream) int {
		return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.stream, b.stream))
	})
	p.family("tieout_complete_to_timestamp_seconds", "The end of the latest window that was read whole.")
	for _, k := range keys {
		if to, ok := complete[k]; ok {
			p.sample("tieout_complete_to_timestamp_seconds", k.labels(), seconds(to))
		}
	}
	for _, figure := range []struct {
		name, help string
		of         func(reading) int64
	}{
		{"tieout_last_read_pages", "Pages of the last reading.", func(r reading) int64 { return r.pages }},
		{"tieout_last_read_rows", "Rows of the last reading.", func(r reading) int64 { return r.records }},
		{"tieout_last_read_retries", "Requests of the last reading that had to be made again.", func(r reading) int64 { return r.retries }},
	} {
		p.family(figure.name, figure.help)
		for _, k := range keys {
			p.sample(figure.name, k.labels(), strconv.FormatInt(figure.of(last[k]), 10))
		}
	}
}

func (p *page) findings(all []schema.Finding, codes []schema.FindingCode) {
	type kind struct{ code, severity string }
	counts := map[kind]int64{}
	for _, code := range codes {
		for _, severity := range []schema.Severity{schema.Low, schema.Medium, schema.High} {
			counts[kind{string(code), string(severity)}] = 0 // an alert on a series needs it before its first finding
		}
	}
	type book struct {
		source   string
		currency money.Currency
	}
	unexplained := map[book]*big.Int{}
	for _, f := range all {
		counts[kind{string(f.Code), string(f.Severity)}]++
		if f.Code == schema.BalanceDrift && f.Unexplained.Known() {
			b := book{f.Source, f.Unexplained.Currency()}
			if unexplained[b] == nil {
				unexplained[b] = new(big.Int)
			}
			minor := big.NewInt(f.Unexplained.Minor())
			unexplained[b].Add(unexplained[b], minor.Abs(minor))
		}
	}
	p.family("tieout_open_findings", "Findings that are open or acknowledged.")
	for _, k := range slices.SortedFunc(maps.Keys(counts), func(a, b kind) int { return cmp.Or(cmp.Compare(a.code, b.code), cmp.Compare(a.severity, b.severity)) }) {
		p.sample("tieout_open_findings", labels{"code", k.code, "severity", k.severity}, strconv.FormatInt(counts[k], 10))
	}
	p.family("tieout_unexplained_drift", "What no explanation covers of open balance drifts, summed without signs, in major units.")
	for _, b := range slices.SortedFunc(maps.Keys(unexplained), func(a, b book) int {
		return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.currency.Code(), b.currency.Code()))
	}) {
		digits := int32(b.currency.Digits())
		amount := decimal.NewFromBigInt(unexplained[b], -digits)
		p.sample("tieout_unexplained_drift", labels{"source", b.source, "currency", b.currency.Code()}, amount.StringFixed(digits))
	}
}
