package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
)

// NotifyConfig says who is told about new findings and about runs that failed or are incomplete, and of what.
type NotifyConfig struct {
	Severity schema.Severity // the least of a finding
	Silence  time.Duration   // since the last complete reading
	Webhook  WebhookConfig
	Mail     MailConfig
}

// WebhookConfig is a program that is told.
type WebhookConfig struct {
	URL    transport.Secret // empty: none
	Secret transport.Secret // signs what is sent; empty: nothing is signed
}

// MailConfig is people who are told.
type MailConfig struct {
	Server, From string // host:port
	To           []string
	User         string
	Password     transport.Secret
	Attach       bool
	CAFile       string // of certificates beside the system's; empty: those alone
}

// The defaults, and how long a channel may take.
const (
	defaultSeverity = schema.Medium
	defaultSilence  = 36 * time.Hour
	channelTime     = 30 * time.Second
	mailTime        = 3 * time.Minute // a workbook goes along
	maxAttachment   = 10 << 20
)

// channel delivers an alert.
type channel struct {
	name    string
	deliver func(context.Context, pipeline.Alert) error
}

func (c NotifyConfig) channels() (all []channel) {
	if !c.Webhook.URL.Empty() {
		all = append(all, channel{"webhook", c.Webhook.deliver})
	}
	if c.Mail.Server != "" {
		all = append(all, channel{"mail", c.Mail.deliver})
	}
	return all
}

// nightly runs a night and tells of it; before it, of silence: the night may not end for hours.
func (a *app) nightly(ctx context.Context, c Config, p *pipeline.Pipeline, out string) (pipeline.NightlyResult, error) {
	job := a.job
	if job == nil {
		job = func(ctx context.Context, p *pipeline.Pipeline) (pipeline.NightlyResult, error) {
			return p.Nightly(ctx, c.Reports.Formats, out, c.Reports.Dir)
		}
	}
	return a.andTell(ctx, c, p, job)
}

func (a *app) andTell(ctx context.Context, c Config, p *pipeline.Pipeline,
	job func(context.Context, *pipeline.Pipeline) (pipeline.NightlyResult, error),
) (pipeline.NightlyResult, error) {
	a.tellSilence(ctx, c, p)
	result, err := job(ctx, p)
	if ctx.Err() == nil { // whoever stopped it knows
		a.tell(ctx, c, p, result, err)
	}
	return result, err
}

func (c NotifyConfig) rules(ch channel, silenceOnly bool) pipeline.AlertRules {
	return pipeline.AlertRules{Channel: ch.name, Severity: c.Severity, Silence: c.Silence, SilenceOnly: silenceOnly}
}

// tell tells every channel what it has not been told. A channel that fails fails no run: it is told with the next one.
func (a *app) tell(ctx context.Context, c Config, p *pipeline.Pipeline, night pipeline.NightlyResult, failure error) {
	a.tellBy(ctx, c, p, night, failure, false)
}

// tellSilence tells every channel that no night was complete for too long, where it was not told that yet.
func (a *app) tellSilence(ctx context.Context, c Config, p *pipeline.Pipeline) {
	a.tellBy(ctx, c, p, pipeline.NightlyResult{}, nil, true)
}

func (a *app) tellBy(ctx context.Context, c Config, p *pipeline.Pipeline, night pipeline.NightlyResult, failure error, silenceOnly bool) {
	for _, ch := range c.Notify.channels() {
		alert, due, err := p.Alert(ctx, c.Notify.rules(ch, silenceOnly), night, failure)
		if err != nil && !silenceOnly { // the ledger cannot say what is new, and that is
			alert, _ = a.notRun(ctx, c, errors.Join(failure, err)).Alert(ch.name)
			_, sendErr := a.send(ctx, c, ch, alert)
			err = errors.Join(err, sendErr)
		} else if err == nil && due {
			err = a.sendAndRecord(ctx, c, p, ch, alert)
		}
		if err != nil {
			a.log.Warn("nobody could be told by "+ch.name, "run", night.RunID, "error", err)
		}
	}
}

// sendAndRecord delivers an alert and notes that in the ledger. Where the ledger cannot be written to, the night is due again at
// once, and this process remembers by itself whom it told.
func (a *app) sendAndRecord(ctx context.Context, c Config, p *pipeline.Pipeline, ch channel, alert pipeline.Alert) error {
	sent, err := a.send(ctx, c, ch, alert)
	if !sent {
		return nil
	}
	return errors.Join(err, p.RecordAlert(ctx, alert, err))
}

// silent says whether a channel is to be told of silence. It only reads.
func silent(ctx context.Context, c NotifyConfig, p *pipeline.Pipeline) (bool, error) {
	for _, ch := range c.channels() {
		if _, due, err := p.Alert(ctx, c.rules(ch, true), pipeline.NightlyResult{}, nil); err != nil || due {
			return due, err
		}
	}
	return false, nil
}

// deliver posts an alert as JSON, signed as the Standard Webhooks specification has it: an HMAC-SHA256 over id, timestamp and
// body. The error names no URL, which may hold a token.
func (c WebhookConfig) deliver(ctx context.Context, alert pipeline.Alert) error {
	body, err := json.Marshal(alert)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, channelTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL.Reveal(), bytes.NewReader(body))
	if err != nil {
		return errors.New("the webhook's URL cannot be used")
	}
	at := strconv.FormatInt(alert.At.Unix(), 10)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Webhook-Id", alert.ID)
	request.Header.Set("Webhook-Timestamp", at)
	if !c.Secret.Empty() {
		key, err := signingKey(c.Secret)
		if err != nil {
			return err
		}
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", alert.ID, at, body)
		request.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	// Nothing of the process around it says where the news go, and nothing is kept open for the next night.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, ForceAttemptHTTP2: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		if named, ok := errors.AsType[*url.Error](err); ok {
			err = named.Err
		}
		return fmt.Errorf("post to the webhook: %w", err)
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, 1<<16) // so that the connection ends well
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("the webhook answered %d", response.StatusCode)
	}
	return nil
}

// signingKey reads the secret of a webhook as Standard Webhooks has it: 24 to 64 bytes in base64, with or without "whsec_"
// before them.
func signingKey(s transport.Secret) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s.Reveal(), "whsec_"))
	if err != nil || len(key) < 24 || len(key) > 64 {
		return nil, errors.New("must be 24 to 64 bytes in base64, as `openssl rand -base64 32` prints them")
	}
	return key, nil
}

// partlyError is what kept some from being told, while others were.
type partlyError struct{ error }

func (e *partlyError) Unwrap() error { return e.error }

// deliver mails an alert, over TLS or not at all. Each address has a mail of its own: one that the server refuses keeps none of
// the others from theirs.
func (c MailConfig) deliver(ctx context.Context, alert pipeline.Alert) error {
	messages := make([]*mail.Msg, len(c.To))
	for i, to := range c.To {
		var err error
		if messages[i], err = c.message(alert, to); err != nil {
			return fmt.Errorf("mail: %w", err)
		}
	}
	host, port, err := mailServer(c.Server)
	if err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	trusted, err := c.trusted()
	if err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	options := []mail.Option{
		mail.WithPort(port), mail.WithTimeout(mailTime), mail.WithTLSPolicy(mail.TLSMandatory),
		mail.WithTLSConfig(&tls.Config{ServerName: host, RootCAs: trusted, MinVersion: tls.VersionTLS12}),
	}
	const implicit = 465 // RFC 8314
	// The library leaves the connection open where the server offers no TLS or refuses the login, so it is closed here. With
	// TLS from the first byte it must dial by itself: else it would not know that the connection is encrypted.
	delivery, cancel := context.WithTimeout(ctx, mailTime)
	defer cancel()
	if port == implicit {
		options = append(options, mail.WithSSL())
	} else {
		options = append(options, mail.WithDialContextFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{Timeout: channelTime}).DialContext(ctx, network, address)
			if err == nil {
				context.AfterFunc(delivery, func() { _ = conn.Close() }) // ctx ends with the dialing
			}
			return conn, err
		}))
	}
	if c.User != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(c.User), mail.WithPassword(c.Password.Reveal()))
	}
	client, err := mail.NewClient(host, options...)
	if err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	err = client.DialAndSendWithContext(delivery, messages...)
	if err == nil {
		return nil
	}
	var refused []error
	later := false // somebody may be reached at another time: then all are told once more, rather than that one never
	for i, m := range messages {
		if m.HasSendError() {
			later = later || m.SendErrorIsTemp()
			refused = append(refused, fmt.Errorf("mail to %s: %w", c.To[i], m.SendError()))
		}
	}
	switch {
	case !later && slices.ContainsFunc(messages, (*mail.Msg).IsDelivered):
		return &partlyError{errors.Join(refused...)}
	case len(refused) > 0:
		return errors.Join(refused...)
	}
	return fmt.Errorf("mail: %w", err)
}

// mailServer splits host:port.
func mailServer(server string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(server)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(text)
	if err != nil || host == "" || port < 1 || port > 65535 {
		return "", 0, fmt.Errorf("%q is no host and port", server)
	}
	return host, port, nil
}

func (c MailConfig) message(alert pipeline.Alert, to string) (*mail.Msg, error) {
	m := mail.NewMsg()
	if err := errors.Join(m.From(c.From), m.To(to)); err != nil {
		return nil, err
	}
	m.Subject(alert.Subject)
	m.SetMessageIDWithValue(alert.ID + "@tieout")
	m.SetDateWithValue(alert.At)
	text := alert.Text
	if workbook := filepath.Join(alert.ReportDir, "tieout.xlsx"); c.Attach && alert.ReportDir != "" {
		switch info, err := os.Stat(workbook); {
		case err != nil: // formats without it
		case info.Size() > maxAttachment:
			text += fmt.Sprintf("The workbook is too large to attach: %s\n", workbook)
		default:
			m.AttachFile(workbook)
		}
	}
	m.SetBodyString(mail.TypeTextPlain, text)
	return m, nil
}

// trusted are the certificates that a mail server's must lead to; nil: the system's.
func (c MailConfig) trusted() (*x509.CertPool, error) {
	if c.CAFile == "" {
		return nil, nil //nolint:nilnil // what crypto/tls takes for the system's
	}
	text, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", c.CAFile)
	}
	return pool, nil
}
