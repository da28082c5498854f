package file

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"

	"collect/hclspec/expr"
	"collect/providers/internal/codec"
	"collect/providers/internal/gate"
	"collect/providers/internal/roll"
	"collect/runtime/flow"
)

// growing writes each path's events to the end of one file.
//
// Write hands the batch to the kernel and forgets its content; a second goroutine syncs what was written since its last round and
// then ends those batches, so that a slow disk gathers more of them into each sync.
type growing struct {
	path    *roll.Path
	codec   codec.Codec
	maxOpen int
	env     flow.Env
	tree    *roll.Tree
	state   flow.Dir
	cancel  context.CancelFunc
	loop    sync.WaitGroup
	kick    chan struct{} // tells the syncer that something was written

	gate    gate.Gate // serialises all that follows, over I/O
	opened  bool
	files   map[string]*grown
	list    []*grown // the same, in the order in which they were opened
	known   known
	ev      flow.Event
	scratch expr.Scratch
	rel     []byte
	bufs    [][]byte
	parts   []part
	byRel   map[string]int

	mu      sync.Mutex // guards all below, never over I/O
	waiting []written
	dirty   []*grown
	round   chan struct{} // closed and replaced after each round of the syncer
	given   int64         // batches that were ever waiting
	ended   int64         // batches that ever ended
	broken  bool          // the syncer waits for the gate to give up all files
	closed  bool
}

// part is what a batch has for one file.
type part struct {
	rel   string
	buf   []byte
	file  *grown
	start int64 // size of the file before
}

// written is a batch that waits for the next sync.
type written struct {
	b      *flow.Batch
	failed []flow.EventResult
}

// maxWaiting bounds the batches between two syncs, maxPinned those of them whose content is kept for the dead-letter channel.
const (
	maxWaiting = 1024
	maxPinned  = 32
)

func newGrowing(p *roll.Path, c codec.Codec, maxOpen int, env flow.Env) *growing {
	return &growing{
		path: p, codec: c, maxOpen: maxOpen, env: env, tree: roll.NewTree(env.FS, p.Root),
		kick: make(chan struct{}, 1), gate: gate.New(),
		files: map[string]*grown{}, byRel: map[string]int{}, round: make(chan struct{}),
	}
}

var _ flow.Sink = (*growing)(nil)

// Open makes the root directory and starts the syncer.
func (g *growing) Open(ctx context.Context) error {
	if err := g.gate.Enter(ctx); err != nil {
		return err
	}
	defer g.gate.Leave()
	if g.opened {
		return nil
	}
	if g.state == nil {
		d, err := g.env.FS.OpenDir(g.env.Dir)
		if err != nil {
			return fmt.Errorf("open the sink's directory: %w", err)
		}
		g.state = d
	}
	if err := g.tree.Open(ctx); err != nil {
		return err
	}
	k, err := readKnown(g.state, g.path.Root)
	if err != nil {
		return err
	}
	g.known = k
	run, cancel := context.WithCancel(context.WithoutCancel(ctx)) // outlives Open; Close ends it
	g.cancel = cancel
	g.loop.Go(func() { g.syncer(run) })
	g.opened = true
	return nil
}

// Write writes a batch. It is done after the next sync.
func (g *growing) Write(ctx context.Context, b *flow.Batch) error {
	if err := g.room(ctx); err != nil {
		return err
	}
	if err := g.gate.Enter(ctx); err != nil {
		return err
	}
	defer g.gate.Leave()
	if !g.opened {
		return flow.ErrClosed
	}
	failed, err := g.write(ctx, b)
	if err != nil {
		g.undo()
		return err
	}
	if len(failed) == 0 {
		b.Unload() // otherwise its events are needed for the dead-letter channel
	}
	g.mu.Lock()
	for _, p := range g.parts {
		p.file.pending = p.file.size
		if !p.file.dirty && !p.file.early {
			p.file.dirty = true
			g.dirty = append(g.dirty, p.file)
		}
	}
	g.waiting = append(g.waiting, written{b: b, failed: failed})
	g.given++
	g.mu.Unlock()
	select {
	case g.kick <- struct{}{}:
	default: // the syncer knows already
	}
	return nil
}

// room waits while too much waits for the disk.
func (g *growing) room(ctx context.Context) error {
	for {
		g.mu.Lock()
		pinned := 0
		for _, w := range g.waiting {
			if len(w.failed) > 0 {
				pinned++
			}
		}
		full, round := len(g.waiting) >= maxWaiting || pinned >= maxPinned, g.round
		g.mu.Unlock()
		if !full {
			return nil
		}
		select {
		case <-round:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// write hands all events of a batch to the kernel.
func (g *growing) write(ctx context.Context, b *flow.Batch) (failed []flow.EventResult, err error) {
	g.parts = g.parts[:0]
	if b.Len() == 0 {
		return nil, nil
	}
	if g.path.IsConst() {
		rel, err := g.path.Append(g.rel[:0], nil, nil)
		g.rel = rel
		if err != nil {
			return nil, err
		}
		f, err := g.fileFor(ctx, string(rel))
		if err != nil {
			return nil, err
		}
		g.parts = append(g.parts, part{file: f, start: f.size})
		return nil, g.writeWhole(f, b)
	}
	failed, which := g.spread(b)
	for i := range g.parts {
		p := &g.parts[i]
		p.file, err = g.fileFor(ctx, p.rel)
		if err != nil && eventsFault(err) {
			for _, e := range which(i) {
				failed = append(failed, flow.EventResult{Index: e, Err: flow.Permanent(err)})
			}
			continue
		}
		if err != nil {
			return failed, err
		}
		p.start = p.file.size
		if err := p.file.write([][]byte{p.buf}); err != nil {
			return failed, err
		}
	}
	g.parts = withFile(g.parts)
	return failed, nil
}

// withFile leaves out the parts that could not be written.
func withFile(parts []part) []part {
	out := parts[:0]
	for _, p := range parts {
		if p.file != nil {
			out = append(out, p)
		}
	}
	return out
}

// spread encodes the events of a batch into one buffer for each path. which gives the events of a part.
func (g *growing) spread(b *flow.Batch) (failed []flow.EventResult, which func(part int) []int) {
	clear(g.byRel)
	g.ev.Host = g.env.Host
	of := make([]int, b.Len())
	for i := range b.Len() {
		g.scratch.Reset()
		g.ev.Seek(b, i)
		rel, err := g.path.Append(g.rel[:0], &g.ev, &g.scratch)
		g.rel = rel
		if err != nil {
			of[i] = -1
			failed = append(failed, flow.EventResult{Index: i, Err: flow.Permanent(fmt.Errorf("path: %w", err))})
			continue
		}
		n, ok := g.byRel[string(rel)]
		if !ok {
			n = len(g.parts)
			g.byRel[string(rel)] = n
			g.parts = append(g.parts, part{rel: string(rel)})
		}
		of[i] = n
		g.parts[n].buf = g.codec.Append(g.parts[n].buf, b, i)
	}
	return failed, func(part int) []int {
		var events []int
		for i, n := range of {
			if n == part {
				events = append(events, i)
			}
		}
		return events
	}
}

// eventsFault says whether an error comes from what an event made of the path.
func eventsFault(err error) bool {
	return errors.Is(err, roll.ErrTooManyDirs) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP) ||
		errors.Is(err, syscall.ENAMETOOLONG) || errors.Is(err, flow.ErrNotRegular)
}

// writeWhole writes a whole batch to one file, its own memory where nothing has to be escaped.
func (g *growing) writeWhole(f *grown, b *flow.Batch) error {
	bufs, ok := g.codec.Raw(b, g.bufs[:0])
	if !ok {
		var buf []byte
		for i := range b.Len() {
			buf = g.codec.Append(buf, b, i)
		}
		bufs = append(bufs[:0], buf)
	}
	err := f.write(bufs)
	clear(bufs) // do not keep the batch's memory alive
	g.bufs = bufs[:0]
	return err
}

// undo cuts off what a batch that could not be written has left. Where cutting fails it is overwritten by the next batch.
func (g *growing) undo() {
	for _, p := range g.parts {
		if p.file != nil && !p.file.early {
			p.file.size = p.start
			_ = p.file.f.Truncate(p.start) // see above
		}
	}
}

// Flush returns when everything accepted before is done.
func (g *growing) Flush(ctx context.Context) error {
	g.mu.Lock()
	upTo := g.given
	g.mu.Unlock()
	for {
		g.mu.Lock()
		done, round := g.ended >= upTo || g.closed, g.round
		g.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-round:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close stops; what is not synced is written again by the next run.
func (g *growing) Close(ctx context.Context) error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	if g.cancel != nil {
		g.cancel()
	}
	g.loop.Wait()
	if err := g.gate.Enter(ctx); err != nil {
		return err
	}
	defer g.gate.Leave()
	if !g.opened {
		return nil
	}
	g.opened = false
	var errs []error
	for _, f := range g.list {
		errs = append(errs, f.f.Close())
	}
	g.list, g.files = nil, map[string]*grown{}
	return errors.Join(append(errs, g.tree.Close(), g.state.Close())...)
}
