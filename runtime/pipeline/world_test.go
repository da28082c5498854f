package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"collect/hclspec/schema"
	"collect/runtime/channel/disk"
	"collect/runtime/channel/memory"
	"collect/runtime/flow"
	"collect/runtime/flow/host"
	"collect/runtime/pipeline/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is what the fake components of one test share.
type world struct {
	t    *testing.T
	dir  string
	pool *flow.Pool

	mu       sync.Mutex // guards all below
	sources  map[string]*feed
	sinks    map[string]*target
	made     map[string]int // objects made, by address
	closed   map[string]int // sinks and channels closed
	journals map[string]*journal
	stage    flow.Interceptor // what the type "given" is
}

func newWorld(t *testing.T) *world {
	return &world{
		t: t, dir: t.TempDir(), pool: flow.NewPoisonPool(8 << 20),
		sources: map[string]*feed{}, sinks: map[string]*target{}, made: map[string]int{}, closed: map[string]int{},
		journals: map[string]*journal{},
	}
}

func (w *world) feed(name string) *feed {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sources[name] == nil {
		w.sources[name] = &feed{perRun: 10, body: func(i int) string { return "line " + strconv.Itoa(i) }}
	}
	return w.sources[name]
}

func (w *world) target(name string) *target {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sinks[name] == nil {
		w.sinks[name] = &target{}
	}
	return w.sinks[name]
}

func (w *world) note(m map[string]int, key string) {
	w.mu.Lock()
	m[key]++
	w.mu.Unlock()
}

func (w *world) count(m map[string]int, key string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return m[key]
}

func (w *world) registry(more ...registry.Entry) *registry.Registry {
	about := schema.About{Doc: "for tests"}
	return registry.New(append(more,
		registry.Source("fake", func() fakeConfig { return fakeConfig{} }, about, func(_ fakeConfig, env flow.Env) (flow.Source, error) {
			w.note(w.made, env.Component)
			return &fakeSource{feed: w.feed(strings.TrimPrefix(env.Component, "source.")), env: env}, nil
		}),
		registry.Source("idle", func() fakeConfig { return fakeConfig{} }, about, func(c fakeConfig, env flow.Env) (flow.Source, error) {
			return idleSource{c.Arg, env}, nil
		}),
		registry.Interceptor("fake", func() fakeStage { return fakeStage{} }, about, func(c fakeStage, _ flow.Env) (flow.Interceptor, error) {
			return stageFunc(c), nil
		}),
		registry.Interceptor("given", func() fakeConfig { return fakeConfig{} }, about, func(fakeConfig, flow.Env) (flow.Interceptor, error) {
			return w.stage, nil
		}),
		registry.Channel("disk", disk.Defaults, disk.About, disk.New).Storing(disk.Stored),
		registry.Channel("memory", memory.Defaults, memory.About, memory.New),
		registry.Channel("journal", func() fakeConfig { return fakeConfig{} }, schema.About{Doc: "for tests", Durable: true}, w.journal),
		registry.Sink("fake", func() fakeConfig { return fakeConfig{} }, about, w.sink),
		registry.Sink("rolling", func() fakeConfig { return fakeConfig{} }, schema.About{Doc: "for tests", Rolls: true}, w.sink),
	)...)
}

func (w *world) sink(c fakeConfig, env flow.Env) (flow.Sink, error) {
	if c.Arg == "broken" {
		return nil, errors.New("this argument cannot work")
	}
	w.note(w.made, env.Component)
	name := strings.TrimPrefix(env.Component, "sink.")
	return &fakeSink{w: w, name: name, target: w.target(name)}, nil
}

type seeded struct{ *rand.Rand }

func (s seeded) Read(p []byte) {
	for i := range p {
		p[i] = byte(s.Uint64())
	}
}

type lockedRand struct {
	mu sync.Mutex
	r  seeded
}

func (l *lockedRand) Uint64() uint64 { l.mu.Lock(); defer l.mu.Unlock(); return l.r.Uint64() }
func (l *lockedRand) Read(p []byte)  { l.mu.Lock(); defer l.mu.Unlock(); l.r.Read(p) }

func (w *world) base() Base {
	return Base{FS: host.FS(), Net: host.Net(), Rand: &lockedRand{r: seeded{newPCG()}}, Pool: w.pool, Dir: w.dir, Host: "h"}
}

func (w *world) start(spec *schema.AgentSpec) *Pipeline {
	w.t.Helper()
	p, err := New(spec, nil, w.registry(), w.base())
	if err != nil {
		w.t.Fatal(err)
	}
	if err := p.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) drain(p *Pipeline, d time.Duration) int64 {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	n, err := p.Drain(ctx, false)
	if err != nil {
		w.t.Errorf("drain: %v", err)
	}
	return n
}

// ends drains a pipeline whose sink "out" must have got that many lines, each once and in order.
func (w *world) ends(p *Pipeline, lines int) {
	w.t.Helper()
	w.drain(p, time.Second)
	if d := cmp.Diff(numbers(0, lines), w.target("out").lines()); d != "" {
		w.t.Errorf("delivered (-want +got):\n%s", d)
	}
}

// spec makes a spec with one source that goes to one channel and one sink; edit changes it.
func spec(channel string, edit func(*schema.AgentSpec)) *schema.AgentSpec {
	s := &schema.AgentSpec{
		Version: 1, Address: "agent.a",
		Sources:  []schema.SourceSpec{{Type: "fake", Name: "in", Routes: []schema.RouteSpec{{Channels: []string{"c"}}}}},
		Channels: []schema.ChannelSpec{{Type: channel, Name: "c"}},
		Sinks:    []schema.SinkSpec{{Type: "fake", Name: "out", Channel: "c"}},
	}
	if edit != nil {
		edit(s)
	}
	return s
}

func numbers(from, to int) []string {
	var list []string
	for i := from; i < to; i++ {
		list = append(list, fmt.Sprint("line ", i))
	}
	return list
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 100000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("it never happened: %s", what)
}

// ---- a durable channel that keeps its content in the test's memory ----

func newPCG() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }
