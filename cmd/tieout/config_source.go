package main

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tieout/tieout/extract/all"
	"github.com/tieout/tieout/extract/slash"
	"github.com/tieout/tieout/extract/whop"
	"github.com/tieout/tieout/reconcile"
	"github.com/tieout/tieout/schema"
)

var (
	// sourceName: a source's name is part of ids, of file names and of command lines.
	sourceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	providerID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)
	// apiVersion: a date, newer ones with a counter behind it (Whop docs: API versioning).
	apiVersion = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:-[0-9]{1,3})?$`)
	plainRate  = regexp.MustCompile(`^(?:0|[1-9][0-9]{0,5})(?:\.[0-9]{1,6})?$`)
)

func (r *configReader) sources(n *yaml.Node, cfg *Config) {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		r.problem(n, "sources must be a list of at least one source")
		return
	}
	lines := map[string]int{} // by name in lower case: names are part of file names, and some file systems fold case
	for i, item := range n.Content {
		s := r.source(item, "sources["+strconv.Itoa(i)+"]")
		if s.Name != "" {
			key := strings.ToLower(s.Name)
			if line := lines[key]; line > 0 {
				r.problem(item, "source name %q is used twice; first in line %d", s.Name, line)
			} else {
				lines[key] = item.Line
			}
		}
		cfg.Sources = append(cfg.Sources, s)
	}
}

func (r *configReader) source(n *yaml.Node, where string) SourceConfig {
	s := SourceConfig{LookbackDays: 35}
	keys := r.mapping(n, "source", where)
	if keys == nil {
		return s
	}
	if k := keys["name"]; k == nil {
		r.problem(n, "%s has no name", where)
	} else if name, ok := r.text(k, where+": name"); ok {
		if sourceName.MatchString(name) {
			s.Name, where = name, name
		} else {
			r.problem(k, "%s: name must be letters, digits, '.', '_' and '-', at most 64, a letter or digit first", where)
		}
	}
	if k := keys["provider"]; k == nil {
		r.problem(n, "%s has no provider", where)
	} else {
		s.Provider = r.provider(k, where)
	}
	if k := keys["credential"]; k == nil {
		r.problem(n, "%s has no credential; use {env: NAME} or {file: PATH}", where)
	} else {
		s.Credential = r.credential(k, where+": credential")
	}
	if k := keys["page_size"]; k != nil {
		s.PageSize, _ = r.number(k, where+": page_size", 1, maxPageSize)
	}
	if k := keys["lookback_days"]; k != nil {
		s.LookbackDays, _ = r.number(k, where+": lookback_days", 0, maxDays)
	}
	if k := keys["start_date"]; k != nil {
		s.StartDate = r.date(k, where+": start_date")
	}
	if k := keys["requests_per_second"]; k != nil {
		s.RequestsPerSecond = r.rate(k, where+": requests_per_second")
	}
	if k := keys["max_requests"]; k != nil {
		s.MaxRequests, _ = r.number(k, where+": max_requests", 1, 10_000_000)
	}
	if k := keys["max_minutes"]; k != nil {
		s.MaxMinutes, _ = r.number(k, where+": max_minutes", 1, 7*24*60)
	}
	if k := keys["base_url"]; k != nil {
		s.BaseURL = r.baseURL(k, where+": base_url")
	}
	if s.Provider != "" {
		r.issuer(n, keys, where, &s)
	}
	return s
}

// issuer fills in what depends on the provider, and refuses settings that belong to another one.
func (r *configReader) issuer(n *yaml.Node, keys map[string]*yaml.Node, where string, s *SourceConfig) {
	for _, known := range all.List() {
		if known.Provider == s.Provider && keys["base_url"] == nil {
			s.BaseURL = known.BaseURL
		}
		if known.Provider == s.Provider && keys["requests_per_second"] == nil {
			s.RequestsPerSecond = known.RequestsPerSecond
		}
		for _, key := range issuerKeys[known.Provider] {
			if known.Provider != s.Provider && keys[key] != nil {
				r.problem(keys[key], "%s: %s is a setting of %s sources, not of %s", where, key, known.Provider, s.Provider)
			}
		}
	}
	switch s.Provider {
	case schema.Whop:
		r.whop(n, keys, where, s)
	case schema.Slash:
		s.LegalEntity = r.id(keys["legal_entity"], where+": legal_entity")
		s.Categories = []string{"card", "fee"}
		if k := keys["categories"]; k != nil {
			name := where + ": categories"
			s.Categories = r.list(k, name, r.oneOf(name, slash.Categories()))
		}
	case schema.Bitnob:
		s.BalanceUnit = reconcile.AutoUnit
		if k := keys["balance_unit"]; k != nil {
			s.BalanceUnit = r.balanceUnit(k, where+": balance_unit")
		}
	case schema.Bill: // has no settings of its own
	}
}

func (r *configReader) whop(n *yaml.Node, keys map[string]*yaml.Node, where string, s *SourceConfig) {
	if (keys["account_id"] == nil) == (keys["user_id"] == nil) {
		r.problem(n, "%s: whop needs exactly one of account_id and user_id", where)
	}
	s.AccountID = r.id(keys["account_id"], where+": account_id")
	s.UserID = r.id(keys["user_id"], where+": user_id")
	s.APIVersion = whop.DefaultAPIVersion
	k := keys["api_version"]
	if k == nil {
		return
	}
	if v, ok := r.text(k, where+": api_version"); ok {
		if !apiVersion.MatchString(v) {
			r.problem(k, "%s: api_version must be a date such as 2026-06-09, perhaps with a counter behind it", where)
			return
		}
		s.APIVersion = v
	}
}

func (r *configReader) provider(n *yaml.Node, where string) schema.Provider {
	name, ok := r.text(n, where+": provider")
	if !ok {
		return ""
	}
	var known []string
	for _, p := range schema.Providers() {
		known = append(known, string(p))
	}
	if !r.oneOf(where+": provider", known)(n, name) {
		return ""
	}
	return schema.Provider(name)
}

func (r *configReader) balanceUnit(n *yaml.Node, name string) reconcile.BalanceUnit {
	known := []string{string(reconcile.AutoUnit), string(reconcile.MinorUnit), string(reconcile.MajorUnit)}
	s, ok := r.text(n, name)
	if !ok || !r.oneOf(name, known)(n, s) {
		return ""
	}
	return reconcile.BalanceUnit(s)
}

// id reads an optional id that the provider gave; n may be nil.
func (r *configReader) id(n *yaml.Node, name string) string {
	if n == nil {
		return ""
	}
	s, ok := r.text(n, name)
	if ok && !providerID.MatchString(s) {
		r.problem(n, "%s must be an id of letters, digits, '.', '_' and '-'", name)
		return ""
	}
	return s
}

func (r *configReader) date(n *yaml.Node, name string) string {
	s, ok := r.text(n, name)
	if !ok {
		return ""
	}
	day, err := time.Parse(time.DateOnly, s)
	if err != nil || day.Year() < 1970 {
		r.problem(n, "%s must be a date such as 2026-01-31", name)
		return ""
	}
	return s
}

func (r *configReader) rate(n *yaml.Node, name string) float64 {
	s, ok := r.text(n, name)
	if !ok {
		return 0
	}
	rate, err := strconv.ParseFloat(s, 64)
	if !plainRate.MatchString(s) || err != nil || rate <= 0 || rate > maxRate {
		r.problem(n, "%s must be a decimal number above 0 and at most %d", name, maxRate)
		return 0
	}
	return rate
}

func (r *configReader) baseURL(n *yaml.Node, name string) string {
	s, ok := r.text(n, name)
	if !ok {
		return ""
	}
	if err := checkURL(s, false); err != nil {
		r.problem(n, "%s %v", name, err)
		return ""
	}
	return strings.TrimRight(s, "/")
}
