package pipeline

import (
	"context"
	"maps"
	"slices"
	"sync"

	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/wait"
)

// positions remembers, for one source address, how far each key is emitted and acknowledged. It outlives the source's
// object: a source that replaces another goes on where that one stopped emitting.
type positions struct {
	file *positionFile
	// forget is told the local keys that are gone for good.
	forget func(keys []string)
	dirty  wait.Signal
	saving wait.Gate
	stop   context.CancelFunc // ends save
	stages int                // interceptors of the source, each with dead-letter keys of its own
	// violated is told of positions that are as they must never be; nil: nobody is.
	violated func(what string)

	mu      sync.Mutex // guards all below
	keys    map[string]*keyState
	changed bool
	gone    []string
	routed  string
}

// keyState is one position key. A position between acked and emitted belongs to a batch in flight.
type keyState struct {
	acked    uint64
	emitted  uint64
	note     []byte
	known    bool // a position was set
	lost     bool // a batch was abandoned: what is emitted beyond it counts for nothing until it comes again
	leaving  bool // Forget was called; the key goes with its last batch in flight
	inFlight []*flight
}

// flight is one run in flight.
type flight struct {
	key      *keyState
	name     string
	from, to uint64
	done     bool
	void     bool // its acknowledgement moves nothing
}

var _ flow.Positions = (*positions)(nil)

func newPositions(file *positionFile, forget func([]string)) *positions {
	p := &positions{file: file, forget: forget, dirty: wait.NewSignal(), saving: wait.NewGate(), keys: map[string]*keyState{}, routed: file.routing}
	for name, k := range file.loaded {
		p.keys[name] = &keyState{acked: k.Pos, emitted: k.Pos, known: k.Known, note: k.Note}
	}
	return p
}

func (p *positions) Frontier(key string) (pos uint64, note []byte, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.keys[key]
	if k == nil || k.leaving {
		return 0, nil, false
	}
	return k.emitted, slices.Clone(k.note), true
}

// Settled says whether nothing of a key is in flight and nothing of it was abandoned.
func (p *positions) Settled(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.keys[key]
	return k == nil || len(k.inFlight) == 0 && !k.lost
}

func (p *positions) Keys() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	names := make([]string, 0, len(p.keys))
	for name, k := range p.keys {
		if !k.leaving {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (p *positions) Note(key string, note []byte) {
	p.mu.Lock()
	k := p.key(key)
	k.note, k.leaving = slices.Clone(note), false
	p.touch()
	p.mu.Unlock()
}

func (p *positions) Forget(key string) {
	p.mu.Lock()
	if k := p.keys[key]; k != nil {
		k.leaving = true
		p.leave(key, k)
	}
	p.mu.Unlock()
}

// leave removes a key that leaves and has nothing in flight. The caller holds the lock.
func (p *positions) leave(name string, k *keyState) {
	if k.leaving && len(k.inFlight) == 0 {
		delete(p.keys, name)
		p.gone = append(p.gone, name)
		p.touch()
	}
}

// key gives a key's state. The caller holds the lock.
func (p *positions) key(name string) *keyState {
	k := p.keys[name]
	if k == nil {
		k = &keyState{}
		p.keys[name] = k
	}
	return k
}

// touch says that there is something to save. The caller holds the lock.
func (p *positions) touch() {
	p.changed = true
	p.dirty.Set()
}

// begin notes a run that is about to be stored. It counts as emitted only with emitted.
func (p *positions) begin(key string, from, to uint64) *flight {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.key(key)
	k.leaving = false
	if !k.known {
		k.known, k.acked, k.emitted = true, from, from
	}
	f := &flight{key: k, name: key, from: from, to: to}
	if k.lost && from > k.emitted {
		f.void = true
		return f
	}
	k.lost = false
	k.inFlight = append(k.inFlight, f)
	return f
}

// stored says that all required channels have taken the runs.
func (p *positions) stored(flights []*flight) {
	p.mu.Lock()
	for _, f := range flights {
		if !f.void {
			f.key.emitted = max(f.key.emitted, f.to)
		}
	}
	p.mu.Unlock()
}

// settle ends runs. The acknowledged frontier moves over all that is done without a gap; abandoned runs, and what was emitted
// after them, will be emitted again.
func (p *positions) settle(flights []*flight, abandoned bool) {
	if p.settled(flights, abandoned) || p.violated == nil {
		return
	}
	p.violated("a position was acknowledged that had not been emitted")
}

// settled says whether all positions are as they must be.
func (p *positions) settled(flights []*flight, abandoned bool) (right bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	right = true
	for _, f := range flights {
		k := f.key
		switch {
		case f.void:
		case abandoned:
			k.abandon(f)
		default:
			f.done = true
			if k.advance() {
				p.touch()
			}
		}
		right = right && k.acked <= k.emitted
		p.leave(f.name, k)
	}
	return right
}

func (k *keyState) abandon(f *flight) {
	at := slices.Index(k.inFlight, f)
	if at < 0 {
		return
	}
	for _, later := range k.inFlight[at:] {
		later.void = true
	}
	k.inFlight = slices.Delete(k.inFlight, at, len(k.inFlight))
	k.emitted, k.lost = min(k.emitted, f.from), true
}

func (k *keyState) advance() (moved bool) {
	n := 0
	for n < len(k.inFlight) && k.inFlight[n].done {
		k.acked = max(k.acked, k.inFlight[n].to)
		n++
	}
	k.inFlight = slices.Delete(k.inFlight, 0, n)
	return n > 0
}

// Save writes the acknowledged frontier and the notes.
func (p *positions) Save(ctx context.Context) error {
	if err := p.saving.Lock(ctx); err != nil {
		return err
	}
	defer p.saving.Unlock()
	state, gone, ok := p.take()
	if !ok {
		return nil
	}
	if err := p.file.write(state); err != nil {
		p.mu.Lock()
		p.gone = append(gone, p.gone...)
		p.touch()
		p.mu.Unlock()
		return err
	}
	if len(gone) > 0 {
		p.forget(gone)
	}
	return nil
}

// take copies what is to be saved; ok is false when nothing changed.
func (p *positions) take() (state storedPositions, gone []string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.changed {
		return state, nil, false
	}
	p.changed = false
	state = storedPositions{Routing: p.routed, Keys: make(map[string]storedKey, len(p.keys))}
	for name, k := range p.keys {
		state.Keys[name] = storedKey{Pos: k.acked, Known: k.known, Note: k.note}
	}
	gone, p.gone = p.gone, nil
	return state, gone, true
}

// save keeps the file up to date until ctx ends: at most once a second, and never when nothing changed.
func (p *positions) save(ctx context.Context, report func(error)) {
	for p.dirty.Wait(ctx, 0) {
		if wait.Sleep(ctx, saveInterval) != nil {
			return
		}
		if err := p.Save(ctx); err != nil && ctx.Err() == nil {
			report(err)
		}
	}
}

// all gives the local keys that channels may know, sorted.
func (p *positions) all() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.keys))
}

// routing notes with which interceptors and routes the keys are emitted from now on, and gives those before if they were others.
func (p *positions) routing(now string) (before string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before = p.routed
	if before == now {
		return ""
	}
	p.routed = now
	p.touch()
	return before
}
