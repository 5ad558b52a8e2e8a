package main

import (
	"context"
	"iter"
	"strconv"
	"strings"
	"sync"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/schema"
)

// perPage is how many records a page has.
const perPage = 100

// source plays the extractor of a provider, and its normalizer, where what is measured comes after them.
type source struct {
	company
	provider schema.Provider
	figures  func() []schema.Observation // by the number of the card
}

func newSource(c company, p schema.Provider) source {
	return source{c, p, sync.OnceValue(func() []schema.Observation { return c.observations(p) })}
}

func (s source) Streams() []schema.Stream {
	switch s.provider {
	case schema.Bill:
		return []schema.Stream{schema.Cards, schema.Budgets, schema.Transactions}
	case schema.Slash:
		return []schema.Stream{schema.Cards, schema.Utilization, schema.Transactions}
	case schema.Bitnob:
		return []schema.Stream{schema.Cards, schema.Balances, schema.Transactions}
	}
	return []schema.Stream{schema.Cards, schema.Transactions}
}

// Pages lists a stream.
func (s source) Pages(_ context.Context, stream schema.Stream, w schema.Window, _ extract.Cursor) iter.Seq2[extract.Page, error] {
	return paged(func(yield func(schema.Record)) {
		switch stream {
		case schema.Cards:
			_, cards := s.of()
			for n := range cards {
				yield(s.named(stream, cardID(s.provider, n)))
			}
		case schema.Budgets:
			yield(s.named(stream, s.budget().ID))
		default:
			for n, to := s.first(w.From), s.first(w.To); n < to; n++ {
				yield(record(s.company, s.entry(s.provider, n)))
			}
		}
	})
}

// Fetch reads the figures of cards, or entries.
func (s source) Fetch(_ context.Context, stream schema.Stream, ids []string) iter.Seq2[extract.Page, error] {
	return paged(func(yield func(schema.Record)) {
		for _, id := range ids {
			if stream == schema.Transactions {
				yield(record(s.company, s.entry(s.provider, number(id))))
				continue
			}
			yield(s.named(stream, id))
		}
	})
}

// named is a record of which only the name is used.
func (s source) named(stream schema.Stream, id string) schema.Record {
	return schema.Record{Source: sourceName(s.provider), Provider: s.provider, Stream: stream, ExternalID: id, ReceivedAt: s.now(), Payload: []byte("{}")}
}

func paged(records func(yield func(schema.Record))) iter.Seq2[extract.Page, error] {
	return func(yield func(extract.Page, error) bool) {
		page, number, stopped := extract.Page{Total: -1}, 1, false
		records(func(r schema.Record) {
			if len(page.Records) == perPage && !stopped {
				number++
				page.Next = extract.Cursor(strconv.Itoa(number))
				stopped = !yield(page, nil)
				page = extract.Page{Total: -1}
			}
			page.Records = append(page.Records, r)
		})
		if !stopped {
			page.Last = true
			yield(page, nil)
		}
	}
}

// number is that of an entry or a card, by its id; -1: it has none.
func number(id string) int {
	n, err := strconv.Atoi(id[strings.LastIndexByte(id, '-')+1:])
	if err != nil {
		return -1
	}
	return n
}

// normalize gives back what a record was made of.
func (s source) normalize(r schema.Record, b *schema.Batch) error {
	switch r.Stream {
	case schema.Budgets:
		b.Budgets = append(b.Budgets, s.budget())
	case schema.Transactions:
		b.Entries = append(b.Entries, s.entry(s.provider, number(r.ExternalID)))
	default:
		o := s.figures()[number(r.ExternalID)]
		if o.Stream != r.Stream {
			o.Stream, o.Figures = r.Stream, nil
		} else if r.Stream != schema.Cards { // the limits stand on the list of cards
			o.Limits = nil
		}
		b.Observations = append(b.Observations, o)
	}
	return nil
}
