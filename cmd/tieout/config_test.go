package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tieout/tieout/extract/bill"
	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/extract/whop"
	"github.com/tieout/tieout/pipeline/schedule"
	"github.com/tieout/tieout/reconcile"
	"github.com/tieout/tieout/schema"
)

const planted = "sk_live_5f0c9d"

// signing is a secret of Standard Webhooks: 24 bytes.
const signing = "whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldY"

func testEnv(name string) (string, bool) {
	v, ok := map[string]string{
		"KEY":          planted + "\n",
		"EMPTY":        "",
		"BLANK":        " \n",
		"TWO_LINES":    planted + "\n" + planted,
		"SPACED":       "Bearer " + planted,
		"LEDGER":       "books/ledger.db",
		"PG":           "postgres://u:" + planted + "@db/tieout",
		"PG_BAD":       "postgres://u:" + planted + "@db:port/tieout",
		"HOOK":         "https://hooks.example.com/?token=" + planted,
		"SIGNING":      signing,
		"HOOK_PLAIN":   "http://hooks.example.com/" + planted,
		"HOOK_NOT_URL": planted,
	}[name]
	return v, ok
}

// testFiles stands for the file system: the folder "conf" holds the configuration.
func testFiles(path string) (string, error) {
	switch filepath.ToSlash(path) {
	case "conf/key", "/etc/key":
		return planted + "\r\n", nil
	case "conf/open":
		return "", errors.New("is open to group or others (mode 0644); chmod 600 it")
	}
	return "", errors.New("does not exist")
}

func parse(text string) (Config, error) {
	return parseOne("conf/tieout.yaml", []byte(text), testEnv, testFiles)
}

const minimal = `timezone: UTC
sources:
  - name: a
    provider: bill
    credential: {env: KEY}
`

func TestParseConfig_Defaults(t *testing.T) {
	cfg, err := parse(minimal)
	if err != nil {
		t.Fatal(err)
	}
	if !cfg.Schedule.Cron.Next(time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)).Equal(time.Date(2026, 8, 2, 7, 0, 0, 0, time.UTC)) {
		t.Error("nightly is not 07:00 UTC")
	}
	want := Config{
		Path:       "conf/tieout.yaml",
		Zone:       time.UTC,
		LedgerPath: filepath.Join("conf", "tieout.db"),
		Reports:    ReportsConfig{filepath.Join("conf", "reports"), []string{"xlsx", "csv", "html"}, []int{30, 60, 90, 180}},
		Sources: []SourceConfig{{
			Name: "a", Provider: schema.Bill, BaseURL: "https://gateway.prod.bill.com/connect",
			Credential: transport.NewSecret(planted), RequestsPerSecond: bill.Issuer().RequestsPerSecond, LookbackDays: 35,
		}},
		Checks:   ChecksConfig{GraceDays: 3, StaleAfterDays: 10, TipPercent: 20},
		Schedule: ScheduleConfig{Nightly: "0 7 * * *"},
		Queue:    QueueConfig{Schema: "tieout_queue", Rescue: 5 * time.Minute, Poll: 15 * time.Second},
		Notify:   NotifyConfig{Severity: schema.Medium, Silence: 36 * time.Hour},
	}
	if diff := cmp.Diff(want, cfg, cmpopts.IgnoreTypes(schedule.Cron{}), cmp.AllowUnexported(transport.Secret{}), cmp.Comparer(sameZone)); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func sameZone(a, b *time.Location) bool { return a.String() == b.String() }

func TestParseConfig_Everything(t *testing.T) {
	cfg, err := parse(`
entity: Acme Inc.
timezone: America/New_York
ledger: {env: LEDGER}
reports: {dir: /srv/reports, formats: [csv], age_buckets: [7, 30]}
sources:
  - {name: bill-main, provider: bill, base_url: "http://127.0.0.1:8080/bill/", credential: {file: key}, page_size: 50,
     requests_per_second: 0.5, lookback_days: 0, start_date: 2026-01-01}
  - {name: whop.main, provider: whop, account_id: biz_1, api_version: 2026-07-08-1, credential: {file: /etc/key}}
  - {name: whop_user, provider: whop, user_id: user_1, credential: {env: KEY}}
  - {name: slash-main, provider: slash, legal_entity: le_1, categories: [fee, wire], credential: {env: KEY}}
  - {name: bitnob-main, provider: bitnob, balance_unit: minor, credential: {env: KEY}}
fundings: ["fundings/*.csv", /srv/top-ups.xlsx]
checks:
  balance-drift: {tolerance: 0.05}
  orphan-topup: {grace_days: 0}
  stale-pending: {after_days: 1}
  limit-breach: {tip_percent: 0, max_new: 50}
  unknown-card:
schedule: {nightly: "CRON_TZ=America/New_York  30 2 * * 1-5"}
notify:
  severity: low
  silence_hours: 12
  webhook: {url: {env: HOOK}, secret: {env: SIGNING}}
  mail: {server: "smtp.example.com:587", from: tieout@example.com, to: [ann@example.com], user: tieout, password: {env: KEY}, attach: false, ca_file: own.pem}
metrics: {textfile: /srv/tieout.prom}
`)
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.Schedule.Cron.Next(time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)); !got.Equal(time.Date(2026, 7, 1, 6, 30, 0, 0, time.UTC)) {
		t.Errorf("nightly after 1 July: %v", got)
	}
	if got := cfg.Checks.DriftTolerance.StringFixed(2); got != "0.05" {
		t.Errorf("tolerance %s", got)
	}
	if got := cfg.Notify.Webhook.URL.Reveal(); got != "https://hooks.example.com/?token="+planted {
		t.Errorf("webhook %q", got)
	}
	cfg.Checks.DriftTolerance = ChecksConfig{}.DriftTolerance
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Path: "conf/tieout.yaml", Entity: "Acme Inc.", Zone: newYork,
		LedgerPath: filepath.FromSlash("conf/books/ledger.db"),
		Reports:    ReportsConfig{filepath.FromSlash("/srv/reports"), []string{"csv"}, []int{7, 30}},
		Sources: []SourceConfig{
			{Name: "bill-main", Provider: schema.Bill, BaseURL: "http://127.0.0.1:8080/bill", Credential: transport.NewSecret(planted), PageSize: 50, RequestsPerSecond: 0.5, StartDate: "2026-01-01"},
			{Name: "whop.main", Provider: schema.Whop, BaseURL: "https://api.whop.com/api/v1", Credential: transport.NewSecret(planted), RequestsPerSecond: whop.Issuer().RequestsPerSecond, LookbackDays: 35, AccountID: "biz_1", APIVersion: "2026-07-08-1"},
			{Name: "whop_user", Provider: schema.Whop, BaseURL: "https://api.whop.com/api/v1", Credential: transport.NewSecret(planted), RequestsPerSecond: whop.Issuer().RequestsPerSecond, LookbackDays: 35, UserID: "user_1", APIVersion: whop.DefaultAPIVersion},
			{Name: "slash-main", Provider: schema.Slash, BaseURL: "https://api.slash.com", Credential: transport.NewSecret(planted), RequestsPerSecond: 2, LookbackDays: 35, LegalEntity: "le_1", Categories: []string{"fee", "wire"}},
			{Name: "bitnob-main", Provider: schema.Bitnob, BaseURL: "https://api.bitnob.co/api/v1", Credential: transport.NewSecret(planted), RequestsPerSecond: 1, LookbackDays: 35, BalanceUnit: reconcile.MinorUnit},
		},
		Fundings: []string{filepath.FromSlash("conf/fundings/*.csv"), filepath.FromSlash("/srv/top-ups.xlsx")},
		Checks:   ChecksConfig{GraceDays: 0, StaleAfterDays: 1, TipPercent: 0, MaxNew: map[schema.FindingCode]int{schema.LimitBreach: 50}},
		Schedule: ScheduleConfig{Nightly: "CRON_TZ=America/New_York  30 2 * * 1-5"},
		Queue:    QueueConfig{Schema: "tieout_queue", Rescue: 5 * time.Minute, Poll: 15 * time.Second},
		Notify: NotifyConfig{
			Severity: schema.Low, Silence: 12 * time.Hour,
			Webhook: WebhookConfig{URL: transport.NewSecret("https://hooks.example.com/?token=" + planted), Secret: transport.NewSecret(signing)},
			Mail: MailConfig{
				Server: "smtp.example.com:587", From: "tieout@example.com", To: []string{"ann@example.com"}, User: "tieout",
				Password: transport.NewSecret(planted), CAFile: filepath.FromSlash("conf/own.pem"),
			},
		},
		Metrics: filepath.FromSlash("/srv/tieout.prom"),
	}
	if diff := cmp.Diff(want, cfg, cmpopts.IgnoreTypes(schedule.Cron{}), cmp.AllowUnexported(transport.Secret{}), cmp.Comparer(sameZone)); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

// source is a configuration whose only source has these lines; the first of them is line 6.
func source(lines ...string) string {
	return minimal + "    " + strings.Join(lines, "\n    ") + "\n"
}

func as(provider string, lines ...string) string {
	return strings.Replace(source(lines...), "provider: bill", "provider: "+provider, 1)
}

func TestParseConfig_Refuses(t *testing.T) {
	credential := func(value string) string {
		return strings.Replace(minimal, "{env: KEY}", value, 1)
	}
	tests := []struct{ name, text, want string }{
		{"AnEmptyFile", "", "line 1: the file is empty"},
		{"CommentsAlone", "# nothing\n", "line 1: the file is empty"},
		{"AnEmptyDocument", "---\n", "the configuration must be a mapping"},
		{"AList", "- a\n", "line 1: the configuration must be a mapping"},
		{"BrokenSyntax", minimal + "x: [\n", "not valid YAML"},
		{"ASecondDocument", minimal + "---\nentity: B\n", "line 6: a second document starts here"},
		{"AnEmptySecondDocument", minimal + "---\n", "a second document starts here"},
		{"ABrokenSecondDocument", minimal + "---\nx: [\n", "not valid YAML"},
		{"AnUnknownKey", minimal + "ledgr: x\n", `line 6: unknown key "ledgr" in the configuration; known: entity, timezone`},
		{"AnUnknownKeyOfASource", source("rat: 1"), `line 6: unknown key "rat" in sources[0]; known: name`},
		{"AnUnknownKeyOfReports", minimal + "reports: {folder: x}\n", `line 6: unknown key "folder" in reports`},
		{"AnUnknownKeyOfSchedule", minimal + "schedule: {daily: x}\n", `line 6: unknown key "daily" in schedule`},
		{"MetricsWithoutAFile", minimal + "metrics: {}\n", "line 6: metrics needs a textfile"},
		{"MetricsInAFileThatIsNotCollected", minimal + "metrics: {textfile: tieout.txt}\n", "line 6: metrics.textfile must end in .prom"},
		{"AnUnknownKeyOfNotify", minimal + "notify: {pager: x}\n", `line 6: unknown key "pager" in notify`},
		{"ASeverityThatIsNone", minimal + "notify: {severity: grave}\n", "line 6: notify.severity"},
		{"ASilenceOfNoHours", minimal + "notify: {silence_hours: 0}\n", "line 6: notify.silence_hours must be a whole number from 1 to 8760"},
		{"MailToNobody", minimal + "notify: {mail: {server: 'a:25', from: a@example.com}}\n", "line 6: notify.mail needs server, from and to"},
		{"AMailServerWithoutAPort", minimal + "notify: {mail: {server: smtp.example.com, from: a@example.com, to: [b@example.com]}}\n", "line 6: notify.mail.server must be a host and a port"},
		{"AnAddressThatIsNone", minimal + "notify: {mail: {server: 'a:25', from: a@example.com, to: [nobody]}}\n", "line 6: notify.mail: not an address of mail"},
		{"AMailUserWithoutAPassword", minimal + "notify: {mail: {server: 'a:25', from: a@example.com, to: [b@example.com], user: a}}\n", "line 6: notify.mail needs user and password, or neither"},
		{"AnInlineMailPassword", minimal + "notify: {mail: {server: 'a:25', from: a@example.com, to: [b@example.com], user: a, password: " + planted + "}}\n", "line 6: notify.mail.password must not be written here"},
		{"AnUnknownKeyOfACheck", minimal + "checks:\n  limit-breach: {tolerance: 1}\n", `line 7: unknown key "tolerance" in checks.limit-breach`},
		{"AnUnknownCheck", minimal + "checks:\n  balance_drift: {}\n", `line 7: unknown key "balance_drift" in checks`},
		{"AMergeKey", minimal + "<<: {entity: x}\n", "line 6: unknown key in the configuration"},
		{"ADuplicateKey", minimal + "timezone: UTC\n", "line 6: timezone is given twice; first in line 1"},
		{"ADuplicateKeyOfASource", source("name: b"), "line 6: name is given twice; first in line 3"},
		{"ADuplicateCheck", minimal + "checks:\n  limit-breach: {}\n  limit-breach: {}\n", "line 8: limit-breach is given twice"},
		{"AnAlias", "entity: &x Acme\n" + minimal + "ledger: *x\n", "line 7: ledger: aliases are not supported"},
		{"AnUnknownAlias", minimal + "ledger: *" + planted + "\n", "not valid YAML"},
		{"ATag", minimal + "entity: !!binary QWNtZQ==\n", "line 6: entity: tags are not supported"},
		{"AValueWithoutText", minimal + "entity:\n", "line 6: entity is empty"},
		{"AControlCharacter", minimal + `entity: "a\nb"` + "\n", "line 6: entity holds a control character"},

		{"NoTimezone", strings.Replace(minimal, "timezone: UTC", "entity: A", 1), "line 1: timezone is missing"},
		{"AnUnknownTimezone", "timezone: Amerca/New_York\n", `line 1: timezone "Amerca/New_York" is not an IANA time zone`},
		{"TheMachinesTimezone", "timezone: Local\n", `line 1: timezone "Local" is not`},
		{"APathAsTimezone", "timezone: ../UTC\n", "line 1: timezone is not an IANA"},

		{"APostgresLedgerOfNoAddress", minimal + "ledger: postgres://u:" + planted + "%zz@db/x\n", "line 6: the address of the ledger cannot be read: it is postgres://USER@HOST:PORT/DATABASE"},
		{"APostgresLedgerFromAVariable", minimal + "ledger: {env: PG_BAD}\n", "line 6: the address of the ledger cannot be read"},
		{"ALedgerInMemory", minimal + "ledger: \":memory:\"\n", "line 6: ledger must be the path of a SQLite file"},
		{"ALedgerOfAnotherKind", minimal + "ledger: mysql://db/x\n", "line 6: ledger must be the path of a SQLite file"},
		{"AnUnsetLedgerVariable", minimal + "ledger: {env: MISSING}\n", "line 6: ledger: the environment variable MISSING is not set"},

		{"AnUnknownFormat", minimal + "reports: {formats: [xlsx, pdf]}\n", `line 6: reports.formats: "pdf" is not one of xlsx, csv, html`},
		{"NoFormat", minimal + "reports: {formats: []}\n", "line 6: reports.formats must be a list of at least one value"},
		{"AnAgeThatIsNotAboveTheOneBefore", minimal + "reports: {age_buckets: [30, 20]}\n", "line 6: reports.age_buckets must be at most 7 numbers of days, each greater than the one before"},
		{"AnAgeOfNoDays", minimal + "reports: {age_buckets: [0, 20]}\n", "line 6: reports.age_buckets must be a whole number from 1 to 3650"},
		{"TooManyAges", minimal + "reports: {age_buckets: [1, 2, 3, 4, 5, 6, 7, 8]}\n", "line 6: reports.age_buckets must be at most 7 numbers of days, each greater than the one before"},
		{"AFormatTwice", minimal + "reports: {formats: [csv, csv]}\n", "line 6: reports.formats: the same value is given twice"},

		{"NoSourcesKey", "timezone: UTC\n", "line 1: sources is missing"},
		{"NoSources", "timezone: UTC\nsources: []\n", "line 2: sources must be a list of at least one source"},
		{"ASourceThatIsText", "timezone: UTC\nsources:\n  - " + planted + "\n", "line 3: sources[0] must be a mapping"},
		{"ASourceWithoutName", "timezone: UTC\nsources:\n  - provider: bill\n    credential: {env: KEY}\n", "line 3: sources[0] has no name"},
		{"ASourceWithoutProvider", "timezone: UTC\nsources:\n  - name: a\n    credential: {env: KEY}\n", "line 3: a has no provider"},
		{"ASourceWithoutCredential", "timezone: UTC\nsources:\n  - name: a\n    provider: bill\n", "line 3: a has no credential"},
		{"ANameThatIsAPath", strings.Replace(minimal, "name: a", "name: ../a", 1), "line 3: sources[0]: name must be letters"},
		{"AnEmptyName", strings.Replace(minimal, "name: a", `name: ""`, 1), "line 3: sources[0]: name is empty"},
		{"ANameTwice", minimal + "  - {name: a, provider: bill, credential: {env: KEY}}\n", `line 6: source name "a" is used twice; first in line 3`},
		{"ANameTwiceInOtherCase", minimal + "  - {name: A, provider: bill, credential: {env: KEY}}\n", `line 6: source name "A" is used twice; first in line 3`},
		{"AnUnknownProvider", as("stripe"), `line 4: a: provider: "stripe" is not one of bill, slash, whop, bitnob`},

		{"AnInlineCredential", credential(planted), "line 5: a: credential must not be written here; use {env: NAME} or {file: PATH}"},
		{"AnInlineCredentialAsKey", credential("{" + planted + "}"), "line 5: unknown key in a: credential; known: env, file"},
		{"AnInlineCredentialInAMapping", credential("{value: " + planted + "}"), "line 5: unknown key in a: credential"},
		{"AnEmptyCredential", credential("{}"), "line 5: a: credential needs exactly one of env and file"},
		{"EnvAndFile", credential("{env: KEY, file: key}"), "line 5: a: credential needs exactly one of env and file"},
		{"AnUnsetVariable", credential("{env: MISSING}"), "line 5: a: credential: the environment variable MISSING is not set"},
		{"AKeyWhereAVariableIsNamed", credential("{env: " + planted + "}"), "line 5: a: credential: the environment variable named here is not set"},
		{"AVariableThatIsNoName", credential("{env: $KEY}"), "line 5: a: credential: env must be the name of an environment variable"},
		{"AnEmptyVariable", credential("{env: EMPTY}"), "line 5: a: credential: the value is empty"},
		{"ABlankVariable", credential("{env: BLANK}"), "line 5: a: credential: the value is empty"},
		{"ASecretOfTwoLines", credential("{env: TWO_LINES}"), "line 5: a: credential: the value holds a line break"},
		{"ASecretWithASpace", credential("{env: SPACED}"), "line 5: a: credential: the value holds a space"},
		{"AMissingSecretFile", credential("{file: " + planted + "}"), "line 5: a: credential: the file named here does not exist"},
		{"AnOpenSecretFile", credential("{file: open}"), "line 5: a: credential: the file named here is open to group or others (mode 0644)"},

		{"PlainHTTP", source("base_url: http://api.example.com"), "line 6: a: base_url is plain HTTP"},
		{"PlainHTTPThatLooksLocal", source("base_url: http://127.0.0.1.example.com"), "line 6: a: base_url is plain HTTP"},
		{"PlainHTTPToAPrivateHost", source("base_url: http://10.0.0.1"), "line 6: a: base_url is plain HTTP"},
		{"AnotherScheme", source("base_url: ftp://127.0.0.1"), "line 6: a: base_url must be an absolute URL"},
		{"ARelativeURL", source("base_url: /v1"), "line 6: a: base_url must be an absolute URL"},
		{"AURLWithoutHost", source("base_url: https://:443/v1"), "line 6: a: base_url must be an absolute URL"},
		{"APasswordInAURL", source("base_url: https://u:" + planted + "@api.example.com"), "line 6: a: base_url must hold no user name"},
		{"AQueryInABaseURL", source("base_url: https://api.example.com?key=" + planted), "line 6: a: base_url must have no query"},

		{"APageSizeOfZero", source("page_size: 0"), "line 6: a: page_size must be a whole number from 1 to 100"},
		{"APageSizeAboveTheLargest", source("page_size: 101"), "line 6: a: page_size must be"},
		{"APageSizeInHex", source("page_size: 0x10"), "line 6: a: page_size must be"},
		{"APageSizeInOctal", source("page_size: 010"), "line 6: a: page_size must be"},
		{"ANegativeLookback", source("lookback_days: -1"), "line 6: a: lookback_days must be a whole number from 0"},
		{"ALookbackOfAThousandYears", source("lookback_days: 365000"), "line 6: a: lookback_days must be"},
		{"ARateOfZero", source("requests_per_second: 0"), "line 6: a: requests_per_second must be a decimal number above 0"},
		{"ARateOfZeroInDecimals", source("requests_per_second: 0.0"), "line 6: a: requests_per_second must be"},
		{"ANegativeRate", source("requests_per_second: -1"), "line 6: a: requests_per_second must be"},
		{"ARateWithoutBounds", source("requests_per_second: .inf"), "line 6: a: requests_per_second must be"},
		{"ARateThatIsNoNumber", source("requests_per_second: .nan"), "line 6: a: requests_per_second must be"},
		{"ARateWithAnExponent", source("requests_per_second: 1e3"), "line 6: a: requests_per_second must be"},
		{"ARateTooHigh", source("requests_per_second: 10001"), "line 6: a: requests_per_second must be"},
		{"ADateThatDoesNotExist", source("start_date: 2026-02-30"), "line 6: a: start_date must be a date"},
		{"ADateWithATime", source("start_date: 2026-02-01T00:00:00Z"), "line 6: a: start_date must be a date"},
		{"AnAmericanDate", source("start_date: 02/01/2026"), "line 6: a: start_date must be a date"},
		{"ADateBeforeCards", source("start_date: 0001-01-01"), "line 6: a: start_date must be a date"},

		{"AWhopSettingOfBill", source("account_id: biz_1"), "line 6: a: account_id is a setting of whop sources, not of bill"},
		{"ASlashSettingOfBill", source("categories: [card]"), "line 6: a: categories is a setting of slash sources, not of bill"},
		{"ABitnobSettingOfSlash", as("slash", "balance_unit: auto"), "line 6: a: balance_unit is a setting of bitnob sources, not of slash"},
		{"WhopWithoutOwner", as("whop"), "line 3: a: whop needs exactly one of account_id and user_id"},
		{"WhopWithTwoOwners", as("whop", "account_id: biz_1", "user_id: user_1"), "line 3: a: whop needs exactly one of"},
		{"AnAccountThatIsNoID", as("whop", "account_id: biz 1&x=y"), "line 6: a: account_id must be an id"},
		{"AVersionThatIsNoDate", as("whop", "user_id: u", "api_version: latest"), "line 7: a: api_version must be a date"},
		{"AnUnknownCategory", as("slash", "categories: [card, cash]"), `line 6: a: categories: "cash" is not one of card, fee`},
		{"NoCategory", as("slash", "categories: []"), "line 6: a: categories must be a list of at least one value"},
		{"ALegalEntityThatIsNoID", as("slash", `legal_entity: "le\r\nx: y"`), "line 6: a: legal_entity holds a control character"},
		{"AnUnknownBalanceUnit", as("bitnob", "balance_unit: cents"), `line 6: a: balance_unit: "cents" is not one of auto, minor, major`},

		{"ABadPattern", minimal + "fundings: ['a[']\n", "line 6: fundings: not a valid file pattern"},
		{"FundingsThatAreText", minimal + "fundings: a.csv\n", "line 6: fundings must be a list"},
		{"ANegativeTolerance", minimal + "checks:\n  balance-drift: {tolerance: -0.01}\n", "line 7: tolerance must be an amount"},
		{"AToleranceWithAnExponent", minimal + "checks:\n  balance-drift: {tolerance: 1e2}\n", "line 7: tolerance must be an amount"},
		{"AToleranceWithAComma", minimal + "checks:\n  balance-drift: {tolerance: '1,00'}\n", "line 7: tolerance must be an amount"},
		{"ALoneDecimalPoint", minimal + "checks:\n  balance-drift: {tolerance: '1.'}\n", "line 7: tolerance must be an amount"},
		{"AGraceThatIsNoNumber", minimal + "checks:\n  orphan-topup: {grace_days: three}\n", "line 7: grace_days must be a whole number"},
		{"ATipAboveThePurchase", minimal + "checks:\n  limit-breach: {tip_percent: 101}\n", "line 7: tip_percent must be a whole number from 0 to 100"},
		{"NoNewFinding", minimal + "checks:\n  unknown-field: {max_new: 0}\n", "line 7: max_new must be a whole number from 1 to 1000000"},
		{"StaleAfterNoDay", minimal + "checks:\n  stale-pending: {after_days: 0}\n", "line 7: after_days must be a whole number from 1"},

		{"ACronLineThatNeverFires", minimal + "schedule: {nightly: '0 0 30 2 *'}\n", "line 6: schedule.nightly: never fires"},
		{"ACronLineOfSixFields", minimal + "schedule: {nightly: '0 0 7 * * *'}\n", "line 6: schedule.nightly: must have five cron fields"},
		{"ACronDescriptor", minimal + "schedule: {nightly: '@daily'}\n", "line 6: schedule.nightly: must have five cron fields"},
		{"ACronFieldOutOfRange", minimal + "schedule: {nightly: '60 7 * * *'}\n", "line 6: schedule.nightly: is not a valid cron line"},
		{"ACronZoneAlone", minimal + "schedule: {nightly: 'CRON_TZ=UTC'}\n", "line 6: schedule.nightly: must have five cron fields"},
		{"ACronZoneThatDoesNotExist", minimal + "schedule: {nightly: 'CRON_TZ=Mars/Base 0 7 * * *'}\n", "line 6: schedule.nightly: CRON_TZ= must name"},
		{"ACronZoneWithoutName", minimal + "schedule: {nightly: 'CRON_TZ= 0 7 * * *'}\n", "line 6: schedule.nightly: CRON_TZ= must name"},
		{"TheMachinesZoneInCron", minimal + "schedule: {nightly: 'CRON_TZ=Local 0 7 * * *'}\n", "line 6: schedule.nightly: CRON_TZ= must name"},
		{"AZoneWithoutCRON", minimal + "schedule: {nightly: 'TZ=UTC 0 7 * * *'}\n", "line 6: schedule.nightly: must have five cron fields"},

		{"ASchemaThatIsNoName", minimal + "queue: {schema: 'a; drop'}\n", "line 6: queue.schema must be of lower-case letters"},
		{"ARescueThatIsTooShort", minimal + "queue: {rescue: 1s}\n", "line 6: queue.rescue must be a length of time from 5s to 1h0m0s, such as 5m0s"},
		{"APollThatIsNoTime", minimal + "queue: {poll: often}\n", "line 6: queue.poll must be a length of time from 1s to 1h0m0s, such as 15s"},
		{"AJitterThatIsNoTime", minimal + "schedule: {jitter: ten}\n", "line 6: schedule.jitter must be a length of time"},
		{"AJitterThatLeavesNightsOut", minimal + "schedule: {nightly: \"*/15 * * * *\", jitter: 20m}\n", "line 6: schedule.jitter is 20m0s, and schedule.nightly fires every 15m0s: the jitter must be less"},
		{"AJitterAsLongAsTheShortestPause", minimal + "schedule: {jitter: 2h, nightly: \"30 1,23 * * *\"}\n", "line 6: schedule.jitter is 2h0m0s, and schedule.nightly fires every 2h0m0s"},
		{"ANegativeJitter", minimal + "schedule: {jitter: -1m}\n", "line 6: schedule.jitter must be a length of time"},

		{"AnInlineWebhook", minimal + "notify: {webhook: {url: 'https://example.com/" + planted + "'}}\n", "line 6: notify.webhook.url must not be written here"},
		{"AWebhookWithoutURL", minimal + "notify: {webhook: {}}\n", "line 6: notify.webhook needs a url"},
		{"AnUnsetWebhook", minimal + "notify: {webhook: {url: {env: TIEOUT_WEBHOOK}}}\n", "line 6: notify.webhook.url: the environment variable TIEOUT_WEBHOOK is not set"},
		{"ASigningSecretThatIsTooShort", minimal + "notify: {webhook: {url: {env: HOOK}, secret: {env: KEY}}}\n", "line 6: notify.webhook.secret must be 24 to 64 bytes in base64"},
		{"AWebhookInPlainHTTP", minimal + "notify: {webhook: {url: {env: HOOK_PLAIN}}}\n", "line 6: notify.webhook.url is plain HTTP"},
		{"AWebhookThatIsNoURL", minimal + "notify: {webhook: {url: {env: HOOK_NOT_URL}}}\n", "line 6: notify.webhook.url must be an absolute URL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse(tt.text)
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got:\n%v\nwant: %s", err, tt.want)
			}
			if !errors.Is(err, errConfig) {
				t.Error("is no configuration error, so the exit status would not be 2")
			}
			if strings.Contains(err.Error(), planted) {
				t.Errorf("shows a secret:\n%v", err)
			}
		})
	}
}

func TestParseConfig_ReportsEverythingAtOnceByLine(t *testing.T) {
	_, err := parse(`notify: {webhook: {url: {env: MISSING}}}
timezone: Nowhere
sources:
  - name: a
    provider: whop
    credential: ` + planted + `
    rat: 1
  - name: a
    provider: bill
    credential: {file: missing}
    page_size: 1000
schedule: {nightly: "0 0 31 4 *"}
`)
	want := `conf/tieout.yaml: line 1: notify.webhook.url: the environment variable MISSING is not set
conf/tieout.yaml: line 2: timezone "Nowhere" is not an IANA time zone such as America/New_York or UTC
conf/tieout.yaml: line 4: a: whop needs exactly one of account_id and user_id
conf/tieout.yaml: line 6: a: credential must not be written here; use {env: NAME} or {file: PATH}
conf/tieout.yaml: line 7: unknown key "rat" in sources[0]; known: ` + strings.Join(configKeys["source"], ", ") + `
conf/tieout.yaml: line 8: source name "a" is used twice; first in line 4
conf/tieout.yaml: line 10: a: credential: the file named here does not exist
conf/tieout.yaml: line 11: a: page_size must be a whole number from 1 to 100
conf/tieout.yaml: line 12: schedule.nightly: never fires`
	if diff := cmp.Diff(want, fmt.Sprint(err)); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestParseConfig_EscapesTheFolderInPatterns(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("patterns have no escapes on Windows")
	}
	dir := filepath.Join(t.TempDir(), "books [2026]*")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "a.csv")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := parseOne(filepath.Join(dir, "tieout.yaml"), []byte(minimal+"fundings: ['*.csv']\n"), testEnv, testFiles)
	if err != nil {
		t.Fatal(err)
	}
	got, err := filepath.Glob(cfg.Fundings[0])
	if err != nil || !slices.Equal(got, []string{file}) {
		t.Errorf("found %q, %v", got, err)
	}
}

// TestParseConfig_SectionsWithNothingInThem: their lines may all be commented out.
func TestParseConfig_SectionsWithNothingInThem(t *testing.T) {
	t.Parallel()
	want, err := parseOne("tieout.yaml", []byte(minimal), testEnv, testFiles)
	if err != nil {
		t.Fatal(err)
	}
	for _, section := range []string{"fundings: []", "fundings:", "reports:", "schedule:", "notify:", "checks:"} {
		got, err := parseOne("tieout.yaml", []byte(minimal+section+"\n"), testEnv, testFiles)
		if err != nil {
			t.Errorf("%s: %v", section, err)
			continue
		}
		if got.Schedule.Nightly != want.Schedule.Nightly || got.Reports.Dir != want.Reports.Dir || len(got.Fundings) > 0 {
			t.Errorf("%s: %+v, want the defaults", section, got)
		}
	}
}

func TestLoadConfig(t *testing.T) {
	write := func(t *testing.T, dir, name, text string, mode os.FileMode) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	withFile := strings.Replace(minimal, "env: KEY", "file: key", 1)

	t.Run("ReadsASecretBesideIt", func(t *testing.T) {
		dir := t.TempDir()
		write(t, dir, "key", planted+"\n", 0o600)
		cfg, err := loadOne(write(t, dir, "tieout.yaml", withFile, 0o644), testEnv)
		if err != nil {
			t.Fatal(err)
		}
		if got := cfg.Sources[0].Credential.Reveal(); got != planted {
			t.Errorf("credential %q", got)
		}
	})
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o601} {
		t.Run(fmt.Sprintf("RefusesASecretOfMode%04o", mode), func(t *testing.T) {
			if runtime.GOOS == "windows" {
				t.Skip("Windows has no such modes")
			}
			dir := t.TempDir()
			write(t, dir, "key", planted, mode)
			_, err := loadOne(write(t, dir, "tieout.yaml", withFile, 0o600), testEnv)
			want := fmt.Sprintf("line 5: a: credential: the file named here is open to group or others (mode %04o); chmod 600 it", mode)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("RefusesAFolderAsSecret", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "key"), 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := loadOne(write(t, dir, "tieout.yaml", withFile, 0o600), testEnv)
		if err == nil || !strings.Contains(err.Error(), "line 5: a: credential: the file named here is not a regular file") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("RefusesAHugeSecret", func(t *testing.T) {
		dir := t.TempDir()
		write(t, dir, "key", strings.Repeat("x", maxSecretBytes+1), 0o600)
		_, err := loadOne(write(t, dir, "tieout.yaml", withFile, 0o600), testEnv)
		if err == nil || !strings.Contains(err.Error(), "the file named here is larger than") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("RefusesAHugeFile", func(t *testing.T) {
		_, err := loadOne(write(t, t.TempDir(), "tieout.yaml", strings.Repeat("#", maxConfigBytes+1), 0o600), testEnv)
		if err == nil || !strings.Contains(err.Error(), "is larger than") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("NamesAMissingFile", func(t *testing.T) {
		_, err := loadOne(filepath.Join(t.TempDir(), "tieout.yaml"), testEnv)
		if !errors.Is(err, errConfig) || !strings.Contains(err.Error(), "tieout.yaml: does not exist; `tieout init` writes one") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("RefusesAFolder", func(t *testing.T) {
		_, err := loadOne(t.TempDir(), testEnv)
		if !errors.Is(err, errConfig) || !strings.Contains(err.Error(), "cannot be read") {
			t.Errorf("got %v", err)
		}
	})
}

func TestTemplate(t *testing.T) {
	env := func(name string) (string, bool) {
		if strings.Contains(name, "WEBHOOK_") {
			return signing, true
		}
		return "https://example.com/" + planted, true
	}

	t.Run("LoadsAndSaysTheDefaults", func(t *testing.T) {
		cfg, err := parseOne("conf/tieout.yaml", []byte(configTemplate), env, testFiles)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := parse(minimal)
		if err != nil {
			t.Fatal(err)
		}
		plain.Entity, plain.Zone, plain.Sources = cfg.Entity, cfg.Zone, cfg.Sources
		if diff := cmp.Diff(plain, cfg, cmpopts.IgnoreTypes(schedule.Cron{}), cmp.AllowUnexported(transport.Secret{}), cmp.Comparer(sameZone)); diff != "" {
			t.Errorf("defaults -, template +:\n%s", diff)
		}
	})
	t.Run("LoadsWithEveryCommentedSettingAndNamesEveryKey", func(t *testing.T) {
		var lines []string
		for line := range strings.Lines(configTemplate) {
			indent, rest, ok := strings.Cut(line, "# ")
			key, _, isKey := strings.Cut(strings.TrimPrefix(strings.TrimSpace(rest), "- "), ":")
			if ok && strings.TrimSpace(indent) == "" && (isKey && allConfigKeys()[key] || strings.Contains(rest, "*.csv")) {
				line = indent + rest
			}
			lines = append(lines, line)
		}
		text := strings.Join(lines, "")
		cfg, err := parseOne("conf/tieout.yaml", []byte(text), env, testFiles)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		var providers []schema.Provider
		for _, s := range cfg.Sources {
			providers = append(providers, s.Provider)
		}
		if !slices.Equal(providers, []schema.Provider{schema.Bill, schema.Whop, schema.Slash, schema.Bitnob}) ||
			len(cfg.Fundings) != 1 || cfg.Notify.Webhook.URL.Reveal() == "" || cfg.Notify.Mail.Server == "" {
			t.Errorf("not everything was read:\n%s", text)
		}
		for key := range allConfigKeys() {
			if !strings.Contains(configTemplate, key+":") && key != "user_id" {
				t.Errorf("the template does not name %s", key)
			}
		}
	})
}

// allConfigKeys is every key of configKeys, whatever mapping it stands in.
func allConfigKeys() map[string]bool {
	all := map[string]bool{}
	for keys := range maps.Values(configKeys) {
		for _, k := range keys {
			all[k] = true
		}
	}
	return all
}

func FuzzParseConfig(f *testing.F) {
	f.Add(minimal)
	f.Add(configTemplate)
	f.Add(minimal + "schedule: {nightly: 'CRON_TZ=UTC 0 7 * * *'}\nnotify: {webhook: {url: {env: HOOK}}}\n")
	f.Add("a: &a [*a]\n")
	f.Add(source("credential: {env: KEY, file: key}", "<<: *x"))
	f.Fuzz(func(t *testing.T, text string) {
		cfg, err := parse(text)
		if err != nil {
			var ce *configError
			if !errors.As(err, &ce) || len(ce.problems) == 0 {
				t.Fatalf("not a list of problems: %v", err)
			}
			if strings.Contains(err.Error(), planted) {
				t.Fatalf("shows a secret: %v", err)
			}
			return
		}
		if cfg.Zone == nil || cfg.LedgerPath == "" || len(cfg.Sources) == 0 || len(cfg.Reports.Formats) == 0 ||
			cfg.Schedule.Cron == (schedule.Cron{}) || cfg.Checks.DriftTolerance.IsNegative() || cfg.Checks.StaleAfterDays < 1 {
			t.Fatalf("accepted, but incomplete: %+v", cfg)
		}
		seen := map[string]bool{}
		for _, s := range cfg.Sources {
			if seen[s.Name] || !sourceName.MatchString(s.Name) || s.Credential.Reveal() == "" || s.RequestsPerSecond <= 0 ||
				checkURL(s.BaseURL, false) != nil || (s.Provider == schema.Whop) != (s.AccountID+s.UserID != "") {
				t.Fatalf("accepted, but wrong: %+v", s)
			}
			seen[s.Name] = true
		}
	})
}

// parseOne is the configuration of a file without several entities.
func parseOne(path string, data []byte, env func(string) (string, bool), readFile func(string) (string, error)) (Config, error) {
	all, err := parseConfigs(path, data, env, readFile)
	if err != nil {
		return Config{}, err
	}
	return all[0], nil
}

func loadOne(path string, env func(string) (string, bool)) (Config, error) {
	all, err := loadConfigs(path, env)
	if err != nil {
		return Config{}, err
	}
	return all[0], nil
}
