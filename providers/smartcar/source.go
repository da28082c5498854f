package smartcar

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"collect/runtime/flow"
)

// Source simulates.
type Source struct {
	cfg Config
	env flow.Env
	key string
}

var _ flow.Source = (*Source)(nil)

// New makes the source.
func New(cfg Config, env flow.Env) (flow.Source, error) {
	// Other arguments give other lines, so they have a position of their own.
	key := fmt.Sprintf("%s/cars=%d/date=%s/hours=%d/seed=%d/wild=%s", cfg.Kind, cfg.Cars, cfg.Date, cfg.Hours, cfg.Seed,
		strconv.FormatFloat(cfg.Wild, 'g', -1, 64))
	return &Source{cfg: cfg, env: env, key: key}, nil
}

// note is what is remembered beside the position.
type note struct {
	Date string `json:"date"` // the first simulated day
}

// firstDay gives the day to begin with; one that was not named is remembered before anything is emitted.
func (s *Source) firstDay(ctx context.Context, raw []byte) (time.Time, error) {
	day, err := parseDate(s.cfg.Date)
	if err != nil || !day.IsZero() {
		return day, err
	}
	var n note
	if json.Unmarshal(raw, &n) == nil && n.Date != "" {
		return parseDate(n.Date)
	}
	n.Date = time.Now().UTC().Format(dateLayout)
	raw, err = json.Marshal(n)
	if err != nil {
		return time.Time{}, err
	}
	s.env.Positions.Note(s.key, raw)
	if err := s.env.Positions.Save(ctx); err != nil {
		return time.Time{}, fmt.Errorf("remember the simulated day: %w", err)
	}
	return parseDate(n.Date)
}

// tick is the shortest pause, so that lines in real time come in batches.
const tick = 10 * time.Millisecond

// Run makes lines until ctx ends. When all hours are simulated it waits.
func (s *Source) Run(ctx context.Context, out flow.Emitter) error {
	pos, raw, _ := s.env.Positions.Frontier(s.key)
	day, err := s.firstDay(ctx, raw)
	if err != nil {
		return err
	}
	m := newSim(s.cfg, day)
	m.seek(pos)
	s.env.Ready()
	first, start := max(pos, m.heads), time.Now()
	for ctx.Err() == nil && !m.done() {
		n := s.due(m, m.pos-min(m.pos, first), time.Since(start))
		if n == 0 {
			pause(ctx)
			continue
		}
		if err := out.Emit(ctx, s.batch(m, n)); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
	if m.done() {
		s.env.Stats.SetHealth(flow.OK, "all hours are simulated")
		s.env.Stats.SetFacts(flow.Fact{Label: "complete", Value: strconv.FormatUint(m.pos, 10), Unit: "lines"})
		<-ctx.Done()
	}
	return nil
}

func pause(ctx context.Context) {
	t := time.NewTimer(tick)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// due says how many lines should be made now. The header lines do not wait.
func (s *Source) due(m *sim, made uint64, since time.Duration) int {
	most := uint64(s.env.Batch.MaxEvents)
	if m.pos < m.heads {
		return int(min(most, m.heads-m.pos))
	}
	if s.cfg.Speed > 0 {
		want := uint64(since.Seconds()*s.cfg.Speed/float64(m.step)*float64(len(m.cars))) + 1
		if want <= made {
			return 0
		}
		most = min(most, want-made)
	}
	return int(most)
}

// lineRoom is more than any line takes.
const lineRoom = 256

// batch makes up to n lines. The lines of a day are one run.
func (s *Source) batch(m *sim, n int) *flow.Batch {
	limit := s.env.Batch.MaxBytes
	b := s.env.Pool.GetSized(min(n*64, limit) + 2*lineRoom)
	b.SetBase(time.Now().UnixNano())
	for day := uint64(0); n > 0 && !m.done() && len(b.Arena()) < limit; n-- {
		m.begin()
		if day != m.day {
			day = m.day
			b.Begin(s.key, m.pos, s.meta(m))
		}
		last := m.lastOfDay()
		space := b.Space(lineRoom)
		line := append(m.next(space[:0]), '\n')
		b.Add(b.Used(len(line)), len(line)-1, m.pos, 0)
		if last {
			b.SetHeaders(b.Len()-1, flow.Header{Name: "last", Value: []byte("true")})
		}
	}
	return b
}

func (s *Source) meta(m *sim) *flow.Meta {
	return &flow.Meta{Counted: true, Headers: flow.AppendHeaderBlock(nil, []flow.Header{
		{Name: "kind", Value: []byte(s.cfg.Kind)},
		{Name: "date", Value: append([]byte(nil), m.date...)},
	})}
}
