package pipeline

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/schema"
)

// NotRun is a night that could not run, since its ledger could not be locked, opened or asked. So nothing of it is recorded, and
// whoever tells of it must remember by themselves which news were taken.
type NotRun struct {
	Entity  string
	Version string
	Zone    *time.Location
	At      time.Time
	Since   time.Time // since when nights cannot run: the same cause another time is news
	Cause   error     // nil: no night was due, and there may be silence to tell of
	// Complete is when the last complete night ended that is known of; zero: none is, and silence is counted from Since.
	Complete time.Time
	Silence  time.Duration // as AlertRules has it
}

// Alert is what a channel is told; false: nothing.
func (n NotRun) Alert(channel string) (Alert, bool) {
	a := Alert{
		Entity: n.Entity, Version: n.Version, At: n.At, Failures: []AlertFailure{}, Findings: []AlertFinding{}, channel: channel, zone: n.Zone,
	}
	if n.Cause != nil {
		a.Status, a.notRun = schema.FailedRun, true
		a.Failures = append(a.Failures, AlertFailure{Error: transport.Mask(n.Cause.Error())})
		a.news = append(a.news, fmt.Sprint("not run ", n.Since.UnixMicro(), " ", n.Key()))
	}
	from := n.Complete
	if from.IsZero() {
		from = n.Since
	}
	if times := a.silentSince(from, n.Silence); times > 0 {
		a.silenceIsNews(from, times)
	}
	a.finish(n.Since)
	return a, len(a.news) > 0
}

// Key is the same for the same cause, whichever process holds a lock and since when.
func (n NotRun) Key() string {
	if n.Cause == nil {
		return ""
	}
	return withoutFigures(n.Cause.Error())
}

// withoutFigures is a text without what differs from one time to the next: numbers of processes, runs and temporary files,
// instants.
func withoutFigures(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return -1
		}
		return r
	}, text)
}
