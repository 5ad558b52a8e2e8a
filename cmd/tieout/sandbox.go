package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/schema"
)

// worldFlags are the flags that describe a sandbox world.
type worldFlags struct {
	seed                int64
	cards, transactions int
}

func (f *worldFlags) add(cmd *cobra.Command) {
	cmd.Flags().Int64Var(&f.seed, "seed", 1, "the world's seed: the same seed gives the same world")
	cmd.Flags().IntVar(&f.cards, "cards", 40, "cards over all four providers")
	cmd.Flags().IntVar(&f.transactions, "transactions", 2000, "transactions over all four providers")
}

func (f *worldFlags) world(now time.Time, zone *time.Location) (*sandbox.World, error) {
	if f.cards < 1 || f.transactions < 0 {
		return nil, usageError("--cards must be at least 1 and --transactions at least 0")
	}
	return sandbox.New(sandbox.Config{Seed: f.seed, Cards: f.cards, Transactions: f.transactions, Now: now, Zone: zone}), nil
}

func (a *app) sandboxCommand() *cobra.Command {
	var flags worldFlags
	var listen, answers, faults, out string
	cmd := &cobra.Command{
		Use: "sandbox", Short: "Serve the four issuers' APIs over a seeded world, on this machine only", Args: noArgs,
		Long: "Serve the four issuers' APIs over a seeded world, on this machine only.\n\n" + faultsHelp(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := sandbox.ParseFaults(faults)
			if err != nil {
				return usageError("--faults: %w", err)
			}
			world, err := flags.world(a.now(), time.UTC)
			if err != nil {
				return err
			}
			if answers != "" {
				if err := writeFile(answers, world.WriteAnswers); err != nil {
					return fmt.Errorf("sandbox: write answers: %w", err)
				}
			}
			server, err := sandbox.Serve(cmd.Context(), listen, world, sandbox.WithControl(), sandbox.WithFaults(sandbox.NewFaults(plan, a.now)))
			if err != nil {
				return usageError("--listen %q: %w", listen, err)
			}
			if err := a.introduce(world, server.URL, out); err != nil {
				return errors.Join(fmt.Errorf("sandbox: %w", err), server.Close())
			}
			<-cmd.Context().Done()
			return server.Close()
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8700", "loopback `ADDR` to serve on")
	cmd.Flags().StringVar(&faults, "faults", "", "what goes wrong with requests, as `SPEC` above says")
	cmd.Flags().StringVar(&answers, "answers", "", "write the key of planted anomalies to `FILE`")
	cmd.Flags().StringVar(&out, "out", "", "write configuration, keys, books and answer key to the folder `DIR`; made again each time")
	return cmd
}

// introduce says how to reach a served world: in a folder that a user can work in, else on standard output.
func (a *app) introduce(world *sandbox.World, url, out string) error {
	if out != "" {
		if err := demoFolder(out); err != nil {
			return err
		}
		if err := demoFiles(out, world, url); err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "the sandbox answers on %s until it is stopped; its clock stands at %s\n", url, world.Now().Format(time.RFC3339))
		fmt.Fprintf(a.stdout, "configuration: %s\n", filepath.Join(out, "tieout.yaml"))
		return nil
	}
	fmt.Fprintf(a.stdout, "# the sandbox answers until it is stopped; set these and use the configuration below\n")
	fmt.Fprintf(a.stdout, "# its clock stands at %s; POST %s/control/advance moves it\n", world.Now().Format(time.RFC3339), url)
	for _, p := range schema.Providers() {
		fmt.Fprintf(a.stdout, "export %s=%s\n", sandboxVariable(p), world.Credential(p))
	}
	fmt.Fprint(a.stdout, sandboxConfig(world, url, func(p schema.Provider) string { return "{env: " + sandboxVariable(p) + "}" }, ""))
	return nil
}

// faultsHelp is how --faults is written and what can go wrong.
func faultsHelp() string {
	var text strings.Builder
	fmt.Fprintf(&text, "--faults makes requests go wrong:\n\n%s\n\n", sandbox.FaultGrammar)
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "FAULT\tNUMBER\tMEANS")
	for _, k := range sandbox.FaultKinds() {
		number := ""
		if k.Unit != "" {
			number = fmt.Sprintf("%s, %d", k.Unit, k.Usual)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", k.Name, number, k.Meaning)
	}
	table.Flush()
	fmt.Fprint(&text, "\nPOST /control/faults arms one for the next requests: ",
		`{"provider": "slash", "path": "/transaction", "fault": "429-seconds=5", "requests": 2}`, ".\nGET shows the rules in force, DELETE removes them.")
	return text.String()
}

func sandboxVariable(p schema.Provider) string {
	return map[schema.Provider]string{
		schema.Bill: "BILL_API_TOKEN", schema.Slash: "SLASH_API_KEY", schema.Whop: "WHOP_API_KEY", schema.Bitnob: "BITNOB_SECRET",
	}[p]
}

// sandboxConfig is a tieout.yaml for a served world. The pace is that of a local server, not of an issuer.
func sandboxConfig(world *sandbox.World, url string, credential func(schema.Provider) string, fundings string) string {
	var text strings.Builder
	text.WriteString("entity: Sandbox Inc.\ntimezone: UTC\nledger: tieout.db\n")
	if fundings != "" {
		text.WriteString("fundings:\n  - " + fundings + "\n")
	}
	text.WriteString("sources:\n")
	for _, p := range schema.Providers() {
		text.WriteString(fmt.Sprintf("  - name: %s-main\n    provider: %s\n    base_url: %s\n    credential: %s\n    requests_per_second: 1000\n",
			p, p, url+world.BasePath(p), credential(p)))
		if p == schema.Whop {
			text.WriteString("    account_id: " + world.Account() + "\n")
		}
	}
	return text.String()
}

// writeFile writes a file that only its owner can read.
func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
