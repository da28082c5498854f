package flow

import "sync"

// violations notes what can only be a bug of this program: memory given back twice, a position that is ahead of what was read.
type violations struct {
	mu    sync.Mutex // guards all below
	tell  func(what string)
	first string
	count int64
}

// OnViolation says who is told of the first violation; the others are only counted.
func (p *Pool) OnViolation(tell func(what string)) {
	p.broken.mu.Lock()
	p.broken.tell = tell
	p.broken.mu.Unlock()
}

// Violated notes that something is as it must never be. Whoever finds that leaves the data alone; the pipeline takes nothing more from
// its sources until the process has started anew, since nobody knows what else is wrong. In tests, whose pool overwrites what it takes
// back, it panics.
func (p *Pool) Violated(what string) {
	if p.poison {
		panic(what)
	}
	v := &p.broken
	v.mu.Lock()
	v.count++
	tell := v.tell
	if v.count > 1 {
		tell = nil
	} else {
		v.first = what
	}
	v.mu.Unlock()
	if tell != nil {
		tell(what)
	}
}

// Violations gives how often something was as it must never be, and what was first.
func (p *Pool) Violations() (n int64, first string) {
	p.broken.mu.Lock()
	defer p.broken.mu.Unlock()
	return p.broken.count, p.broken.first
}
