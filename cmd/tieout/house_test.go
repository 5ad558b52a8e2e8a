package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// The rules of the house, held over imports and syntax of every package of this module, so that they hold without the
// linter. Each rule carries sources that break it: a rule that cannot fail is no rule.

const (
	module   = "github.com/tieout/tieout"
	repoRoot = "../.."
)

// housePackage is the parsed source of one folder. Rules look at files, and at uses where they must know what a name means.
type housePackage struct {
	dir   string // slash-separated, from the root of the repository
	fset  *token.FileSet
	files []houseFile
}

type houseFile struct {
	name string
	test bool // a _test.go file, or any file of extract/extracttest, which is imported by tests only
	ast  *ast.File
}

// violation says where a rule is broken, and how.
func (p housePackage) violation(at token.Pos, format string, args ...any) string {
	return fmt.Sprintf("%s: %s", p.fset.Position(at), fmt.Sprintf(format, args...))
}

// in says whether the package lies at or below one of the folders.
func (p housePackage) in(dirs ...string) bool {
	return slices.ContainsFunc(dirs, func(d string) bool { return p.dir == d || strings.HasPrefix(p.dir, d+"/") })
}

// imports yields the imported path of each import of the files.
func (p housePackage) imports(tests bool, each func(spec *ast.ImportSpec, path string)) {
	for _, f := range p.files {
		if f.test && !tests {
			continue
		}
		for _, spec := range f.ast.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err == nil {
				each(spec, imported)
			}
		}
	}
}

// selectors calls each with the import path and the name of every use of a name of another package, such as time.Now,
// whatever name the import was given.
func (f houseFile) selectors(each func(at token.Pos, path, name string)) {
	byName := map[string]string{}
	for _, spec := range f.ast.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		name := path.Base(imported)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		byName[name] = imported
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && byName[x.Name] != "" {
				each(s.Pos(), byName[x.Name], s.Sel.Name)
			}
		}
		return true
	})
}

// matches says whether an import is one of the paths or lies below one of them.
func matches(imported string, paths ...string) bool {
	return slices.ContainsFunc(paths, func(p string) bool { return imported == p || strings.HasPrefix(imported, p+"/") })
}

// houseRule is one rule, with sources that break it: by path of the file, then text.
type houseRule struct {
	name   string
	check  func(housePackage) []string
	breaks []fixture
	keeps  []fixture // sources at the edge of the rule that it must leave alone
}

type fixture struct{ file, source string }

var stages = []string{"extract", "normalize", "reconcile", "reports"}

func houseRules() []houseRule {
	return []houseRule{
		{
			name: "StagesNeverImportOneAnother", check: checkStages,
			breaks: []fixture{
				{"normalize/a.go", `package normalize; import _ "github.com/tieout/tieout/extract"`},
				{"extract/bill/a.go", `package bill; import _ "github.com/tieout/tieout/normalize"`},
				{"reconcile/a.go", `package reconcile; import _ "github.com/tieout/tieout/reports/csv"`},
				{"reports/xlsx/a_test.go", `package xlsx; import _ "github.com/tieout/tieout/reconcile"`},
			},
			keeps: []fixture{
				{"extract/bill/a.go", `package bill; import _ "github.com/tieout/tieout/extract/paginate"`},
				{"reports/csv/a.go", `package csv; import _ "github.com/tieout/tieout/schema/money"`},
			},
		},
		{
			name: "DataFlowsOneWay", check: checkLayers,
			breaks: []fixture{
				{"schema/a.go", `package schema; import _ "github.com/tieout/tieout/extract"`},
				{"schema/a.go", `package schema; import _ "github.com/tieout/tieout/schema/ledger"`},
				{"schema/money/a.go", `package money; import _ "github.com/tieout/tieout/schema"`},
				{"schema/migrations/a.go", `package migrations; import _ "github.com/tieout/tieout/schema"`},
				{"schema/ledger/a.go", `package ledger; import _ "github.com/tieout/tieout/reconcile"`},
				{"reconcile/a.go", `package reconcile; import _ "github.com/tieout/tieout/schema/ledger"`},
				{"reports/a.go", `package reports; import _ "github.com/tieout/tieout/pipeline"`},
				{"pipeline/a.go", `package pipeline; import _ "github.com/tieout/tieout/extract/bill"`},
				{"pipeline/a.go", `package pipeline; import _ "github.com/tieout/tieout/extract/all"`},
				{"pipeline/a.go", `package pipeline; import _ "github.com/tieout/tieout/cmd/tieout"`},
				{"pipeline/schedule/a.go", `package schedule; import _ "github.com/tieout/tieout/cmd/tieout"`},
				{"extract/bill/a.go", `package bill; import _ "github.com/tieout/tieout/extract/slash"`},
				{"extract/whop/a.go", `package whop; import _ "github.com/tieout/tieout/extract/sandbox"`},
				{"extract/transport/a.go", `package transport; import _ "github.com/tieout/tieout/extract/paginate"`},
			},
			keeps: []fixture{
				{"pipeline/a.go", `package pipeline; import _ "github.com/tieout/tieout/schema/ledger"`},
				{"pipeline/a_test.go", `package pipeline; import _ "github.com/tieout/tieout/extract/sandbox"`},
				{"extract/whop/a_test.go", `package whop; import _ "github.com/tieout/tieout/extract/extracttest"`},
				{"extract/all/a.go", `package all; import _ "github.com/tieout/tieout/extract/bill"`},
			},
		},
		{
			name: "SQLStandsInTheLedgerOnly", check: checkSQL,
			breaks: []fixture{
				{"reconcile/a.go", `package reconcile; import _ "database/sql"`},
				{"cmd/tieout/a.go", `package main; import _ "github.com/jmoiron/sqlx"`},
				{"schema/a.go", `package schema; import _ "modernc.org/sqlite"`},
				{"pipeline/a.go", "package pipeline; const q = `\n  select id\n  from entries`"},
				{"pipeline/a.go", `package pipeline; const q = "INSERT INTO runs VALUES (?)"`},
				{"cmd/tieout/a.go", `package main; const q = "PRAGMA journal_mode"`},
			},
			keeps: []fixture{
				{"schema/ledger/a.go", `package ledger; import _ "database/sql"; const q = "select 1 from runs"`},
				{"cmd/tieout/a.go", `package main; const text = "select the sources that you want from the list"`},
			},
		},
		{
			name: "HTTPStandsUnderExtractOnly", check: checkHTTP,
			breaks: []fixture{
				{"pipeline/a.go", `package pipeline; import _ "net/http"`},
				{"reports/html/a.go", `package html; import _ "net/http/httptest"`},
				{"cmd/tieout/sync.go", `package main; import _ "net/http"`},
				{"normalize/a.go", `package normalize; import _ "net"`},
			},
			keeps: []fixture{
				{"extract/transport/a.go", `package transport; import _ "net/http"`},
				{"cmd/tieout/notify.go", `package main; import _ "net/http"`},
				{"schema/ledger/a.go", `package ledger; import _ "net/url"`},
				{"pipeline/a_test.go", `package pipeline; import _ "net/http/httptest"`},
			},
		},
		{
			name: "OnlyCmdReadsClockEnvironmentAndFlagsAndWritesLogs", check: checkAmbient,
			breaks: []fixture{
				{"pipeline/a.go", `package pipeline; import "time"; var _ = time.Now()`},
				{"pipeline/a.go", `package pipeline; import clock "time"; var now = clock.Now`},
				{"extract/a.go", `package extract; import "time"; func f(t time.Time) any { return time.Since(t) }`},
				{"extract/a.go", `package extract; import "time"; func f(t time.Time) any { return time.Until(t) }`},
				{"extract/a.go", `package extract; import "os"; var _ = os.Getenv("HOME")`},
				{"extract/a.go", `package extract; import "os"; func f() (string, bool) { return os.LookupEnv("HOME") }`},
				{"extract/a.go", `package extract; import "net/http"; var t = http.Transport{Proxy: http.ProxyFromEnvironment}`},
				{"extract/a.go", `package extract; import "net/http"; var t = http.DefaultClient`},
				{"reports/a.go", `package reports; import _ "flag"`},
				{"reports/a.go", `package reports; import _ "github.com/spf13/cobra"`},
				{"reports/a.go", `package reports; import _ "github.com/spf13/pflag"`},
				{"pipeline/a.go", `package pipeline; import _ "log"`},
				{"pipeline/a.go", `package pipeline; import "log/slog"; func f() { slog.Info("x") }`},
				{"pipeline/a.go", `package pipeline; import "log/slog"; type C struct { Log *slog.Logger }`},
				{"pipeline/a.go", `package pipeline; import "fmt"; func f() { fmt.Println("x") }`},
				{"pipeline/a.go", `package pipeline; import ("fmt"; "os"); func f() { fmt.Fprint(os.Stderr, "x") }`},
				{"pipeline/a.go", `package pipeline; func f() { println("x") }`},
				{"pipeline/a.go", `package pipeline; import "os"; func f() { os.Exit(1) }`},
				{"pipeline/a.go", `package pipeline; import . "time"`},
			},
			keeps: []fixture{
				{"cmd/tieout/a.go", `package main; import ("log/slog"; "time"); func f() { slog.Info("x", "at", time.Now()) }`},
				{"extract/transport/a.go", `package transport; import "log/slog"; func f() slog.Value { return slog.StringValue("x") }`},
				{"pipeline/a_test.go", `package pipeline; import "time"; var _ = time.Now()`},
				{"pipeline/a.go", `package pipeline; import "time"; type C struct { Now func() time.Time }`},
			},
		},
		{
			name: "NoFloatNearMoney", check: checkFloats,
			breaks: []fixture{
				{"schema/a.go", `package schema; type A struct { Amount float64 }`},
				{"schema/ledger/a.go", `package ledger; func f(x float32) {}`},
				{"schema/money/a_test.go", `package money; var x = float64(1)`},
				{"normalize/a.go", `package normalize; const rate = 1.5`},
				{"normalize/a.go", `package normalize; import "strconv"; var f = strconv.ParseFloat`},
				{"reconcile/a.go", `package reconcile; func f(d interface{ InexactFloat64() }) { d.InexactFloat64() }`},
				{"reconcile/a.go", `package reconcile; import "encoding/json"; func f(n json.Number) { n.Float64() }`},
				{"reconcile/a.go", `package reconcile; import "github.com/shopspring/decimal"; var d = decimal.NewFromFloat(1)`},
				{"reconcile/a.go", `package reconcile; import "math/big"; var x big.Float`},
				{"pipeline/a.go", `package pipeline; func f(x complex128) {}`},
				{"reports/csv/a.go", `package csv; func f(a interface{ Float64() }) { a.Float64() }`},
				{"reports/xlsx/a.go", `package xlsx; func f(a interface{ InexactFloat64() }) { a.InexactFloat64() }; func g(a interface{ Float64() }) { a.Float64() }`},
				{"reports/xlsx/a.go", `package xlsx; type cell struct { v float64 }`},
			},
			keeps: []fixture{
				{"reports/xlsx/a.go", `package xlsx; func f(a interface{ InexactFloat64() }) { _ = float64(1); a.InexactFloat64() }`},
				{"extract/a.go", `package extract; type C struct { RequestsPerSecond float64 }`},
			},
		},
		{
			name: "InterfacesAreSmall", check: checkInterfaces,
			breaks: []fixture{
				{"extract/a.go", `package extract; type Wide interface { A(); B(); C(); D() }`},
				{"schema/a.go", `package schema; type Small interface { A(); B() }; type Wide interface { Small; C(); D() }`},
				{"pipeline/a.go", `package pipeline; type Wide = interface { A(); B(); C(); D() }`},
			},
			keeps: []fixture{
				{"extract/a.go", `package extract; type Three interface { A(); B(); C() }`},
				{"extract/a.go", `package extract; type Set interface { ~int | ~int8 | ~int16 | ~int32 | ~int64 }`},
			},
		},
		{
			name: "NoInitAndNoGlobalsThatChange", check: checkGlobals,
			breaks: []fixture{
				{"extract/a.go", `package extract; func init() {}`},
				{"extract/a.go", `package extract; var count int`},
				{"extract/a.go", `package extract; import "sync"; var mu = sync.Mutex{}`},
				{"extract/a.go", `package extract; import "sync"; var once = &sync.Once{}`},
				{"extract/a.go", `package extract; import "sync/atomic"; var n = new(atomic.Int64)`},
				{"extract/a.go", `package extract; var registry = map[string]int{}`},
				{"extract/a.go", `package extract; var registry = make(map[string]int)`},
				{"extract/a.go", `package extract; var events = make(chan int)`},
				{"extract/a.go", `package extract; var table = map[string]int{"a": 1}; func Register(s string) { table[s] = 2 }`},
				{"extract/a.go", `package extract; var list = []int{1}; func Add(i int) { list = append(list, i) }`},
				{"extract/a.go", `package extract; var n = 1; func Next() int { n++; return n }`},
				{"extract/a.go", `package extract; var c = struct{ N int }{1}; func Set() { c.N = 2 }`},
				{"extract/a.go", `package extract; var n = 1; func Addr() *int { return &n }`},
				{"extract/a.go", `package extract; var table = map[string]int{"a": 1}; func Drop() { delete(table, "a") }`},
			},
			keeps: []fixture{
				{"extract/a.go", `package extract; import ("errors"; "regexp"); var ErrX = errors.New("x"); var re = regexp.MustCompile("x")`},
				{"extract/a.go", `package extract; var table = map[string]int{"a": 1}; func F() { table := map[string]int{}; table["b"] = 2 }`},
				{"extract/a.go", `package extract; import "io"; type R struct{}; var _ io.Reader = (*R)(nil)`},
				{"schema/migrations/a.go", "package migrations; import \"embed\"\n//go:embed sqlite\nvar files embed.FS"},
				{"extract/a_test.go", `package extract; import "flag"; var update = flag.Bool("update", false, ""); var n int`},
			},
		},
		{
			name: "PackagesAreNamedForWhatTheyAreFor", check: checkNames,
			breaks: []fixture{
				{"extract/util/a.go", `package util`},
				{"schema/a.go", `package common`},
			},
			keeps: []fixture{{"extract/bill/a.go", `package bill`}},
		},
	}
}

func checkStages(p housePackage) []string {
	var found []string
	own, _, _ := strings.Cut(p.dir, "/")
	if !slices.Contains(stages, own) {
		return nil
	}
	p.imports(true, func(spec *ast.ImportSpec, imported string) {
		for _, stage := range stages {
			if stage != own && matches(imported, module+"/"+stage) {
				found = append(found, p.violation(spec.Pos(), "%s imports %s; stages meet in schema", p.dir, imported))
			}
		}
	})
	return found
}

// notAnIssuer are the packages below extract that are no issuer.
var notAnIssuer = []string{"extract/paginate", "extract/transport", "extract/all", "extract/extracttest", "extract/sandbox"}

// checkLayers holds the picture of DESIGN 2: who may import whom, tests left aside.
func checkLayers(p housePackage) []string {
	var found []string
	p.imports(false, func(spec *ast.ImportSpec, imported string) {
		to, ok := strings.CutPrefix(imported, module+"/")
		if !ok {
			return
		}
		refuse := func(why string) {
			found = append(found, p.violation(spec.Pos(), "%s imports %s: %s", p.dir, to, why))
		}
		isIssuer := func(dir string) bool {
			return matches(dir, "extract") && dir != "extract" && !slices.ContainsFunc(notAnIssuer, func(d string) bool { return matches(dir, d) })
		}
		switch {
		case matches(to, "cmd"):
			refuse("nothing imports cmd")
		case p.in("schema/money", "schema/migrations"):
			refuse("it stands on the standard library and outside modules alone")
		case p.dir == "schema" && to != "schema/money":
			refuse("schema knows money and nothing else")
		case p.in("schema") && !matches(to, "schema"):
			refuse("schema knows no stage")
		case p.in("cmd"): // cmd wires everything
		case matches(to, "pipeline") && !p.in("pipeline"):
			refuse("only cmd starts the pipeline")
		case matches(to, "schema/ledger", "schema/migrations") && !p.in("pipeline", "schema/ledger"):
			refuse("only pipeline and cmd know the ledger")
		case matches(to, "extract/all", "extract/sandbox") && !p.in("extract/sandbox"):
			refuse("only cmd, and tests, know it")
		case p.in("extract/transport") && !matches(to, "schema"):
			refuse("it is below everything that extracts")
		case isIssuer(to) && !p.in(to, "extract/all"):
			refuse("an issuer is known to extract/all only")
		}
	})
	return found
}

var sqlText = regexp.MustCompile(`(?is)^\s*(?:select\s.*\sfrom\s+[a-z_]+\s*(?:$|where|order|group|join|left|limit|[;,)])|insert\s+(?:or\s+\w+\s+)?into\s|update\s+\w+\s+set\s|delete\s+from\s|create\s+(?:unique\s+)?(?:table|index|view)\s|pragma\s)`)

func checkSQL(p housePackage) []string {
	if p.in("schema/ledger", "schema/migrations") {
		return nil
	}
	var found []string
	p.imports(false, func(spec *ast.ImportSpec, imported string) {
		if matches(imported, "database/sql", "github.com/jmoiron/sqlx", "modernc.org/sqlite", "github.com/pressly/goose", "github.com/jackc/pgx") {
			found = append(found, p.violation(spec.Pos(), "%s imports %s; SQL stands in schema/ledger", p.dir, imported))
		}
	})
	for _, f := range p.files {
		if f.test {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil && sqlText.MatchString(text) {
					found = append(found, p.violation(lit.Pos(), "a text that reads as SQL; SQL stands in schema/ledger"))
				}
			}
			return true
		})
	}
	return found
}

// httpInCmd are the files of cmd that may speak HTTP: notifications, the sandbox's listener, and the bench with itself.
var httpInCmd = []string{"notify.go", "sandbox.go", "loopback.go"}

func checkHTTP(p housePackage) []string {
	if p.in("extract") {
		return nil
	}
	var found []string
	for _, f := range p.files {
		if f.test {
			continue
		}
		for _, spec := range f.ast.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			speaks := imported == "net" || matches(imported, "net/http", "net/rpc", "net/smtp", "golang.org/x/net")
			if err == nil && speaks && !(p.in("cmd") && slices.Contains(httpInCmd, f.name)) {
				found = append(found, p.violation(spec.Pos(), "%s imports %s; HTTP stands under extract", p.dir, imported))
			}
		}
	}
	return found
}

// ambient lists what only cmd may use. A name of "*" stands for the whole package.
var ambient = map[string][]string{
	"time":                   {"Now", "Since", "Until"},
	"os":                     {"Getenv", "LookupEnv", "Environ", "ExpandEnv", "Args", "Exit", "Stdin", "Stdout", "Stderr"},
	"fmt":                    {"Print", "Printf", "Println"},
	"net/http":               {"ProxyFromEnvironment", "DefaultClient", "DefaultTransport", "DefaultServeMux", "Get", "Head", "Post", "PostForm"},
	"flag":                   {"*"},
	"log":                    {"*"},
	"os/signal":              {"*"},
	"github.com/spf13/cobra": {"*"},
	"github.com/spf13/pflag": {"*"},
}

// logValues is what a library may use of log/slog: enough to say how a value is logged, not enough to log.
var logValues = []string{"Value", "LogValuer", "StringValue", "GroupValue"}

func checkAmbient(p housePackage) []string {
	if p.in("cmd") {
		return nil
	}
	var found []string
	p.imports(false, func(spec *ast.ImportSpec, imported string) {
		if spec.Name != nil && spec.Name.Name == "." {
			found = append(found, p.violation(spec.Pos(), "a dot import of %s hides where names come from", imported))
		}
		if slices.Contains(ambient[imported], "*") {
			found = append(found, p.violation(spec.Pos(), "%s imports %s; that is for cmd", p.dir, imported))
		}
	})
	for _, f := range p.files {
		if f.test {
			continue
		}
		f.selectors(func(at token.Pos, imported, name string) {
			if slices.Contains(ambient[imported], name) || imported == "log/slog" && !slices.Contains(logValues, name) {
				found = append(found, p.violation(at, "%s.%s is for cmd; take it as a parameter", imported, name))
			}
		})
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if name, ok := call.Fun.(*ast.Ident); ok && (name.Name == "print" || name.Name == "println") {
					found = append(found, p.violation(call.Pos(), "%s writes to standard error", name.Name))
				}
			}
			return true
		})
	}
	return found
}

var (
	floatTypes = []string{"float32", "float64", "complex64", "complex128"}
	floatCalls = []string{"ParseFloat", "InexactFloat64", "Float64", "Float32", "NewFromFloat", "NewFromFloat32", "NewFromFloatWithExponent", "SetFloat64", "NewFloat"}
)

// floats yields every place below a node where floating point comes in.
func floats(n ast.Node, each func(at token.Pos, what string)) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			if slices.Contains(floatTypes, n.Name) {
				each(n.Pos(), n.Name)
			}
		case *ast.BasicLit:
			if n.Kind == token.FLOAT || n.Kind == token.IMAG {
				each(n.Pos(), n.Value)
			}
		case *ast.SelectorExpr:
			x, isIdent := n.X.(*ast.Ident)
			if slices.Contains(floatCalls, n.Sel.Name) || isIdent && x.Name == "big" && n.Sel.Name == "Float" {
				each(n.Pos(), n.Sel.Name)
			}
		}
		return true
	})
}

// checkFloats keeps floating point out of every package that handles amounts. reports/xlsx may turn an amount into a
// float in one function, since a spreadsheet's numbers are floats; column widths are floats there too, as plain
// conversions float64(x) and literals.
func checkFloats(p housePackage) []string {
	if !p.in("schema", "normalize", "reconcile", "reports", "pipeline") {
		return nil
	}
	var found []string
	makers := map[string]bool{}
	for _, f := range p.files {
		for _, decl := range f.ast.Decls {
			fn, isFunc := decl.(*ast.FuncDecl)
			floats(decl, func(at token.Pos, what string) {
				switch {
				case !p.in("reports/xlsx"):
					found = append(found, p.violation(at, "%s: no floating point in %s", what, p.dir))
				case f.test:
				case !isFunc:
					found = append(found, p.violation(at, "%s: no floating point outside the cell function", what))
				case slices.Contains(floatCalls, what):
					if makers[fn.Name.Name] = true; len(makers) > 1 {
						found = append(found, p.violation(at, "%s: a second function makes floats of amounts", what))
					}
				}
			})
		}
	}
	return found
}

func checkInterfaces(p housePackage) []string {
	local := map[string]*ast.InterfaceType{}
	for _, f := range p.files {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if it, ok := spec.Type.(*ast.InterfaceType); ok {
					local[spec.Name.Name] = it
				}
			}
			return true
		})
	}
	var methods func(it *ast.InterfaceType) int
	methods = func(it *ast.InterfaceType) int {
		n := 0
		for _, field := range it.Methods.List {
			name, isName := field.Type.(*ast.Ident)
			switch {
			case len(field.Names) > 0:
				n += len(field.Names)
			case isName && local[name.Name] != nil:
				n += methods(local[name.Name])
			}
		}
		return n
	}
	var found []string
	for _, name := range slices.Sorted(maps.Keys(local)) {
		n := methods(local[name])
		if ast.IsExported(name) && n > 3 {
			found = append(found, p.violation(local[name].Pos(), "interface %s has %d methods; three are the most that may be asked for", name, n))
		}
	}
	return found
}

func checkGlobals(p housePackage) []string {
	var found []string
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	var files []*ast.File
	for _, f := range p.files {
		if f.test {
			continue
		}
		files = append(files, f.ast)
		for _, decl := range f.ast.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if decl.Recv == nil && decl.Name.Name == "init" {
					found = append(found, p.violation(decl.Pos(), "func init works behind the reader's back"))
				}
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					if v, ok := spec.(*ast.ValueSpec); ok && decl.Tok == token.VAR && !isConstantTable(decl, v) {
						found = append(found, p.violation(v.Pos(), "%s is made to be changed", v.Names[0].Name))
					}
				}
			}
		}
	}
	// Imports are not resolved, so this reports errors; what a name of this package means is known all the same.
	conf := types.Config{Error: func(error) {}, Importer: noImports{}}
	pkg, _ := conf.Check(p.dir, p.fset, files, info)
	isGlobal := func(e ast.Expr) bool {
		for {
			switch x := e.(type) {
			case *ast.IndexExpr:
				e = x.X
			case *ast.SelectorExpr:
				e = x.X
			case *ast.ParenExpr:
				e = x.X
			case *ast.StarExpr:
				e = x.X
			case *ast.Ident:
				v, ok := info.Uses[x].(*types.Var)
				return ok && pkg != nil && v.Parent() == pkg.Scope()
			default:
				return false
			}
		}
	}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			var changed []ast.Expr
			switch n := n.(type) {
			case *ast.AssignStmt:
				if n.Tok != token.DEFINE {
					changed = n.Lhs
				}
			case *ast.IncDecStmt:
				changed = []ast.Expr{n.X}
			case *ast.UnaryExpr:
				if n.Op == token.AND {
					changed = []ast.Expr{n.X}
				}
			case *ast.CallExpr:
				if name, ok := n.Fun.(*ast.Ident); ok && len(n.Args) > 0 && (name.Name == "delete" || name.Name == "clear") {
					changed = n.Args[:1]
				}
			}
			for _, e := range changed {
				if isGlobal(e) {
					found = append(found, p.violation(e.Pos(), "a package variable is changed"))
				}
			}
			return true
		})
	}
	return found
}

// isConstantTable says whether a package variable looks like something that stays as it is: an error, a pattern, a filled
// table, an embedded file, an assertion.
func isConstantTable(decl *ast.GenDecl, v *ast.ValueSpec) bool {
	if v.Names[0].Name == "_" {
		return true
	}
	for _, doc := range []*ast.CommentGroup{decl.Doc, v.Doc} {
		if doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") }) {
			return true
		}
	}
	if len(v.Values) == 0 {
		return false
	}
	return !slices.ContainsFunc(v.Values, func(e ast.Expr) bool {
		if u, ok := e.(*ast.UnaryExpr); ok && u.Op == token.AND {
			return true
		}
		switch e := e.(type) {
		case *ast.CallExpr:
			name, ok := e.Fun.(*ast.Ident)
			return ok && (name.Name == "make" || name.Name == "new")
		case *ast.CompositeLit:
			if s, ok := e.Type.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && (x.Name == "sync" || x.Name == "atomic") {
					return true
				}
			}
			return len(e.Elts) == 0
		}
		return false
	})
}

type noImports struct{}

func (noImports) Import(path string) (*types.Package, error) {
	return nil, fmt.Errorf("%s is not looked at", path)
}

func checkNames(p housePackage) []string {
	var found []string
	for _, f := range p.files {
		switch f.ast.Name.Name {
		case "util", "utils", "common", "helpers", "helper", "models", "types", "misc", "shared":
			found = append(found, p.violation(f.ast.Pos(), "package %s says nothing about what it is for", f.ast.Name.Name))
		}
	}
	return found
}

// parsePackages reads every Go file below the root, by folder.
func parsePackages(t *testing.T) []housePackage {
	t.Helper()
	byDir := map[string]*housePackage{}
	err := filepath.WalkDir(repoRoot, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(repoRoot, file)
		if err != nil {
			return err
		}
		if d.IsDir() && file != repoRoot && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || slices.Contains(buildOutput, rel)) {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(file) != ".go" {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		dir := path.Dir(filepath.ToSlash(rel))
		if byDir[dir] == nil {
			byDir[dir] = &housePackage{dir: dir, fset: token.NewFileSet()}
		}
		return byDir[dir].add(filepath.ToSlash(rel), string(text))
	})
	if err != nil {
		t.Fatal(err)
	}
	var all []housePackage
	for _, dir := range slices.Sorted(maps.Keys(byDir)) {
		all = append(all, *byDir[dir])
	}
	return all
}

func (p *housePackage) add(file, text string) error {
	parsed, err := parser.ParseFile(p.fset, file, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return fmt.Errorf("parse %s: %w", file, err)
	}
	test := strings.HasSuffix(file, "_test.go") || p.dir == "extract/extracttest"
	p.files = append(p.files, houseFile{name: path.Base(file), test: test, ast: parsed})
	return nil
}

func TestHouse(t *testing.T) {
	packages := parsePackages(t)
	if len(packages) < 8 {
		t.Fatalf("only %d packages found below %s", len(packages), repoRoot)
	}
	for _, rule := range houseRules() {
		t.Run(rule.name, func(t *testing.T) {
			for _, p := range packages {
				for _, v := range rule.check(p) {
					t.Error(v)
				}
			}
		})
	}
}

func TestHouse_EveryRuleCanFail(t *testing.T) {
	check := func(t *testing.T, rule houseRule, f fixture) []string {
		t.Helper()
		p := &housePackage{dir: path.Dir(f.file), fset: token.NewFileSet()}
		if err := p.add(f.file, f.source); err != nil {
			t.Fatal(err)
		}
		return rule.check(*p)
	}
	for _, rule := range houseRules() {
		t.Run(rule.name, func(t *testing.T) {
			for _, f := range rule.breaks {
				if len(check(t, rule, f)) == 0 {
					t.Errorf("%s passes:\n%s", f.file, f.source)
				}
			}
			for _, f := range rule.keeps {
				if got := check(t, rule, f); len(got) > 0 {
					t.Errorf("%s is refused:\n%s\n%s", f.file, f.source, strings.Join(got, "\n"))
				}
			}
		})
	}
}

// buildOutput is what building, demonstrating and testing leave at the top; git ignores it.
var buildOutput = []string{"bin", "demo", "tieout", "tieout.exe", "cover.out"}

var topLevel = []string{
	"go.mod", "go.sum", "cmd", "pipeline", "extract", "normalize", "reconcile", "reports", "schema", "testdata",
	"Makefile", "README.md", "CHANGELOG.md", "LICENSE",
}

// strangers is what stands at the top of the repository and does not belong there.
func strangers(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return strings.HasPrefix(name, ".") || slices.Contains(topLevel, name) || slices.Contains(buildOutput, name)
	})
}

func TestHouse_TopLevel(t *testing.T) {
	if got := strangers([]string{"cmd", "README.md", ".ci", "bin", "internal", "pkg"}); !slices.Equal(got, []string{"internal", "pkg"}) {
		t.Fatalf("the rule cannot fail: %q", got)
	}
	entries, err := os.ReadDir(repoRoot)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strangers(names); len(got) > 0 {
		t.Errorf("at the top of the repository: %q", got)
	}
}

// undocumented is every name that a text does not hold between backquotes or, for keys, before a colon.
func undocumented(readme string, commands, codes, keys []string) []string {
	var missing []string
	for _, c := range commands {
		if !strings.Contains(readme, "`tieout "+c+"`") && !strings.Contains(readme, "`tieout "+c+" ") {
			missing = append(missing, "command "+c)
		}
	}
	for _, c := range codes {
		if !strings.Contains(readme, "`"+c+"`") {
			missing = append(missing, "check code "+c)
		}
	}
	for _, k := range keys {
		if !strings.Contains(readme, "`"+k+"`") && !strings.Contains(readme, k+":") {
			missing = append(missing, "configuration key "+k)
		}
	}
	return missing
}

func TestHouse_ReadmeNamesEverything(t *testing.T) {
	if got := undocumented("`tieout sync`", []string{"sync", "backfill"}, []string{"a-b"}, []string{"c"}); len(got) != 3 {
		t.Fatalf("the rule cannot fail: %q", got)
	}
	text, err := os.ReadFile(filepath.Join(repoRoot, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	root, _ := (&app{}).root()
	var commands []string
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if !sub.HasSubCommands() {
				commands = append(commands, strings.TrimPrefix(sub.CommandPath(), root.Name()+" "))
			}
			walk(sub)
		}
	}
	walk(root)
	if len(commands) < 10 {
		t.Fatalf("only these commands were found: %q", commands)
	}
	var codes []string
	for _, c := range findingCodes {
		codes = append(codes, string(c))
	}
	for _, missing := range undocumented(string(text), commands, codes, slices.Sorted(maps.Keys(allConfigKeys()))) {
		t.Errorf("README.md does not name the %s", missing)
	}
}
