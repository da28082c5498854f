package hclspec

import (
	"maps"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"collect/hclspec/internal/bounded"
	"collect/hclspec/internal/diag"
	"collect/hclspec/internal/functions"
	"collect/hclspec/internal/machine"
	"collect/hclspec/internal/syntax"
	"collect/hclspec/internal/topology"
	"collect/hclspec/internal/version"
	"collect/hclspec/schema"
)

// loader turns files into a Config. Everything is evaluated when it is first asked for and remembered, so the order of blocks
// does not matter and nothing is evaluated twice.
type loader struct {
	opts  Options
	cfg   *Config
	diags hcl.Diagnostics

	collect   *hclsyntax.Block
	vars      map[string]*variable
	locals    map[string]*local
	outputs   []*hclsyntax.Block
	providers map[providerKey]*provider
	topics    map[string]*resource
	agents    map[string]*resource

	installed bool      // the collect block is evaluated
	path      cty.Value // path.*
	funcs     map[string]function.Function
	base      *hcl.EvalContext
	machine   *machine.Machine
	stack     []step // what is being evaluated, for cycles
	missing   string // an example of a value that is not known
	graph     *topology.Graph
	limits    bounded.Limits
	meter     *bounded.Meter
	tooMuch   bool // everything together is too large, and that is said
	unread    bool // a file of values cannot be read
	blocks    int  // that count, for_each and dynamic have made
	memos     memo
}

// memo holds values that are built once.
type memo struct {
	topics, agents cty.Value
	settings       map[schema.Kind]*schema.Block
}

// Load reads a configuration. The Config is never nil and holds at least Files; it may be used only when there is no error.
func Load(o Options) (*Config, hcl.Diagnostics) {
	l := newLoader(o)
	l.load()
	if l.blocks > l.limits.Blocks {
		l.diags = onlyTooLarge(l.diags)
	}
	l.cfg.Incomplete = l.cfg.Incomplete || l.machine.Incomplete
	if l.cfg.Incomplete {
		l.warn(hcl.Range{}, "Not everything could be checked", "Some values are not known here%s. What depends on them is checked when they are.", l.missing)
	}
	l.cfg.OutsideReads = l.machine.Outside()
	if len(l.cfg.OutsideReads) > 0 && (o.Partial || l.diags.HasErrors()) { // no plan will list them
		l.warn(hcl.Range{}, "Files outside of the directory", "This configuration reads files outside of %s: %s.", l.cfg.Root, strings.Join(l.cfg.OutsideReads, ", "))
	}
	return l.cfg, diag.Sorted(l.diags)
}

func newLoader(o Options) *loader {
	limits := bounded.Usual()
	if o.limits != nil {
		limits = *o.limits
	}
	l := &loader{
		opts:      o,
		cfg:       &Config{Root: o.Dir, Files: map[string]*hcl.File{}},
		vars:      map[string]*variable{},
		locals:    map[string]*local{},
		providers: map[providerKey]*provider{},
		topics:    map[string]*resource{},
		agents:    map[string]*resource{},
		limits:    limits,
		meter:     bounded.New(limits),
	}
	l.graph = topology.New(l.settingsOf)
	l.machine = machine.New(o.Environ, o.Partial, l.meter)
	l.funcs = l.functions()
	l.meter.Functions = l.funcs
	l.base = &hcl.EvalContext{Functions: l.funcs}
	return l
}

// functions gives the functions that exist before anything runs.
func (l *loader) functions() map[string]function.Function {
	out := maps.Clone(functions.CtyTable())
	l.machine.AddFunctions(out)
	for name, f := range out {
		if cost := functions.Cost(name); cost != nil {
			out[name] = l.meter.Costly(f, cost)
		}
	}
	return out
}

func (l *loader) load() {
	root, err := rootDir(l.opts.Dir)
	if err != nil {
		l.fail(hcl.Range{}, "Directory cannot be read", "The configuration's directory %s cannot be read: %s.", l.opts.Dir, syntax.Cause(err))
		return
	}
	l.cfg.Root, l.machine.Root = root, root
	bodies := l.readFiles()
	for _, b := range bodies {
		l.declare(b)
	}
	if len(l.cfg.Files) == 0 {
		return
	}
	if l.diags.HasErrors() && !l.complete(bodies) {
		return // names of a file that does not parse would all be reported as undeclared
	}
	l.giveValues()
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
	for _, name := range sortedKeys(l.vars) {
		l.vars[name].get(l)
	}
	l.inOrder()
	for _, k := range sortedProviders(l.providers) {
		l.providers[k].get(l)
	}
	for _, name := range sortedKeys(l.topics) {
		for _, inst := range l.topics[name].expand(l) {
			l.buildTopic(inst)
		}
	}
	for _, name := range sortedKeys(l.agents) {
		for _, inst := range l.agents[name].expand(l) {
			l.buildAgent(inst)
		}
	}
	l.finishProviders()
	l.diags = append(l.diags, l.graph.Check()...)
	l.evaluateOutputs()
	sort.Slice(l.cfg.Agents, func(i, j int) bool { return l.cfg.Agents[i].Spec.Address < l.cfg.Agents[j].Spec.Address })
	sort.Slice(l.cfg.Topics, func(i, j int) bool { return l.cfg.Topics[i].Address < l.cfg.Topics[j].Address })
	l.cfg.Edges = l.graph.Edges()
}

var nameOfInstallation = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// collectSettings is the collect block.
type collectSettings struct {
	Name            string `collect:"name" doc:"Name of the installation; the directory's name when not given."`
	DataDir         string `collect:"data_dir" doc:"Directory for undelivered events, positions and state."`
	RequiredVersion string `collect:"required_version" doc:"Versions of this program that the configuration works with."`
	TimeZone        string `collect:"time_zone" doc:"Time zone of schedules, such as \"Asia/Seoul\"; without it they are in UTC. Times of events are UTC in any case: intimezone(event.time, ZONE) gives local time."`
}

// checkVersion holds this program's version against required_version.
func (l *loader) checkVersion(want string, at hcl.Range) {
	if want == "" {
		return
	}
	fits, err := version.Fits(l.opts.Version, want)
	switch {
	case err != nil:
		l.fail(at, "Invalid version", "%s.", err)
	case !fits:
		l.fail(at, "Wrong version of collect", "The configuration asks for collect %s; this is %s.", want, l.opts.Version)
	}
}

func collectBlock() *schema.Block { return schema.Of(collectSettings{}) }

// installation evaluates the collect block, which names the installation, and settles path.*.
func (l *loader) installation() {
	if l.installed {
		return
	}
	l.installed = true
	l.cfg.Name = filepath.Base(l.cfg.Root)
	var set collectSettings
	at := hcl.Range{}
	if b := l.collect; b != nil {
		at = b.DefRange()
		sc := &scope{label: "collect"}
		d := &decoding{l: l, sc: sc, what: "collect block", plain: true}
		c := d.block(l.contents(b.Body, sc), part{block: collectBlock()})
		_ = schema.Decode(c[0], nil, &set) // the types are right already
		l.checkVersion(set.RequiredVersion, attrRange(b.Body, "required_version"))
	}
	if set.Name != "" {
		l.cfg.Name, l.cfg.NameDeclared, at = set.Name, true, attrRange(l.collect.Body, "name")
	}
	if !nameOfInstallation.MatchString(l.cfg.Name) {
		l.fail(at, "Invalid name of the installation",
			"%q cannot name an installation. Declare a name of letters, digits, \".\", \"_\" and \"-\": collect { name = \"cars\" }.", l.cfg.Name)
	}
	if set.TimeZone != "" {
		if _, err := time.LoadLocation(set.TimeZone); err != nil {
			l.fail(attrRange(l.collect.Body, "time_zone"), "Unknown time zone", "%q is not a time zone. Write a name such as \"UTC\" or \"Asia/Seoul\".", set.TimeZone)
		}
	}
	l.cfg.TimeZone = set.TimeZone
	l.dataDir(set.DataDir, at)
}

func (l *loader) dataDir(declared string, at hcl.Range) {
	if l.opts.DataDir != nil {
		dir, err := l.opts.DataDir(l.cfg.Name, declared)
		if err != nil {
			l.fail(at, "Data directory cannot be used", "%s.", err)
		}
		l.cfg.DataDir = dir
	} else {
		l.cfg.DataDir = declared
	}
	cwd, err := filepath.Abs(".")
	if err != nil {
		cwd = l.cfg.Root
	}
	l.path = cty.ObjectVal(map[string]cty.Value{
		"root": cty.StringVal(l.cfg.Root),
		"data": cty.StringVal(filepath.Join(l.cfg.DataDir, "work")),
		"cwd":  cty.StringVal(cwd),
	})
}

func attrRange(b *hclsyntax.Body, name string) hcl.Range {
	if a := b.Attributes[name]; a != nil {
		return a.Expr.Range()
	}
	return b.MissingItemRange()
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
