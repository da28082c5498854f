package sim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"collect/hclspec/schema"
	"collect/providers/file"
	"collect/runtime/channel/disk"
	"collect/runtime/channel/memory"
	"collect/runtime/flow"
	"collect/runtime/pipeline"
	"collect/runtime/sim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is one run: an agent on a simulated machine, what it reads, and what is known about it.
//
//	numbers of three keys ─▶ disk channel ─▶ rolling file sink, one file for each key
type world struct {
	seed uint64
	rand *rand.Rand
	disk *sim.Disk
	pool *flow.Pool
	bug  bug
	// variant chooses arguments of the spec
	variant int
	// second is the type of a second channel, which gets some of the keys alone and some with the first; "": there is none
	second string

	mu     sync.Mutex        // guards all below
	limit  map[string]uint64 // numbers that the source may read so far
	issued map[string]uint64 // the highest emitted
	acked  map[string]uint64 // how many the source heard are safe, without a gap
	late   map[string]map[uint64]uint64
	ahead  string // a position that was stored too early
	woken  bool   // a machine started, and its source did not
	log    []string
}

// bug is a mistake that is planted to see whether it is found.
type bug struct {
	name    string
	fs      func(flow.FS) flow.FS
	channel func(flow.Channel) flow.Channel
	sink    func(flow.Sink) flow.Sink
	emitted bool // the source goes on at what it emitted
}

var keys = []string{"a", "b", "c"}

func newWorld(seed uint64, b bug) *world {
	return &world{
		seed: seed, rand: rand.New(rand.NewPCG(seed, 1)), disk: sim.NewDisk(seed), pool: flow.NewPoisonPool(4 << 20), bug: b,
		limit: map[string]uint64{}, issued: map[string]uint64{}, acked: map[string]uint64{}, late: map[string]map[uint64]uint64{},
	}
}

func (w *world) say(format string, args ...any) {
	w.mu.Lock()
	w.log = append(w.log, fmt.Sprintf(format, args...))
	w.mu.Unlock()
}

// line is event n of a key: its size differs, and every byte follows from key and number.
func line(key string, n uint64) string {
	pad := int(n*7919) % 400
	return key + " " + strconv.FormatUint(n, 10) + " " + strings.Repeat(key, pad) + "."
}

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

type noConfig struct{}

func (w *world) registry() *pipeline.Registry {
	channel := func(c disk.Config, env flow.Env) (flow.Channel, error) {
		ch, err := disk.New(c, env)
		if err == nil && w.bug.channel != nil {
			ch = w.bug.channel(ch)
		}
		return ch, err
	}
	sink := func(c file.Config, env flow.Env) (flow.Sink, error) {
		s, err := file.New(c, env)
		if err == nil && w.bug.sink != nil {
			s = w.bug.sink(s)
		}
		return s, err
	}
	return pipeline.NewRegistry(
		pipeline.Source("numbers", func() noConfig { return noConfig{} }, schema.About{Doc: "for tests"},
			func(_ noConfig, env flow.Env) (flow.Source, error) {
				return &source{w: w, env: env, rand: rand.New(rand.NewPCG(w.seed, env.Rand.Uint64()))}, nil
			}),
		pipeline.Channel("disk", disk.Defaults, disk.About, channel),
		pipeline.Channel("memory", memory.Defaults, memory.About, memory.New),
		pipeline.Sink("file", file.Defaults, file.About(), sink),
	)
}

// spec is as a user would write it, but small, so that segments and files end often.
func (w *world) spec() *schema.AgentSpec {
	roll := map[string]any{"size": []any{"16KiB", "64KiB"}[w.variant&1], "interval": "2s", "idle": "500ms"}
	s := &schema.AgentSpec{
		Version: 1, Address: "agent.sim",
		Sources: []schema.SourceSpec{{
			Type: "numbers", Name: "in", Routes: []schema.RouteSpec{{Channels: []string{"c"}}},
			Settings: schema.Config{"in_flight": map[string]any{"max_batches": 8.0}, "ack_timeout": []any{"30s", "31s"}[w.variant>>1&1]},
		}},
		Channels: []schema.ChannelSpec{{Type: "disk", Name: "c", Config: schema.Config{
			"max_size": []any{"8MiB", "9MiB"}[w.variant>>2&1], "segment_size": "1MiB",
		}}},
		Sinks: []schema.SinkSpec{{
			Type: "file", Name: "out", Channel: "c",
			Config: schema.Config{"path": map[string]any{"expr": `"/out/${event.headers.key}.log"`}, "roll": roll},
		}},
	}
	if w.second != "" {
		w.widen(s, roll)
	}
	return s
}

// widen adds the second channel: key a goes to the first, b to both, c to the second.
func (w *world) widen(s *schema.AgentSpec, roll map[string]any) {
	when := func(key string) any { return map[string]any{"expr": `event.headers.key == "` + key + `"`} }
	s.Sources[0].Routes = []schema.RouteSpec{
		{When: when("a"), Channels: []string{"c"}},
		{When: when("b"), Channels: []string{"c", "d"}},
		{Channels: []string{"d"}},
	}
	s.Channels = append(s.Channels, schema.ChannelSpec{Type: w.second, Name: "d"})
	s.Sinks = append(s.Sinks, schema.SinkSpec{
		Type: "file", Name: "other", Channel: "d",
		Config: schema.Config{"path": map[string]any{"expr": `"/second/${event.headers.key}.log"`}, "roll": roll},
	})
}

// boot starts the agent on what is on the disk. It says why it cannot: a fault may strike while it starts.
func (w *world) boot(ctx context.Context) (*pipeline.Pipeline, error) {
	w.mu.Lock()
	w.woken = true
	w.mu.Unlock()
	fs := w.disk.FS()
	if w.bug.fs != nil {
		fs = w.bug.fs(fs)
	}
	base := pipeline.Base{
		FS: fs, Net: sim.Net(), Rand: sim.Rand(w.rand.Uint64()), Pool: w.pool, Dir: "/data", Host: "sim",
		Log: slog.New(slog.DiscardHandler),
	}
	p, err := pipeline.New(w.spec(), schema.Secrets{}, w.registry(), base)
	if err != nil {
		return nil, err
	}
	return p, p.Start(ctx)
}

// halt ends what is left of an agent after its machine crashed: nothing of it reaches the disk any more.
func halt(p *pipeline.Pipeline) {
	dead, cancel := context.WithCancel(context.Background())
	cancel()
	_, _ = p.Drain(dead, false) // every file gives an error
}

// grow lets the source read more.
func (w *world) grow(n int) {
	w.mu.Lock()
	for _, k := range keys {
		w.limit[k] += uint64(w.rand.IntN(n) + 1)
	}
	w.mu.Unlock()
}

// run lives through a few crashes and faults and ends with a check. It gives what is wrong.
func (w *world) run(ctx context.Context) []string {
	lives := 2 + w.rand.IntN(3)
	for life := range lives {
		w.grow(600)
		w.faults()
		p, err := w.boot(ctx)
		w.say("life %d: boot: %v", life, err)
		if err == nil {
			for range 1 + w.rand.IntN(4) {
				time.Sleep(time.Duration(w.rand.IntN(1500)) * time.Millisecond)
				w.grow(300)
				w.disk.SetFull(w.rand.IntN(5) == 0)
				if w.rand.IntN(3) == 0 {
					w.reload(ctx, p)
				}
			}
		}
		power := w.rand.IntN(3) > 0
		if w.rand.IntN(6) == 0 && err == nil { // an orderly stop now and then
			stop, cancel := context.WithTimeout(ctx, 3*time.Second)
			_, err := p.Drain(stop, false)
			cancel()
			w.say("drained: %v", err)
		}
		w.disk.Crash(power)
		if p != nil {
			halt(p)
		}
		w.say("crash, power cut %v", power)
		w.disk.Heal()
	}
	return w.finish(ctx)
}

// reload changes arguments of source, channel or sink while all run. It may fail at a fault; then the old spec goes on.
func (w *world) reload(ctx context.Context, p *pipeline.Pipeline) {
	before := w.variant
	w.variant = w.rand.IntN(8)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := p.Reload(ctx, w.spec(), schema.Secrets{})
	w.say("reload %d to %d: %v", before, w.variant, err)
}

// faults plants a few.
func (w *world) faults() {
	ops := []string{"write", "sync", "syncdir", "create", "rename", "allocate", "read", "remove"}
	for range w.rand.IntN(4) {
		f := sim.Fault{
			Op: ops[w.rand.IntN(len(ops))], Skip: w.rand.IntN(60), Count: 1 + w.rand.IntN(3), Err: syscall.EIO,
			Path: []string{"", "/data/channel", "/out", "/data/sink", "/data/source"}[w.rand.IntN(5)],
		}
		if f.Op == "write" && w.rand.IntN(2) == 0 {
			f.Err = syscall.ENOSPC
		}
		w.disk.Add(f)
		w.say("fault %+v", f)
	}
}

// patience is how long the last life may take to deliver everything.
const patience = 5 * time.Minute

// finish lets the agent live without faults until all is delivered, sends a fresh event, and checks.
func (w *world) finish(ctx context.Context) []string {
	p, err := w.boot(ctx)
	if err != nil {
		return []string{fmt.Sprintf("it does not start any more: %v", err)}
	}
	deliver := func() bool {
		for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			if w.settled(p) {
				return true
			}
		}
		return false
	}
	var wrong []string
	if !deliver() {
		wrong = append(wrong, "not everything was delivered: "+describe(p))
	}
	w.mu.Lock()
	for _, k := range keys {
		w.limit[k] += 3
	}
	w.mu.Unlock()
	if !deliver() {
		wrong = append(wrong, "a fresh event does not pass after the last fault: "+describe(p))
	}
	stop, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if n, err := p.Drain(stop, true); n != 0 || err != nil {
		wrong = append(wrong, fmt.Sprintf("the last drain abandoned %d: %v", n, err))
	}
	if w.second == "" {
		return append(append(wrong, w.counters(p)...), w.check("/out", keys, true)...)
	}
	wrong = append(wrong, w.check("/out", []string{"a", "b"}, true)...)
	return append(wrong, w.check("/second", []string{"b", "c"}, w.second == "disk")...)
}

// settled says whether all that may be read is acknowledged and delivered.
func (w *world) settled(p *pipeline.Pipeline) bool {
	w.mu.Lock()
	for _, k := range keys {
		if w.issued[k] < w.limit[k] || w.acked[k] < w.limit[k] {
			w.mu.Unlock()
			return false
		}
	}
	w.mu.Unlock()
	for _, c := range p.Snapshot().Components {
		if c.Kind == schema.Channel && c.BacklogEvents > 0 {
			return false
		}
	}
	return true
}

func describe(p *pipeline.Pipeline) string {
	raw, err := json.Marshal(p.Snapshot().Components)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// counters must explain each other at rest.
func (w *world) counters(p *pipeline.Pipeline) []string {
	var in, out, sent int64
	for _, c := range p.Snapshot().Components {
		switch c.Kind {
		case schema.Source:
			sent = c.EventsOut
			if c.Dropped != 0 || c.DeadLettered != 0 {
				return []string{fmt.Sprintf("the source dropped %d and gave up %d", c.Dropped, c.DeadLettered)}
			}
		case schema.Channel:
			in = c.EventsIn
			if c.BacklogEvents != 0 {
				return []string{fmt.Sprintf("%d events are left", c.BacklogEvents)}
			}
		case schema.Sink:
			out = c.EventsOut
		}
	}
	if sent != in {
		return []string{fmt.Sprintf("the source sent %d events, the channel got %d", sent, in)}
	}
	if out < 3*int64(len(keys)) {
		return []string{fmt.Sprintf("the sink counts %d delivered events, at least %d passed", out, 3*len(keys))}
	}
	return nil
}

// check compares the final files below a directory with what the source sent of some keys.
func (w *world) check(root string, keys []string, once bool) (wrong []string) {
	seen := map[string]map[uint64]int{}
	for _, k := range keys {
		seen[k] = map[uint64]int{}
	}
	for name, content := range w.disk.Files(root) {
		base := name[strings.LastIndexByte(name, '/')+1:]
		if strings.HasPrefix(base, ".") {
			wrong = append(wrong, "an unfinished file is left: "+name)
			continue
		}
		wrong = append(wrong, w.checkFile(name, base[:1], content, seen)...)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ahead != "" {
		wrong = append(wrong, w.ahead)
	}
	for _, k := range keys {
		lost, twice := 0, 0
		for n := range w.acked[k] {
			if seen[k][n] == 0 {
				lost++
			}
		}
		for _, times := range seen[k] {
			if times > 1 && once {
				twice++
			}
		}
		if lost+twice > 0 {
			wrong = append(wrong, fmt.Sprintf("%s: key %s: %d of %d acknowledged events lost, %d doubled", root, k, lost, w.acked[k], twice))
		}
	}
	return wrong
}

func (w *world) checkFile(name, key string, content []byte, seen map[string]map[uint64]int) (wrong []string) {
	last := int64(-1)
	for text := range strings.SplitSeq(strings.TrimSuffix(string(content), "\n"), "\n") {
		parts := strings.SplitN(text, " ", 3)
		n := uint64(0)
		var err error
		if len(parts) == 3 {
			n, err = strconv.ParseUint(parts[1], 10, 64)
		}
		if len(parts) != 3 || err != nil || parts[0] != key || text != line(key, n) {
			return append(wrong, fmt.Sprintf("%s: a line that was never sent: %.60q", name, text))
		}
		if n >= w.issued[key] {
			wrong = append(wrong, fmt.Sprintf("%s: number %d was never issued", name, n))
		}
		if int64(n) <= last {
			wrong = append(wrong, fmt.Sprintf("%s: number %d comes after %d", name, n, last))
		}
		last = int64(n)
		seen[key][n]++
	}
	return wrong
}

// play runs one seed in a bubble of its own and gives what is wrong.
func play(t *testing.T, seed uint64, b bug) (wrong, log []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(seed, b)
		wrong = w.run(t.Context())
		log = w.log
	})
	return wrong, log
}

// chosenSeed is the seed of COLLECT_SIM_SEED.
func chosenSeed(t *testing.T) (uint64, bool) {
	t.Helper()
	return number(t, "COLLECT_SIM_SEED")
}

// soak is COLLECT_SIM_SOAK: how many seeds to try that a normal test does not.
func soak(t *testing.T) uint64 {
	t.Helper()
	n, _ := number(t, "COLLECT_SIM_SOAK")
	return n
}

func number(t *testing.T, name string) (uint64, bool) {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n, true
}
