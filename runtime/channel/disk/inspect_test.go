package disk_test

import (
	"os"
	"path/filepath"
	"slices"
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
	if err != nil || len(clean.Damage) > 0 || len(clean.Consumers) != 1 || clean.Consumers[0].Waiting != 80 || clean.Last != 5 || clean.Positions["key"] != 100 {
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
	err = inspect.Dump(dir, flow.NewPool(1<<20), func(b *flow.Batch) bool { events += b.Len(); return true })
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
