package main

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/extract/all"
	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// hook is a program that is told.
type hook struct {
	*httptest.Server
	mutex  sync.Mutex
	status int
	told   []pipeline.Alert
	ids    []string
}

func newHook(t *testing.T, secret string) *hook {
	t.Helper()
	h := &hook{status: http.StatusNoContent}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mutex.Lock()
		defer h.mutex.Unlock()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if h.status == http.StatusFound {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
			if r.URL.Path != "/" {
				t.Errorf("it went on to %s", r.URL.Path)
			}
			return
		}
		id, at := r.Header.Get("Webhook-Id"), r.Header.Get("Webhook-Timestamp")
		mac := hmac.New(sha256.New, []byte(secret)) // what a receiver has after it decoded the shared text
		fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
		if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); r.Header.Get("Webhook-Signature") != want {
			t.Errorf("signature %q, want %q", r.Header.Get("Webhook-Signature"), want)
		}
		var alert pipeline.Alert
		if err := json.Unmarshal(body, &alert); err != nil || alert.ID != id {
			t.Errorf("%v in %s", err, body)
		}
		h.told, h.ids = append(h.told, alert), append(h.ids, id)
		w.WriteHeader(h.status)
	}))
	t.Cleanup(h.Close)
	return h
}

// all is what it was told since it was asked before.
func (h *hook) all() []pipeline.Alert {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	told := h.told
	h.told = nil
	return told
}

// last is the latest of what it was told since it was asked before; nil: nothing.
func (h *hook) last() *pipeline.Alert {
	told := h.all()
	if len(told) == 0 {
		return nil
	}
	return &told[len(told)-1]
}

func (h *hook) answers(status int) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.status = status
}

// notify adds lines to the configuration of a site, and writes the secret files that they name.
func (s *site) notify(t *testing.T, lines string, secrets map[string]string) {
	t.Helper()
	path := filepath.Join(s.dir, "tieout.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, lines...), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, secret := range secrets {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// night runs a nightly at an instant, and returns its exit status and errors.
func (s *site) night(t *testing.T, at time.Time) (code int, stderr string) {
	t.Helper()
	code, _, stderr = s.run(t, "--now", at.Format(time.RFC3339), "nightly", "--out", filepath.Join(s.dir, "morning"))
	return code, stderr
}

// morning is the conclusion on the report of the last night, as somebody reads it first thing.
func (s *site) morning(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(s.dir, "morning", "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(page), "<h3>Conclusion</h3>")
	text, _, ended := strings.Cut(text, "</table>")
	if !found || !ended {
		t.Fatalf("the report has no conclusion:\n%.2000s", page)
	}
	text = regexp.MustCompile(`<[^>]*>`).ReplaceAllString(text, "")
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' }), "\n")
}

func TestNotify_Webhook(t *testing.T) {
	t.Parallel()
	const secret = "a secret that signs well"
	h := newHook(t, secret)
	down := ""
	s := newSite(t, sandbox.Config{Seed: 2, Transactions: 400}, func(world http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case down == "network":
				panic(http.ErrAbortHandler) // the connection breaks off
			case down != "" && strings.HasPrefix(r.URL.Path, "/"+down):
				w.WriteHeader(http.StatusForbidden)
			default:
				world.ServeHTTP(w, r)
			}
		})
	})
	s.tune = func(c *all.Config) { // a night without a network tries each request again, and waits in between
		c.Sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	}
	s.notify(t, "notify: {severity: high, webhook: {url: {file: hook.url}, secret: {file: hook.key}}}\n", map[string]string{"hook.url": h.URL, "hook.key": "whsec_" + base64.StdEncoding.EncodeToString([]byte(secret))})
	at := testNow
	var texts strings.Builder
	keep := func(what string, alert *pipeline.Alert) {
		text := regexp.MustCompile(`(Report|Root of the hash chain): .*`).ReplaceAllString(alert.Text, "$1: …")
		text = regexp.MustCompile(`(?m)^(- .{100}).*`).ReplaceAllString(text, "$1…")
		fmt.Fprintf(&texts, "# %s\n\nSubject: %s\n\n%s\n", what, alert.Subject, strings.ReplaceAll(text, s.url, "http://sandbox"))
	}
	conclude := func() {
		said := s.morning(t)
		if !strings.HasPrefix(said, "INCOMPLETE\n") || !strings.Contains(said, "whop-main") {
			t.Errorf("the report in the morning says\n%s", said)
		}
		fmt.Fprintf(&texts, "## The report in the morning\n\n%s\n\n", said)
	}
	t.Run("OfWhatIsNew", func(t *testing.T) {
		if code, stderr := s.night(t, at); code != exitDone {
			t.Fatalf("exit %d\n%s", code, stderr)
		}
		alert := h.last()
		if alert == nil || alert.New == 0 || len(alert.Findings) != alert.New || alert.Status != schema.Complete || len(alert.Failures) > 0 || alert.SilentFrom != nil || alert.Root == "" {
			t.Fatalf("%+v", alert)
		}
		for _, f := range alert.Findings {
			if f.Severity != schema.High || f.Message == "" {
				t.Errorf("%+v", f)
			}
		}
	})
	t.Run("NothingOfWhatWasTold", func(t *testing.T) {
		at = at.Add(24 * time.Hour)
		if code, stderr := s.night(t, at); code != exitDone {
			t.Fatalf("exit %d\n%s", code, stderr)
		}
		if alert := h.last(); alert != nil {
			t.Errorf("%+v", alert)
		}
	})
	t.Run("OfASourceThatIsDownForDaysAndOfSilence", func(t *testing.T) {
		down = "whop"
		for day := range 7 {
			at = at.Add(24 * time.Hour)
			if code, stderr := s.night(t, at); code != exitPartial {
				t.Fatalf("exit %d\n%s", code, stderr)
			}
			// The first night tells at its end what it could not read. That the others could not either is no news. Silence is, each
			// time that it has lasted 36 hours more: it is told before a night begins. New findings are, at its end.
			name := fmt.Sprintf("A provider is down, night %d", day+1)
			told := h.all()
			if silent := day == 1 || day == 2 || day == 4 || day == 5; silent != (len(told) > 0 && told[0].RunID == 0) {
				t.Errorf("day %d: %+v", day, told)
			}
			for n, alert := range told {
				if !strings.Contains(fmt.Sprint(alert.Failures), "whop-main") || alert.RunID == 0 && alert.SilentFrom == nil || alert.RunID != 0 && day > 0 && alert.New == 0 {
					t.Errorf("day %d: %+v", day, alert)
				}
				if n == 0 {
					keep(name, &alert)
				}
			}
			if len(told) == 0 {
				fmt.Fprintf(&texts, "# %s\n\nNothing is new.\n\n", name)
			}
			conclude()
		}
	})
	t.Run("OfANightWithoutANetwork", func(t *testing.T) {
		down, at = "network", at.Add(24*time.Hour)
		if code, stderr := s.night(t, at); code != exitPartial {
			t.Fatalf("exit %d\n%s", code, stderr)
		}
		if alert := h.last(); alert == nil || len(alert.Failures) != 4 || alert.Status != schema.FailedRun || alert.ReportDir == "" {
			t.Fatalf("%+v", alert)
		} else {
			keep("The network is gone", alert)
			conclude()
		}
		down = ""
	})
	for name, status := range map[string]int{"AgainAfterAnError": http.StatusInternalServerError, "AgainAfterARedirectWhichIsNotFollowed": http.StatusFound} {
		t.Run(name, func(t *testing.T) {
			h.answers(status)
			if _, err := s.world.Plant("balance"); err != nil {
				t.Fatal(err)
			}
			at = at.Add(24 * time.Hour)
			code, stderr := s.night(t, at)
			if code != exitDone || !strings.Contains(stderr, fmt.Sprintf("the webhook answered %d", status)) || strings.Contains(stderr, h.URL) {
				t.Errorf("exit %d\n%s", code, stderr)
			}
			h.answers(http.StatusNoContent)
			h.last()
			at = at.Add(24 * time.Hour)
			s.night(t, at)
			if alert := h.last(); alert == nil || alert.New == 0 || len(alert.Failures) > 0 {
				t.Errorf("%+v", alert)
			}
		})
	}
	if len(h.ids) == 0 || strings.Contains(fmt.Sprint(h.ids), s.world.Credential(schema.Whop)) {
		t.Errorf("ids %v", h.ids)
	}
	s.must(t, "verify")
	golden(t, "alerts.txt", texts.String())
}

// TestServe_TellsSilenceBetweenNights rings for days while no night is due, since the line fires once a week.
func TestServe_TellsSilenceBetweenNights(t *testing.T) {
	t.Parallel()
	const secret = "a secret that signs well"
	h := newHook(t, secret)
	s := newSite(t, sandbox.Config{Seed: 4, Transactions: 300}, nil)
	s.notify(t, "schedule: {nightly: '0 7 * * 1'}\nnotify: {severity: high, silence_hours: 36, webhook: {url: {file: hook.url}, secret: {file: hook.key}}}\n",
		map[string]string{"hook.url": h.URL, "hook.key": base64.StdEncoding.EncodeToString([]byte(secret))})
	w := newWatch(t, s)
	w.ring()
	if told := h.all(); len(told) != 1 || told[0].New == 0 {
		t.Fatalf("after the night: %+v", told)
	}
	for _, c := range []struct {
		after time.Duration
		told  int
	}{{35 * time.Hour, 0}, {37 * time.Hour, 1}, {38 * time.Hour, 0}, {73 * time.Hour, 1}} {
		w.at(testNow.Add(c.after))
		w.ring()
		w.ring()
		told := h.all()
		if len(told) != c.told || c.told == 1 && told[0].SilentFrom == nil {
			t.Errorf("after %s: %+v", c.after, told)
		}
	}
	h.answers(http.StatusInternalServerError)
	w.at(testNow.Add(109 * time.Hour))
	w.ring()
	w.ring()
	w.at(testNow.Add(109*time.Hour + 30*time.Minute))
	w.ring()
	if told := h.all(); len(told) != 1 {
		t.Errorf("a hook that fails was asked %d times in half an hour", len(told))
	}
	if err := w.stop(t); err != nil {
		t.Error(err)
	}
}

// TestTell_IsNotRepeatedWhereNothingCanBeRecorded is a full disk: the night is due again at every ring, and fails again.
func TestTell_IsNotRepeatedWhereNothingCanBeRecorded(t *testing.T) {
	t.Parallel()
	const secret = "a secret that signs well"
	h := newHook(t, secret)
	s := newSite(t, sandbox.Config{Seed: 4, Transactions: 100}, nil)
	s.must(t, "sync")
	at := testNow
	a := &app{now: func() time.Time { return at }, elapsed: func() time.Duration { return 0 }, log: slog.New(slog.DiscardHandler)}
	c, err := loadOne(filepath.Join(s.dir, "tieout.yaml"), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	c.Notify = NotifyConfig{Severity: schema.High, Silence: 12 * time.Hour, Webhook: WebhookConfig{
		URL: transport.NewSecret(h.URL), Secret: transport.NewSecret(base64.StdEncoding.EncodeToString([]byte(secret))),
	}}
	err = a.open(t.Context(), c, ledger.Config{Path: c.LedgerPath, ReadOnly: true, Now: a.now}, nil, func(c Config, p *pipeline.Pipeline) error {
		for _, after := range []time.Duration{0, time.Minute, 11 * time.Hour, 13 * time.Hour} {
			at = testNow.Add(after)
			a.tellSilence(t.Context(), c, p)
			a.tell(t.Context(), c, p, pipeline.NightlyResult{}, fmt.Errorf("run %d: no room is left for the ledger", at.Unix()))
		}
		return nil
	})
	told := h.all()
	if err != nil || len(told) != 2 || !strings.Contains(told[0].Text, "no room is left for the ledger") || told[0].SilentFrom != nil || told[1].SilentFrom == nil {
		t.Errorf("%v: told %d times: %+v", err, len(told), told)
	}
}

// post is a mail server.
type post struct {
	listener net.Listener
	tls      *tls.Config // nil: it offers none
	first    bool        // TLS from the first byte
	mails    chan string
}

func newPost(t *testing.T, config *tls.Config) *post {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &post{listener: listener, tls: config, mails: make(chan string, 10)}
	p.serve(t)
	return p
}

func (p *post) serve(t *testing.T) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := p.listener.Accept()
			if err != nil {
				return
			}
			if p.first {
				c = tls.Server(c, p.tls)
			}
			p.talk(c)
		}
	}()
	t.Cleanup(func() { _ = p.listener.Close(); <-done })
}

// talk receives one mail.
func (p *post) talk(c net.Conn) {
	defer func() { _ = c.Close() }()
	in, secure := bufio.NewReader(c), p.first
	say := func(lines ...string) { _, _ = io.WriteString(c, strings.Join(lines, "\r\n")+"\r\n") }
	say("220 post")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch word, _, _ := strings.Cut(strings.TrimSpace(line), " "); strings.ToUpper(word) {
		case "EHLO":
			switch {
			case secure:
				say("250-post", "250 AUTH PLAIN")
			case p.tls != nil:
				say("250-post", "250 STARTTLS")
			default:
				say("250 post")
			}
		case "STARTTLS":
			say("220 go on")
			c = tls.Server(c, p.tls)
			in, secure = bufio.NewReader(c), true
		case "RCPT":
			switch {
			case strings.Contains(line, "nobody@"):
				say("550 there is nobody")
				continue
			case strings.Contains(line, "later@"):
				say("451 not now")
				continue
			}
			say("250 well")
		case "AUTH":
			say("235 welcome")
		case "DATA":
			say("354 go on")
			var mail strings.Builder
			for {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				mail.WriteString(line)
			}
			p.mails <- mail.String()
			say("250 received")
		case "QUIT":
			say("221 goodbye")
			return
		default:
			say("250 well")
		}
	}
}

func TestNotify_Mail(t *testing.T) {
	t.Parallel()
	certified := httptest.NewTLSServer(http.NotFoundHandler()) // it has a certificate for 127.0.0.1
	defer certified.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certified.Certificate().Raw}))
	s := newSite(t, sandbox.Config{Seed: 2, Transactions: 300}, nil)
	secure, plain := newPost(t, &tls.Config{Certificates: certified.TLS.Certificates, MinVersion: tls.VersionTLS12}), newPost(t, nil)
	path := filepath.Join(s.dir, "tieout.yaml")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	to := func(p *post, more string) {
		t.Helper()
		if err := os.WriteFile(path, before, 0o600); err != nil {
			t.Fatal(err)
		}
		s.notify(t, fmt.Sprintf("notify: {mail: {server: '%s', from: tieout@example.com, to: [ann@example.com], user: tieout, password: {file: mail.key}%s}}\n", p.listener.Addr(), more),
			map[string]string{"mail.key": "open sesame", "own.pem": ca})
	}
	t.Run("IsNotSentWithoutTLS", func(t *testing.T) {
		to(plain, "")
		code, stderr := s.night(t, testNow)
		if code != exitDone || !strings.Contains(stderr, "nobody could be told by mail") || len(plain.mails) > 0 {
			t.Errorf("exit %d\n%s", code, stderr)
		}
	})
	t.Run("IsNotSentToAServerThatNobodyCertified", func(t *testing.T) {
		to(secure, "")
		code, stderr := s.night(t, testNow)
		if code != exitDone || !strings.Contains(stderr, "certificate") || len(secure.mails) > 0 {
			t.Errorf("exit %d\n%s", code, stderr)
		}
	})
	t.Run("CarriesTheWorkbook", func(t *testing.T) {
		to(secure, ", ca_file: own.pem")
		code, stderr := s.night(t, testNow)
		if code != exitDone || stderr != "" || len(secure.mails) != 1 {
			t.Fatalf("exit %d, %d mails\n%s", code, len(secure.mails), stderr)
		}
		mail := <-secure.mails
		for _, want := range []string{"Subject: tieout, Sandbox Inc.: ", "new findings", "tieout.xlsx", "Root of the hash chain: ", "<ann@example.com>"} {
			if !strings.Contains(mail, want) {
				t.Errorf("%q is not in\n%.3000s", want, mail)
			}
		}
		if strings.Contains(mail, "open sesame") {
			t.Error("it tells the password")
		}
	})
	t.Run("GoesToAServerThatSpeaksTLSFromTheFirstByte", func(t *testing.T) {
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:465") // that port says so
		if err != nil {
			t.Skipf("port 465 is not to be had here: %v", err)
		}
		first := &post{listener: listener, tls: secure.tls, first: true, mails: make(chan string, 10)}
		first.serve(t)
		to(first, ", ca_file: own.pem")
		if _, err := s.world.Plant("balance"); err != nil {
			t.Fatal(err)
		}
		code, stderr := s.night(t, testNow.Add(12*time.Hour))
		if code != exitDone || stderr != "" || len(first.mails) != 1 {
			t.Fatalf("exit %d, %d mails\n%s", code, len(first.mails), stderr)
		}
		if mail := <-first.mails; !strings.Contains(mail, "new finding") {
			t.Errorf("%.3000s", mail)
		}
	})
	t.Run("ReachesTheOthersWhereOneAddressIsRefused", func(t *testing.T) {
		to(secure, ", ca_file: own.pem")
		s.edit(t, "to: [ann@example.com]", "to: [ann@example.com, nobody@example.com, bob@example.com]")
		if _, err := s.world.Plant("balance"); err != nil {
			t.Fatal(err)
		}
		code, stderr := s.night(t, testNow.Add(18*time.Hour))
		if code != exitDone || !strings.Contains(stderr, "not all could be told by mail") || !strings.Contains(stderr, "mail to nobody@example.com: ") || len(secure.mails) != 2 {
			t.Fatalf("exit %d, %d mails\n%s", code, len(secure.mails), stderr)
		}
		if ann, bob := <-secure.mails, <-secure.mails; !strings.Contains(ann, "<ann@example.com>") || !strings.Contains(bob, "<bob@example.com>") {
			t.Errorf("%.300s\n%.300s", ann, bob)
		}
		if _, stderr := s.night(t, testNow.Add(19*time.Hour)); stderr != "" || len(secure.mails) > 0 {
			t.Errorf("told again: %d mails\n%s", len(secure.mails), stderr)
		}
		s.edit(t, "nobody@", "later@")
		if _, err := s.world.Plant("balance"); err != nil {
			t.Fatal(err)
		}
		for _, after := range []time.Duration{20 * time.Hour, 21 * time.Hour} { // whoever is refused for a time is tried again
			if _, stderr := s.night(t, testNow.Add(after)); !strings.Contains(stderr, "mail to later@example.com: ") || len(secure.mails) != 2 {
				t.Errorf("after %s: %d mails\n%s", after, len(secure.mails), stderr)
			}
			<-secure.mails
			<-secure.mails
		}
		to(secure, ", ca_file: own.pem")
		s.edit(t, "ann@", "nobody@")
		if _, err := s.world.Plant("balance"); err != nil {
			t.Fatal(err)
		}
		if _, stderr := s.night(t, testNow.Add(22*time.Hour)); !strings.Contains(stderr, "nobody could be told by mail") {
			t.Errorf("%s", stderr)
		}
	})
	t.Run("CarriesNoneWhereSoConfigured", func(t *testing.T) {
		to(secure, ", ca_file: own.pem, attach: false")
		if _, err := s.world.Plant("balance"); err != nil {
			t.Fatal(err)
		}
		s.night(t, testNow.Add(24*time.Hour))
		if mail := <-secure.mails; strings.Contains(mail, "filename") || !strings.Contains(mail, "new finding") {
			t.Errorf("%.3000s", mail)
		}
	})
}

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s, want -, got +:\n%s", name, diff)
	}
}
