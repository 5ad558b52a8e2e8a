// Package html writes one self-contained page for those who only look: no script, nothing loaded from elsewhere.
package html

import (
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema/money"
)

//go:embed page.tmpl
var pageText string

// mostRows is how many rows of a table the page shows; the files have all of them.
const mostRows = 500

// shortText is what stays on one line, in bytes.
const shortText = 24

// File is a file beside the page that it links to.
type File struct{ Name, Contents string }

// Write writes the pages and tables of a book as one page.
func Write(ctx context.Context, w io.Writer, book table.Book, files []File) error {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return fmt.Errorf("write report.html: %w", err)
	}
	d := document{Title: book.Title, Entity: book.Entity, Period: book.Period, Version: book.Version, Zone: book.Zone.String(), Files: files}
	for _, s := range book.Sheets {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("write report.html: %w", err)
		}
		v := section{Name: s.Name()}
		if s.Page != nil {
			v.Lines = lines(*s.Page, book.Zone)
		} else if err := v.rows(*s.Table, book.Zone); err != nil {
			return fmt.Errorf("write report.html: %w", err)
		}
		d.Sections = append(d.Sections, v)
	}
	if err := t.Execute(w, d); err != nil {
		return fmt.Errorf("write report.html: %w", err)
	}
	return nil
}

type document struct {
	Title, Entity, Period, Version, Zone string
	Files                                []File
	Sections                             []section
}

// section is a page or a table.
type section struct {
	Name  string
	Lines []line // of a page
	Head  []cell // of a table
	Rows  [][]cell
	More  int // rows that are not shown
}

type line struct {
	Role  string
	Cells []cell
}

type cell struct {
	Text  string
	Class string
	Span  int
	Bar   int // width of a bar in percent; 0: none
}

func lines(p table.Page, zone *time.Location) []line {
	roles := map[table.Role]string{
		table.Plain: "plain", table.Title: "title", table.Heading: "heading", table.Head: "head", table.Total: "total", table.Note: "note", table.Blank: "blank",
	}
	longest := longestBar(p)
	var all []line
	for i, l := range p.Lines {
		shown := line{Role: roles[l.Role]}
		for j, v := range l.Cells {
			c := show(v, zone)
			if foot, ok := v.(table.Foot); ok && foot.Bar {
				if n, isCount := foot.Value.(int64); isCount && n > 0 {
					c.Bar = int(max(2, n*100/longest))
				}
			}
			if l.Role == table.Head && p.NumbersBelow(i, j) {
				c.Class = "number"
			}
			if j == len(l.Cells)-1 && (l.Span || l.Role == table.Heading) {
				c.Span = len(p.Widths) - j
			}
			shown.Cells = append(shown.Cells, c)
		}
		all = append(all, shown)
	}
	return all
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
	for _, c := range t.Columns {
		head := cell{Text: c.Name}
		if c.Kind == table.Amount || c.Kind == table.Number {
			head.Class = "number"
		}
		s.Head = append(s.Head, head)
	}
	for row, err := range t.Rows {
		if err != nil {
			return err
		}
		if len(s.Rows) == mostRows {
			s.More = t.Len - mostRows
			break
		}
		var cells []cell
		for _, v := range row {
			cells = append(cells, show(v, zone))
		}
		s.Rows = append(s.Rows, cells)
	}
	return nil
}

// show is a cell as text with the class that styles it.
func show(v any, zone *time.Location) cell {
	switch v := v.(type) {
	case string:
		v = table.PlainText(v)
		if len(v) <= shortText {
			return cell{Text: v, Class: "short"}
		}
		return cell{Text: v}
	case table.Word:
		return cell{Text: table.PlainText(v.Text), Class: map[table.Tone]string{table.Good: "good", table.Warn: "warn", table.Bad: "bad"}[v.Tone]}
	case money.Amount:
		return cell{Text: grouped(v.String()), Class: "number"}
	case table.Decimal:
		return cell{Text: grouped(string(v)), Class: "number"}
	case int64:
		return cell{Text: grouped(strconv.FormatInt(v, 10)), Class: "number"}
	case time.Time:
		if v.IsZero() {
			return cell{}
		}
		return cell{Text: v.In(zone).Format("2006-01-02 15:04:05"), Class: "instant"}
	case table.Link:
		return cell{Text: table.PlainText(v.Text)}
	case table.Date:
		return cell{Text: string(v), Class: "instant"}
	case table.Foot:
		return show(v.Value, zone)
	case table.Calc:
		return show(v.Value, zone)
	}
	return cell{}
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
