package ledger_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

func TestVerify_Totals(t *testing.T) {
	l := fresh(t)
	run := start(t, l, schema.SyncRun)
	commit(t, l, group(run, entry("a", -100, schema.Posted), entry("b", -30, schema.Pending), entry("c", -7, schema.Declined)))
	commit(t, l, group(run, entry("a", -101, schema.Posted)))
	v, err := l.Verify(t.Context(), "")
	if err != nil || len(v.Totals) != 1 {
		t.Fatalf("%+v %v", v, err)
	}
	if got := v.Totals[0]; got.Source != "bill-main" || got.Currency.Code() != "USD" || got.Entries != 3 || got.Counted.String() != "-131" {
		t.Errorf("%+v", got)
	}
}

func TestVerify_Walks(t *testing.T) {
	hashOf := func(payloads ...string) string {
		sum := sha256.Sum256([]byte(strings.Join(payloads, "\n") + "\n"))
		return hex.EncodeToString(sum[:])
	}
	// walk stores records in groups of one and ends with a completeness record.
	walk := func(t *testing.T, l *ledger.Ledger, run schema.Run, c schema.Completeness, payloads ...string) {
		t.Helper()
		for n, p := range payloads {
			g := group(run)
			g.Records = []schema.Record{record("r"+p, p)}
			if n == len(payloads)-1 {
				g.Completeness = &c
			}
			commit(t, l, g)
		}
	}
	record := func(records int64, sha string) schema.Completeness {
		c := *complete(window)
		c.Records, c.Duplicates, c.SHA256 = records, 0, sha
		return c
	}
	for name, c := range map[string]struct {
		do      func(t *testing.T, l *ledger.Ledger, run schema.Run)
		checked int64
		holds   bool
	}{
		"OfAWalkAllOfWhichIsStoredIsComputedAgain": {func(t *testing.T, l *ledger.Ledger, run schema.Run) {
			walk(t, l, run, record(3, hashOf("1", "2", "3")), "1", "2", "3")
		}, 1, true},
		"ThatTheRecordsDoNotGiveIsNamed": {func(t *testing.T, l *ledger.Ledger, run schema.Run) {
			walk(t, l, run, record(3, hashOf("1", "3", "2")), "1", "2", "3")
		}, 1, false},
		"OfASecondWalkIsItsOwn": {func(t *testing.T, l *ledger.Ledger, run schema.Run) {
			walk(t, l, run, record(2, hashOf("1", "2")), "1", "2")
			walk(t, l, run, record(1, hashOf("3")), "3")
		}, 2, true},
		"OfAWalkOfWhichSomeWasStoredBeforeIsNot": {func(t *testing.T, l *ledger.Ledger, run schema.Run) {
			walk(t, l, run, record(2, hashOf("1", "2")), "1", "2")
			walk(t, l, run, record(3, "as it was"), "1", "2", "3")
		}, 1, true},
		"OfAWalkThatBeganAgainIsNot": {func(t *testing.T, l *ledger.Ledger, run schema.Run) {
			c := record(2, "as it was")
			c.Restarts = 1
			walk(t, l, run, c, "1", "2")
		}, 0, true},
		"OfAWalkThatMetARecordTwiceIsNot": {func(t *testing.T, l *ledger.Ledger, run schema.Run) {
			c := record(2, "as it was")
			c.Duplicates = 1
			walk(t, l, run, c, "1", "2")
		}, 0, true},
		"LeavesOutWhatWasAskedForByID": {func(t *testing.T, l *ledger.Ledger, run schema.Run) {
			g := group(run, entry("by-id", -1, schema.Posted))
			g.ByID = true
			commit(t, l, g)
			walk(t, l, run, record(2, hashOf("1", "2")), "1", "2")
		}, 1, true},
		"OfAResumedWalkIsNot": {func(t *testing.T, l *ledger.Ledger, run schema.Run) {
			g := group(run, entry("before", -1, schema.Posted))
			commit(t, l, g)
			finish(t, l, run)
			walk(t, l, start(t, l, schema.SyncRun), record(3, "as it was"), "1", "2")
		}, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			l := fresh(t)
			c.do(t, l, start(t, l, schema.SyncRun))
			v, err := l.Verify(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			if named := strings.Contains(v.Problem, "completeness row 1 (source bill-main, stream transactions)"); named == c.holds || c.holds && v.Problem != "" {
				t.Errorf("%q", v.Problem)
			}
			if c.holds && v.Walks != c.checked {
				t.Errorf("%d walks were computed again", v.Walks)
			}
		})
	}
}
