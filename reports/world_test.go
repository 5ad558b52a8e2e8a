package reports

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// memory is a ledger in memory, in the orders that schema.View promises.
type memory struct {
	entries      []schema.Entry
	observations []schema.Observation
	completeness []schema.Completeness
	rejects      []schema.Reject
}

func (m memory) view() schema.View {
	return schema.View{Entries: m, Observations: m, Completeness: m, Rejects: m}
}

func (m memory) Entries(_ context.Context, f schema.EntryFilter) iter.Seq2[schema.Entry, error] {
	chosen := where(m.entries, func(e schema.Entry) bool {
		return (f.Source == "" || e.Source == f.Source) && (f.CardID == "" || e.CardID == f.CardID) &&
			!e.OccurredAt.Before(f.Occurred.From) && (f.Occurred.To.IsZero() || e.OccurredAt.Before(f.Occurred.To)) &&
			(f.Posted == (schema.Window{}) || !e.PostedAt.IsZero() && !e.PostedAt.Before(f.Posted.From) && (f.Posted.To.IsZero() || e.PostedAt.Before(f.Posted.To))) &&
			(f.Since.IsZero() || !e.OccurredAt.Before(f.Since) || !e.PostedAt.Before(f.Since)) &&
			(len(f.IDs) == 0 || slices.Contains(f.IDs, e.ExternalID))
	})
	slices.SortFunc(chosen, func(a, b schema.Entry) int {
		byTime := cmp.Or(a.OccurredAt.Compare(b.OccurredAt), cmp.Compare(a.ID(), b.ID()))
		if f.ByTime {
			return byTime
		}
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.CardID, b.CardID), byTime)
	})
	if f.Brief {
		for i, e := range chosen {
			chosen[i] = schema.Entry{
				Source: e.Source, ExternalID: e.ExternalID, CardID: e.CardID, Kind: e.Kind, Status: e.Status, OccurredAt: e.OccurredAt,
				PostedAt: e.PostedAt, Amount: e.Amount, Merchant: e.Merchant, Reference: e.Reference, LinkedID: e.LinkedID,
			}
		}
	}
	return of(chosen)
}

// EntryCards is asked by checks alone.
func (m memory) EntryCards(context.Context) iter.Seq2[schema.EntryCard, error] {
	return of([]schema.EntryCard(nil))
}

func (m memory) Observations(context.Context, schema.ObservationFilter) iter.Seq2[schema.Observation, error] {
	sorted := slices.Clone(m.observations)
	slices.SortFunc(sorted, func(a, b schema.Observation) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.ID, b.ID), a.ObservedAt.Compare(b.ObservedAt), cmp.Compare(a.Stream, b.Stream))
	})
	return of(sorted)
}

func (m memory) Completeness(context.Context) iter.Seq2[schema.Completeness, error] {
	sorted := slices.Clone(m.completeness)
	slices.SortFunc(sorted, func(a, b schema.Completeness) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Stream, b.Stream), a.Window.From.Compare(b.Window.From), a.Window.To.Compare(b.Window.To), cmp.Compare(a.Run, b.Run))
	})
	return of(sorted)
}

func (m memory) Rejects(context.Context) iter.Seq2[schema.Reject, error] { return of(m.rejects) }

// at reads an instant.
func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t
}

func in(t *testing.T, code string) money.Currency {
	t.Helper()
	c, err := money.Lookup(code)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func usd(minor int64) money.Amount { return money.FromMinor(minor, money.USD()) }

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// august is a period of one month in New York, over three sources with what a month brings: entries of every status,
// currencies of none, two and three digits, texts that look like formulas, edges of the period, a reject, an extraction that
// failed and was made good and one that was not.
func august(t *testing.T) (Input, memory) {
	t.Helper()
	ny := zone(t, "America/New_York")
	period := schema.Window{From: at("2026-08-01T04:00:00Z"), To: at("2026-09-01T04:00:00Z")}
	slashCard := schema.Card{
		Source: "slash-main", Provider: schema.Slash, ID: "c_travel", Name: "Travel", Last4: "4417", Type: "virtual", Status: "active",
		Currency: "USD", CreatedAt: at("2026-01-05T15:00:00Z"),
	}
	bitnobCard := schema.Card{
		Source: "bitnob-main", Provider: schema.Bitnob, ID: "b-1", Name: "=HYPERLINK(\"http://evil\")", Last4: "0098", Type: "virtual", Status: "active",
		CreatedAt: at("2026-06-01T00:00:00Z"),
	}
	m := memory{
		entries: []schema.Entry{
			{
				Source: "slash-main", Provider: schema.Slash, ExternalID: "tx_001", CardID: "c_travel", CardLast4: "4417", Kind: schema.Purchase, Status: schema.Posted,
				OccurredAt: at("2026-08-03T14:12:09Z"), PostedAt: at("2026-08-04T09:00:00Z"), Amount: usd(-12345), Literal: "-12345",
				Merchant: "Delta Air Lines, Inc.", MerchantCategory: "3058", Reference: "DL-8831", Description: "Seat \"12A\"\nupgrade",
			},
			{
				Source: "slash-main", Provider: schema.Slash, ExternalID: "tx_002", CardID: "c_travel", CardLast4: "4417", Kind: schema.Purchase, Status: schema.Pending,
				OccurredAt: at("2026-08-30T23:59:59.250000Z"), Amount: usd(-7), Literal: "-7", Merchant: "=1+1", Description: "+cmd|' /C calc'!A0",
			},
			{ // happened in August, posted in September
				Source: "slash-main", Provider: schema.Slash, ExternalID: "tx_003", CardID: "c_travel", CardLast4: "4417", Kind: schema.Purchase, Status: schema.Posted,
				OccurredAt: at("2026-09-01T03:59:59Z"), PostedAt: at("2026-09-03T00:00:00Z"), Amount: usd(-123456789), Literal: "-123456789",
				Original: money.FromMinor(18500000, in(t, "JPY")), OriginalCurrency: "JPY", OriginalLiteral: "18500000", Merchant: "@Hotel 東京",
			},
			{ // happened in July, posted in August: on the cut-off list, in no total
				Source: "slash-main", Provider: schema.Slash, ExternalID: "tx_000", CardID: "c_travel", CardLast4: "4417", Kind: schema.Refund, Status: schema.Posted,
				OccurredAt: at("2026-08-01T03:59:59Z"), PostedAt: at("2026-08-02T00:00:00Z"), Amount: usd(500), Literal: "500",
			},
			{
				Source: "slash-main", Provider: schema.Slash, ExternalID: "tx_004", CardID: "c_travel", CardLast4: "4417", Kind: schema.Purchase, Status: schema.Declined,
				OccurredAt: at("2026-08-05T10:00:00Z"), Amount: usd(-999999), Literal: "-999999", Merchant: "Casino",
			},
			{
				Source: "slash-main", Provider: schema.Slash, ExternalID: "tx_005", CardID: "c_travel", CardLast4: "4417", Kind: schema.Purchase, Status: schema.Superseded,
				OccurredAt: at("2026-08-03T14:12:09Z"), Amount: usd(-12000), Literal: "-12000", LinkedID: "tx_001",
			},
			{
				Source: "bitnob-main", Provider: schema.Bitnob, ExternalID: "t1", CardID: "b-1", CardLast4: "0098", Kind: schema.TopUp, Status: schema.Posted,
				OccurredAt: at("2026-06-02T00:00:00Z"), PostedAt: at("2026-06-02T00:00:00Z"), Amount: usd(10000), Literal: "10000", Reference: "TOP-1",
			},
			{
				Source: "bitnob-main", Provider: schema.Bitnob, ExternalID: "t2", CardID: "b-1", CardLast4: "0098", Kind: schema.TopUp, Status: schema.Posted,
				OccurredAt: at("2026-08-10T00:00:00Z"), PostedAt: at("2026-08-10T00:00:01Z"), Amount: usd(5000), Literal: "5000", Reference: "TOP-2",
			},
			{
				Source: "bitnob-main", Provider: schema.Bitnob, ExternalID: "p1", CardID: "b-1", CardLast4: "0098", Kind: schema.Purchase, Status: schema.Posted,
				OccurredAt: at("2026-08-11T00:00:00Z"), PostedAt: at("2026-08-11T00:00:00Z"), Amount: usd(-1999), Literal: "1999", Merchant: "Ada & Söhne <b>",
			},
			{
				Source: "bitnob-main", Provider: schema.Bitnob, ExternalID: "k1", Kind: schema.Purchase, Status: schema.Posted,
				OccurredAt: at("2026-08-12T00:00:00Z"), PostedAt: at("2026-08-12T00:00:00Z"), Amount: money.FromMinor(-125, in(t, "BHD")), Literal: "0.125",
			},
			{
				Source: "bitnob-main", Provider: schema.Bitnob, ExternalID: "k2", Kind: schema.Refund, Status: schema.Posted,
				OccurredAt: at("2026-08-12T00:00:01Z"), PostedAt: at("2026-08-12T00:00:01Z"), Amount: money.FromMinor(1200, in(t, "JPY")), Literal: "1200",
			},
		},
		observations: []schema.Observation{
			{Card: slashCard, Stream: schema.Cards, ObservedAt: at("2026-08-20T06:00:00Z"), Limits: []schema.Limit{{Window: schema.Monthly, Amount: usd(90000), Zone: "America/New_York", StartDate: "2026-01-01"}}},
			{Card: slashCard, Stream: schema.Cards, ObservedAt: at("2026-08-31T06:00:00Z"), Limits: []schema.Limit{
				{Window: schema.Monthly, Amount: usd(100000), Zone: "America/New_York", StartDate: "2026-01-01"},
				{Window: schema.PerEntry, Amount: usd(50000)},
				{Word: "perFullMoon", Amount: usd(1)},
			}},
			{
				Card: schema.Card{Source: "slash-main", Provider: schema.Slash, ID: "c_travel"}, Stream: schema.Utilization, ObservedAt: at("2026-08-31T06:00:05Z"),
				Figures: []schema.Figure{{Name: schema.Utilized, Raw: "12352", Amount: usd(12352)}},
			},
			{Card: slashCard, Stream: schema.Cards, ObservedAt: at("2026-09-02T06:00:00Z"), Limits: []schema.Limit{{Window: schema.Monthly, Amount: usd(1)}}}, // after the period
			{Card: bitnobCard, Stream: schema.Cards, ObservedAt: at("2026-08-31T06:01:00Z")},
			{
				Card: schema.Card{Source: "bitnob-main", Provider: schema.Bitnob, ID: "b-1"}, Stream: schema.Balances, ObservedAt: at("2026-08-31T06:01:05Z"),
				Figures: []schema.Figure{{Name: schema.Balance, Raw: "13001", Ambiguous: true}},
			},
		},
		completeness: []schema.Completeness{
			reads("slash-main", schema.Transactions, schema.Window{From: schema.Beginning, To: at("2026-09-05T11:00:00Z")}, schema.VerdictComplete, 7, 3, 412),
			{ // the failure of an earlier night, made good by run 7
				Source: "slash-main", Stream: schema.Transactions, Window: schema.Window{From: at("2026-07-25T00:00:00Z"), To: at("2026-08-30T11:00:00Z")},
				Verdict: schema.VerdictPartial, Pages: 1, Records: 100, Total: -1, Reason: "page 2: server error", Run: 6, RecordedAt: at("2026-08-30T11:00:00Z"),
			},
			reads("slash-main", schema.Cards, schema.Window{From: at("2026-08-31T06:00:00Z"), To: at("2026-08-31T06:00:00Z")}, schema.VerdictComplete, 6, 1, 1),
			{
				Source: "bitnob-main", Stream: schema.Transactions, Window: schema.Window{From: at("2026-08-01T00:00:00Z"), To: at("2026-09-05T11:00:00Z")},
				Verdict: schema.VerdictPartial, Pages: 2, Records: 5, Total: 9, Duplicates: 1, Rejected: 1, Retries: 4, Reason: "page 3: too many requests", Run: 7, RecordedAt: at("2026-09-05T11:01:00Z"),
			},
			reads("slash-main", schema.Transactions, schema.Window{From: at("2026-05-01T00:00:00Z"), To: at("2026-06-01T00:00:00Z")}, schema.VerdictComplete, 5, 1, 1), // another month
		},
		rejects: []schema.Reject{
			{Source: "bitnob-main", Provider: schema.Bitnob, Stream: schema.Transactions, ExternalID: "bad-1", Field: "centAmount", Reason: "centAmount: 10.005 has more digits than USD", ReceivedAt: at("2026-09-05T11:00:30Z")},
			{Source: "slash-main", Provider: schema.Slash, Stream: schema.Transactions, ExternalID: "tx_004", Reason: "status: missing", ReceivedAt: at("2026-09-05T11:00:30Z")}, // known from before
		},
	}
	breach := schema.Finding{
		Code: schema.LimitBreach, Reason: "computed-over-limit", Severity: schema.High, Source: "slash-main", Provider: schema.Slash, CardID: "c_travel",
		CardName: "Travel", CardLast4: "4417", EntryID: "slash-main/tx_003", Expected: usd(100000), Actual: usd(123469141),
		PeriodFrom: at("2026-08-01T04:00:00Z"), PeriodTo: at("2026-09-01T04:00:00Z"), SubjectAt: at("2026-09-01T03:59:59Z"), Subject: "monthly@America/New_York",
		WindowStart: at("2026-08-01T04:00:00Z"), Basis: "posted + pending", Evidence: []string{"slash-main/tx_001", "slash-main/tx_002", "slash-main/tx_003"},
		Message:   "Card Travel (4417) spent 1,234,691.41 USD in August 2026; its monthly limit was 1,000.00 USD.",
		Status:    schema.Open,
		FirstSeen: at("2026-09-02T11:00:00Z"), LastSeen: at("2026-09-05T11:05:00Z"),
	}
	topUp := schema.Finding{
		Code: schema.OrphanTopUp, Reason: "no-funding-record", Severity: schema.High, Source: "bitnob-main", Provider: schema.Bitnob, CardID: "b-1",
		CardName: "=HYPERLINK(\"http://evil\")", CardLast4: "0098", EntryID: "bitnob-main/t2", Reference: "-TOP-2", Actual: usd(5000),
		PeriodFrom: at("2026-08-10T00:00:00Z"), PeriodTo: at("2026-08-10T00:00:00Z"), SubjectAt: at("2026-08-10T00:00:00Z"), Subject: "-TOP-2",
		Message: "50.00 USD came to the card under the reference -TOP-2, which the books do not have.", Status: schema.Accepted,
		FirstSeen: at("2026-08-15T11:00:00Z"), LastSeen: at("2026-09-05T11:05:00Z"),
	}
	drift := schema.Finding{
		Code: schema.BalanceDrift, Reason: "balance", Severity: schema.Medium, Source: "bitnob-main", Provider: schema.Bitnob, CardID: "b-1",
		CardName: "=HYPERLINK(\"http://evil\")", CardLast4: "0098", Expected: usd(13001), Actual: usd(15000), Unexplained: usd(0),
		PeriodTo: at("2026-08-31T06:01:05Z"), SubjectAt: at("2026-08-31T06:01:05Z"), Subject: "balance", Basis: "posted", Explanation: "one entry",
		Evidence: []string{"bitnob-main/p1"}, Message: "The balance is 150.00 USD; the ledger has 130.01 USD. The whole difference is the purchase of 19.99 USD.",
		Status: schema.Open, FirstSeen: at("2026-09-05T11:05:00Z"), LastSeen: at("2026-09-05T11:05:00Z"),
	}
	stale := schema.Finding{
		Code: schema.StalePending, Severity: schema.Low, Source: "slash-main", Provider: schema.Slash, CardID: "c_travel", CardName: "Travel", CardLast4: "4417",
		EntryID: "slash-main/tx_002", SubjectAt: at("2026-08-30T23:59:59.25Z"), PeriodFrom: at("2026-08-30T23:59:59.25Z"), PeriodTo: at("2026-08-30T23:59:59.25Z"),
		Subject: "slash-main/tx_002", Message: "0.07 USD has been pending since 2026-08-30.", Status: schema.Resolved,
		FirstSeen: at("2026-09-01T11:00:00Z"), LastSeen: at("2026-09-04T11:00:00Z"),
	}
	input := Input{
		View:       m.view(),
		Period:     schema.Period{Window: period, Zone: ny, Now: at("2026-09-05T11:00:00Z")},
		Entity:     "Acme & Daughters Inc.",
		AsOf:       schema.Run{ID: 8, Kind: schema.ReconcileRun, StartedAt: at("2026-09-05T11:05:00Z")},
		Reconciled: schema.Run{ID: 8, Kind: schema.ReconcileRun, Period: period},
		Version:    "v0.1.0",
		Root:       "5f1b0c6e6f6c8b2c2d9a54f05c0d6ad5f2b4a1e6e1f3b8d7c6a5948372615049",
		Sources: []Source{
			{Name: "bitnob-main", Provider: schema.Bitnob, LookbackDays: 35, BalanceUnit: "minor", Reason: "transactions: not complete for 2026-08-01..2026-09-05"},
			{Name: "slash-main", Provider: schema.Slash, LookbackDays: 35, Complete: true},
			{Name: "whop-main", Provider: schema.Whop, LookbackDays: 35, Complete: true},
		},
		BooksKnown: true,
		Parameters: []Parameter{{"checks.balance-drift.tolerance", "0.00", "largest difference that counts as agreement, in major units"}},
		Findings: func(context.Context) iter.Seq2[schema.Finding, error] {
			return of([]schema.Finding{stale, drift, topUp, breach})
		},
		Judgements: []schema.Judgement{
			{
				Code: schema.BalanceDrift, Source: "bitnob-main", Provider: schema.Bitnob, CardID: "b-1", CardName: "=HYPERLINK(\"http://evil\")", CardLast4: "0098",
				Figure: "balance", Verdict: schema.Differs, Basis: "posted", ObservedAt: at("2026-08-31T06:01:05Z"), Expected: usd(13001), Actual: usd(15000), FindingID: drift.ID(),
				Since: at("2026-08-29T06:01:05Z"),
			},
			{
				Code: schema.BalanceDrift, Source: "slash-main", Provider: schema.Slash, CardID: "c_travel", CardName: "Travel", CardLast4: "4417",
				Figure: "utilization", Verdict: schema.NotCheckable, ObservedAt: at("2026-08-31T06:00:05Z"), Actual: usd(12352), Reason: "the card has several limits",
			},
		},
	}
	return input, m
}

func reads(source string, s schema.Stream, w schema.Window, v schema.Verdict, run, pages, records int64) schema.Completeness {
	return schema.Completeness{
		Source: source, Stream: s, Window: w, Verdict: v, Pages: pages, Records: records, Total: records, FirstID: "tx_000", LastID: "tx_005",
		SHA256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", Run: run, RecordedAt: at("2026-09-05T11:00:20Z"),
	}
}
