package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"time"

	"github.com/tieout/tieout/schema"
)

// Known is what the ledger has of the transactions of a source, in forty bytes each: enough to tell, of a record that is read
// again, that nothing would come of it. It is read once for a walk over a window, in the order in which it was stored; to look
// each record up, and its entry, in indexes over random ids takes ten times as long.
//
// That a record is known means that it is the one stored last of its id, that it was normalized under the same mapping, and that
// its entry, links and notes are what came of it then. Whoever stores or rejects another record of that id says so in the same
// transaction.
type Known struct {
	items []knownItem
	slots []uint32 // by key: the place in items, from 1
}

// knownItem is what is known of one id.
type knownItem struct {
	key  uint64
	what digest // zero: nothing, and the record must be looked up
	at   int64  // when the entry that stands occurred
}

// digest is of a record with all that normalizing looks at.
type digest [16]byte

// As it is stored: key, digest, time.
const knownSize = 8 + int64(len(digest{})) + 8

// never is the time of what has no entry.
const never = math.MinInt64

// mostKnown is how many ids are read at most, in some 80 MB. A window with more of them is walked by searching.
const mostKnown = 2_000_000

// knownBefore is how far before a window an entry may have occurred that the provider lists in it: by when it posted, for
// example. What occurred still earlier is looked up.
const knownBefore = 10 * 24 * time.Hour

// IDHash is eight bytes of SHA-256 over an id: a million ids collide with a chance of one in thirty million.
func IDHash(id string) uint64 {
	sum := sha256.Sum256([]byte(text(id)))
	return binary.BigEndian.Uint64(sum[:8])
}

func digestOf(r *schema.Record, sum [sha256.Size]byte) digest {
	if r.Category != "" || len(r.Unknown) > 0 || r.Malformed != "" {
		more := []any{sum[:], r.Category, r.Malformed}
		for _, path := range r.Unknown {
			more = append(more, path)
		}
		sum = sha256.Sum256(appendRow(nil, table{name: "record"}, 0, 0, more))
	}
	return digest(sum[:])
}

// Known reads what is known of the transactions of a source that may be listed in a window. mapping names what normalizes
// them: the program, in this very build, and its settings, if any. Nil: they are too many to be held.
func (l *Ledger) Known(ctx context.Context, source string, w schema.Window, mapping string) (*Known, error) {
	from, to := int64(never), w.To.UnixMicro()
	if !w.From.Equal(schema.Beginning) {
		from = w.From.Add(-knownBefore).UnixMicro()
	}
	const where = ` FROM known WHERE source = ? AND occurred_to >= ? AND occurred_from < ?`
	var size, last int64
	err := l.read.QueryRowContext(ctx, l.read.Rebind(`SELECT COALESCE(SUM(LENGTH(items)), 0), COALESCE(MAX(id), 0)`+where), source, from, to).Scan(&size, &last)
	if err != nil || size/knownSize > mostKnown {
		return nil, knownErr(source, err)
	}
	k := &Known{items: make([]knownItem, 0, size/knownSize), slots: make([]uint32, slotsFor(size/knownSize))}
	// What another process stores from here on is not read: there is no place for it.
	rows, err := l.read.QueryContext(ctx, l.read.Rebind(`SELECT mapping, items`+where+` AND id <= ? ORDER BY id`), source, from, to, last)
	if err != nil {
		return nil, knownErr(source, err)
	}
	defer rows.Close()
	for rows.Next() {
		var under string
		var items sql.RawBytes
		if err := rows.Scan(&under, &items); err != nil {
			return nil, knownErr(source, err)
		}
		k.take(items, mapping != "" && under == mapping, from, to)
	}
	if err := rows.Err(); err != nil {
		return nil, knownErr(source, err)
	}
	return k, knownErr(source, l.readAbsent(ctx, k, source))
}

func knownErr(source string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("read known transactions (%s): %w", source, err)
}

// readAbsent has the records of absent entries looked up: to read one ends its absence.
func (l *Ledger) readAbsent(ctx context.Context, k *Known, source string) error {
	var absent []string
	err := l.read.SelectContext(ctx, &absent, l.read.Rebind(`SELECT external_id FROM absences WHERE closed_seq IS NULL AND source = ?`), source)
	for _, id := range absent {
		if n := k.find(IDHash(id)); n > 0 {
			k.items[n-1].what = digest{}
		}
	}
	return err
}

// slotsFor is how many slots there are for n items: at least twice as many, and a power of two.
func slotsFor(n int64) int { return 1 << bits.Len64(uint64(2*n)) } //nolint:gosec // not negative

// take adds what one commit stored. What was known before of the same ids is replaced.
func (k *Known) take(items []byte, trusted bool, from, to int64) {
	for ; len(items) >= int(knownSize); items = items[knownSize:] {
		one := knownItem{
			key: binary.BigEndian.Uint64(items), what: digest(items[8 : 8+len(digest{})]),
			at: int64(binary.BigEndian.Uint64(items[8+len(digest{}):])), //nolint:gosec // as it was written
		}
		// An item outside of the window may replace one inside, but what replaces it may be in a row that was not selected.
		if !trusted || one.at < from || one.at >= to {
			one.what = digest{}
		}
		slot := k.slot(one.key)
		if n := k.slots[slot]; n > 0 {
			k.items[n-1] = one
			continue
		}
		k.items = append(k.items, one)
		k.slots[slot] = uint32(len(k.items)) //nolint:gosec // at most mostKnown
	}
}

// slot is where a key is, or would be. Keys are hashes, so that their last bits will do.
func (k *Known) slot(key uint64) uint64 {
	last := uint64(len(k.slots)) - 1
	at := key & last
	for n := k.slots[at]; n > 0 && k.items[n-1].key != key; n = k.slots[at] {
		at = (at + 1) & last
	}
	return at
}

func (k *Known) find(key uint64) uint32 { return k.slots[k.slot(key)] }

// Unchanged says whether nothing would come of storing a record, whose id has this IDHash. One that is not known is about to
// be stored, so what was known of its id is forgotten.
func (k *Known) Unchanged(key uint64, r *schema.Record) bool {
	n := k.find(key)
	if n == 0 || k.items[n-1].what == (digest{}) {
		return false
	}
	if k.items[n-1].what == digestOf(r, sha256.Sum256(r.Payload)) {
		return true
	}
	k.items[n-1].what = digest{}
	return false
}

// Unmet lists when those entries occurred, within a window, that are not among the ids which a walk has met: no other entry of
// the source can be missing from it. Sorted, each once.
func (k *Known) Unmet(within schema.Window, met map[uint64]struct{}) (times []time.Time) {
	from, to := within.From.UnixMicro(), within.To.UnixMicro()
	var all []int64
	for i := range k.items {
		if at := k.items[i].at; at >= from && at < to {
			if _, ok := met[k.items[i].key]; !ok {
				all = append(all, at)
			}
		}
	}
	slices.Sort(all)
	for _, at := range slices.Compact(all) {
		times = append(times, time.UnixMicro(at).UTC())
	}
	return times
}

// saying is what the records of a group say of one id.
type saying struct {
	id       string
	what     digest
	at       int64 // when the entry that stands occurred
	records  int
	entries  int
	doubtful bool // it must be looked up when it is read again
}

// settled says whether nothing would come of reading the same once more.
func (s *saying) settled() bool { return !s.doubtful && s.records > 0 && s.entries == s.records }

// know says what is known of the transactions of a group from here on, and forgets what was known of them before. Where nothing
// was stored of an id, what was known of it still holds. sums are the hashes of the payloads.
func (t *tx) know(ctx context.Context, g Group, sums [][sha256.Size]byte) error {
	if g.Stream != schema.Transactions {
		return nil
	}
	all, err := t.sayings(ctx, g, sums)
	if err != nil {
		return err
	}
	changed := map[string]bool{}
	sparing := g.ByID || g.Mapping == "" // what nobody can trust need not be said again
	if sparing || slices.ContainsFunc(all, func(s saying) bool { return !s.settled() }) {
		for _, id := range t.changed {
			changed[id] = true
		}
	}
	items := make([]byte, 0, int(knownSize)*len(all))
	from, to := int64(math.MaxInt64), int64(never)
	for i := range all {
		s := &all[i]
		settled := s.settled()
		if (!settled || sparing) && !changed[s.id] {
			continue
		}
		if s.at == never {
			continue // nothing stood of it, so that nothing was known of it either
		}
		if !settled {
			s.what = digest{}
		}
		// Whoever reads what was known where the entry stood before must learn that it no longer is.
		from, to = min(from, s.at), max(to, s.at)
		if was, ok := t.standing[s.id]; ok {
			from, to = min(from, was.OccurredAt), max(to, was.OccurredAt)
		}
		items = binary.BigEndian.AppendUint64(items, IDHash(s.id))
		items = append(items, s.what[:]...)
		items = binary.BigEndian.AppendUint64(items, uint64(s.at)) //nolint:gosec // read back the same way
	}
	if len(items) == 0 {
		return nil
	}
	return t.insert(ctx, "known", [][]any{{g.Source, g.Mapping, from, to, items}})
}

// sayings lists what a group says of each id, in the order in which the ids came.
func (t *tx) sayings(ctx context.Context, g Group, sums [][sha256.Size]byte) ([]saying, error) {
	all := make([]saying, 0, len(g.Records))
	place := make(map[string]int, len(g.Records))
	of := func(id string) *saying {
		id = text(id)
		n, ok := place[id]
		if !ok {
			n = len(all)
			place[id] = n
			all = append(all, saying{id: id, at: never})
		}
		return &all[n]
	}
	for i := range g.Records {
		r := &g.Records[i]
		if r.ExternalID == "" {
			continue
		}
		s, what := of(r.ExternalID), digestOf(r, sums[i])
		s.doubtful = s.doubtful || s.records > 0 && s.what != what
		s.what = what
		s.records++
	}
	cards, err := t.knownCards(ctx, g)
	if err != nil {
		return nil, err
	}
	for i := range g.Batch.Entries {
		e := &g.Batch.Entries[i]
		s := of(e.ExternalID)
		s.at = e.OccurredAt.UnixMicro()
		s.entries++
		// An entry is under another card as soon as one is known that the provider calls by an id that the entry names.
		s.doubtful = s.doubtful || !cards[text(e.CardID)] && (e.CardID != "" || e.CardAltID != "")
	}
	return all, t.stillStanding(ctx, g.Source, place, all)
}

// knownCards are those of the cards that a group's entries name whose own id that is.
func (t *tx) knownCards(ctx context.Context, g Group) (map[string]bool, error) {
	known := map[string]bool{}
	var ids []string
	for i := range g.Batch.Entries {
		id := text(g.Batch.Entries[i].CardID)
		if _, asked := known[id]; !asked && id != "" {
			known[id] = false
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	err := each(ctx, t, ids, `SELECT card_id FROM cards WHERE closed_seq IS NULL AND source = ? AND card_id IN (?)`, func(s scanner) error {
		var id string
		err := s.Scan(&id)
		known[id] = true
		return err
	}, g.Source)
	return known, err
}

// stillStanding finds the entries of the records that came without one: they stand as they were.
func (t *tx) stillStanding(ctx context.Context, source string, place map[string]int, all []saying) error {
	var ids []string
	for _, s := range all {
		if s.entries == 0 {
			ids = append(ids, s.id)
		}
	}
	slices.Sort(ids)
	found, err := t.currentEntries(ctx, source, ids)
	for id, was := range found {
		all[place[id]].at = was.OccurredAt
	}
	return err
}
