// Package workbook reads the sheets of an XLSX workbook that comes from outside, row by row.
//
// Only the parts that are asked for are inflated, nothing is written to disk, and what a workbook may cost is bounded: the
// list of its parts, the size of a part, the size of one element, depth, columns, text. Whatever it does not expect, it
// refuses. A sheet that breaks off is an error and never looks like a shorter one.
package workbook

import (
	"archive/zip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Limits bounds what a workbook may cost. A field that is zero means its default.
type Limits struct {
	Directory int64 // bytes of the archive's list of parts; default 4 MiB
	Part      int64 // inflated bytes of one part; default 512 MiB
	Total     int64 // inflated bytes that are read in all, a part that is read again counted again; default 2 GiB
	Element   int64 // bytes of one element or text; default 1 MiB
	Row       int64 // bytes of the values of one row; default 4 MiB
	Text      int64 // bytes of the shared texts that one sheet uses, and 64 for each of them; default 128 MiB
	Columns   int   // of a sheet; default 1,024
}

func (l Limits) withDefaults() Limits {
	for limit, byDefault := range map[*int64]int64{
		&l.Directory: 4 << 20, &l.Part: 512 << 20, &l.Total: 2 << 30, &l.Element: 1 << 20, &l.Row: 4 << 20, &l.Text: 128 << 20,
	} {
		if *limit == 0 {
			*limit = byDefault
		}
	}
	if l.Columns == 0 {
		l.Columns = 1024
	}
	return l
}

// Book is an open workbook. It reads from what it was opened on for as long as it is used.
type Book struct {
	Date1904 bool // dates count from 1904 rather than from 1900

	limits  Limits
	left    int64                // of limits.Total
	parts   map[string]*zip.File // by name in lower case; names are compared so
	sheets  []sheet
	strings string // the part with the shared texts; empty: none
}

type sheet struct{ name, part string }

// Row is one row that has cells.
type Row struct {
	Number int      // from 1
	Cells  []string // texts as they read; numbers as they are stored, such as 19.989999999999998; "" for empty ones
}

// Open reads which sheets a workbook has.
func Open(r io.ReaderAt, size int64, limits Limits) (*Book, error) {
	b := &Book{limits: limits.withDefaults(), parts: map[string]*zip.File{}}
	b.left = b.limits.Total
	if err := b.open(r, size); err != nil {
		return nil, fmt.Errorf("not a workbook that can be read: %w", err)
	}
	return b, nil
}

func (b *Book) open(r io.ReaderAt, size int64) error {
	meter := &meter{from: r, left: b.limits.Directory}
	archive, err := zip.NewReader(meter, size)
	if err != nil {
		return err
	}
	meter.left = -1 // parts have bounds of their own
	for _, f := range archive.File {
		name := strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(f.Name, `\`, "/"), "/"))
		if b.parts[name] != nil {
			return fmt.Errorf("the part %s is there twice", name)
		}
		b.parts[name] = f
	}
	main, err := b.related("", "/officeDocument")
	if err != nil {
		return err
	}
	if len(main) != 1 {
		return errors.New("it does not say which part is the workbook")
	}
	for _, part := range main {
		return b.readSheets(part)
	}
	return nil
}

// Sheets lists the names of the worksheets, in their order. Sheets of other kinds, such as charts, are left out.
func (b *Book) Sheets() []string {
	names := make([]string, len(b.sheets))
	for i, s := range b.sheets {
		names[i] = s.name
	}
	return names
}

// related lists the parts that a part refers to as a kind, by the id of the reference. The part "" is the archive.
func (b *Book) related(part, kind string) (map[string]string, error) {
	found := map[string]string{}
	dir, base := path.Split(part)
	for start, err := range b.elements(path.Join(dir, "_rels", base+".rels"), "Relationship") {
		if err != nil {
			return nil, err
		}
		if !strings.HasSuffix(attribute(start, "Type"), kind) || strings.EqualFold(attribute(start, "TargetMode"), "External") {
			continue
		}
		target := strings.ToLower(attribute(start, "Target"))
		if !strings.HasPrefix(target, "/") {
			target = path.Join("/", dir, target)
		}
		found[attribute(start, "Id")] = strings.TrimPrefix(path.Clean(target), "/")
	}
	return found, nil
}

const maxSheets = 1000

func (b *Book) readSheets(part string) error {
	parts, err := b.related(part, "/worksheet")
	if err != nil {
		return err
	}
	texts, err := b.related(part, "/sharedStrings")
	if err != nil {
		return err
	}
	for _, p := range texts {
		b.strings = p
	}
	for start, err := range b.elements(part, "sheet", "workbookPr") {
		if err != nil {
			return err
		}
		if start.Name.Local == "workbookPr" {
			word := attribute(start, "date1904")
			b.Date1904 = word == "1" || word == "true"
			continue
		}
		at, ok := parts[attribute(start, "id")]
		if !ok {
			continue
		}
		if b.sheets = append(b.sheets, sheet{attribute(start, "name"), at}); len(b.sheets) > maxSheets {
			return fmt.Errorf("more than %d sheets", maxSheets)
		}
	}
	return nil
}

// elements yields the start of each element that has one of the names.
func (b *Book) elements(part string, names ...string) iter.Seq2[xml.StartElement, error] {
	return func(yield func(xml.StartElement, error) bool) {
		for token, err := range b.tokens(part) {
			if err != nil {
				yield(xml.StartElement{}, err)
				return
			}
			if start, ok := token.(xml.StartElement); ok && slices.Contains(names, start.Name.Local) && !yield(start, nil) {
				return
			}
		}
	}
}

// Rows yields the rows of a worksheet that have cells, in their order. An error ends it.
func (b *Book) Rows(name string) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		if err := b.rows(name, yield); err != nil {
			yield(Row{}, fmt.Errorf("sheet %q: %w", name, err))
		}
	}
}

func (b *Book) rows(name string, yield func(Row, error) bool) error {
	i := slices.IndexFunc(b.sheets, func(s sheet) bool { return s.name == name })
	if i < 0 {
		return errors.New("there is no such worksheet")
	}
	texts, err := b.texts(b.sheets[i].part)
	if err != nil {
		return err
	}
	for row, err := range b.cells(b.sheets[i].part) {
		if err != nil {
			return err
		}
		out := Row{Number: row.number, Cells: make([]string, 0, row.cells[len(row.cells)-1].column)}
		for _, c := range row.cells {
			out.Cells = append(out.Cells[:c.column-1], c.text(texts))
		}
		if !yield(out, nil) {
			return nil
		}
	}
	return nil
}

// textCost is what a shared text costs beside its bytes.
const textCost = 64

// texts are the shared texts that a sheet uses, by their numbers: of a large workbook, that is a small part of them.
func (b *Book) texts(part string) (map[string]string, error) {
	texts, left := map[string]string{}, b.limits.Text
	for row, err := range b.cells(part) {
		if err != nil {
			return nil, err
		}
		for _, c := range row.cells {
			if c.kind == "s" {
				texts[c.value] = ""
			}
		}
		if int64(len(texts))*textCost > left {
			return nil, fmt.Errorf("it uses more than %d texts", left/textCost)
		}
	}
	number, missing := 0, len(texts)
	item := words{most: b.limits.Element}
	if missing == 0 {
		return texts, nil
	}
	for token, err := range b.tokens(b.strings) {
		if err != nil {
			return nil, err
		}
		ended, err := item.take(token, "si")
		if err != nil {
			return nil, err
		}
		if !ended {
			continue
		}
		key := strconv.Itoa(number)
		number++
		if _, used := texts[key]; !used {
			continue
		}
		texts[key] = item.text()
		if left -= textCost + int64(len(texts[key])); left < 0 {
			return nil, fmt.Errorf("the texts that it uses are larger than %d bytes", b.limits.Text)
		}
		if missing--; missing == 0 {
			return texts, nil
		}
	}
	return nil, errors.New("it refers to texts that are not there")
}

// words collects the text of an element: that of its <t> elements, but for how it is pronounced.
type words struct {
	most            int64 // bytes
	depth, phonetic int
	in              bool // a <t>
	bytes           []byte
}

// take takes a token and says whether it ended the element of a name. The text then stands until the next one begins.
func (w *words) take(token xml.Token, name string) (bool, error) {
	switch t := token.(type) {
	case xml.StartElement:
		w.start(t, name)
	case xml.CharData:
		if !w.in || w.phonetic > 0 {
			return false, nil
		}
		if w.bytes = append(w.bytes, t...); int64(len(w.bytes)) > w.most {
			return false, fmt.Errorf("a text is larger than %d bytes", w.most)
		}
	case xml.EndElement:
		w.in = false
		if w.depth == 0 {
			return false, nil
		}
		if t.Name.Local == "rPh" {
			w.phonetic--
		}
		w.depth--
		return w.depth == 0, nil
	}
	return false, nil
}

func (w *words) start(t xml.StartElement, name string) {
	switch {
	case w.depth == 0 && t.Name.Local == name:
		w.depth, w.bytes = 1, w.bytes[:0]
	case w.depth > 0:
		w.depth++
		w.in = t.Name.Local == "t"
		if t.Name.Local == "rPh" {
			w.phonetic++
		}
	}
}

func (w *words) text() string { return unescape(string(w.bytes)) }

// unescape reads characters that XML cannot hold: _x000D_ is a carriage return, and _x005F_ an underscore.
func unescape(s string) string {
	var out strings.Builder
	for {
		at := strings.Index(s, "_x")
		if at < 0 || len(s) < at+7 {
			break
		}
		code, err := strconv.ParseUint(s[at+2:at+6], 16, 16)
		if err != nil || s[at+6] != '_' {
			out.WriteString(s[:at+1])
			s = s[at+1:]
			continue
		}
		out.WriteString(s[:at])
		out.WriteRune(rune(code))
		s = s[at+7:]
	}
	out.WriteString(s)
	return out.String()
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
