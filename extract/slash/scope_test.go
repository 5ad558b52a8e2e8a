package slash_test

import (
	"testing"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/extract/slash"
)

func TestScope(t *testing.T) {
	scope := slash.Issuer().Scope
	if got := scope(extract.Config{}); got != "categories=card,fee" {
		t.Errorf("the default is %q", got)
	}
	one := scope(extract.Config{Categories: []string{"fee", "ach", "card"}, LegalEntity: "le_1"})
	two := scope(extract.Config{Categories: []string{"card", "fee", "ach"}, LegalEntity: "le_1"})
	if one != two || one != "categories=ach,card,fee;legal_entity=le_1" {
		t.Errorf("%q and %q", one, two)
	}
	if one.Covers(scope(extract.Config{})) {
		t.Error("one legal entity covers another")
	}
}
