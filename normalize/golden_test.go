package normalize

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/schema"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const goldenDir = "../testdata/normalize"

var receivedAt = time.Date(2026, 8, 6, 7, 0, 0, 0, time.UTC)

// goldenCase is a file of records with what the table of their provider makes of them beside it.
type goldenCase struct {
	About    string        `json:"about"`
	Stream   schema.Stream `json:"stream"`
	Category string        `json:"category"`
	Records  []struct {
		ID       string          `json:"id"` // where the payload names none
		Category string          `json:"category"`
		Unknown  []string        `json:"unknown"`
		Bad      string          `json:"malformed"`
		Payload  json.RawMessage `json:"payload"`
	} `json:"records"`
}

func TestFor(t *testing.T) {
	for _, provider := range schema.Providers() {
		cases, err := filepath.Glob(filepath.Join(goldenDir, string(provider), "*.json"))
		if err != nil || len(cases) == 0 {
			t.Fatalf("no cases for %s: %v", provider, err)
		}
		for _, file := range cases {
			t.Run(string(provider)+"/"+strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
				golden(t, strings.TrimSuffix(file, ".json")+".golden.txt", normalized(t, provider, file))
			})
		}
	}
}

func TestFor_RefusesAnUnknownProvider(t *testing.T) {
	if f, err := For("stripe"); err == nil || f != nil {
		t.Errorf("For(stripe) = %v, %v; want no function and an error", f != nil, err)
	}
}

// normalized is the batch of a case as aligned text.
func normalized(t *testing.T, provider schema.Provider, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var c goldenCase
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	var records []schema.Record
	for _, item := range c.Records {
		r := record(provider, c.Stream, item.Payload)
		r.Category = c.Category + item.Category
		r.Unknown, r.Malformed = item.Unknown, item.Bad
		if item.ID != "" {
			r.ExternalID = item.ID
		}
		records = append(records, r)
	}
	return c.About + "\n" + table(batch(t, provider, records))
}

// TestFor_ReadsWhatTheExtractorsYield feeds the golden records of the extractors to the normalizers, so that the two agree
// on names, types and nesting without importing each other.
func TestFor_ReadsWhatTheExtractorsYield(t *testing.T) {
	for _, provider := range schema.Providers() {
		files, err := filepath.Glob(filepath.Join(goldenDir, "..", string(provider), "*", "*", "records.golden.jsonl"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no records of %s: %v", provider, err)
		}
		for _, file := range files {
			dir := filepath.Dir(file)
			name := filepath.Base(filepath.Dir(dir)) + "-" + filepath.Base(dir)
			t.Run(string(provider)+"/"+name, func(t *testing.T) {
				data, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				var records []schema.Record
				for line := range bytes.Lines(data) {
					var r schema.Record
					if err := json.Unmarshal(line, &r); err != nil {
						t.Fatal(err)
					}
					records = append(records, r)
				}
				golden(t, filepath.Join(goldenDir, string(provider), "extracted-"+name+".golden.txt"), table(batch(t, provider, records)))
			})
		}
	}
}

// batch is what records become, the rejected ones among them.
func batch(t *testing.T, provider schema.Provider, records []schema.Record) schema.Batch {
	t.Helper()
	f := forProvider(t, provider)
	var b schema.Batch
	for _, r := range records {
		if err := f(r, &b); err != nil {
			var reject *RejectError
			if !errors.As(err, &reject) {
				t.Fatalf("%s: %T is not a *RejectError", r.ExternalID, err)
			}
			b.Rejects = append(b.Rejects, schema.Reject{ExternalID: r.ExternalID, Field: reject.Field, Reason: reject.Reason})
		}
	}
	return b
}

func forProvider(t testing.TB, p schema.Provider) Func {
	t.Helper()
	f, err := For(p)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// record wraps a payload as the extractors do: the id is the payload's, for BILL uuid before id.
func record(p schema.Provider, s schema.Stream, payload []byte) schema.Record {
	var ids struct{ ID, UUID string }
	_ = json.Unmarshal(payload, &ids) // a payload of another shape has no id
	r := schema.Record{Source: string(p) + "-main", Provider: p, Stream: s, ReceivedAt: receivedAt, Payload: payload}
	r.ExternalID = ids.ID
	if ids.UUID != "" {
		r.ExternalID = ids.UUID
	}
	return r
}

// table prints a batch as an accountant would read it.
func table(b schema.Batch) string {
	var s strings.Builder
	section := func(columns string, rows int, row func(i int) []string) {
		if rows == 0 {
			return
		}
		s.WriteByte('\n')
		w := tabwriter.NewWriter(&s, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, strings.ReplaceAll(columns, " ", "\t"))
		for i := range rows {
			cells := row(i)
			for j, cell := range cells {
				if cell == "" {
					cells[j] = "-"
				}
			}
			fmt.Fprintln(w, strings.Join(cells, "\t"))
		}
		w.Flush()
	}
	section("entry kind status amount currency literal occurred posted card alt last4 original in as", len(b.Entries), func(i int) []string {
		e := b.Entries[i]
		return []string{
			e.ExternalID, string(e.Kind), string(e.Status), e.Amount.String(), e.Amount.Currency().Code(), e.Literal,
			instant(e.OccurredAt), instant(e.PostedAt), e.CardID, e.CardAltID, e.CardLast4,
			e.Original.String(), e.OriginalCurrency, e.OriginalLiteral,
		}
	})
	section("entry merchant category reference description", len(b.Entries), func(i int) []string {
		e := b.Entries[i]
		return []string{e.ExternalID, e.Merchant, e.MerchantCategory, e.Reference, e.Description}
	})
	section("from to basis", len(b.Links), func(i int) []string {
		l := b.Links[i]
		return []string{l.From, l.To, string(l.Basis)}
	})
	section("card alt name last4 type status currency budget created closed no_limit next_reset", len(b.Observations), func(i int) []string {
		o := b.Observations[i]
		return []string{
			o.ID, o.AltID, fmt.Sprintf("%q", o.Name), o.Last4, o.Type, o.Status, o.Currency, o.BudgetID,
			instant(o.CreatedAt), instant(o.ClosedAt), fmt.Sprint(o.NoLimit), instant(o.NextReset),
		}
	})
	var limits, figures [][]string
	for _, o := range b.Observations {
		for _, l := range o.Limits {
			limits = append(limits, []string{o.ID, string(l.Window), l.Amount.String(), l.Amount.Currency().Code(), l.Word, l.Zone, l.StartDate})
		}
		for _, f := range o.Figures {
			figures = append(figures, []string{o.ID, string(f.Name), f.Amount.String(), f.Raw, fmt.Sprint(f.Ambiguous), f.Problem})
		}
	}
	section("card limit amount currency word zone start", len(limits), func(i int) []string { return limits[i] })
	section("card figure amount raw ambiguous problem", len(figures), func(i int) []string { return figures[i] })
	section("budget alt name zone start end interval", len(b.Budgets), func(i int) []string {
		g := b.Budgets[i]
		return []string{g.ID, g.AltID, fmt.Sprintf("%q", g.Name), g.Zone, g.StartDate, g.EndDate, g.Interval}
	})
	section("note of field detail", len(b.Notes), func(i int) []string {
		n := b.Notes[i]
		return []string{string(n.Code), n.ExternalID, n.Field, n.Detail}
	})
	section("rejected field reason", len(b.Rejects), func(i int) []string {
		r := b.Rejects[i]
		return []string{r.ExternalID, r.Field, r.Reason}
	})
	return s.String()
}

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

// golden compares got with a golden file, or writes the file with -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v\nafter looking at it: go test ./normalize -update", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); if that is right: go test ./normalize -update\n%s", file, diff)
	}
}
