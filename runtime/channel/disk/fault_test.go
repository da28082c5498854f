package disk_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"collect/runtime/channel/disk"
	"collect/runtime/flow"
	"collect/runtime/flow/host"
)

// faults is a file layer on the real one that can fail any operation. It syncs nothing: no test here cuts the power.
type faults struct {
	flow.FS
	gate sync.RWMutex // held for reading by every operation that changes a file, for writing by a kill: no file changes while they are copied
	mu   sync.Mutex   // guards all below
	n    int
	fail func(n int, op, name string) error // nil: nothing fails
	lame map[string][2]int64                // by file: a range that cannot be read
	dead map[*faultFile]bool                // files whose sync failed
	bad  []string                           // syncs of those: what they would say is worth nothing
}

func newFaults() *faults { return &faults{FS: host.FS(), dead: map[*faultFile]bool{}} }

// enter begins an operation that changes files, and gives what ends it.
func (f *faults) enter() func() {
	f.gate.RLock()
	return f.gate.RUnlock
}

func (f *faults) set(fail func(n int, op, name string) error) {
	f.mu.Lock()
	f.fail, f.n = fail, 0
	f.mu.Unlock()
}

var errSector = errors.New("input/output error")

// sector makes a range of a file unreadable, until it is called with an empty range.
func (f *faults) sector(name string, from, to int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lame = map[string][2]int64{name: {from, to}}
	if from == to {
		f.lame = nil
	}
}

func (f *faults) check(op, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	if f.fail == nil {
		return nil
	}
	return f.fail(f.n, op, name)
}

func (f *faults) OpenDir(path string) (flow.Dir, error) {
	d, err := f.FS.OpenDir(path)
	return faultDir{d, f}, err
}

type faultDir struct {
	flow.Dir
	f *faults
}

func (d faultDir) file(f flow.File, err error) (flow.File, error) {
	if err != nil {
		return nil, err
	}
	return &faultFile{f, d.f, f.Name()}, nil
}

func (d faultDir) Open(name string) (flow.File, error) { return d.file(d.Dir.Open(name)) }

func (d faultDir) OpenWrite(name string, create bool, perm fs.FileMode) (flow.File, error) {
	defer d.f.enter()()
	return d.file(d.Dir.OpenWrite(name, create, perm))
}

func (d faultDir) Create(name string, perm fs.FileMode) (flow.File, error) {
	defer d.f.enter()()
	if err := d.f.check("create", name); err != nil {
		return nil, err
	}
	return d.file(d.Dir.Create(name, perm))
}

func (d faultDir) Rename(name string, to flow.Dir, newName string) error {
	defer d.f.enter()()
	if err := d.f.check("rename", name); err != nil {
		return err
	}
	return d.Dir.Rename(name, to.(faultDir).Dir, newName)
}

func (d faultDir) Remove(name string) error {
	defer d.f.enter()()
	if err := d.f.check("remove", name); err != nil {
		return err
	}
	return d.Dir.Remove(name)
}

func (d faultDir) Sync() error {
	return d.f.check("syncdir", "")
}

type faultFile struct {
	flow.File
	f    *faults
	name string
}

func (f *faultFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.f.check("read", f.name); err != nil {
		return 0, err
	}
	f.f.mu.Lock()
	r, ok := f.f.lame[f.name]
	f.f.mu.Unlock()
	n, err := f.File.ReadAt(p, off)
	if ok && off < r[1] && off+int64(n) > r[0] {
		return 0, errSector
	}
	return n, err
}

// WriteAt and WriteVec write half of what they should before they fail.
func (f *faultFile) WriteAt(p []byte, off int64) (int, error) {
	defer f.f.enter()()
	if err := f.f.check("write", f.name); err != nil {
		n, _ := f.File.WriteAt(p[:len(p)/2], off)
		return n, err
	}
	return f.File.WriteAt(p, off)
}

func (f *faultFile) WriteVec(off int64, bufs [][]byte) error {
	defer f.f.enter()()
	if err := f.f.check("write", f.name); err != nil {
		_ = f.File.WriteVec(off, bufs[:len(bufs)/2])
		return err
	}
	return f.File.WriteVec(off, bufs)
}

func (f *faultFile) Allocate(off, n int64) error {
	defer f.f.enter()()
	if err := f.f.check("allocate", f.name); err != nil {
		return err
	}
	return f.File.Allocate(off, n)
}

// Sync may fail once for a file; writers that do not know it yet may still write, nobody may sync again.
func (f *faultFile) Sync() error {
	err := f.f.check("sync", f.name)
	f.f.mu.Lock()
	defer f.f.mu.Unlock()
	if f.f.dead[f] {
		f.f.bad = append(f.f.bad, "sync "+f.name)
	}
	f.f.dead[f] = f.f.dead[f] || err != nil
	return err
}

func (f *faultFile) Truncate(n int64) error {
	defer f.f.enter()()
	if err := f.f.check("truncate", f.name); err != nil {
		return err
	}
	return f.File.Truncate(n)
}

// bench is a channel under test with a source that sends again what is not acknowledged, and what was delivered.
type bench struct {
	t     *testing.T
	fs    *faults
	cfg   disk.Config
	dir   string
	ch    flow.Channel
	k     flow.Consumer
	pool  *flow.Pool
	pos   uint64
	mu    sync.Mutex // guards acked
	acked uint64     // all before was acknowledged
	got   map[string]int
}

func newBench(t *testing.T) *bench {
	cfg := disk.Defaults()
	cfg.MaxSize, cfg.SegmentSize = 64<<20, 1<<20
	return &bench{t: t, fs: newFaults(), cfg: cfg, dir: t.TempDir(), pool: flow.NewPoisonPool(8 << 20), got: map[string]int{}}
}

func (b *bench) env() flow.Env {
	return flow.Env{
		ID: "id", Dir: b.dir, Log: slog.New(slog.DiscardHandler), FS: b.fs, Rand: host.Rand(), Pool: b.pool, Stats: &flow.Stats{},
	}
}

func (b *bench) tryOpen() error {
	ch, err := disk.New(b.cfg, b.env())
	if err == nil {
		err = ch.Open(b.t.Context())
	}
	if err == nil {
		b.ch, b.k = ch, ch.Consumer("sink.a")
	}
	return err
}

func (b *bench) open() {
	b.t.Helper()
	if err := b.tryOpen(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) close() {
	if b.ch != nil {
		if err := b.ch.Close(context.Background()); err != nil {
			b.t.Log("close:", err)
		}
		b.ch = nil
	}
}

// event gives event number n: its number, and filling of a length that depends on it.
func event(n uint64) string { return fmt.Sprintf("%08d %s", n, strings.Repeat("x", int(n*37%90))) }

// batch makes events from to from+n-1; positions count events.
func (b *bench) batch(from uint64, n int) *flow.Batch {
	batch := b.pool.GetSized(n * 110)
	batch.Begin("key", from, &flow.Meta{Counted: true})
	for i := range uint64(n) {
		batch.AddBody([]byte(event(from+i)), from+i+1)
	}
	if from%3 == 0 {
		batch.SetHeaders(0, flow.Header{Name: "n", Value: []byte("v")})
	}
	return batch
}

// put sends n events, again and again until the channel takes them.
func (b *bench) put(n int) {
	b.t.Helper()
	batch := b.batch(b.pos, n)
	end := b.pos + uint64(n)
	batch.OnAck(func(o flow.Outcome) {
		if o == flow.Durable {
			b.mu.Lock()
			b.acked = max(b.acked, end)
			b.mu.Unlock()
		}
	})
	slot, err := b.ch.Reserve(b.t.Context(), batch.Size())
	if err != nil {
		b.t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if err = slot.Put(batch); err == nil {
			break
		}
		if time.Now().After(end) {
			b.t.Fatal("put: ", err)
		}
	}
	b.pos = end
}

// settledNow fails when something is not acknowledged yet.
func (b *bench) settledNow() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.acked != b.pos {
		b.t.Errorf("acknowledged up to %d of %d", b.acked, b.pos)
	}
}

func (b *bench) settled() {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		b.mu.Lock()
		acked := b.acked
		b.mu.Unlock()
		if acked == b.pos {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("acknowledged up to %d of %d: %+v", acked, b.pos, b.ch.Stats())
		}
	}
}

// take delivers what there is, until nothing is left.
func (b *bench) take(limit int) {
	b.t.Helper()
	failing := time.Now().Add(10 * time.Second)
	for range limit {
		ctx, cancel := context.WithCancel(b.t.Context())
		if b.ch.Stats().Events == 0 {
			cancel()
			return
		}
		timer := time.AfterFunc(2*time.Second, cancel)
		l, err := b.k.Take(ctx)
		timer.Stop()
		cancel()
		if errors.Is(err, context.Canceled) {
			return
		}
		if err != nil {
			if time.Now().After(failing) {
				b.t.Fatal("take: ", err)
			}
			time.Sleep(time.Millisecond)
			continue
		}
		batch := l.Batch()
		for i := range batch.Len() {
			body := string(batch.Body(i))
			var n uint64
			if _, err := fmt.Sscanf(body, "%d", &n); err != nil || body != event(n) || batch.SourceOffset(i) != n {
				b.t.Fatalf("a wrong event: %q at %d", body, batch.SourceOffset(i))
			}
			b.got[body]++
		}
		batch.Release()
		if err := l.Commit(); err != nil {
			b.t.Fatal("commit: ", err)
		}
	}
}

// missing gives how many of the first n events were not delivered, and how many came twice.
func (b *bench) missing(n uint64) (lost, twice int) {
	for i := range n {
		switch b.got[event(i)] {
		case 0:
			lost++
		case 1:
		default:
			twice++
		}
	}
	return lost, twice
}

// crash goes on in a copy of the directory as it is now, as after kill -9.
func (b *bench) crash() {
	b.t.Helper()
	to := b.t.TempDir()
	b.fs.gate.Lock()
	copyDir(b.t, b.dir, to)
	b.fs.gate.Unlock()
	b.close()
	b.dir = to
}

func copyDir(t *testing.T, from, to string) {
	t.Helper()
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		p, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, e.Name()), p, 0o600)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}
