package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"collect/hclspec/schema"
	"collect/runtime/channel/disk"
	"collect/runtime/channel/memory"
	"collect/runtime/flow"
	"collect/runtime/flow/host"
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

func (w *world) registry() *Registry {
	about := schema.About{Doc: "for tests"}
	return NewRegistry(
		Source("fake", func() fakeConfig { return fakeConfig{} }, about, func(_ fakeConfig, env flow.Env) (flow.Source, error) {
			w.note(w.made, env.Component)
			return &fakeSource{feed: w.feed(strings.TrimPrefix(env.Component, "source.")), env: env}, nil
		}),
		Interceptor("fake", func() fakeStage { return fakeStage{} }, about, func(c fakeStage, _ flow.Env) (flow.Interceptor, error) {
			return stageFunc(c), nil
		}),
		Interceptor("given", func() fakeConfig { return fakeConfig{} }, about, func(fakeConfig, flow.Env) (flow.Interceptor, error) {
			return w.stage, nil
		}),
		Channel("disk", disk.Defaults, disk.About, disk.New).Storing(disk.Stored),
		Channel("memory", memory.Defaults, memory.About, memory.New),
		Channel("journal", func() fakeConfig { return fakeConfig{} }, schema.About{Doc: "for tests", Durable: true}, w.journal),
		Sink("fake", func() fakeConfig { return fakeConfig{} }, about, w.sink),
		Sink("rolling", func() fakeConfig { return fakeConfig{} }, schema.About{Doc: "for tests", Rolls: true}, w.sink),
	)
}

func (w *world) sink(c fakeConfig, env flow.Env) (flow.Sink, error) {
	if c.Arg == "broken" {
		return nil, errors.New("this argument cannot work")
	}
	w.note(w.made, env.Component)
	name := strings.TrimPrefix(env.Component, "sink.")
	return &fakeSink{w: w, name: name, target: w.target(name)}, nil
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
			_ = sleep(ctx, 10*time.Millisecond) // the loop looks at ctx
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

type journal struct {
	mu      sync.Mutex
	decided map[string]uint64
	batches [][]string // stored lines; nil when committed
	headers []map[string]string
	next    int
	back    []int
	wait    chan struct{}
	forgot  []string
	w       *world
	name    string
	closed  bool
	putErr  func() error
}

func (w *world) journal(_ fakeConfig, env flow.Env) (flow.Channel, error) {
	w.note(w.made, env.Component)
	w.mu.Lock()
	defer w.mu.Unlock()
	j := w.journals[env.Component]
	if j == nil {
		j = &journal{decided: map[string]uint64{}, wait: make(chan struct{}), w: w, name: env.Component}
		w.journals[env.Component] = j
	}
	return j, nil
}

func (j *journal) Open(context.Context) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed, j.next, j.back = false, 0, nil
	j.wait = make(chan struct{})
	return nil
}

func (j *journal) Reserve(context.Context, flow.Size) (flow.Slot, error) { return journalSlot{j}, nil }
func (j *journal) Consumer(string) flow.Consumer                         { return j }
func (j *journal) Forgo(string) error                                    { return nil }
func (j *journal) Decided(k string) (uint64, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	p, ok := j.decided[k]
	return p, ok
}

func (j *journal) Forget(k string) {
	j.mu.Lock()
	delete(j.decided, k)
	j.forgot = append(j.forgot, k)
	j.mu.Unlock()
}
func (j *journal) OnPressure(func()) {}
func (j *journal) Stats() flow.ChannelStats {
	j.mu.Lock()
	defer j.mu.Unlock()
	var n int64
	for _, b := range j.batches {
		n += int64(len(b))
	}
	return flow.ChannelStats{Events: n}
}

func (j *journal) Close(context.Context) error {
	j.w.note(j.w.closed, j.name)
	j.mu.Lock()
	j.closed = true
	close(j.wait)
	j.mu.Unlock()
	return nil
}

type journalSlot struct{ j *journal }

func (s journalSlot) Release() {}

func (s journalSlot) Put(b *flow.Batch) error {
	j := s.j
	if j.putErr != nil {
		if err := j.putErr(); err != nil {
			return err
		}
	}
	j.mu.Lock()
	if b.SkipDecided(func(k string) (uint64, bool) { p, ok := j.decided[k]; return p, ok }) {
		for _, r := range b.Runs() {
			j.decided[r.Key] = max(j.decided[r.Key], r.To)
		}
		if b.Len() > 0 {
			h := map[string]string{}
			b.Headers(0, func(n, v []byte) bool { h[string(n)] = string(v); return true })
			j.batches = append(j.batches, bodies(b))
			j.headers = append(j.headers, h)
			close(j.wait)
			j.wait = make(chan struct{})
		}
	}
	j.mu.Unlock()
	b.Ack(flow.Durable)
	b.Release()
	return nil
}

func (j *journal) Waiting() int64 { return j.Stats().Events }

func (j *journal) Take(ctx context.Context) (flow.Lease, error) {
	for {
		j.mu.Lock()
		wait := j.wait
		n := -1
		if j.closed {
			j.mu.Unlock()
			return nil, flow.ErrClosed
		}
		if len(j.back) > 0 {
			slices.Sort(j.back)
			n = j.back[0]
			j.back = j.back[1:]
		} else {
			for j.next < len(j.batches) && j.batches[j.next] == nil {
				j.next++
			}
			if j.next < len(j.batches) {
				n = j.next
				j.next++
			}
		}
		j.mu.Unlock()
		if n >= 0 {
			return journalLease{j, n}, nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

type journalLease struct {
	j *journal
	n int
}

func (l journalLease) Batch() *flow.Batch {
	b := l.j.w.pool.Get()
	b.Begin("stored", 0, nil)
	l.j.mu.Lock()
	for i, line := range l.j.batches[l.n] {
		b.AddBody([]byte(line), uint64(i+1))
	}
	l.j.mu.Unlock()
	b.SetID(flow.ID{Channel: [16]byte{1}, Epoch: 1, Seq: uint64(l.n + 1)})
	return b
}

func (l journalLease) Commit() error {
	l.j.mu.Lock()
	l.j.batches[l.n] = nil
	l.j.mu.Unlock()
	return nil
}

func (l journalLease) Return() {
	l.j.mu.Lock()
	l.j.back = append(l.j.back, l.n)
	if !l.j.closed {
		close(l.j.wait)
		l.j.wait = make(chan struct{})
	}
	l.j.mu.Unlock()
}

func newPCG() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }
