package reports

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/tieout/tieout/reports/csv"
	"github.com/tieout/tieout/reports/html"
	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/reports/xlsx"
)

// Names of the files that are not tables.
const (
	workbookFile = "tieout.xlsx"
	pageFile     = "report.html"
	manifestFile = "manifest.json"

	// unfinishedFile is the manifest of an earlier report while it is being replaced.
	unfinishedFile = ".tieout-replaced.json"
)

// toolName is the program that a manifest names.
const toolName = "tieout"

// Manifest says what a report is of and which files it is made of.
type Manifest struct {
	Tool       string `json:"tool"`
	Version    string `json:"version"`
	Entity     string `json:"entity"`
	Zone       string `json:"zone"`
	PeriodFrom string `json:"period_from"` // RFC 3339 UTC, inclusive
	PeriodTo   string `json:"period_to"`   // exclusive
	AsOfRun    int64  `json:"as_of_run"`
	CheckedBy  int64  `json:"checked_by_run"` // 0: no checks were run
	Root       string `json:"root"`           // of the hash chain after the as-of run
	Conclusion string `json:"conclusion"`     // COMPLETE, INCOMPLETE, …
	Files      []File `json:"files"`          // by name
}

// File is one file of a report.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Formats lists the formats that Write knows.
func Formats() []string { return []string{"xlsx", "csv", "html"} }

// Write writes a report into the folder dir, in some of Formats, and the manifest of what it wrote. Equal inputs make equal
// bytes. Files are 0600; folders that do not exist are made 0700.
//
// Everything is written beside its place first, so that a report that fails leaves the folder as it was. In a folder that
// holds an earlier report its files are replaced, and those that this one does not have are removed: figures of two reports
// never stand side by side. In any other folder nothing is removed. The manifest goes first and comes last; a folder without
// one is not finished.
func Write(ctx context.Context, dir string, in Input, formats []string) (Manifest, error) {
	m, err := write(ctx, dir, in, formats)
	if err != nil {
		return Manifest{}, fmt.Errorf("report (%s): %w", in.Period.Window, err)
	}
	return m, nil
}

func write(ctx context.Context, dir string, in Input, formats []string) (m Manifest, err error) {
	for _, f := range formats {
		if !slices.Contains(Formats(), f) {
			return m, fmt.Errorf("format %q is not known", f)
		}
	}
	facts, err := gather(ctx, in)
	if err != nil {
		return m, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return m, err
	}
	// Inside of dir: a rename must not leave the file system.
	temp, err := os.MkdirTemp(dir, ".tieout-*")
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()

	word, _ := facts.conclusion()
	m = Manifest{
		Tool: toolName, Version: in.Version, Entity: in.Entity, Zone: in.Period.Zone.String(),
		PeriodFrom: in.Period.From.UTC().Format(time.RFC3339Nano), PeriodTo: in.Period.To.UTC().Format(time.RFC3339Nano),
		AsOfRun: in.AsOf.ID, CheckedBy: in.Reconciled.ID, Root: in.Root, Conclusion: word.Text, Files: []File{},
	}
	put := func(files *[]File, name string, fill func(w io.Writer) error) error {
		f, err := writeFile(filepath.Join(temp, name), fill)
		*files = append(*files, f)
		return err
	}
	var beside []html.File
	var tables, books []File
	var tablesErr, bookErr error
	var together sync.WaitGroup // the workbook and the CSV files
	if slices.Contains(formats, "csv") {
		all := facts.csvTables(ctx)
		for _, t := range all {
			beside = append(beside, html.File{Name: t.Name + ".csv", Contents: plural(t.Len, "row", "rows")})
		}
		together.Go(func() {
			for _, t := range all {
				if tablesErr = put(&tables, t.Name+".csv", func(w io.Writer) error { return csv.Write(ctx, w, t) }); tablesErr != nil {
					return
				}
			}
		})
	}
	if slices.Contains(formats, "xlsx") {
		beside = append(beside, html.File{Name: workbookFile, Contents: "the workpaper"})
		book, w := facts.workbook(ctx), xlsx.Writer{TempDir: temp}
		together.Go(func() {
			bookErr = put(&books, workbookFile, func(out io.Writer) error { return w.Write(ctx, out, book) })
		})
	}
	together.Wait()
	if err := cmp.Or(tablesErr, bookErr); err != nil { // always the same one
		return m, err
	}
	m.Files = slices.Concat(tables, books)
	if slices.Contains(formats, "html") {
		if err := put(&m.Files, pageFile, func(out io.Writer) error { return html.Write(ctx, out, facts.page(), beside) }); err != nil {
			return m, err
		}
	}
	slices.SortFunc(m.Files, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	if _, err := writeFile(filepath.Join(temp, manifestFile), m.encode); err != nil {
		return m, err
	}
	return m, m.place(temp, dir, facts.names(ctx))
}

func (m Manifest) encode(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(m)
}

// place moves the files of a finished report from temp into dir and removes what an earlier report left of the known files.
func (m Manifest) place(temp, dir string, known []string) error {
	unfinished := filepath.Join(dir, unfinishedFile)
	if earlier(dir) {
		if err := os.Rename(filepath.Join(dir, manifestFile), unfinished); err != nil {
			return err
		}
	} else if _, err := os.Lstat(unfinished); err != nil {
		known = nil // what has a name of ours here was never ours
	}
	has := func(name string) bool {
		return slices.ContainsFunc(m.Files, func(f File) bool { return f.Name == name })
	}
	for _, name := range known {
		if has(name) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	for _, f := range m.Files {
		if err := os.Rename(filepath.Join(temp, f.Name), filepath.Join(dir, f.Name)); err != nil {
			return err
		}
	}
	if err := os.Rename(filepath.Join(temp, manifestFile), filepath.Join(dir, manifestFile)); err != nil {
		return err
	}
	if err := os.Remove(unfinished); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// earlier says whether a folder holds a finished report. A manifest may also be that of another program.
func earlier(dir string) bool {
	var m Manifest
	data, err := os.ReadFile(filepath.Join(dir, manifestFile))
	return err == nil && json.Unmarshal(data, &m) == nil && m.Tool == toolName
}

// writeFile writes one new file, to the disk, and says what it is.
func writeFile(path string, fill func(w io.Writer) error) (f File, err error) {
	f.Name = filepath.Base(path)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	sum := sha256.New()
	if err := fill(io.MultiWriter(file, sum)); err != nil {
		return f, err
	}
	info, err := file.Stat()
	if err != nil {
		return f, err
	}
	f.Size, f.SHA256 = info.Size(), hex.EncodeToString(sum.Sum(nil))
	return f, file.Sync()
}

// csvTables lists the tables that are files. To add one: a file of this package, its golden, a line here.
func (f *facts) csvTables(ctx context.Context) []table.Table {
	tables := []table.Table{findingCSV("findings", f.findings)}
	for _, s := range findingSheets() {
		if s.file != "" {
			tables = append(tables, findingCSV(s.file, f.findingsOf(s)))
		}
	}
	tables = append(tables,
		f.rollForwardCSV(ctx), f.cardsCSV(), f.ledgerCSV(ctx), f.cutoffCSV(ctx), f.completenessCSV(), f.totalsCSV(), f.changesCSV(ctx), f.parametersTable("parameters"))
	if f.Sample.Method != "" {
		tables = append(tables, f.sampleCSV())
	}
	return tables
}

// names lists every file that a report can have.
func (f *facts) names(ctx context.Context) []string {
	names := []string{workbookFile, pageFile, "sample.csv"}
	for _, t := range f.csvTables(ctx) {
		names = append(names, t.Name+".csv")
	}
	return names
}

// sheets lists the sheets of the workbook between Summary and Legend, with what the cover says of each. To add one: a file
// of this package, a line here.
func (f *facts) sheets(ctx context.Context) ([]table.Sheet, []listed) {
	var sheets []table.Sheet
	var list []listed
	add := func(t table.Table, tone table.Tone, contents string) {
		sheets = append(sheets, table.Sheet{Table: &t, Tone: tone})
		list = append(list, listed{t.Name, contents, int64(t.Len)})
	}
	for _, s := range findingSheets() {
		t := f.findingTable(s)
		tone := table.Good
		for _, x := range f.findingsOf(s) {
			tone = max(tone, statusWord(x.Status).Tone)
		}
		add(t, tone, s.contents)
	}
	add(f.rollForwardTable(ctx), table.Quiet, "Every figure that was compared with the ledger, and those that could not be")
	add(f.cardsTable(), table.Quiet, "The latest observation of each card, a row for each limit")
	add(f.ledgerTable(ctx), table.Quiet, "Every entry of the period, of every status")
	add(f.completenessTable(), table.Quiet, "What was read for the period, and whether to its end")
	add(f.totalsTable(), table.Quiet, "Records, entries and sums for each source and currency")
	add(f.changesTable(ctx), table.Quiet, "Entries that came, changed or are no longer listed since the report before")
	add(f.parametersTable("Parameters"), table.Quiet, "Settings, tolerances and versions in force")
	return sheets, list
}

// workbook is the workpaper.
func (f *facts) workbook(ctx context.Context) table.Book {
	sheets, list := f.sheets(ctx)
	list = slices.Concat([]listed{{"Summary", "The figures of the period on one page, as formulas over the other sheets", nil}}, list)
	var last []table.Sheet
	if f.Sample.Method != "" {
		sample := f.sample()
		last = append(last, table.Sheet{Page: &sample})
		list = append(list, listed{sampleSheet, "Entries for an auditor to test, and how they were drawn", nil})
	}
	list = append(list, listed{"Legend", "What columns, signs, statuses and reasons mean", nil})
	cover, summary, legend := f.cover(list), f.summary(), f.legend()
	word, _ := f.conclusion()
	book := f.book()
	book.Sheets = slices.Concat([]table.Sheet{{Page: &cover, Tone: word.Tone}, {Page: &summary}}, sheets, last, []table.Sheet{{Page: &legend}})
	return book
}

// page is the report for those who only look.
func (f *facts) page() table.Book {
	cover, news, summary := f.cover(nil), f.news(), f.summary()
	book := f.book()
	book.Sheets = []table.Sheet{{Page: &cover}, {Page: &news}, {Page: &summary}}
	for _, s := range findingSheets() {
		t := f.shortTable(s)
		book.Sheets = append(book.Sheets, table.Sheet{Table: &t})
	}
	return book
}

func (f *facts) book() table.Book {
	return table.Book{
		Title: f.title(), Entity: f.Entity, Period: periodText(f.Period), Version: fmt.Sprintf("tieout %s, as of run %d", f.Version, f.AsOf.ID),
		At: f.Period.Now, Zone: f.Period.Zone,
	}
}
