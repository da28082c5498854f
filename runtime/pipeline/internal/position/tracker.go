// Package position remembers how far the sources of an agent are emitted and acknowledged, by position key. The acknowledged frontier of
// a source is in a file, which may be old but is never ahead.
package position

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/wait"
)

// saveInterval is how long acknowledged positions may be newer than their file.
const saveInterval = time.Second

// Tracker remembers, for one source address, how far each key is emitted and acknowledged. It outlives the source's
// object: a source that replaces another goes on where that one stopped emitting.
type Tracker struct {
	file *file
	// onGone is told the local keys that are gone for good.
	onGone func(keys []string)
	dirty  wait.Signal
	saving wait.Gate
	stop   context.CancelFunc // ends keeper
	keeper sync.WaitGroup
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
	inFlight []*Flight
}

// Flight is one run in flight.
type Flight struct {
	key      *keyState
	name     string
	from, to uint64
	done     bool
	void     bool // its acknowledgement moves nothing
}

var _ flow.Positions = (*Tracker)(nil)

// Open reads the positions that dir holds of a source of this type, or begins anew with a new uuid: a directory has one tracker. onGone is
// told the keys that nothing comes with any more, violated of positions that are as they must never be.
func Open(dir flow.Dir, typ string, rand flow.Rand, onGone func(keys []string), violated func(what string)) (*Tracker, error) {
	f, err := openFile(dir, typ, rand)
	if err != nil {
		return nil, err
	}
	p := newTracker(f, onGone)
	p.violated = violated
	return p, nil
}

func newTracker(file *file, onGone func([]string)) *Tracker {
	p := &Tracker{file: file, onGone: onGone, stop: func() {}, dirty: wait.NewSignal(), saving: wait.NewGate(), keys: map[string]*keyState{}, routed: file.routing}
	for name, k := range file.loaded {
		p.keys[name] = &keyState{acked: k.Pos, emitted: k.Pos, known: k.Known, note: k.Note}
	}
	return p
}

// ID gives the uuid of the source, the first part of its keys in channels.
func (p *Tracker) ID() string { return p.file.id }

// Type gives the type of the source.
func (p *Tracker) Type() string { return p.file.typ }

// Frontier gives how far a key is emitted, and its note.
func (p *Tracker) Frontier(key string) (pos uint64, note []byte, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.keys[key]
	if k == nil || k.leaving {
		return 0, nil, false
	}
	return k.emitted, slices.Clone(k.note), true
}

// Settled says whether nothing of a key is in flight and nothing of it was abandoned.
func (p *Tracker) Settled(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.keys[key]
	return k == nil || len(k.inFlight) == 0 && !k.lost
}

// Keys lists the keys, sorted.
func (p *Tracker) Keys() []string {
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

// Note keeps a note of the source with a key.
func (p *Tracker) Note(key string, note []byte) {
	p.mu.Lock()
	k := p.key(key)
	k.note, k.leaving = slices.Clone(note), false
	p.touch()
	p.mu.Unlock()
}

// Forget drops a key, once nothing of it is in flight.
func (p *Tracker) Forget(key string) {
	p.mu.Lock()
	if k := p.keys[key]; k != nil {
		k.leaving = true
		p.leave(key, k)
	}
	p.mu.Unlock()
}

// leave removes a key that leaves and has nothing in flight. The caller holds the lock.
func (p *Tracker) leave(name string, k *keyState) {
	if k.leaving && len(k.inFlight) == 0 {
		delete(p.keys, name)
		p.gone = append(p.gone, name)
		p.touch()
	}
}

// key gives a key's state. The caller holds the lock.
func (p *Tracker) key(name string) *keyState {
	k := p.keys[name]
	if k == nil {
		k = &keyState{}
		p.keys[name] = k
	}
	return k
}

// touch says that there is something to save. The caller holds the lock.
func (p *Tracker) touch() {
	p.changed = true
	p.dirty.Set()
}

// Begin notes a run that is about to be stored. It counts as emitted only with Stored.
func (p *Tracker) Begin(key string, from, to uint64) *Flight {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.key(key)
	k.leaving = false
	if !k.known {
		k.known, k.acked, k.emitted = true, from, from
	}
	f := &Flight{key: k, name: key, from: from, to: to}
	if k.lost && from > k.emitted {
		f.void = true
		return f
	}
	k.lost = false
	k.inFlight = append(k.inFlight, f)
	return f
}

// Stored says that all required channels have taken the runs.
func (p *Tracker) Stored(flights []*Flight) {
	p.mu.Lock()
	for _, f := range flights {
		if !f.void {
			f.key.emitted = max(f.key.emitted, f.to)
		}
	}
	p.mu.Unlock()
}

// Settle ends runs. The acknowledged frontier moves over all that is done without a gap; abandoned runs, and what was emitted
// after them, will be emitted again.
func (p *Tracker) Settle(flights []*Flight, abandoned bool) {
	if p.settled(flights, abandoned) || p.violated == nil {
		return
	}
	p.violated("a position was acknowledged that had not been emitted")
}

// settled says whether all positions are as they must be.
func (p *Tracker) settled(flights []*Flight, abandoned bool) (right bool) {
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

func (k *keyState) abandon(f *Flight) {
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
func (p *Tracker) Save(ctx context.Context) error {
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
		p.onGone(gone)
	}
	return nil
}

// take copies what is to be saved; ok is false when nothing changed.
func (p *Tracker) take() (state stored, gone []string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.changed {
		return state, nil, false
	}
	p.changed = false
	state = stored{Routing: p.routed, Keys: make(map[string]storedKey, len(p.keys))}
	for name, k := range p.keys {
		state.Keys[name] = storedKey{Pos: k.acked, Known: k.known, Note: k.note}
	}
	gone, p.gone = p.gone, nil
	return state, gone, true
}

// Start keeps the file up to date until ctx ends or Close: at most once a second, and never when nothing changed.
func (p *Tracker) Start(ctx context.Context, report func(error)) {
	ctx, p.stop = context.WithCancel(ctx)
	p.keeper.Go(func() { p.keep(ctx, report) })
}

func (p *Tracker) keep(ctx context.Context, report func(error)) {
	for p.dirty.Wait(ctx, 0) {
		if wait.Sleep(ctx, saveInterval) != nil {
			return
		}
		if err := p.Save(ctx); err != nil && ctx.Err() == nil {
			report(err)
		}
	}
}

// All gives the local keys that channels may know, sorted.
func (p *Tracker) All() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.keys))
}

// Routed gives with which interceptors and routes the keys are emitted.
func (p *Tracker) Routed() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.routed
}

// Routing notes with which interceptors and routes the keys are emitted from now on, and gives those before if they were others.
func (p *Tracker) Routing(now string) (before string) {
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

// Idle says whether nothing is in flight and nothing was abandoned.
func (p *Tracker) Idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.keys {
		if len(k.inFlight) > 0 || k.lost || k.acked != k.emitted {
			return false
		}
	}
	return true
}

// Close ends what Start began and closes the directory. It does not save.
func (p *Tracker) Close() error {
	p.stop()
	p.keeper.Wait()
	return p.file.dir.Close()
}
