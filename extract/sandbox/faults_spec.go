package sandbox

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tieout/tieout/schema"
)

// FaultGrammar says how a plan of faults is written.
const FaultGrammar = `SPEC  = RULE{,RULE}[;seed=N]
RULE  = WHERE:FAULT[=NUMBER][@WHEN]
WHERE = * | PROVIDER | PROVIDER.STREAM | *.STREAM
WHEN  = N (only the N-th request that the rule matches, for each provider) | N-M | N- | 0.P (a chance, drawn by the seed)
Without WHEN every request that the rule matches is struck; of several rules the first.`

// certain is the chance of what always happens; chances are written with at most six digits.
const certain = 1_000_000

// FaultPlan is what goes wrong.
type FaultPlan struct {
	Rules []FaultRule
	Seed  uint64 // of the chances
}

// FaultRule is one way in which requests go wrong.
type FaultRule struct {
	Provider schema.Provider // empty: all
	Stream   schema.Stream   // empty: whatever path
	Path     string          // what the path below the base path begins with; empty: whatever path
	Kind     string          // one of FaultKinds
	Number   int64           // in the unit of the kind; 0: the kind takes none
	First    int64           // the first of the matching requests that is struck, from 1
	Last     int64           // the last; 0: there is no last
	Chance   int64           // in millionths, instead of First and Last; 0: no chance about it
}

// String is the plan as ParseFaults reads it.
func (p FaultPlan) String() string {
	if len(p.Rules) == 0 {
		return ""
	}
	var rules []string
	for _, r := range p.Rules {
		rules = append(rules, r.String())
	}
	return strings.Join(rules, ",") + ";seed=" + strconv.FormatUint(p.Seed, 10)
}

// String is the rule as ParseFaults reads it, without its Path.
func (r FaultRule) String() string {
	var b strings.Builder
	b.WriteString(orAll(string(r.Provider)))
	if r.Stream != "" {
		b.WriteString("." + string(r.Stream))
	}
	b.WriteString(":" + r.Kind)
	if r.Number != 0 {
		fmt.Fprintf(&b, "=%d", r.Number)
	}
	switch {
	case r.Chance != 0:
		b.WriteString("@0." + strings.TrimRight(fmt.Sprintf("%06d", r.Chance), "0"))
	case r.First == r.Last:
		fmt.Fprintf(&b, "@%d", r.First)
	case r.Last != 0:
		fmt.Fprintf(&b, "@%d-%d", r.First, r.Last)
	case r.First > 1:
		fmt.Fprintf(&b, "@%d-", r.First)
	}
	return b.String()
}

func orAll(word string) string {
	if word == "" {
		return "*"
	}
	return word
}

// ParseFaults reads a plan written by FaultGrammar. Errors name the place, counted in bytes from 1. Empty text is a plan
// without faults.
func ParseFaults(spec string) (FaultPlan, error) {
	plan := FaultPlan{Seed: 1}
	if spec == "" {
		return plan, nil
	}
	text, seed, seeded := strings.Cut(spec, ";")
	if seeded {
		at := len(text) + 1
		digits, ok := strings.CutPrefix(seed, "seed=")
		n, err := strconv.ParseUint(digits, 10, 64)
		if !ok || err != nil || digits != strconv.FormatUint(n, 10) {
			return FaultPlan{}, misspelt(at, seed, "want seed=N")
		}
		plan.Seed = n
	}
	at := 0
	for word := range strings.SplitSeq(text, ",") {
		rule, err := parseRule(at, word)
		if err != nil {
			return FaultPlan{}, err
		}
		plan.Rules = append(plan.Rules, rule)
		at += len(word) + 1
	}
	return plan, nil
}

func misspelt(at int, word, want string) error {
	return fmt.Errorf("at %d, %q: %s", at+1, word, want)
}

func parseRule(at int, text string) (r FaultRule, err error) {
	where, rest, ok := strings.Cut(text, ":")
	if !ok {
		return r, misspelt(at, text, "want WHERE:FAULT")
	}
	if r.Provider, r.Stream, err = parseWhere(at, where); err != nil {
		return r, err
	}
	at += len(where) + 1
	fault, when, timed := strings.Cut(rest, "@")
	if r.Kind, r.Number, err = parseFault(at, fault); err != nil {
		return r, err
	}
	r.First = 1
	if timed {
		err = r.parseWhen(at+len(fault)+1, when)
	}
	return r, err
}

func parseWhere(at int, text string) (p schema.Provider, s schema.Stream, err error) {
	provider, stream, narrow := strings.Cut(text, ".")
	if provider != "*" {
		p = schema.Provider(provider)
		if !slices.Contains(schema.Providers(), p) {
			return "", "", misspelt(at, provider, fmt.Sprintf("no such provider; there are * and %v", schema.Providers()))
		}
	}
	if !narrow {
		return p, "", nil
	}
	s = schema.Stream(stream)
	if known := streamsOf(p); !slices.Contains(known, s) {
		return "", "", misspelt(at+len(provider)+1, stream, fmt.Sprintf("%s has no such stream; it has %v", orAll(string(p)), known))
	}
	return p, s, nil
}

// streamsOf is the streams of a provider; of the empty one, those of all.
func streamsOf(p schema.Provider) []schema.Stream {
	own := map[schema.Provider][]schema.Stream{
		schema.Bill: {schema.Budgets}, schema.Slash: {schema.Utilization}, schema.Bitnob: {schema.Balances},
		"": {schema.Budgets, schema.Utilization, schema.Balances},
	}[p]
	return append([]schema.Stream{schema.Cards, schema.Transactions}, own...)
}

func parseFault(at int, text string) (name string, number int64, err error) {
	name, digits, given := strings.Cut(text, "=")
	kind, ok := kindOf(name)
	if !ok {
		return "", 0, misspelt(at, name, "no such fault; there are "+strings.Join(kindNames(), ", "))
	}
	if !given {
		return name, kind.Usual, nil
	}
	at += len(name) + 1
	n, ok := whole(digits)
	switch {
	case kind.Most == 0:
		return "", 0, misspelt(at, digits, name+" takes no number")
	case !ok || n > kind.Most:
		return "", 0, misspelt(at, digits, fmt.Sprintf("want a whole number of %s from 1 to %d", kind.Unit, kind.Most))
	}
	return name, n, nil
}

// whole reads a positive whole number as Go writes it.
func whole(digits string) (int64, bool) {
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil && n > 0 && strconv.FormatInt(n, 10) == digits
}

func (r *FaultRule) parseWhen(at int, text string) error {
	if decimals, ok := strings.CutPrefix(text, "0."); ok {
		n, ok := whole(strings.TrimLeft(decimals, "0"))
		if !ok || len(decimals) > 6 {
			return misspelt(at, text, "want a chance above 0 and below 1 with at most six digits")
		}
		for range 6 - len(decimals) {
			n *= 10
		}
		r.Chance = n
		return nil
	}
	first, last, span := strings.Cut(text, "-")
	var ok bool
	if r.First, ok = whole(first); !ok {
		return misspelt(at, text, "want N, N-M, N- or 0.P")
	}
	r.Last = r.First
	if !span {
		return nil
	}
	if r.Last = 0; last == "" {
		return nil
	}
	if r.Last, ok = whole(last); !ok || r.Last < r.First {
		return misspelt(at+len(first)+1, last, "want a number that is not below the first")
	}
	return nil
}
