package schema_test

import (
	"strings"
	"testing"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

func TestReviewRow_Decision(t *testing.T) {
	full := schema.ReviewRow{FindingID: "F-1", Disposition: "accept", Reviewer: "Ann", Note: "because", Expected: "10", Actual: "9.5"}
	change := func(f func(*schema.ReviewRow)) schema.ReviewRow {
		r := full
		f(&r)
		return r
	}
	t.Run("IsWhatTheRowSays", func(t *testing.T) {
		for word, want := range map[string]schema.FindingAction{
			"accept": schema.Accept, "Accept": schema.Accept, "ACK": schema.Acknowledge, "acknowledge": schema.Acknowledge, "reopen": schema.Reopen,
			"confirm": schema.ConfirmMatch, "refuse": schema.RefuseMatch,
		} {
			d, err := change(func(r *schema.ReviewRow) { r.Disposition = word }).Decision("a.xlsx")
			if err != nil || d.Action != want || d.FindingID != "F-1" || d.By != "Ann" || d.Note != "because" || d.Origin != "a.xlsx" || d.Digest == "" {
				t.Errorf("%s: %+v, %v", word, d, err)
			}
		}
	})
	for name, c := range map[string]struct {
		row  schema.ReviewRow
		says string
	}{
		"AnUnknownWord":       {change(func(r *schema.ReviewRow) { r.Disposition = "ignore" }), "acknowledge, accept, reopen, confirm, refuse"},
		"AnActionOfTheChecks": {change(func(r *schema.ReviewRow) { r.Disposition = "resolved" }), "choose one of"},
		"NoWord":              {change(func(r *schema.ReviewRow) { r.Disposition = "" }), "choose one of"},
		"NoReviewer":          {change(func(r *schema.ReviewRow) { r.Reviewer = "" }), "column Reviewer"},
		"TheProgram":          {change(func(r *schema.ReviewRow) { r.Reviewer = schema.Program }), "program"},
		"NoReason":            {change(func(r *schema.ReviewRow) { r.Note = "" }), "column Note"},
		"NoReasonToReopen":    {change(func(r *schema.ReviewRow) { r.Disposition, r.Note = "reopen", "" }), "column Note"},
		"ALongNote":           {change(func(r *schema.ReviewRow) { r.Note = strings.Repeat("x", schema.MaxNote+1) }), "4000"},
	} {
		t.Run("Refuses"+name, func(t *testing.T) {
			if _, err := c.row.Decision("a.xlsx"); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v; want %q", err, c.says)
			}
		})
	}
	digest := func(r schema.ReviewRow) string {
		d, err := r.Decision("a.xlsx")
		if err != nil {
			t.Fatal(err)
		}
		return d.Digest
	}
	for name, r := range map[string]schema.ReviewRow{
		"AnotherPlace": change(func(r *schema.ReviewRow) { r.Sheet, r.Line = "x", 7 }), "AnotherSeverity": change(func(r *schema.ReviewRow) { r.Severity = "low" }),
		"TheSameFigures": change(func(r *schema.ReviewRow) { r.Expected, r.Actual = "10.00", "9.5000000000000002" }),
	} {
		if digest(r) != digest(full) {
			t.Errorf("%s makes it another disposition", name)
		}
	}
	for name, r := range map[string]schema.ReviewRow{
		"AnotherFinding": change(func(r *schema.ReviewRow) { r.FindingID = "F-2" }), "AnotherNote": change(func(r *schema.ReviewRow) { r.Note = "x" }),
		"AnotherReviewer": change(func(r *schema.ReviewRow) { r.Reviewer = "Bob" }), "AnotherFigure": change(func(r *schema.ReviewRow) { r.Actual = "9" }),
		"AnotherWord": change(func(r *schema.ReviewRow) { r.Disposition = "reopen" }),
	} {
		if digest(r) == digest(full) {
			t.Errorf("%s makes it no other disposition", name)
		}
	}
}

func TestReviewRow_Stale(t *testing.T) {
	amount := func(text, code string) money.Amount {
		t.Helper()
		c, err := money.Lookup(code)
		if err != nil {
			t.Fatal(err)
		}
		a, err := money.Parse(text, c)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	drift := schema.Finding{
		Code: schema.BalanceDrift, Severity: schema.High, Expected: amount("-1250.10", "USD"), Actual: amount("19.99", "USD"), Unexplained: amount("0", "USD"),
	}
	orphan := schema.Finding{Code: schema.OrphanTopUp, Severity: schema.Medium, Actual: amount("1200", "JPY")}
	large := schema.Finding{Code: schema.OrphanTopUp, Severity: schema.Medium, Actual: amount("12345678901234567.89", "USD")}
	for name, c := range map[string]struct {
		row     schema.ReviewRow
		finding schema.Finding
		want    string
	}{
		"Equal":                    {schema.ReviewRow{Expected: "-1250.1", Actual: "19.989999999999998", Unexplained: "0", Severity: "high"}, drift, ""},
		"EqualAsTextAndExponent":   {schema.ReviewRow{Expected: "-1250.10", Actual: "1.999E1", Unexplained: "0.00", Severity: "high"}, drift, ""},
		"Unknown":                  {schema.ReviewRow{Actual: "1200", Severity: "medium"}, orphan, ""},
		"TheColumnOfOtherSheets":   {schema.ReviewRow{Actual: "1200", Unexplained: "7", Severity: "medium"}, orphan, ""},
		"MoreDigitsThanANumberHas": {schema.ReviewRow{Actual: "12345678901234567.89", Severity: "medium"}, large, ""},
		"TheLastOfManyDigits":      {schema.ReviewRow{Actual: "12345678901234567.88", Severity: "medium"}, large, "actual was 12345678901234567.88, and is 12345678901234567.89 now"},
		"AnotherFigure":            {schema.ReviewRow{Expected: "-1250.1", Actual: "19.98", Unexplained: "0", Severity: "high"}, drift, "actual was 19.98, and is 19.99 now"},
		"AnotherSign":              {schema.ReviewRow{Expected: "1250.1", Actual: "19.99", Unexplained: "0", Severity: "high"}, drift, "expected was 1250.1, and is -1250.10 now"},
		"AnotherRest":              {schema.ReviewRow{Expected: "-1250.1", Actual: "19.99", Unexplained: "1", Severity: "high"}, drift, "unexplained was 1, and is 0.00 now"},
		"KnownSince":               {schema.ReviewRow{Severity: "medium"}, orphan, "actual was unknown, and is 1200 now"},
		"UnknownSince":             {schema.ReviewRow{Expected: "5", Actual: "1200", Severity: "medium"}, orphan, "expected was 5, and is unknown now"},
		"MoreSevere":               {schema.ReviewRow{Actual: "1200", Severity: "low"}, orphan, "severity was low, and is medium now"},
		"NoNumber":                 {schema.ReviewRow{Actual: "#REF!", Severity: "medium"}, orphan, "actual was #REF!, and is 1200 now"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.row.Stale(c.finding); got != c.want {
				t.Errorf("%q; want %q", got, c.want)
			}
		})
	}
}
