package reconcile

import (
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

func TestExplain(t *testing.T) {
	observed := instant(t, "2026-08-14T12:00:00Z")
	from := observed.AddDate(0, 0, -10)
	purchase := func(id string, occurred, posted time.Duration, minor int64) schema.Entry {
		return schema.Entry{Source: "s", ExternalID: id, Kind: schema.Purchase, Status: schema.Posted, OccurredAt: observed.Add(occurred), PostedAt: observed.Add(posted), Amount: usd(-minor)}
	}
	const hour = time.Hour
	for _, c := range []struct {
		name       string
		on         basis
		difference int64 // provider less ledger
		entries    []schema.Entry
		want       string
		rests      string // entries named
	}{
		{"PostedExactly15MinutesLater", onPosted, 500, []schema.Entry{purchase("a", -hour, 15*time.Minute, 500)}, inFlight, "a"},
		{"PostedAMicrosecondTooLate", onPosted, 500, []schema.Entry{purchase("a", -hour, 15*time.Minute+time.Microsecond, 500)}, oneEntry, "a"},
		{"PostedExactly15MinutesBefore", onPosted, -500, []schema.Entry{purchase("a", -hour, -15*time.Minute, 500)}, inFlight, "a"},
		{"FigureOfAnEarlierMoment", onPosted, -900, []schema.Entry{
			purchase("a", -2*hour, -3*time.Minute, 500), purchase("b", -2*hour, -5*time.Minute, 400),
			purchase("c", -2*hour, -7*time.Minute, 300),
		}, inFlight, "a b"},
		{"FigureOfALaterMoment", onPosted, 900, []schema.Entry{
			purchase("a", -2*hour, 3*time.Minute, 500), purchase("b", -2*hour, 5*time.Minute, 400),
			purchase("c", -2*hour, 7*time.Minute, 300),
		}, inFlight, "a b"},
		{"InFlightComesBeforeOneEntry", onPosted, 500, []schema.Entry{purchase("a", -hour, hour, 500), purchase("b", -hour, 10*time.Minute, 500)}, inFlight, "b"},
		{"ThreeDaysAfterIsACandidate", withPending, 500, []schema.Entry{purchase("a", 72*hour, 80*hour, 500)}, oneEntry, "a"},
		{"LaterIsNone", withPending, 500, []schema.Entry{purchase("a", 73*hour, 80*hour, 500)}, "", ""},
		{"ThreeDaysBeforeTheWindowIsACandidate", withPending, 500, []schema.Entry{purchase("a", -13*24*hour, -13*24*hour, 500)}, oneEntry, "a"},
		{"EarlierIsNone", withPending, 500, []schema.Entry{purchase("a", -13*24*hour-1, -13*24*hour-1, 500)}, "", ""},
		{"NearestOfEqualsIsNamed", withPending, -500, []schema.Entry{purchase("a", -9*hour, -8*hour, 500), purchase("b", -3*hour, -2*hour, 500)}, oneEntry, "b"},
		{"PairInOneDirection", withPending, -700, []schema.Entry{purchase("a", -9*hour, -8*hour, 500), purchase("b", -3*hour, -2*hour, 200), purchase("c", -4*hour, -2*hour, 50)}, twoEntries, "b a"},
		{"NoPairInTwoDirections", withPending, -300, []schema.Entry{purchase("a", -9*hour, -8*hour, 500), purchase("b", 3*hour, 4*hour, 200)}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := booksAt(c.entries, schema.Utilized, money.USD(), from, observed)
			if err != nil {
				t.Fatal(err)
			}
			d := driftJudge{}
			got, err := d.explainSpend(&b, c.on, usd(b.sum[c.on]+c.difference), nil)
			if err != nil {
				t.Fatal(err)
			}
			rests := ""
			for i, e := range got.entries {
				if i > 0 {
					rests += " "
				}
				rests += e.ExternalID
			}
			if got.name != c.want || rests != c.rests {
				t.Errorf("got %q by %q, want %q by %q", got.name, rests, c.want, c.rests)
			}
		})
	}
}

func TestExplain_SeeksPairsAmongTheNearestOnly(t *testing.T) {
	observed := instant(t, "2026-08-14T12:00:00Z")
	var entries []schema.Entry
	for i := range pairSearch + 1 { // powers would overflow: distinct amounts of which only the last two make the difference
		at := observed.Add(-time.Duration(i+1) * time.Hour)
		amount := int64(10_000 + i)
		if i >= pairSearch-1 {
			amount = int64(1_000_000 * (i - pairSearch + 2))
		}
		entries = append(entries, schema.Entry{Source: "s", ExternalID: at.Format(time.RFC3339), Kind: schema.Purchase, Status: schema.Posted, OccurredAt: at, PostedAt: at, Amount: usd(-amount)})
	}
	for _, c := range []struct {
		name    string
		entries []schema.Entry
		want    string
	}{
		{"FoundAmongThem", entries[1:], twoEntries},
		{"NotFoundBeyond", entries, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := booksAt(c.entries, schema.Utilized, money.USD(), observed.AddDate(0, 0, -30), observed)
			if err != nil {
				t.Fatal(err)
			}
			d := driftJudge{}
			got, err := d.explainSpend(&b, onPosted, usd(b.sum[onPosted]-3_000_000), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got.name != c.want {
				t.Errorf("got %q, want %q", got.name, c.want)
			}
		})
	}
}

func TestBooksAt_AuthorizationStandsInByItsOwnLink(t *testing.T) {
	observed := instant(t, "2026-08-14T12:00:00Z")
	entries := []schema.Entry{
		{Source: "s", ExternalID: "auth-1", Kind: schema.Purchase, Status: schema.Superseded, OccurredAt: observed.Add(-time.Hour), Amount: usd(-300), LinkedID: "clear"},
		{Source: "s", ExternalID: "auth-2", Kind: schema.Purchase, Status: schema.Superseded, OccurredAt: observed.Add(-time.Hour), Amount: usd(-200), LinkedID: "clear"},
		{Source: "s", ExternalID: "clear", Kind: schema.Purchase, Status: schema.Posted, OccurredAt: observed.Add(-time.Hour), PostedAt: observed.Add(time.Hour), Amount: usd(-450)},
	}
	b, err := booksAt(entries, schema.PeriodSpend, money.USD(), observed.Add(-24*time.Hour), observed)
	if err != nil {
		t.Fatal(err)
	}
	if b.sum != [2]int64{0, 500} {
		t.Errorf("posted %d, with pending %d", b.sum[onPosted], b.sum[withPending])
	}
}
