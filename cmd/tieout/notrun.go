package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema/ledger"
)

// remembered is what this process knows of a ledger, for when the ledger itself cannot be asked or told.
type remembered struct {
	there    bool                // it has been read
	since    time.Time           // since when its nights cannot run; zero: the last one could
	complete time.Time           // when the last complete night ended, as far as it could be read
	told     map[told]delivering // since the last night that ran, whether it is recorded or not
}

// told is one of the news of an alert, for a channel.
type told struct{ channel, news string }

type delivering struct {
	at    time.Time
	taken bool
}

// remember is what is known of the ledger of a configuration.
func (a *app) remember(c Config) *remembered {
	if a.memory == nil {
		a.memory = map[string]*remembered{}
	}
	if a.memory[c.LedgerPath] == nil {
		a.memory[c.LedgerPath] = &remembered{told: map[told]delivering{}}
	}
	return a.memory[c.LedgerPath]
}

// askAgain is how long a channel that fails is not asked again, where that is not left to the next night.
const askAgain = time.Hour

// send delivers an alert, unless the channel took all its news from this process, or failed to a moment ago.
func (a *app) send(ctx context.Context, c Config, ch channel, alert pipeline.Alert) (sent bool, err error) {
	m := a.remember(c)
	known := func(news string) bool {
		before, ok := m.told[told{ch.name, news}]
		return ok && (before.taken || a.now().Sub(before.at) < askAgain)
	}
	if !slices.ContainsFunc(alert.News(), func(news string) bool { return !known(news) }) {
		return false, nil
	}
	err = ch.deliver(ctx, alert)
	if part, ok := errors.AsType[*partlyError](err); ok { // those who were told are not told again
		a.log.Warn("not all could be told by "+ch.name, "run", alert.RunID, "error", part)
		err = nil
	}
	for _, news := range alert.News() {
		m.told[told{ch.name, news}] = delivering{a.now(), err == nil}
	}
	return true, err
}

// forNight is withLedger for a night. began says whether the ledger could be locked and opened. What went wrong before a night
// that ran is over with it.
func (a *app) forNight(ctx context.Context, c Config, use func(Config, *pipeline.Pipeline) error) (began bool, err error) {
	return a.ofNight(c, func(use func(Config, *pipeline.Pipeline) error) error { return a.withLedger(ctx, c, nil, use) }, use)
}

func (a *app) ofNight(c Config, with func(func(Config, *pipeline.Pipeline) error) error, use func(Config, *pipeline.Pipeline) error) (began bool, err error) {
	err = with(func(c Config, p *pipeline.Pipeline) error {
		began = true
		return use(c, p)
	})
	if exitCode(err) != exitFailed {
		m := a.remember(c)
		m.since = time.Time{}
		clear(m.told)
	}
	return began, err
}

// notRun is a night that could not run, as it is known of now.
func (a *app) notRun(ctx context.Context, c Config, cause error) pipeline.NotRun {
	m := a.remember(c)
	if m.since.IsZero() && cause != nil {
		m.since = a.now()
	}
	// What cannot be written to can often be read.
	_ = a.read(ctx, c, func(_ Config, p *pipeline.Pipeline) error {
		last, err := p.LastComplete(ctx)
		if err == nil && !last.IsZero() {
			m.complete = last
		}
		return err
	})
	return pipeline.NotRun{
		Entity: c.Entity, Version: version, Zone: c.Zone, At: a.now(), Since: m.since, Cause: cause, Complete: m.complete, Silence: c.Notify.Silence,
	}
}

// tellNotRun tells every channel of a night that could not run; without a cause, of silence only.
func (a *app) tellNotRun(ctx context.Context, c Config, cause error) {
	channels := c.Notify.channels()
	if len(channels) == 0 {
		return
	}
	n := a.notRun(ctx, c, cause)
	for _, ch := range channels {
		alert, due := n.Alert(ch.name)
		if !due {
			continue
		}
		if _, err := a.send(ctx, c, ch, alert); err != nil {
			a.log.Warn("nobody could be told by "+ch.name, "error", err)
		}
	}
}

// patience is how long a night waits for who holds the ledger before somebody is told: a command that is run by hand at that
// moment is no alarm, one that hangs is.
const patience = time.Hour

// cannotRun is what `serve` does with a night that is due and could not begin: a busy ledger is waited for.
func (a *app) cannotRun(ctx context.Context, c Config, said *announced, cause error) {
	busy := errors.Is(cause, ledger.ErrLocked)
	if busy && said.waits.IsZero() {
		said.waits = a.now()
	}
	if busy {
		a.complain(said, "night waits", cause)
	} else {
		a.complain(said, "the night could not run", cause)
	}
	if busy && a.now().Sub(said.waits) < patience && !a.silentSoFar(c) {
		return
	}
	a.tellNotRun(ctx, c, cause)
}

// silentSoFar says whether no night was complete for too long, as far as this process could read.
func (a *app) silentSoFar(c Config) bool {
	complete := a.remember(c).complete
	return !complete.IsZero() && a.now().Sub(complete) > c.Notify.Silence
}

// complain logs what is wrong when it begins or changes, and then once an hour: the bell rings every minute.
func (a *app) complain(said *announced, what string, err error) {
	key := what + " " + pipeline.NotRun{Cause: err}.Key()
	if key == said.complaint && a.now().Sub(said.complained) < time.Hour {
		return
	}
	said.complaint, said.complained = key, a.now()
	if errors.Is(err, ledger.ErrLocked) {
		a.log.Warn(what, "error", err)
		return
	}
	a.log.Error(what, "error", err)
}
