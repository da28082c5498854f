// Package position remembers how far a channel has decided each key, and which of that no frame says yet.
package position

import (
	"maps"
	"slices"
	"time"

	"collect/runtime/channel/disk/internal/frame"
)

// Table holds the positions of a channel. Its owner guards it.
type Table struct {
	decided map[string]uint64
	dirty   map[string]uint64 // decided, or forgotten, but in no frame yet
	since   time.Time         // when dirty began to hold something, or was last tried to be written
}

// NewTable makes a table of what frames already say.
func NewTable(decided map[string]uint64) Table {
	return Table{decided: decided, dirty: map[string]uint64{}}
}

// Get gives the position up to which a key is decided.
func (t *Table) Get(key string) (uint64, bool) {
	to, ok := t.decided[key]
	return to, ok
}

// Note decides a key up to a position that is written with the next frame. It says whether this is the first that waits for one.
func (t *Table) Note(key string, to uint64) bool {
	if at, ok := t.decided[key]; ok && to <= at {
		return false
	}
	t.decided[key] = to
	return t.mark(key, to)
}

// Forget removes a key, and says what Note says.
func (t *Table) Forget(key string) bool {
	if _, ok := t.decided[key]; !ok {
		return false
	}
	delete(t.decided, key)
	return t.mark(key, frame.Forgotten)
}

func (t *Table) mark(key string, to uint64) bool {
	first := len(t.dirty) == 0
	if first {
		t.since = time.Now()
	}
	t.dirty[key] = to
	return first
}

// Put decides a key up to a position that a frame says.
func (t *Table) Put(key string, to uint64) {
	if to > t.decided[key] {
		t.decided[key] = to
	}
	delete(t.dirty, key)
}

// Dirty says whether there is something that no frame says, and since when it waits for one.
func (t *Table) Dirty() (since time.Time, ok bool) { return t.since, len(t.dirty) > 0 }

// Tried notes that a frame with what is dirty was written, or could not be.
func (t *Table) Tried() { t.since = time.Now() }

// Unwritten gives what the next frame must say. It stays dirty until that frame is written.
func (t *Table) Unwritten() []frame.Position { return list(t.dirty) }

// All gives all positions, and after them which keys are forgotten in no frame yet.
func (t *Table) All() []frame.Position {
	out := list(t.decided)
	for _, p := range list(t.dirty) {
		if p.To == frame.Forgotten {
			out = append(out, p)
		}
	}
	return out
}

// Written notes that a frame says these.
func (t *Table) Written(positions []frame.Position) {
	for _, p := range positions {
		if t.dirty[p.Key] == p.To {
			delete(t.dirty, p.Key)
		}
	}
}

// list gives positions in order of their keys.
func list(m map[string]uint64) []frame.Position {
	if len(m) == 0 {
		return nil
	}
	out := make([]frame.Position, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		out = append(out, frame.Position{Key: key, To: m[key]})
	}
	return out
}
