package sim_test

import (
	"context"
	"io/fs"
	"strings"
	"testing"

	"collect/runtime/flow"
)

// Each of these mistakes must be found within the seeds of a normal test: else the simulation has no teeth.
var bugs = []bug{
	{name: "sync of the channel's files does nothing", fs: lazily(func(op, path string) bool {
		return op == "sync" && strings.HasPrefix(path, "/data/channel")
	})},
	{name: "sync of directories does nothing", fs: lazily(func(op, _ string) bool { return op == "syncdir" })},
	{name: "files are renamed before they are synced", fs: lazily(func(op, path string) bool {
		return op == "sync" && strings.HasPrefix(path, "/out")
	})},
	{name: "batches are acknowledged before they are synced", channel: func(c flow.Channel) flow.Channel { return hastyChannel{c} }},
	{name: "what was read is not checked", channel: func(c flow.Channel) flow.Channel { return rottenChannel{c} }},
	{name: "the source goes on at what it emitted", emitted: true},
	{name: "leases are committed at Write", sink: func(s flow.Sink) flow.Sink { return hastySink{s} }},
}

func TestPlantedBugsAreFound(t *testing.T) {
	most := uint64(seeds)
	for _, b := range bugs {
		t.Run(b.name, func(t *testing.T) {
			for seed := uint64(1); seed <= most; seed++ {
				if wrong, _ := play(t, seed, b); len(wrong) > 0 {
					t.Logf("found by seed %d: %.200s", seed, wrong[0])
					return
				}
			}
			t.Errorf("not found in %d runs", most)
		})
	}
}

func TestTheHarnessOfTheBugsAddsNone(t *testing.T) {
	b := bug{
		name: "none", fs: lazily(func(string, string) bool { return false }),
		channel: func(c flow.Channel) flow.Channel { return c }, sink: func(s flow.Sink) flow.Sink { return s },
	}
	for seed := uint64(1); seed <= 10; seed++ {
		if wrong, log := play(t, seed, b); len(wrong) > 0 {
			t.Fatalf("seed %d: %s\n%s", seed, strings.Join(wrong, "\n"), strings.Join(log, "\n"))
		}
	}
}

// lazily makes a disk that does not do some operations and says that it did.
func lazily(skip func(op, path string) bool) func(flow.FS) flow.FS {
	return func(f flow.FS) flow.FS { return lazyFS{FS: f, skip: skip} }
}

type lazyFS struct {
	flow.FS
	skip func(op, path string) bool
}

func (f lazyFS) OpenDir(path string) (flow.Dir, error) {
	d, err := f.FS.OpenDir(path)
	if err != nil {
		return nil, err
	}
	return &lazyDir{d, f}, nil
}

type lazyDir struct {
	flow.Dir
	fs lazyFS
}

func (d *lazyDir) Unwrap() flow.Dir { return d.Dir }

func (d *lazyDir) Sync() error {
	if d.fs.skip("syncdir", d.Path()) {
		return nil
	}
	return d.Dir.Sync()
}

func (d *lazyDir) file(f flow.File, name string, err error) (flow.File, error) {
	if err != nil {
		return nil, err
	}
	return &lazyFile{f, d.Path() + "/" + name, d.fs}, nil
}

func (d *lazyDir) Open(name string) (flow.File, error) {
	f, err := d.Dir.Open(name)
	return d.file(f, name, err)
}

func (d *lazyDir) OpenWrite(name string, create bool, perm fs.FileMode) (flow.File, error) {
	f, err := d.Dir.OpenWrite(name, create, perm)
	return d.file(f, name, err)
}

func (d *lazyDir) Create(name string, perm fs.FileMode) (flow.File, error) {
	f, err := d.Dir.Create(name, perm)
	return d.file(f, name, err)
}

func (d *lazyDir) OpenDir(name string) (flow.Dir, error) {
	sub, err := d.Dir.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &lazyDir{sub, d.fs}, nil
}

type lazyFile struct {
	flow.File
	path string
	fs   lazyFS
}

func (f *lazyFile) Sync() error {
	if f.fs.skip("sync", f.path) {
		return nil
	}
	return f.File.Sync()
}

// rottenChannel hands out a batch in which a byte has changed on the medium, as one that checks nothing would.
type rottenChannel struct{ flow.Channel }

func (c rottenChannel) Consumer(name string) flow.Consumer {
	return rottenConsumer{c.Channel.Consumer(name)}
}

type rottenConsumer struct{ flow.Consumer }

func (c rottenConsumer) Take(ctx context.Context) (flow.Lease, error) {
	l, err := c.Consumer.Take(ctx)
	if err != nil {
		return nil, err
	}
	return rottenLease{l}, nil
}

type rottenLease struct{ flow.Lease }

func (l rottenLease) Batch() *flow.Batch {
	b := l.Lease.Batch()
	if b.Len() > 0 && b.ID().Seq%50 == 49 {
		body := b.Body(b.Len() / 2)
		body[len(body)-1] ^= 1
	}
	return b
}

// hastyChannel acknowledges before the batch is stored.
type hastyChannel struct{ flow.Channel }

func (c hastyChannel) Reserve(ctx context.Context, n flow.Size) (flow.Slot, error) {
	s, err := c.Channel.Reserve(ctx, n)
	return hastySlot{s}, err
}

type hastySlot struct{ flow.Slot }

func (s hastySlot) Put(b *flow.Batch) error {
	b.Ack(flow.Durable)
	return s.Slot.Put(b)
}

// hastySink is done with a batch when it has it.
type hastySink struct{ flow.Sink }

func (s hastySink) Write(ctx context.Context, b *flow.Batch) error {
	mine := b.Share()
	mine.SetDone(func(b *flow.Batch, _ flow.Result) { b.Release() })
	if err := s.Sink.Write(ctx, mine); err != nil {
		mine.Release()
		return err
	}
	b.Done(flow.Result{})
	return nil
}
