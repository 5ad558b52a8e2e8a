package normalize

import (
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/tieout/tieout/schema"
)

// tables are the money tables of all issuers, for a reader to check against the issuers' documents.
func tables() map[schema.Provider]moneyTable {
	return map[schema.Provider]moneyTable{
		schema.Bill: billMoney, schema.Slash: slashMoney, schema.Whop: whopMoney, schema.Bitnob: bitnobMoney,
	}
}

func TestMoneyTables(t *testing.T) {
	var s strings.Builder
	s.WriteString("Every money field that is read: what its number counts, and how its sign becomes the effect on the card.\n\n")
	w := tabwriter.NewWriter(&s, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "provider\tstream\tfield\tunit\tcurrency\tsign\tbecomes")
	for _, provider := range schema.Providers() {
		for _, m := range tables()[provider] {
			currency := m.currency
			if currency == "" {
				currency = "as " + m.code
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", provider, m.stream, m.path, m.unit, currency, m.sign, m.into)
		}
	}
	w.Flush()

	golden(t, goldenDir+"/money-fields.golden.txt", s.String())
}

func TestMoneyTables_HaveNoFieldTwice(t *testing.T) {
	for provider, table := range tables() {
		seen := map[string]bool{}
		for _, m := range table {
			if seen[m.path] {
				t.Errorf("%s: %s stands twice, so its unit depends on the order", provider, m.path)
			}
			seen[m.path] = true
			if (m.currency == "") == (m.code == "") {
				t.Errorf("%s: %s needs either a currency or the name of the field that holds it", provider, m.path)
			}
		}
	}
}

func TestFields_AmountOutsideTheTableIsRefused(t *testing.T) {
	r := schema.Record{Provider: schema.Bill, ExternalID: "txr_1", Payload: []byte(`{"fees": 1.50}`)}
	f := newReading(billMoney).open(r)
	if a, _ := f.amount("fees"); a.Known() || f.fault == nil || f.fault.Field != "fees" {
		t.Errorf("amount(fees) = %s, fault %v; want a reject, since the table gives no unit for it", a, f.fault)
	}
}
