package hclspec

import (
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"collect/hclspec/internal/assembly"
	"collect/hclspec/internal/bounded"
	"collect/hclspec/internal/decode"
	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/names"
	"collect/hclspec/internal/reading"
	"collect/hclspec/internal/sorted"
	"collect/hclspec/internal/syntax"
)

// loader turns files into a Config.
type loader struct {
	*assembly.Builder
	opts Options
	cfg  *Config

	collect   *hclsyntax.Block
	outputs   []*hclsyntax.Block
	installed bool      // the collect block is evaluated
	path      cty.Value // path.*, after that
}

// Load reads a configuration. The Config is never nil and holds at least Files; it may be used only when there is no error.
func Load(o Options) (*Config, hcl.Diagnostics) {
	l := newLoader(o)
	l.load()
	if l.Blocks > l.Limits.Blocks {
		l.Diags = reading.OnlyTooLarge(l.Diags)
	}
	l.cfg.Incomplete = l.Incomplete || l.Machine.Incomplete
	if l.cfg.Incomplete {
		l.Warn(hcl.Range{}, "Not everything could be checked", "Some values are not known here%s. What depends on them is checked when they are.", l.Missing)
	}
	l.cfg.OutsideReads = l.Machine.Outside()
	if len(l.cfg.OutsideReads) > 0 && (o.Partial || l.Diags.HasErrors()) { // no plan will list them
		l.Warn(hcl.Range{}, "Files outside of the directory", "This configuration reads files outside of %s: %s.", l.cfg.Root, strings.Join(l.cfg.OutsideReads, ", "))
	}
	return l.cfg, diag.Sorted(l.Diags)
}

func newLoader(o Options) *loader {
	limits := bounded.Usual()
	if o.limits != nil {
		limits = *o.limits
	}
	rd := reading.New(o.Environ, o.Partial, limits)
	l := &loader{opts: o, cfg: &Config{Root: o.Dir, Files: rd.Files}}
	ns := names.New(rd, o.Types, func() cty.Value {
		l.installation()
		return l.path
	})
	l.Builder = assembly.New(&decode.Decoder{Names: ns, Root: o.Dir, Fingerprint: o.Fingerprint})
	return l
}

func (l *loader) load() {
	root, err := rootDir(l.opts.Dir)
	if err != nil {
		l.Fail(hcl.Range{}, "Directory cannot be read", "The configuration's directory %s cannot be read: %s.", l.opts.Dir, syntax.Cause(err))
		return
	}
	l.cfg.Root, l.Root, l.Machine.Root = root, root, root
	bodies := l.readFiles()
	for _, b := range bodies {
		l.declare(b)
	}
	if len(l.cfg.Files) == 0 {
		return
	}
	if l.Diags.HasErrors() && !l.complete(bodies) {
		return // names of a file that does not parse would all be reported as undeclared
	}
	l.Variables.Give(l.opts.Values)
	l.installation()
	l.evaluate()
}

// complete says whether all files could be parsed.
func (l *loader) complete(bodies []*hclsyntax.Body) bool {
	n := 0
	for name := range l.cfg.Files {
		if isConfig(filepath.Base(name)) {
			n++
		}
	}
	return n == len(bodies)
}

// evaluate goes through everything that is declared, in a fixed order.
func (l *loader) evaluate() {
	for _, name := range sorted.Keys(l.Variables.ByName) {
		l.Variables.ByName[name].Get(l.Variables)
	}
	l.InOrder()
	built := l.All()
	l.cfg.Providers, l.cfg.Topics, l.cfg.Agents, l.cfg.Edges = built.Providers, built.Topics, built.Agents, built.Edges
	l.evaluateOutputs()
}
