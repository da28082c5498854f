package disk_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"collect/runtime/channel/disk/inspect"
	"collect/runtime/flow"
)

// drainFor delivers through a consumer for a while of the bubble's time, as a sink does that tries again for ever.
func (b *bench) drainFor(k flow.Consumer, d time.Duration) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), d)
	defer cancel()
	b.k = k
	for ctx.Err() == nil {
		l, err := k.Take(ctx)
		if err != nil {
			time.Sleep(time.Second)
			continue
		}
		batch := l.Batch()
		for i := range batch.Len() {
			b.got[string(batch.Body(i))]++
		}
		batch.Release()
		if err := l.Commit(); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bench) files(pattern string) []string {
	b.t.Helper()
	list, err := filepath.Glob(filepath.Join(b.dir, pattern))
	if err != nil {
		b.t.Fatal(err)
	}
	return list
}

// many gives a closed channel with several segments, none of it in memory, and the names of its segments.
func many(t *testing.T) (*bench, []string) {
	b := newBench(t)
	b.cfg.SegmentSize, b.cfg.MaxSize = 256<<10, 2<<20 // segments of 256 KiB
	b.open()
	for range 50 {
		b.put(200)
		b.settled()
	}
	b.close()
	var names []string
	for _, path := range b.files("*.seg") {
		names = append(names, filepath.Base(path))
	}
	if len(names) < 2 {
		t.Fatal(names)
	}
	return b, names
}

func TestWhatTheDiskNeverReadsIsSetAsideAndKept(t *testing.T) {
	for name, c := range map[string]struct {
		from, to int64
		least    int // events concerned
		most     int
	}{
		"inside a frame":           {100_000, 100_512, 200, 200},
		"many frames":              {60_000, 120_000, 800, 1400},
		"to the end of a segment":  {150_000, 1 << 30, 200, 2000},
		"the first frame":          {4096, 4608, 0, 200},
		"a whole segment but head": {4096, 1 << 30, 2000, 4000},
	} {
		t.Run(name, func(t *testing.T) {
			b, segs := many(t)
			synctest.Test(t, func(t *testing.T) {
				b.t = t
				b.open()
				b.fs.sector(segs[0], c.from, c.to)
				b.drainFor(b.k, 50*time.Second)
				if s := b.ch.Stats(); s.Damaged != 0 || s.LastErr == "" {
					t.Errorf("given up too early: %+v", s)
				}
				b.drainFor(b.k, 10*time.Minute)
				lost, twice := b.missing(b.pos)
				if lost < c.least || lost > c.most || twice > 0 {
					t.Errorf("%d events did not come, want %d to %d; %d came twice", lost, c.least, c.most, twice)
				}
				if s := b.ch.Stats(); s.Events != 0 || s.Damaged != int64(lost) && lost > 0 {
					t.Errorf("%d lost: %+v", lost, s)
				}
				other := b.ch.Consumer("sink.late") // what is known to be unreadable keeps nobody waiting again
				b.drainFor(other, 10*time.Second)
				b.put(2000) // so that another segment begins
				b.put(2000)
				synctest.Wait()
				b.drainFor(b.k, time.Minute)
				b.drainFor(other, time.Minute)
				b.close()
				if kept := b.files(segs[0] + ".bad"); lost > 0 && len(kept) != 1 {
					t.Errorf("the segment that could not be read is not kept: %v", b.files("*"))
				}
				if lost == 0 {
					return
				}
				b.fs.sector("", 0, 0)
				found := map[string]bool{}
				_, err := inspect.Dump(openDir(t, b.dir), b.pool, true, func(d *flow.Batch) bool {
					for i := range d.Len() {
						found[string(d.Body(i))] = true
					}
					return true
				})
				for n := range b.pos {
					if b.got[event(n)] == 0 && !found[event(n)] {
						t.Fatalf("event %d is nowhere: %v", n, err)
					}
				}
			})
		})
	}
}

func TestADiskThatIsAwayLosesNothing(t *testing.T) {
	for name, writes := range map[string]bool{"for a short time": true, "for long, also for writes": false} {
		t.Run(name, func(t *testing.T) {
			b, segs := many(t)
			synctest.Test(t, func(t *testing.T) {
				b.t = t
				b.open()
				b.fs.sector(segs[0], 100_000, 1<<30)
				away := 40 * time.Second
				if !writes {
					away = 2 * time.Hour
					b.fs.set(func(_ int, op, _ string) error {
						if op != "read" {
							return errSector
						}
						return nil
					})
				}
				b.drainFor(b.k, away)
				b.fs.set(nil)
				b.fs.sector("", 0, 0)
				b.drainFor(b.k, time.Minute)
				s := b.ch.Stats()
				b.close()
				if lost, twice := b.missing(b.pos); lost+twice > 0 || s.Damaged > 0 || len(b.files("*.bad")) > 0 {
					t.Errorf("%d lost, %d twice, %+v", lost, twice, s)
				}
			})
		})
	}
}

func TestASegmentThatSomebodyRemovedIsAGap(t *testing.T) {
	for name, which := range map[string]func(segs []string) string{
		"the oldest": func(s []string) string { return s[0] },
		"the second": func(s []string) string { return s[1] },
		"the newest": func(s []string) string { return s[len(s)-1] },
	} {
		t.Run(name, func(t *testing.T) {
			b, segs := many(t)
			synctest.Test(t, func(t *testing.T) {
				b.t = t
				b.open()
				if err := os.Remove(filepath.Join(b.dir, which(segs))); err != nil {
					t.Fatal(err)
				}
				b.drainFor(b.k, 10*time.Second)
				lost, twice := b.missing(b.pos)
				if s := b.ch.Stats(); lost == 0 || lost > 5000 || twice > 0 || s.Events != 0 || s.Damaged != int64(lost) {
					t.Errorf("%d lost, %d twice, %+v", lost, twice, s)
				}
				before := b.pos
				for range 20 {
					b.put(200)
				}
				b.settled()
				b.close()
				b.open()
				b.drainFor(b.k, 10*time.Second)
				b.close()
				if now, twice := b.missing(b.pos); now != lost || twice > 0 {
					t.Errorf("of the events from %d on %d are lost, %d came twice", before, now-lost, twice)
				}
			})
		})
	}
}

// Without its head nothing of a segment can be read: a channel does not open on a disk that may give it tomorrow, until somebody decides.
func TestAHeadThatTheDiskNeverReadsIsForRepair(t *testing.T) {
	b, segs := many(t)
	b.fs.sector(segs[1], 0, 512)
	if err := b.tryOpen(); !errors.Is(err, errSector) || !strings.Contains(err.Error(), segs[1]) || !strings.Contains(err.Error(), "move that file away") {
		t.Fatalf("open: %v", err)
	}
	dir, err := b.fs.OpenDir(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if r, err := inspect.Verify(dir); err != nil || len(r.Damage) == 0 || r.Damage[0].Segment != segs[1] {
		t.Errorf("verify: %+v %v", r.Damage, err)
	}
	if r, err := inspect.Repair(dir, b.env().Rand); err != nil || len(r.SetAside) == 0 || r.SetAside[0] != segs[1]+".bad" {
		t.Fatalf("repair: %+v %v", r.SetAside, err)
	}
	b.open()
	b.take(100)
	s := b.ch.Stats()
	b.close()
	lost, twice := b.missing(b.pos)
	if lost == 0 || twice > 0 || s.Events != 0 || s.Damaged != int64(lost) || len(b.files(segs[1]+".bad")) != 1 {
		t.Errorf("%d lost, %d twice, %+v", lost, twice, s)
	}
}

func TestASegmentThatIsGoneWhenTheChannelOpensIsCounted(t *testing.T) {
	for name, which := range map[string]int{"the oldest": 0, "the second": 1, "the newest": 2} {
		t.Run(name, func(t *testing.T) {
			b, segs := many(t)
			if err := os.Remove(filepath.Join(b.dir, segs[min(which, len(segs)-1)])); err != nil {
				t.Fatal(err)
			}
			b.open()
			b.take(100)
			s := b.ch.Stats()
			b.close()
			lost, twice := b.missing(b.pos)
			if lost == 0 || twice > 0 || s.Events != 0 || s.Damaged != int64(lost) {
				t.Errorf("%d lost, %d twice, %+v", lost, twice, s)
			}
		})
	}
}

func TestASegmentThatIsRemovedWhileItIsWrittenIsAGap(t *testing.T) {
	b := newBench(t)
	b.cfg.SegmentSize = 64 << 20
	synctest.Test(t, func(t *testing.T) {
		b.t = t
		b.open()
		for range 80 { // more than is kept in memory
			b.put(2000)
		}
		synctest.Wait()
		segs := b.files("*.seg")
		if err := os.Remove(segs[len(segs)-1]); err != nil {
			t.Fatal(err)
		}
		b.drainFor(b.k, 5*time.Second) // shorter than what makes an idle channel begin a new segment
		lost, twice := b.missing(b.pos)
		if s := b.ch.Stats(); lost == 0 || twice > 0 || s.Events != 0 || s.Damaged != int64(lost) {
			t.Errorf("%d lost, %d twice, %+v", lost, twice, s)
		}
		for range 10 {
			b.put(200)
		}
		synctest.Wait()
		b.crash() // what is only in memory is gone
		b.open()
		b.drainFor(b.k, 10*time.Second)
		b.close()
		if now, twice := b.missing(b.pos); now != lost || twice > 0 {
			t.Errorf("of what came after %d are lost, %d came twice", now-lost, twice)
		}
	})
}

// What is known to be durable need not be readable for the channel to open; of what comes after nobody knows what it is.
func TestOpeningNeedsWhatMayBeNewest(t *testing.T) {
	b, seg := filled(t, 20)
	b.fs.sector(seg, 4096+9*frameSize, 4096+9*frameSize+512)
	b.open()
	b.close()
	cursors, err := os.ReadFile(filepath.Join(b.dir, "cursors"))
	if err != nil {
		t.Fatal(err)
	}
	b.fs.sector("", 0, 0)
	b.open()
	b.take(100)
	for range 3 {
		b.put(20)
		b.settled()
	}
	b.close()
	segs := b.files("*.seg")
	seg = filepath.Base(segs[len(segs)-1])
	info, err := os.Stat(segs[len(segs)-1])
	if err != nil {
		t.Fatal(err)
	}
	// After a power cut the cursors file may be older than the frames.
	if err := os.WriteFile(filepath.Join(b.dir, "cursors"), cursors, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, back := range []int64{100, frameSize / 2, frameSize} {
		at := info.Size() - back
		b.fs.sector(seg, at, info.Size())
		if err := b.tryOpen(); err == nil || !errors.Is(err, errSector) || !strings.Contains(err.Error(), seg) {
			t.Errorf("opened although what begins at %d may be acknowledged and cannot be read: %v", at, err)
			b.close()
		}
	}
	b.fs.sector("", 0, 0)
	b.open()
	b.take(100)
	b.close()
	if lost, _ := b.missing(b.pos); lost > 0 {
		t.Errorf("%d lost", lost)
	}
}
