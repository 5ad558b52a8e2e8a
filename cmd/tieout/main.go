// Command tieout reads cards and transactions from card issuers, keeps them in one exact ledger, compares what the issuers
// say with what the ledger adds up to, and writes a workpaper. It only ever reads from issuers.
package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
	_ "time/tzdata" // a static binary may run where there is no zone database

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/tieout/tieout/extract/all"
	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/pipeline/queue"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // the first ends the run after the page in flight, a second one stops at once
		stop(fmt.Errorf("stopped by %s", <-signals))
		<-signals
		os.Exit(exitPartial)
	}()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr, os.LookupEnv))
}

// The exit statuses of CONTRACT 1.
const (
	exitDone     = 0
	exitFailed   = 1
	exitUsage    = 2
	exitPartial  = 3
	exitFindings = 4
)

// exitError ends the program with a status of its own.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func usageError(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// app is what every command shares.
type app struct {
	stdout, stderr  io.Writer
	env             func(string) (string, bool)
	configPath      string
	entities        []string             // that were chosen; none: all
	aboutOne        bool                 // the command can only be about one entity
	now             func() time.Time     // the recorded clock
	stands          bool                 // the recorded clock stands still, at --now
	elapsed         func() time.Duration // monotonic, never affected by --now
	log             *slog.Logger
	logsJSON        bool
	paces           map[string]*transport.Pace // by credential
	tune            func(*all.Config)          // for tests: another way to the issuers, and no waiting
	quiet, readOnly bool
	queues          map[string]*queue.Queue // of the ledgers in PostgreSQL, by path
	shared          bool                    // the ledgers are in PostgreSQL, and other processes write to them as well
	ended           func() bool             // who is stopped from now on is not told so
	migrations      fs.FS                   // for tests: of another version of the program
	memory          map[string]*remembered  // by ledger
	// job is the work of a night, for tests; nil: Pipeline.Nightly.
	job func(context.Context, *pipeline.Pipeline) (pipeline.NightlyResult, error)

	closing       sync.Mutex // held by the job that closes a run
	progressMutex sync.Mutex
	progress      progress
}

// run is the program without its process: it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, env func(string) (string, bool)) int {
	return newApp(stdout, stderr, env).run(ctx, args)
}

func newApp(stdout, stderr io.Writer, env func(string) (string, bool)) *app {
	started := time.Now()
	terminal := stderr
	if f, ok := stderr.(*os.File); !ok || !isatty.IsTerminal(f.Fd()) {
		terminal = nil
	}
	return &app{
		stdout: &printable{to: stdout}, stderr: &printable{to: stderr}, env: env,
		elapsed: func() time.Duration { return time.Since(started) }, progress: progress{terminal: terminal},
	}
}

func (a *app) run(ctx context.Context, args []string) int {
	root, reached := a.root()
	root.SetArgs(args)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	err := root.ExecuteContext(ctx)
	if a.ended != nil {
		a.ended()
	}
	if err == nil {
		return exitDone
	}
	code := exitCode(err)
	if code == exitFailed && !*reached { // cobra refused the words before any command ran
		code = exitUsage
	}
	if a.logsJSON { // whoever collects the log reads nothing else
		a.log.Error("ended", "exit", code, "error", err)
	} else {
		fmt.Fprintln(a.stderr, "tieout:", err)
	}
	return code
}

// root is the command tree. reached says whether a command was started.
func (a *app) root() (root *cobra.Command, reached *bool) {
	var nowText, logFormat string
	var verbose bool
	reached = new(bool)
	root = &cobra.Command{
		Use:           "tieout",
		Short:         "Reconcile what card issuers say with what their transactions add up to",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version,
		PersistentPreRunE: func(cmd *cobra.Command, args []string) error {
			a.aboutOne = isAboutOne(cmd, args)
			if err := a.setClock(nowText); err != nil {
				return err
			}
			if err := a.setLog(logFormat, verbose); err != nil {
				return err
			}
			log := a.log
			a.ended = context.AfterFunc(cmd.Context(), func() { log.Info("stopping after the page in flight; a second signal stops at once") })
			*reached = true
			return nil
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError("%w", err) })
	flags := root.PersistentFlags()
	flags.StringVar(&a.configPath, "config", "", "configuration `FILE` (default tieout.yaml, or TIEOUT_CONFIG)")
	flags.StringVar(&nowText, "now", "", "the `INSTANT` (RFC 3339) that is recorded and compared as now")
	flags.StringArrayVar(&a.entities, "entity", nil, "only the entity `NAME`, where several are configured (may be repeated)")
	flags.BoolVar(&a.readOnly, "read-only", false, "refuse to write to the ledger; a report is written all the same, and not recorded in it")
	flags.StringVar(&logFormat, "log-format", "text", "`text` or json, on standard error")
	flags.BoolVar(&verbose, "verbose", false, "log every page group")
	flags.BoolVar(&a.quiet, "quiet", false, "log errors only")
	root.AddCommand(
		a.demoCommand(), a.initCommand(), a.checkCommand(), a.syncCommand(), a.backfillCommand(), a.reconcileCommand(),
		a.reportCommand(), a.nightlyCommand(), a.serveCommand(), a.workerCommand(), a.statusCommand(), a.findingsCommand(), a.fundingsCommand(), a.coverageCommand(), a.changesCommand(),
		a.backupCommand(), a.restoreCommand(), a.migrateCommand(),
		a.verifyCommand(), a.sandboxCommand(), a.versionCommand(),
	)
	return root, reached
}

func (a *app) setClock(text string) error {
	if text == "" {
		a.now = func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
		return nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return usageError("--now %q: not an instant such as 2026-08-31T07:00:00Z", text)
	}
	at = at.UTC().Truncate(time.Microsecond)
	a.now, a.stands = func() time.Time { return at }, true
	return nil
}

func (a *app) setLog(format string, verbose bool) error {
	options := &slog.HandlerOptions{Level: slog.LevelInfo}
	switch {
	case a.quiet && verbose:
		return usageError("--quiet and --verbose exclude each other")
	case a.quiet:
		options.Level, a.progress.terminal = slog.LevelError, nil
	case verbose:
		options.Level = slog.LevelDebug
	}
	switch format {
	case "text":
		a.log = slog.New(slog.NewTextHandler(a.stderr, options))
	case "json":
		a.log, a.logsJSON = slog.New(slog.NewJSONHandler(a.stderr, options)), true
	default:
		return usageError("--log-format %q: text or json", format)
	}
	return nil
}

// noArgs refuses stray words with the status of wrong usage.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError("%s takes no argument %q", cmd.CommandPath(), args[0])
	}
	return nil
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(a.stdout, "tieout", version)
			return err
		},
	}
}
