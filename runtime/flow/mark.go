package flow

// Mark is what an interceptor may change in a run, as it was before. The arena needs no copy: changes only add to it.
type Mark struct {
	lo    int
	recs  []Rec
	times []int64
	timed bool
	run   Run
	index int // of run
	arena int
	puts  int
}

// Mark notes run number index before an interceptor gets its events.
func (m *Mark) Mark(b *Batch, index int, k *Keep) {
	m.run, m.index, m.arena, m.puts = b.runs[index], index, len(b.arena), len(k.onPut)
	m.lo = m.run.First
	hi := m.lo + m.run.N
	m.recs, m.times, m.timed = append(m.recs[:0], b.recs[m.lo:hi]...), m.times[:0], b.times != nil
	if m.timed {
		m.times = append(m.times, b.times[m.lo:hi]...)
	}
}

// Rewind undoes all that was done to the run since, when the interceptor failed half way: what it did to some events must not be
// done to them twice.
func (m *Mark) Rewind(b *Batch, k *Keep) {
	copy(b.recs[m.lo:], m.recs)
	b.runs[m.index] = m.run
	b.arena = b.arena[:m.arena]
	switch {
	case m.timed:
		copy(b.times[m.lo:], m.times)
	case b.times != nil:
		for i := range m.recs {
			b.times[m.lo+i] = b.base
		}
	}
	clear(k.verdicts[m.lo : m.lo+len(m.recs)])
	clear(k.onPut[m.puts:])
	k.onPut = k.onPut[:m.puts]
	k.any = false
	for _, v := range k.verdicts {
		k.any = k.any || v.kind != kept
	}
}
