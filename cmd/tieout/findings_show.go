package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// findingDetail is what `tieout findings show` prints.
type findingDetail struct {
	findingLine
	Proposal *proposalLine      `json:"proposal"` // null: it proposes nothing
	Links    []linkLine         `json:"links"`    // of the entries that it rests on
	History  []findingEventLine `json:"history"`
}

// proposalLine is the question that a proposal asks: is this top-up what that funding means?
type proposalLine struct {
	Reference     string `json:"reference"`
	FundingAmount string `json:"funding_amount"`
	FundingSentAt string `json:"funding_sent_at"`
	FundingFile   string `json:"funding_file"`
	FundingLine   int    `json:"funding_line"`
	EntryID       string `json:"entry_id"`
	EntryAmount   string `json:"entry_amount"`
	EntryAt       string `json:"entry_occurred_at"`
	EntryRef      string `json:"entry_reference"`
	Currency      string `json:"currency"`
	Decision      string `json:"decision"` // "confirmed by NAME", "refused by NAME"; empty: none yet
}

type findingEventLine struct {
	At          string `json:"at"`
	Action      string `json:"action"`
	By          string `json:"by"`
	Status      string `json:"status"`
	Assignee    string `json:"assignee"`
	Note        string `json:"note"`
	Severity    string `json:"severity"`
	Expected    string `json:"expected"`
	Actual      string `json:"actual"`
	Unexplained string `json:"unexplained"`
	Origin      string `json:"origin"`
	RunID       int64  `json:"run_id"`
}

func (a *app) findingsShowCommand() *cobra.Command {
	var asOf int64
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show FINDING_ID", Short: "Show one finding with what it rests on, what it proposes and its history", Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError("findings show needs one FINDING_ID, as `tieout findings list` prints it")
			}
			return a.withReader(cmd.Context(), func(_ Config, p *pipeline.Pipeline) error {
				if err := asOfRun(cmd.Context(), p, asOf); err != nil {
					return err
				}
				detail, err := gatherFinding(cmd.Context(), p, args[0], asOf)
				if err != nil {
					return err
				}
				return a.print(asJSON, detail, func(w io.Writer) { writeFinding(w, detail) })
			})
		},
	}
	cmd.Flags().Int64Var(&asOf, "as-of-run", 0, "as it was known after run `N`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func gatherFinding(ctx context.Context, p *pipeline.Pipeline, prefix string, asOf int64) (findingDetail, error) {
	var detail findingDetail
	id, err := findingID(ctx, p, prefix)
	if err != nil {
		return detail, err
	}
	var found *schema.Finding
	for f, err := range p.Ledger.Findings(ctx, ledger.FindingFilter{ID: id, AsOf: asOf}) {
		if err != nil {
			return detail, err
		}
		found = &f
	}
	if found == nil {
		return detail, usageError("finding %s: %w; `tieout findings list` prints the ids", prefix, ledger.ErrNotFound)
	}
	detail.findingLine = lineOf(*found)
	if detail.Proposal, err = gatherProposal(ctx, p.Ledger.View(asOf), *found); err != nil {
		return detail, err
	}
	if detail.Links, err = statedLinks(ctx, p, asOf, append([]string{}, found.Evidence...)); err != nil {
		return detail, err
	}
	detail.History = []findingEventLine{}
	for e, err := range p.Ledger.History(ctx, asOf, []string{id}) {
		if err != nil {
			return detail, err
		}
		detail.History = append(detail.History, findingEventLine{
			At: jsonInstant(e.At), Action: string(e.Action), By: e.By, Status: string(e.Status), Assignee: e.Assignee, Note: e.Note,
			Severity: string(e.Severity), Expected: e.Expected.String(), Actual: e.Actual.String(), Unexplained: e.Unexplained.String(),
			Origin: e.Origin, RunID: e.Run,
		})
	}
	return detail, nil
}

// findingID finds the one finding whose id begins with what was typed, which may be a part of it. One that is not there is
// returned as it was typed.
func findingID(ctx context.Context, p *pipeline.Pipeline, typed string) (string, error) {
	ids, err := p.Ledger.FindingIDs(ctx, typed)
	switch {
	case err != nil:
		return "", err
	case len(ids) == 0 || strings.TrimSpace(typed) == "":
		return typed, nil
	case len(ids) > 1:
		return "", usageError("finding %s: %d findings begin so: %s", typed, len(ids), strings.Join(ids[:min(5, len(ids))], ", "))
	}
	return ids[0], nil
}

// gatherProposal is nil for a finding that proposes nothing.
func gatherProposal(ctx context.Context, v schema.View, f schema.Finding) (*proposalLine, error) {
	if !f.Proposal() {
		return nil, nil
	}
	line := &proposalLine{Reference: f.Reference, EntryID: f.EntryID, Currency: f.Currency()}
	for g, err := range v.Fundings.Fundings(ctx) {
		if err != nil {
			return nil, err
		}
		if strings.TrimSpace(g.Reference) == f.Reference && (g.Source == "" || g.Source == f.Source) {
			line.FundingAmount, line.FundingSentAt, line.FundingFile, line.FundingLine = g.Amount.String(), g.SentText, g.File, g.Line
		}
	}
	source, _, _ := strings.Cut(f.EntryID, "/")
	for e, err := range v.Entries.Entries(ctx, schema.EntryFilter{Source: source, CardID: f.CardID, Kinds: []schema.Kind{schema.TopUp}}) {
		if err != nil {
			return nil, err
		}
		if e.ID() == f.EntryID {
			line.EntryAmount, line.EntryAt, line.EntryRef = e.Amount.String(), jsonInstant(e.OccurredAt), e.Reference
		}
	}
	for m, err := range v.Matches.Matches(ctx) {
		if err != nil {
			return nil, err
		}
		if m.Reference == f.Reference && m.EntryID == f.EntryID {
			line.Decision = m.Basis()
		}
	}
	return line, nil
}

func writeFinding(w io.Writer, d findingDetail) {
	l := d.findingLine
	fmt.Fprintf(w, "%s\n\n", oneLine(l.Message))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{
		{"finding", l.ID},
		{"code", l.Code},
		{"reason", l.Reason},
		{"severity", l.Severity},
		{"status", l.Status},
		{"assignee", l.Assignee},
		{"source", l.Source},
		{"card", strings.TrimSpace(l.CardName + " " + l.CardLast4)},
		{"card id", l.CardID},
		{"entry", l.EntryID},
		{"reference", l.Reference},
		{"currency", l.Currency},
		{"expected", l.Expected},
		{"actual", l.Actual},
		{"difference", l.Difference},
		{"unexplained", l.Unexplained},
		{"from", l.PeriodFrom},
		{"to", l.PeriodTo},
		{"basis", l.Basis},
		{"explanation", l.Explanation},
		{"rests on", strings.Join(l.Evidence, ", ")},
		{"first seen", l.FirstSeen},
		{"last seen", l.LastSeen},
	} {
		if row[1] != "" {
			fmt.Fprintf(t, "%s\t%s\n", row[0], oneLine(row[1]))
		}
	}
	t.Flush()
	writeProposal(w, d.ID, d.Proposal)
	if len(d.Links) > 0 {
		fmt.Fprintln(w, "\nlinks")
		writeLinks(w, d.Links)
	}
	fmt.Fprintln(w, "\nhistory")
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, e := range d.History {
		note := oneLine(e.Note)
		if e.Action == string(schema.Assign) {
			note = strings.TrimSpace("to " + oneLine(e.Assignee) + " " + note)
		}
		if e.Origin != "" {
			note = strings.TrimSpace(note + " (from " + oneLine(e.Origin) + ")")
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", e.At, e.Action, e.Status, oneLine(e.By), note)
	}
	t.Flush()
}

func writeProposal(w io.Writer, id string, p *proposalLine) {
	if p == nil {
		return
	}
	fmt.Fprintf(w, "\nproposed: that these two are one\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "funding\t%s\t%s %s\t%s\t%s line %d\n", oneLine(p.Reference), p.FundingAmount, p.Currency, oneLine(p.FundingSentAt), p.FundingFile, p.FundingLine)
	fmt.Fprintf(t, "top-up\t%s\t%s %s\t%s\t%s\n", oneLine(p.EntryRef), p.EntryAmount, p.Currency, p.EntryAt, oneLine(p.EntryID))
	t.Flush()
	if p.Decision != "" {
		fmt.Fprintf(w, "%s\n", oneLine(p.Decision))
		return
	}
	fmt.Fprintf(w, "decide with `tieout findings confirm %s` or `tieout findings refuse %s`\n", id, id)
}

// linkLine says that two rows belong together, or are said to.
type linkLine struct {
	Source     string `json:"source"`
	From       string `json:"from"` // an entry_id; of a top-up, the reference of the funding
	To         string `json:"to"`   // an entry_id
	Basis      string `json:"basis"`
	Confidence string `json:"confidence"` // stated (by the provider), confirmed, refused (by a person), proposed
	FindingID  string `json:"finding_id"` // the proposal
	RunID      int64  `json:"run_id"`
}

func (a *app) findingsLinksCommand() *cobra.Command {
	var source string
	var asOf int64
	var asJSON bool
	cmd := &cobra.Command{
		Use: "links", Short: "List which rows belong together, on what basis and how surely: pending and posted, top-ups and fundings", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withReader(cmd.Context(), func(c Config, p *pipeline.Pipeline) error {
				choice := findingChoice{source: source}
				if _, err := choice.filter(cmd.Context(), c, p); err != nil {
					return err
				}
				if err := asOfRun(cmd.Context(), p, asOf); err != nil {
					return err
				}
				links, err := gatherLinks(cmd.Context(), p, asOf, source)
				if err != nil {
					return err
				}
				return a.print(asJSON, links, func(w io.Writer) {
					writeLinks(w, links)
					fmt.Fprintln(w, counted(len(links), "link", "links"))
				})
			})
		},
	}
	cmd.Flags().StringVar(&source, "source", "", "only the source `NAME`")
	cmd.Flags().Int64Var(&asOf, "as-of-run", 0, "as they were known after run `N`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON array")
	return cmd
}

// gatherLinks lists what providers stated, then what people decided, then what is proposed.
func gatherLinks(ctx context.Context, p *pipeline.Pipeline, asOf int64, source string) ([]linkLine, error) {
	stated, err := statedLinks(ctx, p, asOf, nil)
	if err != nil {
		return nil, err
	}
	links := []linkLine{}
	add := func(l linkLine) {
		if source == "" || l.Source == source {
			links = append(links, l)
		}
	}
	for _, l := range stated {
		add(l)
	}
	decided := map[[2]string]bool{}
	for m, err := range p.Ledger.View(asOf).Matches.Matches(ctx) {
		if err != nil {
			return nil, err
		}
		decided[[2]string{m.Reference, m.EntryID}] = true
		confidence := "refused"
		if m.Confirmed {
			confidence = "confirmed"
		}
		add(linkLine{Source: m.Source, From: m.Reference, To: m.EntryID, Basis: m.Basis(), Confidence: confidence, FindingID: m.FindingID, RunID: m.Run})
	}
	for f, err := range p.Ledger.Findings(ctx, ledger.FindingFilter{Code: schema.OrphanTopUp, AsOf: asOf}) {
		if err != nil {
			return nil, err
		}
		if f.Proposal() && f.Status != schema.Resolved && !decided[[2]string{f.Reference, f.EntryID}] {
			entrySource, _, _ := strings.Cut(f.EntryID, "/")
			add(linkLine{Source: entrySource, From: f.Reference, To: f.EntryID, Basis: "card, currency, amount and date", Confidence: "proposed", FindingID: f.ID()})
		}
	}
	return links, nil
}

// statedLinks lists the links that providers stated between entries; entries nil: all.
func statedLinks(ctx context.Context, p *pipeline.Pipeline, asOf int64, entries []string) ([]linkLine, error) {
	stated, err := p.Ledger.Links(ctx, asOf, entries)
	if err != nil {
		return nil, err
	}
	links := make([]linkLine, 0, len(stated))
	for _, l := range stated {
		links = append(links, linkLine{Source: l.Source, From: l.From, To: l.To, Basis: string(l.Basis), Confidence: "stated", RunID: l.Run})
	}
	return links, nil
}

func writeLinks(w io.Writer, links []linkLine) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "from\tto\tbasis\tconfidence\tfinding")
	for _, l := range links {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", oneLine(l.From), oneLine(l.To), oneLine(l.Basis), l.Confidence, cmp.Or(l.FindingID, "-"))
	}
	t.Flush()
}
