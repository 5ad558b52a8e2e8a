package workbook

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
)

// The parts of a small workbook.
const (
	rootRels  = `<Relationships><Relationship Id="r" Type="http://x/officeDocument" Target="xl/workbook.xml"/></Relationships>`
	bookRels  = `<Relationships><Relationship Id="a" Type="http://x/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="s" Type="http://x/sharedStrings" Target="/xl/sharedStrings.xml"/></Relationships>`
	bookXML   = `<workbook xmlns:r="http://r"><sheets><sheet name="One" sheetId="1" r:id="a"/></sheets></workbook>`
	sharedXML = `<sst><si><t>zero</t></si><si><r><t>o</t></r><r><t>ne</t></r><rPh><t>no</t></rPh></si><si><t>two</t></si></sst>`
)

type parts map[string]string

// of is the small workbook with one sheet, and with parts replaced.
func of(rows string, replaced parts) parts {
	all := parts{
		"_rels/.rels": rootRels, "xl/_rels/workbook.xml.rels": bookRels, "xl/workbook.xml": bookXML, "xl/sharedStrings.xml": sharedXML,
		"xl/worksheets/sheet1.xml": `<worksheet><sheetData>` + rows + `</sheetData></worksheet>`,
	}
	for name, content := range replaced {
		if all[name] = content; content == "" {
			delete(all, name)
		}
	}
	return all
}

func (p parts) zip(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, content := range p {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// read reads a sheet: "NUMBER: CELL|CELL", a line each, and the error.
func read(data []byte, sheet string, limits Limits) (string, error) {
	book, err := Open(bytes.NewReader(data), int64(len(data)), limits)
	if err != nil {
		return "", err
	}
	var lines []string
	for row, err := range book.Rows(sheet) {
		if err != nil {
			return strings.Join(lines, "\n"), err
		}
		lines = append(lines, fmt.Sprintf("%d: %s", row.Number, strings.Join(row.Cells, "|")))
	}
	return strings.Join(lines, "\n"), nil
}

func TestRows(t *testing.T) {
	for name, c := range map[string]struct {
		rows, want string
		replaced   parts
	}{
		"TextsOfEveryKind": {
			`<row r="2"><c r="A2" t="s"><v>1</v></c><c r="C2" t="inlineStr"><is><r><t>in</t></r><r><t>line</t></r></is></c><c r="D2" t="str"><f>A1</f><v>formula</v></c></row>`,
			"2: one||inline|formula", nil,
		},
		"NumbersAsTheyAreStored": {
			`<row><c><v>19.989999999999998</v></c><c t="n"><v>1E-3</v></c><c t="b"><v>1</v></c><c t="e"><v>#REF!</v></c></row>`,
			"1: 19.989999999999998|1E-3|1|#REF!", nil,
		},
		"RowsAndCellsWithoutNames":   {`<row><c><v>1</v></c></row><row r="5"/><row><c/><c><v>2</v></c></row>`, "1: 1\n6: |2", nil},
		"EmptyCellsAreNoRow":         {`<row r="1"><c r="A1"/><c r="B1" t="inlineStr"><is><t></t></is></c></row>`, "", nil},
		"EscapedCharacters":          {`<row><c t="inlineStr"><is><t>a_x000D_b_x005F_x_xZZZZ_ _x12</t></is></c></row>`, "1: a\rb_x_xZZZZ_ _x12", nil},
		"SpaceIsKept":                {`<row><c t="inlineStr"><is><t xml:space="preserve"> a </t></is></c></row>`, "1:  a ", nil},
		"CommentsAndCDATA":           {`<row><c><v>1<!-- x -->2<![CDATA[3]]></v></c></row>`, "1: 123", nil},
		"OtherNamespaces":            {``, "1: 7", parts{"xl/worksheets/sheet1.xml": `<x:worksheet xmlns:x="y"><x:sheetData><x:row><x:c><x:v>7</x:v></x:c></x:row></x:sheetData></x:worksheet>`}},
		"CellsOutsideOfRows":         {`<c><v>1</v></c><row><c><v>2</v></c></row>`, "1: 2", nil},
		"ARowInARowIsReadOnce":       {`<row><c><v>1</v></c><row><c><v>2</v></c></row></row>`, "2: 2", nil},
		"WithoutSharedTexts":         {`<row><c><v>1</v></c></row>`, "1: 1", parts{"xl/sharedStrings.xml": ""}},
		"PartNamesInAnyCaseAndSlash": {`<row><c t="s"><v>2</v></c></row>`, "1: two", parts{"xl/sharedStrings.xml": "", `XL\SharedStrings.xml`: sharedXML}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := read(of(c.rows, c.replaced).zip(t), "One", Limits{})
			if err != nil || got != c.want {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestRows_Refuses(t *testing.T) {
	one := `<row><c><v>1</v></c></row>`
	for name, c := range map[string]struct {
		rows, says string
		replaced   parts
		limits     Limits
	}{
		"ASheetThatBreaksOff":     {``, "breaks off", parts{"xl/worksheets/sheet1.xml": `<worksheet><sheetData>` + one}, Limits{}},
		"MalformedXML":            {`<row><c><v>1</v></row>`, "malformed", nil, Limits{}},
		"ADocumentType":           {``, "document type", parts{"xl/worksheets/sheet1.xml": `<!DOCTYPE x [<!ENTITY a "b">]><worksheet/>`}, Limits{}},
		"AnUnknownEntity":         {`<row><c><v>&a;</v></c></row>`, "malformed", nil, Limits{}},
		"AnotherEncoding":         {``, "encoding", parts{"xl/worksheets/sheet1.xml": `<?xml version="1.0" encoding="UTF-16"?><worksheet/>`}, Limits{}},
		"AChart":                  {``, "not a worksheet", parts{"xl/worksheets/sheet1.xml": `<chartsheet/>`}, Limits{}},
		"AnEmptyPart":             {``, "not a worksheet", parts{"xl/worksheets/sheet1.xml": ` `}, Limits{}},
		"AMissingPart":            {``, "missing", parts{"xl/worksheets/sheet1.xml": ""}, Limits{}},
		"RowsOutOfOrder":          {`<row r="2"/><row r="1"/>`, "out of order", nil, Limits{}},
		"RowsTwice":               {`<row r="2"/><row r="2"/>`, "out of order", nil, Limits{}},
		"CellsOutOfOrder":         {`<row><c r="B1"><v>1</v></c><c r="A1"><v>2</v></c></row>`, "out of order", nil, Limits{}},
		"CellsOfAnotherRow":       {`<row><c r="A2"><v>1</v></c></row>`, "out of order", nil, Limits{}},
		"CellsOfNoName":           {`<row><c r="1A"><v>1</v></c></row>`, "out of order", nil, Limits{}},
		"ARowBeyondTheLast":       {`<row r="1048577"/>`, "more than 1048576 rows", nil, Limits{}},
		"AColumnBeyondTheLast":    {`<row><c r="AMK1"><v>1</v></c></row>`, "beyond column 1024", nil, Limits{}},
		"SharedTextsThatAreNot":   {`<row><c t="s"><v>3</v></c></row>`, "not there", nil, Limits{}},
		"SharedTextsOfNoPart":     {`<row><c t="s"><v>1</v></c></row>`, "missing", parts{"xl/sharedStrings.xml": ""}, Limits{}},
		"SharedTextsThatBreakOff": {`<row><c t="s"><v>2</v></c></row>`, "breaks off", parts{"xl/sharedStrings.xml": `<sst><si><t>a</t></si>`}, Limits{}},
		"NestingWithoutEnd":       {strings.Repeat("<a>", 100), "deep", nil, Limits{}},
		"AHugeText":               {`<row><c><v>` + strings.Repeat("1", 9000) + `</v></c></row>`, "larger", nil, Limits{Element: 100}},
		"AHugeAttribute":          {`<row a="` + strings.Repeat("1", 9000) + `"></row>`, "larger", nil, Limits{Element: 100}},
		"AHugeTextInPieces":       {`<row><c><v>` + strings.Repeat("1<!---->", 500) + `</v></c></row>`, "larger", nil, Limits{Row: 100}},
		"AHugeInlineText":         {`<row><c t="inlineStr"><is>` + strings.Repeat("<t>1</t>", 500) + `</is></c></row>`, "larger", nil, Limits{Row: 100}},
		"AHugeRow":                {`<row>` + strings.Repeat("<c><v>1</v></c>", 500) + `</row>`, "larger", nil, Limits{Row: 100}},
		"AHugeSharedText":         {`<row><c t="s"><v>0</v></c></row>`, "larger", parts{"xl/sharedStrings.xml": `<sst><si>` + strings.Repeat("<t>aa</t>", 5000) + `</si></sst>`}, Limits{Element: 5000}},
		"TooManySharedTexts":      {`<row><c t="s"><v>0</v></c><c t="s"><v>1</v></c></row>`, "more than 1 texts", nil, Limits{Text: 100}},
		"SharedTextsTooLarge":     {`<row><c t="s"><v>0</v></c></row>`, "larger", parts{"xl/sharedStrings.xml": `<sst><si><t>` + strings.Repeat("1", 100) + `</t></si></sst>`}, Limits{Text: 100}},
		"AnInflatingPart":         {strings.Repeat(" ", 5000), "larger than 1000 bytes", nil, Limits{Part: 1000}},
		"TooMuchInAll":            {strings.Repeat(one, 2000), "in all", nil, Limits{Total: 30000}},
		"AListOfPartsWithoutEnd":  {one, "list of parts", nil, Limits{Directory: 100}},
		"NoRelationships":         {one, "missing", parts{"_rels/.rels": ""}, Limits{}},
		"NoWorkbook":              {one, "which part is the workbook", parts{"_rels/.rels": `<Relationships/>`}, Limits{}},
		"AWorkbookElsewhere":      {one, "which part is the workbook", parts{"_rels/.rels": strings.Replace(rootRels, "Target=", `TargetMode="External" Target=`, 1)}, Limits{}},
		"APartTwice":              {one, "twice", parts{"XL/workbook.xml": bookXML}, Limits{}},
		"ThousandsOfSheets":       {one, "more than 1000 sheets", parts{"xl/workbook.xml": `<workbook xmlns:r="r"><sheets>` + strings.Repeat(`<sheet name="One" r:id="a"/>`, 1001) + `</sheets></workbook>`}, Limits{}},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := read(of(c.rows, c.replaced).zip(t), "One", c.limits); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%q, %v; want %q", got, err, c.says)
			}
		})
	}
	for name, data := range map[string][]byte{"Nothing": {}, "NoArchive": []byte("reference,amount\n"), "ACutArchive": of(one, nil).zip(t)[:200]} {
		t.Run(name, func(t *testing.T) {
			if _, err := read(data, "One", Limits{}); err == nil || !strings.Contains(err.Error(), "not a workbook") {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("AnotherName", func(t *testing.T) {
		if _, err := read(of(one, nil).zip(t), "Two", Limits{}); err == nil || !strings.Contains(err.Error(), `"Two"`) {
			t.Errorf("%v", err)
		}
	})
	t.Run("WhatSaysMoreThanItHolds", func(t *testing.T) {
		data := of(strings.Repeat(one, 1000), nil).zip(t)
		broken := 0
		r := rand.New(rand.NewPCG(1, 2))
		for range 300 {
			changed := bytes.Clone(data)
			changed[r.IntN(len(changed))] ^= 1 << r.IntN(8)
			if _, err := read(changed, "One", Limits{}); err != nil {
				broken++
			}
		}
		if broken == 0 {
			t.Error("every change went unseen")
		}
	})
}

// Only the sheets that are asked for are read: those beside them may be as large as they like.
func TestRows_LeavesOtherPartsAlone(t *testing.T) {
	p := of(`<row><c t="s"><v>0</v></c></row>`, parts{
		"xl/worksheets/sheet2.xml": "<worksheet>" + strings.Repeat(" ", 1<<20), "xl/styles.xml": strings.Repeat("<a>", 1<<20),
		"xl/_rels/workbook.xml.rels": strings.Replace(bookRels, `</Rel`, `<Relationship Id="b" Type="http://x/worksheet" Target="worksheets/sheet2.xml"/><Relationship Id="c" Type="http://x/chartsheet" Target="c.xml"/></Rel`, 1),
		"xl/workbook.xml":            `<workbook xmlns:r="r"><sheets><sheet name="One" r:id="a"/><sheet name="Chart" r:id="c"/><sheet name="Two" r:id="b"/></sheets></workbook>`,
		"xl/sharedStrings.xml":       strings.TrimSuffix(sharedXML, "</sst>") + strings.Repeat("<si><t>x</t></si>", 1<<16), // what comes later is not read either
	})
	data := p.zip(t)
	if got, err := read(data, "One", Limits{Part: 2 << 20, Total: 20000}); err != nil || got != "1: zero" {
		t.Errorf("%q, %v", got, err)
	}
	book, err := Open(bytes.NewReader(data), int64(len(data)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"One", "Two"}, book.Sheets()); diff != "" {
		t.Error(diff)
	}
}

// What excelize writes, in memory and streamed, reads as excelize reads it.
func TestRows_AgreesWithExcelize(t *testing.T) {
	file := excelize.NewFile()
	defer file.Close()
	r := rand.New(rand.NewPCG(3, 4))
	words := []any{"a", "=1+1", " padded ", "ü 漢 🍩", "two\nlines", "_x000D_", 12, -3, 123456789012345, true, nil, ""}
	var rows [][]any
	for range 200 {
		row := make([]any, r.IntN(30))
		for i := range row {
			row[i] = words[r.IntN(len(words))]
		}
		rows = append(rows, row)
	}
	if _, err := file.NewSheet("Streamed"); err != nil {
		t.Fatal(err)
	}
	stream, err := file.NewStreamWriter("Streamed")
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		cell := fmt.Sprintf("A%d", i+1)
		if err := file.SetSheetRow("Sheet1", cell, &row); err != nil {
			t.Fatal(err)
		}
		if err := stream.SetRow(cell, row); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.Flush(); err != nil {
		t.Fatal(err)
	}
	out, err := file.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	for _, sheet := range file.GetSheetList() {
		want, err := file.GetRows(sheet, excelize.Options{RawCellValue: true})
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for i, row := range want {
			if text := strings.TrimRight(strings.Join(row, "|"), "|"); text != "" {
				lines = append(lines, fmt.Sprintf("%d: %s", i+1, text))
			}
		}
		got, err := read(out.Bytes(), sheet, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var trimmed []string
		for line := range strings.SplitSeq(got, "\n") {
			trimmed = append(trimmed, strings.TrimRight(line, "|"))
		}
		if diff := cmp.Diff(strings.Join(lines, "\n"), strings.Join(trimmed, "\n")); diff != "" {
			t.Errorf("%s:\n%s", sheet, diff)
		}
	}
}

func FuzzRows(f *testing.F) {
	f.Add(`<worksheet><sheetData><row r="1"><c r="A1" t="s"><v>1</v></c></row></sheetData></worksheet>`, sharedXML)
	f.Add(`<worksheet><row><c t="inlineStr"><is><t>x</t></is></c></row></worksheet>`, "")
	limits := Limits{Part: 1 << 16, Total: 1 << 18, Element: 1 << 10, Row: 1 << 12, Text: 1 << 14, Columns: 30}
	f.Fuzz(func(t *testing.T, sheet, shared string) {
		data := of("", parts{"xl/worksheets/sheet1.xml": sheet, "xl/sharedStrings.xml": shared}).zip(t)
		book, err := Open(bytes.NewReader(data), int64(len(data)), limits)
		if err != nil {
			t.Fatal(err)
		}
		last := 0
		for row, err := range book.Rows("One") {
			if err != nil {
				return
			}
			if row.Number <= last || len(row.Cells) == 0 || len(row.Cells) > limits.Columns {
				t.Fatalf("row %d after %d with %d cells", row.Number, last, len(row.Cells))
			}
			last = row.Number
		}
	})
}
