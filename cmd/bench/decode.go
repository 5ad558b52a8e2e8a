package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/extract/all"
	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/normalize"
	"github.com/tieout/tieout/schema"
)

// config is how the real extractor of a provider is asked for.
func (s site) config(p schema.Provider) all.Config {
	return all.Config{
		Source: sourceName(p), BaseURL: s.address + "/" + string(p), Credential: transport.NewSecret("not-a-secret"), RequestsPerSecond: 1e6,
		AccountID: "biz_bench", Now: s.now, MaxPages: 1 << 30, Base: s.base,
	}
}

// extractor is the real extractor of a provider, and its normalizer.
func (s site) extractor(p schema.Provider) (extract.Extractor, normalize.Func, error) {
	x, err := all.New(p, s.config(p))
	if err != nil {
		return nil, nil, err
	}
	f, err := normalize.For(p)
	return x, f, err
}

// list lists all transactions of all providers, one provider after the other, and normalizes them.
func (s site) list(ctx context.Context) (entries int, err error) {
	for _, p := range s.providers() {
		x, f, err := s.extractor(p)
		if err != nil {
			return 0, err
		}
		for page, err := range x.Pages(ctx, schema.Transactions, s.whole(), "") {
			if err == nil && page.Doubt != "" {
				err = errors.New(page.Doubt)
			}
			var b schema.Batch
			for _, r := range page.Records {
				err = errors.Join(err, f(r, &b))
			}
			if err != nil {
				return 0, err
			}
			entries += len(b.Entries)
		}
	}
	return entries, nil
}

// extracted reads the company over HTTP.
func extracted(ctx context.Context, s site) error {
	n, err := s.list(ctx)
	if err == nil && n != s.all() {
		err = fmt.Errorf("%d entries of %d", n, s.all())
	}
	return err
}

// Pages in memory: a small company's, read again and again until as many entries were read as are asked for.
const inMemory = 20_000

// small is a company whose pages are kept, and how often it is read.
func (s site) small() (site, int) {
	times := max(1, s.entries/inMemory)
	s.entries = min(s.entries, inMemory)
	s.cards = max(4, s.entries/100)
	return s, times
}

// decoded reads pages that are in memory.
func decoded(ctx context.Context, s site) error {
	small, times := s.small()
	small.address, small.base = "http://127.0.0.1", kept{newServer(small.company), map[string][]byte{}}
	for range times {
		n, err := small.list(ctx)
		if err == nil && n != small.all() {
			err = fmt.Errorf("%d entries of %d", n, small.all())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pages makes the bodies that a reading of a company's transactions is answered with, by provider.
func (s site) pages() map[schema.Provider][][]byte {
	server, all := newServer(s.company), map[schema.Provider][][]byte{}
	entries, _ := s.of()
	for _, p := range s.providers() {
		size := perPage
		if p == schema.Bill {
			size = 50
		}
		for from := 0; from < entries; from += size {
			to := min(from+size, entries)
			rows := server.rows(nil, p, from, to)
			var body []byte
			switch p {
			case schema.Bill:
				body = fmt.Appendf(nil, `{"results":[%s],"nextPage":"%d"}`, rows, to)
			case schema.Slash:
				body = fmt.Appendf(nil, `{"items":[%s],"metadata":{"nextCursor":"%d"}}`, rows, to)
			case schema.Whop:
				body = fmt.Appendf(nil, `{"data":[%s],"page_info":{"has_next_page":true,"end_cursor":"%d"}}`, rows, to)
			case schema.Bitnob:
				body = fmt.Appendf(nil, `{"status":true,"message":"found","data":{"cardTransactions":[%s],"meta":{"page":1,"take":100,"itemCount":%d,"hasNextPage":true}}}`, rows, entries)
			}
			all[p] = append(all[p], body)
		}
	}
	return all
}

// plainly decodes the same pages with encoding/json and does nothing else. into makes what a page is decoded into.
func plainly(into func(schema.Provider) any) func(context.Context, site) error {
	return func(_ context.Context, s site) error {
		small, times := s.small()
		for p, bodies := range small.pages() {
			for range times {
				for _, body := range bodies {
					if err := json.Unmarshal(body, into(p)); err != nil {
						return err
					}
				}
			}
		}
		return nil
	}
}

// made makes the pages and decodes none.
func made(_ context.Context, s site) error {
	small, _ := s.small()
	if len(small.pages()) == 0 {
		return errors.New("no page")
	}
	return nil
}

// anything is a page of any provider without a type.
func anything(schema.Provider) any { return new(any) }

// typedPage is a page of a provider with the fields that its normalizer reads, amounts as the digits that were sent.
func typedPage(p schema.Provider) any {
	switch p {
	case schema.Bill:
		return new(billTyped)
	case schema.Slash:
		return new(slashTyped)
	case schema.Whop:
		return new(whopTyped)
	}
	return new(bitnobTyped)
}

type billTyped struct {
	NextPage string `json:"nextPage"`
	Results  []struct {
		ID                   string      `json:"id"`
		UUID                 string      `json:"uuid"`
		CardUUID             string      `json:"cardUuid"`
		Amount               json.Number `json:"amount"`
		OccurredTime         string      `json:"occurredTime"`
		AuthorizedTime       string      `json:"authorizedTime"`
		TransactionType      string      `json:"transactionType"`
		Status               string      `json:"status"`
		MerchantName         string      `json:"merchantName"`
		RawMerchantName      string      `json:"rawMerchantName"`
		MerchantCategoryCode string      `json:"merchantCategoryCode"`
		CardLastFour         string      `json:"cardLastFour"`
		IsParent             bool        `json:"isParent"`
	} `json:"results"`
}

type slashTyped struct {
	Items []struct {
		ID             string      `json:"id"`
		Date           string      `json:"date"`
		AuthorizedAt   string      `json:"authorizedAt"`
		AmountCents    json.Number `json:"amountCents"`
		CardID         string      `json:"cardId"`
		Status         string      `json:"status"`
		DetailedStatus string      `json:"detailedStatus"`
		Description    string      `json:"description"`
		MerchantData   struct {
			Description  string `json:"description"`
			CategoryCode string `json:"categoryCode"`
		} `json:"merchantData"`
		ReferenceNumber string `json:"referenceNumber"`
	} `json:"items"`
	Metadata struct {
		NextCursor string `json:"nextCursor"`
	} `json:"metadata"`
}

type whopTyped struct {
	Data []struct {
		ID                   string      `json:"id"`
		CardID               string      `json:"card_id"`
		USDAmount            json.Number `json:"usd_amount"`
		LocalAmount          json.Number `json:"local_amount"`
		Currency             string      `json:"currency"`
		CreatedAt            string      `json:"created_at"`
		PostedAt             string      `json:"posted_at"`
		Status               string      `json:"status"`
		TransactionType      string      `json:"transaction_type"`
		MerchantName         string      `json:"merchant_name"`
		MerchantCategoryCode string      `json:"merchant_category_code"`
	} `json:"data"`
	PageInfo struct {
		HasNextPage bool   `json:"has_next_page"`
		EndCursor   string `json:"end_cursor"`
	} `json:"page_info"`
}

type bitnobTyped struct {
	Data struct {
		CardTransactions []struct {
			ID         string      `json:"id"`
			CreatedAt  string      `json:"createdAt"`
			UpdatedAt  string      `json:"updatedAt"`
			Amount     json.Number `json:"amount"`
			CentAmount json.Number `json:"centAmount"`
			Reference  string      `json:"reference"`
			CardID     string      `json:"cardId"`
			Type       string      `json:"type"`
			Method     string      `json:"method"`
			Narrative  string      `json:"narrative"`
			Status     string      `json:"status"`
			Currency   string      `json:"currency"`
		} `json:"cardTransactions"`
	} `json:"data"`
}

// fetched reads the same pages over HTTP and decodes them with encoding/json into the fields that are wanted.
func fetched(ctx context.Context, s site) error {
	entries, _ := s.of()
	client := newPlainClient()
	for _, p := range s.providers() {
		size, path := perPage, map[schema.Provider]string{
			schema.Bill:  `/bill/v3/spend/transactions?max=50&filters=occurredTime:lte:"2100-01-01T00:00:00Z"&nextPage=%d`,
			schema.Slash: "/slash/transaction?filter:category=card&filter:to_date=4102444800000&cursor=%d",
			schema.Whop:  "/whop/card_transactions?first=100&created_before=2100-01-01T00:00:00Z&after=%d", schema.Bitnob: "/bitnob/virtualcards/cards/transactions?take=100&page=%d",
		}[p]
		if p == schema.Bill {
			size = 50
		}
		for from := 0; from < entries; from += size {
			at := from
			if p == schema.Bitnob {
				at = from/size + 1
			}
			if err := client.get(ctx, s.address+fmt.Sprintf(path, at), typedPage(p)); err != nil {
				return err
			}
		}
	}
	return nil
}
