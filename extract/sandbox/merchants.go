package sandbox

import "github.com/tieout/tieout/schema/money"

// merchant is where money is spent.
type merchant struct {
	name, raw, mcc, category, city, country string
	currency                                string // the one it charges in
	rate                                    rate
}

// rate turns US cents into minor units of a currency: minor = cents × num ÷ den. Word is the rate as providers print it.
type rate struct {
	num, den int64
	word     string // units of the currency for a dollar
	digits   int
	symbol   string
}

// minor is what an amount of US cents is in the currency, at least one minor unit.
func (r rate) minor(cents int64) int64 { return max(1, cents*r.num/r.den) }

func rates() map[string]rate {
	return map[string]rate{
		"USD": {1, 1, "1", 2, "$"},
		"EUR": {92, 100, "0.92", 2, "€"},
		"GBP": {79, 100, "0.79", 2, "£"},
		"JPY": {150, 100, "150", 0, "¥"},
		"BHD": {376, 100, "0.376", 3, "BD"},
	}
}

// stock makes the merchants of a world. One of them wrote a card number into its name; it is a secret.
func (w *World) stock(d dice) []merchant {
	pan := d.luhn()
	spaced := pan[:4] + " " + pan[4:8] + " " + pan[8:12] + " " + pan[12:]
	w.secrets = append(w.secrets, pan, spaced)
	list := []merchant{
		{name: "Amazon Web Services", raw: "AWS EMEA     aws.amazon.co", mcc: "7372", category: "Software", city: "Seattle", country: "US"},
		{name: "Staples", raw: "STAPLES 00113456", mcc: "5943", category: "Office Supplies", city: "Boston", country: "US"},
		{name: "Uber   Trip  ", raw: "UBER   *TRIP HELP.UBER.COM", mcc: "4121", category: "Taxi", city: "San Francisco", country: "US"},
		{name: "Delta Air Lines", raw: "DELTA AIR 0062345678901", mcc: "3058", category: "Airlines", city: "Atlanta", country: "US"},
		{name: "Joe's Diner", raw: "JOE'S DINER #4", mcc: "5812", category: "Restaurants", city: "Austin", country: "US"},
		{name: "Joe's Diner", raw: "JOE'S DINER #7", mcc: "5812", category: "Restaurants", city: "Dallas", country: "US"},
		{name: "Smith, Wesson & Sons \"Hardware\"", raw: "SMITH WESSON HDWE", mcc: "5251", category: "Hardware", city: "Reno", country: "US"},
		{name: "=HYPERLINK(\"http://pay.example\",\"Pay now\")", raw: "=HYPERLINK(", mcc: "5999", category: "Miscellaneous", city: "Miami", country: "US"},
		{name: "+1 Store", raw: "+1 STORE", mcc: "5411", category: "Groceries", city: "Denver", country: "US"},
		{name: "@home Supplies", raw: "@HOME", mcc: "5712", category: "Furniture", city: "Portland", country: "US"},
		{name: "-20% Outlet", raw: "-20PCT OUTLET", mcc: "5651", category: "Clothing", city: "Tampa", country: "US"},
		{name: "Card on file " + spaced, raw: "COF " + spaced, mcc: "5968", category: "Subscriptions", city: "Newark", country: "US"},
		{name: "Café Übergröße", raw: "CAFE UBERGROSSE", mcc: "5814", category: "Cafes", city: "Berlin", country: "DE", currency: "EUR"},
		{name: "Librairie L’Étoile", raw: "LIBRAIRIE L ETOILE", mcc: "5942", category: "Books", city: "Paris", country: "FR", currency: "EUR"},
		{name: "Trainline", raw: "TRAINLINE LONDON", mcc: "4112", category: "Rail", city: "London", country: "GB", currency: "GBP"},
		{name: "東京珈琲店", raw: "TOKYO COFFEE", mcc: "5814", category: "Cafes", city: "Tokyo", country: "JP", currency: "JPY"},
		{name: "مقهى البحرين", raw: "BAHRAIN CAFE", mcc: "5814", category: "Cafes", city: "Manama", country: "BH", currency: "BHD"},
		{name: "Zażółć 🦊 Studio", raw: "ZAZOLC STUDIO", mcc: "7333", category: "Design", city: "Chicago", country: "US"},
	}
	for i := range list {
		if list[i].currency == "" {
			list[i].currency = "USD"
		}
		list[i].rate = rates()[list[i].currency]
	}
	return list
}

// foreignText is an amount of minor units in major units of a currency.
func (m *merchant) foreignText(minor int64) string {
	c, err := money.Lookup(m.currency)
	if err != nil {
		return "" // the table above holds known currencies only
	}
	return money.FromMinor(minor, c).String()
}
