package xlsx

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema/money"
)

// Sizes in pixels.
const (
	pixelsOfLine      = 20
	pixelsOfCharacter = 7
	pixelsOfEdges     = 5 // of a column
)

// charts draws the charts of a page. A chart names the cells that it shows, so it follows them. excelize puts the chart on the
// sheet; what is drawn is written here, since gnumeric does not understand some of what excelize writes.
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
		width := 0
		for _, w := range p.Widths[c.At.Column : c.At.Column+c.Columns] {
			width += w*pixelsOfCharacter + pixelsOfEdges
		}
		if err := b.file.AddChart(p.Name, cellName(c.At.Column+1, c.At.Line+1), &excelize.Chart{
			Type: excelize.Bar, Series: []excelize.ChartSeries{{Values: area(p, c.Series[0].Values)}},
			Dimension: excelize.ChartDimension{Width: uint(width - 2*pixelsOfEdges), Height: uint(c.Lines * pixelsOfLine)},
			Format:    excelize.GraphicOptions{AltText: c.Title},
		}); err != nil {
			return fmt.Errorf("chart %q: %w", c.Title, err)
		}
		b.drawn++
		w, err := b.zip.own("xl/charts/chart" + strconv.Itoa(b.drawn) + ".xml")
		if err != nil {
			return err
		}
		if _, err := w.Write([]byte(chart(p, c))); err != nil {
			return err
		}
	}
	return nil
}

func area(p table.Page, r table.Range) string {
	return fmt.Sprintf("'%s'!$%s$%d:$%s$%d", p.Name, columnName(r.From.Column+1), r.From.Line+1, columnName(r.To.Column+1), r.To.Line+1)
}

// chart is the part of a chart: bars that stand on each other, or lie side by side.
func chart(p table.Page, c table.Chart) string {
	var b strings.Builder
	direction, grouping, overlap, legend := "bar", "clustered", "0", ""
	orientation, crosses := "maxMin", "max" // the first category on top, the figures below
	if c.Stacked {
		direction, grouping, overlap, orientation, crosses = "col", "stacked", "100", "minMax", "min"
		legend = `<c:legend><c:legendPos val="b"/><c:overlay val="0"/>` + chartText(900, false) + `</c:legend>`
	}
	b.WriteString(xml.Header + `<c:chartSpace xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main">` +
		`<c:roundedCorners val="0"/><c:chart><c:title><c:tx><c:rich><a:bodyPr/><a:p><a:pPr><a:defRPr sz="1100" b="1"/></a:pPr><a:r><a:rPr lang="en" sz="1100" b="1"><a:solidFill><a:srgbClr val="` + navy +
		`"/></a:solidFill></a:rPr><a:t>` + escape(clean(c.Title)) + `</a:t></a:r></a:p></c:rich></c:tx><c:overlay val="0"/></c:title><c:autoTitleDeleted val="0"/><c:plotArea><c:layout/>`)
	b.WriteString(`<c:barChart><c:barDir val="` + direction + `"/><c:grouping val="` + grouping + `"/><c:varyColors val="0"/>`)
	for i, s := range c.Series {
		b.WriteString(series(p, c, i, s))
	}
	b.WriteString(`<c:gapWidth val="60"/><c:overlap val="` + overlap + `"/><c:axId val="1"/><c:axId val="2"/></c:barChart>`)
	b.WriteString(`<c:catAx><c:axId val="1"/><c:scaling><c:orientation val="` + orientation + `"/></c:scaling><c:delete val="0"/><c:axPos val="` + axis(c.Stacked, "b", "l") +
		`"/><c:numFmt formatCode="yyyy\-mm\-dd" sourceLinked="0"/><c:majorTickMark val="none"/><c:minorTickMark val="none"/><c:tickLblPos val="low"/>` + thin + chartText(800, c.Stacked) +
		`<c:crossAx val="2"/><c:crosses val="autoZero"/><c:lblAlgn val="ctr"/><c:lblOffset val="100"/><c:noMultiLvlLbl val="1"/></c:catAx>`)
	b.WriteString(`<c:valAx><c:axId val="2"/><c:scaling><c:orientation val="minMax"/></c:scaling><c:delete val="0"/><c:axPos val="` + axis(c.Stacked, "l", "b") +
		`"/><c:majorGridlines>` + thin + `</c:majorGridlines><c:numFmt formatCode="#,##0" sourceLinked="0"/><c:majorTickMark val="none"/><c:minorTickMark val="none"/><c:tickLblPos val="nextTo"/>` +
		chartText(800, false) + `<c:crossAx val="1"/><c:crosses val="` + crosses + `"/></c:valAx>`)
	b.WriteString(`</c:plotArea>` + legend + `<c:plotVisOnly val="1"/><c:dispBlanksAs val="gap"/></c:chart></c:chartSpace>`)
	return b.String()
}

func axis(stacked bool, standing, lying string) string {
	if stacked {
		return standing
	}
	return lying
}

// thin is a line in the colour of rules.
const thin = `<c:spPr><a:ln w="6350"><a:solidFill><a:srgbClr val="` + line + `"/></a:solidFill></a:ln></c:spPr>`

// chartText is how texts look: their size in hundredths of a point, and whether they stand upright.
func chartText(size int, upright bool) string {
	body := `<a:bodyPr/>`
	if upright {
		body = `<a:bodyPr rot="-5400000" vert="horz"/>`
	}
	return `<c:txPr>` + body + `<a:p><a:pPr><a:defRPr sz="` + strconv.Itoa(size) + `" b="0"><a:solidFill><a:srgbClr val="404040"/></a:solidFill></a:defRPr></a:pPr></a:p></c:txPr>`
}

// series is one series with the values that its cells hold, for programs that show a chart without computing it.
func series(p table.Page, c table.Chart, n int, s table.Series) string {
	var b strings.Builder
	name, _ := p.Cell(s.Name).(string)
	b.WriteString(fmt.Sprintf(`<c:ser><c:idx val="%d"/><c:order val="%d"/><c:tx><c:strRef><c:f>%s</c:f><c:strCache><c:ptCount val="1"/><c:pt idx="0"><c:v>%s</c:v></c:pt></c:strCache></c:strRef></c:tx>`,
		n, n, escape(area(p, table.Range{From: s.Name, To: s.Name})), escape(clean(name))))
	b.WriteString(`<c:spPr><a:solidFill><a:srgbClr val="` + seriesColor(n) + `"/></a:solidFill></c:spPr><c:invertIfNegative val="0"/>`)
	kind := "str"
	if _, dated := p.Cell(c.Categories.From).(table.Date); dated {
		kind = "num"
	}
	b.WriteString(`<c:cat>` + cached(p, kind, c.Categories) + `</c:cat><c:val>` + cached(p, "num", s.Values) + `</c:val></c:ser>`)
	return b.String()
}

// cached is cells as a chart refers to them, with what they hold.
func cached(p table.Page, kind string, r table.Range) string {
	var b strings.Builder
	b.WriteString(`<c:` + kind + `Ref><c:f>` + escape(area(p, r)) + `</c:f><c:` + kind + `Cache>`)
	if kind == "num" {
		format := "General"
		if _, dated := p.Cell(r.From).(table.Date); dated {
			format = `yyyy\-mm\-dd`
		}
		b.WriteString(`<c:formatCode>` + format + `</c:formatCode>`)
	}
	b.WriteString(`<c:ptCount val="` + strconv.Itoa(r.To.Line-r.From.Line+1) + `"/>`)
	for i := r.From.Line; i <= r.To.Line; i++ {
		if text := chartValue(table.Value(p.Cell(table.At{Line: i, Column: r.From.Column}))); text != "" {
			b.WriteString(`<c:pt idx="` + strconv.Itoa(i-r.From.Line) + `"><c:v>` + escape(text) + `</c:v></c:pt>`)
		}
	}
	b.WriteString(`</c:` + kind + `Cache></c:` + kind + `Ref>`)
	return b.String()
}

func chartValue(v any) string {
	switch v := v.(type) {
	case string:
		return clean(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case table.Decimal:
		return string(v)
	case money.Amount:
		return v.String()
	case table.Date:
		if c, err := dateCell(v, look{}); err == nil {
			return c.number
		}
	}
	return ""
}

// seriesColor is the colour of a series. They differ in lightness too, for those who see or print no colours.
func seriesColor(n int) string {
	colors := [...]string{navy, "E09F3E", "6A94C4", "9E2A2B", "8FB8A8", grey}
	return colors[n%len(colors)]
}
