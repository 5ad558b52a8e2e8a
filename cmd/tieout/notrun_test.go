package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
	"github.com/tieout/tieout/schema/migrations"
)

// nextVersion are the migrations of a program that is one version newer than this one.
func nextVersion(t *testing.T) fs.FS {
	t.Helper()
	files, err := migrations.SQLite()
	if err != nil {
		t.Fatal(err)
	}
	all := fstest.MapFS{}
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = &fstest.MapFile{Data: text}
	}
	next := fmt.Sprintf("%05d_next.sql", len(names)+1)
	all[next] = &fstest.MapFile{Data: []byte("-- +goose Up\nCREATE TABLE next (id INTEGER PRIMARY KEY) STRICT;\n")}
	return all
}

// hooked has a channel that is told.
func hooked(t *testing.T, s *site) *hook {
	t.Helper()
	const secret = "a secret that signs well"
	h := newHook(t, secret)
	s.notify(t, "notify: {severity: high, webhook: {url: {file: hook.url}, secret: {file: hook.key}}}\n",
		map[string]string{"hook.url": h.URL, "hook.key": base64.StdEncoding.EncodeToString([]byte(secret))})
	return h
}

// spoil does something to a file at a path.
func spoil(t *testing.T, path string, how func(*os.File) error) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		err = errors.Join(how(f), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func garble(from int64) func(*os.File) error {
	return func(f *os.File) error {
		_, err := f.WriteAt([]byte(strings.Repeat("no ledger ", 5000)), from)
		return err
	}
}

// shown is what somebody sees of a night that could not run.
func shown(s *site, name string, code int, stderr string, told []pipeline.Alert) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\nexit %d\n%s", name, code, stderr)
	for _, alert := range told {
		fmt.Fprintf(&b, "\nSubject: %s\n\n%s", alert.Subject, alert.Text)
	}
	b.WriteString("\n")
	text := strings.ReplaceAll(b.String(), s.dir, "DIR")
	text = regexp.MustCompile(`process \d+`).ReplaceAllString(text, "process N")
	return regexp.MustCompile(`last wrote at [-:0-9TZ]+`).ReplaceAllString(text, "last wrote at T")
}

// TestNightly_ThatCannotRunIsToldOf: whatever keeps a night from its ledger, the exit status, standard error and every channel
// say so, with the cause, what to do, and since when no night was complete.
func TestNightly_ThatCannotRunIsToldOf(t *testing.T) {
	t.Parallel()
	var texts strings.Builder
	next := testNow.Add(48 * time.Hour)
	for _, c := range []struct {
		name   string
		spoil  func(*testing.T, *site, string) // the ledger at a path
		silent bool                            // since when no night was complete can be read
	}{
		{"The ledger is of a newer version", func(t *testing.T, s *site, _ string) {
			t.Helper()
			s.migrations = nextVersion(t)
			s.must(t, "sync")
			s.migrations = nil
		}, false},
		{"The beginning of the ledger is damaged", func(t *testing.T, _ *site, path string) { t.Helper(); spoil(t, path, garble(0)) }, false},
		{"Pages of the ledger are damaged", func(t *testing.T, _ *site, path string) { t.Helper(); spoil(t, path, garble(8192)) }, false},
		{"Another process holds the ledger", func(t *testing.T, _ *site, path string) {
			t.Helper()
			lock, err := ledger.Lock(path, testNow.Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = lock.Unlock() })
		}, true},
		{"The folder of the ledger is a file", func(t *testing.T, s *site, _ string) {
			t.Helper()
			s.edit(t, "ledger: tieout.db", "ledger: bill.key/tieout.db")
		}, false},
	} {
		s := newSite(t, sandbox.Config{Seed: 2, Transactions: 60}, nil)
		h := hooked(t, s)
		if code, stderr := s.night(t, testNow); code != exitDone {
			t.Fatalf("%s: exit %d\n%s", c.name, code, stderr)
		}
		h.all()
		c.spoil(t, s, filepath.Join(s.dir, "tieout.db"))
		code, stderr := s.night(t, next)
		alerts := h.all()
		texts.WriteString(shown(s, c.name, code, stderr, alerts))
		if code != exitFailed || len(alerts) != 1 || (alerts[0].SilentFrom != nil) != c.silent || alerts[0].Status != schema.FailedRun || len(alerts[0].Failures) != 1 {
			t.Errorf("%s: exit %d, told %+v", c.name, code, alerts)
		}
		if len(alerts) == 1 && !strings.Contains(stderr, alerts[0].Failures[0].Error) {
			t.Errorf("%s: the alert does not say what standard error says: %s", c.name, alerts[0].Failures[0].Error)
		}
		h.answers(500)
		if code, stderr := s.night(t, next.Add(time.Hour)); code != exitFailed || !strings.Contains(stderr, "nobody could be told by webhook") {
			t.Errorf("%s: with a channel that fails: exit %d\n%s", c.name, code, stderr)
		}
	}
	golden(t, "notrun.txt", texts.String())
}

// TestServe_ANightThatCannotRun is told of once for each cause, and again when silence has lasted as long as it may; and it is
// run as soon as it can.
func TestServe_ANightThatCannotRun(t *testing.T) {
	t.Parallel()
	s := newSite(t, sandbox.Config{Seed: 4, Transactions: 60}, nil)
	h := hooked(t, s)
	w := newWatch(t, s)
	w.ring()
	w.ring() // when the next one is due is known from here on
	h.all()
	path := w.config.LedgerPath
	aside := path + ".aside"
	rings := func(after time.Duration, want ...string) {
		t.Helper()
		w.at(testNow.Add(after))
		w.ring()
		w.ring()
		w.ring()
		var got []string
		for _, alert := range h.all() {
			got = append(got, alert.Subject)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("after %s: told %q, want %q", after, got, want)
		}
	}
	const failed, silent = "tieout, Sandbox Inc.: the night could not run", "tieout, Sandbox Inc.: no complete night since 2026-08-31, the night could not run"
	move := func(from, to string) {
		t.Helper()
		for _, end := range []string{"", "-wal", "-shm"} {
			if err := os.Rename(from+end, to+end); err != nil && (end == "" || !errors.Is(err, fs.ErrNotExist)) {
				t.Fatal(err)
			}
		}
	}
	move(path, aside)
	if err := os.WriteFile(path, []byte(strings.Repeat("no ledger ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	rings(20 * time.Hour) // no night is due
	rings(25*time.Hour, failed)
	rings(26 * time.Hour)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil { // another cause
		t.Fatal(err)
	}
	rings(27*time.Hour, failed)
	rings(35 * time.Hour)
	rings(37*time.Hour, silent)
	rings(49 * time.Hour)
	rings(73*time.Hour, silent)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	move(aside, path)
	w.at(testNow.Add(74 * time.Hour))
	w.ring()
	if n := w.nights(t)[schema.ReportRun]; n != 2 {
		t.Errorf("%d nights after the ledger came back", n)
	}
	if err := w.stop(t); err != nil {
		t.Error(err)
	}
	if n := strings.Count(w.errs.String(), "the night could not run"); n < 5 || n > 9 {
		t.Errorf("logged %d times:\n%s", n, &w.errs)
	}
}

// TestServe_ABusyLedger is no alarm at once: it is one after an hour, and when there is silence.
func TestServe_ABusyLedger(t *testing.T) {
	t.Parallel()
	s := newSite(t, sandbox.Config{Seed: 4, Transactions: 60}, nil)
	h := hooked(t, s)
	w := newWatch(t, s)
	w.ring()
	h.all()
	lock := func() *ledger.FileLock {
		t.Helper()
		l, err := ledger.Lock(w.config.LedgerPath, testNow)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	unlock := func(l *ledger.FileLock) {
		t.Helper()
		if err := l.Unlock(); err != nil {
			t.Fatal(err)
		}
	}
	rings := func(after time.Duration, want int) []pipeline.Alert {
		t.Helper()
		w.at(testNow.Add(after))
		w.ring()
		w.ring()
		alerts := h.all()
		if len(alerts) != want {
			t.Errorf("after %s: told %+v", after, alerts)
		}
		return alerts
	}
	day := 24 * time.Hour
	held := lock()
	rings(day, 0)
	rings(day+50*time.Minute, 0)
	unlock(held)
	rings(day+55*time.Minute, 0)
	if n := w.nights(t)[schema.ReportRun]; n != 2 {
		t.Fatalf("%d nights after the ledger was given back", n)
	}
	held = lock()
	rings(2*day, 0)
	rings(2*day+59*time.Minute, 0)
	if told := rings(2*day+time.Hour, 1); len(told) == 1 && (told[0].SilentFrom != nil || !strings.Contains(told[0].Text, "another process is writing to it (process ")) {
		t.Errorf("%+v", told[0])
	}
	rings(2*day+2*time.Hour, 0)
	// 36 hours after the last complete night, which was 55 minutes late.
	if told := rings(2*day+13*time.Hour, 1); len(told) == 1 && told[0].SilentFrom == nil {
		t.Errorf("%+v", told[0])
	}
	rings(2*day+14*time.Hour, 0)
	unlock(held)
	w.at(testNow.Add(2*day + 15*time.Hour))
	w.ring()
	if n := w.nights(t)[schema.ReportRun]; n != 3 {
		t.Errorf("%d nights in the end", n)
	}
	if err := w.stop(t); err != nil {
		t.Error(err)
	}
}

// TestNight_UpgradesAnOlderLedger: `serve` as well as any command that writes copies a ledger of an older version, upgrades it
// and does its work.
func TestNight_UpgradesAnOlderLedger(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fact string
		run  func(*testing.T, *site)
	}{
		{"Sync", func(t *testing.T, s *site) { t.Helper(); s.must(t, "sync") }},
		{"Nightly", func(t *testing.T, s *site) { t.Helper(); s.must(t, "nightly", "--out", filepath.Join(s.dir, "out")) }},
		{"Serve", func(t *testing.T, s *site) {
			t.Helper()
			w := newWatch(t, s)
			w.at(testNow.Add(25 * time.Hour))
			w.ring()
			if n := w.nights(t)[schema.ReportRun]; n != 2 {
				t.Errorf("%d nights", n)
			}
			if err := w.stop(t); err != nil || strings.Contains(w.errs.String(), "level=ERROR") {
				t.Errorf("%v\n%s", err, &w.errs)
			}
		}},
		{"ServeBetweenTwoNights", func(t *testing.T, s *site) {
			t.Helper()
			w := newWatch(t, s)
			w.at(testNow.Add(time.Hour))
			w.ring()
			if n := w.nights(t)[schema.ReportRun]; n != 1 {
				t.Errorf("%d nights", n)
			}
			if err := w.stop(t); err != nil || strings.Contains(w.errs.String(), "level=ERROR") {
				t.Errorf("%v\n%s", err, &w.errs)
			}
		}},
	} {
		t.Run(c.fact, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, sandbox.Config{Seed: 4, Transactions: 60}, nil)
			s.must(t, "nightly", "--out", filepath.Join(s.dir, "out"))
			before := s.must(t, "verify")
			path := filepath.Join(s.dir, "tieout.db")
			s.migrations = nextVersion(t)
			c.run(t, s)
			copied, err := ledger.Open(t.Context(), ledger.Config{Path: path + ".version-1", ReadOnly: true, Now: s.world.Now})
			if err != nil {
				t.Fatal(err)
			}
			v, err := copied.Verify(t.Context(), "")
			if err := errors.Join(err, copied.Close()); err != nil || v.Problem != "" || !strings.Contains(before, v.Root) {
				t.Errorf("the copy: %v, %s, root %s is not in\n%s", err, v.Problem, v.Root, before)
			}
			s.must(t, "verify")
			s.migrations = nil
			if code, _, stderr := s.run(t, "verify"); code != exitFailed || !strings.Contains(stderr, "newer version") {
				t.Errorf("the version before: exit %d\n%s", code, stderr)
			}
		})
	}
}

// TestServe_StartsOnAnEmptyFile: a file that somebody made, or a ledger whose making was killed, is no ledger yet.
func TestServe_StartsOnAnEmptyFile(t *testing.T) {
	t.Parallel()
	s := newSite(t, sandbox.Config{Seed: 4, Transactions: 60}, nil)
	if err := os.WriteFile(filepath.Join(s.dir, "tieout.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWatch(t, s)
	w.ring()
	if n := w.nights(t)[schema.ReportRun]; n != 1 {
		t.Errorf("%d nights", n)
	}
	if err := w.stop(t); err != nil {
		t.Error(err)
	}
}

// TestServe_TellsSilenceWhileTheLedgerIsHeld between two nights: who holds it may hang.
func TestServe_TellsSilenceWhileTheLedgerIsHeld(t *testing.T) {
	t.Parallel()
	s := newSite(t, sandbox.Config{Seed: 4, Transactions: 60}, nil)
	h := hooked(t, s)
	s.notify(t, "schedule: {nightly: '0 7 * * 1'}\n", nil)
	w := newWatch(t, s)
	w.ring()
	h.all()
	lock, err := ledger.Lock(w.config.LedgerPath, testNow)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after time.Duration
		told  int
	}{{35 * time.Hour, 0}, {37 * time.Hour, 1}, {39 * time.Hour, 0}, {73 * time.Hour, 1}, {75 * time.Hour, 0}} {
		w.at(testNow.Add(c.after))
		w.ring()
		w.ring()
		if told := h.all(); len(told) != c.told || c.told == 1 && (told[0].SilentFrom == nil || len(told[0].Failures) > 0 || told[0].Status != "") {
			t.Errorf("after %s: %+v", c.after, told)
		}
	}
	if err := errors.Join(lock.Unlock(), w.stop(t)); err != nil {
		t.Error(err)
	}
}

// TestServe_ALedgerThatFailsInTheNight cannot say what was told, and the night is due again at every ring.
func TestServe_ALedgerThatFailsInTheNight(t *testing.T) {
	t.Parallel()
	s := newSite(t, sandbox.Config{Seed: 4, Transactions: 60}, nil)
	h := hooked(t, s)
	s.must(t, "sync")
	w := newWatch(t, s)
	nights := 0
	w.app.job = func(_ context.Context, p *pipeline.Pipeline) (pipeline.NightlyResult, error) {
		nights++
		return pipeline.NightlyResult{}, errors.Join(errors.New("start sync: the ledger is damaged"), p.Ledger.Close())
	}
	for _, c := range []struct {
		after time.Duration
		told  int
	}{{30 * time.Hour, 1}, {31 * time.Hour, 0}, {35 * time.Hour, 0}, {37 * time.Hour, 1}, {38 * time.Hour, 0}} {
		w.at(testNow.Add(c.after))
		w.ring()
		w.ring()
		told := h.all()
		if len(told) != c.told {
			t.Errorf("after %s: %+v", c.after, told)
		}
		for _, alert := range told {
			if alert.SilentFrom == nil && (!strings.Contains(alert.Text, "start sync: the ledger is damaged") || alert.Status != schema.FailedRun) {
				t.Errorf("after %s: %+v", c.after, alert)
			}
		}
	}
	if err := w.stop(t); err != nil || nights != 10 {
		t.Errorf("%d nights were begun: %v", nights, err)
	}
}

// TestServe_ALedgerThatIsGone takes the ledger away from under serve, as a disk that is no longer mounted does.
func TestServe_ALedgerThatIsGone(t *testing.T) {
	t.Parallel()
	s := newSite(t, sandbox.Config{Seed: 4, Transactions: 60}, nil)
	h := hooked(t, s)
	w := newWatch(t, s)
	w.ring()
	h.all()
	path := filepath.Join(s.dir, "tieout.db")
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	w.at(testNow.Add(24 * time.Hour))
	w.ring()
	w.ring()
	if told := h.all(); len(told) != 1 || !strings.Contains(told[0].Text, "the ledger is gone") {
		t.Errorf("%+v", told)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a new ledger was made: %v", err)
	}
	if err := w.stop(t); err != nil {
		t.Error(err)
	}
}
