package main

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
)

func TestProgress(t *testing.T) {
	clock := time.Duration(0)
	var log bytes.Buffer
	shown := func(terminal io.Writer) *app {
		log.Reset()
		clock = time.Minute
		return &app{
			elapsed: func() time.Duration { return clock }, log: slog.New(slog.NewTextHandler(&log, nil)), progress: progress{terminal: terminal},
		}
	}
	tell := func(a *app, p pipeline.Progress) {
		p.Run, p.Source, p.Stream = 7, "whop-main", schema.Transactions
		a.logProgress(p)
	}
	backfill := func(a *app) {
		tell(a, pipeline.Progress{Done: 0, Windows: 3})
		clock += 4 * time.Second
		tell(a, pipeline.Progress{Records: 100})
		clock += 6 * time.Second
		tell(a, pipeline.Progress{Done: 1, Windows: 3})
	}
	t.Run("OnATerminalIsOneLineThatChanges", func(t *testing.T) {
		var terminal bytes.Buffer
		a := shown(&terminal)
		backfill(a)
		a.progress.end()
		lines := strings.Split(terminal.String(), "\r\x1b[K")
		want := "whop-main: window 2 of 3, 100 rows, 10 rows/s, time left 20s\n"
		if last := lines[len(lines)-1]; len(lines) != 4 || last != want || log.Len() > 0 {
			t.Errorf("%q\n%s", lines, log.String())
		}
	})
	t.Run("ElsewhereIsALineNowAndThen", func(t *testing.T) {
		a := shown(nil)
		backfill(a)
		a.progress.end()
		text := log.String()
		if strings.Count(text, "\n") != 2 || !strings.Contains(text, "run=7 source=whop-main stream=transactions") || !strings.Contains(text, `rate="10 rows/s" left=20s`) {
			t.Error(text)
		}
	})
	t.Run("OfASyncIsNone", func(t *testing.T) {
		var terminal bytes.Buffer
		a := shown(&terminal)
		tell(a, pipeline.Progress{Records: 100})
		a.progress.end()
		if terminal.Len()+log.Len() > 0 {
			t.Errorf("%q %s", terminal.String(), log.String())
		}
	})
}
