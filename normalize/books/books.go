// Package books reads the company's own funding files: the top-ups that its books say it sent to cards.
//
// A file is CSV (RFC 4180, UTF-8, separated by commas) or the first sheet of an XLSX workbook. Its first line that is not
// blank names the columns, in any order and case:
//
//	reference  required; what the provider's top-up carries too
//	amount     required; positive decimal text in major units, without separators or sign: 1250.00
//	currency   required; ISO 4217, in any case
//	sent_at    required; RFC 3339, or YYYY-MM-DD, which means the start of that day in the accounting zone
//	card_id    optional; the provider's card id
//	source     optional; the source that the reference belongs to
//	note       optional
//
// Columns of other names are ignored. A line that cannot be read is refused with its number, and the others are read.
//
// A workbook stores numbers as binary fractions, and some programs write them with all their digits (19.99 as
// 19.989999999999998). Such a cell is read as the decimal of at most 15 digits that means the very same stored number,
// which is what the program shows; a cell without one is refused. A date cell is read as its date.
package books

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// Limits bounds what a file may cost. A field that is zero means its default.
type Limits struct {
	Bytes    int64 // size of the file; default 16 MiB
	Inflated int64 // size of a part of a workbook when inflated; default 32 MiB
	Rows     int   // lines that are not blank, without the header; default 100,000
}

func (l Limits) withDefaults() Limits {
	if l.Bytes == 0 {
		l.Bytes = 16 << 20
	}
	if l.Inflated == 0 {
		l.Inflated = 32 << 20
	}
	if l.Rows == 0 {
		l.Rows = 100_000
	}
	return l
}

// LineError says why one line was refused. Its text is safe to print.
type LineError struct {
	File   string
	Line   int    // in a workbook, the row
	Column string // empty: the whole line
	Reason string // what is wrong and what helps
}

// Error is "FILE line N: COLUMN: REASON".
func (e LineError) Error() string {
	if e.Column == "" {
		return fmt.Sprintf("%s line %d: %s", e.File, e.Line, e.Reason)
	}
	return fmt.Sprintf("%s line %d: %s: %s", e.File, e.Line, e.Column, e.Reason)
}

// Read reads a funding file. Its kind is that of name's extension, .csv or .xlsx; name is kept in the fundings as it is,
// and is no part of their identity. Fundings and refused lines are in the order of the file. An error means that the file
// as a whole cannot be read, and then nothing of it is returned.
func Read(name string, r io.Reader, zone *time.Location, limits Limits) ([]schema.Funding, []LineError, error) {
	fundings, refused, err := read(name, r, zone, limits.withDefaults())
	if err != nil {
		return nil, nil, fmt.Errorf("read fundings (%s): %w", name, err)
	}
	return fundings, refused, nil
}

func read(name string, r io.Reader, zone *time.Location, limits Limits) ([]schema.Funding, []LineError, error) {
	data, err := io.ReadAll(io.LimitReader(r, limits.Bytes+1))
	if err != nil {
		return nil, nil, err
	}
	if int64(len(data)) > limits.Bytes {
		return nil, nil, fmt.Errorf("larger than %d bytes; split the file", limits.Bytes)
	}
	var s sheet
	switch strings.ToLower(filepath.Ext(name)) {
	case ".csv":
		s, err = csvSheet(data)
	case ".xlsx":
		s, err = workbookSheet(data, limits)
	default:
		err = errors.New("neither .csv nor .xlsx; save the file as one of the two")
	}
	if err != nil {
		return nil, nil, err
	}

	var fundings []schema.Funding
	var refused []LineError
	var head *header
	ordinals := make(map[[sha256.Size]byte]int)
	rows := 0
	for row, err := range s.rows {
		switch {
		case err != nil:
			return nil, nil, err
		case row.fault == "" && row.blank():
			continue
		case head == nil:
			if head, err = newHeader(row); err != nil {
				return nil, nil, err
			}
			continue
		}
		if rows++; rows > limits.Rows {
			return nil, nil, fmt.Errorf("more than %d lines; split the file", limits.Rows)
		}
		line := reader{sheet: s, row: row, head: head, zone: zone}
		f := line.funding()
		if line.fault != nil {
			line.fault.File = name
			refused = append(refused, *line.fault)
			continue
		}
		f.ID = identity(f, ordinals)
		f.File = name
		fundings = append(fundings, f)
	}
	if head == nil {
		return nil, nil, errors.New("empty; its first line must name the columns")
	}
	return fundings, refused, nil
}

// sheet is the rows of a file, and what its kind makes of the cells that are not text.
type sheet struct {
	rows   iter.Seq2[row, error]
	amount func(cell string) string
	date   func(cell string) string
	padded bool // rows may have fewer or more cells than the header
}

type row struct {
	line  int
	cells []string
	fault string // why the line cannot be split into cells; else empty
}

func (r row) blank() bool {
	for _, cell := range r.cells {
		if strings.TrimSpace(cell) != "" {
			return false
		}
	}
	return true
}

var (
	required = []string{"reference", "amount", "currency", "sent_at"}
	optional = []string{"card_id", "source", "note"}
)

// header is the line that names the columns.
type header struct {
	width int            // how many columns it names
	index map[string]int // of the columns that are read
}

func newHeader(r row) (*header, error) {
	if r.fault != "" {
		return nil, fmt.Errorf("line %d, which names the columns: %s", r.line, r.fault)
	}
	h := &header{width: len(r.cells), index: make(map[string]int)}
	known := slices.Concat(required, optional)
	for i, cell := range r.cells {
		name := strings.ToLower(strings.TrimSpace(cell))
		if !slices.Contains(known, name) {
			continue
		}
		if _, twice := h.index[name]; twice {
			return nil, fmt.Errorf("line %d names the column %s twice", r.line, name)
		}
		h.index[name] = i
	}
	for _, name := range required {
		if _, ok := h.index[name]; ok {
			continue
		}
		if len(r.cells) == 1 && strings.ContainsAny(r.cells[0], ";\t") {
			return nil, errors.New("columns are separated by semicolons or tabs; save the file with commas")
		}
		return nil, fmt.Errorf("line %d, which names the columns, has no %s", r.line, name)
	}
	return h, nil
}

// reader reads the cells of one row; the first fault refuses the line.
type reader struct {
	sheet sheet
	row   row
	head  *header
	zone  *time.Location
	fault *LineError
}

func (l *reader) refuse(column, reason string) {
	if l.fault == nil {
		l.fault = &LineError{Line: l.row.line, Column: column, Reason: reason}
	}
}

const maxCell = 4096

// cell is the trimmed text of a column, empty where the file does not have it.
func (l *reader) cell(column string) string {
	i, ok := l.head.index[column]
	if !ok || i >= len(l.row.cells) {
		return ""
	}
	text := strings.TrimSpace(l.row.cells[i])
	switch {
	case len(text) > maxCell:
		l.refuse(column, fmt.Sprintf("longer than %d bytes; shorten it", maxCell))
	case !utf8.ValidString(text):
		l.refuse(column, "not UTF-8; save the file as CSV UTF-8")
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' }):
		l.refuse(column, "holds a control character; type it again")
	}
	return text
}

// need is the text of a column that every line must have.
func (l *reader) need(column string) string {
	text := l.cell(column)
	if text == "" {
		l.refuse(column, "empty; every line needs one")
	}
	return text
}

func (l *reader) funding() schema.Funding {
	if l.row.fault != "" {
		l.refuse("", l.row.fault)
		return schema.Funding{}
	}
	if got, want := len(l.row.cells), l.head.width; got != want && !l.sheet.padded {
		l.refuse("", fmt.Sprintf("%d columns where the first line names %d; quote a text that holds a comma", got, want))
		return schema.Funding{}
	}
	f := schema.Funding{
		Reference: l.need("reference"),
		CardID:    l.cell("card_id"),
		Source:    l.cell("source"),
		Note:      l.cell("note"),
		Line:      l.row.line,
	}
	f.Amount = l.amount()
	f.SentAt, f.SentText, f.DateOnly = l.sentAt()
	return f
}

func (l *reader) amount() money.Amount {
	code := l.need("currency")
	currency, err := money.Lookup(strings.ToUpper(code))
	if err != nil {
		l.refuse("currency", show(code)+" is not an ISO 4217 currency; write a code such as USD")
	}
	text := l.sheet.amount(l.need("amount"))
	a, err := money.Parse(text, currency)
	switch {
	case errors.Is(err, money.ErrPrecision):
		l.refuse("amount", fmt.Sprintf("%s has more digits than %s has (%d); nothing is rounded", show(text), currency, currency.Digits()))
	case errors.Is(err, money.ErrOverflow):
		l.refuse("amount", show(text)+" is too large")
	case err != nil || strings.ContainsAny(text, "eE"):
		l.refuse("amount", show(text)+" is not decimal text; write it without separators, as 1250.00")
	case a.Sign() <= 0:
		l.refuse("amount", show(text)+" is not positive; a funding is what was sent to the card")
	}
	return a
}

func (l *reader) sentAt() (at time.Time, text string, dateOnly bool) {
	text = l.sheet.date(l.need("sent_at"))
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		at, dateOnly = schema.StartOfDay(day.Year(), day.Month(), day.Day(), l.zone), true
	} else if at, err = time.Parse(time.RFC3339, text); err != nil {
		l.refuse("sent_at", show(text)+" is neither YYYY-MM-DD nor an RFC 3339 time with a zone, as 2026-08-01T09:30:00Z")
		return time.Time{}, text, false
	}
	if at.Before(schema.Beginning) {
		l.refuse("sent_at", show(text)+" is before 1970")
	}
	return at.UTC().Truncate(time.Microsecond), text, dateOnly
}

// identity is the SHA-256 of the values of all columns and the ordinal among the lines of the file that have the same.
// Amounts and currencies count by value, so that saving 12.50 as 12.5 does not make another funding.
func identity(f schema.Funding, ordinals map[[sha256.Size]byte]int) string {
	var b bytes.Buffer
	for _, value := range []string{f.Reference, f.Amount.String(), f.Amount.Currency().Code(), f.SentText, f.CardID, f.Source, f.Note} {
		fmt.Fprintf(&b, "%d:%s", len(value), value)
	}
	line := sha256.Sum256(b.Bytes())
	ordinals[line]++
	fmt.Fprintf(&b, "#%d", ordinals[line])
	id := sha256.Sum256(b.Bytes())
	return hex.EncodeToString(id[:])
}

// show quotes a cell for a message: clipped, and not at all when it holds as many digits as a card number.
func show(cell string) string {
	digits := 0
	for _, r := range cell {
		if unicode.IsDigit(r) {
			digits++
		}
	}
	if digits > 12 {
		return fmt.Sprintf("a value of %d characters", utf8.RuneCountInString(cell))
	}
	if text := []rune(cell); len(text) > 24 {
		cell = string(text[:24]) + "…"
	}
	return fmt.Sprintf("%q", cell)
}
