package disk_test

import (
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

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

// A segment goes when all its frames are committed, also when the consumer has not passed those that it committed ahead in an earlier run:
// that is no gap.
func TestASegmentThatWasCommittedAheadLeavesNoGap(t *testing.T) {
	t.Parallel()
	m := &model{bench: newBench(t), leases: map[uint64]flow.Lease{}, sizes: map[uint64]int{}}
	m.cfg.SegmentSize, m.cfg.MaxSize = 4<<10, 1<<20
	m.open()
	defer m.done()
	take := func() flow.Lease {
		l, err := m.k.Take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		l.Batch().Release()
		return l
	}
	commit := func(l flow.Lease) {
		if err := l.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []int{2, 34} {
		m.bench.put(n)
		m.settled()
	}
	m.leases[0] = take()
	commit(take())
	m.reopen(nil)
	commit(take())
	for range 3 {
		m.bench.put(40)
		m.settled()
		commit(take())
	}
	if s := m.ch.Stats(); s.Events != 0 || s.Damaged != 0 || s.LastErr != "" {
		t.Errorf("at rest: %+v", s)
	}
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
