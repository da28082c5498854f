package planner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/hcl/v2"

	"collect/hclspec"
	"collect/planner/resource"
	"collect/planner/state"
)

// Options are what the user asked for.
type Options struct {
	Program         string // version of this program
	Installation    Installation
	Destroy         bool
	Targets         []string
	Excludes        []string
	Replace         []string
	NoRefresh       bool // topics are not read and not changed; agents always are
	ForgetPositions bool
	Confirmed       []string // addresses of losses that the user confirmed
	Now             time.Time
}

// builder makes one plan.
type builder struct {
	cfg     *hclspec.Config
	st      *state.State
	kinds   map[string]resource.Kind
	order   []string // names of kinds
	opt     Options
	plan    *Plan
	diags   hcl.Diagnostics
	wants   map[string]*wanted
	sorted  []*wanted
	sel     *selection
	lives   map[string]*resource.Live
	kindOf  map[string]string // of every address that is wanted, remembered or alive
	address []string          // all of them that the plan is about, sorted
}

// New compares a configuration with reality. It changes nothing. The plan is nil when there is an error.
func New(ctx context.Context, cfg *hclspec.Config, st *state.State, kinds []resource.Kind, o Options) (*Plan, hcl.Diagnostics) {
	b := &builder{cfg: cfg, st: st, kinds: map[string]resource.Kind{}, opt: o, wants: map[string]*wanted{}, lives: map[string]*resource.Live{}, kindOf: map[string]string{}}
	for _, k := range kinds {
		b.kinds[k.Name()] = k
		b.order = append(b.order, k.Name())
	}
	b.plan = &Plan{
		Version: PlanVersion, Program: o.Program, Created: o.Now.UTC().Truncate(time.Second), Installation: o.Installation, Destroy: o.Destroy,
		ForgetPositions: o.ForgetPositions, Targets: o.Targets, Excludes: o.Excludes, OutsideReads: cfg.OutsideReads, Serial: st.Serial,
		Objects: map[string]*resource.Object{}, DependsOn: map[string][]string{},
	}
	for _, step := range []func(context.Context){b.collect, b.read, b.checkFlags, b.diff, b.protect, b.steps, b.outputs} {
		step(ctx)
		if b.diags.HasErrors() {
			return nil, b.diags
		}
	}
	return b.plan, b.diags
}

func (b *builder) fail(summary, format string, args ...any) {
	b.diags = append(b.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...)})
}

// collect lists what is wanted and what is remembered, and what of it the plan is about.
func (b *builder) collect(context.Context) {
	if len(b.opt.Targets) > 0 && len(b.opt.Excludes) > 0 {
		b.fail("-target and -exclude together", "Give the objects that the plan is about with -target, or those that it leaves alone with -exclude, not both.")
		return
	}
	all, err := objectsOf(b.cfg)
	if err != nil {
		b.fail("Configuration cannot be planned", "%s.", err)
		return
	}
	b.sorted = all
	deps := map[string][]string{}
	for _, o := range b.st.Objects {
		b.kindOf[o.Address] = o.Kind
		deps[o.Address] = o.DependsOn
	}
	for _, w := range all {
		b.wants[w.Address] = w
		b.kindOf[w.Address] = w.Kind
		deps[w.Address] = w.DependsOn
		if len(w.DependsOn) > 0 {
			b.plan.DependsOn[w.Address] = w.DependsOn
		}
		if _, ok := b.kinds[w.Kind]; !ok {
			b.fail("Unknown kind of object", "%s cannot be planned: this program has no %q.", w.Address, w.Kind)
		}
	}
	b.sel = selectObjects(deps, b.opt)
}

// unread says that objects of a kind are left as they are, because of -refresh=false.
func (b *builder) unread(kind string) bool { return b.opt.NoRefresh && kind == KindTopic }

// read asks all kinds at the same time.
func (b *builder) read(ctx context.Context) {
	type answer struct {
		lives []*resource.Live
		err   error
	}
	answers := make([]answer, len(b.order))
	var wg sync.WaitGroup
	for i, name := range b.order {
		if b.unread(name) {
			continue
		}
		want, known := b.ofKind(name)
		wg.Go(func() {
			answers[i].lives, answers[i].err = b.kinds[name].Read(ctx, want, known)
		})
	}
	wg.Wait()
	for i, name := range b.order {
		if err := answers[i].err; err != nil {
			b.problem(fmt.Sprintf("Reading every %s", name), "", err)
		}
		for _, l := range answers[i].lives {
			b.lives[l.Address] = l
			b.kindOf[l.Address] = name
		}
	}
	for a := range b.kindOf {
		if b.sel.has(b.whole(a)) {
			b.address = append(b.address, a)
		}
	}
	sort.Slice(b.address, func(i, j int) bool {
		return before(b.kindOf[b.address[i]], b.address[i], b.kindOf[b.address[j]], b.address[j])
	})
}

// whole gives the object that an address is, or is a part of.
func (b *builder) whole(a string) string {
	if l := b.lives[a]; l != nil && l.Part != "" {
		return l.Part
	}
	return a
}

func (b *builder) ofKind(name string) (want []*resource.Object, known []*resource.Known) {
	for _, w := range b.sorted {
		if w.Kind == name && b.sel.has(w.Address) {
			want = append(want, w.Object)
		}
	}
	for i := range b.st.Objects {
		k := &b.st.Objects[i].Known
		if k.Kind != name || !b.sel.has(k.Address) || b.wants[k.Address] == nil && nameless(k) {
			continue
		}
		known = append(known, k)
	}
	return want, known
}

// nameless says that the creation of an object was begun, and that nobody could note what came of it.
func nameless(k *resource.Known) bool {
	return k != nil && k.Intent == resource.Create && len(k.Identity) == 0
}

// known gives what is remembered of an object. What exists where an apply was killed in the middle of making it is taken for what
// that apply made: it did not exist when that apply was planned.
func (b *builder) known(a string) *resource.Known {
	k, live := b.st.Known(a), b.lives[a]
	if !nameless(k) || live == nil || len(live.Identity) == 0 {
		return k
	}
	ours := *k
	ours.Identity = live.Identity
	return &ours
}

// problem reports an error of a kind at the place that it is about.
func (b *builder) problem(doing, address string, err error) {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range many.Unwrap() {
			b.problem(doing, address, one)
		}
		return
	}
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: doing + " was not possible", Detail: sentence(err.Error())}
	w := b.wants[address]
	path := ""
	var p *resource.Problem
	if errors.As(err, &p) {
		d.Summary, d.Detail, path = p.Summary, p.Detail, p.Path
	}
	if w != nil {
		if r, ok := w.ranges[path]; ok && r.Filename != "" {
			d.Subject = r.Ptr()
		} else if w.rng.Filename != "" {
			d.Subject = w.rng.Ptr()
		}
	}
	b.diags = append(b.diags, d)
}

// sentence makes a sentence of an error's text.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return s
	}
	if s[0] >= 'a' && s[0] <= 'z' {
		if word, _, _ := strings.Cut(s, " "); !strings.ContainsAny(word, "./:[\"") {
			s = string(s[0]-'a'+'A') + s[1:]
		}
	}
	if !strings.ContainsAny(s[len(s)-1:], ".!?") {
		s += "."
	}
	return s
}

// diff compares object by object.
func (b *builder) diff(ctx context.Context) {
	for _, a := range b.address {
		kind := b.kindOf[a]
		if b.unread(kind) {
			b.plan.NotRead = append(b.plan.NotRead, a)
			continue
		}
		if b.behindStoppedBroker(a, kind) {
			b.leave(a, kind)
			continue
		}
		c, err := b.compare(ctx, a, kind)
		switch {
		case err != nil:
			b.problem("Planning "+a, a, err)
		case unchanged(c) && c != nil && c.Note != "":
			b.plan.Notes = append(b.plan.Notes, Note{Address: a, Text: c.Note})
		case unchanged(c):
			if l := b.lives[a]; l != nil && l.Part == "" {
				b.plan.Unchanged = append(b.plan.Unchanged, a)
			}
		default:
			b.add(c, a, kind)
		}
	}
	sort.SliceStable(b.plan.Changes, func(i, j int) bool { return !last(b.plan.Changes[i]) && last(b.plan.Changes[j]) })
}

// behindStoppedBroker says that a topic lies in the development broker's data, which nobody can read while that does not run: after
// a boot, or after run. The broker stands before its topics in the order of objects, so its change is known by now.
func (b *builder) behindStoppedBroker(a, kind string) bool {
	live, known := b.lives[a], b.st.Known(a)
	if kind != KindTopic || known == nil || live != nil && live.Unread == "" || !slices.Contains(b.oldDeps(a), BrokerAddress) {
		return false
	}
	if w := b.wants[a]; w != nil && !b.opt.Destroy && !slices.Contains(w.DependsOn, BrokerAddress) {
		return false // it moves to other brokers, and those were asked
	}
	c := b.plan.Change(BrokerAddress)
	return c != nil && (c.Action == resource.Start || c.Action == resource.Delete)
}

// leave plans nothing for a topic that cannot be read: with its broker it goes, or it is compared once that runs.
func (b *builder) leave(a, kind string) {
	if b.plan.Change(BrokerAddress).Action == resource.Delete {
		b.add(&resource.Change{Action: resource.Forget, Reason: "it goes with the development broker"}, a, kind)
		return
	}
	b.plan.Warnings = append(b.plan.Warnings, a+" is compared once the development broker runs: plan again after this apply")
	b.plan.Unchanged = append(b.plan.Unchanged, a)
}

// last says that a change is shown after the others.
func last(c *resource.Change) bool { return c.Action == resource.Delete || c.Action == resource.Forget }

func (b *builder) compare(ctx context.Context, a, kind string) (*resource.Change, error) {
	k := b.kinds[kind]
	live, known := b.lives[a], b.known(a)
	var want *resource.Object
	if w := b.wants[a]; w != nil && !b.opt.Destroy {
		want = w.Object
	}
	if want == nil && live == nil {
		if known == nil {
			return nil, nil
		}
		reason := "it does not exist any more"
		if nameless(known) {
			reason = "its creation was interrupted"
		}
		return &resource.Change{Action: resource.Forget, Reason: reason}, nil
	}
	if k == nil {
		return nil, fmt.Errorf("this program has no kind %q", kind)
	}
	c, err := k.Diff(ctx, want, live, known, resource.DiffOptions{
		Replace: matchesAny(b.opt.Replace, a), Destroy: b.opt.Destroy, ForgetPositions: b.opt.ForgetPositions, Confirmed: b.opt.Confirmed,
	})
	if err == nil && unchanged(c) && want != nil && nameless(b.st.Known(a)) && known != nil && len(known.Identity) > 0 {
		return &resource.Change{Action: resource.Adopt, Reason: "an interrupted apply made it", Before: live.Have}, nil
	}
	return c, err
}

func unchanged(c *resource.Change) bool {
	return c == nil || c.Action == resource.NoOp || c.Action == ""
}

func (b *builder) add(c *resource.Change, a, kind string) {
	c.Address, c.Kind = a, kind
	c.Known = b.known(a)
	c.Pulled = b.sel.pulledBy(a)
	if l := b.lives[a]; l != nil {
		c.Basis = l.Basis
	}
	b.plan.Changes = append(b.plan.Changes, c)
}

// protect takes out what prevent_destroy keeps, and what that cannot do without.
func (b *builder) protect(context.Context) {
	why := map[string]string{}
	var work []string
	deleted := map[string]bool{}
	for _, c := range b.plan.Changes {
		if c.Action != resource.Delete {
			continue
		}
		deleted[c.Address] = true
		if w := b.wants[c.Address]; w != nil && w.PreventDestroy || w == nil && c.Known != nil && c.Known.Protect {
			why[c.Address] = "prevent_destroy"
			work = append(work, c.Address)
		}
	}
	if len(work) == 0 {
		return
	}
	for len(work) > 0 {
		a := work[0]
		work = work[1:]
		for _, d := range b.oldDeps(a) {
			if deleted[d] && why[d] == "" {
				why[d] = a + " needs it"
				work = append(work, d)
			}
		}
	}
	b.plan.Changes = slices.DeleteFunc(b.plan.Changes, func(c *resource.Change) bool {
		if why[c.Address] == "" {
			return false
		}
		b.plan.Protected = append(b.plan.Protected, Protected{Address: c.Address, Why: why[c.Address]})
		return true
	})
}

// oldDeps is what an object refers to until the apply.
func (b *builder) oldDeps(a string) []string {
	deps := b.st.DependsOn(a)
	if w := b.wants[a]; w != nil && (b.opt.Destroy || len(deps) == 0) {
		deps = append(slices.Clone(deps), w.DependsOn...)
	}
	return deps
}
