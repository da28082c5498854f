package sim_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"collect/runtime/flow"
)

// keys are those of the source of numbers.
var keys = []string{"a", "b", "c"}

// line is event n of a key: its size differs, and every byte follows from key and number.
func line(key string, n uint64) string {
	pad := int(n*7919) % 400
	return key + " " + strconv.FormatUint(n, 10) + " " + strings.Repeat(key[:1], pad) + "."
}

// parse gives key and number of a line, and whether it is one that was ever made.
func parse(text string) (key string, n uint64, ok bool) {
	parts := strings.SplitN(text, " ", 3)
	if len(parts) != 3 || parts[0] == "" {
		return "", 0, false
	}
	n, err := strconv.ParseUint(parts[1], 10, 64)
	return parts[0], n, err == nil && text == line(parts[0], n)
}

// bad events are given up by the interceptor, cursed ones by the sink.
func bad(n uint64) bool    { return n%53 == 17 }
func cursed(n uint64) bool { return n%31 == 7 }

// source emits the numbers of all keys, in batches of many sizes.
type source struct {
	w     *world
	env   flow.Env
	rand  *rand.Rand
	first bool // in this process: others go on behind what was emitted before them
}

func (s *source) Run(ctx context.Context, out flow.Emitter) error {
	s.env.Ready()
	s.w.mu.Lock()
	s.first, s.w.woken = s.w.woken, false
	s.w.mu.Unlock()
	at := map[string]uint64{}
	for _, k := range keys {
		at[k] = s.from(k)
	}
	for ctx.Err() == nil {
		b := s.batch(at)
		if b == nil {
			_ = pause(ctx, 10*time.Millisecond)
			continue
		}
		if s.w.bug.emitted && s.rand.IntN(3) == 0 {
			_ = s.env.Positions.Save(ctx) // fails at a fault
		}
		if err := out.Emit(ctx, b); err != nil {
			return err
		}
		if s.rand.IntN(3) == 0 {
			_ = pause(ctx, time.Duration(s.rand.IntN(3000))*time.Microsecond)
		}
	}
	return nil
}

// from gives where to go on. What was acknowledged is gone at the sender, as a file that is deleted then, and never comes again.
func (s *source) from(key string) uint64 {
	pos, note, _ := s.env.Positions.Frontier(key)
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if s.first && pos > s.w.acked[key] && s.w.ahead == "" && !s.w.bug.emitted {
		s.w.ahead = fmt.Sprintf("the stored position of %s is %d, acknowledged are %d", key, pos, s.w.acked[key])
	}
	pos = max(pos, s.w.acked[key])
	if s.w.bug.emitted && len(note) > 0 {
		n, _ := strconv.ParseUint(string(note), 10, 64)
		return max(n, pos)
	}
	return pos
}

func (s *source) more(at map[string]uint64) bool {
	for _, k := range keys {
		if at[k] < s.w.limit[k] {
			return true
		}
	}
	return false
}

// batch makes a batch of what may be read; nil: nothing.
func (s *source) batch(at map[string]uint64) *flow.Batch {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if !s.more(at) {
		return nil
	}
	b := s.env.Pool.GetSized(16 << 10)
	type run struct {
		key      string
		from, to uint64
	}
	var runs []run
	for _, k := range keys {
		from := at[k]
		to := min(from+uint64(s.rand.IntN(40)), s.w.limit[k])
		if to <= from {
			continue
		}
		b.Begin(k, from, &flow.Meta{Counted: true, Headers: flow.AppendHeaderBlock(nil, []flow.Header{{Name: "key", Value: []byte(k)}})})
		for n := from; n < to; n++ {
			b.AddBody([]byte(line(k, n)), n+1)
			if s.w.shape.curses && !cursed(n) { // without this header the event's path has no value
				b.SetHeaders(b.Len()-1, flow.Header{Name: "dir", Value: []byte(k)})
			}
		}
		at[k] = to
		s.w.issued[k] = max(s.w.issued[k], to)
		runs = append(runs, run{k, from, to})
		if s.w.bug.emitted {
			s.env.Positions.Note(k, strconv.AppendUint(nil, to, 10))
		}
	}
	if len(runs) == 0 {
		b.Release()
		return nil
	}
	b.OnAck(func(o flow.Outcome) {
		if o == flow.Abandoned {
			return
		}
		for _, r := range runs {
			s.w.ack(r.key, r.from, r.to)
		}
	})
	return b
}

// ack notes that numbers from up to to are safe.
func (w *world) ack(key string, from, to uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.late[key] == nil {
		w.late[key] = map[uint64]uint64{}
	}
	w.late[key][from] = max(w.late[key][from], to)
	for again := true; again; {
		again = false
		for f, t := range w.late[key] {
			if f <= w.acked[key] {
				w.acked[key] = max(w.acked[key], t)
				delete(w.late[key], f)
				again = true
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// picky is an interceptor that gives up the bad events.
type picky struct{}

func (picky) Intercept(b *flow.Batch, lo, hi int, k *flow.Keep) error {
	for i := lo; i < hi; i++ {
		if _, n, ok := parse(string(b.Body(i))); ok && bad(n) {
			k.DeadLetter(i, "bad")
		}
	}
	return nil
}
