package disk_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"collect/runtime/channel/disk"
	"collect/runtime/flow"
)

// TestBehavesLikeAList compares any sequence of operations, with kills and reopenings, with a slice of what is left.
func TestBehavesLikeAList(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(t, rt)
		defer m.done()
		rt.Repeat(map[string]func(*rapid.T){
			"put": m.put, "take": m.take, "commit": m.commit, "return": m.giveBack, "reopen": m.reopen, "kill": m.kill, "again": m.again,
		})
		m.drain(rt)
	})
}

// A frame that was committed before a kill, while an older one was leased, and whose segment is gone by the time the consumer comes to
// it, must not be committed twice: that spoilt the stored progress, and what came next was delivered again.
func TestWhatWasCommittedAheadIsNotCommittedAgain(t *testing.T) {
	t.Parallel()
	m := &model{bench: newBench(t), leases: map[uint64]flow.Lease{}, sizes: map[uint64]int{}}
	m.cfg.SegmentSize, m.cfg.MaxSize = 4<<10, 1<<20
	m.open()
	defer m.done()
	take := func() (int, flow.Lease) {
		l, err := m.k.Take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b := l.Batch()
		defer b.Release()
		return b.Len(), l
	}
	commit := func(l flow.Lease) {
		if err := l.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	put := func(n int) {
		m.bench.put(n)
		m.settled()
	}
	put(1)
	_, first := take()
	put(1)
	_, second := take()
	commit(second)
	m.leases[0] = first
	m.kill(nil)
	_, first = take()
	commit(first)
	put(30)
	_, third := take()
	commit(third)
	m.kill(nil)
	put(40)
	n, fourth := take()
	if n != 40 {
		t.Errorf("%d events, want 40: a committed batch came again", n)
	}
	commit(fourth)
}

type model struct {
	*bench
	left   []uint64              // first events of the frames that are neither committed nor leased, in order
	leases map[uint64]flow.Lease // by first event
	sizes  map[uint64]int
}

func newModel(t *testing.T, rt *rapid.T) *model {
	b := newBench(t)
	b.cfg.SegmentSize = 4 << 10
	b.cfg.MaxSize = 1 << 20
	b.cfg.Compression = rapid.SampledFrom([]string{"none", "zstd", "lz4"}).Draw(rt, "compression")
	m := &model{bench: b, leases: map[uint64]flow.Lease{}, sizes: map[uint64]int{}}
	m.open()
	return m
}

func (m *model) done() {
	m.close()
	_ = os.RemoveAll(m.dir)
}

func (m *model) put(rt *rapid.T) {
	n := rapid.IntRange(1, 40).Draw(rt, "events")
	m.left = append(m.left, m.pos)
	m.sizes[m.pos] = n
	m.bench.put(n)
	m.settled()
}

// again sends what the channel has: it must not come twice.
func (m *model) again(*rapid.T) {
	pos, n := m.pos, min(m.pos, 30)
	m.pos -= n
	if n > 0 {
		m.bench.put(int(n))
	}
	m.pos = pos
}

func (m *model) take(rt *rapid.T) {
	if len(m.left) == 0 {
		rt.Skip("empty")
	}
	l, err := m.k.Take(m.t.Context())
	if err != nil {
		rt.Fatal(err)
	}
	b := l.Batch()
	defer b.Release()
	first := m.left[0]
	if b.Len() != m.sizes[first] {
		rt.Fatalf("%d events, want %d", b.Len(), m.sizes[first])
	}
	for i := range b.Len() {
		if got, want := string(b.Body(i)), event(first+uint64(i)); got != want {
			rt.Fatalf("got %q, want %q", got, want)
		}
	}
	m.left = m.left[1:]
	m.leases[first] = l
}

func (m *model) lease(rt *rapid.T) (uint64, flow.Lease) {
	if len(m.leases) == 0 {
		rt.Skip("no lease")
	}
	var firsts []uint64
	for f := range m.leases {
		firsts = append(firsts, f)
	}
	slices.Sort(firsts)
	f := rapid.SampledFrom(firsts).Draw(rt, "lease")
	l := m.leases[f]
	delete(m.leases, f)
	return f, l
}

func (m *model) commit(rt *rapid.T) {
	_, l := m.lease(rt)
	if err := l.Commit(); err != nil {
		rt.Fatal(err)
	}
}

func (m *model) giveBack(rt *rapid.T) {
	f, l := m.lease(rt)
	l.Return()
	m.left = append(m.left, f)
	slices.Sort(m.left)
}

func (m *model) returnAll() {
	for f, l := range m.leases {
		l.Return()
		m.left = append(m.left, f)
	}
	clear(m.leases)
	slices.Sort(m.left)
}

func (m *model) reopen(*rapid.T) {
	m.returnAll()
	m.close()
	m.open()
}

func (m *model) kill(*rapid.T) {
	old := m.dir
	to, err := os.MkdirTemp(m.t.TempDir(), "")
	if err != nil {
		m.t.Fatal(err)
	}
	m.fs.gate.Lock()
	copyDir(m.t, m.dir, to)
	m.fs.gate.Unlock()
	m.returnAll()
	m.close()
	_ = os.RemoveAll(old)
	m.dir = to
	m.open()
}

func (m *model) drain(rt *rapid.T) {
	m.returnAll()
	events := 0
	for _, f := range m.left {
		events += m.sizes[f]
	}
	if got := m.ch.Stats().Events; got != int64(events) {
		rt.Fatalf("%d events left, want %d", got, events)
	}
	for len(m.left) > 0 {
		m.take(rt)
	}
	for _, l := range m.leases {
		if err := l.Commit(); err != nil {
			rt.Fatal(err)
		}
	}
	clear(m.leases)
	if s := m.ch.Stats(); s.Events != 0 || s.Damaged != 0 || s.LastErr != "" {
		rt.Fatalf("at rest: %+v", s)
	}
}

func TestSegmentsGoAndPositionsStay(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.cfg.SegmentSize, b.cfg.MaxSize = 16<<10, 128<<10
	b.open()
	other := b.pool.GetSized(100)
	other.Begin("other", 0, nil)
	other.AddBody([]byte(event(0)), 77)
	slot, err := b.ch.Reserve(t.Context(), other.Size())
	if err == nil {
		err = slot.Put(other)
	}
	if err != nil {
		t.Fatal(err)
	}
	l, err := b.k.Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Commit(); err != nil {
		t.Fatal(err)
	}
	for range 40 {
		b.put(200)
		b.settled()
		b.take(1)
	}
	b.close()
	r, err := disk.Verify(openDir(t, b.dir))
	if err != nil || len(r.Segments) > 8 || r.Segments[0].First == 1 {
		t.Errorf("segments stay: %+v %v", r.Segments, err)
	}
	b.open()
	defer b.close()
	if pos, ok := b.ch.Decided("other"); !ok || pos != 77 {
		t.Errorf("position of a key in a segment that is gone: %d %v, want 77", pos, ok)
	}
	if pos, _ := b.ch.Decided("key"); pos != b.pos {
		t.Errorf("position %d, want %d", pos, b.pos)
	}
}

func TestLinesCostLittleMoreThanTheirBytes(t *testing.T) {
	t.Parallel()
	e := testEnv(t.TempDir())
	c, err := disk.New(disk.Defaults(), e)
	if err == nil {
		err = c.Open(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		b := lineBatch(e.Pool, uint64(i*len(lineBlock)))
		slot, err := c.Reserve(t.Context(), b.Size())
		if err == nil {
			err = slot.Put(b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := disk.Inspect(openDir(t, e.Dir))
	if err != nil {
		t.Fatal(err)
	}
	if f := float64(r.Segments[0].Bytes) / float64(4*len(lineBlock)); f > 1.05 {
		t.Errorf("%.3f bytes written per byte", f)
	}
}

func TestIdleChannelTakesLittleSpace(t *testing.T) {
	t.Parallel()
	b, seg := filled(t, 1)
	if fi, err := os.Stat(b.dir + "/" + seg); err != nil || fi.Size() > 64<<10 {
		t.Errorf("%d bytes, %v", fi.Size(), err)
	}
}

func TestEmptiedSegmentIsGivenBackWhenIdle(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.dir = dir
		b.open()
		b.put(2000)
		synctest.Wait()
		b.take(10)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if used := b.ch.Stats().Bytes; used > 16<<10 {
			t.Errorf("%d bytes stay", used)
		}
		b.close()
	})
}

func TestPositionsWithoutEventsAreKept(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.dir = dir
		b.open()
		acks := 0
		for i := range 50 {
			e := b.pool.GetSized(10)
			e.Begin(fmt.Sprint("k", i%2), uint64(i), nil)
			e.Decide(uint64(i + 1))
			e.OnAck(func(flow.Outcome) { acks++ })
			slot, err := b.ch.Reserve(t.Context(), e.Size())
			if err == nil {
				err = slot.Put(e)
			}
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		b.crash()
		b.open()
		defer b.close()
		if pos, ok := b.ch.Decided("k1"); !ok || pos != 50 || acks != 50 {
			t.Errorf("position %d %v, want 50; %d acks", pos, ok, acks)
		}
	})
}

func TestSyncIntervalAcknowledgesAtOnce(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.dir, b.cfg.Sync, b.cfg.SyncInterval = dir, "interval", 5*time.Second
		b.open()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		b.put(1)
		synctest.Wait() // the first sync is due at once
		var syncs atomic.Int64
		b.fs.set(func(_ int, op, name string) error {
			if op == "sync" && strings.HasSuffix(name, ".seg") {
				syncs.Add(1)
			}
			return nil
		})
		b.put(10)
		b.settledNow()
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if syncs.Load() != 0 {
			t.Error("synced before the interval was over")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if syncs.Load() != 1 {
			t.Errorf("%d syncs after the interval, want 1", syncs.Load())
		}
		b.take(10)
		b.close()
		if lost, twice := b.missing(b.pos); lost+twice > 0 {
			t.Errorf("%d lost, %d twice", lost, twice)
		}
	})
}

// TestReadsWhatEarlierVersionsWrote opens a directory as version 1 left it.
func TestReadsWhatEarlierVersionsWrote(t *testing.T) {
	t.Parallel()
	const golden = "testdata/v1"
	if os.Getenv("UPDATE") != "" {
		writeGolden(t, golden)
	}
	b := newBench(t)
	copyDir(t, golden, b.dir)
	b.open()
	b.take(100)
	s := b.ch.Stats()
	pos, ok := b.ch.Decided("key")
	b.close()
	if lost, twice := b.missing(60); lost != 20 || twice != 0 || s.Damaged != 0 || !ok || pos != 60 {
		t.Errorf("%d lost, want the 20 that were delivered before; %d twice; %+v; decided %d %v", lost, twice, s, pos, ok)
	}
}

func writeGolden(t *testing.T, golden string) {
	b, _ := filled(t, 3)
	b.open()
	b.take(1)
	b.close()
	if err := os.RemoveAll(golden); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(golden, 0o755); err != nil {
		t.Fatal(err)
	}
	copyDir(t, b.dir, golden)
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	if err := disk.Defaults().Validate(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*disk.Config){
		"too small":              func(c *disk.Config) { c.MaxSize = 1 },
		"small segments":         func(c *disk.Config) { c.SegmentSize = 1 },
		"an interval of nothing": func(c *disk.Config) { c.Sync, c.SyncInterval = "interval", 0 },
	} {
		c := disk.Defaults()
		change(&c)
		if c.Validate() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
