package flow

import "sync"

// Pool keeps the memory of finished batches for the next ones. It holds at most limit bytes; what exceeds them is left to the
// garbage collector.
type Pool struct {
	poison bool
	limit  int64
	broken violations

	mu      sync.Mutex // guards all below
	held    int64
	arenas  [][]byte
	headers []*Batch // with tables that can be used again
	bare    []*Batch // without: those of lent views and of batches that were unloaded
}

// defaultArena is the smallest block handed out: a batch of max_bytes and some room for headers.
const defaultArena = 1<<20 + 1<<18

// NewPool makes a pool that keeps at most limit bytes.
func NewPool(limit int64) *Pool { return &Pool{limit: limit} }

// NewPoisonPool makes a pool that overwrites memory as soon as it is returned, so that a test sees who uses it too long.
func NewPoisonPool(limit int64) *Pool { return &Pool{limit: limit, poison: true} }

// Get gives an empty batch with one holder.
func (p *Pool) Get() *Batch {
	b := p.header()
	b.arena = p.arena(0)
	return b
}

// GetSized gives an empty batch whose arena has room for n bytes and not much more.
func (p *Pool) GetSized(n int) *Batch {
	b := p.header()
	b.arena = p.exact(n)
	return b
}

// Build makes a batch of its stored parts. It takes over arena and recs.
func (p *Pool) Build(arena []byte, recs []Rec, runs []Run, times []int64, base int64, id ID) *Batch {
	b := p.header()
	b.arena, b.recs, b.times, b.base, b.id = arena, recs, times, base, id
	b.runs = append(b.runs[:0], runs...)
	return b
}

// Block gives memory of n bytes, to read a stored batch into, for Restore. Blocks that are not used go back by Recycle.
func (p *Pool) Block(n int) []byte { return p.exact(n)[:n] }

// Recycle takes back what Block gave.
func (p *Pool) Recycle(block []byte) { p.recycle(block) }

// Restore makes a batch of its stored parts, with room for the places of n events that the caller fills in by Recs. It takes
// over arena and times.
func (p *Pool) Restore(arena []byte, n int, runs []Run, times []int64, base int64, id ID) *Batch {
	b := p.header()
	b.arena, b.times, b.base, b.id = arena, times, base, id
	if cap(b.recs) < n {
		b.recs = make([]Rec, n)
	}
	b.recs = b.recs[:n]
	b.runs = append(b.runs[:0], runs...)
	return b
}

// header gives a batch to fill: one that brings its tables, if there is any.
func (p *Pool) header() *Batch { return p.either(&p.headers, &p.bare) }

// bareHeader gives a batch that borrows its tables, and leaves the others to those who need them.
func (p *Pool) bareHeader() *Batch { return p.either(&p.bare, &p.headers) }

func (p *Pool) either(first, second *[]*Batch) *Batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	from := first
	if len(*from) == 0 {
		from = second
	}
	var b *Batch
	if n := len(*from); n > 0 {
		b = (*from)[n-1]
		*from = (*from)[:n-1]
	} else {
		b = &Batch{pool: p}
	}
	b.refs.Store(1)
	b.use++
	return b
}

// arena gives a block of at least n bytes' capacity and length 0.
func (p *Pool) arena(n int) []byte {
	p.mu.Lock()
	for i := len(p.arenas) - 1; i >= 0; i-- {
		if a := p.arenas[i]; cap(a) >= n {
			last := len(p.arenas) - 1
			p.arenas[i] = p.arenas[last]
			p.arenas[last] = nil
			p.arenas = p.arenas[:last]
			p.held -= int64(cap(a))
			p.mu.Unlock()
			return a[:0]
		}
	}
	p.mu.Unlock()
	if n <= defaultArena {
		return make([]byte, 0, defaultArena)
	}
	return make([]byte, 0, n+n/4)
}

// exact gives a block for n bytes that wastes at most a third; small batches must not pin large blocks.
func (p *Pool) exact(n int) []byte {
	if n >= defaultArena*2/3 {
		return p.arena(n)
	}
	return make([]byte, 0, n+n/8+64)
}

func (p *Pool) recycle(a []byte) {
	if cap(a) < defaultArena {
		return
	}
	if p.poison {
		a = a[:cap(a)]
		for i := range a {
			a[i] = 0xDB
		}
	}
	p.mu.Lock()
	if p.held+int64(cap(a)) <= p.limit {
		p.held += int64(cap(a))
		p.arenas = append(p.arenas, a[:0])
	}
	p.mu.Unlock()
}

// Trim gives idle memory back to the garbage collector.
func (p *Pool) Trim() {
	p.mu.Lock()
	p.arenas, p.headers, p.bare, p.held = nil, nil, nil, 0
	p.mu.Unlock()
}

// maxPooledRecs bounds the event tables that are kept: 64 Ki events, 1 MiB.
const maxPooledRecs = 1 << 16

func (p *Pool) put(b *Batch) {
	parent := b.parent
	if parent == nil {
		p.recycle(b.arena)
	}
	if b.lent {
		b.recs, b.runs = nil, nil
	}
	if p.poison {
		for i := range b.recs {
			b.recs[i] = Rec{Off: 1 << 31, Len: 1}
		}
	}
	recs, runs := b.recs[:0], b.runs
	clear(runs)
	if cap(recs) > maxPooledRecs {
		recs = nil
	}
	b.arena, b.times, b.ack, b.done, b.parent, b.id, b.base, b.lent = nil, nil, nil, nil, nil, ID{}, 0, false
	b.recs, b.runs = recs, runs[:0]
	p.mu.Lock()
	list := &p.headers
	if cap(recs) == 0 {
		list = &p.bare
	}
	if len(*list) < 256 {
		*list = append(*list, b)
	}
	p.mu.Unlock()
	if parent != nil {
		parent.Release()
	}
}
