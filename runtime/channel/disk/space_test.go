package disk_test

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"collect/runtime/channel/disk"
	"collect/runtime/channel/disk/inspect"
	"collect/runtime/flow"
)

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
	r, err := inspect.Verify(openDir(t, b.dir))
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
	r, err := inspect.Read(openDir(t, e.Dir))
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
		used := b.ch.Stats().Bytes
		b.close()
		b.open()
		if found := b.ch.Stats().Bytes; used != found {
			t.Errorf("%d bytes were taken, the next opening finds %d", used, found)
		}
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
		"an interval unused":     func(c *disk.Config) { c.SyncInterval = 5 * time.Second },
		"an interval of nothing": func(c *disk.Config) { c.Sync, c.SyncInterval = "interval", 0 },
	} {
		c := disk.Defaults()
		change(&c)
		if c.Validate() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
