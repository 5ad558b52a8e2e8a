package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"time"

	"github.com/tieout/tieout/schema/money"
)

const journalFile = "entries.journal"

// journalled is a tool that computes balances from a journal of the same entries.
func (s site) journalled(name string) contender {
	return contender{
		name: name + " balance, from a journal", absent: tool(name),
		reset: func(context.Context) error {
			if size(s.path(journalFile)) > 0 {
				return nil
			}
			return s.journal()
		},
		command: func(ctx context.Context) *exec.Cmd {
			return exec.CommandContext(ctx, name, "-f", s.path(journalFile), "balance") //nolint:gosec // one of two
		},
	}
}

// journal writes the entries as a journal: card against merchant.
func (s site) journal() (err error) {
	file, err := os.Create(s.path(journalFile))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	w := bufio.NewWriterSize(file, 1<<20)
	entries, _ := s.of()
	var b []byte
	for n := range entries {
		for _, p := range s.providers() {
			e := s.entry(p, n)
			b = e.OccurredAt.AppendFormat(b[:0], time.DateOnly)
			b = append(append(append(b, ' '), e.Merchant...), "\n    cards:"...)
			b = append(append(append(b, p...), ':'), e.CardID...)
			b = append(append(append(b, "  "...), usdText(e.Amount)...), "\n    spend\n\n"...)
			if _, err := w.Write(b); err != nil {
				return err
			}
		}
	}
	return w.Flush()
}

// usdText is an amount as both tools read it.
func usdText(a money.Amount) string { return string(dollarsOf(nil, a.Minor())) + " USD" }
