package emit

import (
	"context"
	"errors"
	"time"

	"collect/runtime/flow"
	"collect/runtime/pipeline/internal/deadletter"
	"collect/runtime/pipeline/internal/guard"
	"collect/runtime/pipeline/internal/wait"
)

// stage is one interceptor of a source.
type stage struct {
	Interceptor
	keep flow.Keep
	mark flow.Mark // of the run at hand

	// what the batch at hand adds to the counters once it is stored
	in, out int
	drops   []dropCount
	dead    int
}

type dropCount struct {
	reason string
	n      int
}

// count adds the figures of a batch that is stored to the counters.
func (s *stage) count() {
	s.Stats.EventsIn.Add(int64(s.in))
	s.Stats.EventsOut.Add(int64(s.out))
	s.Stats.DeadLettered.Add(int64(s.dead))
	for _, d := range s.drops {
		s.Stats.Drop(d.reason, d.n)
	}
}

func (s *stage) drop(reason string, n int) {
	if k := len(s.drops) - 1; k >= 0 && s.drops[k].reason == reason {
		s.drops[k].n += n
		return
	}
	s.drops = append(s.drops, dropCount{reason, n})
}

// pass takes a batch through the interceptors.
func (e *Emitter) pass(ctx context.Context, b *flow.Batch) error {
	e.puts = e.puts[:0]
	var dead *deadletter.Batch
	for n, st := range e.stages {
		st.in, st.out, st.dead, st.drops = b.Len(), 0, 0, st.drops[:0]
		st.keep.Reset(b.Len())
		if err := e.intercept(ctx, st, b); err != nil {
			return err
		}
		if err := e.deadLetters(ctx, &dead, n, b); err != nil {
			return err
		}
		e.puts = append(e.puts, st.keep.Puts()...)
		st.keep.Apply(b, st.drop)
		st.out = b.Len()
	}
	if dead != nil {
		e.dying = dead.Done()
	}
	return nil
}

// intercept calls an interceptor for each run. An error of it is not about an event, so the run is tried again, as it was before.
func (e *Emitter) intercept(ctx context.Context, st *stage, b *flow.Batch) error {
	for i := range b.Runs() {
		run := b.Runs()[i]
		if run.N == 0 {
			continue
		}
		st.mark.Mark(b, i, &st.keep)
		var retry *wait.Backoff
		for {
			err := guard.Call(func() error { return st.Intercept(b, run.First, run.First+run.N, &st.keep) })
			if err == nil {
				break
			}
			st.mark.Rewind(b, &st.keep)
			if retry == nil {
				retry = e.backoff()
			}
			st.Stats.Error(err)
			st.Stats.Retries.Add(1)
			st.Stats.SetHealth(flow.Retrying, err.Error())
			e.logPanic(st.Name, err)
			if err := wait.Sleep(ctx, retry.Next()); err != nil {
				return err
			}
		}
		if retry != nil {
			st.Stats.SetHealth(flow.OK, "")
		}
	}
	return nil
}

func (e *Emitter) logPanic(component string, err error) {
	if stack := guard.Stack(err); stack != "" {
		e.log.Error("component panicked", "at", component, "err", err, "stack", stack)
	}
}

// deadLetters copies the events that an interceptor gave up. Without a channel for them the source is blocked, until its
// configuration changes.
func (e *Emitter) deadLetters(ctx context.Context, dead **deadletter.Batch, n int, b *flow.Batch) error {
	st := e.stages[n]
	if !st.keep.Any() {
		return nil
	}
	for i := range b.Len() {
		reason, ok := st.keep.IsDeadLetter(i)
		if !ok {
			continue
		}
		if e.dead == nil {
			return e.blocked(ctx, st, reason)
		}
		if *dead == nil {
			*dead = deadletter.NewBatch(e.pool, len(b.Body(i))+256)
		}
		run := b.RunOf(i)
		after := run.From + uint64(b.Recs()[i].After)
		(*dead).Add(b, i, deadletter.Event{
			Key: deadKey(run.Key, n), From: after - 1, After: after, Reason: reason,
			Component: "source." + e.name + "." + st.Name, At: time.Now(),
		})
		st.dead++
	}
	return nil
}

func (e *Emitter) blocked(ctx context.Context, st *stage, reason string) error {
	why := "cannot handle an event and no dead_letter channel is declared: " + reason
	err := errors.New(why)
	st.Stats.Error(err)
	st.Stats.SetHealth(flow.Blocked, why)
	e.stats.SetHealth(flow.Blocked, why)
	select {
	case <-e.run.Done():
	case <-ctx.Done():
	}
	return err
}
