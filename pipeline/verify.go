package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/tieout/tieout/reports"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// Verification says what Verify looked at.
type Verification struct {
	Ledger    ledger.Verification
	Entries   int64    // whose amount, status and times were computed again from their records
	Otherwise int64    // of these, entries that another version of tieout stored and that this one reads otherwise
	First     string   // the first of those, with what differs
	Unknown   []string // sources of the ledger that are not configured: their entries were not computed again
	Reports   []string // folders of the reports that were found
	Problem   string   // the first thing that does not hold, named; empty: all holds
}

// Verify computes anew what the ledger says of itself (ledger.Verify), what its entries say from the records that they were
// made from, and the files of the reports that are found in or directly below the folders. A folder that does not exist
// holds no report.
func (p *Pipeline) Verify(ctx context.Context, root string, folders []string) (Verification, error) {
	var v Verification
	var err error
	if v.Ledger, err = p.Ledger.Verify(ctx, root); err != nil {
		return v, fmt.Errorf("verify: %w", err)
	}
	if v.Problem = v.Ledger.Problem; v.Problem != "" {
		return v, nil
	}
	for _, step := range []func() (string, error){
		func() (string, error) { return v.entries(ctx, p) },
		func() (string, error) { return v.reports(ctx, p, folders) },
	} {
		if v.Problem, err = step(); err != nil {
			return v, fmt.Errorf("verify: %w", err)
		}
		if v.Problem != "" {
			return v, nil
		}
	}
	return v, nil
}

// entries normalizes the stored records again and compares what comes of them with the entries.
func (v *Verification) entries(ctx context.Context, p *Pipeline) (problem string, err error) {
	runs, err := p.Ledger.Runs(ctx, 0)
	if err != nil {
		return "", err
	}
	versions := map[int64]string{}
	for _, r := range runs {
		versions[r.ID] = r.Version
	}
	for _, s := range p.Sources {
		for e, err := range p.Ledger.Evidence(ctx, s.Name) {
			if err != nil {
				return "", err
			}
			v.Entries++
			differs := differs(s, e)
			if differs == "" {
				continue
			}
			if versions[e.Entry.Run] == p.Version {
				return fmt.Sprintf("entries row %d (%s): %s", e.Entry.Version, e.Entry.ID(), differs), nil
			}
			v.Otherwise++
			if v.First == "" {
				v.First = e.Entry.ID() + ": " + differs
			}
		}
	}
	for _, t := range v.Ledger.Totals {
		known := slices.ContainsFunc(p.Sources, func(s Source) bool { return s.Name == t.Source })
		if !known && !slices.Contains(v.Unknown, t.Source) {
			v.Unknown = append(v.Unknown, t.Source)
		}
	}
	return "", nil
}

// differs says what an entry has other than its record gives; empty: nothing. The kind is not compared: Slash tells it from
// the category that was asked for, which is not part of the record.
func differs(s Source, e ledger.Evidence) string {
	if e.Record.Payload == nil {
		return "no record of it is stored"
	}
	var batch schema.Batch
	if err := s.Normalize(e.Record, &batch); err != nil {
		return "its record cannot be read: " + err.Error()
	}
	n := slices.IndexFunc(batch.Entries, func(o schema.Entry) bool { return o.ExternalID == e.Entry.ExternalID })
	if n < 0 {
		return "its record gives no such entry"
	}
	was, now := e.Entry, batch.Entries[n]
	for _, d := range schema.Differences(
		schema.Entry{Status: was.Status, OccurredAt: was.OccurredAt, PostedAt: was.PostedAt, Amount: was.Amount},
		schema.Entry{Status: now.Status, OccurredAt: now.OccurredAt, PostedAt: now.PostedAt, Amount: now.Amount},
	) {
		return fmt.Sprintf("it has %s %q, and its record gives %q", d.Field, d.Old, d.New)
	}
	return ""
}

// reports finds reports and compares them with their manifests, and the manifests with what the ledger recorded of them.
func (v *Verification) reports(ctx context.Context, p *Pipeline, folders []string) (problem string, err error) {
	var all []reports.Found
	for _, folder := range folders {
		dirs, err := reportFolders(folder)
		if err != nil {
			return "", err
		}
		for _, dir := range dirs {
			found, err := reports.Verify(dir)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return "", err
			}
			all = append(all, found)
		}
	}
	recorded, err := p.recordedReports(ctx) // after the files were read: a run records its report when it is written
	if err != nil {
		return "", err
	}
	for _, found := range all {
		v.Reports = append(v.Reports, found.Dir)
		if problem := recorded.judge(found); problem != "" {
			return fmt.Sprintf("report %s: %s", found.Dir, problem), nil
		}
	}
	return "", nil
}

// recordedReports is what the ledger knows of reports.
type recordedReports struct {
	roots     map[int64]string // after each run
	manifests map[string]bool  // by SHA-256
	writing   bool             // a report is being written
}

func (p *Pipeline) recordedReports(ctx context.Context) (recordedReports, error) {
	r := recordedReports{roots: map[int64]string{}, manifests: map[string]bool{}}
	runs, err := p.Ledger.Runs(ctx, 0)
	for _, run := range runs {
		r.roots[run.ID] = run.Root
		var record reportRecord
		if run.Kind == schema.ReportRun && json.Unmarshal([]byte(run.Parameters), &record) == nil {
			r.manifests[record.Manifest] = true
			r.writing = r.writing || run.Status.Goes()
		}
	}
	return r, err
}

func (r recordedReports) judge(found reports.Found) (problem string) {
	m := found.Manifest
	switch root, ok := r.roots[m.AsOfRun]; {
	case found.Problem != "":
		return found.Problem
	case !ok:
		return fmt.Sprintf("it was made as of run %d, which this ledger does not have: the end of the ledger was cut off, or the report is of another", m.AsOfRun)
	case root != m.Root:
		return fmt.Sprintf("its root after run %d is %s, and the ledger's is %s", m.AsOfRun, m.Root, root)
	case !r.manifests[found.SHA256] && !r.writing:
		return "no run of this ledger wrote its manifest as it is"
	}
	return ""
}

// reportFolders is a folder and those directly in it, by name.
func reportFolders(folder string) ([]string, error) {
	items, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	dirs := []string{folder}
	for _, item := range items {
		if item.IsDir() {
			dirs = append(dirs, filepath.Join(folder, item.Name()))
		}
	}
	return dirs, err
}
