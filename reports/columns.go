package reports

import (
	"fmt"
	"iter"
	"slices"

	"github.com/tieout/tieout/reports/table"
)

// Widths of columns of ids: a UUID, and one behind the name of a source.
const (
	cardIDWidth  = 36
	entryIDWidth = 48
)

// column is a column of a table whose rows are made from T.
type column[T any] struct {
	table.Column
	cell func(T) any
}

func text[T any](name string, width int, cell func(T) string) column[T] {
	return column[T]{table.Column{Name: name, Width: width}, func(v T) any { return cell(v) }}
}

func long[T any](name string, width int, cell func(T) string) column[T] {
	return column[T]{table.Column{Name: name, Width: width, Wrap: true}, func(v T) any { return cell(v) }}
}

func word[T any](name string, width int, cell func(T) table.Word) column[T] {
	return column[T]{table.Column{Name: name, Width: width}, func(v T) any { return cell(v) }}
}

func amount[T any](name string, cell func(T) any) column[T] {
	return column[T]{table.Column{Name: name, Kind: table.Amount, Width: 15}, cell}
}

func number[T any](name string, cell func(T) int64) column[T] {
	return column[T]{table.Column{Name: name, Kind: table.Number, Width: 10}, func(v T) any { return cell(v) }}
}

func instant[T any](name string, cell func(T) any) column[T] {
	return column[T]{table.Column{Name: name, Kind: table.Instant, Width: 19}, cell}
}

// day is a calendar date.
func day[T any](name string, cell func(T) table.Date) column[T] {
	return column[T]{table.Column{Name: name, Kind: table.Day, Width: 11}, func(v T) any { return cell(v) }}
}

// linked is a text that leads somewhere, where cell makes a link of it.
func linked[T any](name string, width int, cell func(T) any) column[T] {
	return column[T]{table.Column{Name: name, Width: width}, cell}
}

// count is a number that may be unknown, or a formula.
func count[T any](name string, width int, cell func(T) any) column[T] {
	return column[T]{table.Column{Name: name, Kind: table.Number, Width: width}, cell}
}

// filtered is a column by whose values readers choose rows.
func filtered[T any](c column[T]) column[T] {
	c.Filter = true
	return c
}

// toFill is an empty column for people.
func toFill[T any](name string, width int, choices ...string) column[T] {
	return column[T]{table.Column{Name: name, Width: width, Wrap: true, Fill: true, Choices: choices}, func(T) any { return nil }}
}

// build makes a table of rows and what each column takes from them.
func build[T any](name string, n int, rows iter.Seq2[T, error], columns []column[T]) table.Table {
	t := table.Table{Name: name, Len: n}
	for _, c := range columns {
		t.Columns = append(t.Columns, c.Column)
	}
	t.Rows = func(yield func([]any, error) bool) {
		for v, err := range rows {
			if err != nil {
				yield(nil, fmt.Errorf("rows of %s: %w", name, err))
				return
			}
			row := make([]any, len(columns))
			for i, c := range columns {
				row[i] = c.cell(v)
			}
			if !yield(row, nil) {
				return
			}
		}
	}
	return t
}

// of yields the items of a slice as rows.
func of[T any](items []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range items {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// list is build for what is in memory.
func list[T any](name string, items []T, columns []column[T]) table.Table {
	return build(name, len(items), of(items), columns)
}

// where keeps the items for which a condition holds.
func where[T any](items []T, keep func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(items), func(v T) bool { return !keep(v) })
}
