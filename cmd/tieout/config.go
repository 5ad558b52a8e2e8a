package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"go.yaml.in/yaml/v3"

	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/pipeline/schedule"
	"github.com/tieout/tieout/reconcile"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// Config is what tieout.yaml says, checked, with every default filled in, every path made relative to the working
// directory instead of to the configuration file, and every secret read.
type Config struct {
	Path       string // of the configuration file
	Name       string // of one of several entities; empty: there is only one
	Entity     string // printed on reports; may be empty
	Zone       *time.Location
	LedgerPath string // a SQLite file, or the address of a PostgreSQL database, which may hold a password
	Reports    ReportsConfig
	Sources    []SourceConfig // in the file's order, at least one
	Fundings   []string       // glob patterns for filepath.Glob
	Checks     ChecksConfig
	Schedule   ScheduleConfig
	Queue      QueueConfig
	Notify     NotifyConfig
	Metrics    string // a file for the textfile collector of Prometheus' node exporter; empty: none
}

// ReportsConfig says where reports go and in which formats.
type ReportsConfig struct {
	Dir     string
	Formats []string // of reportFormats, in the file's order
	Ages    []int    // upper ends of the ages by which findings are counted, in days, ascending
}

// SourceConfig is one configured account at a provider.
type SourceConfig struct {
	Name              string
	Provider          schema.Provider
	BaseURL           string // without a trailing slash
	Credential        transport.Secret
	PageSize          int     // 0: the largest that each endpoint allows
	RequestsPerSecond float64 // more than 0; a rate, never money
	LookbackDays      int
	MaxRequests       int    // of one run; 0: any number
	MaxMinutes        int    // of one run; 0: any
	StartDate         string // YYYY-MM-DD in the accounting zone; empty: everything the provider gives

	AccountID, UserID string                // whop: exactly one is set
	APIVersion        string                // whop: sent as Api-Version-Date
	LegalEntity       string                // slash; may be empty
	Categories        []string              // slash
	BalanceUnit       reconcile.BalanceUnit // bitnob
}

// ChecksConfig holds the settings of the checks that have any.
type ChecksConfig struct {
	DriftTolerance decimal.Decimal            // balance-drift, in major units
	GraceDays      int                        // orphan-topup
	StaleAfterDays int                        // stale-pending
	TipPercent     int                        // limit-breach
	MaxNew         map[schema.FindingCode]int // every check: new findings that one run opens; reconcile.DefaultMaxNew where not set
}

// ScheduleConfig says when `serve` runs what.
type ScheduleConfig struct {
	Nightly string        // five cron fields, as written
	Cron    schedule.Cron // the same, read; UTC unless it says CRON_TZ=
	Jitter  time.Duration // each night begins up to this much later
}

// QueueConfig says how `serve` and `worker` share the work on ledgers in PostgreSQL.
type QueueConfig struct {
	Schema string        // of the database, in which jobs are
	Rescue time.Duration // after which the job of a worker that is gone is taken up by another
	Poll   time.Duration // from one look at what is due to the next
}

// configKeys lists every key that a configuration may have, by the mapping it stands in. A check has the keys under its
// code and those of every check.
var configKeys = map[string][]string{
	"":         {"entity", "timezone", "ledger", "reports", "sources", "fundings", "checks", "schedule", "queue", "notify", "metrics", "entities", "name"},
	"reports":  {"dir", "formats", "age_buckets"},
	"source":   {"name", "provider", "base_url", "credential", "page_size", "requests_per_second", "max_requests", "max_minutes", "lookback_days", "start_date", "account_id", "user_id", "api_version", "legal_entity", "categories", "balance_unit"},
	"secret":   {"env", "file"},
	"schedule": {"nightly", "jitter"},
	"queue":    {"schema", "rescue", "poll"},
	"notify":   {"severity", "silence_hours", "webhook", "mail"},
	"webhook":  {"url", "secret"},
	"mail":     {"server", "from", "to", "user", "password", "attach", "ca_file"},
	"metrics":  {"textfile"},

	"every check":               {"max_new"},
	string(schema.LimitBreach):  {"tip_percent"},
	string(schema.BalanceDrift): {"tolerance"},
	string(schema.OrphanTopUp):  {"grace_days"},
	string(schema.StalePending): {"after_days"},
}

// issuerKeys lists the keys of a source that only one provider has.
var issuerKeys = map[schema.Provider][]string{
	schema.Slash:  {"legal_entity", "categories"},
	schema.Whop:   {"account_id", "user_id", "api_version"},
	schema.Bitnob: {"balance_unit"},
}

var (
	reportFormats = []string{"xlsx", "csv", "html"}
	findingCodes  = []schema.FindingCode{
		schema.LimitBreach, schema.OrphanTopUp, schema.BalanceDrift, schema.UnitMismatch, schema.DuplicateEntry,
		schema.UnknownCard, schema.SpendOnClosedCard, schema.StalePending, schema.VanishedEntry, schema.RejectedRecord,
		schema.IncompleteExtract, schema.UnknownField,
	}
)

const (
	maxConfigBytes = 1 << 20
	maxPageSize    = 100 // no provider allows more; an endpoint that allows less caps it itself
	maxRate        = 10000
	maxDays        = 3660
	maxFindings    = 1_000_000 // of one code that one run opens
)

// errConfig marks an error of the configuration: exit status 2.
var errConfig = errors.New("configuration")

// configError is everything that is wrong with a configuration, by line. Its text holds no secret and no source text
// beyond short words.
type configError struct {
	path     string
	problems []configProblem
}

type configProblem struct {
	line int // 0: the file as a whole
	text string
}

func (e *configError) Error() string {
	lines := make([]string, len(e.problems))
	for i, p := range e.problems {
		where := e.path
		if p.line > 0 {
			where += ": line " + strconv.Itoa(p.line)
		}
		lines[i] = where + ": " + p.text
	}
	return strings.Join(lines, "\n")
}

func (e *configError) Is(target error) bool { return target == errConfig }

// loadConfigs reads a configuration strictly, as one Config for each entity, in the file's order: one without `entities`. All
// that is wrong comes back at once as one *configError.
func loadConfigs(path string, env func(string) (string, bool)) ([]Config, error) {
	data, err := readConfigFile(path)
	if err != nil {
		return nil, &configError{path, []configProblem{{0, err.Error()}}}
	}
	return parseConfigs(path, data, env, newSecretFiles(env).read)
}

func readConfigFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("does not exist; `tieout init` writes one")
	}
	if err != nil {
		return nil, reason(err)
	}
	defer func() { _ = f.Close() }() // only read from
	data, err := io.ReadAll(io.LimitReader(f, maxConfigBytes+1))
	if err != nil {
		return nil, reason(err)
	}
	if len(data) > maxConfigBytes {
		return nil, fmt.Errorf("is larger than %d bytes", maxConfigBytes)
	}
	return data, nil
}

// reason is the cause of a file error without the path, which its reader knows.
func reason(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("cannot be read: %w", pathErr.Err)
	}
	return fmt.Errorf("cannot be read: %w", err)
}

// configReader walks the YAML tree. It collects problems instead of stopping at the first.
type configReader struct {
	dir      string
	env      func(string) (string, bool)
	readFile func(path string) (string, error)
	problems []configProblem
}

func parseConfigs(path string, data []byte, env func(string) (string, bool), readFile func(string) (string, error)) ([]Config, error) {
	r := &configReader{dir: filepath.Dir(path), env: env, readFile: readFile}
	var all []Config
	if root := r.document(data); root != nil {
		all = r.configurations(root, path)
	}
	if len(r.problems) == 0 {
		return all, nil
	}
	slices.SortStableFunc(r.problems, func(a, b configProblem) int { return a.line - b.line })
	return nil, &configError{path, r.problems}
}

// problem notes what is wrong. What several entities have in common is read, and wrong, for each of them: it is noted once.
func (r *configReader) problem(n *yaml.Node, format string, args ...any) {
	p := configProblem{n.Line, fmt.Sprintf(format, args...)}
	if !slices.Contains(r.problems, p) {
		r.problems = append(r.problems, p)
	}
}

// document is the root of the one document that the file must hold, or nil.
func (r *configReader) document(data []byte) *yaml.Node {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		r.problem(&yaml.Node{Line: 1}, "the file is empty")
		return nil
	} else if err != nil {
		r.syntax(err)
		return nil
	}
	var second yaml.Node
	if err := dec.Decode(&second); err == nil {
		r.problem(&second, "a second document starts here; a configuration is one document")
	} else if !errors.Is(err, io.EOF) {
		r.syntax(err)
	}
	return doc.Content[0]
}

var (
	yamlLine = regexp.MustCompile(`line ([0-9]+): (.*)`)
	// plainWords is what may be repeated in a message: a key or a word, never what could be a secret.
	plainWords = regexp.MustCompile(`^[A-Za-z_][A-Za-z_/-]{0,31}$`)
)

// syntax reports an error of the YAML library. Its text is kept only where it quotes nothing.
func (r *configReader) syntax(err error) {
	line, text := 0, "not valid YAML"
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		line, _ = strconv.Atoi(m[1])
		if !strings.ContainsAny(m[2], "'\"`") {
			text += ": " + m[2]
		}
	}
	r.problems = append(r.problems, configProblem{line, text})
}

// quoted is a word for a message, or an empty string where the word could be a secret.
func quoted(s string) string {
	if !plainWords.MatchString(s) {
		return ""
	}
	return " " + strconv.Quote(s)
}

// mapping reads the keys of a mapping. kind names the list of known keys; name is what messages call the mapping.
func (r *configReader) mapping(n *yaml.Node, kind, name string) map[string]*yaml.Node {
	return r.keys(n, configKeys[kind], name, kind != "secret")
}

func (r *configReader) keys(n *yaml.Node, known []string, name string, show bool) map[string]*yaml.Node {
	if n.Kind != yaml.MappingNode {
		r.problem(n, "%s must be a mapping of keys to values", name)
		return nil
	}
	found := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode || !slices.Contains(known, key.Value):
			word := ""
			if show {
				word = quoted(key.Value)
			}
			r.problem(key, "unknown key%s in %s; known: %s", word, name, strings.Join(known, ", "))
		case found[key.Value] != nil:
			r.problem(key, "%s is given twice; first in line %d", key.Value, found[key.Value].Line)
		default:
			found[key.Value] = value
		}
	}
	return found
}

// isNull says whether a key was given without a value.
func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func isEmptyList(n *yaml.Node) bool { return n.Kind == yaml.SequenceNode && len(n.Content) == 0 }

// text reads a scalar that must not be empty.
func (r *configReader) text(n *yaml.Node, name string) (string, bool) {
	switch {
	case n.Kind == yaml.AliasNode:
		r.problem(n, "%s: aliases are not supported", name)
	case n.Kind != yaml.ScalarNode:
		r.problem(n, "%s must be a single value", name)
	case n.Style&yaml.TaggedStyle != 0:
		r.problem(n, "%s: tags are not supported", name)
	case isNull(n) || strings.TrimSpace(n.Value) == "":
		r.problem(n, "%s is empty", name)
	case strings.ContainsFunc(n.Value, func(c rune) bool { return c < ' ' || c == 0x7f }):
		r.problem(n, "%s holds a control character", name)
	default:
		return n.Value, true
	}
	return "", false
}

// list reads a sequence of at least one text, each once.
func (r *configReader) list(n *yaml.Node, name string, each func(n *yaml.Node, s string) bool) []string {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		r.problem(n, "%s must be a list of at least one value", name)
		return nil
	}
	var all []string
	for _, item := range n.Content {
		s, ok := r.text(item, name)
		switch {
		case !ok || !each(item, s):
		case slices.Contains(all, s):
			r.problem(item, "%s: the same value is given twice", name)
		default:
			all = append(all, s)
		}
	}
	return all
}

// oneOf is a check for list.
func (r *configReader) oneOf(name string, known []string) func(*yaml.Node, string) bool {
	return func(n *yaml.Node, s string) bool {
		if slices.Contains(known, s) {
			return true
		}
		r.problem(n, "%s:%s is not one of %s", name, quoted(s), strings.Join(known, ", "))
		return false
	}
}

var wholeNumber = regexp.MustCompile(`^(?:0|[1-9][0-9]{0,8})$`)

// number reads a whole number between two bounds.
func (r *configReader) number(n *yaml.Node, name string, low, high int) (int, bool) {
	s, ok := r.text(n, name)
	if !ok {
		return 0, false
	}
	i, err := strconv.Atoi(s)
	if !wholeNumber.MatchString(s) || err != nil || i < low || i > high {
		r.problem(n, "%s must be a whole number from %d to %d", name, low, high)
		return 0, false
	}
	return i, true
}

// under resolves a path of the configuration against the folder that the configuration is in.
func (r *configReader) under(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(r.dir, path)
}

func (r *configReader) config(root *yaml.Node, cfg *Config) {
	cfg.LedgerPath = r.under("tieout.db")
	cfg.Reports = ReportsConfig{Dir: r.under("reports"), Formats: slices.Clone(reportFormats), Ages: []int{30, 60, 90, 180}}
	cfg.Notify.Severity, cfg.Notify.Silence = defaultSeverity, defaultSilence // `status` speaks of silence without a channel, too
	cfg.Checks = ChecksConfig{GraceDays: 3, StaleAfterDays: 10, TipPercent: 20}
	cfg.Schedule.Nightly = "0 7 * * *"
	cfg.Schedule.Cron, _ = schedule.ParseCron(cfg.Schedule.Nightly)

	cfg.Queue = QueueConfig{Schema: ledger.QueueSchema, Rescue: 5 * time.Minute, Poll: 15 * time.Second}

	keys := r.mapping(root, "", "the configuration")
	if keys == nil {
		return
	}
	if n := keys["entities"]; n != nil {
		r.problem(n, "an entity has no entities")
	}
	if n := keys["name"]; n != nil {
		r.named(n, cfg)
	}
	if n := keys["entity"]; n != nil {
		cfg.Entity, _ = r.text(n, "entity")
	}
	if n := keys["timezone"]; n != nil {
		cfg.Zone = r.zone(n)
	} else {
		r.problem(root, "timezone is missing; it decides on which day an entry falls, such as America/New_York or UTC")
	}
	if n := keys["ledger"]; n != nil {
		r.ledger(n, cfg)
	}
	if n := keys["reports"]; n != nil && !isNull(n) {
		r.reports(n, cfg)
	}
	if n := keys["sources"]; n != nil {
		r.sources(n, cfg)
	} else {
		r.problem(root, "sources is missing; it lists the accounts to read")
	}
	if n := keys["fundings"]; n != nil && !isNull(n) && !isEmptyList(n) {
		for _, pattern := range r.list(n, "fundings", r.pattern) {
			cfg.Fundings = append(cfg.Fundings, r.underPattern(pattern))
		}
	}
	if n := keys["checks"]; n != nil && !isNull(n) {
		r.checks(n, cfg)
	}
	if n := keys["schedule"]; n != nil && !isNull(n) {
		r.schedule(n, cfg)
	}
	if n := keys["queue"]; n != nil && !isNull(n) {
		r.queue(n, cfg)
	}
	if n := keys["notify"]; n != nil && !isNull(n) {
		r.notify(n, cfg)
	}
	if n := keys["metrics"]; n != nil {
		r.metrics(n, cfg)
	}
}

func (r *configReader) metrics(n *yaml.Node, cfg *Config) {
	file := r.mapping(n, "metrics", "metrics")["textfile"]
	if file == nil {
		r.problem(n, "metrics needs a textfile")
		return
	}
	path, ok := r.text(file, "metrics.textfile")
	switch {
	case !ok:
	case filepath.Ext(path) != ".prom":
		r.problem(file, "metrics.textfile must end in .prom: the textfile collector reads no other file")
	default:
		cfg.Metrics = r.under(path)
	}
}

func (r *configReader) zone(n *yaml.Node) *time.Location {
	name, ok := r.text(n, "timezone")
	if !ok {
		return nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		r.problem(n, "timezone%s is not an IANA time zone such as America/New_York or UTC", quoted(name))
		return nil
	}
	return zone
}

func (r *configReader) ledger(n *yaml.Node, cfg *Config) {
	var path string
	var ok bool
	if n.Kind == yaml.MappingNode {
		var s transport.Secret
		s, ok = r.secret(n, "ledger")
		path = s.Reveal()
	} else {
		path, ok = r.text(n, "ledger")
	}
	switch {
	case !ok:
	case ledger.IsPostgres(path):
		if err := ledger.CheckAddress(path); err != nil {
			r.problem(n, "%v", err)
		}
		cfg.LedgerPath = path
	case strings.Contains(path, "://") || strings.HasPrefix(path, "file:") || strings.HasPrefix(path, ":"):
		r.problem(n, "ledger must be the path of a SQLite file, or postgres://USER@HOST/DATABASE")
	default:
		cfg.LedgerPath = r.under(path)
	}
}

func (r *configReader) reports(n *yaml.Node, cfg *Config) {
	keys := r.mapping(n, "reports", "reports")
	if n := keys["dir"]; n != nil {
		if dir, ok := r.text(n, "reports.dir"); ok {
			cfg.Reports.Dir = r.under(dir)
		}
	}
	if n := keys["formats"]; n != nil {
		cfg.Reports.Formats = r.list(n, "reports.formats", r.oneOf("reports.formats", reportFormats))
	}
	if n := keys["age_buckets"]; n != nil {
		cfg.Reports.Ages = r.ages(n)
	}
}

// mostAges is how many ages fit side by side on the Summary.
const mostAges = 7

// ages reads the upper ends of ages, each above the one before.
func (r *configReader) ages(n *yaml.Node) []int {
	var ages []int
	r.list(n, "reports.age_buckets", func(n *yaml.Node, _ string) bool {
		days, ok := r.number(n, "reports.age_buckets", 1, 3650)
		if !ok {
			return false
		}
		if len(ages) > 0 && days <= ages[len(ages)-1] || len(ages) == mostAges {
			r.problem(n, "reports.age_buckets must be at most %d numbers of days, each greater than the one before", mostAges)
			return false
		}
		ages = append(ages, days)
		return true
	})
	return ages
}

func (r *configReader) pattern(n *yaml.Node, s string) bool {
	if _, err := filepath.Match(s, ""); err != nil {
		r.problem(n, "fundings: not a valid file pattern")
		return false
	}
	return true
}

// underPattern is under for a glob pattern: what is special in a pattern is not special in the folder's own name.
func (r *configReader) underPattern(pattern string) string {
	if filepath.IsAbs(pattern) || runtime.GOOS == "windows" { // Windows patterns have no escapes
		return r.under(pattern)
	}
	escape := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)
	return filepath.Join(escape.Replace(r.dir), pattern)
}

func (r *configReader) checks(n *yaml.Node, cfg *Config) {
	codes := make([]string, len(findingCodes))
	for i, c := range findingCodes {
		codes[i] = string(c)
	}
	checks := r.keys(n, codes, "checks", true)
	for _, code := range codes {
		n := checks[code]
		if n == nil || isNull(n) {
			continue
		}
		keys := r.keys(n, slices.Concat(configKeys[code], configKeys["every check"]), "checks."+code, true)
		if n := keys["max_new"]; n != nil {
			if limit, ok := r.number(n, "max_new", 1, maxFindings); ok {
				if cfg.Checks.MaxNew == nil {
					cfg.Checks.MaxNew = map[schema.FindingCode]int{}
				}
				cfg.Checks.MaxNew[schema.FindingCode(code)] = limit
			}
		}
		if n := keys["tolerance"]; n != nil {
			r.tolerance(n, cfg)
		}
		if n := keys["grace_days"]; n != nil {
			cfg.Checks.GraceDays, _ = r.number(n, "grace_days", 0, maxDays)
		}
		if n := keys["tip_percent"]; n != nil {
			cfg.Checks.TipPercent, _ = r.number(n, "tip_percent", 0, 100)
		}
		if n := keys["after_days"]; n != nil {
			cfg.Checks.StaleAfterDays, _ = r.number(n, "after_days", 1, maxDays)
		}
	}
}

var plainDecimal = regexp.MustCompile(`^(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,4})?$`)

func (r *configReader) tolerance(n *yaml.Node, cfg *Config) {
	s, ok := r.text(n, "tolerance")
	if !ok {
		return
	}
	d, err := decimal.NewFromString(s)
	if !plainDecimal.MatchString(s) || err != nil {
		r.problem(n, `tolerance must be an amount in major units that is not negative, such as "0.00"`)
		return
	}
	cfg.Checks.DriftTolerance = d
}

func (r *configReader) schedule(n *yaml.Node, cfg *Config) {
	keys := r.mapping(n, "schedule", "schedule")
	if n := keys["nightly"]; n != nil {
		if s, ok := r.text(n, "schedule.nightly"); ok {
			line, err := schedule.ParseCron(s)
			if err != nil {
				r.problem(n, "schedule.nightly: %v", err)
			}
			cfg.Schedule.Nightly, cfg.Schedule.Cron = s, line
		}
	}
	if n := keys["jitter"]; n != nil {
		if s, ok := r.text(n, "schedule.jitter"); ok {
			d, err := time.ParseDuration(s)
			if err != nil || d < 0 || d > 12*time.Hour {
				r.problem(n, "schedule.jitter must be a length of time of at most 12h, such as 10m")
			}
			cfg.Schedule.Jitter = d
			if line := cfg.Schedule.Cron; err == nil && line != (schedule.Cron{}) && d >= line.Shortest() {
				r.problem(n, "schedule.jitter is %s, and schedule.nightly fires every %s: the jitter must be less, else nights are left out", d, line.Shortest())
			}
		}
	}
}

func (r *configReader) queue(n *yaml.Node, cfg *Config) {
	keys := r.mapping(n, "queue", "queue")
	if n := keys["schema"]; n != nil {
		if s, ok := r.text(n, "queue.schema"); ok {
			if err := ledger.CheckSchema(s); err != nil {
				r.problem(n, "queue.schema %v", err)
			}
			cfg.Queue.Schema = s
		}
	}
	length := func(key string, least, most time.Duration, into *time.Duration) {
		n := keys[key]
		if n == nil {
			return
		}
		if s, ok := r.text(n, "queue."+key); ok {
			d, err := time.ParseDuration(s)
			if err != nil || d < least || d > most {
				r.problem(n, "queue.%s must be a length of time from %s to %s, such as %s", key, least, most, *into)
			}
			*into = d
		}
	}
	length("rescue", 5*time.Second, time.Hour, &cfg.Queue.Rescue)
	length("poll", time.Second, time.Hour, &cfg.Queue.Poll)
}

func (r *configReader) notify(n *yaml.Node, cfg *Config) {
	keys := r.mapping(n, "notify", "notify")
	if n := keys["severity"]; n != nil {
		if s, ok := r.text(n, "notify.severity"); ok && r.oneOf("notify.severity", []string{"low", "medium", "high"})(n, s) {
			cfg.Notify.Severity = schema.Severity(s)
		}
	}
	if n := keys["silence_hours"]; n != nil {
		if hours, ok := r.number(n, "notify.silence_hours", 1, 24*365); ok {
			cfg.Notify.Silence = time.Duration(hours) * time.Hour
		}
	}
	if n := keys["webhook"]; n != nil {
		cfg.Notify.Webhook = r.webhook(n)
	}
	if n := keys["mail"]; n != nil {
		cfg.Notify.Mail = r.mail(n)
	}
}

func (r *configReader) webhook(n *yaml.Node) (c WebhookConfig) {
	keys := r.mapping(n, "webhook", "notify.webhook")
	if keys["secret"] != nil {
		var ok bool
		if c.Secret, ok = r.secret(keys["secret"], "notify.webhook.secret"); ok {
			if _, err := signingKey(c.Secret); err != nil {
				r.problem(keys["secret"], "notify.webhook.secret %v", err)
			}
		}
	}
	address := keys["url"]
	if address == nil {
		r.problem(n, "notify.webhook needs a url")
		return c
	}
	s, ok := r.secret(address, "notify.webhook.url")
	if !ok {
		return c
	}
	if err := checkURL(s.Reveal(), true); err != nil {
		r.problem(address, "notify.webhook.url %v", err)
		return c
	}
	c.URL = s
	return c
}

func (r *configReader) mail(n *yaml.Node) MailConfig {
	keys := r.mapping(n, "mail", "notify.mail")
	c := MailConfig{Attach: true}
	for _, need := range []string{"server", "from", "to"} {
		if keys[need] == nil {
			r.problem(n, "notify.mail needs server, from and to")
			return c
		}
	}
	c.Server, _ = r.text(keys["server"], "notify.mail.server")
	if _, _, err := mailServer(c.Server); c.Server != "" && err != nil {
		r.problem(keys["server"], "notify.mail.server must be a host and a port, such as smtp.example.com:587")
	}
	address := func(n *yaml.Node, s string) bool {
		if _, err := mail.ParseAddress(s); err != nil {
			r.problem(n, "notify.mail: not an address of mail")
			return false
		}
		return true
	}
	if s, ok := r.text(keys["from"], "notify.mail.from"); ok && address(keys["from"], s) {
		c.From = s
	}
	c.To = r.list(keys["to"], "notify.mail.to", address)
	if n := keys["user"]; n != nil {
		c.User, _ = r.text(n, "notify.mail.user")
	}
	if n := keys["password"]; n != nil {
		c.Password, _ = r.secret(n, "notify.mail.password")
	}
	if (keys["user"] == nil) != (keys["password"] == nil) {
		r.problem(n, "notify.mail needs user and password, or neither")
	}
	if n := keys["attach"]; n != nil {
		if s, ok := r.text(n, "notify.mail.attach"); ok && r.oneOf("notify.mail.attach", []string{"true", "false"})(n, s) {
			c.Attach = s == "true"
		}
	}
	if n := keys["ca_file"]; n != nil {
		if s, ok := r.text(n, "notify.mail.ca_file"); ok {
			c.CAFile = r.under(s)
		}
	}
	return c
}

// checkURL accepts an absolute https URL, and http for loopback only. It never repeats the URL.
func checkURL(s string, query bool) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "" {
		return errors.New("must be an absolute URL that starts with https://")
	}
	switch {
	case u.User != nil:
		return errors.New("must hold no user name or password")
	case u.Fragment != "" || (!query && (u.RawQuery != "" || u.ForceQuery)):
		return errors.New("must have no query and no fragment")
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	case u.Scheme == "http":
		return errors.New("is plain HTTP, which is accepted for loopback only; use https")
	}
	return errors.New("must be an absolute URL that starts with https://")
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && addr.Unmap().IsLoopback())
}
