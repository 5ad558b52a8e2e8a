// Package sandbox is the four issuers' APIs as one local HTTP handler, over a seeded world of card life with planted
// anomalies and the key to them. The same configuration gives the same world, byte for byte.
//
// The world is made from scratch and shares no code with the product: it knows the rules by its own slow and obvious
// arithmetic, so that its key can be held against what the product finds. It only reads its configuration; it has no clock,
// no file and no network. All amounts inside are int64 cents of US dollars, signed as in the ledger: negative when money
// leaves the card.
package sandbox

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/tieout/tieout/schema"
)

// Config describes a world.
type Config struct {
	Seed         int64
	Cards        int            // over all four providers; default 40
	Transactions int            // rows over all four providers; default 2000; more where the plants alone need more; negative: as few as that
	Now          time.Time      // the world ends here; default 2026-10-15T09:00:00Z
	Months       int            // of history; default 4
	Zone         *time.Location // the accounting zone; default UTC
	// Sources names the configured sources in the key and in the fundings; default bill-main, slash-main, whop-main, bitnob-main.
	Sources map[schema.Provider]string
}

// World is a made world. It does not change after New and may be read by any number of requests at once.
type World struct {
	config    Config
	now       instant
	zone      *time.Location
	from      instant // where the default period begins (CONTRACT 3)
	start     instant // where the history begins
	books     map[schema.Provider]*book
	merchants []merchant
	fundings  []FundingRow
	answers   []Answer
	secrets   []string
	account   string // Whop
	entity    string // Slash

	mutex    sync.Mutex // guards what follows
	requests map[Request]int
}

// basis says which rows a provider's own figures of spend count.
type basis int

const (
	onPosted basis = iota
	onBoth         // posted and pending
)

// book is all that one provider knows.
type book struct {
	provider schema.Provider
	source   string
	key      string // the only accepted credential
	basis    basis
	major    bool // Bitnob: balances are in dollars, not in cents
	cards    []*card
	unlisted []*card // BILL deleted cards, Bitnob cards of nobody: rows name them, no list holds them
	rows     []*row  // by the time that lists sort by, then id
	budgets  []*budget
	cardByID map[string]*card
	rowByID  map[string]*row
	picks    picks
}

// lookBackAndGrace is the largest default lookback_days and the default grace_days: what the default period reaches back.
const (
	lookBackAndGrace = 35 + 3
	graceDays        = 3
)

// New makes the world of a configuration.
func New(c Config) *World {
	if c.Cards == 0 {
		c.Cards = 40
	}
	if c.Transactions == 0 {
		c.Transactions = 2000
	}
	if c.Now.IsZero() {
		c.Now = time.Date(2026, 10, 15, 9, 0, 0, 0, time.UTC)
	}
	if c.Months == 0 {
		c.Months = 4
	}
	if c.Zone == nil {
		c.Zone = time.UTC
	}
	w := &World{config: c, now: instantOf(c.Now), zone: c.Zone, books: map[schema.Provider]*book{}, requests: map[Request]int{}}
	today := w.now.in(c.Zone)
	reach := time.Date(today.Year(), today.Month(), today.Day()-lookBackAndGrace, 0, 0, 0, 0, c.Zone)
	w.from = instantOf(time.Date(reach.Year(), reach.Month(), 1, 0, 0, 0, 0, c.Zone))
	w.start = instantOf(today.AddDate(0, -c.Months, 0)).next(hour)
	d := w.dice("world")
	w.account, w.entity = "biz_"+d.code(base62, 14), "le_"+d.code(base62, 16)
	w.merchants = w.stock(d)
	for _, p := range schema.Providers() {
		b := &book{provider: p, source: c.Sources[p], cardByID: map[string]*card{}, rowByID: map[string]*row{}}
		if b.source == "" {
			b.source = string(p) + "-main"
		}
		b.key = "sandbox_" + string(p) + "_" + d.code(base62, 32)
		b.basis, b.major = onPosted, d.chance(1, 2)
		if p != schema.Bitnob && d.chance(2, 3) {
			b.basis = onBoth
		}
		w.books[p] = b
		w.secrets = append(w.secrets, b.key)
	}
	w.people()
	w.judge()
	return w
}

// index sorts a book's rows as its lists do, and files everything by id.
func (b *book) index() {
	for _, c := range slices.Concat(b.cards, b.unlisted) {
		b.rows = append(b.rows, c.rows...)
	}
	slices.SortFunc(b.rows, func(x, y *row) int { return cmp.Or(cmp.Compare(x.shown, y.shown), cmp.Compare(x.id, y.id)) })
	for _, r := range b.rows {
		b.rowByID[r.id] = r
		if b.provider == schema.Bill {
			b.rowByID[r.billID()] = r
		}
	}
	for _, c := range b.cards {
		b.cardByID[c.id] = c
		if c.alt != "" {
			b.cardByID[c.alt] = c
		}
	}
}

// BasePath is the path below which a provider is served, without a slash at the end.
func (w *World) BasePath(p schema.Provider) string {
	return map[schema.Provider]string{
		schema.Bill: "/bill/connect", schema.Slash: "/slash", schema.Whop: "/whop/api/v1", schema.Bitnob: "/bitnob/api/v1",
	}[p]
}

// Credential is the only key that a provider accepts.
func (w *World) Credential(p schema.Provider) string { return w.books[p].key }

// Account is the Whop account id.
func (w *World) Account() string { return w.account }

// LegalEntity is the Slash legal entity that the key belongs to. Requests may name it or leave it out.
func (w *World) LegalEntity() string { return w.entity }

// Secrets lists what must never be found outside the issuers: keys, card numbers, codes and PINs, and what identifies
// people. Codes and PINs of three and four digits turn up anywhere by chance, so they are given as the JSON members that
// would betray them, such as "cvv":"123". A number that a merchant's text holds is given as it is written there and bare.
func (w *World) Secrets() []string { return slices.Clone(w.secrets) }
