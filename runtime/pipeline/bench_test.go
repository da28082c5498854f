package pipeline

import (
	"bytes"
	"context"
	"testing"

	"collect/hclspec/schema"
	"collect/runtime/channel/memory"
	"collect/runtime/flow"
	"collect/runtime/pipeline/registry"
)

// BenchmarkPipeline moves batches of 4,096 lines of 175 bytes from a source through a memory channel to a sink that counts.
func BenchmarkPipeline(b *testing.B) {
	const perBatch = 4096
	block := bytes.Repeat(append(bytes.Repeat([]byte{'x'}, 174), '\n'), perBatch)
	done := make(chan struct{})
	about := schema.About{Doc: "for tests"}
	none := func() fakeConfig { return fakeConfig{} }
	reg := registry.New(
		registry.Source("block", none, about, func(_ fakeConfig, env flow.Env) (flow.Source, error) {
			return blockSource{env: env, block: block, batches: b.N}, nil
		}),
		registry.Channel("memory", memory.Defaults, memory.About, memory.New),
		registry.Sink("count", none, about, func(fakeConfig, flow.Env) (flow.Sink, error) {
			return &countSink{want: b.N, done: done}, nil
		}),
	)
	w := &world{dir: b.TempDir(), pool: flow.NewPool(16 << 20)}
	s := spec("memory", nil)
	s.Sources[0].Type, s.Sinks[0].Type = "block", "count"
	p, err := New(s, nil, reg, w.base())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(block)))
	b.ReportAllocs()
	b.ResetTimer()
	if err := p.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	<-done
	b.StopTimer()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*perBatch), "ns/event")
	if _, err := p.Drain(context.Background(), false); err != nil {
		b.Fatal(err)
	}
}

type blockSource struct {
	env     flow.Env
	block   []byte
	batches int
}

func (s blockSource) Run(ctx context.Context, out flow.Emitter) error {
	s.env.Ready()
	at := uint64(0)
	for range s.batches {
		b := s.env.Pool.Get()
		b.Begin("k", at, nil)
		off := b.Append(s.block)
		for n := 0; n < len(s.block); n += 175 {
			at += 175
			b.Add(off+n, 174, at, 0)
		}
		if err := out.Emit(ctx, b); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

type countSink struct {
	got, want int
	done      chan struct{}
}

func (s *countSink) Open(context.Context) error { return nil }
func (s *countSink) Write(_ context.Context, b *flow.Batch) error {
	b.Done(flow.Result{})
	if s.got++; s.got == s.want {
		close(s.done)
	}
	return nil
}
func (s *countSink) Flush(context.Context) error { return nil }
func (s *countSink) Close(context.Context) error { return nil }
