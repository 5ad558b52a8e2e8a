package xlsx

import (
	"fmt"

	"github.com/xuri/excelize/v2"

	"github.com/tieout/tieout/reports/table"
)

// charts draws the charts of a page. A chart names the cells that it shows, so it follows them.
func (b *builder) charts(p table.Page) error {
	if len(p.Charts) == 0 {
		return nil
	}
	for i, width := range p.Widths { // where a chart ends depends on them
		name := columnName(i + 1)
		if err := b.file.SetColWidth(p.Name, name, name, float64(width)); err != nil {
			return err
		}
	}
	for _, c := range p.Charts {
		if err := b.file.AddChart(p.Name, cellName(c.At.Column+1, c.At.Line+1), chart(p, c)); err != nil {
			return fmt.Errorf("chart %q: %w", c.Title, err)
		}
	}
	return nil
}

// Sizes in pixels.
const (
	pixelsOfLine      = 20
	pixelsOfCharacter = 7
	pixelsOfEdges     = 5 // of a column
)

func chart(p table.Page, c table.Chart) *excelize.Chart {
	area := func(r table.Range) string {
		return fmt.Sprintf("'%s'!$%s$%d:$%s$%d", p.Name, columnName(r.From.Column+1), r.From.Line+1, columnName(r.To.Column+1), r.To.Line+1)
	}
	width := 0
	for _, w := range p.Widths[c.At.Column : c.At.Column+c.Columns] {
		width += w*pixelsOfCharacter + pixelsOfEdges
	}
	made := &excelize.Chart{
		Type:      excelize.Bar,
		Title:     excelize.ChartTitle{Paragraph: []excelize.RichTextRun{{Text: c.Title, Font: &excelize.Font{Bold: true, Size: 11, Color: navy}}}},
		Dimension: excelize.ChartDimension{Width: uint(width - 2*pixelsOfEdges), Height: uint(c.Lines * pixelsOfLine)},
		Legend:    excelize.ChartLegend{Position: "none"},
		XAxis:     excelize.ChartAxis{ReverseOrder: true, Font: excelize.Font{Size: 8}}, // the first category on top
		YAxis:     excelize.ChartAxis{MajorGridLines: true, Font: excelize.Font{Size: 8}, NumFmt: excelize.ChartNumFmt{CustomNumFmt: "#,##0"}},
		Format:    excelize.GraphicOptions{AltText: c.Title, Positioning: "twoCell"},
	}
	if c.Stacked {
		made.Type, made.XAxis.ReverseOrder = excelize.ColStacked, false
		made.Legend = excelize.ChartLegend{Position: "bottom"}
	}
	for i, s := range c.Series {
		made.Series = append(made.Series, excelize.ChartSeries{
			Name: area(table.Range{From: s.Name, To: s.Name}), Categories: area(c.Categories), Values: area(s.Values),
			Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{seriesColors[i%len(seriesColors)]}},
		})
	}
	return made
}

// seriesColors differ in lightness too, for those who see or print no colours.
var seriesColors = []string{"1F3A5F", "E09F3E", "6A94C4", "9E2A2B", "8FB8A8", "5D6B7D"}
