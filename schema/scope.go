package schema

import (
	"maps"
	"slices"
	"strings"
)

// Scope says which of a provider's rows a source asks for: its settings that decide so, in a fixed order. The empty Scope is
// that of providers that have no such setting. A reading in one scope says nothing of the rows that only another one asks
// for, so coverage counts only where the scope of the reading covers the configured one.
//
// Its text is "account_id=biz_1;categories=card,fee": names in order, the values of a list in order too.
type Scope string

// NewScope makes the scope of settings. A setting without a value is left out; the order of a value's parts, which commas
// part, means nothing.
func NewScope(settings map[string]string) Scope {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if settings[name] != "" {
			values := strings.Split(settings[name], ",")
			slices.Sort(values)
			parts = append(parts, name+"="+strings.Join(values, ","))
		}
	}
	return Scope(strings.Join(parts, ";"))
}

// Covers says whether a reading in scope s brought every row that wanted asks for: it has the same settings, and of each
// every value that is wanted.
func (s Scope) Covers(wanted Scope) bool {
	if s == wanted {
		return true
	}
	has, wants := s.settings(), wanted.settings()
	if len(has) != len(wants) {
		return false
	}
	for name, values := range wants {
		for _, value := range values {
			if !slices.Contains(has[name], value) {
				return false
			}
		}
	}
	return true
}

// Only is the scope with one value of a list in place of all: that of the rows which one value brought. A scope without the
// setting, and an empty value, leave it as it is.
func (s Scope) Only(name, value string) Scope {
	settings := map[string]string{}
	for n, values := range s.settings() {
		settings[n] = strings.Join(values, ",")
	}
	if settings[name] == "" || value == "" {
		return s
	}
	settings[name] = value
	return NewScope(settings)
}

func (s Scope) settings() map[string][]string {
	all := map[string][]string{}
	if s == "" {
		return all
	}
	for part := range strings.SplitSeq(string(s), ";") {
		name, values, _ := strings.Cut(part, "=")
		all[name] = strings.Split(values, ",")
	}
	return all
}
