package reports

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

func TestParseSample(t *testing.T) {
	for _, c := range []struct {
		text, seed string
		want       Sample
		err        string
	}{
		{"random", "", Sample{RandomSample, 25, ""}, ""},
		{"random:7", "x", Sample{RandomSample, 7, "x"}, ""},
		{"amount", "", Sample{AmountSample, 25, ""}, ""},
		{"amount:10000", "", Sample{AmountSample, 10_000, ""}, ""},
		{"largest:1", "", Sample{LargestSample, 1, ""}, ""},
		{"oldest", "", Sample{}, `sample "oldest": random, amount or largest, with the number of entries behind a colon: largest:40`},
		{"", "", Sample{}, `sample "": random, amount or largest, with the number of entries behind a colon: largest:40`},
		{"random:", "", Sample{}, `sample "random:": the number is from 1 to 10000`},
		{"random:0", "", Sample{}, `sample "random:0": the number is from 1 to 10000`},
		{"random:10001", "", Sample{}, `sample "random:10001": the number is from 1 to 10000`},
		{"random:3x", "", Sample{}, `sample "random:3x": the number is from 1 to 10000`},
		{"random", " x", Sample{}, "sample seed: at most 200 bytes, without spaces at its ends"},
		{"random", strings.Repeat("x", 201), Sample{}, "sample seed: at most 200 bytes, without spaces at its ends"},
	} {
		t.Run(c.text+"/"+c.seed[:min(len(c.seed), 2)], func(t *testing.T) {
			got, err := ParseSample(c.text, c.seed)
			if c.err != "" {
				if err == nil || err.Error() != c.err {
					t.Errorf("got %v, want %s", err, c.err)
				}
				return
			}
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// population is n counted entries of August in two currencies, one of them larger than all others together, and one that is
// not counted.
func population(t *testing.T, n int) (Input, []schema.Entry) {
	t.Helper()
	input, _ := august(t)
	var entries []schema.Entry
	for i := range n {
		amount := usd(-int64(i*7919%9973 + 1))
		if i%10 == 3 {
			amount = money.FromMinor(int64(i%50+1), in(t, "JPY"))
		}
		if i == n/2 {
			amount = usd(-90_000_000)
		}
		entries = append(entries, schema.Entry{
			Source: "s", ExternalID: fmt.Sprintf("e%05d", i), Kind: schema.Purchase, Status: schema.Posted, OccurredAt: input.Period.From.Add(time.Duration(i) * time.Minute), Amount: amount,
		})
	}
	declined := schema.Entry{Source: "s", ExternalID: "declined", Status: schema.Declined, OccurredAt: input.Period.From, Amount: usd(-1_000_000_000)}
	input.View = memory{entries: append([]schema.Entry{declined}, entries...)}.view()
	return input, entries
}

func drawnIDs(t *testing.T, in Input, s Sample) map[string][]string {
	t.Helper()
	in.Sample = s
	f, err := gather(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string][]string{}
	for _, d := range f.drawn {
		for _, i := range d.items {
			ids[d.currency.Code()] = append(ids[d.currency.Code()], i.ExternalID)
		}
	}
	return ids
}

func TestSample_RandomIsTheSmallestHashes(t *testing.T) {
	input, entries := population(t, 3000)
	got := drawnIDs(t, input, Sample{RandomSample, 12, "a seed"})
	for _, code := range []string{"USD", "JPY"} {
		var mine []schema.Entry
		for _, e := range entries {
			if e.Amount.Currency().Code() == code {
				mine = append(mine, e)
			}
		}
		rank := func(e schema.Entry) string {
			sum := sha256.Sum256([]byte("a seed:" + e.ID()))
			return hex.EncodeToString(sum[:])
		}
		slices.SortFunc(mine, func(a, b schema.Entry) int { return strings.Compare(rank(a), rank(b)) })
		var want []string
		for _, e := range mine[:12] {
			want = append(want, e.ExternalID)
		}
		slices.Sort(want) // the order of the sheet
		if diff := cmp.Diff(want, got[code]); diff != "" {
			t.Errorf("%s: %s", code, diff)
		}
	}
	if other := drawnIDs(t, input, Sample{RandomSample, 12, "another seed"}); slices.Equal(other["USD"], got["USD"]) {
		t.Error("another seed drew the same entries")
	}
}

func TestSample_LargestFirst(t *testing.T) {
	input, entries := population(t, 3000)
	got := drawnIDs(t, input, Sample{LargestSample, 5, ""})["USD"]
	var mine []schema.Entry
	for _, e := range entries {
		if e.Amount.Currency() == money.USD() {
			mine = append(mine, e)
		}
	}
	slices.SortStableFunc(mine, func(a, b schema.Entry) int {
		return int(a.Amount.Minor() - b.Amount.Minor()) // all are negative
	})
	var want []string
	for _, e := range mine[:5] {
		want = append(want, e.ExternalID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestSample_AmountIsReperformed draws again from what the sheet states, one minor unit after the other.
func TestSample_AmountIsReperformed(t *testing.T) {
	input, entries := population(t, 400)
	input.Sample = Sample{AmountSample, 10, "seed"}
	f, err := gather(t.Context(), input)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.drawn {
		var want []string
		var hits int64
		passed, point := new(big.Int), new(big.Int).Set(d.start)
		for _, e := range entries {
			if e.Amount.Currency() != d.currency {
				continue
			}
			passed.Add(passed, new(big.Int).Abs(big.NewInt(e.Amount.Minor())))
			n := 0
			for point.Cmp(passed) <= 0 && hits < 10 {
				n, hits = n+1, hits+1
				point.Add(point, d.interval)
			}
			if n > 0 {
				want = append(want, fmt.Sprint(e.ExternalID, " ", n))
			}
		}
		var got []string
		for _, i := range d.items {
			got = append(got, fmt.Sprint(i.ExternalID, " ", i.hits))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", d.currency, diff)
		}
		if hits != 10 || passed.Cmp(d.value) != 0 || d.start.Sign() <= 0 || d.start.Cmp(d.interval) > 0 {
			t.Errorf("%s: %d points, value %s of %s, start %s, interval %s", d.currency, hits, d.value, passed, d.start, d.interval)
		}
	}
	if len(f.drawn) != 2 {
		t.Errorf("%d currencies", len(f.drawn))
	}
}

func TestSample_OfASmallPopulationIsAllOfIt(t *testing.T) {
	input, entries := population(t, 30)
	for _, method := range []SampleMethod{RandomSample, LargestSample} {
		got := drawnIDs(t, input, Sample{method, 100, ""})
		if n := len(got["USD"]) + len(got["JPY"]); n != len(entries) {
			t.Errorf("%s: %d of %d", method, n, len(entries))
		}
	}
	if got := drawnIDs(t, input, Sample{AmountSample, 10_000, ""}); len(got["JPY"]) != 3 {
		t.Errorf("more points than minor units must hit every entry: %v", got)
	}
}

func TestSample_SeedFollowsFromThePeriodAndTheRun(t *testing.T) {
	input, _ := population(t, 1)
	seeds := map[string]bool{}
	for _, run := range []int64{8, 8, 9} {
		f := facts{Input: input}
		f.AsOf.ID = run
		seeds[f.sampleSeed()] = true
	}
	f := facts{Input: input}
	f.Period.To = f.Period.To.AddDate(0, 0, 1)
	seeds[f.sampleSeed()] = true
	f.Sample.Seed = "mine"
	seeds[f.sampleSeed()] = true
	if len(seeds) != 4 || !seeds["mine"] {
		t.Errorf("seeds: %v", seeds)
	}
}

func TestSample_OnTheSheet(t *testing.T) {
	input, _ := population(t, 400)
	input.Sample = Sample{AmountSample, 10, ""}
	dir, _ := written(t, input, "xlsx", "csv")
	w, err := excelize.OpenFile(filepath.Join(dir, workbookFile))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	list := w.GetSheetList()
	if diff := cmp.Diff([]string{"Changes", "Parameters", "Sample", "Legend"}, list[len(list)-4:]); diff != "" {
		t.Error(diff)
	}
	compareFormulas(t, w, map[string]int{sampleSheet: 6})
	rows, err := w.GetRows(sampleSheet)
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, row := range rows {
		text = append(text, strings.Join(row, "|"))
	}
	page := strings.Join(text, "\n")
	for _, want := range []string{"Method|amount:10", "Seed|" + (&facts{Input: input}).sampleSeed(), "Monetary-unit sampling", "Currency||Entries|Value||Drawn||Value drawn||Part of value|Interval|Random start\nJPY||40|"} {
		if !strings.Contains(page, want) {
			t.Errorf("lacks %s:\n%s", want, page)
		}
	}
	link, target, err := w.GetCellHyperLink(sampleSheet, "B16")
	if err != nil || !link || !strings.HasPrefix(target, "'Ledger'!A") {
		t.Errorf("no link to the entry: %t %s %v", link, target, err)
	}
	csv := files(t, dir)["sample.csv"]
	if lines := strings.Count(csv, "\r\n"); lines < 10 || !strings.HasPrefix(csv, "method,seed,currency,no,entry_id,") {
		t.Errorf("sample.csv: %s", csv)
	}
}
