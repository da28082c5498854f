package disk_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"collect/runtime/channel/disk/inspect"
	"collect/runtime/flow"
	"collect/runtime/flow/host"
)

func openDir(t *testing.T, path string) flow.Dir {
	t.Helper()
	d, err := host.FS().OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func TestVerifyFindsAndRepairSetsAsideDamage(t *testing.T) {
	t.Parallel()
	b, seg := filled(t, 5)
	b.open()
	b.take(1)
	b.close()
	dir := openDir(t, b.dir)
	clean, err := inspect.Verify(dir)
	if err != nil || len(clean.Damage) > 0 || len(clean.Readers) != 1 || clean.Readers[0].Waiting != 80 || clean.Last != 5 || clean.Positions["key"] != 100 {
		t.Fatalf("%+v %v", clean, err)
	}
	path := filepath.Join(b.dir, seg)
	p, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.Index(p[headAndMore:], 'x') + headAndMore
	p[at] ^= 1
	if err := os.WriteFile(path, p, 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := inspect.Read(dir); err != nil || len(r.Damage) > 0 || len(r.Segments) != 1 || r.Segments[0].Events != 100 {
		t.Errorf("inspect reads no bodies: %+v %v", r, err)
	}
	if r, err := inspect.Verify(dir); err != nil || len(r.Damage) != 1 {
		t.Errorf("verify: %+v %v", r, err)
	}
	r, err := inspect.Repair(dir, host.Rand())
	if err != nil || len(r.Damage) != 1 || len(r.SetAside) != 1 {
		t.Fatalf("repair: %+v %v", r, err)
	}
	if r, err := inspect.Verify(dir); err != nil || len(r.SetAside) != 1 {
		t.Errorf("verify after repair: %+v %v", r, err)
	}
	events := 0
	_, err = inspect.Dump(dir, flow.NewPool(1<<20), true, func(b *flow.Batch) bool { events += b.Len(); return true })
	if err != nil || events != 80 {
		t.Errorf("dump: %d events, %v", events, err)
	}
	b.open()
	b.put(5)
	b.take(100)
	left := b.ch.Stats()
	b.close()
	if lost, twice := b.missing(b.pos); lost != 20 || twice != 0 || left.Events != 0 {
		t.Errorf("%d lost, want the 20 that were damaged; %d twice; %+v", lost, twice, left)
	}
}

// headAndMore is behind the head, the positions and the first frame of a segment.
const headAndMore = 4096 + 3000

// Wherever a byte is wrong: verify finds it and knows how many events it costs, repair takes these and no others away, and then verify
// finds nothing any more.
func TestRepairCostsWhatVerifyTells(t *testing.T) {
	t.Parallel()
	b, seg := filled(t, 4)
	orig := b.dir
	whole, err := os.ReadFile(filepath.Join(orig, seg))
	if err != nil {
		t.Fatal(err)
	}
	for at := 4096; at < len(whole); at += 1 + at%197 {
		b.dir = t.TempDir()
		copyDir(t, orig, b.dir)
		p := slices.Clone(whole)
		p[at] ^= 0x40
		if err := os.WriteFile(filepath.Join(b.dir, seg), p, 0o600); err != nil {
			t.Fatal(err)
		}
		dir := openDir(t, b.dir)
		found, err := inspect.Verify(dir)
		if err != nil {
			t.Fatal(err)
		}
		cost := uint64(0)
		for _, d := range found.Damage {
			cost += d.Events
		}
		if len(found.Damage) > 1 || cost != 0 && cost != 20 {
			t.Fatalf("byte %d: %+v", at, found.Damage)
		}
		done, err := inspect.Repair(dir, host.Rand())
		if err != nil || len(done.Damage) != len(found.Damage) || len(done.SetAside) != len(found.Damage) {
			t.Fatalf("byte %d: repair: %+v %v", at, done, err)
		}
		for _, d := range done.Damage {
			if d.SetAside != done.SetAside[0] {
				t.Fatalf("byte %d: set aside: %+v", at, done)
			}
		}
		if after, err := inspect.Verify(dir); err != nil || len(after.Damage) > 0 {
			t.Fatalf("byte %d: after the repair: %+v %v", at, after.Damage, err)
		}
		clear(b.got)
		b.open()
		b.pos = 80
		b.put(5)
		b.take(100)
		s := b.ch.Stats()
		lost, twice := b.missing(b.pos)
		b.close()
		if lost != int(cost) || twice > 0 || s.Events != 0 {
			t.Fatalf("byte %d: %d lost, %d told; %d twice; %+v", at, lost, cost, twice, s)
		}
	}
}

// A segment whose head is damaged is set aside as a whole. Its neighbours have nothing to do with it.
func TestASegmentWithoutAHeadIsSetAsideAlone(t *testing.T) {
	t.Parallel()
	for name, which := range map[string]int{"between others": 1, "the newest": 2} {
		b := newBench(t)
		b.open()
		for len(b.files("*.seg")) < 3 {
			b.put(5000)
			b.settled()
		}
		b.close()
		dir := openDir(t, b.dir)
		before, err := inspect.Verify(dir)
		if err != nil || len(before.Damage) > 0 {
			t.Fatalf("%+v %v", before, err)
		}
		seg := before.Segments[which]
		f, err := os.OpenFile(filepath.Join(b.dir, seg.Name), os.O_RDWR, 0)
		if err == nil {
			_, err = f.WriteAt(slices.Repeat([]byte{7}, 4096), 0)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		for what, ask := range map[string]func(flow.Dir) (flow.ChannelReport, error){"inspect": inspect.Read, "verify": inspect.Verify} {
			r, err := ask(dir)
			if err != nil || len(r.Damage) != 1 || r.Damage[0].Segment != seg.Name || r.Damage[0].Events != uint64(seg.Events) {
				t.Errorf("%s: %s: %+v %v, want %d events", name, what, r.Damage, err, seg.Events)
			}
		}
		r, err := inspect.Repair(dir, host.Rand())
		if err != nil || !slices.Equal(r.SetAside, []string{seg.Name + ".bad"}) {
			t.Errorf("%s: repair: %+v %v", name, r.SetAside, err)
		}
		if r, err := inspect.Verify(dir); err != nil || len(r.Damage) > 0 || len(r.Segments) != 2 {
			t.Errorf("%s: after the repair: %+v %v", name, r.Damage, err)
		}
		b.open()
		b.put(5)
		b.take(1000)
		left := b.ch.Stats().Events
		b.close()
		if lost, twice := b.missing(b.pos); lost != int(seg.Events) || twice > 0 || left != 0 {
			t.Errorf("%s: %d lost, want %d; %d twice; %d left", name, lost, seg.Events, twice, left)
		}
	}
}

// What is cut off was set aside by nobody.
func TestVerifyTellsWhatIsCutOff(t *testing.T) {
	t.Parallel()
	b, seg := filled(t, 3)
	info, err := os.Stat(filepath.Join(b.dir, seg))
	if err == nil {
		err = os.Truncate(filepath.Join(b.dir, seg), info.Size()-100)
	}
	if err != nil {
		t.Fatal(err)
	}
	if r, err := inspect.Verify(openDir(t, b.dir)); err != nil || len(r.Damage) != 1 || r.Damage[0].Events != 20 {
		t.Errorf("%+v %v", r, err)
	}
}

func TestDumpGivesWhatWaits(t *testing.T) {
	t.Parallel()
	b, _ := filled(t, 5)
	b.open()
	var leases []flow.Lease
	for range 3 {
		l, err := b.k.Take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		l.Batch().Release()
		leases = append(leases, l)
	}
	for _, i := range []int{0, 2} { // what lies between is not delivered
		if err := leases[i].Commit(); err != nil {
			t.Fatal(err)
		}
	}
	leases[1].Return()
	b.close()
	for all, want := range map[bool][]uint64{false: {2, 4, 5}, true: {1, 2, 3, 4, 5}} {
		var got []uint64
		r, err := inspect.Dump(openDir(t, b.dir), b.pool, all, func(d *flow.Batch) bool {
			got = append(got, d.ID().Seq)
			return true
		})
		if err != nil || !slices.Equal(got, want) || r.Waiting != 60 {
			t.Errorf("all %v: frames %v, want %v; %d events wait; %v", all, got, want, r.Waiting, err)
		}
		n := 0
		if _, err := inspect.Dump(openDir(t, b.dir), b.pool, all, func(*flow.Batch) bool { n++; return false }); err != nil || n != 1 {
			t.Errorf("%d batches after the first was enough: %v", n, err)
		}
	}
}

// listed is a directory whose first listing is of another moment than what is read afterwards.
type listed struct {
	flow.Dir
	first func([]flow.Info) []flow.Info
}

func (l *listed) ReadDir() ([]flow.Info, error) {
	infos, err := l.Dir.ReadDir()
	if f := l.first; f != nil {
		l.first = nil
		infos = f(infos)
	}
	return infos, err
}

func TestASegmentThatComesOrGoesMeanwhileIsNoDamage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.open()
	for len(b.files("*.seg")) < 3 {
		b.put(5000)
		b.settled()
	}
	b.close()
	isSegment := func(i flow.Info) bool { return filepath.Ext(i.Name) == ".seg" }
	for name, first := range map[string]func([]flow.Info) []flow.Info{
		"it began after the listing": func(infos []flow.Info) []flow.Info {
			last := len(infos) - 1
			for !isSegment(infos[last]) {
				last--
			}
			return slices.Delete(infos, last, last+1)
		},
		"it went after the listing": func(infos []flow.Info) []flow.Info {
			return slices.Insert(infos, slices.IndexFunc(infos, isSegment), flow.Info{Name: "0000000000000000.seg", Size: 1 << 20})
		},
	} {
		r, err := inspect.Verify(&listed{openDir(t, b.dir), first})
		if err != nil || len(r.Damage) > 0 || len(r.Segments) != 3 || r.Events != b.pos {
			t.Errorf("%s: %d segments, %d events, %+v %v", name, len(r.Segments), r.Events, r.Damage, err)
		}
	}
}

// Segments come and go while somebody looks: that is neither an error nor damage.
func TestAChannelInUseCanBeLookedInto(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.cfg.MaxSize = 8 << 20
	b.open()
	dir := openDir(t, b.dir)
	stop := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if r, err := inspect.Verify(dir); err != nil || len(r.Damage) > 0 {
				t.Errorf("verify: %+v %v", r.Damage, err)
			}
			if r, err := inspect.Read(dir); err != nil || len(r.Damage) > 0 {
				t.Errorf("read: %+v %v", r.Damage, err)
			}
			if r, err := inspect.Dump(dir, flow.NewPool(1<<20), true, func(*flow.Batch) bool { return true }); err != nil || len(r.Damage) > 0 {
				t.Errorf("dump: %+v %v", r.Damage, err)
			}
		}
	})
	for range 30 {
		b.put(5000)
		b.settled()
		b.take(1)
	}
	close(stop)
	looking.Wait()
	b.take(100)
	b.close()
	if lost, twice := b.missing(b.pos); lost+twice > 0 {
		t.Errorf("%d lost, %d twice", lost, twice)
	}
}

func TestRepairRefusesAChannelInUse(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.open()
	defer b.close()
	if _, err := inspect.Repair(openDir(t, b.dir), host.Rand()); err == nil {
		t.Error("repaired a channel in use")
	}
	second := newBench(t)
	second.dir = b.dir
	if err := second.tryOpen(); err == nil {
		t.Error("opened twice")
	}
}
