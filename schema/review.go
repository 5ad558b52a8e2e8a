package schema

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/tieout/tieout/schema/money"
)

// ReviewSheet is a sheet of a report on which people write what they decide about its findings. A long one goes on in
// "NAME 2", "NAME 3" and so on.
type ReviewSheet struct {
	Name             string
	Expected, Actual string // the headers of the columns with Finding.Expected and Finding.Actual
	Unexplained      bool   // it has the column ReviewUnexplained
}

// ReviewSheets lists the sheets of findings, in the order of reports.
func ReviewSheets() []ReviewSheet {
	return []ReviewSheet{
		{"Limit breaches", "Limit", "Spent", false},
		{"Orphan top-ups", "Books", "Provider", false},
		{"Balance drift", "Ledger", "Provider", true},
		{"Other findings", "Expected", "Actual", false},
	}
}

// Headers of the columns by which a review is read back.
const (
	ReviewFinding     = "Finding"
	ReviewSeverity    = "Severity"
	ReviewUnexplained = "Unexplained"
	ReviewDisposition = "Disposition"
	ReviewReviewer    = "Reviewer"
	ReviewNote        = "Note"
)

// ReviewRow is what a reviewer wrote beside one finding of a report, and the figures of the finding there.
type ReviewRow struct {
	Sheet       string
	Line        int // of the sheet
	FindingID   string
	Disposition string // as written, trimmed
	Reviewer    string // on one line, trimmed
	Note        string // trimmed

	// As the workbook stores them: decimal text in major units, numbers perhaps with all digits of a binary fraction.
	Expected    string
	Actual      string
	Unexplained string
	Severity    string
}

// Decision is what the row asks for: a word of Dispositions in any case, or "ack". An error says what is wrong with the
// row whatever the ledger holds.
func (r ReviewRow) Decision(origin string) (Decision, error) {
	d := Decision{FindingID: r.FindingID, By: r.Reviewer, Note: r.Note, Origin: origin, Action: FindingAction(strings.ToLower(r.Disposition))}
	if d.Action == "ack" {
		d.Action = Acknowledge
	}
	if known := Dispositions(); !slices.Contains(known, d.Action) {
		words := make([]string, len(known))
		for i, k := range known {
			words[i] = string(k)
		}
		return d, fmt.Errorf("disposition %.40q: choose one of %s", r.Disposition, strings.Join(words, ", "))
	}
	switch {
	case d.By == "":
		return d, fmt.Errorf("%s needs a name in the column %s", d.Action, ReviewReviewer)
	case d.By == Program:
		return d, fmt.Errorf("reviewer %q: that is what the program's own doings are recorded under", d.By)
	case d.Note == "" && (d.Action == Accept || d.Action == Reopen):
		return d, fmt.Errorf("%s needs a reason in the column %s", d.Action, ReviewNote)
	}
	d.Digest = DispositionDigest(d, figureText(r.Expected), figureText(r.Actual), figureText(r.Unexplained))
	return d, d.Check()
}

// Stale says which figure of the row is not that of the finding as it is now, and both; empty: none.
func (r ReviewRow) Stale(f Finding) string {
	for _, figure := range []struct {
		name, shown string
		now         money.Amount
	}{{"expected", r.Expected, f.Expected}, {"actual", r.Actual, f.Actual}, {"unexplained", r.Unexplained, f.Unexplained}} {
		now := figure.now.String()
		if figure.name == "unexplained" && f.Code != BalanceDrift {
			continue // it stands on the sheet of drifts only
		}
		if !sameFigure(figure.shown, now) {
			return fmt.Sprintf("%s was %s, and is %s now", figure.name, orNone(figureText(figure.shown)), orNone(now))
		}
	}
	if r.Severity != string(f.Severity) {
		return fmt.Sprintf("severity was %s, and is %s now", orNone(r.Severity), f.Severity)
	}
	return ""
}

func orNone(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// cellFigure is a number as workbooks store it.
var cellFigure = regexp.MustCompile(`^-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?$`)

// A workbook gives back the first 15 digits of a decimal number; two more may be stored, and they are noise.
const (
	cellDigits  = 15
	cellDoubles = 17
)

// figureText is a figure of a workbook without the noise, and without zeros at its end; unchanged where it is no number.
func figureText(cell string) string {
	if !cellFigure.MatchString(cell) {
		return cell
	}
	d, err := decimal.NewFromString(cell)
	if err != nil || d.NumDigits() > cellDoubles {
		return cell
	}
	return d.Round(cellDigits - int32(d.NumDigits()) - d.Exponent()).String()
}

// sameFigure says whether a figure of a workbook means an amount. One of more digits than a workbook stores stands there as
// text.
func sameFigure(cell, amount string) bool {
	digits := len(strings.TrimLeft(strings.NewReplacer("-", "", ".", "").Replace(amount), "0"))
	if cell == amount || digits == 0 && amount == "" || digits > cellDigits {
		return cell == amount
	}
	return figureText(cell) == figureText(amount)
}
