package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/normalize/review"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// Decide stores what people decided about findings as one run, in one transaction. Where nothing would change there is no
// run, and the returned one is zero. With whole, one refused decision keeps all of them from being stored. Card numbers in
// notes are masked.
func (p *Pipeline) Decide(ctx context.Context, decisions []schema.Decision, whole bool) (schema.Run, []ledger.Decided, error) {
	decisions = slices.Clone(decisions)
	for i := range decisions {
		decisions[i].Note = transport.Mask(decisions[i].Note)
	}
	judged, err := p.Ledger.Judge(ctx, decisions)
	if err != nil {
		return schema.Run{}, nil, err
	}
	changes, refused := 0, 0
	for _, d := range judged {
		if d.Changed {
			changes++
		}
		if d.Refused != "" {
			refused++
		}
	}
	if changes == 0 || whole && refused > 0 {
		return schema.Run{}, judged, nil
	}
	run, err := p.Ledger.StartRun(ctx, p.newRun(schema.ReviewRun, schema.Window{}))
	if err != nil {
		return run, nil, fmt.Errorf("start review: %w", err)
	}
	decided, decideErr := p.Ledger.Decide(ctx, run.ID, decisions)
	run.Status = schema.Complete
	if decideErr != nil {
		run.Status, run.Error = schema.FailedRun, decideErr.Error()
	}
	run, err = p.Ledger.FinishRun(context.WithoutCancel(ctx), run)
	if err != nil {
		return run, decided, errors.Join(decideErr, fmt.Errorf("finish review %d: %w", run.ID, err))
	}
	return run, decided, decideErr
}

// ReviewFile is what importing a review did.
type ReviewFile struct {
	File      string   `json:"file"`
	RunID     int64    `json:"run_id"` // 0: nothing was changed
	DryRun    bool     `json:"dry_run"`
	Rows      int      `json:"rows"`    // in which something was written
	Applied   int      `json:"applied"` // with dry_run: would be
	Unchanged int      `json:"unchanged"`
	Refused   []string `json:"refused"` // one line each: sheet, row, finding, why
	Notices   []string `json:"notices"` // what was applied by an earlier import, and undone since
}

// ImportReview applies what reviewers wrote into the workbook of a report, in one transaction. What an earlier import
// applied is not applied again. A row that cannot be applied is refused, and the others are applied.
func (p *Pipeline) ImportReview(ctx context.Context, file string, dry bool) (ReviewFile, error) {
	result := ReviewFile{File: file, DryRun: dry, Refused: []string{}, Notices: []string{}}
	rows, err := readReview(file)
	if err != nil {
		return result, fmt.Errorf("import review (%s): %w", file, err)
	}
	result.Rows = len(rows)
	// The name says where a decision came from; the folder may be anybody's.
	decisions, err := p.fresh(ctx, filepath.Base(file), rows, &result)
	if err != nil {
		return result, fmt.Errorf("import review (%s): %w", file, err)
	}
	if dry {
		return result, nil
	}
	run, _, err := p.Decide(ctx, decisions, false)
	result.RunID = run.ID
	if err != nil {
		return result, fmt.Errorf("import review (%s): %w", file, err)
	}
	return result, nil
}

func readReview(file string) ([]schema.ReviewRow, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a file")
	}
	return review.Read(f, info.Size(), review.Limits{})
}

// fresh picks the decisions that are to be applied, and says of the others why not.
func (p *Pipeline) fresh(ctx context.Context, origin string, rows []schema.ReviewRow, result *ReviewFile) ([]schema.Decision, error) {
	refused := make([]string, len(rows))
	var decisions []schema.Decision
	var of []int // the row of each decision
	first := map[string]int{}
	for i, row := range rows {
		d, err := row.Decision(origin)
		before, twice := first[row.FindingID]
		switch {
		case err != nil:
			refused[i] = err.Error()
			continue
		case twice:
			refused[i] = fmt.Sprintf("row %d of sheet %q is about the same finding", rows[before].Line, rows[before].Sheet)
			continue
		}
		first[row.FindingID] = i
		decisions, of = append(decisions, d), append(of, i)
	}
	judged, err := p.Ledger.Judge(ctx, decisions)
	if err != nil {
		return nil, err
	}
	var apply []schema.Decision
	for n, j := range judged {
		row := rows[of[n]]
		switch {
		case j.Before != nil:
			result.Unchanged++
			if j.Status == schema.Open && j.Before.Status != schema.Open {
				result.Notices = append(result.Notices, fmt.Sprintf("%s: %s by %s was applied on %s, and the finding is %s now: another note makes it a new one",
					place(row), j.Action, j.By, j.Before.At.In(p.Zone).Format("2006-01-02 15:04"), j.Status))
			}
		case j.Finding.Code == "":
			refused[of[n]] = j.Refused
		case row.Stale(j.Finding) != "":
			refused[of[n]] = "the report is older than the figures: " + row.Stale(j.Finding) + "; make a new one"
		case j.Refused != "":
			refused[of[n]] = j.Refused
		case !j.Changed:
			result.Unchanged++
		default:
			result.Applied++
			apply = append(apply, j.Decision)
		}
	}
	for i, why := range refused {
		if why != "" {
			result.Refused = append(result.Refused, place(rows[i])+": "+why)
		}
	}
	return apply, nil
}

func place(r schema.ReviewRow) string {
	return fmt.Sprintf("sheet %q row %d (%.40s)", r.Sheet, r.Line, r.FindingID)
}
