// Package html writes one self-contained page for those who only look: nothing is loaded from elsewhere, and a policy in the
// page forbids everything but its own style and script. The script filters rows; without it all of them are shown.
package html

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema/money"
)

var (
	//go:embed page.tmpl
	pageText string
	//go:embed page.css
	pageStyle string
	//go:embed page.js
	pageScript string
)

// mostRows is how many rows of a table the page shows; the files have all of them.
const mostRows = 500

// shortText is what stays on one line, in bytes.
const shortText = 24

// File is a file beside the page that it links to.
type File struct{ Name, Contents string }

// Write writes the pages and tables of a book as one page.
func Write(ctx context.Context, w io.Writer, book table.Book, files []File) error {
	if err := write(ctx, w, book, files); err != nil {
		return fmt.Errorf("write report.html: %w", err)
	}
	return nil
}

func write(ctx context.Context, w io.Writer, book table.Book, files []File) error {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return err
	}
	d := document{
		Title: book.Title, Entity: table.PlainText(book.Entity), Period: book.Period, Version: book.Version, Zone: book.Zone.String(), Files: files,
		Policy: policy(), Style: template.CSS(pageStyle), Script: template.JS(pageScript), FilterAt: -1,
	}
	for i, s := range book.Sheets {
		if err := ctx.Err(); err != nil {
			return err
		}
		v := section{Name: s.Name()}
		if s.Page != nil {
			v.page(*s.Page, book.Zone)
		} else if err := v.rows(*s.Table, book.Zone); err != nil {
			return err
		}
		if len(v.filters) > 0 && d.FilterAt < 0 {
			d.FilterAt = i
		}
		d.merge(v.filters)
		d.Sections = append(d.Sections, v)
	}
	return t.Execute(w, d)
}

// policy is what the page may do: use its own style and script, which are named by their hashes.
func policy() string {
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; style-src " + hash(pageStyle) + "; script-src " + hash(pageScript) + "; base-uri 'none'; form-action 'none'"
}

type document struct {
	Title, Entity, Period, Version, Zone string

	Policy   string
	Style    template.CSS
	Script   template.JS
	Files    []File
	Sections []section
	Filters  []filter
	FilterAt int // the section before which the filters stand
}

// filter is a column by which rows are chosen, with the values that it has.
type filter struct {
	Name, Label string
	Values      []string
}

// merge adds the filters of a section to those of the page.
func (d *document) merge(filters []filter) {
	for _, f := range filters {
		i := slices.IndexFunc(d.Filters, func(known filter) bool { return known.Name == f.Name })
		if i < 0 {
			d.Filters = append(d.Filters, f)
			continue
		}
		for _, v := range f.Values {
			d.Filters[i].add(v)
		}
	}
}

func (f *filter) add(value string) {
	if value != "" && !slices.Contains(f.Values, value) {
		f.Values = append(f.Values, value)
	}
}

// nameOf is the name of a column as an attribute: lower case, with dashes.
func nameOf(column string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, column)
}

// section is a page or a table.
type section struct {
	Name    string
	Title   string  // of a page, where it says more than the name
	Blocks  []block // of a page
	Charts  []drawing
	Head    []cell // of a table
	Rows    []row
	More    int // rows that are not shown
	filters []filter
}

// block is lines of a page that belong together, from a heading to the next.
type block struct {
	Heading string
	Notes   []string // before the lines
	Lines   []line
}

type line struct {
	Role  string
	Cells []cell
}

type row struct {
	Keys  []template.HTMLAttr // by which the row is chosen
	Cells []cell
}

type cell struct {
	Text  string
	Class string
	Span  int
	Bar   int // width of a bar in percent; 0: none
}

// page divides a page into blocks. Its columns are wide enough for all of its blocks, and here each has its own.
func (s *section) page(p table.Page, zone *time.Location) {
	roles := map[table.Role]string{table.Plain: "plain", table.Head: "head", table.Total: "total", table.Blank: "blank"}
	longest := longestBar(p)
	shown := p.Lines
	if p.Shown > 0 {
		shown = shown[:p.Shown]
	}
	at := &block{}
	flush := func() {
		if at.Heading != "" || len(at.Notes)+len(at.Lines) > 0 {
			s.Blocks = append(s.Blocks, *at)
		}
		at = &block{}
	}
	for i, l := range shown {
		first := ""
		if len(l.Cells) > 0 {
			first = show(l.Cells[0], zone).Text
		}
		switch {
		case len(l.Cells) == 0 || covered(p, i):
		case l.Role == table.Title:
			if s.Title = first; first == s.Name {
				s.Title = ""
			}
		case l.Role == table.Heading:
			flush()
			at.Heading = first
		case l.Role == table.Note && len(at.Lines) == 0:
			at.Notes = append(at.Notes, first)
		default:
			at.Lines = append(at.Lines, line{roles[l.Role], pageCells(p, i, longest, zone)})
		}
	}
	flush()
	s.Charts = drawings(p)
}

// pageCells are the cells of a line of a page.
func pageCells(p table.Page, at int, longest int64, zone *time.Location) []cell {
	l := p.Lines[at]
	var cells []cell
	for j, v := range l.Cells {
		c := show(v, zone)
		if foot, ok := v.(table.Foot); ok && foot.Bar {
			if n, isCount := foot.Value.(int64); isCount && n > 0 {
				c.Bar = int(max(2, n*100/longest))
			}
		}
		if l.Role == table.Head && p.NumbersBelow(at, j) {
			c.Class = "number"
		}
		if j == len(l.Cells)-1 && (l.Span || l.Role == table.Note) {
			c.Span = len(p.Widths) - j
		}
		cells = append(cells, c)
	}
	return cells
}

// covered says whether a line is only there to leave room for a chart, or announces one: here charts follow the lines.
func covered(p table.Page, line int) bool {
	for _, c := range p.Charts {
		if line >= c.At.Line-2 && line < c.At.Line+c.Lines {
			return true
		}
	}
	return false
}

// longestBar is the largest count of a page that has a bar, to which the others are drawn.
func longestBar(p table.Page) int64 {
	longest := int64(1)
	for _, l := range p.Lines {
		for _, v := range l.Cells {
			if foot, ok := v.(table.Foot); ok && foot.Bar {
				if n, isCount := foot.Value.(int64); isCount {
					longest = max(longest, n)
				}
			}
		}
	}
	return longest
}

func (s *section) rows(t table.Table, zone *time.Location) error {
	at := map[int]int{} // from columns to filters
	for i, c := range t.Columns {
		head := cell{Text: c.Name}
		if c.Kind == table.Amount || c.Kind == table.Number {
			head.Class = "number"
		}
		s.Head = append(s.Head, head)
		if c.Filter {
			at[i] = len(s.filters)
			s.filters = append(s.filters, filter{Name: nameOf(c.Name), Label: c.Name})
		}
	}
	for cells, err := range t.Rows {
		if err != nil {
			return err
		}
		if len(s.Rows) == mostRows {
			s.More = t.Len - mostRows
			break
		}
		var made row
		for i, v := range cells {
			c := show(v, zone)
			if n, ok := at[i]; ok {
				s.filters[n].add(c.Text)
				made.Keys = append(made.Keys, template.HTMLAttr("data-"+s.filters[n].Name+`="`+template.HTMLEscapeString(c.Text)+`"`))
			}
			made.Cells = append(made.Cells, c)
		}
		s.Rows = append(s.Rows, made)
	}
	return nil
}

// show is a cell as text with the class that styles it.
func show(v any, zone *time.Location) cell {
	switch v := v.(type) {
	case string:
		return textCell(v)
	case table.Word:
		return cell{Text: table.PlainText(v.Text), Class: map[table.Tone]string{table.Good: "good", table.Warn: "warn", table.Bad: "bad"}[v.Tone]}
	case money.Amount:
		return numberCell(v.String())
	case table.Decimal:
		return numberCell(string(v))
	case int64:
		return numberCell(strconv.FormatInt(v, 10))
	case time.Time:
		if v.IsZero() {
			return cell{}
		}
		return cell{Text: v.In(zone).Format("2006-01-02 15:04:05"), Class: "instant"}
	case table.Date:
		return cell{Text: string(v), Class: "instant"}
	case table.Link:
		return textCell(v.Text)
	case table.Calc:
		c := show(v.Value, zone)
		if v.Check && c.Text != "" {
			return checked(c)
		}
		return c
	case table.Foot:
		return show(v.Value, zone)
	}
	return cell{}
}

func textCell(text string) cell {
	text = table.PlainText(text)
	switch {
	case strings.Contains(text, "\n"):
		return cell{Text: text, Class: "lines"}
	case len(text) <= shortText:
		return cell{Text: text, Class: "short"}
	}
	return cell{Text: text}
}

func numberCell(text string) cell {
	class := "number"
	if strings.HasPrefix(text, "-") {
		class = "number negative"
	}
	return cell{Text: grouped(text), Class: class}
}

// checked is a figure that must be zero, with a word that says whether it is.
func checked(c cell) cell {
	if strings.Trim(c.Text, "0.") == "" {
		return cell{Text: "agrees " + c.Text, Class: "number"}
	}
	return cell{Text: "differs " + c.Text, Class: "number bad"}
}

// grouped puts commas between the thousands of decimal text.
func grouped(s string) string {
	whole, fraction, _ := strings.Cut(s, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		fraction = "." + fraction
	}
	return sign + whole + fraction
}
