package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/shopspring/decimal"
	"github.com/spf13/cobra"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
	"github.com/tieout/tieout/schema/money"
)

// changeLine is a changed entry as JSON prints it. Amounts and instants are written as in ledger.csv.
type changeLine struct {
	Kind       schema.ChangeKind `json:"kind"`
	EntryID    string            `json:"entry_id"`
	Source     string            `json:"source"`
	CardID     string            `json:"card_id"`
	CardLast4  string            `json:"card_last4"`
	EntryKind  schema.Kind       `json:"entry_kind"`
	Status     schema.Status     `json:"status"`
	OccurredAt time.Time         `json:"occurred_at"`
	Amount     string            `json:"amount"`
	Currency   string            `json:"currency"`
	Run        int64             `json:"run"` // that stored it as it is or, of one that vanished, missed it first
	LastRead   *time.Time        `json:"last_read,omitempty"`
	Fields     []fieldLine       `json:"fields"`
}

type fieldLine struct {
	Field string `json:"field"`
	Old   string `json:"old"`
	New   string `json:"new"`
}

// monthLine is what the changes did to the counted entries of a source and currency in one month of the accounting zone.
type monthLine struct {
	Source     string `json:"source"`
	Currency   string `json:"currency"`
	Month      string `json:"month"` // YYYY-MM
	Before     string `json:"before"`
	After      string `json:"after"`
	Difference string `json:"difference"`
	Vanished   string `json:"vanished"` // the part of after that the provider no longer lists
	Changes    int64  `json:"changes"`
}

// acceptedLine is an accepted finding under which something changed.
type acceptedLine struct {
	ID      string               `json:"finding_id"`
	Code    schema.FindingCode   `json:"code"`
	Was     schema.FindingStatus `json:"status_before"` // empty: it was accepted in between
	Status  schema.FindingStatus `json:"status"`
	Entries []string             `json:"entries"` // those that it names and that changed
	OnCard  int64                `json:"changes_on_card"`
	Message string               `json:"message"`
}

func (a *app) changesCommand() *cobra.Command {
	var since int64
	var asJSON bool
	cmd := &cobra.Command{
		Use: "changes", Short: "Show which entries came, changed or vanished since a run, and what that does to totals", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("since-run") {
				return usageError("changes needs --since-run N; `tieout status` lists the runs")
			}
			return a.withReader(cmd.Context(), func(_ Config, p *pipeline.Pipeline) error {
				changes, err := p.Changes(cmd.Context(), since, 0, schema.Window{})
				if errors.Is(err, ledger.ErrNotFound) {
					return usageError("%w", err)
				}
				if err != nil {
					return err
				}
				// Entries are read while they are printed: there may be more of them than memory.
				out := bufio.NewWriter(a.stdout)
				write := writeChanges
				if asJSON {
					write = writeChangesJSON
				}
				return errors.Join(write(cmd.Context(), out, changes, p.Zone), out.Flush())
			})
		},
	}
	cmd.Flags().Int64Var(&since, "since-run", 0, "compare with the ledger as it was known after run `N`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func changeLineOf(c schema.Change) changeLine {
	line := changeLine{
		Kind: c.Kind, EntryID: c.Entry.ID(), Source: c.Entry.Source, CardID: c.Entry.CardID, CardLast4: c.Entry.CardLast4,
		EntryKind: c.Entry.Kind, Status: c.Entry.Status, OccurredAt: c.Entry.OccurredAt, Amount: c.Entry.Amount.String(),
		Currency: c.Entry.Amount.Currency().Code(), Run: c.Entry.Run, Fields: []fieldLine{},
	}
	if c.Kind == schema.Vanished {
		line.Run, line.LastRead = c.Absence.Run, &c.Absence.LastRead
	}
	for _, f := range c.Fields {
		line.Fields = append(line.Fields, fieldLine(f))
	}
	return line
}

func monthLines(c schema.Changes) []monthLine {
	lines := []monthLine{}
	for _, m := range c.Months {
		text := func(sum *big.Int) string { return sumText(sum, m.Currency) }
		lines = append(lines, monthLine{
			Source: m.Source, Currency: m.Currency.Code(), Month: m.Month.Format("2006-01"), Before: text(m.Before), After: text(m.After),
			Difference: text(m.Difference()), Vanished: text(m.Vanished), Changes: m.Changes,
		})
	}
	return lines
}

// sumText is a sum of minor units as decimal text with the digits of its currency.
func sumText(sum *big.Int, c money.Currency) string {
	return decimal.NewFromBigInt(sum, -int32(c.Digits())).StringFixed(int32(c.Digits()))
}

func acceptedLines(c schema.Changes) []acceptedLine {
	lines := []acceptedLine{}
	for _, a := range c.Accepted {
		lines = append(lines, acceptedLine{
			ID: a.Finding.ID(), Code: a.Finding.Code, Was: a.Was.Status, Status: a.Finding.Status, Entries: append([]string{}, a.Entries...),
			OnCard: a.OnCard, Message: a.Finding.Message,
		})
	}
	return lines
}

// writeChangesJSON writes the object piece by piece.
func writeChangesJSON(ctx context.Context, w io.Writer, c schema.Changes, _ *time.Location) error {
	put := func(value any) error {
		text, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("print changes: %w", err)
		}
		_, err = w.Write(text)
		return err
	}
	fmt.Fprintf(w, "{\n  \"since_run\": %d,\n  \"to_run\": %d,\n  \"entries\": [", c.Since, c.To)
	separator := "\n    "
	for change, err := range c.Entries(ctx) {
		if err != nil {
			return err
		}
		fmt.Fprint(w, separator)
		if err := put(changeLineOf(change)); err != nil {
			return err
		}
		separator = ",\n    "
	}
	fmt.Fprint(w, "\n  ],\n  \"totals\": ")
	if err := put(monthLines(c)); err != nil {
		return err
	}
	fmt.Fprint(w, ",\n  \"accepted_findings\": ")
	if err := put(acceptedLines(c)); err != nil {
		return err
	}
	_, err := fmt.Fprint(w, "\n}\n")
	return err
}

func writeChanges(ctx context.Context, w io.Writer, c schema.Changes, zone *time.Location) error {
	fmt.Fprintf(w, "since run %d, up to run %d: %d came, %d changed, %d vanished, %d returned\n", c.Since, c.To,
		c.Count[schema.Came], c.Count[schema.Changed], c.Count[schema.Vanished], c.Count[schema.Returned])
	if c.Len() > 0 {
		fmt.Fprintln(w)
	}
	for change, err := range c.Entries(ctx) {
		if err != nil {
			return err
		}
		e := change.Entry
		fmt.Fprintf(w, "%-8s  %s  %-10s  %-10s  %s  %14s %s  %s%s\n", change.Kind, e.OccurredAt.In(zone).Format("2006-01-02 15:04"), e.Kind, e.Status,
			cardLast4(e), e.Amount, e.Amount.Currency().Code(), e.ID(), changeText(change, zone))
	}
	if len(c.Months) > 0 {
		fmt.Fprintln(w, "\nsums of counted entries")
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(t, "source\tmonth\tcurrency\tbefore\tafter\tdifference\tof which vanished\tchanges\t")
		for _, m := range monthLines(c) {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t\n", m.Source, m.Month, m.Currency, m.Before, m.After, m.Difference, m.Vanished, m.Changes)
		}
		t.Flush()
	}
	if len(c.Accepted) > 0 {
		fmt.Fprintln(w, "\naccepted findings under which something changed")
	}
	for _, a := range acceptedLines(c) {
		status := string(a.Status)
		if was := cmp.Or(a.Was, schema.Accepted); was != a.Status {
			status = fmt.Sprintf("%s, now %s", was, a.Status)
		}
		fmt.Fprintf(w, "%s  %s  %s: %d changes on its card", a.ID, a.Code, status, a.OnCard)
		if len(a.Entries) > 0 {
			fmt.Fprintf(w, "; of the entries that it names: %s", strings.Join(a.Entries, ", "))
		}
		fmt.Fprintln(w)
	}
	return nil
}

func cardLast4(e schema.Entry) string {
	if e.CardLast4 == "" {
		return "----"
	}
	return e.CardLast4
}

// changeText says what changed, after the entry.
func changeText(c schema.Change, zone *time.Location) string {
	var parts []string
	if c.Kind == schema.Vanished {
		parts = append(parts, fmt.Sprintf("last read %s, missed first by run %d", c.Absence.LastRead.In(zone).Format("2006-01-02 15:04"), c.Absence.Run))
	}
	for _, f := range c.Fields {
		parts = append(parts, fmt.Sprintf("%s %q -> %q", f.Field, f.Old, f.New))
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}
