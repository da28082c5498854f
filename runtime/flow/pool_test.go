package flow

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCompactCopiesOnlyWhenMostIsDead(t *testing.T) {
	t.Parallel()
	p := NewPoisonPool(8 << 20)
	full := lines(p, "a", 0, strings.Repeat("0123456789\n", 100_000))
	if c, copied := full.Compact(); copied || c != full {
		t.Error("a full batch was copied")
	}
	few := full.Select([]int{5, 99_999})
	held, copied := few.Share(), false
	if few, copied = few.Compact(); copied {
		t.Error("a batch with other holders was copied")
	}
	held.Release()
	full.Release()
	var acked []Outcome
	few.OnAck(func(o Outcome) { acked = append(acked, o) })
	want := offsets(few)
	c, copied := few.Compact()
	if !copied || c.Retained() > 4096 {
		t.Errorf("copied %v, pins %d", copied, c.Retained())
	}
	if d := cmp.Diff(offsets(c), want); d != "" || joined(c) != "0123456789\n0123456789\n" {
		t.Error(d, joined(c))
	}
	c.Ack(Durable)
	c.Ack(Durable)
	if len(acked) != 1 {
		t.Errorf("acknowledged %d times", len(acked))
	}
	c.Release()
}

func TestPoisonPoolOverwritesReleasedMemory(t *testing.T) {
	t.Parallel()
	p := NewPoisonPool(8 << 20)
	b := lines(p, "a", 0, "secret\n")
	body := b.Body(0)
	v := b.Lend()
	b.Release()
	if string(body) != "secret" {
		t.Error("a batch that is lent was given up")
	}
	v.Release()
	if string(body) == "secret" {
		t.Error("a released batch is still readable")
	}
	defer func() {
		if recover() == nil {
			t.Error("a second release was not noticed")
		}
	}()
	b.Release()
}

func TestUnloadFreesMemoryAndKeepsIdentity(t *testing.T) {
	t.Parallel()
	p := NewPoisonPool(8 << 20)
	b := lines(p, "a", 0, "x\n")
	b.SetID(ID{Seq: 7})
	body := b.Body(0)
	v := b.Lend()
	b.Release()
	v.Unload()
	if string(body) == "x" || !v.Unloaded() || v.ID().Seq != 7 {
		t.Errorf("body %q, unloaded %v, id %v", body, v.Unloaded(), v.ID())
	}
	v.Release()
}

func TestPoolReusesAndTrims(t *testing.T) {
	t.Parallel()
	p := NewPool(8 << 20)
	b := p.Get()
	first := &b.Space(1)[0]
	b.Release()
	b = p.Get()
	if &b.Space(1)[0] != first {
		t.Error("memory was not used again")
	}
	b.Release()
	p.Trim()
	if b = p.Get(); b.Len() != 0 || len(b.Runs()) != 0 || b.ID() != (ID{}) {
		t.Error("a fresh batch is not empty")
	}
}

func BenchmarkBuild(b *testing.B) {
	p := NewPool(8 << 20)
	block := strings.Repeat(strings.Repeat("x", 174)+"\n", 5991)
	b.SetBytes(int64(len(block)))
	b.ReportAllocs()
	for b.Loop() {
		batch := p.Get()
		batch.Begin("k", 0, nil)
		at := batch.Append([]byte(block))
		for i := range 5991 {
			batch.Add(at+i*175, 174, uint64(i+1)*175, 0)
		}
		batch.Release()
	}
	b.ReportMetric(5991*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkLend(b *testing.B) {
	p := NewPool(8 << 20)
	batch := lines(p, "k", 0, strings.Repeat("a line\n", 4096))
	b.ReportAllocs()
	for b.Loop() {
		batch.Lend().Release()
	}
}
