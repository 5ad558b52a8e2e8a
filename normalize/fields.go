package normalize

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
	"github.com/tieout/tieout/schema/raw"
)

// fields reads the members of one JSON object of a record. Names match exactly, and numbers stay text. The first fault
// rejects the record, and reading goes on harmlessly after it, so that an issuer's file reads as a list of fields.
type fields struct {
	*reading
	path    string // of this object: "currencyData"; empty: the record
	members *raw.Members
}

// reading is what the objects of one record share, and memory that the next record uses again.
type reading struct {
	record  schema.Record
	money   moneyTable
	notes   []schema.Note
	fault   *RejectError
	payload raw.Document
	objects []*raw.Members
	opened  int // of objects

	lastCode     string // of a currency, as it was sent
	lastCurrency money.Currency
}

func newReading(table moneyTable) *reading {
	r := &reading{money: table}
	r.payload.Share()
	return r
}

// begin forgets the record before.
func (r *reading) begin(record schema.Record) {
	r.record, r.notes, r.fault, r.opened = record, r.notes[:0], nil, 0
}

// at is an object, open to be read. Of another value it has no members.
func (r *reading) at(path string, v raw.Value) (fields, error) {
	if r.opened == len(r.objects) {
		r.objects = append(r.objects, new(raw.Members))
	}
	f := fields{reading: r, path: path, members: r.objects[r.opened]}
	r.opened++
	return f, f.members.Of(v)
}

// below is the path of a member.
func (f fields) below(name string) string {
	if f.path == "" {
		return name
	}
	return f.path + "." + name
}

func (r *reading) open(record schema.Record) fields {
	r.begin(record)
	f, _ := r.at("", raw.Value{}) // nothing has no name twice
	if record.Malformed != "" {
		f.reject("", record.Malformed+"; look the row up at the provider", nil)
		return f
	}
	if !identifier(record.ExternalID) {
		f.reject("id", "missing or not printable; without it the record cannot be told from another", nil)
		return f
	}
	v, err := r.payload.Parse(bytes.TrimSpace(record.Payload))
	if err != nil || v.Kind() != raw.Object {
		f.reject("", "not a JSON object; look the row up at the provider", nil)
		return f
	}
	if err := f.members.Of(v); err != nil {
		f.reject("", err.Error()+"; look the row up at the provider", err)
		return f
	}
	for _, path := range record.Unknown {
		r.notes = append(r.notes, f.newNote(schema.UnknownFieldNote, path, ""))
	}
	return f
}

func (f fields) reject(name, reason string, cause error) {
	if f.fault == nil {
		f.reading.fault = &RejectError{Field: f.below(name), Reason: reason, Err: cause}
	}
}

// otherStream rejects a record of a stream that the provider does not have.
func (f fields) otherStream() {
	f.reject("", fmt.Sprintf("stream %q has no rule for this provider; tieout must be newer", f.record.Stream), nil)
}

func (f fields) newNote(code schema.NoteCode, path, detail string) schema.Note {
	return schema.Note{
		Source: f.record.Source, Stream: f.record.Stream, ExternalID: f.record.ExternalID,
		Code: code, Field: path, Detail: detail,
	}
}

// note records something about a field that was not seen before.
func (f fields) note(name, detail string) {
	f.noteAs(schema.UnknownFieldNote, name, detail)
}

func (f fields) noteAs(code schema.NoteCode, name, detail string) {
	if n := f.newNote(code, f.below(name), detail); !slices.Contains(f.notes, n) {
		f.reading.notes = append(f.reading.notes, n)
	}
}

// unknownValue records an enum value that was not seen before.
func (f fields) unknownValue(name, value string) { f.note(name, "unknown value "+show(value)) }

// value is a member as received; absent also when it is null.
func (f fields) value(name string) raw.Value {
	if v := f.members.Get(name); v.Kind() != raw.Null {
		return v
	}
	return raw.Value{}
}

// has says whether there is a member that is not null.
func (f fields) has(name string) bool { return f.value(name).Kind() != raw.Absent }

// states says whether the provider gave a member that is not null, also where its type was not the documented one and it
// was therefore not kept: its path then stands among the unknown ones.
func (f fields) states(name string) bool {
	return f.has(name) || f.misshapen(name)
}

func (f fields) misshapen(name string) bool {
	return slices.ContainsFunc(f.record.Unknown, func(path string) bool {
		kind, ok := strings.CutPrefix(path, f.below(name))
		return ok && (kind == "" || kind == "{}" || kind == "[]")
	})
}

// object is a member that is an object; its members all read as absent when it is absent itself.
func (f fields) object(name string) fields {
	return f.inner(name, f.value(name))
}

func (f fields) inner(name string, v raw.Value) fields {
	sub, err := f.at(f.below(name), v)
	switch kind := v.Kind(); {
	case err != nil:
		f.reject(name, err.Error()+"; look the row up at the provider", err)
	case kind != raw.Object && kind != raw.Absent:
		f.note(name, kindOf(v)+" where an object is documented")
	}
	return sub
}

// objects is a member that is a list of objects, each under the path "name[]".
func (f fields) objects(name string) []fields {
	v := f.value(name)
	if v.Kind() != raw.Array {
		if v.Kind() != raw.Absent {
			f.note(name, kindOf(v)+" where a list is documented")
		}
		return nil
	}
	var list []fields
	for item := range v.Inside() {
		list = append(list, f.inner(name+"[]", item))
	}
	return list
}

// literal is the text of a JSON string or number.
func literal(v raw.Value) (string, bool) {
	if v.Kind() == raw.Number {
		return v.Literal(), true
	}
	return v.Text()
}

// kindOf is what a value is, in words.
func kindOf(v raw.Value) string {
	switch v.Kind() {
	case raw.Object:
		return "an object"
	case raw.Array:
		return "a list"
	case raw.String:
		return "text"
	case raw.Boolean:
		return "a boolean"
	case raw.Null:
		return "null"
	}
	return "a number"
}

// text is an optional text; a number is taken as it is written. Anything else is noted and read as empty.
func (f fields) text(name string) string {
	v := f.value(name)
	if v.Kind() == raw.Absent {
		return ""
	}
	s, ok := literal(v)
	if !ok {
		f.note(name, kindOf(v)+" where text is documented")
	}
	if v.ASCII() {
		return s
	}
	// PostgreSQL cannot hold NUL in a text.
	return strings.ReplaceAll(s, "\x00", "\uFFFD")
}

// firstText is the first of several optional texts that is not empty.
func (f fields) firstText(names ...string) string {
	for _, name := range names {
		if s := f.text(name); s != "" {
			return s
		}
	}
	return ""
}

// name is a text without the blanks that some providers leave at its end.
func (f fields) name(name string) string { return strings.TrimRightFunc(f.text(name), unicode.IsSpace) }

// required is a text that the record cannot do without.
func (f fields) required(name string) string {
	v := f.value(name)
	s, isText := v.Text()
	switch {
	case v.Kind() == raw.Absent:
		f.reject(name, "missing; look the row up at the provider", nil)
	case !isText:
		f.reject(name, kindOf(v)+" where text is documented; the provider may have changed its format", nil)
	case s == "":
		f.reject(name, "empty; look the row up at the provider", nil)
	}
	return s
}

// word is an optional enum value, verbatim; one that is not known is noted.
func (f fields) word(name string, known ...string) string {
	s := f.text(name)
	if s != "" && !slices.Contains(known, s) {
		f.unknownValue(name, s)
	}
	return s
}

// id is an optional id of the provider, empty when absent. One that is no plain text rejects the record: money must not
// be booked on a card that is not certain.
func (f fields) id(name string) string {
	v := f.value(name)
	s, isText := v.Text()
	switch {
	case v.Kind() == raw.Absent && f.misshapen(name):
		f.reject(name, "no plain text; the provider may have changed its format", nil)
	case v.Kind() == raw.Absent:
	case isText && s == "":
	case !identifier(s):
		f.reject(name, kindOf(v)+" that is no id; the provider may have changed its format", nil)
	}
	return s
}

// firstID is the first of several optional ids.
func (f fields) firstID(names ...string) string {
	for _, name := range names {
		if s := f.id(name); s != "" {
			return s
		}
	}
	return ""
}

const maxID = 512

func identifier(s string) bool {
	if plain(s) {
		return len(s) > 0 && len(s) <= maxID
	}
	return strings.TrimSpace(s) != "" && len(s) <= maxID && !strings.ContainsFunc(s, func(r rune) bool {
		return r == utf8.RuneError || !unicode.IsPrint(r)
	})
}

// plain says that there are only printable ASCII characters in a text, and no space.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// flag is an optional boolean, false when absent.
func (f fields) flag(name string) bool {
	v := f.value(name)
	if kind := v.Kind(); kind != raw.Boolean && kind != raw.Absent {
		f.note(name, kindOf(v)+" where a boolean is documented")
	}
	return string(v.Bytes()) == "true"
}

// instant reads an optional time. Zero and no error: absent.
func (f fields) instant(name string) (time.Time, error) {
	s := f.text(name)
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Before(schema.Beginning) {
		return time.Time{}, fmt.Errorf("%s is not an RFC 3339 time since 1970", show(s))
	}
	return t.UTC().Truncate(time.Microsecond), nil
}

// knownTime is a time that a card can do without: one that cannot be read is noted and unknown.
func (f fields) knownTime(name string) time.Time {
	t, err := f.instant(name)
	if err != nil {
		f.note(name, err.Error())
	}
	return t
}

// entryTime is a time of an entry: one that cannot be read rejects the record.
func (f fields) entryTime(name string) time.Time {
	t, err := f.instant(name)
	if err != nil {
		f.reject(name, err.Error()+"; the provider may have changed its format", err)
	}
	return t
}

// occurred is the first of several times that is there; none rejects the record.
func (f fields) occurred(names ...string) time.Time {
	for _, name := range names {
		if t := f.entryTime(name); !t.IsZero() {
			return t
		}
	}
	f.reject(names[len(names)-1], "missing; look the row up at the provider", nil)
	return time.Time{}
}

// posted is when an entry of the given status was posted: zero unless it was, and noted where the provider does not say.
func (f fields) posted(status schema.Status, name string) time.Time {
	if status != schema.Posted {
		return time.Time{}
	}
	t := f.entryTime(name)
	if t.IsZero() {
		f.note(name, "missing on a posted row")
	}
	return t
}

// date is the calendar date of a text that is a date, or that is a time and begins with one. One that cannot be read is
// noted and kept as given, so that whoever counts from it sees that it cannot.
func (f fields) date(name string) string {
	s := f.text(name)
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if _, err := time.Parse(layout, s); err == nil {
			return s[:len(time.DateOnly)]
		}
	}
	if s != "" {
		f.note(name, show(s)+" is not a date")
	}
	return s
}

// zone is an IANA zone name. One that is not known is noted and kept as given.
func (f fields) zone(name string) string {
	s := f.text(name)
	if _, err := time.LoadLocation(s); err != nil || s == "Local" {
		f.note(name, show(s)+" is not an IANA time zone")
	}
	return s
}

// code is a currency code in upper case, as ISO 4217 writes it, in whatever case the provider does; it may be unknown.
func (f fields) code(name string) string { return strings.ToUpper(f.text(name)) }

// currency reads an ISO 4217 code, in whatever case.
func (f fields) currency(name string) (money.Currency, error) {
	code := f.text(name)
	if code == f.lastCode && code != "" {
		return f.lastCurrency, nil
	}
	c, err := money.Lookup(strings.ToUpper(code))
	if err != nil {
		return money.Currency{}, fmt.Errorf("%w %s", money.ErrUnknownCurrency, show(code))
	}
	f.lastCode, f.lastCurrency = code, c
	return c, nil
}

// parse reads a money field by its row in the provider's table. The literal is returned with an error too.
func (f fields) parse(name string, v raw.Value) (a money.Amount, text string, err error) {
	text, ok := literal(v)
	if !ok {
		return money.Amount{}, text, fmt.Errorf("%s where a number is documented; the provider may have changed its format", kindOf(v))
	}
	field, ok := f.money.find(f.path, name)
	if !ok {
		return money.Amount{}, text, errNoUnit
	}
	a, err = field.amount(f, text)
	return a, text, err
}

// amount is a money field that the record cannot do without, with the sign of its effect on the card, and its literal.
func (f fields) amount(name string) (money.Amount, string) {
	v := f.value(name)
	if v.Kind() == raw.Absent {
		f.reject(name, "missing; look the row up at the provider", nil)
		return money.Amount{}, ""
	}
	a, text, err := f.parse(name, v)
	if err != nil {
		f.reject(name, whyNot(text, err), err)
	}
	return a, text
}

// original is a foreign amount: information only, so one that cannot be read is noted and stays unknown.
func (f fields) original(name string) (money.Amount, string) {
	v := f.value(name)
	if v.Kind() == raw.Absent {
		return money.Amount{}, ""
	}
	a, text, err := f.parse(name, v)
	// Not reading one whose unit nobody documents is the rule, not news.
	if err != nil && !errors.Is(err, errTwoDigits) {
		f.note(name, whyNot(text, err))
	}
	return a, text
}

// limit completes a limit with its amount. One that cannot be read is noted and stays unknown, so that nothing is compared
// against it.
func (f fields) limit(name string, l schema.Limit) schema.Limit {
	v := f.value(name)
	if v.Kind() == raw.Absent {
		f.note(name, "missing, so that the limit cannot be checked")
		return l
	}
	a, text, err := f.parse(name, v)
	if err != nil {
		f.note(name, whyNot(text, err))
	}
	l.Amount = a
	return l
}

// figure is a figure that a provider states about a card. One that cannot be read has a Problem and keeps its raw text.
func (f fields) figure(name string, as schema.FigureName) schema.Figure {
	field, known := f.money.find(f.path, name)
	fig := schema.Figure{Name: as, Ambiguous: known && field.unit == undocumented}
	v := f.value(name)
	switch {
	case v.Kind() != raw.Absent:
	case f.misshapen(name):
		fig.Problem = "something else than the number that is documented"
		return fig
	default:
		fig.Problem = "the provider gave none"
		return fig
	}
	a, text, err := f.parse(name, v)
	if text == "" {
		text = v.Literal()
	}
	fig.Raw, fig.Amount = clip(text, maxRaw), a
	if err != nil {
		fig.Problem = whyNot(text, err)
	}
	return fig
}

const maxRaw = 200

// newEntry appends an entry with what every row of a record has, to be filled where it stands: it is large.
func (f fields) newEntry(out *schema.Batch) *schema.Entry {
	out.Entries = append(out.Entries, schema.Entry{Source: f.record.Source, Provider: f.record.Provider, ExternalID: f.record.ExternalID})
	return &out.Entries[len(out.Entries)-1]
}

// newObservation is an observation of a dollar card with what every row of a record has.
func (f fields) newObservation() schema.Observation {
	return schema.Observation{
		Card: schema.Card{
			Source: f.record.Source, Provider: f.record.Provider, ID: f.record.ExternalID, Currency: money.USD().Code(),
		},
		Stream:     f.record.Stream,
		ObservedAt: f.receivedAt(),
	}
}

func (f fields) receivedAt() time.Time { return f.record.ReceivedAt.UTC().Truncate(time.Microsecond) }

// show quotes a value for a message: clipped, and not at all when it holds as many digits as a card number.
func show(s string) string {
	digits := 0
	for _, r := range s {
		if unicode.IsDigit(r) {
			digits++
		}
	}
	if digits > 12 {
		return fmt.Sprintf("a value of %d characters", utf8.RuneCountInString(s))
	}
	return fmt.Sprintf("%q", clip(s, 40))
}

// clip cuts text to n bytes at a character boundary.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
