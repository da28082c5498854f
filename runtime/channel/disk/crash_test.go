package disk_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestKillLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.open()
	for round := range 12 {
		for range 5 {
			b.put(1 + round*7)
		}
		if round%2 == 0 {
			b.settled()
		}
		b.take(round % 4)
		b.crash()
		b.pos = min(b.pos, b.acked) // the source goes on at what was acknowledged
		b.open()
	}
	b.settled()
	b.take(1000)
	b.close()
	if lost, twice := b.missing(b.pos); lost+twice > 0 {
		t.Errorf("%d lost, %d twice, of %d", lost, twice, b.pos)
	}
}

// filled gives a closed channel with frames of 20 events each, and its only segment.
func filled(t *testing.T, frames int) (*bench, string) {
	b := newBench(t)
	b.open()
	for range frames {
		b.put(20)
		b.settled() // one frame at a time is synced, so each is noted as durable
	}
	b.close()
	segs, err := filepath.Glob(filepath.Join(b.dir, "*.seg"))
	if err != nil || len(segs) != 1 {
		t.Fatal(segs, err)
	}
	return b, filepath.Base(segs[0])
}

// frameSize is about what one frame of filled takes.
const frameSize = 20 * 60

func TestTornTailIsCutAndAMissingDurableFrameCounted(t *testing.T) {
	t.Parallel()
	b, seg := filled(t, 4)
	whole, err := os.ReadFile(filepath.Join(b.dir, seg))
	if err != nil {
		t.Fatal(err)
	}
	orig := b.dir
	for cut := len(whole) - 1; cut > len(whole)-frameSize; cut -= 1 + cut%7 {
		for _, noted := range []bool{false, true} {
			b.dir = t.TempDir()
			copyDir(t, orig, b.dir)
			if !noted { // as after a power cut before anybody noted that it was durable
				_ = os.Remove(filepath.Join(b.dir, "cursors"))
			}
			if err := os.Truncate(filepath.Join(b.dir, seg), int64(cut)); err != nil {
				t.Fatal(err)
			}
			clear(b.got)
			b.open()
			damaged := int64(0)
			if noted {
				b.pos = 80
			} else {
				b.pos = 60 // the source sends again: it has no acknowledgement
				b.put(20)
			}
			b.put(5)
			b.take(100)
			lost, twice := b.missing(b.pos)
			damaged = b.ch.Stats().Damaged
			left := b.ch.Stats().Events
			b.close()
			want := 0
			if noted && cut < len(whole)-8 { // the last bytes may only fill up to the next frame
				want = 20
			} else if noted {
				want = lost
			}
			if lost != want || twice != 0 || int(damaged) != want || left != 0 {
				t.Fatalf("cut at %d of %d, noted %v: %d lost, want %d; %d twice; %d counted; %d left", cut, len(whole), noted, lost, want, twice, damaged, left)
			}
			if err := os.RemoveAll(b.dir); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestFlippedByteCostsAtMostItsFrame(t *testing.T) {
	t.Parallel()
	b, seg := filled(t, 4)
	orig := b.dir
	for _, file := range []string{seg, "cursors"} {
		whole, err := os.ReadFile(filepath.Join(orig, file))
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < min(len(whole), 9000); at += 1 + at%29 {
			if at > 200 && at < 2040 || at > 2200 && at < 4090 && file == seg {
				continue // nothing stands there
			}
			b.dir = t.TempDir()
			copyDir(t, orig, b.dir)
			p := slices.Clone(whole)
			p[at] ^= 0x40
			if err := os.WriteFile(filepath.Join(b.dir, file), p, 0o600); err != nil {
				t.Fatal(err)
			}
			clear(b.got)
			b.open()
			b.pos = 80
			b.put(5)
			b.take(100)
			s := b.ch.Stats()
			lost, twice := b.missing(b.pos)
			b.close()
			if lost > 20 || twice > 0 || int(s.Damaged) != lost || s.Events != 0 {
				t.Fatalf("%s at %d: %d lost, %d twice, %+v", file, at, lost, twice, s)
			}
			if bad, _ := filepath.Glob(filepath.Join(b.dir, "*.bad")); lost > 0 && len(bad) == 0 {
				t.Fatalf("%s at %d: %d lost, set aside: %v", file, at, lost, bad)
			}
			if err := os.RemoveAll(b.dir); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestSyncErrorWritesToANewFile(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.open()
	b.put(10)
	b.settled()
	failed := 0
	b.fs.set(func(_ int, op, name string) error {
		if op == "sync" && strings.Contains(name, ".seg") && failed < 3 {
			failed++
			return syscall.EIO
		}
		return nil
	})
	for range 20 {
		b.put(10)
	}
	b.settled()
	b.take(1000)
	if lost, twice := b.missing(b.pos); lost+twice > 0 {
		t.Errorf("%d lost, %d twice", lost, twice)
	}
	b.fs.mu.Lock()
	if len(b.fs.bad) > 0 || failed != 3 {
		t.Errorf("%d failed; used after a failed sync: %v", failed, b.fs.bad)
	}
	b.fs.mu.Unlock()
	b.crash()
	b.open()
	b.put(5)
	b.settled()
	b.take(1000)
	b.close()
	if lost, twice := b.missing(b.pos); lost+twice > 0 {
		t.Errorf("after a kill: %d lost, %d twice", lost, twice)
	}
}

// A segment that was written again and could not be made durable in its folder is written once more: the attempts must not stay.
func TestAttemptsToWriteASegmentAgainDoNotStay(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.open()
	b.put(10)
	b.settled()
	data, folder := 1, 5
	b.fs.set(func(_ int, op, name string) error {
		switch {
		case op == "sync" && strings.Contains(name, ".seg") && data > 0:
			data--
		case op == "syncdir" && data == 0 && folder > 0:
			folder--
		default:
			return nil
		}
		return syscall.EIO
	})
	b.put(10)
	b.settled()
	list, err := os.ReadDir(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	var segments []string
	for _, f := range list {
		if strings.Contains(f.Name(), ".seg") {
			segments = append(segments, f.Name())
		}
	}
	if folder != 0 || len(segments) > 2 {
		t.Errorf("%d failures are left, and these segments: %v", folder, segments)
	}
	b.take(1000)
	b.close()
	if lost, twice := b.missing(b.pos); lost+twice > 0 {
		t.Errorf("%d lost, %d twice", lost, twice)
	}
}

// TestEveryOperationMayFail fails operation i, for each i, of a run with two openings.
func TestEveryOperationMayFail(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{syscall.EIO, syscall.ENOSPC} {
		for i := 1; i < 150; i += 1 + i/40 {
			b := newBench(t)
			b.cfg.SegmentSize = 4 << 10 // many segments
			b.cfg.MaxSize = 32 << 10
			hit := false
			b.fs.set(func(n int, op, _ string) error {
				if n == i {
					hit = true
					return cause
				}
				return nil
			})
			b.run(t)
			lost, twice := b.missing(b.pos)
			if lost+twice > 0 || len(b.fs.bad) > 0 {
				t.Fatalf("operation %d, %v: %d lost, %d twice of %d; used after a failed sync: %v", i, cause, lost, twice, b.pos, b.fs.bad)
			}
			_ = os.RemoveAll(b.dir)
			if !hit {
				break
			}
		}
	}
}

func (b *bench) run(t *testing.T) {
	for range 2 {
		var err error
		for range 3 {
			if err = b.tryOpen(); err == nil {
				break
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		for range 8 {
			b.put(25)
			b.settled()
			b.take(1)
		}
		b.close()
	}
	if err := b.tryOpen(); err != nil {
		t.Fatal(err)
	}
	b.take(1000)
	b.close()
}

func TestFullDiskRefusesAndHeals(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.open()
	b.put(10)
	b.settled()
	b.fs.set(func(_ int, op, name string) error {
		if (op == "write" || op == "allocate" || op == "create") && strings.Contains(name, ".seg") {
			return syscall.ENOSPC
		}
		return nil
	})
	batch := b.batch(b.pos, 50)
	slot, err := b.ch.Reserve(t.Context(), batch.Size())
	if err != nil {
		t.Fatal(err)
	}
	if err := slot.Put(batch); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v, want ENOSPC", err)
	}
	if s := b.ch.Stats(); !strings.Contains(s.LastErr, "no space") {
		t.Errorf("the reason is not told: %+v", s)
	}
	b.fs.set(nil)
	if err := slot.Put(batch); err != nil {
		t.Error(err)
	}
	b.pos += 50
	b.put(1)
	b.settled()
	b.take(100)
	if s := b.ch.Stats(); s.LastErr != "" {
		t.Errorf("still complains: %+v", s)
	}
	b.close()
	if lost, twice := b.missing(b.pos); lost+twice > 0 {
		t.Errorf("%d lost, %d twice", lost, twice)
	}
}

func TestReadErrorIsReportedAndNotTakenForDamage(t *testing.T) {
	t.Parallel()
	b, _ := filled(t, 3)
	b.open()
	b.fs.set(func(_ int, op, _ string) error {
		if op == "read" {
			return syscall.EIO
		}
		return nil
	})
	if _, err := b.k.Take(t.Context()); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v, want EIO", err)
	}
	b.fs.set(nil)
	b.take(100)
	s := b.ch.Stats()
	b.close()
	if lost, twice := b.missing(60); lost+twice > 0 || s.Damaged > 0 {
		t.Errorf("%d lost, %d twice, %+v", lost, twice, s)
	}
}
