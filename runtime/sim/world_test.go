package sim_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"collect/hclspec/schema"
	"collect/runtime/flow"
	"collect/runtime/pipeline"
	"collect/runtime/sim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is one run: an agent on a simulated machine, what it reads, and what is known about it.
type world struct {
	seed    uint64
	rand    *rand.Rand
	disk    *sim.Disk
	pool    *flow.Pool
	bug     bug
	shape   shape
	shops   map[string]*shop
	writer  writer // nil: the source makes its events itself
	goals   []goal // of the present spec
	variant int    // chooses arguments of the spec
	cut     bool   // there was a power cut
	shaky   bool   // what a channel's consumers have committed may have been undone: by a power cut, or by a fault of its files

	mu     sync.Mutex        // guards all below
	limit  map[string]uint64 // numbers that the source may read so far
	issued map[string]uint64 // the highest emitted
	acked  map[string]uint64 // how many the source heard are safe, without a gap; of files: how many are written
	late   map[string]map[uint64]uint64
	ahead  string // a position that was stored too early
	woken  bool   // a machine started, and its source did not
	log    []string
}

// bug is a mistake that is planted to see whether it is found.
type bug struct {
	name    string
	shape   string // in which it is planted
	fs      func(flow.FS) flow.FS
	channel func(address string, c flow.Channel) flow.Channel
	sink    func(address string, s flow.Sink) flow.Sink
	booted  func(flow.FS) // what it does when the agent has started
	emitted bool          // the source goes on at what it emitted
}

func newWorld(sh shape, seed uint64, b bug) *world {
	w := &world{
		seed: seed, rand: rand.New(rand.NewPCG(seed, 1)), disk: sim.NewDisk(seed), pool: flow.NewPoisonPool(4 << 20), bug: b, shape: sh,
		shops: map[string]*shop{},
		limit: map[string]uint64{}, issued: map[string]uint64{}, acked: map[string]uint64{}, late: map[string]map[uint64]uint64{},
	}
	for i, name := range sh.shops {
		w.shops[name] = &shop{curses: sh.curses, rand: rand.New(rand.NewPCG(seed, uint64(i)+100))}
	}
	_ = w.spec() // sets the goals, for those who write files
	if sh.writer != nil {
		w.writer = sh.writer(w)
	}
	return w
}

func (w *world) say(format string, args ...any) {
	w.mu.Lock()
	w.log = append(w.log, fmt.Sprintf(format, args...))
	w.mu.Unlock()
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
	err = p.Start(ctx)
	if w.bug.booted != nil {
		w.bug.booted(fs)
	}
	return p, err
}

// halt ends what is left of an agent after its machine crashed: nothing of it reaches the disk any more.
func halt(p *pipeline.Pipeline) {
	dead, cancel := context.WithCancel(context.Background())
	cancel()
	_, _ = p.Drain(dead, false) // every file gives an error
}

// grow gives the source more to read.
func (w *world) grow(n int) {
	if w.writer != nil {
		w.writer.step()
		return
	}
	w.mu.Lock()
	for _, k := range keys {
		w.limit[k] += uint64(w.rand.IntN(n) + 1)
	}
	w.mu.Unlock()
}

// run lives through a few crashes and faults and ends with a check. It gives what is wrong. Each life has a bubble of its own: in it the
// clock begins anew, so that the machine's clock is somewhere else after a crash, before or behind where it was.
func (w *world) run(t *testing.T) (wrong []string) {
	for life := range 2 + w.rand.IntN(3) {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Duration(w.rand.IntN(100)) * time.Hour)
			w.life(t.Context(), life)
			for again := range w.rand.IntN(4) {
				w.relapse(t.Context(), again)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) { wrong = w.finish(t.Context()) })
	return wrong
}

func (w *world) life(ctx context.Context, life int) {
	w.grow(600)
	w.faults()
	p, err := w.boot(ctx)
	w.say("life %d: boot: %v", life, err)
	if err == nil {
		w.live(ctx, p)
	}
	power := w.rand.IntN(3) > 0
	if w.rand.IntN(6) == 0 && err == nil { // an orderly stop now and then
		stop, cancel := context.WithTimeout(ctx, 3*time.Second)
		_, err := p.Drain(stop, false)
		cancel()
		w.say("drained: %v", err)
	}
	w.crash(p, power)
}

// relapse is a life that ends while it recovers, or soon after.
func (w *world) relapse(ctx context.Context, again int) {
	if w.rand.IntN(4) == 0 {
		w.faults()
	}
	ops, power := 1+w.rand.IntN(150), w.rand.IntN(3) > 0
	w.cut = w.cut || power
	life := w.disk.Life()
	w.disk.CrashIn(ops, power)
	p, err := w.boot(ctx)
	w.say("relapse %d after %d operations, power cut %v: boot: %v", again, ops, power, err)
	for end := time.Now().Add(time.Second); err == nil && w.disk.Life() == life && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	w.crash(p, power)
}

// crash ends a life.
func (w *world) crash(p *pipeline.Pipeline, power bool) {
	w.cut = w.cut || power
	w.disk.Crash(power)
	if p != nil {
		halt(p)
	}
	w.say("crash, power cut %v", power)
	w.disk.Heal()
}

// live lets an agent work, mostly for a while, sometimes only for moments.
func (w *world) live(ctx context.Context, p *pipeline.Pipeline) {
	if w.rand.IntN(8) == 0 {
		time.Sleep(time.Duration(w.rand.IntN(30)) * time.Millisecond)
		return
	}
	life := w.disk.Life()
	for range 1 + w.rand.IntN(4) {
		time.Sleep(time.Duration(w.rand.IntN(1500)) * time.Millisecond)
		w.grow(300)
		w.room()
		for _, name := range w.shape.shops {
			w.shops[name].set(w.rand.IntN(3) == 0, false)
		}
		w.jump()
		if w.rand.IntN(3) > 0 {
			continue
		}
		if w.rand.IntN(3) == 0 {
			w.faults()
		}
		if w.rand.IntN(6) == 0 {
			w.fuse()
		}
		w.reload(ctx, p)
		if w.disk.Life() != life {
			return
		}
	}
}

// jump sets the clock of the machine now and then, while what measures durations goes on.
func (w *world) jump() {
	if w.rand.IntN(4) == 0 {
		by := time.Duration(w.rand.IntN(96)-48) * time.Hour
		w.say("the clock jumps by %v", by)
		w.disk.Jump(by)
	}
}

// room makes the disk full, soon full, or gives it room again.
func (w *world) room() {
	switch w.rand.IntN(8) {
	case 0:
		w.disk.SetRoom(0)
	case 1:
		room := w.rand.Int64N(64 << 10)
		w.say("room for %d bytes", room)
		w.disk.SetRoom(room)
	default:
		w.disk.SetRoom(-1)
	}
}

// fuse makes the machine crash soon.
func (w *world) fuse() {
	ops, power := 1+w.rand.IntN(60), w.rand.IntN(3) > 0
	w.cut = w.cut || power
	w.say("a crash in %d operations, power cut %v", ops, power)
	w.disk.CrashIn(ops, power)
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
	ops := []string{"write", "sync", "syncdir", "create", "rename", "allocate", "read", "remove", "open", "stat", "readdir", "mkdir"}
	paths := []string{"", "/data/channel", "/out", "/data/sink", "/data/source"}
	if w.writer != nil {
		paths = append(paths, "/logs", "/spool")
	}
	for range w.rand.IntN(4) {
		f := sim.Fault{
			Op: ops[w.rand.IntN(len(ops))], Skip: w.rand.IntN(60), Count: 1 + w.rand.IntN(3), Err: syscall.EIO,
			Path: paths[w.rand.IntN(len(paths))],
		}
		if f.Op == "write" && w.rand.IntN(2) == 0 {
			f.Err = syscall.ENOSPC
		}
		w.shaky = w.shaky || f.Path == "" || f.Path == "/data/channel"
		w.disk.Add(f)
		w.say("fault %+v", f)
	}
}

// patience is how long the last life may take to deliver everything.
const patience = 5 * time.Minute

// finish lets the agent live without faults until all is delivered, sends a fresh event, and checks.
func (w *world) finish(ctx context.Context) []string {
	for _, s := range w.shops {
		s.set(false, true)
	}
	p, err := w.boot(ctx)
	if err != nil {
		return []string{fmt.Sprintf("it does not start any more: %v", err)}
	}
	var wrong []string
	if !w.deliver(p) {
		wrong = append(wrong, "not everything was delivered: "+describe(p))
	}
	w.jump()
	w.grow(3)
	if !w.deliver(p) {
		wrong = append(wrong, "a fresh event does not pass after the last fault: "+describe(p))
	}
	stop, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if n, err := p.Drain(stop, true); n != 0 || err != nil {
		wrong = append(wrong, fmt.Sprintf("the last drain abandoned %d: %v", n, err))
	}
	wrong = append(append(wrong, counters(p)...), w.judge()...)
	if w.writer != nil {
		wrong = append(wrong, w.writer.rest()...)
	}
	return wrong
}

func (w *world) deliver(p *pipeline.Pipeline) bool {
	pause := 50 * time.Millisecond
	if w.writer != nil {
		pause = time.Second // it looks at all files each time
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(pause) {
		if w.settled(p) {
			return true
		}
	}
	return false
}

// settled says whether all that may be read is acknowledged and delivered.
func (w *world) settled(p *pipeline.Pipeline) bool {
	for _, c := range p.Snapshot().Components {
		if c.Kind == schema.Channel && c.BacklogEvents > 0 {
			return false
		}
	}
	if w.writer != nil {
		return w.arrived("") && len(w.writer.rest()) == 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range keys {
		if w.issued[k] < w.limit[k] || w.acked[k] < w.limit[k] {
			return false
		}
	}
	return true
}

// play runs one seed and gives what is wrong.
func play(t *testing.T, sh shape, seed uint64, b bug) (wrong, log []string) {
	t.Helper()
	w := newWorld(sh, seed, b)
	return w.run(t), w.log
}

// chosenSeed is the seed of COLLECT_SIM_SEED.
func chosenSeed(t *testing.T) (uint64, bool) {
	t.Helper()
	return number(t, "COLLECT_SIM_SEED")
}

// soak is COLLECT_SIM_SOAK: how many seeds to try that a normal test does not; those of a shape are so many percent of its quick ones.
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
