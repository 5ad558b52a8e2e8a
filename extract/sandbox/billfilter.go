package sandbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// term is one condition of BILL's filters parameter.
type term struct {
	field, op string
	values    []string // one, except for in and nin
}

var errFilter = errors.New("filters: invalid")

// parseFilters reads {field}:{op}:{value},… where a value may stand in double quotes and then hold commas and colons.
// Terms joined with ";" are ignored altogether, as the provider does.
func parseFilters(s string) ([]term, error) {
	var parts []string
	quoted, from := false, 0
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ';' && !quoted:
			return nil, nil
		case s[i] == ',' && !quoted:
			parts = append(parts, s[from:i])
			from = i + 1
		}
	}
	if quoted {
		return nil, fmt.Errorf("%w: a quote is not closed", errFilter)
	}
	parts = append(parts, s[from:])
	var terms []term
	for _, part := range parts {
		field, rest, _ := strings.Cut(part, ":")
		op, value, ok := strings.Cut(rest, ":")
		if !ok || field == "" || value == "" {
			return nil, fmt.Errorf("%w: %q is not field:op:value", errFilter, part)
		}
		if inner, isQuoted := unquote(value); isQuoted {
			value = inner
		} else if strings.ContainsAny(value, `:"`) {
			return nil, fmt.Errorf("%w: quote the value %q", errFilter, value)
		}
		t := term{field: field, op: op, values: []string{value}}
		if op == "in" || op == "nin" {
			t.values = strings.Split(value, ",")
		}
		terms = append(terms, t)
	}
	return terms, nil
}

func unquote(s string) (string, bool) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' || strings.Contains(s[1:len(s)-1], `"`) {
		return "", false
	}
	return s[1 : len(s)-1], true
}

// readFilters reads what a request asked for and refuses fields and operators that the list does not have. A parameter
// given twice is ignored, as the provider does.
func readFilters(given []string, allowed map[string][]string) ([]term, error) {
	if len(given) != 1 || given[0] == "" {
		return nil, nil
	}
	terms, err := parseFilters(given[0])
	if err != nil {
		return nil, err
	}
	for _, t := range terms {
		ops, known := allowed[t.field]
		if !known {
			return nil, fmt.Errorf("%w: unknown field %s", errFilter, t.field)
		}
		if !slices.Contains(ops, t.op) {
			return nil, fmt.Errorf("%w: %s does not support %s", errFilter, t.field, t.op)
		}
		for _, v := range t.values {
			if err := checkValue(t.field, v); err != nil {
				return nil, err
			}
		}
	}
	return terms, nil
}

func checkValue(field, value string) error {
	ok := true
	switch field {
	case "occurredTime", "updatedTime", "authorizedTime":
		_, ok = readTime(value)
	case "amount", "fees":
		_, ok = readCents(value)
	case "retired", "isBudgetGroup", "isLocked", "complete", "isReviewed":
		ok = value == "true" || value == "false"
	}
	if !ok {
		return fmt.Errorf("%w: %s cannot be %q", errFilter, field, value)
	}
	return nil
}

// holds says whether any of the names of a thing meets a condition on names.
func (t term) holds(names ...string) bool {
	for _, v := range t.values {
		for _, n := range names {
			if n != "" && n == v || t.op == "sw" && strings.HasPrefix(n, v) {
				return t.op != "ne" && t.op != "nin"
			}
		}
	}
	return t.op == "ne" || t.op == "nin"
}

// bounds says whether a number meets gte or lte.
func (t term) bounds(value, limit int64) bool {
	if t.op == "gte" {
		return value >= limit
	}
	return value <= limit
}
