package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "collect"

// layers says which of our packages a package may import. The first row that matches the importer counts; "x/**" is x and
// everything below it. A red test means that code stands in the wrong room; a change of this table needs an ADR.
var layers = []struct {
	importer string
	may      []string
}{
	{"testdata/**", []string{"**"}},
	{"", []string{"planner/cli", "planner/agents", "planner/render", "planner/resource", "providers", "providers/topic", "providers/devbroker", "runtime/agent", "runtime/supervisor", "runtime/supervisor/api", "hclspec/schema", "runtime/flow", "runtime/flow/host", "runtime/pipeline/registry"}},

	{"hclspec/schema", nil},
	{"hclspec/internal/value", []string{"hclspec/internal/datetime", "hclspec/internal/jsontext", "hclspec/internal/number"}},
	{"hclspec/internal/closure", []string{"hclspec/internal/datetime", "hclspec/internal/value"}},
	{"hclspec/internal/compile", []string{"hclspec/schema", "hclspec/internal/closure", "hclspec/internal/constant", "hclspec/internal/datetime", "hclspec/internal/diag", "hclspec/internal/functions", "hclspec/internal/printer", "hclspec/internal/value"}},
	{"hclspec/internal/native", []string{"hclspec/internal/closure", "hclspec/internal/compile", "hclspec/internal/constant", "hclspec/internal/datetime", "hclspec/internal/diag", "hclspec/internal/functions", "hclspec/internal/grapheme", "hclspec/internal/jsontext", "hclspec/internal/pattern", "hclspec/internal/value"}},
	{"hclspec/internal/machine", []string{"hclspec/internal/bounded", "hclspec/internal/diag", "hclspec/internal/functions", "hclspec/internal/syntax"}},
	{"hclspec/internal/syntax", []string{"hclspec/internal/diag"}},
	{"hclspec/internal/topology", []string{"hclspec/schema", "hclspec/internal/diag", "hclspec/internal/digraph"}},
	{"hclspec/internal/ref", []string{"hclspec/schema", "hclspec/internal/functions"}},
	{"hclspec/internal/reading", []string{"hclspec/internal/bounded", "hclspec/internal/diag", "hclspec/internal/machine", "hclspec/internal/ref", "hclspec/internal/syntax"}},
	{"hclspec/internal/variable", []string{"hclspec/internal/diag", "hclspec/internal/functions", "hclspec/internal/reading", "hclspec/internal/ref", "hclspec/internal/sorted", "hclspec/internal/syntax"}},
	{"hclspec/internal/names", []string{"hclspec/schema", "hclspec/expr", "hclspec/internal/diag", "hclspec/internal/functions", "hclspec/internal/reading", "hclspec/internal/ref", "hclspec/internal/sorted", "hclspec/internal/topology", "hclspec/internal/variable"}},
	{"hclspec/internal/decode", []string{"hclspec/schema", "hclspec/expr", "hclspec/internal/diag", "hclspec/internal/names", "hclspec/internal/ref", "hclspec/internal/sorted", "hclspec/internal/syntax"}},
	{"hclspec/internal/assembly", []string{"hclspec/schema", "hclspec/expr", "hclspec/internal/decode", "hclspec/internal/diag", "hclspec/internal/names", "hclspec/internal/reading", "hclspec/internal/ref", "hclspec/internal/sorted", "hclspec/internal/topology"}},
	{"hclspec/internal/pattern", []string{"hclspec/internal/scan"}},
	{"hclspec/internal/constant", []string{"hclspec/internal/number"}},
	{"hclspec/internal/printer", []string{"hclspec/internal/constant"}},
	{"hclspec/internal/functions", []string{"hclspec/schema", "hclspec/internal/bounded", "hclspec/internal/constant", "hclspec/internal/datetime", "hclspec/internal/grapheme", "hclspec/internal/jsontext", "hclspec/internal/pattern"}},
	{"hclspec/internal/**", []string{"hclspec/schema"}},
	{"hclspec/expr", []string{"hclspec/schema", "hclspec/internal/**"}},
	{"hclspec", []string{"hclspec/schema", "hclspec/expr", "hclspec/internal/**"}},

	{"planner/graph", nil},
	{"planner/resource", []string{"hclspec/schema"}},
	{"planner/state", []string{"planner/resource", "hclspec/schema"}},
	{"planner/agents/internal/anatomy", []string{"planner/resource", "hclspec/schema"}},
	{"planner/agents", []string{"planner/agents/internal/anatomy", "planner/resource", "runtime/supervisor/api", "hclspec/schema"}},
	{"planner/render", []string{"planner", "planner/resource", "planner/state", "hclspec", "hclspec/schema", "runtime/supervisor/api"}},
	{"planner/cli/internal/words", nil},
	{"planner/cli/internal/tfjson", []string{"planner", "planner/resource", "planner/state", "planner/render", "planner/cli/internal/words"}},
	{"planner/cli/internal/call", []string{"hclspec", "hclspec/schema", "planner", "planner/resource", "planner/state", "planner/render", "planner/cli/internal/tfjson", "planner/cli/internal/words", "runtime/supervisor", "runtime/supervisor/api"}},
	{"planner/cli/internal/**", []string{"hclspec", "hclspec/schema", "planner", "planner/resource", "planner/state", "planner/graph", "planner/cli/internal/call", "planner/cli/internal/tfjson", "planner/cli/internal/words", "runtime/supervisor", "runtime/supervisor/api"}},
	{"planner/cli", []string{"hclspec", "hclspec/schema", "planner", "planner/resource", "planner/render", "planner/state", "planner/cli/internal/**", "runtime/supervisor", "runtime/supervisor/api"}},
	{"planner", []string{"hclspec", "hclspec/schema", "planner/resource", "planner/graph", "planner/state"}},

	{"runtime/flow", nil},
	{"runtime/flow/host", []string{"runtime/flow"}},
	{"runtime/supervisor/api", []string{"hclspec/schema"}},
	{"runtime/supervisor/internal/process", []string{"runtime/supervisor/api"}},
	{"runtime/pipeline/internal/guard", nil},
	{"runtime/pipeline/internal/wait", []string{"runtime/flow"}},
	{"runtime/pipeline/internal/datadir", []string{"runtime/flow"}},
	{"runtime/pipeline/internal/counters", []string{"runtime/flow", "runtime/supervisor/api"}},
	{"runtime/pipeline/internal/deadletter", []string{"runtime/flow"}},
	{"runtime/pipeline/internal/position", []string{"runtime/flow", "runtime/pipeline/internal/wait", "runtime/pipeline/internal/datadir"}},
	{"runtime/pipeline/internal/route", []string{"hclspec/schema", "hclspec/expr", "runtime/flow"}},
	{"runtime/pipeline/internal/channel", []string{"runtime/flow", "runtime/pipeline/internal/datadir", "runtime/pipeline/internal/guard", "runtime/pipeline/internal/wait"}},
	{"runtime/pipeline/internal/emit", []string{"runtime/flow", "runtime/pipeline/internal/channel", "runtime/pipeline/internal/counters", "runtime/pipeline/internal/deadletter", "runtime/pipeline/internal/guard", "runtime/pipeline/internal/position", "runtime/pipeline/internal/route", "runtime/pipeline/internal/wait"}},
	{"runtime/pipeline/internal/deliver", []string{"runtime/flow", "runtime/pipeline/internal/channel", "runtime/pipeline/internal/counters", "runtime/pipeline/internal/deadletter", "runtime/pipeline/internal/guard", "runtime/pipeline/internal/wait"}},
	{"runtime/pipeline/internal/design", []string{"hclspec/schema", "runtime/pipeline/registry", "runtime/pipeline/internal/route"}},
	{"runtime/pipeline/registry", []string{"hclspec/schema", "runtime/flow", "runtime/pipeline/internal/guard"}},
	{"runtime/pipeline/orphan", []string{"runtime/flow", "runtime/supervisor/api", "runtime/pipeline/registry", "runtime/pipeline/internal/datadir"}},
	{"runtime/pipeline", []string{"hclspec/schema", "runtime/flow", "runtime/supervisor/api", "runtime/pipeline/**"}},

	{"runtime/channel/disk/internal/frame", []string{"runtime/flow"}},
	{"runtime/channel/disk/internal/position", []string{"runtime/channel/disk/internal/frame"}},
	{"runtime/channel/disk/internal/segment", []string{"runtime/flow", "runtime/channel/disk/internal/frame"}},
	{"runtime/channel/disk/internal/cursor", []string{"runtime/flow", "runtime/channel/disk/internal/segment"}},
	{"runtime/channel/disk/internal/recovery", []string{"runtime/flow", "runtime/channel/disk/internal/cursor", "runtime/channel/disk/internal/frame", "runtime/channel/disk/internal/segment"}},
	{"runtime/channel/disk/inspect", []string{"runtime/flow", "runtime/channel/disk/internal/**"}},
	{"runtime/channel/disk", []string{"hclspec/schema", "runtime/flow", "runtime/channel/internal/room", "runtime/channel/disk/internal/**"}},

	{"runtime/**", []string{"hclspec/schema", "hclspec/expr", "runtime/**"}},

	{"providers", []string{"providers/**", "runtime/pipeline/registry", "runtime/channel/**", "hclspec/schema", "runtime/flow"}},
	{"providers/providertest", []string{"hclspec/schema", "hclspec/expr", "runtime/flow", "runtime/flow/host", "runtime/channel/**"}},
	{"providers/internal/roll/internal/journal", []string{"runtime/flow"}},
	{"providers/**", []string{"runtime/flow", "runtime/transport", "planner/resource", "hclspec/schema", "hclspec/expr", "providers/internal/**"}},
}

// testsMay is allowed to the tests of every package besides: the real machine, the suites and the servers.
var testsMay = []string{"runtime/flow/host", "runtime/flow", "runtime/sim", "runtime/pipeline", "runtime/pipeline/registry", "runtime/channel/**", "providers/providertest", "providers", "providers/**", "hclspec/schema", "hclspec", "hclspec/expr", "testdata/servertest", "planner/resource", "runtime/supervisor/api"}

func TestImportsFollowTheLayers(t *testing.T) {
	eachFile(t, func(file string, f *ast.File, _ *token.FileSet) {
		pkg := packageOf(file)
		for _, imp := range f.Imports {
			target, ours := strings.CutPrefix(importPath(imp), module+"/")
			if !ours || target == pkg {
				continue
			}
			if isTest := strings.HasSuffix(file, "_test.go"); isTest && matchAny(testsMay, target) {
				continue
			}
			if !allowed(pkg, target) {
				t.Errorf("%s: package %q must not import %q", file, pkg, target)
			}
		}
	})
}

func TestProvidersDoNotImportEachOther(t *testing.T) {
	eachFile(t, func(file string, f *ast.File, _ *token.FileSet) {
		pkg := packageOf(file)
		if !strings.HasPrefix(pkg, "providers/") || strings.HasSuffix(file, "_test.go") {
			return
		}
		for _, imp := range f.Imports {
			target, _ := strings.CutPrefix(importPath(imp), module+"/")
			one, ok := strings.CutPrefix(target, "providers/")
			if ok && !strings.HasPrefix(one, "internal/") && !strings.HasPrefix(pkg, target) && pkg != "providers/providertest" {
				t.Errorf("%s: a component must not import another: %q", file, target)
			}
		}
	})
}

// outside names what touches files, the network or randomness. In the data plane only the leaf runtime/flow/host may.
var outside = map[string][]string{
	"os":           {"Open", "OpenFile", "Create", "CreateTemp", "Mkdir", "MkdirAll", "MkdirTemp", "ReadFile", "WriteFile", "ReadDir", "Remove", "RemoveAll", "Rename", "Stat", "Lstat", "Truncate", "Link", "Symlink", "Chmod", "Chown", "OpenRoot", "DirFS"},
	"net":          {"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialUnix", "Listen", "ListenTCP", "ListenUDP", "ListenUnix", "ListenPacket", "Dialer", "ListenConfig"},
	"syscall":      {"Open", "Openat", "Socket", "Rename", "Unlink", "Mkdir"},
	"math/rand":    {"*"},
	"crypto/rand":  {"*"},
	"math/rand/v2": {"Int", "IntN", "Int64", "Uint64", "Uint32", "Float64", "N", "Shuffle", "Perm"},
}

// processes are the packages that are about processes, locks and control sockets of this machine, not about events.
var processes = []string{"runtime/flow/host", "runtime/agent", "runtime/supervisor", "runtime/supervisor/**", "runtime/sim", "providers/devbroker", "providers/providertest"}

func TestTheDataPlaneTouchesTheMachineThroughItsSeams(t *testing.T) {
	eachFile(t, func(file string, f *ast.File, fset *token.FileSet) {
		pkg := packageOf(file)
		dataPlane := strings.HasPrefix(pkg, "runtime/") || strings.HasPrefix(pkg, "providers/")
		if !dataPlane || matchAny(processes, pkg) || strings.HasSuffix(file, "_test.go") {
			return
		}
		names := map[string]string{}
		for _, imp := range f.Imports {
			p := importPath(imp)
			name := path.Base(p)
			if p == "math/rand/v2" {
				name = "rand"
			}
			if imp.Name != nil {
				name = imp.Name.Name
			}
			names[name] = p
		}
		ast.Inspect(f, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			id, ok := sel.X.(*ast.Ident)
			if !ok || id.Obj != nil {
				return true
			}
			bad := outside[names[id.Name]]
			if slices.Contains(bad, sel.Sel.Name) || slices.Contains(bad, "*") {
				t.Errorf("%s: %s.%s goes around flow.Env", fset.Position(sel.Pos()), id.Name, sel.Sel.Name)
			}
			return true
		})
	})
}

// In the data plane a select has one data case at most, besides the end of a context, a timer and default: what is chosen
// among several ready ones is random, and a simulation could not repeat it.
func TestNoSelectWithTwoDataCases(t *testing.T) {
	eachFile(t, func(file string, f *ast.File, fset *token.FileSet) {
		pkg := packageOf(file)
		dataPlane := strings.HasPrefix(pkg, "runtime/") || strings.HasPrefix(pkg, "providers/")
		if !dataPlane || matchAny(processes, pkg) || strings.HasSuffix(file, "_test.go") {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectStmt)
			if !ok {
				return true
			}
			data := 0
			for _, c := range sel.Body.List {
				if isData(c.(*ast.CommClause).Comm) {
					data++
				}
			}
			if data > 1 {
				t.Errorf("%s: select with %d data cases", fset.Position(sel.Pos()), data)
			}
			return true
		})
	})
}

// isData says whether a case of a select carries data: not default, not the end of a context, not a timer.
func isData(comm ast.Stmt) bool {
	var recv ast.Expr
	switch s := comm.(type) {
	case nil:
		return false
	case *ast.ExprStmt:
		recv = s.X
	case *ast.AssignStmt:
		recv = s.Rhs[0]
	default:
		return true
	}
	from := recv.(*ast.UnaryExpr).X
	if call, ok := from.(*ast.CallExpr); ok {
		from = call.Fun
	}
	sel, ok := from.(*ast.SelectorExpr)
	return !ok || sel.Sel.Name != "Done" && sel.Sel.Name != "C" && sel.Sel.Name != "After"
}

func TestNoInitAndNoBlankImports(t *testing.T) {
	eachFile(t, func(file string, f *ast.File, fset *token.FileSet) {
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: no init functions", fset.Position(fn.Pos()))
			}
		}
		for _, imp := range f.Imports {
			if p := importPath(imp); imp.Name != nil && imp.Name.Name == "_" && p != "time/tzdata" && p != "embed" {
				t.Errorf("%s: no blank imports: %s", file, p)
			}
		}
	})
}

func eachFile(t *testing.T, visit func(file string, f *ast.File, fset *token.FileSet)) {
	t.Helper()
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && file != "." || file == "testdata/servers") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(file, ".go") {
			return nil
		}
		f, err := parser.ParseFile(fset, file, nil, parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("parse: %w", err)
		}
		visit(filepath.ToSlash(file), f, fset)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func packageOf(file string) string {
	if dir := path.Dir(file); dir != "." {
		return dir
	}
	return ""
}

func importPath(imp *ast.ImportSpec) string {
	p, err := strconv.Unquote(imp.Path.Value)
	if err != nil {
		return ""
	}
	return p
}

func allowed(pkg, target string) bool {
	for _, l := range layers {
		if match(l.importer, pkg) {
			return matchAny(l.may, target)
		}
	}
	return false
}

func matchAny(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(p, pkg) })
}

func match(pattern, pkg string) bool {
	if pattern == "**" {
		return true
	}
	if prefix, ok := strings.CutSuffix(pattern, "/**"); ok {
		return pkg == prefix || strings.HasPrefix(pkg, prefix+"/")
	}
	return pattern == pkg
}
