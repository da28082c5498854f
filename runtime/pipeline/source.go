package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/emit"
	"collect/runtime/pipeline/internal/guard"
	"collect/runtime/pipeline/internal/wait"
)

// sourceNode is one running source.
type sourceNode struct {
	name    string
	sig     string
	make    func(ready func()) (flow.Source, error)
	emitter *emit.Emitter
	pos     *track
	stats   *flow.Stats
	log     *slog.Logger
	rand    flow.Rand
	retry   [2]time.Duration

	run               context.Context // ends when it shall stop
	stopRun, stopHard context.CancelFunc
	running           sync.WaitGroup

	ready   atomic.Bool
	changed wait.Signal // ready, or the first run ended

	mu    sync.Mutex // guards first
	first error      // why the source could not start
}

// start runs the source until stop.
func (s *sourceNode) start() {
	s.running.Go(s.loop)
}

// loop keeps the source running: one that fails or panics is made anew after a pause.
func (s *sourceNode) loop() {
	run := s.run
	retry := &wait.Backoff{Initial: s.retry[0], Max: s.retry[1], Rand: s.rand}
	for run.Err() == nil {
		began := time.Now()
		err := s.once(run)
		if run.Err() != nil {
			return
		}
		if err == nil { // it has nothing more to read
			s.isReady()
			<-run.Done()
			return
		}
		if time.Since(began) > retry.Max {
			retry.Reset()
		}
		s.failed(err)
		if wait.Sleep(run, retry.Next()) != nil {
			return
		}
		s.stats.Retries.Add(1)
	}
}

func (s *sourceNode) once(run context.Context) error {
	src, err := s.make(s.isReady)
	if err != nil {
		return err
	}
	return guard.Call(func() error { return src.Run(run, s.emitter) })
}

func (s *sourceNode) isReady() {
	if s.ready.CompareAndSwap(false, true) {
		s.stats.SetHealth(flow.OK, "")
	} else if h := s.stats.Snapshot().Health; h == flow.Retrying || h == flow.Failed {
		s.stats.SetHealth(flow.OK, "")
	}
	s.changed.Set()
}

func (s *sourceNode) failed(err error) {
	s.stats.Error(err)
	health := flow.Retrying
	if stack := guard.Stack(err); stack != "" {
		health = flow.Failed
		s.log.Error("source panicked", "source", s.name, "err", err, "stack", stack)
	} else {
		s.log.Warn("source stopped and starts again", "source", s.name, "err", err)
	}
	s.stats.SetHealth(health, err.Error())
	s.mu.Lock()
	s.first = err
	s.mu.Unlock()
	s.changed.Set()
}

// waitReady waits until the source is ready, cannot start, or ctx ends.
func (s *sourceNode) waitReady(ctx context.Context) error {
	for {
		s.mu.Lock()
		err := s.first
		s.mu.Unlock()
		switch {
		case s.ready.Load():
			return nil
		case err != nil:
			return fmt.Errorf("source %s: %w", s.name, err)
		case !s.changed.Wait(ctx, 0):
			return fmt.Errorf("source %s is not ready: %w", s.name, ctx.Err())
		}
	}
}

// stop ends the source: it emits what it holds, until ctx ends. What is in flight afterwards is still acknowledged.
func (s *sourceNode) stop(ctx context.Context) error {
	s.stopRun()
	over := context.AfterFunc(ctx, s.stopHard)
	ended := wait.ToEnd(ctx, &s.running)
	over()
	s.stopHard()
	if !ended {
		return fmt.Errorf("source %s does not stop", s.name)
	}
	return nil
}

// settled waits until nothing that the source emitted is in flight.
func (s *sourceNode) settled(ctx context.Context) {
	for pause := time.Millisecond; ; pause = min(pause*2, 50*time.Millisecond) {
		if n, _, _, _ := s.emitter.Window().Load(); n == 0 {
			return
		}
		if wait.Sleep(ctx, pause) != nil {
			return
		}
	}
}

// ackWait bounds how long a replaced source waits for durable channels to acknowledge what is in flight.
const ackWait = 2 * time.Second

// acked waits until durable channels have acknowledged what the source emitted, and stores that, so that the next source of the
// address goes on behind it also after a crash.
func (s *sourceNode) acked(ctx context.Context) {
	if !s.emitter.Durable() {
		return // acknowledged when delivered, which may take long
	}
	short, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	s.settled(short)
	saving, done := wait.ToClose(ctx)
	defer done()
	if err := s.pos.Save(saving); err != nil { // it is tried again every second
		s.stats.Error(fmt.Errorf("save positions: %w", err))
	}
}
