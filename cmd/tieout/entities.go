package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/tieout/tieout/schema/ledger"
)

// alone are the keys that several entities cannot have in common: what stands outside of `entities` is every entity's.
var alone = []string{"name", "entity", "ledger", "sources", "fundings", "metrics"}

// entityName is part of file names, and what --entity takes.
var entityName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// configurations reads the one configuration, or that of each entity: its own keys, and those outside of `entities` that it
// does not have.
func (r *configReader) configurations(root *yaml.Node, path string) []Config {
	several := value(root, "entities")
	if several == nil {
		cfg := Config{Path: path}
		r.config(root, &cfg)
		return []Config{cfg}
	}
	common := &yaml.Node{Kind: yaml.MappingNode, Line: root.Line}
	for i := 0; i+1 < len(root.Content); i += 2 {
		switch key := root.Content[i]; {
		case key.Value != "entities":
			common.Content = append(common.Content, key, root.Content[i+1])
		case root.Content[i+1] != several:
			r.problem(key, "entities is given twice; first in line %d", several.Line)
		}
	}
	for i := 0; i < len(common.Content); i += 2 {
		if key := common.Content[i]; slices.Contains(alone, key.Value) {
			r.problem(key, "%s stands beside entities: each entity needs its own", key.Value)
		}
	}
	if several.Kind != yaml.SequenceNode || len(several.Content) == 0 {
		r.problem(several, "entities must be a list of at least one entity")
		return nil
	}
	var all []Config
	for _, n := range several.Content {
		if n.Kind != yaml.MappingNode {
			r.problem(n, "an entity must be a mapping of keys to values")
			continue
		}
		cfg := Config{Path: path}
		r.config(withDefaults(n, common), &cfg)
		if value(value(n, "reports"), "dir") == nil {
			cfg.Reports.Dir = filepath.Join(cfg.Reports.Dir, cfg.Name)
		}
		r.apart(n, cfg, all)
		all = append(all, cfg)
	}
	return all
}

// withDefaults is a mapping with the keys of another that it does not have.
func withDefaults(n, common *yaml.Node) *yaml.Node {
	whole := *n
	whole.Content = slices.Clone(n.Content)
	for i := 0; i+1 < len(common.Content); i += 2 {
		if key := common.Content[i].Value; value(n, key) == nil && !slices.Contains(alone, key) {
			whole.Content = append(whole.Content, common.Content[i], common.Content[i+1])
		}
	}
	return &whole
}

// value is what a mapping has under a key; nil: nothing, or it is no mapping.
func value(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// apart refuses an entity that shares its name, or a place that it writes to, with one before it.
func (r *configReader) apart(n *yaml.Node, cfg Config, before []Config) {
	if cfg.Name == "" {
		r.problem(n, "an entity needs a name of lower-case letters, digits and hyphens, at most 32")
		return
	}
	for _, other := range before {
		if strings.EqualFold(cfg.Name, other.Name) {
			r.problem(n, "two entities are called %s", cfg.Name)
		}
		for what, pair := range map[string][2]string{
			"a ledger": {cfg.LedgerPath, other.LedgerPath}, "reports.dir": {cfg.Reports.Dir, other.Reports.Dir}, "metrics.textfile": {cfg.Metrics, other.Metrics},
		} {
			if pair[0] != "" && pair[1] != "" && strings.EqualFold(place(pair[0]), place(pair[1])) {
				r.problem(n, "%s and %s have %s in common: each entity needs its own", other.Name, cfg.Name, what)
			}
		}
	}
}

// place is where a path leads, however it is spelled.
func place(path string) string {
	if ledger.IsPostgres(path) {
		return ledger.Place(path)
	}
	if real, err := ledger.RealPath(path); err == nil {
		return real
	}
	return filepath.Clean(path) // whoever uses it will be told what is wrong
}

// named sets the name of an entity, and what follows from it where it does not say.
func (r *configReader) named(n *yaml.Node, cfg *Config) {
	name, ok := r.text(n, "name")
	switch {
	case !ok:
	case !entityName.MatchString(name):
		r.problem(n, "name must be of lower-case letters, digits and hyphens, at most 32")
	default:
		cfg.Name, cfg.Entity = name, name
		cfg.LedgerPath = r.under(name + ".db")
	}
}

// configs are the configurations of the entities that were chosen.
func (a *app) configs() ([]Config, error) {
	all, err := loadConfigs(a.configFile(), a.env)
	if err != nil {
		return nil, &exitError{code: exitUsage, err: err}
	}
	if len(a.entities) == 0 {
		return all, nil
	}
	var chosen []Config
	for _, name := range a.entities {
		i := slices.IndexFunc(all, func(c Config) bool { return c.Name == name })
		if i < 0 {
			return nil, usageError("--entity %q: the configuration has no such entity", name)
		}
		if !slices.ContainsFunc(chosen, func(c Config) bool { return c.Name == name }) {
			chosen = append(chosen, all[i])
		}
	}
	return chosen, nil
}

// config is the configuration of the one entity that there is, or was chosen.
func (a *app) config() (Config, error) {
	all, err := a.configs()
	if err != nil {
		return Config{}, err
	}
	if len(all) > 1 {
		return Config{}, chooseOne(all)
	}
	return all[0], nil
}

func chooseOne(all []Config) error {
	names := make([]string, len(all))
	for i, c := range all {
		names[i] = c.Name
	}
	return usageError("this is about one entity: choose it with --entity (%s)", strings.Join(names, ", "))
}

// isAboutOne says whether a command, as it was called, can only be about one entity: it names what is in a ledger, or has one
// place or one object for its result.
func isAboutOne(cmd *cobra.Command, args []string) bool {
	for _, flag := range []string{"json", "out", "as-of-run", "since-run", "root"} {
		if cmd.Flags().Changed(flag) {
			return true
		}
	}
	return len(args) > 0
}

// each does something for every chosen entity, one after the other. What fails for one is no reason to leave out the others.
func (a *app) each(ctx context.Context, use func(Config) error) error {
	all, err := a.configs()
	if err != nil {
		return err
	}
	if len(all) == 1 {
		return use(all[0])
	}
	if a.aboutOne {
		return chooseOne(all)
	}
	log := a.log
	defer func() { a.log = log }()
	var errs []error
	codes := map[int]bool{}
	for _, c := range all {
		if err := context.Cause(ctx); err != nil {
			return errors.Join(append(errs, err)...)
		}
		a.log = log.With("entity", c.Name)
		a.progress.sources = nil
		fmt.Fprintf(a.stdout, "== %s\n", c.Entity)
		err := use(c)
		codes[exitCode(err)] = true
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.Name, err))
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return &exitError{code: worst(codes), err: errors.Join(errs...)}
}

// worst is one exit status for several entities: what failed for some, and not for all, is done in part.
func worst(codes map[int]bool) int {
	switch {
	case len(codes) == 1:
		for code := range codes {
			return code
		}
	case codes[exitFailed] || codes[exitPartial] || codes[exitUsage]:
		return exitPartial
	}
	return exitFindings
}

// exitCode is the exit status of an error of a command.
func exitCode(err error) int {
	var exit *exitError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &exit):
		return exit.code
	}
	return exitFailed
}
