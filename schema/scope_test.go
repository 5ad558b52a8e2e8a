package schema_test

import (
	"testing"

	"github.com/tieout/tieout/schema"
)

func TestScope_Covers(t *testing.T) {
	of := func(settings ...string) schema.Scope {
		all := map[string]string{}
		for i := 0; i < len(settings); i += 2 {
			all[settings[i]] = settings[i+1]
		}
		return schema.NewScope(all)
	}
	for name, c := range map[string]struct {
		read, wanted schema.Scope
		want         bool
	}{
		"NothingCoversNothing":           {of(), of(), true},
		"TheSame":                        {of("categories", "card,fee"), of("categories", "card,fee"), true},
		"TheSameInAnotherOrder":          {of("categories", "fee,card", "legal_entity", "le_1"), of("legal_entity", "le_1", "categories", "card,fee"), true},
		"MoreCoversLess":                 {of("categories", "card,fee,ach"), of("categories", "fee"), true},
		"LessDoesNotCoverMore":           {of("categories", "card,fee"), of("categories", "card,fee,ach"), false},
		"AnotherAccountNeverCovers":      {of("account_id", "biz_1"), of("account_id", "biz_2"), false},
		"AnUnnamedEntityIsAnotherOne":    {of("categories", "card"), of("categories", "card", "legal_entity", "le_1"), false},
		"ANamedEntityIsNotTheUnnamedOne": {of("categories", "card", "legal_entity", "le_1"), of("categories", "card"), false},
		"AUserIsNotAnAccount":            {of("user_id", "x"), of("account_id", "x"), false},
		"AnEmptySettingIsNone":           {of("legal_entity", ""), of(), true},
		"NothingDoesNotCoverSomething":   {of(), of("categories", "card"), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.read.Covers(c.wanted); got != c.want {
				t.Errorf("%q covers %q: %v", c.read, c.wanted, got)
			}
		})
	}
}

func TestScope_Only(t *testing.T) {
	for _, c := range []struct{ scope, want schema.Scope }{
		{"categories=ach,card,fee;legal_entity=le_1", "categories=fee;legal_entity=le_1"},
		{"account_id=biz_1", "account_id=biz_1"},
		{"", ""},
	} {
		if got := c.scope.Only("categories", "fee"); got != c.want {
			t.Errorf("%q of %q, want %q", got, c.scope, c.want)
		}
		if got := c.scope.Only("categories", ""); got != c.scope {
			t.Errorf("%q of %q", got, c.scope)
		}
	}
}
