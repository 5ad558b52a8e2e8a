package main

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
)

// TestNightly_AMonth lives a month of nights in which nothing goes wrong but with the cards: things are planted and mended,
// people spend, limits are changed. Each night's findings are the key's, and each disagreement is one finding from the first
// night of it to the last.
func TestNightly_AMonth(t *testing.T) {
	t.Parallel()
	seen := &witnesses{counts: map[string]int{}}
	s := newSimulation(t, 1, seen, nil)
	s.calm = true
	for night := 0; night < 30 && !t.Failed(); night++ {
		if night > 0 {
			s.live()
		}
		s.night(night)
	}
	t.Log(seen)
	for _, what := range []string{"plants", "findings that appeared later", "findings that were mended", "findings of more than one night"} {
		if seen.counts[what] == 0 {
			t.Errorf("no night had %s", what)
		}
	}
}

// life is what became of one disagreement so far.
type life struct {
	finding, firstSeen string
	nights             int
	mended             bool // it was resolved, or is so old that the period has left it
}

// follow holds the mission's findings of a night against those of the nights before.
func (s *simulation) follow(rows []map[string]string) {
	now := s.world.Now().UTC().Format(time.RFC3339)
	open := map[string]bool{}
	status := map[string]string{}
	for _, row := range rows {
		status[row["finding_id"]] = row["status"]
		if !slices.Contains(missionCodes, row["code"]) || row["status"] == string(schema.Resolved) {
			continue
		}
		key := disagreement(row)
		if open[key] {
			s.Errorf("%s: two findings", key)
		}
		open[key] = true
		l := s.lives[key]
		if l == nil {
			l = &life{finding: row["finding_id"], firstSeen: now}
			s.lives[key] = l
			if s.seen.counts["keys compared"] > 1 {
				s.seen.add("findings that appeared later", 1)
			}
		}
		if l.finding != row["finding_id"] || l.firstSeen != row["first_seen"] {
			s.Errorf("%s: is %s first seen %s, and was %s first seen %s", key, row["finding_id"], row["first_seen"], l.finding, l.firstSeen)
		}
		l.mended = false
		if l.nights++; l.nights == 2 {
			s.seen.add("findings of more than one night", 1)
		}
	}
	for key, l := range s.lives {
		if open[key] || l.mended {
			continue
		}
		if now := status[l.finding]; now != "" && now != string(schema.Resolved) {
			s.Errorf("%s: %s is no longer in the key, and is %s", key, l.finding, now)
		}
		l.mended = true
		s.seen.add("findings that were mended", 1)
	}
}

// disagreement names what a finding is about, by the columns that stay from night to night.
func disagreement(row map[string]string) string {
	key := fmt.Sprint(row["code"], " ", row["reason"], " ", row["source"], " ", row["card_id"], " ", row["entry_id"], " ", row["reference"])
	if row["code"] == string(schema.LimitBreach) {
		key += " " + row["expected"] // a card has several limits
		if row["provider"] != string(schema.Whop) {
			key += " " + row["period_from"] // a window of the calendar
		}
	}
	return key
}
