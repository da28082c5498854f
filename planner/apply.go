package planner

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"sync"
	"time"

	"collect/planner/resource"
	"collect/planner/state"
)

// ApplyOptions say how a plan is carried out.
type ApplyOptions struct {
	Parallelism int              // steps at the same time; 4 when not given
	Confirmed   map[string]int64 // losses that the user confirmed, with the figures that were shown
	Events      func(Event)      // told one at a time
	// Interrupt, when closed, lets running steps end and begins no other. The end of the context ends running steps too.
	Interrupt <-chan struct{}
	Program   string
}

// Confirm takes the addresses of -confirm-loss and gives the losses that they cover, bounded by the figures of the plan, and
// those that nobody confirmed.
func (p *Plan) Confirm(addresses []string) (confirmed map[string]int64, open []resource.Loss) {
	confirmed = map[string]int64{}
	said := map[string]bool{}
	for _, a := range addresses {
		said[a] = true
	}
	for _, l := range p.Losses() {
		if said[l.Address] {
			confirmed[l.Address] += l.Events + l.More
		} else {
			open = append(open, l)
		}
	}
	return confirmed, open
}

// UnconfirmedError refuses a plan that would lose events.
type UnconfirmedError struct{ Losses []resource.Loss }

func (e *UnconfirmedError) Error() string {
	l := e.Losses[0]
	n := strconv.FormatInt(l.Events, 10)
	if l.Events >= resource.Unknown {
		n = "an unknown number of"
	}
	return fmt.Sprintf("%s %s in %s would be lost: confirm with -confirm-loss=%s", n, l.What, l.Address, quoteAddress(l.Address))
}

// Apply carries out the steps of a plan. It needs the exclusive lock; store is the state under that lock. An error means that
// the apply could not go on at all or that state could not be written; what became of the steps stands in the results.
func Apply(ctx context.Context, p *Plan, store *state.Store, kinds []resource.Kind, o ApplyOptions) (*Applied, error) {
	if _, open := p.Confirm(keys(o.Confirmed)); len(open) > 0 {
		return nil, &UnconfirmedError{Losses: open}
	}
	w := newWalker(p, store, kinds, o)
	begin := time.Now()
	w.walk(ctx)
	err := w.finish(ctx)
	w.applied.Elapsed = time.Since(begin)
	return w.applied, err
}

func keys(m map[string]int64) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// walker carries out steps. Everything but its mutex-guarded part belongs to the goroutine of walk.
type walker struct {
	plan     *Plan
	store    *state.Store
	kinds    map[string]resource.Kind
	opt      ApplyOptions
	revision int
	changes  map[string]*resource.Change
	at       map[string]int // index of a step by address
	waiting  []int          // how many steps each one waits for
	next     [][]int
	ready    []int
	later    []int // ready, but not First while a First one is left
	firsts   int   // First steps without a result
	running  int
	ends     chan end
	stopped  string // why nothing more is begun
	applied  *Applied

	mu sync.Mutex // guards calls of opt.Events, and applied.Warnings
}

type end struct {
	step    int
	err     error
	elapsed time.Duration
}

func newWalker(p *Plan, store *state.Store, kinds []resource.Kind, o ApplyOptions) *walker {
	if o.Parallelism < 1 {
		o.Parallelism = 4
	}
	n := len(p.Steps)
	w := &walker{
		plan: p, store: store, kinds: map[string]resource.Kind{}, opt: o, revision: store.NextRevision(), changes: make(map[string]*resource.Change, n),
		at: make(map[string]int, n), waiting: make([]int, n), next: make([][]int, n), ends: make(chan end),
		applied: &Applied{Commit: p.Installation.Commit, Results: make([]Result, n)},
	}
	for _, k := range kinds {
		w.kinds[k.Name()] = k
	}
	for _, c := range p.Changes {
		w.changes[c.Address] = c
	}
	for i, s := range p.Steps {
		w.at[s.Address] = i
		w.applied.Results[i] = Result{Address: s.Address, Action: s.Action}
	}
	for i, s := range p.Steps {
		if s.First {
			w.firsts++
		}
		for _, a := range s.After {
			if j, ok := w.at[a]; ok {
				w.waiting[i]++
				w.next[j] = append(w.next[j], i)
			}
		}
	}
	return w
}

// walk runs steps until none is left that may run.
func (w *walker) walk(ctx context.Context) {
	for i, n := range w.waiting {
		if n == 0 {
			w.offer(i)
		}
	}
	interrupt := w.opt.Interrupt
	for {
		w.begin(ctx)
		if w.running == 0 {
			break
		}
		select {
		case e := <-w.ends:
			w.running--
			w.ended(e)
		case <-interrupt:
			interrupt = nil
			w.stop("interrupted")
		}
	}
	why := w.stopped
	if why == "" {
		why = "interrupted"
	}
	for i := range w.plan.Steps {
		if w.applied.Results[i].Outcome == "" {
			w.result(i, Event{Kind: Skipped, Because: why})
		}
	}
}

func (w *walker) stop(why string) {
	if w.stopped == "" {
		w.stopped = why
		w.applied.Interrupted = why == "interrupted"
	}
}

// offer makes a step ready, or keeps it until no First step is left.
func (w *walker) offer(i int) {
	if w.plan.Steps[i].First || w.firsts == 0 {
		w.ready = append(w.ready, i)
		return
	}
	w.later = append(w.later, i)
}

func (w *walker) begin(ctx context.Context) {
	select { // an interrupt counts before the next step, also when a step ended at the same time
	case <-w.opt.Interrupt:
		w.stop("interrupted")
	case <-ctx.Done():
		w.stop("interrupted")
	default:
	}
	if w.firsts == 0 && len(w.later) > 0 {
		w.ready, w.later = append(w.ready, w.later...), nil
	}
	for w.stopped == "" && len(w.ready) > 0 && w.running < w.opt.Parallelism {
		i := w.ready[0]
		w.ready = w.ready[1:]
		w.running++
		w.tell(Event{Kind: Started, Address: w.plan.Steps[i].Address, Action: w.plan.Steps[i].Action})
		go func() {
			begin := time.Now()
			err := w.step(ctx, w.plan.Steps[i])
			if errors.Is(err, context.Canceled) && ctx.Err() != nil { // the user's doing, not the step's
				err = errInterrupted
			}
			w.ends <- end{step: i, err: err, elapsed: time.Since(begin)}
		}()
	}
}

var errInterrupted = errors.New("interrupted: what it did so far stays, and the next apply finds it")

// ended notes the end of a step, and makes ready what waited for it.
func (w *walker) ended(e end) {
	if e.err != nil {
		w.result(e.step, Event{Kind: Failed, Err: e.err, Elapsed: e.elapsed})
		w.skip(e.step)
		return
	}
	w.result(e.step, Event{Kind: Done, Elapsed: e.elapsed})
	for _, i := range w.next[e.step] {
		if w.waiting[i]--; w.waiting[i] == 0 && w.applied.Results[i].Outcome == "" {
			w.offer(i)
		}
	}
}

// skip leaves out everything that waited for a step that failed.
func (w *walker) skip(failed int) {
	because := w.plan.Steps[failed].Address
	work := w.next[failed]
	for len(work) > 0 {
		i := work[0]
		work = work[1:]
		if w.applied.Results[i].Outcome == "" {
			w.result(i, Event{Kind: Skipped, Because: because})
			work = append(work, w.next[i]...)
		}
	}
}

func (w *walker) result(i int, e Event) {
	r := &w.applied.Results[i]
	r.Outcome, r.Because, r.Elapsed = e.Kind, e.Because, e.Elapsed
	if e.Err != nil {
		r.Err = e.Err.Error()
	}
	if w.plan.Steps[i].First {
		w.firsts--
	}
	e.Address, e.Action = r.Address, r.Action
	w.tell(e)
}

func (w *walker) tell(e Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.Kind == Warned {
		w.applied.Warnings = append(w.applied.Warnings, e.Address+": "+e.Line)
	}
	if w.opt.Events != nil {
		w.opt.Events(e)
	}
}

// step carries out one step: the intent is on disk before anything happens, the outcome before the step counts as done.
func (w *walker) step(ctx context.Context, s Step) error {
	c := w.changes[s.Address]
	if s.Action == resource.Forget {
		return w.store.Remove(s.Address)
	}
	want := w.plan.Objects[s.Address]
	deps := w.plan.DependsOn[s.Address]
	if s.Action == resource.Delete {
		deps = w.store.DependsOn(s.Address)
	}
	if s.Action != resource.Adopt { // begun is not made by us
		if err := w.store.Intent(s.Address, s.Kind, s.Action, want != nil && want.PreventDestroy, deps); err != nil {
			return err
		}
	}
	known, err := w.kinds[s.Kind].Apply(ctx, c, want, w.options(s))
	if err != nil {
		return err
	}
	if known == nil {
		return w.store.Remove(s.Address)
	}
	k := *known
	k.Address, k.Kind, k.Revision = s.Address, s.Kind, w.revision
	k.Protect = want != nil && want.PreventDestroy
	if k.Origin == "" {
		k.Origin = resource.Created
	}
	return w.store.Put(k, deps)
}

func (w *walker) options(s Step) resource.ApplyOptions {
	return resource.ApplyOptions{
		Report:          func(line string) { w.tell(Event{Kind: Progress, Address: s.Address, Action: s.Action, Line: line}) },
		Warn:            func(line string) { w.tell(Event{Kind: Warned, Address: s.Address, Action: s.Action, Line: line}) },
		Confirmed:       w.opt.Confirmed,
		ForgetPositions: w.plan.ForgetPositions,
	}
}

// finish ends what kinds keep for the apply, and writes state.
func (w *walker) finish(ctx context.Context) error {
	whole := w.plan.Destroy && len(w.plan.Targets)+len(w.plan.Excludes)+len(w.plan.Protected) == 0 && w.applied.OK()
	var first error
	for _, name := range sortedKinds(w.kinds) {
		if f, ok := w.kinds[name].(resource.Finisher); ok {
			if err := f.Finish(ctx, whole, w.options(Step{Address: name})); err != nil && first == nil {
				first = fmt.Errorf("after the last step: %w", err)
			}
		}
	}
	counts := w.applied.Count()
	r := state.Result{
		Revised: counts != Counts{} || w.plan.Differs() && w.applied.OK(),
		Commit:  w.plan.Installation.Commit, Root: w.plan.Installation.Root, Program: w.opt.Program, DependsOn: w.plan.DependsOn,
	}
	if w.applied.OK() {
		r.Outputs = []state.Output{}
		for _, o := range w.plan.Outputs {
			if o.Action != resource.Delete {
				r.Outputs = append(r.Outputs, state.Output{Name: o.Name, Value: o.Value, Type: o.Type, Sensitive: o.Sensitive, Description: o.Description})
			}
		}
	}
	if err := w.store.Finish(r, time.Now()); err != nil {
		return err
	}
	w.applied.Revision = w.store.State().Revision
	return first
}

func sortedKinds(m map[string]resource.Kind) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}
