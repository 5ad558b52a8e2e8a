package xlsx

import (
	"github.com/xuri/excelize/v2"

	"github.com/tieout/tieout/reports/table"
)

// textFormat keeps text text: a program does not make a formula of it when somebody edits the cell.
const textFormat = "@"

// look is how a cell looks. Equal looks are one style of the workbook.
type look struct {
	format                    string
	tone                      table.Tone
	role                      table.Role
	head, row                 bool // of a table
	wrap, right, left, marked bool
	link, fill, check         bool
}

// Colours. Each stands beside a word or a sign that says the same.
const (
	navy   = "1F3A5F"
	grey   = "5D6B7D"
	line   = "D5DCE5"
	cream  = "FFF9E5"
	yellow = "FFF2A8"

	darkRed = "A11616"
	paleRed = "FBE3E3"
)

// alarm is how a check looks that is not zero.
func alarm() *excelize.Style {
	return &excelize.Style{Font: &excelize.Font{Bold: true, Color: darkRed}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{paleRed}}}
}

func (b *builder) style(l look) (int, error) {
	if id, ok := b.styles[l]; ok {
		return id, nil
	}
	s := &excelize.Style{
		Font:      &excelize.Font{Family: "Calibri", Size: 10},
		Alignment: &excelize.Alignment{Vertical: "top", WrapText: l.wrap},
	}
	if l.format != "" {
		s.CustomNumFmt = &l.format
	}
	if l.right {
		s.Alignment.Horizontal, s.Alignment.Indent = "right", 1 // off the text in the next column
		// A number that is wider than its column is shown as ####, which is worse than small.
		s.Alignment.ShrinkToFit = !l.head && l.role != table.Head
	}
	if l.left {
		s.Alignment.Horizontal = "left"
	}
	border := func(kind, color string, style int) {
		s.Border = append(s.Border, excelize.Border{Type: kind, Color: color, Style: style})
	}
	ground := func(color string) { s.Fill = excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{color}} }
	switch {
	case l.head || l.role == table.Head:
		s.Font.Bold, s.Font.Color = true, "FFFFFF"
		s.Alignment.Vertical, s.Alignment.WrapText = "center", true
		ground(navy)
	case l.role == table.Title:
		s.Font.Bold, s.Font.Size, s.Font.Color = true, 18, navy
		s.Alignment.Vertical = "center"
	case l.role == table.Heading:
		s.Font.Bold, s.Font.Size, s.Font.Color = true, 12, navy
		border("bottom", navy, 1)
	case l.role == table.Total:
		s.Font.Bold = true
		border("top", "000000", 1)
	case l.role == table.Note:
		s.Font.Italic, s.Font.Color = true, grey
	case l.role == table.Blank:
		s.Alignment.Vertical = "bottom"
		border("bottom", "000000", 1)
	}
	if l.row {
		border("bottom", line, 1)
	}
	switch l.tone {
	case table.Good:
		s.Font.Bold, s.Font.Color = true, "14603A"
		ground("E3F3E9")
	case table.Warn:
		s.Font.Bold, s.Font.Color = true, "7A4E00"
		ground("FDF0D5")
	case table.Bad:
		s.Font.Bold, s.Font.Color = true, darkRed
		ground(paleRed)
	}
	if l.marked {
		ground(yellow)
	}
	if l.fill {
		ground(cream)
	}
	if l.link {
		s.Font.Color, s.Font.Underline = "0B57D0", "single"
	}
	id, err := b.file.NewStyle(s)
	if err != nil {
		return 0, err
	}
	b.styles[l] = id
	return id, nil
}
