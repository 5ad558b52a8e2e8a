package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/normalize/books"
	"github.com/tieout/tieout/schema"
)

// FundingFile is what importing one file did.
type FundingFile struct {
	File      string   `json:"file"`
	Rows      int      `json:"rows"`
	Added     int64    `json:"added"`
	Withdrawn int64    `json:"withdrawn"`
	Refused   []string `json:"refused"` // one line each: the line number, what is wrong, the remedy
}

// ImportFundings reads funding files into the ledger as one run. A bad line is refused and the others are read; a file that
// cannot be read at all is in the returned error, and the other files are read.
func (p *Pipeline) ImportFundings(ctx context.Context, files []string) (schema.Run, []FundingFile, error) {
	run, err := p.Ledger.StartRun(ctx, p.newRun(schema.ImportRun, schema.Window{}))
	if err != nil {
		return run, nil, fmt.Errorf("start import: %w", err)
	}
	results, importErr := p.importFiles(ctx, run, files)
	run.Status = schema.Complete
	if importErr != nil {
		run.Status, run.Error = schema.Partial, importErr.Error()
		if len(results) == 0 {
			run.Status = schema.FailedRun
		}
	}
	for _, f := range results {
		if len(f.Refused) > 0 && run.Status == schema.Complete {
			run.Status = schema.Partial
		}
	}
	run, err = p.Ledger.FinishRun(context.WithoutCancel(ctx), run)
	if err != nil {
		return run, results, fmt.Errorf("finish import %d: %w", run.ID, err)
	}
	return run, results, importErr
}

func (p *Pipeline) importFiles(ctx context.Context, run schema.Run, files []string) ([]FundingFile, error) {
	var results []FundingFile
	var errs []error
	for _, file := range files {
		result, err := p.importFile(ctx, run, file)
		if err != nil {
			errs = append(errs, fmt.Errorf("import fundings (%s): %w", file, err))
			continue
		}
		results = append(results, result)
	}
	return results, errors.Join(errs...)
}

func (p *Pipeline) importFile(ctx context.Context, run schema.Run, file string) (FundingFile, error) {
	result := FundingFile{File: file, Refused: []string{}}
	f, err := os.Open(file)
	if err != nil {
		return result, err
	}
	defer f.Close()
	fundings, refused, err := books.Read(file, f, p.Zone, books.Limits{})
	if err != nil {
		return result, err
	}
	fundings, unknown, err := p.ofKnownSources(ctx, file, fundings)
	if err != nil {
		return result, err
	}
	refused = append(refused, unknown...)
	slices.SortStableFunc(refused, func(a, b books.LineError) int { return cmp.Compare(a.Line, b.Line) })
	for _, e := range refused {
		result.Refused = append(result.Refused, e.Error())
	}
	for i := range fundings {
		fundings[i].Note = transport.Mask(fundings[i].Note) // people write card numbers there too
	}
	result.Rows = len(fundings)
	// The absolute path names the file, so that the same file is the same from any working directory.
	path, err := filepath.Abs(file)
	if err != nil {
		return result, err
	}
	result.Added, result.Withdrawn, err = p.Ledger.ImportFundings(ctx, run.ID, path, fundings)
	return result, err
}

// readFundings reads the configured funding files as part of a sync. A bad line, a bad file and a pattern without a file are
// errors of the run, which goes on: the issuers' side is still worth reading.
func (p *Pipeline) readFundings(ctx context.Context, run schema.Run) error {
	var files []string
	var errs []error
	for _, pattern := range p.Fundings {
		found, err := filepath.Glob(pattern)
		if err != nil {
			errs = append(errs, fmt.Errorf("find fundings (%s): %w", pattern, err))
		}
		files = append(files, found...)
	}
	slices.Sort(files)
	results, err := p.importFiles(ctx, run, slices.Compact(files))
	errs = append(errs, err)
	for _, f := range results {
		for _, line := range f.Refused {
			errs = append(errs, fmt.Errorf("import fundings: %s", line))
		}
	}
	return errors.Join(errs...)
}

// ofKnownSources refuses the lines that name a source which is neither configured nor in the ledger: such a funding matches
// nothing, and a misspelt name would look like money that never arrived.
func (p *Pipeline) ofKnownSources(ctx context.Context, file string, all []schema.Funding) (known []schema.Funding, refused []books.LineError, err error) {
	names, err := p.Ledger.Sources(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range p.Checks.Sources { // all that are configured, also where a run reads only some
		names = append(names, s.Name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	for _, f := range all {
		if f.Source == "" || slices.Contains(names, f.Source) {
			known = append(known, f)
			continue
		}
		refused = append(refused, books.LineError{
			File: file, Line: f.Line, Column: "source",
			Reason: fmt.Sprintf("%q is no source; the sources are %s, and an empty cell means any", transport.Mask(f.Source), strings.Join(names, ", ")),
		})
	}
	return known, refused, nil
}
