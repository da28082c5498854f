package pipeline

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/wait"
)

// feed is what a fake source reads: numbered lines of one key.
type feed struct {
	lines  atomic.Int64
	perRun int           // events a batch
	pause  time.Duration // after each batch
	fail   func() error
	body   func(i int) string

	mu   sync.Mutex // guards acks
	acks []flow.Outcome
}

func (f *feed) acked(o flow.Outcome) {
	f.mu.Lock()
	f.acks = append(f.acks, o)
	f.mu.Unlock()
}

func (f *feed) outcomes() []flow.Outcome {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.acks)
}

// target is what a fake sink delivers to.
type target struct {
	mu      sync.Mutex
	got     []string
	hold    bool // accept and do not end until Flush
	held    []*flow.Batch
	answer  func(b *flow.Batch, lines []string) flow.Result
	write   func(lines []string) error
	open    func() error
	flush   func() error
	unload  bool
	flushes int
}

func (g *target) holdFrom(hold bool) {
	g.mu.Lock()
	g.hold = hold
	g.mu.Unlock()
}

func (g *target) lines() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.got)
}

type fakeConfig struct {
	Arg string `collect:"arg" doc:"Anything."`
}

type fakeStage struct {
	Drop string `collect:"drop" doc:"Drops events that contain this."`
	Dead string `collect:"dead" doc:"Gives up events that contain this."`
	Late string `collect:"late" doc:"Panics when an event that contains this is stored."`
}

type stageFunc fakeStage

func (s stageFunc) Intercept(b *flow.Batch, lo, hi int, k *flow.Keep) error {
	for i := lo; i < hi; i++ {
		switch body := string(b.Body(i)); {
		case s.Drop != "" && strings.Contains(body, s.Drop):
			k.Drop(i, "fake")
		case s.Dead != "" && strings.Contains(body, s.Dead):
			k.DeadLetter(i, "cannot handle it")
		case s.Late != "" && strings.Contains(body, s.Late):
			k.OnPut(func() { panic("late") })
		}
	}
	return nil
}

type fakeSource struct {
	feed *feed
	env  flow.Env
}

// Run emits the lines that were not emitted yet and waits for more.
func (s *fakeSource) Run(ctx context.Context, out flow.Emitter) error {
	if s.feed.fail != nil {
		if err := s.feed.fail(); err != nil {
			return err
		}
	}
	s.env.Ready()
	at, _, _ := s.env.Positions.Frontier("k")
	for ctx.Err() == nil {
		if int64(at) >= s.feed.lines.Load() {
			_ = wait.Sleep(ctx, 10*time.Millisecond) // the loop looks at ctx
			continue
		}
		b := s.env.Pool.Get()
		b.Begin("k", at, &flow.Meta{Counted: true})
		for n := 0; n < s.feed.perRun && int64(at) < s.feed.lines.Load(); n++ {
			b.AddBody([]byte(s.feed.body(int(at))), at+1)
			at++
		}
		if s.feed.pause > 0 {
			time.Sleep(s.feed.pause)
		}
		b.OnAck(s.feed.acked)
		if err := out.Emit(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// idleSource never reads anything. One with an argument cannot even start.
type idleSource struct {
	broken string
	env    flow.Env
}

func (s idleSource) Run(ctx context.Context, _ flow.Emitter) error {
	if s.broken != "" {
		return errors.New(s.broken)
	}
	s.env.Ready()
	<-ctx.Done()
	return nil
}

type fakeSink struct {
	w      *world
	name   string
	target *target
}

func (s *fakeSink) Open(context.Context) error {
	if s.target.open != nil {
		return s.target.open()
	}
	return nil
}

func (s *fakeSink) Write(_ context.Context, b *flow.Batch) error {
	lines := bodies(b)
	if s.target.write != nil {
		if err := s.target.write(lines); err != nil {
			return err
		}
	}
	s.target.mu.Lock()
	if s.target.hold {
		s.target.held = append(s.target.held, b)
		s.target.mu.Unlock()
		return nil
	}
	s.target.mu.Unlock()
	s.end(b)
	return nil
}

func (s *fakeSink) end(b *flow.Batch) {
	lines := bodies(b)
	var res flow.Result
	if s.target.answer != nil {
		res = s.target.answer(b, lines)
	}
	if res.Err == nil {
		bad := map[int]bool{}
		for _, e := range res.Events {
			bad[e.Index] = true
		}
		s.target.mu.Lock()
		for i, l := range lines {
			if !bad[i] {
				s.target.got = append(s.target.got, l)
			}
		}
		s.target.mu.Unlock()
	}
	if s.target.unload {
		b.Unload()
	}
	b.Done(res)
}

func (s *fakeSink) Flush(context.Context) error {
	s.target.mu.Lock()
	held := s.target.held
	s.target.held = nil
	s.target.flushes++
	s.target.mu.Unlock()
	if s.target.flush != nil {
		if err := s.target.flush(); err != nil {
			return err
		}
	}
	for _, b := range held {
		s.end(b)
	}
	return nil
}

func (s *fakeSink) Close(context.Context) error {
	s.w.note(s.w.closed, "sink."+s.name)
	s.target.mu.Lock()
	s.target.held = nil
	s.target.mu.Unlock()
	return nil
}

func bodies(b *flow.Batch) []string {
	var list []string
	for i := range b.Len() {
		list = append(list, string(b.Body(i)))
	}
	return list
}

// ---- running ----
