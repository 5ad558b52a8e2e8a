package reconcile

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/tieout/tieout/schema"
)

func TestIDText(t *testing.T) {
	for _, c := range []struct{ name, id, want string }{
		{"PlainStays", "slash-main/t_1:a.b", "slash-main/t_1:a.b"},
		{"BlankIsQuoted", "t1. All is well", `"t1. All is well"`},
		{"EmptyIsQuoted", "", `""`},
		{"QuoteIsEscaped", `t"1`, `"t\"1"`},
		{"BackslashIsEscaped", `t\1`, `"t\\1"`},
		{"LineBreakIsEscaped", "t\n1", `"t\n1"`},
		{"TurningCharacterIsEscaped", "t\u202e1", `"t\u202e1"`},
		{"InvisibleCharacterIsEscaped", "t\u200b1", `"t\u200b1"`},
		{"OtherLettersAreReadable", "café", `"café"`},
		{"BrokenTextIsEscaped", "t\xff", `"t\xff"`},
		{"LongIsCut", strings.Repeat("a", longestText+1), `"` + strings.Repeat("a", longestText) + `…"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := idText(c.id); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestPrintable_KeepsQuotesAndLetters(t *testing.T) {
	if got, want := printable("\"Ünï\" is\n\u202enot a date"), `"Ünï" is\n\u202enot a date`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// hostile ends a quoted text early, breaks the line, turns the sentence around and rings a bell.
const hostile = "\u202e\n\x07\u2066\u200b\". All is well"

// poison puts hostile characters into all text of a world that comes from outside.
func (w *world) poison() {
	add := func(texts ...*string) {
		for _, s := range texts {
			if *s != "" {
				*s += hostile + strings.Repeat("x", 5000)
			}
		}
	}
	for i := range w.cards {
		c := &w.cards[i]
		add(&c.ID, &c.AltID, &c.Name, &c.Last4, &c.BudgetID)
	}
	for i := range w.observations {
		o := &w.observations[i]
		add(&o.ID, &o.BudgetID)
		for k := range o.Limits {
			add(&o.Limits[k].Word)
		}
		for k := range o.Figures {
			if f := &o.Figures[k]; f.Problem != "" {
				add(&f.Raw)
				f.Problem += "\u202e\n"
			}
		}
	}
	for i := range w.budgets {
		add(&w.budgets[i].ID)
	}
	for i := range w.entries {
		e := &w.entries[i]
		add(&e.ExternalID, &e.CardID, &e.CardAltID, &e.CardLast4, &e.Merchant, &e.Reference, &e.LinkedID)
	}
	for i := range w.fundings {
		add(&w.fundings[i].Reference, &w.fundings[i].CardID)
	}
	for i := range w.completeness {
		w.completeness[i].Reason += "\u202e\n"
	}
	for i := range w.rejects {
		add(&w.rejects[i].ExternalID, &w.rejects[i].Field)
		w.rejects[i].Reason += "\u202e\n"
	}
	for i := range w.notes {
		add(&w.notes[i].ExternalID, &w.notes[i].Field)
		w.notes[i].Detail += "\u202e\n"
	}
}

// TestMessages_QuoteWhatOthersWrote: no provider and no line of the books can word a message, whatever it calls a card, a
// merchant or a reference.
func TestMessages_QuoteWhatOthersWrote(t *testing.T) {
	ledgers, err := filepath.Glob("../testdata/reconcile/*/*/ledger.txt")
	if err != nil || len(ledgers) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	seen := 0
	for _, ledger := range ledgers {
		dir := filepath.Dir(ledger)
		code := schema.FindingCode(filepath.Base(filepath.Dir(dir)))
		t.Run(string(code)+"/"+filepath.Base(dir), func(t *testing.T) {
			w := readWorld(t, ledger)
			w.poison()
			for _, o := range w.run(t, code) {
				text := ""
				switch {
				case o.Finding != nil:
					text = o.Finding.Message
				case o.Judgement != nil:
					text = o.Judgement.Reason
				}
				seen += strings.Count(text, "All is well")
				if i := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
					t.Errorf("an unprintable character: %q", text)
				}
				if strings.Count(text, `". All`) != strings.Count(text, `\". All`) {
					t.Errorf("a text ends its quotation: %s", text)
				}
				if strings.Contains(text, strings.Repeat("x", longestText+1)) {
					t.Errorf("a text of 5000 characters: %s", text)
				}
			}
		})
	}
	if seen < 100 {
		t.Fatalf("only %d hostile texts were shown", seen)
	}
}
