package generator

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"collect/hclspec/expr"
	"collect/runtime/flow"
)

// key is the only position key: there is one sequence.
const key = "sequence"

// tick is how often events are made when a rate is set.
const tick = 10 * time.Millisecond

// Source makes events.
type Source struct {
	cfg  Config
	env  flow.Env
	meta *flow.Meta
	fill []byte

	body    *expr.Program // nil: the default body
	ev      flow.Event
	scratch expr.Scratch
}

var _ flow.Source = (*Source)(nil)

// New makes the source.
func New(cfg Config, env flow.Env) (flow.Source, error) {
	s := &Source{cfg: cfg, env: env, meta: &flow.Meta{Counted: true}, ev: flow.Event{Host: env.Host}}
	if cfg.Body.IsSet() {
		var err error
		if s.body, err = expr.Compile(cfg.Body, expr.TypeString); err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
	}
	s.fill = make([]byte, cfg.Size)
	for i := range s.fill {
		s.fill[i] = 'a' + byte(i%26)
	}
	return s, nil
}

// Run makes events until ctx ends or count is reached; then it waits.
func (s *Source) Run(ctx context.Context, out flow.Emitter) error {
	next, _, _ := s.env.Positions.Frontier(key)
	s.env.Ready()
	first, start := next, time.Now()
	for ctx.Err() == nil {
		if s.cfg.Count > 0 && next >= uint64(s.cfg.Count) {
			s.env.Stats.SetHealth(flow.OK, "all events are made")
			s.env.Stats.SetFacts(flow.Fact{Label: "complete", Value: strconv.FormatUint(next, 10), Unit: "events"})
			<-ctx.Done()
			return nil
		}
		n := s.due(next-first, time.Since(start))
		if n == 0 {
			s.pause(ctx, next-first, start)
			continue
		}
		b, err := s.batch(next, n)
		if err != nil {
			return err
		}
		next += uint64(b.Len())
		if err := out.Emit(ctx, b); err != nil {
			return stopped(ctx, err)
		}
	}
	return nil
}

// stopped says that an Emit which failed because we stop is no error.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// due says how many events should be made now.
func (s *Source) due(made uint64, since time.Duration) int {
	n := s.env.Batch.MaxEvents
	if s.cfg.Rate > 0 {
		// The first event is due at once.
		want := uint64(since.Seconds()*s.cfg.Rate) + 1
		if want <= made {
			return 0
		}
		n = int(min(want-made, uint64(n)))
	}
	return n
}

// pause waits until the next event is due, but at least a tick, so that fast rates make batches.
func (s *Source) pause(ctx context.Context, made uint64, start time.Time) {
	at := start.Add(time.Duration(float64(made) / s.cfg.Rate * float64(time.Second)))
	t := time.NewTimer(max(time.Until(at), tick))
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// batch makes up to n events that begin with number next.
func (s *Source) batch(next uint64, n int) (*flow.Batch, error) {
	if s.cfg.Count > 0 {
		n = int(min(uint64(n), uint64(s.cfg.Count)-next))
	}
	limit := s.env.Batch.MaxBytes
	b := s.env.Pool.GetSized(min(n*(len(s.fill)+1)+32, limit+len(s.fill)+32))
	b.SetBase(time.Now().UnixNano())
	b.Begin(key, next, s.meta)
	for i := uint64(0); i < uint64(n) && (i == 0 || len(b.Arena()) < limit); i++ {
		s.add(b, next+i)
		if err := s.replace(b, next+i); err != nil {
			b.Release()
			return nil, err
		}
	}
	return b, nil
}

// replace gives the newest event the configured body. One that cannot be computed is an error of the configuration, since there is
// nothing in the event that could be wrong.
func (s *Source) replace(b *flow.Batch, seq uint64) error {
	if s.body == nil {
		return nil
	}
	s.ev.Seek(b, b.Len()-1)
	s.scratch.Reset()
	body, err := s.body.Bytes(&s.ev, &s.scratch)
	if err != nil {
		return fmt.Errorf("body of event %d: %w", seq, err)
	}
	b.SetBody(b.Len()-1, body)
	return nil
}

// add appends event number seq with the default body.
func (s *Source) add(b *flow.Batch, seq uint64) {
	space := b.Space(len(s.fill) + 32)
	body := appendSeq(space[:0], seq)
	if size := len(s.fill); len(body) < size {
		body = append(body, ' ')
		body = append(body, s.fill[len(body):]...)
	}
	n := len(body)
	body = append(body, '\n')
	b.Add(b.Used(len(body)), n, seq+1, 0)
}

// appendSeq appends "seq=" and at least ten digits.
func appendSeq(dst []byte, seq uint64) []byte {
	dst = append(dst, "seq="...)
	if seq >= 1e10 {
		return strconv.AppendUint(dst, seq, 10)
	}
	dst = append(dst, "0000000000"...)
	for at := len(dst) - 1; seq > 0; at-- {
		dst[at] = byte('0' + seq%10)
		seq /= 10
	}
	return dst
}
