// Package sandbox is the four issuers' APIs as one local HTTP handler, over a seeded world of card life with planted
// anomalies and the key to them. The same configuration and the same operations, in the same order, give the same world,
// byte for byte.
//
// The world is made from scratch and shares no code with the product: it knows the rules by its own slow and obvious
// arithmetic, so that its key can be held against what the product finds. It only reads its configuration; it has no file
// and no network, and its clock is one that the caller moves. All amounts inside are int64 cents of US dollars, signed as
// in the ledger: negative when money leaves the card.
//
// # Adding an operation
//
// A surface is one provider's operations: a function of World that returns a table from method and path to a small
// function (see answerer). The handler does for all of them what they share: it counts, checks the key and the method,
// bounds and reads the body, replays what an idempotency key names, holds the lock for reading (GET) or for writing
// (everything else), and writes the answer, or the problem in the provider's shape. So an operation only
//
//   - reads its fields with readForm, which remembers the first wrong one,
//   - finds its card (404 where there is none) and refuses what the card's state does not allow,
//   - changes the world with the methods of change.go: issue a card, authorize a purchase, load, withdraw, setStatus,
//     setLimits; what a change brings about later is planned on the agenda (clock.go) and happens as the clock moves,
//   - answers with what the card now looks like, as the reads show it; created wraps an answer that is a 201.
//
// Everything that is drawn is drawn from World.dice under a label of its own, never from a shared stream: then an
// operation does not move what another one draws. Every number, code and address that is given out goes to keepSecret.
package sandbox

import (
	"cmp"
	"slices"
	"strings"
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

// World is a made world with a clock. It may be read, changed and moved on by any number of requests at once.
type World struct {
	config    Config
	zone      *time.Location
	start     instant // where the history begins
	merchants []merchant
	account   string  // Whop
	entity    string  // Slash
	bank      account // Slash

	mutex    sync.RWMutex // guards what follows, and all that the books hold
	now      instant
	from     instant // where the default period begins (CONTRACT 3)
	books    map[schema.Provider]*book
	fundings []FundingRow
	secrets  []string
	agenda   []event
	moving   bool // the clock is on its way: lists are put in order when it arrives
	planned  int  // events, ever
	draws    int  // operations that drew something, ever
	replays  map[string]replay

	counting sync.Mutex // guards what follows
	requests map[Request]int
	token    string // the last one for a card number that was given out
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
	groups   []*group  // Slash card groups, oldest first
	people   []*person // card holders, oldest first
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
	w := &World{
		config: c, zone: c.Zone, books: map[schema.Provider]*book{}, replays: map[string]replay{}, requests: map[Request]int{},
	}
	w.set(instantOf(c.Now))
	w.start = instantOf(w.now.in(c.Zone).AddDate(0, -c.Months, 0)).next(hour)
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
		if p == schema.Slash {
			for _, name := range []string{"Marketing", "Engineering", "Ops"} {
				b.groups = append(b.groups, &group{id: "cg_" + strings.ToLower(name), name: name, created: w.start})
			}
			w.openAccount()
		}
		w.books[p] = b
		w.secrets = append(w.secrets, b.key)
	}
	w.people()
	for _, p := range schema.Providers() {
		for _, r := range w.books[p].rows {
			w.settleLater(r)
		}
	}
	return w
}

// index files all cards and rows of a new book.
func (b *book) index() {
	listed := slices.Clone(b.cards)
	if b.provider == schema.Bitnob {
		slices.SortFunc(listed, oldestCard)
	} else {
		listed = append(listed, b.unlisted...)
	}
	for _, c := range listed {
		b.people = append(b.people, c.holder)
	}
	for _, c := range b.cards {
		b.fileCard(c)
	}
	for _, c := range slices.Concat(b.cards, b.unlisted) {
		b.rows = append(b.rows, c.rows...)
	}
	for _, r := range b.rows {
		b.fileID(r)
	}
	b.arrange()
}

func oldestCard(x, y *card) int {
	return cmp.Or(cmp.Compare(x.created, y.created), cmp.Compare(x.id, y.id))
}

func (b *book) fileCard(c *card) {
	b.cardByID[c.id] = c
	if c.alt != "" {
		b.cardByID[c.alt] = c
	}
}

func (b *book) fileID(r *row) {
	b.rowByID[r.id] = r
	if b.provider == schema.Bill {
		b.rowByID[r.billID()] = r
	}
}

// arrange sorts a book's rows as its lists do. It is called after every change of a row, before anybody reads a list.
func (b *book) arrange() {
	slices.SortFunc(b.rows, func(x, y *row) int { return cmp.Or(cmp.Compare(x.shown, y.shown), cmp.Compare(x.id, y.id)) })
	b.picks.forget()
}

// BasePath is the path below which a provider is served, without a slash at the end.
func (w *World) BasePath(p schema.Provider) string { return basePath(p) }

func basePath(p schema.Provider) string {
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
// people, those of cards and people that operations made included. Codes and PINs of three and four digits turn up anywhere by chance, so they are given as the JSON members that
// would betray them, such as "cvv":"123". A number that a merchant's text holds is given as it is written there and bare.
func (w *World) Secrets() []string {
	w.mutex.RLock()
	defer w.mutex.RUnlock()
	return slices.Clone(w.secrets)
}

// keepSecret notes what must not be found outside the issuers. What is shorter than eight characters turns up anywhere by
// chance, and is left out.
func (w *World) keepSecret(values ...string) {
	for _, v := range values {
		if len(v) >= 8 {
			w.secrets = append(w.secrets, v)
		}
	}
}
